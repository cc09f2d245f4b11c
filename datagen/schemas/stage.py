"""What a pipeline stage returns: every sample that entered is either kept or dropped with a reason."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from datagen.jsonl import JsonObject
from datagen.schemas.sample import Sample


@dataclass(frozen=True, slots=True)
class Dropped:
    """A sample that was taken out. ``reason`` is a stable snake_case name of the defect (``near_duplicate``)."""

    sample: Sample
    reason: str
    detail: str = ""

    def to_json(self) -> JsonObject:
        return {"reason": self.reason, "detail": self.detail, "sample": self.sample.to_json()}


@dataclass(frozen=True, slots=True)
class StageResult:
    """Outcome of a stage, in input order. ``stats`` is JSON: counts and figures worth showing."""

    kept: Sequence[Sample]
    dropped: Sequence[Dropped] = ()
    stats: dict[str, Any] = field(default_factory=dict[str, Any])

    def reasons(self) -> dict[str, int]:
        """Return how many samples were dropped for each reason, most frequent first."""
        return dict(Counter(d.reason for d in self.dropped).most_common())
