"""Prompts: Markdown with a YAML head and a Jinja body, rendered in a sandbox; text of documents is a value, never a template."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from jinja2 import StrictUndefined, TemplateError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import ValidationError

from datagen import library
from datagen.errors import DataError
from datagen.hashing import sha256_hex
from datagen.jsonl import read_text
from datagen.schemas.document import Language
from datagen.schemas.record import Frozen


class PromptHead(Frozen):
    """Front matter of a prompt."""

    name: str
    version: int
    task: str
    language: Language
    variables: tuple[str, ...]
    source: str
    licence: str
    system: str = ""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt at one version. ``reference`` is what provenance names (``qa/zh.v1``); ``sha256`` is of the whole file."""

    reference: str
    sha256: str
    head: PromptHead
    body: str

    def render(self, **values: Any) -> str:
        """Fill the body. Values are inserted as they are and never read as templates.

        Raises:
            DataError: a variable is missing, or the template breaks while rendering.
        """
        environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=False)
        try:
            return environment.from_string(self.body).render(**values).strip()
        except TemplateError as error:
            raise DataError(f"prompt {self.reference}: {error.message}") from error


def load_prompt(name: str, *, library_dir: Path | None = None, workspace: Path | None = None) -> Prompt:
    """Load ``prompts/<name>.md``, for example ``qa/zh.v1``, and check head, syntax and variables.

    Raises:
        UsageError: no prompt of that name.
        DataError: a broken head or body, with file and line.
    """
    path = library.find("prompts", name, ".md", library=library_dir, workspace=workspace)
    text = read_text(path)
    opening, _, rest = text.partition("---\n")
    front, separator, body = rest.partition("\n---\n")
    if opening.strip() or not separator:
        raise DataError(f"{path}:1: a prompt begins with a YAML head between two lines of '---'")
    try:
        head = PromptHead.model_validate(yaml.safe_load(front))
    except (yaml.YAMLError, ValidationError) as error:
        raise DataError(f"{path}:2: broken head: {error}") from error
    environment = ImmutableSandboxedEnvironment()
    try:
        used = meta.find_undeclared_variables(environment.parse(body))
    except TemplateError as error:
        line = front.count("\n") + 3 + (getattr(error, "lineno", 1) or 1)
        raise DataError(f"{path}:{line}: {error.message}") from error
    if used - set(head.variables):
        raise DataError(f"{path}: the body uses {sorted(used - set(head.variables))}, which 'variables' does not list")
    return Prompt(name, sha256_hex(text), head, body)
