"""Putting a stored PEFT adapter's weights back into a loaded backend. Imports torch lazily."""

from pathlib import Path

from datagen.errors import DataError
from datagen.probe.models.backend import Backend


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
