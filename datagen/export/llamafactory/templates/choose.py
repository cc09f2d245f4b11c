"""Which LLaMA-Factory template fits a model: from its folder's ``config.json`` and chat template, else from its name.

The wrong template trains without complaint and then answers badly, so the reason is always given.
Source: LLaMA-Factory 0.9.5: src/llamafactory/data/template.py, extras/constants.py
"""

import re
from pathlib import Path
from typing import NamedTuple, cast

from datagen.errors import DataError
from datagen.jsonl import JsonObject, read_json, read_text

_BY_NAME: tuple[tuple[str, str], ...] = (
    (r"qwen-?3.*(instruct|nothink)", "qwen3_nothink"),
    (r"qwen-?3", "qwen3"),
    (r"qwen", "qwen"),
    (r"gemma-?3-?(270m|1b)|gemma-?2", "gemma2"),
    (r"gemma-?3", "gemma3"),
    (r"gemma", "gemma"),
    (r"smollm2", "smollm2"),
    (r"smollm", "smollm"),
    (r"llama-?3", "llama3"),
    (r"llama-?2", "llama2"),
    (r"mistral", "mistral"),
)
_BY_TYPE = {"gemma3_text": "gemma2", "gemma3": "gemma3", "gemma2": "gemma2", "gemma": "gemma", "qwen2": "qwen", "mistral": "mistral"}
_LLAMA3_VOCAB = 128256


class Template(NamedTuple):
    """A template's name and why it was chosen; ``certain`` is false for the fallback ``default``."""

    name: str
    why: str
    certain: bool = True


def choose_template(model: str | Path) -> Template:
    """Choose the template for a model folder or name.

    Raises:
        DataError: the folder's ``config.json`` cannot be read.
    """
    folder = Path(model)
    if not folder.is_dir():
        for pattern, name in _BY_NAME:
            if re.search(pattern, str(model), re.IGNORECASE):
                return Template(name, f"the model's name {str(model)!r}")
        return Template("default", f"nothing is known about a model named {str(model)!r}; give --template", certain=False)
    config = _object(folder / "config.json")
    kind = str(config.get("model_type", ""))
    chat = _chat_template(folder)
    if kind in _BY_TYPE:
        return Template(_BY_TYPE[kind], f"model_type {kind}")
    if kind == "qwen3":
        if "enable_thinking" in chat or not chat:
            return Template("qwen3", "model_type qwen3" + (" with a thinking switch in its chat template" if chat else ""))
        return Template("qwen3_nothink", "model_type qwen3 without a thinking switch in its chat template")
    if kind == "llama" and config.get("vocab_size") == _LLAMA3_VOCAB:
        return Template("llama3", f"model_type llama with {_LLAMA3_VOCAB} tokens")
    for marker, name in (
        ("SmolLM", "smollm2"),
        ("<|start_header_id|>", "llama3"),
        ("<start_of_turn>", "gemma2"),
        ("<|im_start|>", "chatml"),
    ):
        if marker in chat:
            return Template(name, f"{marker} in its chat template")
    why = f"model_type {kind or 'unknown'} with no chat template datagen knows; give --template if the model has its own"
    return Template("default", why, certain=False)


def _object(path: Path) -> JsonObject:
    value = read_json(path)
    if not isinstance(value, dict):
        raise DataError(f"{path}: expected a JSON object, got {type(value).__name__}")
    return cast("JsonObject", value)


def _chat_template(folder: Path) -> str:
    separate = folder / "chat_template.jinja"
    if separate.is_file():
        return read_text(separate)
    config = folder / "tokenizer_config.json"
    return str(_object(config).get("chat_template") or "") if config.is_file() else ""
