"""Everything the page shows, gathered from an iteration's files."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datagen.hashing import sha256_hex
from datagen.jsonl import read_json, read_rows
from datagen.schemas.manifest import Manifest
from datagen.schemas.record import completion_text, prompt_text
from datagen.schemas.sample import Sample
from datagen.text import estimate_tokens
from datagen.workspace import Workspace

SHOWN_ROWS = 12
SHOWN_PER_REASON = 3


@dataclass(frozen=True, slots=True)
class ShownRow:
    """A row as the page shows it; ``reason`` is empty for a kept row."""

    question: str
    answer: str
    document: str
    evidence: str
    stage: str = ""
    reason: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ReportData:
    """Contents of one report page. Lengths are estimated tokens; topics are documents with their numbers of rows."""

    manifest: Manifest
    ledger: list[Manifest]
    prompt_lengths: list[int]
    answer_lengths: list[int]
    topics: list[tuple[str, int]]
    question_types: list[tuple[str, int]]
    languages: list[tuple[str, int]]
    kept: list[ShownRow]
    dropped: list[ShownRow]
    probe: dict[str, Any] | None


def gather(workspace: Workspace, manifest: Manifest, ledger: list[Manifest]) -> ReportData:
    """Read an iteration's stage files and probe result; the rows shown are a fixed pseudo-random choice."""
    folder = workspace.iteration(manifest.number)
    rows = [Sample.model_validate(r.value) for r in read_rows(folder / "train.jsonl")]
    chosen = sorted(rows, key=lambda s: sha256_hex(f"shown:{s.id}"))[:SHOWN_ROWS]
    result = folder / "probe" / "result.json"
    return ReportData(
        manifest=manifest,
        ledger=ledger,
        prompt_lengths=[estimate_tokens(prompt_text(s.record)) for s in rows],
        answer_lengths=[estimate_tokens(completion_text(s.record)) for s in rows],
        topics=Counter(s.provenance.document for s in rows).most_common(),
        question_types=Counter(s.tags.get("question_type", "other") for s in rows).most_common(),
        languages=Counter(s.tags.get("language", "?") for s in rows).most_common(),
        kept=[_shown(s) for s in chosen],
        dropped=_dropped(folder),
        probe=read_json(result) if result.exists() else None,
    )


def _dropped(folder: Path) -> list[ShownRow]:
    shown: list[ShownRow] = []
    seen: Counter[tuple[str, str]] = Counter()
    for path in sorted(folder.glob("[0-9][0-9]-*/dropped.jsonl")):
        stage = path.parent.name[3:]
        for _, row in read_rows(path):
            reason = str(row["reason"])
            if seen[stage, reason] >= SHOWN_PER_REASON:
                continue
            seen[stage, reason] += 1
            if "sample" in row:
                shown.append(_shown(Sample.model_validate(row["sample"]), stage, reason, str(row["detail"])))
            else:
                shown.append(ShownRow("", "", str(row["path"]), "", stage, reason, str(row.get("detail", ""))))
    return shown


def _shown(sample: Sample, stage: str = "", reason: str = "", detail: str = "") -> ShownRow:
    evidence = " … ".join(span.quote for span in sample.provenance.evidence)
    return ShownRow(prompt_text(sample.record), completion_text(sample.record), sample.provenance.document, evidence, stage, reason, detail)
