"""A run's state on disk, from which it goes on as if it had never stopped. Imports torch at the top: import it lazily.

The file is written beside its place and renamed, and read without unpickling code (``weights_only``). It lies in the run's own folder, so
it always belongs to the same model, rows, settings and seed.
"""

import pickle
from pathlib import Path
from typing import Any

import torch

from datagen.errors import DataError
from datagen.probe.store.runs import CHECKPOINT as NAME


def save_checkpoint(folder: Path, state: dict[str, Any]) -> None:
    """Write the state (tensors, numbers, strings, lists, dicts) atomically."""
    temporary = folder / f".{NAME}.tmp"
    torch.save(state, temporary)
    temporary.replace(folder / NAME)


def load_checkpoint(folder: Path | None) -> dict[str, Any] | None:
    """Return the stored state, or None if there is none.

    Raises:
        DataError: the file is damaged.
    """
    if folder is None or not (folder / NAME).is_file():
        return None
    try:
        return torch.load(folder / NAME, weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, IndexError) as error:
        raise DataError(f"{folder / NAME}: a damaged checkpoint: {error}", hint="delete this file: the run starts again") from error
