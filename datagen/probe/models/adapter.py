"""Adapters on disk, in PEFT's format: what PEFT, LLaMA-Factory and vLLM load. Imports torch lazily."""

from pathlib import Path
from typing import TYPE_CHECKING

from datagen.errors import DataError
from datagen.probe.models.backend import Backend, adapter_parameters

if TYPE_CHECKING:
    import torch


def save_adapter(backend: Backend, folder: Path, weights: "list[torch.Tensor] | None" = None) -> None:
    """Write the adapter as it is, or other ``weights`` (in :func:`adapter_parameters`' order), as a PEFT folder."""
    import torch

    if weights is None:
        backend.peft.save_pretrained(folder)
        return
    with torch.no_grad():
        named = adapter_parameters(backend)
        before = [p.clone() for _, p in named]
        for (_, parameter), weight in zip(named, weights, strict=True):
            parameter.copy_(weight)
        backend.peft.save_pretrained(folder)
        for (_, parameter), weight in zip(named, before, strict=True):
            parameter.copy_(weight)


def load_adapter(backend: Backend, folder: Path) -> None:
    """Replace the backend's adapter weights by those in ``folder`` (PEFT format).

    Raises:
        DataError: the folder holds no adapter for this model.
    """
    from peft import set_peft_model_state_dict
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = folder / "adapter_model.safetensors"
    try:
        state = load_file(path)
        result = set_peft_model_state_dict(backend.peft, state)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise DataError(f"{path}: not an adapter for this model: {error}") from error
    if result.unexpected_keys:
        raise DataError(f"{path}: not an adapter for this model: unexpected {result.unexpected_keys[0]}")
