"""Exact and near duplicates within a set, and leakage between two. Chinese and English alike."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datagen.dedup.api import DedupResult, deduplicate, deduplicate_samples
    from datagen.dedup.leakage import Leak, find_leaks

_HOMES = {
    "DedupResult": "api",
    "Leak": "leakage",
    "deduplicate": "api",
    "deduplicate_samples": "api",
    "find_leaks": "leakage",
}
__all__ = ["DedupResult", "Leak", "deduplicate", "deduplicate_samples", "find_leaks"]


def __getattr__(name: str) -> Any:
    # numpy and numba load only when something is compared.
    if name not in _HOMES:
        raise AttributeError(f"module 'datagen.dedup' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(f"datagen.dedup.{_HOMES[name]}"), name)
