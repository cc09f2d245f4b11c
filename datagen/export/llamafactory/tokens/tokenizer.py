"""A model's tokenizer with the special tokens a template gives it, and encoding of many texts at once.

Source: LLaMA-Factory 0.9.5: src/llamafactory/data/template.py Template.fix_special_tokens
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from datagen.errors import DataError, MissingExtra, UsageError
from datagen.export.llamafactory.templates.spec import EOS, Special, TemplateSpec

_BATCH = 4096


class TemplateTokenizer:
    """Encodes texts without special tokens of its own, as LLaMA-Factory does slot by slot; remembers what it has encoded."""

    def __init__(self, tokenizer: Any, spec: TemplateSpec) -> None:
        self._tokenizer = tokenizer
        self._ids: dict[str, list[int]] = {}
        before = len(tokenizer)
        _fix_special_tokens(tokenizer, spec)
        self.n_added: int = len(tokenizer) - before
        self.bos_id: int | None = tokenizer.bos_token_id
        self.eos_id: int = tokenizer.eos_token_id
        self.eos_token: str = tokenizer.eos_token
        self.adds_bos: bool = bool(getattr(tokenizer, "add_bos_token", False))

    @property
    def special_tokens(self) -> tuple[str, ...]:
        """The texts that become one control token wherever they stand, also inside data."""
        added = self._tokenizer.added_tokens_decoder.values()
        return tuple(dict.fromkeys(str(token) for token in added if token.special))

    def prepare(self, texts: Iterable[str]) -> None:
        """Encode texts in batches, ahead of :meth:`encode`."""
        missing = [text for text in dict.fromkeys(texts) if text and text not in self._ids]
        for start in range(0, len(missing), _BATCH):
            part = missing[start : start + _BATCH]
            self._ids.update(zip(part, self._tokenizer(part, add_special_tokens=False)["input_ids"], strict=True))

    def forget(self) -> None:
        """Drop the remembered texts."""
        self._ids.clear()

    def encode(self, element: str | Special) -> list[int]:
        """Return the ids of a text, or of the begin or end token ([] if the tokenizer has none)."""
        if isinstance(element, Special):
            wanted = self.eos_id if element is EOS else self.bos_id
            return [] if wanted is None else [wanted]
        if element and element not in self._ids:
            self.prepare([element])
        return self._ids[element] if element else []

    def decode(self, ids: list[int]) -> str:
        """Return the text of ids, special tokens included."""
        return self._tokenizer.decode(ids)


def load_tokenizer(model: str | Path, spec: TemplateSpec) -> TemplateTokenizer:
    """Load a model's tokenizer from its folder (or, online, by its hub name) and give it the template's special tokens.

    Raises:
        MissingExtra: transformers is not installed.
        UsageError: no tokenizer there; nothing is downloaded for a path that does not exist.
        DataError: the tokenizer files are broken.
    """
    try:
        from transformers import AutoTokenizer
    except ImportError as error:
        raise MissingExtra.of("counting tokens with a model's tokenizer", "probe") from error
    folder = Path(model)
    if folder.is_dir() and not any(path.name.startswith(("tokenizer", "vocab", "spiece")) for path in folder.iterdir()):
        raise UsageError(f"{model}: no tokenizer there", hint="give a model folder with tokenizer files")
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(str(model), trust_remote_code=False)
    except OSError as error:
        raise UsageError(
            f"{model}: no tokenizer there", hint="give a model folder with tokenizer files, or a hub name while online"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{model}: the tokenizer cannot be loaded: {error!s:.200}") from error
    return TemplateTokenizer(tokenizer, spec)


def _fix_special_tokens(tokenizer: Any, spec: TemplateSpec) -> None:
    stop_words = list(spec.stop_words)
    if spec.replace_eos:
        _set_eos(tokenizer, stop_words.pop(0))
    if tokenizer.eos_token_id is None:
        _set_eos(tokenizer, "<|endoftext|>")
    if stop_words:
        tokenizer.add_tokens(stop_words, special_tokens=True)


def _set_eos(tokenizer: Any, token: str) -> None:
    if tokenizer.eos_token != token:
        tokenizer.add_special_tokens({"eos_token": token})
