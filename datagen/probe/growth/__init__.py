"""Growing a dataset: how much more, of what, trained how, or not trained at all. Each of these trains many small runs and keeps them.

    learning_curve   nested subsets; the gain expected from doubling, with a band; stop or go on
    measure_slices   random halves of the slices; which rows earn their place
    lora_sweep       rank and target modules
    retrieval_probe  base, base + retrieved passages, tuned, tuned + retrieved

Importing this package loads neither torch nor numpy.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datagen.probe.growth.curve import learning_curve
    from datagen.probe.growth.retrieval import retrieval_probe
    from datagen.probe.growth.slices import measure_slices
    from datagen.probe.growth.sweep import lora_sweep

__all__ = ["learning_curve", "lora_sweep", "measure_slices", "retrieval_probe"]

_HOMES = {"learning_curve": "curve", "lora_sweep": "sweep", "measure_slices": "slices", "retrieval_probe": "retrieval"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
