"""A strategy's spec from the command line, as a recipe would give it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from datagen.errors import UsageError, suggest

if TYPE_CHECKING:
    from datagen.generate.specs import AnySpec


def read_spec(kind: str, model: str | None, options: "Sequence[str]", *, items: int, temperature: float, exam: bool) -> "AnySpec":
    """Read the strategy's spec from the options, as a recipe would give it.

    Raises:
        UsageError: no such strategy or setting, or a model is missing.
    """
    import yaml
    from pydantic import ValidationError

    from datagen.generate.specs import SPECS, AskingSpec, ContrastSpec, examiner

    if kind not in SPECS:
        raise UsageError(f"--strategy {kind}: no such strategy", hint=suggest(kind, SPECS))
    wanted = SPECS[kind]
    settings: dict[str, object] = {"kind": kind}
    if issubclass(wanted, AskingSpec | ContrastSpec):
        if model is None and issubclass(wanted, AskingSpec):
            hint = "for example --model openai:MODEL@http://127.0.0.1:8000/v1, or --strategy extractive"
            raise UsageError(f"--strategy {kind} needs --model", hint=hint)
        settings |= {"model": model, "items_per_request": items, "temperature": temperature}
    for option in options:
        key, separator, value = option.partition("=")
        if not separator or key not in wanted.model_fields:
            raise UsageError(f"--with {option}: no such setting of {kind}", hint=suggest(key, wanted.model_fields))
        try:
            settings[key] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise UsageError(f"--with {option}: the value is not valid YAML") from error
    try:
        spec = wanted.model_validate(settings)
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"--with {'.'.join(map(str, first['loc']))}: {first['msg']}, got {str(first['input'])[:80]!r}") from error
    return examiner(spec) if exam else spec
