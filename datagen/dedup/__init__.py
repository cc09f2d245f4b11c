"""Exact and near duplicates within a set, and leakage between two. Chinese and English alike."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datagen.dedup.api import DedupResult, deduplicate, deduplicate_samples

__all__ = ["DedupResult", "deduplicate", "deduplicate_samples"]


def __getattr__(name: str) -> Any:
    # numpy loads only when something is deduplicated.
    if name not in __all__:
        raise AttributeError(f"module 'datagen.dedup' has no attribute '{name}'")
    from datagen.dedup import api

    return getattr(api, name)
