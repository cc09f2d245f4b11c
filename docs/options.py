"""The page of every command's arguments and options, written from the command line itself whenever the guide is built.

    python docs/options.py OUT LANGUAGE    # en or zh; make docs does it through conf.py
"""

import importlib
import inspect
import sys
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import typer
from typer.models import ArgumentInfo, OptionInfo

from datagen.cli import COMMANDS

HEAD = {
    "en": """# Options

Every command with its arguments and options, as `datagen COMMAND --help` says them. All take `--json`; `-w DIR` (the workspace) and
`--library DIR` (recipes, prompts and schemas before the built-in ones) stand before the command.
""",
    "zh": """# 选项

每条命令的参数和选项，内容与 `datagen 命令 --help` 相同（英文）。每条命令都有 `--json`；
`-w 目录`（工作区）和 `--library 目录`（其中的配方、提示词和 schema 优先于内置的）写在命令之前。
""",
}
TABLE = {"en": "| option | default | |\n|---|---|---|\n", "zh": "| 选项 | 默认值 | |\n|---|---|---|\n"}


def options_page(language: str) -> str:
    """Return the page as Markdown, in ``en`` or ``zh``; the same for the same code."""
    parts = [HEAD[language]]
    for name in COMMANDS:
        function = getattr(importlib.import_module(f"datagen.cli.{name.replace('-', '_')}"), name.replace("-", "_"))
        parameters = inspect.signature(function, eval_str=True).parameters.values()
        rows = [_row(p) for p in parameters if p.name != "as_json" and p.annotation is not typer.Context]
        parts.append(f"## {name}\n\n{COMMANDS[name]}\n" + ("\n" + TABLE[language] + "".join(rows) if rows else ""))
    return "\n".join(parts)


def _row(parameter: inspect.Parameter) -> str:
    assert get_origin(parameter.annotation) is Annotated, parameter
    kind, *infos = get_args(parameter.annotation)
    info: Any = next(i for i in infos if isinstance(i, ArgumentInfo | OptionInfo))
    # In an annotation, the first name stands where a default would otherwise.
    words = [w for w in (info.default, *(info.param_decls or ())) if isinstance(w, str)]
    words = words or [parameter.name.upper() if isinstance(info, ArgumentInfo) else f"--{parameter.name.replace('_', '-')}"]
    default = "" if parameter.default in (None, "", False, inspect.Parameter.empty) else f"`{parameter.default}`"
    values = [str(value) for value in _choices(kind)]
    said = _plain(info.help or "") + (f" ({', '.join(values)})" if values else "")
    return f"| {', '.join(f'`{w}`' for w in words)} | {default} | {said} |\n"


def _choices(kind: Any) -> tuple[Any, ...]:
    """Return the values of a ``Literal``, also one that may be absent."""
    return get_args(kind) if get_origin(kind) is Literal else tuple(v for part in get_args(kind) for v in _choices(part))


def _plain(text: str) -> str:
    """Return help as a cell: no column, link or tag is made of it."""
    for mark in ("\\", "|", "<", "[", "*", "_", "`", "$"):
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split())


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(options_page(sys.argv[2]), encoding="utf-8")
