"""Where a stage's outcome lies on disk, and when it may be used again.

``NN-<kind>/kept.jsonl``, ``dropped.jsonl`` and, written last, ``stats.json`` with the fingerprint of everything the stage
depends on. A stage is taken from disk only if that fingerprint matches; a stage killed half-way has no ``stats.json``.
"""

import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from datagen.hashing import fingerprint, sha256_hex
from datagen.jsonl import JsonObject, read_json, read_rows, write_json, write_jsonl
from datagen.schemas.sample import Sample
from datagen.schemas.stage import Dropped, StageResult

PACKAGE = Path(__file__).resolve().parent.parent


class StageStore:
    """The stages of one iteration folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, position: int, kind: str) -> Path:
        return self.folder / f"{position:02d}-{kind}"

    def stats(self, position: int, kind: str, key: str) -> JsonObject | None:
        """Return a finished stage's stats if it was made from the same inputs, else None."""
        path = self.path(position, kind) / "stats.json"
        if not path.exists():
            return None
        stats: JsonObject = read_json(path)
        return stats if stats.get("fingerprint") == key else None

    def finish(
        self, position: int, kind: str, key: str, *, kept: list[JsonObject], dropped: list[JsonObject], stats: JsonObject
    ) -> JsonObject:
        """Write a stage's outcome, ``stats.json`` last."""
        folder = self.path(position, kind)
        write_jsonl(folder / "kept.jsonl", kept)
        write_jsonl(folder / "dropped.jsonl", dropped)
        full: JsonObject = {**stats, "kept": len(kept), "dropped": len(dropped), "fingerprint": key}
        write_json(folder / "stats.json", full)
        return full

    def samples(self, position: int, kind: str, key: str, run: Callable[[], StageResult], *, entered: int | None) -> StageResult:
        """Return a stage's result from disk if its fingerprint matches, else run it and store it.

        Asserts that every sample that entered (or was generated) is kept or dropped.
        """
        if (stats := self.stats(position, kind, key)) is not None:
            return self.load(position, kind, stats)
        begun = time.monotonic()
        result = run()
        if entered is not None:
            assert entered == len(result.kept) + len(result.dropped), (kind, entered, len(result.kept), len(result.dropped))
        total = len(result.kept) + len(result.dropped)
        figures: JsonObject = {**result.stats, "entered": total, "reasons": result.reasons(), "seconds": round(time.monotonic() - begun, 3)}
        stats = self.finish(
            position, kind, key, kept=[s.to_json() for s in result.kept], dropped=[d.to_json() for d in result.dropped], stats=figures
        )
        return StageResult(result.kept, result.dropped, stats)

    def load(self, position: int, kind: str, stats: dict[str, Any]) -> StageResult:
        """Read a finished stage back."""
        folder = self.path(position, kind)
        kept = [Sample.model_validate(row.value) for row in read_rows(folder / "kept.jsonl")]
        dropped = [
            Dropped(Sample.model_validate(row.value["sample"]), str(row.value["reason"]), str(row.value["detail"]))
            for row in read_rows(folder / "dropped.jsonl")
        ]
        return StageResult(kept, dropped, stats)


@cache
def code_fingerprint(*parts: str) -> str:
    """Return the sha256 over the source of the named modules and packages of datagen (``ingest``, ``text.py``)."""
    files = [f for part in parts for f in (sorted((PACKAGE / part).rglob("*.py")) if (PACKAGE / part).is_dir() else [PACKAGE / part])]
    return fingerprint([[str(f.relative_to(PACKAGE)), sha256_hex(f.read_bytes())] for f in files])
