"""Commented YAML of flat values, written so that PyYAML and OmegaConf read the same types: floats have a dot, odd texts are quoted."""

import json
import math
import re
from collections.abc import Mapping

Value = str | int | float | bool
_PLAIN = re.compile(r"[A-Za-z/][\w./-]*", re.ASCII)
_YAML_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}


def yaml_text(sections: Mapping[str, Mapping[str, Value]]) -> str:
    """Return ``### title`` blocks of ``key: value`` lines."""
    blocks = [f"### {title}\n" + "".join(f"{key}: {scalar(value)}\n" for key, value in keys.items()) for title, keys in sections.items()]
    return "\n".join(blocks)


def scalar(value: Value) -> str:
    """Return one value."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return _float(value)
    plain = isinstance(value, int) or (_PLAIN.fullmatch(value) and value.lower() not in _YAML_WORDS)
    return str(value) if plain else json.dumps(value, ensure_ascii=False)


def _float(value: float) -> str:
    """Write 0.0001 as ``1.0e-4``: a bare ``1e-4`` is a text to PyYAML."""
    if 0 < abs(value) < 0.01:
        exponent = math.floor(math.log10(abs(value)) + 1e-9)
        return f"{_dotted(value / 10**exponent)}e{exponent}"
    return _dotted(value)


def _dotted(value: float) -> str:
    text = f"{value:.12g}"
    return text if "." in text else f"{text}.0"
