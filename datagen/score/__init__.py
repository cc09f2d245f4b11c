"""Scoring and audit: what is in a dataset, what is wrong with which row, what is missing. Nothing here trains or changes data."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datagen.score.api import audit
    from datagen.score.result import AuditResult

_HOMES = {"AuditResult": "result", "audit": "api"}
__all__ = ["AuditResult", "audit"]


def __getattr__(name: str) -> Any:
    # polars and numpy load only when something is audited.
    if name not in _HOMES:
        raise AttributeError(f"module 'datagen.score' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(f"datagen.score.{_HOMES[name]}"), name)
