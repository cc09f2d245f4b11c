"""Question templates as data: ``prompts/extractive/<language>.v<N>.md``.

A file has YAML front matter, then ``## kind`` sections with ``### train``, ``### exam`` and, where the question can be turned
round, ``### reversed``; one ``- template`` a line.
Slots are ``{name}``; a filled slot is text and is never read as a template.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import yaml

from datagen.errors import DataError
from datagen.hashing import sha256_hex
from datagen.library import Roots, find
from datagen.schemas.document import Language

VERSION = 1
Family = Literal["train", "exam", "reversed"]
_FAMILIES: dict[str, Family] = {"### train": "train", "### exam": "exam", "### reversed": "reversed"}
SLOTS = {
    *("where", "topic", "book", "section", "question", "subject", "row", "column", "row_key", "told", "lead", "n"),
    *("previous", "key", "cue", "in_place", "in_place_lower", "blank"),
}
_SLOT = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Templates:
    """The templates of one language: ``by_kind[kind][family]`` in file order."""

    name: str
    sha256: str
    by_kind: Mapping[str, Mapping[Family, tuple[str, ...]]]

    def questions(self, kind: str, family: Family, slots: Mapping[str, str]) -> list[str]:
        """Fill every template of a kind; a template whose slot is missing or empty is left out."""
        templates = self.by_kind[kind][family]
        return [_SLOT.sub(lambda m: slots[m.group(1)], t) for t in templates if all(slots.get(s) for s in _SLOT.findall(t))]


@cache
def load_templates(language: Language, library: Roots = ()) -> Templates:
    """Load the templates of a language from the library.

    Raises:
        DataError: the file has no front matter, an unknown slot, or a kind without train or exam templates; with the line.
    """
    path = find("prompts", f"extractive/{language}.v{VERSION}", ".md", roots=library)
    return parse_templates(path.read_text(encoding="utf-8"), str(path))


def parse_templates(text: str, where: str) -> Templates:
    """Parse a template file; ``where`` names it in errors."""
    front = re.match(r"---\n(.*?)\n---\n", text, re.S)
    meta: Any = yaml.safe_load(front.group(1)) if front else None
    if not isinstance(meta, dict) or not {"name", "version", "language"} <= set(map(str, meta)):
        raise DataError(f"{where}:1: template file without front matter", hint="start with: --- name, version, language ---")
    by_kind: dict[str, dict[Family, list[str]]] = {}
    kind, family = "", None
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("## "):
            kind, family = line[3:].strip(), None
            by_kind[kind] = {"train": [], "exam": [], "reversed": []}
        elif line.strip() in _FAMILIES:
            family = _FAMILIES[line.strip()]
        elif kind and family and line.startswith("- "):
            unknown = set(_SLOT.findall(line)) - SLOTS
            if unknown:
                raise DataError(f"{where}:{number}: unknown slot {{{min(unknown)}}}", hint=f"slots: {', '.join(sorted(SLOTS))}")
            by_kind[kind][family].append(line[2:].strip())
    for kind, families in by_kind.items():
        for family, templates in families.items():
            if not templates and family != "reversed":
                raise DataError(f"{where}: kind '{kind}' has no {family} templates", hint=f"add a '### {family}' section under '## {kind}'")
    frozen: dict[str, dict[Family, tuple[str, ...]]] = {k: {p: tuple(t) for p, t in f.items()} for k, f in by_kind.items()}
    return Templates(f"{meta['name']}@v{meta['version']}", sha256_hex(text), frozen)
