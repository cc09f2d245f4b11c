"""What to generate next: slices of the documents ranked by low coverage x high loss, as quotas a recipe takes.

A slice is a folder of documents, one document, or one section. Its coverage is the share of its passages (sections with text of
their own) that the evidence of at least one training row touches; its loss is that of the last probe's new arm on exam questions
about it, shrunk towards the mean of all questions, since a slice has few. Documents the exam holds out whole are never proposed.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from datagen.exam import Exam
from datagen.jsonl import read_rows
from datagen.probe.store.losses import LossRow, read_losses
from datagen.schemas.document import Document
from datagen.schemas.manifest import Manifest
from datagen.schemas.record import completion_text, prompt_text
from datagen.schemas.sample import Sample
from datagen.text import estimate_tokens
from datagen.workspace import Workspace

By = Literal["folder", "document", "section"]
SLICES: dict[str, By] = {"folder": "folder", "document": "document", "section": "section"}
PRIOR_TOKENS = 200
"""Weight of the overall mean in a slice's loss, in answer tokens: about ten answers."""
SHORTEST_PASSAGE = 12
"""Estimated tokens below which a section (a bare heading) counts as no passage."""
SHOWN_FAILING = 3


@dataclass(frozen=True, slots=True)
class Failing:
    """An exam question the probe model answers worst; ``loss`` in nats per token of the reference answer."""

    question: str
    reference: str
    document: str
    loss: float


@dataclass(frozen=True, slots=True)
class Priority:
    """One slice: how it is covered, how it is learned, and how many rows it should get next.

    ``loss`` and ``base_loss`` are nats per answer token, None without exam questions about it; ``score`` = (1 - coverage) x shrunken loss.
    """

    slice: str
    rows: int
    passages: int
    covered: int
    questions: int
    loss: float | None
    base_loss: float | None
    score: float
    quota: int
    failing: tuple[Failing, ...]

    @property
    def coverage(self) -> float:
        return self.covered / self.passages if self.passages else 1.0


def priorities(
    documents: Sequence[Document],
    train: Sequence[Sample],
    exam: Sequence[Sample],
    losses: Sequence[LossRow],
    *,
    rows: int,
    by: By = "folder",
) -> list[Priority]:
    """Rank slices, most urgent first, and share ``rows`` new rows out over them.

    Pure and deterministic. A slice's share is proportional to its score times its uncovered passages (all its passages once everything
    is covered); rounding gives the remainder to the largest fractions.
    """
    held_out = {s.provenance.document for s in exam if s.tags.get("eval_set") == "unseen"}
    open_documents = [d for d in documents if d.path not in held_out]
    passages = _passages(open_documents, train, by)
    counts: dict[str, int] = defaultdict(int)
    for sample in train:
        counts[_slice(sample.provenance.document, sample.provenance.heading_path, by)] += 1
    asked = {s.id: s for s in exam if s.tags.get("eval_set") in ("recall", "gold") and s.provenance.document not in held_out}
    new, base = _losses(losses, "new"), _losses(losses, "base")
    by_slice: dict[str, list[str]] = defaultdict(list)
    for sample in asked.values():
        if sample.id in new:
            by_slice[_slice(sample.provenance.document, sample.provenance.heading_path, by)].append(sample.id)
    total_nll, total_tokens = (sum(new[i][k] for ids in by_slice.values() for i in ids) for k in (0, 1))
    mean = total_nll / total_tokens if total_tokens else 1.0
    ranked: list[Priority] = []
    for name, (n_passages, n_covered) in passages.items():
        ids = by_slice.get(name, [])
        nll, tokens = sum(new[i][0] for i in ids), sum(new[i][1] for i in ids)
        shrunken = (nll + mean * PRIOR_TOKENS) / (tokens + PRIOR_TOKENS)
        worst = sorted(ids, key=lambda i: (-new[i][0] / new[i][1], i))[:SHOWN_FAILING]
        known = [i for i in ids if i in base]
        ranked.append(
            Priority(
                slice=name,
                rows=counts[name],
                passages=n_passages,
                covered=n_covered,
                questions=len(ids),
                loss=nll / tokens if tokens else None,
                base_loss=sum(base[i][0] for i in known) / sum(base[i][1] for i in known) if known else None,
                score=(1 - n_covered / n_passages) * shrunken,
                quota=0,
                failing=tuple(_failing(asked[i], new[i][0] / new[i][1]) for i in worst),
            )
        )
    ranked.sort(key=lambda p: (-p.score, p.slice))
    return _share(ranked, rows)


