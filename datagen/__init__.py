"""datagen: from a folder of documents to a fine-tuning dataset whose worth is measured.

The names below are the public Python API; each mirrors a command, returns a typed result, never prints, and raises
:mod:`datagen.errors`. They load on first use, so that ``import datagen`` stays light.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datagen.dedup import deduplicate
    from datagen.export.dataset import export_dataset
    from datagen.export.llamafactory import check_data_dir, list_registered, register, repair, unregister, validate
    from datagen.pipeline.run import run
    from datagen.probe import run_probe as probe
    from datagen.schemas.detect import read_samples as load_samples
    from datagen.score import audit
    from datagen.split import split_samples as split

__all__ = [
    "audit",
    "check_data_dir",
    "deduplicate",
    "export_dataset",
    "list_registered",
    "load_samples",
    "probe",
    "register",
    "repair",
    "run",
    "split",
    "unregister",
    "validate",
]

_HOMES = {
    "audit": ("datagen.score", "audit"),
    "check_data_dir": ("datagen.export.llamafactory", "check_data_dir"),
    "deduplicate": ("datagen.dedup", "deduplicate"),
    "export_dataset": ("datagen.export.dataset", "export_dataset"),
    "list_registered": ("datagen.export.llamafactory", "list_registered"),
    "load_samples": ("datagen.schemas.detect", "read_samples"),
    "probe": ("datagen.probe", "run_probe"),
    "register": ("datagen.export.llamafactory", "register"),
    "repair": ("datagen.export.llamafactory", "repair"),
    "run": ("datagen.pipeline.run", "run"),
    "split": ("datagen.split", "split_samples"),
    "unregister": ("datagen.export.llamafactory", "unregister"),
    "validate": ("datagen.export.llamafactory", "validate"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'datagen' has no attribute '{name}'")
    module, attribute = _HOMES[name]
    return getattr(importlib.import_module(module), attribute)


def __dir__() -> list[str]:
    return __all__
