"""Where prompts, pipelines and schemas are found. The only module that knows.

Search order by name: the folder given with ``--library``, then the user's workspace (``./prompts``, ``./pipelines``), then
the built-in library: the folder bundled in the wheel if it exists, else the checkout this file lies in.
"""

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Literal

from datagen.errors import UsageError, suggest
from datagen.jsonl import write_bytes

_VERSIONED = re.compile(r".+\.v\d+\.md")
Kind = Literal["prompts", "pipelines", "schemas"]
Roots = tuple[Path, ...]
"""Folders searched before the built-in library, first match wins: that of ``--library``, then the workspace."""


@cache
def builtin_root() -> Path:
    """Return the folder that holds the built-in ``schemas/``, ``prompts/`` and ``pipelines/``.

    Raises:
        UsageError: neither bundled nor in a datagen checkout: a broken installation.
    """
    package = Path(__file__).resolve().parent
    bundled = package / "_library"
    if bundled.is_dir():
        return bundled
    project = package.parent / "pyproject.toml"
    if project.is_file():
        name = tomllib.loads(project.read_text(encoding="utf-8")).get("project", {}).get("name")
        if name == "datagen":
            return package.parent
    raise UsageError(
        f"datagen's prompts and pipelines are missing: neither {bundled} nor a datagen checkout around {package}",
        hint="reinstall: pip install --force-reinstall datagen",
    )


def search_path(kind: Kind, *, roots: Roots = ()) -> list[Path]:
    """Return the folders to search for ``kind``, first match wins; only folders that exist."""
    folders = [root / kind for root in roots] + [builtin_root() / kind]
    return [folder for folder in folders if folder.is_dir()]


def find(kind: Kind, name: str, suffix: str, *, roots: Roots = ()) -> Path:
    """Find ``<kind>/<name><suffix>``.

    Raises:
        UsageError: the name leaves the library folder, or nothing by that name exists; near matches are suggested.
    """
    if name.startswith(("/", "\\")) or ".." in Path(name).parts:
        raise UsageError(f"'{name}' is not a name in {kind}/: it must not leave that folder")
    folders = search_path(kind, roots=roots)
    for folder in folders:
        candidate = folder / f"{name}{suffix}"
        if candidate.is_file():
            return candidate
    raise UsageError(f"no {kind} named '{name}' in {', '.join(map(str, folders))}", hint=suggest(name, names(kind, suffix, roots=roots)))


def names(kind: Kind, suffix: str, *, roots: Roots = ()) -> dict[str, Path]:
    """Return what :func:`find` finds, by name: a README beside prompts is no prompt, since it has no version."""
    found: dict[str, Path] = {}
    for folder in search_path(kind, roots=roots):
        for path in sorted(folder.rglob(f"*{suffix}")):
            if kind != "prompts" or _VERSIONED.fullmatch(path.name):
                found.setdefault(str(path.relative_to(folder))[: -len(suffix)], path)
    return found


def copy_recipe(name: str, target: Path, *, roots: Roots = ()) -> Path:
    """Copy a recipe from ``roots`` or the built-in ones to ``target``, to be edited; return where it came from.

    Raises:
        UsageError: no such recipe, or ``target`` is there already.
    """
    source = find("pipelines", name, ".yaml", roots=roots)
    if target.exists():
        raise UsageError(f"{target} exists already", hint="choose another file with -o")
    write_bytes(target, source.read_bytes())
    return source