def coverage(documents: Sequence[Document], train: Sequence[Sample], held_out: Collection[str]) -> float | None:
    """Return the share of passages of documents not held out that a training row's evidence touches; None without passages."""
    found = _passages([d for d in documents if d.path not in held_out], train, "document").values()
    passages = sum(n for n, _ in found)
    return sum(covered for _, covered in found) / passages if passages else None


def read_priorities(workspace: Workspace, manifest: Manifest, *, rows: int, by: By = "folder") -> list[Priority]:
    """Rank the slices of a finished iteration from its files.

    Raises:
        UsageError: the iteration's probe losses are gone.
    """
    folder = workspace.iteration(manifest.number)
    return priorities(
        [Document.model_validate(r.value) for r in read_rows(folder / "01-ingest" / "kept.jsonl")],
        [Sample.model_validate(r.value) for r in read_rows(folder / "train.jsonl")],
        Exam.load(workspace.split, workspace.exam).samples,
        read_losses(folder / "probe" / "losses.parquet"),
        rows=rows,
        by=by,
    )


def quotas(ranked: Sequence[Priority]) -> dict[str, int]:
    """Return the quotas of a ranking as ``generate.quotas`` takes them (sections are no folder or document, so they give none)."""
    return {p.slice: p.quota for p in ranked if p.quota and " § " not in p.slice}


def _share(ranked: Sequence[Priority], rows: int) -> list[Priority]:
    weights = [p.score * (p.passages - p.covered) for p in ranked]
    if not any(weights):
        weights = [float(p.passages) for p in ranked]
    total = sum(weights) or 1.0
    exact = [rows * w / total for w in weights]
    whole = [int(x) for x in exact]
    by_fraction = sorted(range(len(exact)), key=lambda i: (whole[i] - exact[i], i))
    for i in by_fraction[: rows - sum(whole)]:
        whole[i] += 1
    return [
        Priority(p.slice, p.rows, p.passages, p.covered, p.questions, p.loss, p.base_loss, p.score, quota, p.failing)
        for p, quota in zip(ranked, whole, strict=True)
    ]


def _passages(documents: Sequence[Document], train: Sequence[Sample], by: By) -> dict[str, tuple[int, int]]:
    spans: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for sample in train:
        for span in sample.provenance.evidence:
            spans[span.document].append((span.start, span.end))
    found: dict[str, tuple[int, int]] = {}
    for document in documents:
        for section in document.sections:
            if estimate_tokens(document.text[section.start : section.end]) < SHORTEST_PASSAGE:
                continue
            name = _slice(document.path, section.heading_path, by)
            touched = any(start < section.end and section.start < end for start, end in spans[document.path])
            n, covered = found.get(name, (0, 0))
            found[name] = (n + 1, covered + touched)
    return found


def _slice(document: str, heading_path: Sequence[str], by: By) -> str:
    if by == "folder":
        return str(PurePosixPath(document).parent)
    return document if by == "document" else f"{document} § {' / '.join(heading_path)}"


def _losses(losses: Sequence[LossRow], arm: str) -> Mapping[str, tuple[float, int]]:
    """Return each question's (nats, tokens) at the end of training, summed over seeds."""
    found: dict[str, tuple[float, int]] = {}
    for row in losses:
        if row.arm == arm and row.final and row.n_tokens:
            nll, tokens = found.get(row.example_id, (0.0, 0))
            found[row.example_id] = (nll + row.nll, tokens + row.n_tokens)
    return found


def _failing(sample: Sample, loss: float) -> Failing:
    return Failing(prompt_text(sample.record), completion_text(sample.record), sample.provenance.document, loss)
