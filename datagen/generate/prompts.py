"""Prompts as data: ``prompts/<task>/<name>.v<N>.md``, YAML front matter, then ``# System`` and ``# User`` in Jinja.

Rendered in a sandbox with undefined variables as errors. What fills a variable is text and is never read as a template, so a document that
says ``{{ config }}`` says just that. Released versions never change; provenance carries name and sha256 of the file.
"""

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml
from pydantic import Field, ValidationError

from datagen.errors import DataError
from datagen.hashing import sha256_hex
from datagen.jsonl import read_text
from datagen.library import Roots, find
from datagen.schemas.document import Language
from datagen.schemas.record import Frozen

_FRONT = re.compile(r"\A---\r?\n(.*?)^---[ \t]*\r?$\n?", re.S | re.M)
_PART = re.compile(r"^# (System|User)[ \t]*$", re.M)


class PromptHead(Frozen):
    """Front matter. ``source``: the paper or project it was written after; ``variables``: all the body may use."""

    name: str = Field(min_length=1)
    version: int = Field(ge=1)
    task: str = Field(min_length=1)
    language: Language
    variables: tuple[str, ...]
    source: str = Field(min_length=1)
    licence: str = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Prompt:
    """A loaded prompt. ``id`` is the name of its file in the library, for example ``qa/zh.v1``."""

    id: str
    sha256: str
    head: PromptHead
    system: str
    user: str

    def render(self, **values: object) -> tuple[str, str]:
        """Return the system and the user message.

        Raises:
            DataError: a variable is missing or the template fails; the message names the prompt.
        """
        from jinja2 import TemplateError

        try:
            return _environment().from_string(self.system).render(values), _environment().from_string(self.user).render(values)
        except TemplateError as error:
            raise DataError(f"prompt {self.id}: {error}", hint=f"variables of this prompt: {', '.join(self.head.variables)}") from error


@cache
def load_prompt(name: str, library: Roots = ()) -> Prompt:
    """Load ``name``, for example ``qa/zh.v1``, from the library.

    Raises:
        UsageError: no such prompt; near matches are suggested.
        DataError: broken front matter or template, with ``file:line``.
    """
    path = find("prompts", name, ".md", roots=library)
    return parse_prompt(read_text(path), name, str(path))


def parse_prompt(text: str, name: str, where: str) -> Prompt:
    """Parse a prompt file; ``where`` names it in errors.

    Raises:
        DataError: as in :func:`load_prompt`.
    """
    front = _FRONT.match(text)
    if front is None:
        raise DataError(f"{where}:1: prompt without front matter", hint=f"start with --- and give {', '.join(PromptHead.model_fields)}")
    head = _read_head(front.group(1), where)
    if name != f"{head.name}.v{head.version}":
        raise DataError(f"{where}:1: front matter says {head.name} version {head.version}", hint=f"the file's name asks for {name}")
    body = text[front.end() :]
    parts = list(_PART.finditer(body))
    if [p.group(1) for p in parts] != ["System", "User"]:
        found = ", ".join(f"# {p.group(1)}" for p in parts) or "neither"
        line = _line(text, front.end())
        raise DataError(f"{where}:{line}: expected one '# System' and then one '# User' heading, found {found}")
    system, user = parts
    for start, end in ((system.end(), user.start()), (user.end(), len(body))):
        _check_template(body[start:end], head.variables, where, _line(text, front.end() + start) - 1)
    return Prompt(name, sha256_hex(text), head, body[system.end() : user.start()].strip(), body[user.end() :].strip())


def _read_head(text: str, where: str) -> PromptHead:
    try:
        return PromptHead.model_validate(yaml.safe_load(text))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 2 if error.problem_mark else 1
        raise DataError(f"{where}:{line}: front matter is not valid YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise DataError(f"{where}:1: front matter is not valid YAML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "front matter"
        line = next((n for n, row in enumerate(text.splitlines(), 2) if row.startswith(f"{key.split('.')[0]}:")), 1)
        raise DataError(f"{where}:{line}: {key}: {first['msg']}", hint=f"front matter has {', '.join(PromptHead.model_fields)}") from error


def _check_template(source: str, variables: tuple[str, ...], where: str, lines_before: int) -> None:
    from jinja2 import TemplateSyntaxError, meta

    try:
        unknown = meta.find_undeclared_variables(_environment().parse(source)) - set(variables)
    except TemplateSyntaxError as error:
        raise DataError(f"{where}:{lines_before + error.lineno}: not a valid template: {error.message}") from error
    if unknown:
        name = min(unknown)
        line = next((n for n, row in enumerate(source.splitlines(), 1) if re.search(rf"\b{re.escape(name)}\b", row)), 1)
        raise DataError(
            f"{where}:{lines_before + line}: unknown variable '{name}'", hint=f"declared in the front matter: {', '.join(variables)}"
        )


def _line(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1


@cache
def _environment() -> Any:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    return SandboxedEnvironment(undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True)
