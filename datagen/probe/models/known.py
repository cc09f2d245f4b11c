"""Which model a probe trains: a name or a path becomes a folder with weights, a licence and a content hash.

Nothing here is loaded into memory: :func:`resolve_model` is cheap, :meth:`ModelSource.prepare` may convert once.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from datagen.errors import UsageError, suggest
from datagen.hashing import fingerprint
from datagen.probe.models.catalogue import EMBEDDED, Dtype, Embedded

_WHOLE_FILE = 1 << 30
"""Files up to this many bytes are hashed whole; of larger ones size, first and last MiB."""


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
        return ModelSource(spec, known.licence, known.gguf_sha256, embedded=known)
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
