"""What an iteration's rows cover: documents ranked by what is missing, and the passages that no row touches."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from datagen.exam import Exam
from datagen.jsonl import read_rows
from datagen.pipeline.priorities import SHORTEST_PASSAGE, Priority, priorities
from datagen.probe.store.losses import read_losses
from datagen.schemas.document import Document
from datagen.text import estimate_tokens
from datagen.ui.data.samples import read_samples
from datagen.workspace import Workspace

DEFAULT_ROWS = 20
"""Rows shared out over the documents as the quotas that are offered."""
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Coverage:
    """Documents by urgency, those held out for the exam, and per document the character spans that rows quote."""

    ranked: tuple[Priority, ...]
    held_out: frozenset[str]
    spans: dict[str, tuple[Span, ...]]


def read_documents(workspace: Workspace, number: int) -> dict[str, Document]:
    """Return an iteration's ingested documents by path, without following any path on disk."""
    path = workspace.iteration(number) / "01-ingest" / "kept.jsonl"
    if not path.is_file():
        return {}
    return {d.path: d for d in (Document.model_validate(r.value) for r in read_rows(path))}


def read_coverage(workspace: Workspace, number: int) -> Coverage:
    """Read an iteration's rows, documents, exam and losses, and say what is covered; five seconds for 100,000 rows.

    Raises:
        DataError: one of the files is broken.
    """
    train = read_samples(workspace.iteration(number) / "train.jsonl")
    exam = list(Exam.load(workspace.split, workspace.exam).samples) if workspace.split.exists() else []
    losses = workspace.iteration(number) / "probe" / "losses.parquet"
    rows = read_losses(losses) if losses.is_file() else []
    documents = list(read_documents(workspace, number).values())
    spans: dict[str, set[Span]] = defaultdict(set)
    for sample in train:
        for span in sample.provenance.evidence:
            spans[span.document].add((span.start, span.end))
    return Coverage(
        ranked=tuple(priorities(documents, train, exam, rows, rows=DEFAULT_ROWS, by="document")),
        held_out=frozenset(s.provenance.document for s in exam if s.tags.get("eval_set") == "unseen"),
        spans={path: tuple(sorted(found)) for path, found in spans.items()},
    )


def uncovered(document: Document, spans: Sequence[Span]) -> list[Span]:
    """Return the passages (sections with text of their own) that none of the document's quoted spans touches."""
    return [
        (section.start, section.end)
        for section in document.sections
        if estimate_tokens(document.text[section.start : section.end]) >= SHORTEST_PASSAGE
        and not any(start < section.end and section.start < end for start, end in spans)
    ]
