"""The exam: evaluation questions, written first and frozen, and what keeps training rows apart from them.

Two parts. ``unseen``: documents held out whole, with everything that overlaps them. ``recall``: other questions about documents that
*are* trained on; facts are shared on purpose, text is not: a training row may teach the same price, but not in a near-duplicate question,
nor in a near-duplicate answer of 13 units or more (a two-word fact cannot be said differently, so equal short answers are allowed).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from datagen.dedup.clusters import Clusters
from datagen.dedup.leakage import SHORT_ANSWER, LeakIndex, SampleLeakIndex
from datagen.dedup.leakage.rare import find_rare_sample_overlaps
from datagen.dedup.overlap import OverlapIndex
from datagen.dedup.shingle import shingle
from datagen.errors import DataError, UsageError
from datagen.hashing import merkle_root, unit_interval
from datagen.jsonl import JsonObject, read_json, read_rows, write_json, write_jsonl
from datagen.schemas.document import Document
from datagen.schemas.sample import Sample
from datagen.schemas.stage import Dropped, StageResult
from datagen.text import units

DOCUMENT_OVERLAP = 0.2


def choose_unseen_documents(documents: Sequence[Document], *, ratio: float, salt: str) -> frozenset[str]:
    """Choose about ``ratio`` of the documents to hold out whole, by stable hash, in each language.

    Documents that share a fifth or more of either's 8-gram shingles are one group and are held out together or not at all. A language
    with three groups or more gives at least one; each keeps at least one for training. Deterministic in paths, texts and salt.
    """
    shingles = [shingle(d.text, 8) for d in documents]
    index = OverlapIndex(shingles)
    clusters = Clusters(len(documents))
    for i, grams in enumerate(shingles):
        rows, common, sizes = index.overlaps(grams)
        for j in rows[common >= DOCUMENT_OVERLAP * np.minimum(sizes, len(grams))].tolist():
            clusters.union(i, j)
    groups: dict[int, list[int]] = {}
    for i in range(len(documents)):
        groups.setdefault(clusters.find(i), []).append(i)
    chosen: set[str] = set()
    for language in ("zh", "en"):
        own = [members for first, members in groups.items() if documents[first].language == language]
        own.sort(key=lambda members: unit_interval(f"{salt}:{documents[members[0]].path}"))
        # With few documents a small ratio rounds to none: one of three or more is held out all the same.
        wanted = max(round(ratio * sum(len(members) for members in own)), 1 if ratio > 0 and len(own) > 2 else 0)
        taken = 0
        for members in own[:-1]:
            if taken >= wanted:
                break
            # A large group may not swallow the training set.
            if len(members) <= max(2 * (wanted - taken), 1):
                chosen.update(documents[i].path for i in members)
                taken += len(members)
    return frozenset(chosen)


@dataclass(frozen=True)
class Exam:
    """Frozen evaluation samples, each tagged ``eval_set`` (recall, unseen, vault or gold)."""

    samples: tuple[Sample, ...]
    _rows: SampleLeakIndex = field(init=False, repr=False, compare=False)
    _evidence: tuple[LeakIndex, list[Sample]] = field(init=False, repr=False, compare=False)
    _held_out: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        evidence = [(s, span.quote) for s in self.samples if s.tags.get("eval_set") == "unseen" for span in s.provenance.evidence]
        object.__setattr__(self, "_rows", SampleLeakIndex(self.samples))
        object.__setattr__(self, "_evidence", (LeakIndex([quote for _, quote in evidence]), [s for s, _ in evidence]))
        held_out = frozenset(s.provenance.document for s in self.samples if s.tags.get("eval_set") == "unseen")
        object.__setattr__(self, "_held_out", held_out)

    def refuse(self, sample: Sample) -> tuple[str, str] | None:
        """Return (reason, detail) if a training row leaks into the exam by its own text, else None; see :meth:`quarantine` for the rest.

        Reasons: ``from_unseen_document``, ``leaks_into_unseen``, ``leaks_into_recall``, ``leaks_into_vault``, ``leaks_into_gold``.
        """
        if sample.provenance.document and sample.provenance.document in self._held_out:
            return "from_unseen_document", sample.provenance.document
        hit = self._rows.find(sample)
        if hit is not None:
            return self._verdict(hit.part, hit.rule, hit.row, hit.score)
        index, owners = self._evidence
        for span in sample.provenance.evidence:
            leak = index.find(span.quote) if len(units(span.quote)) >= SHORT_ANSWER else None
            if leak is not None:
                return "leaks_into_unseen", f"evidence: {leak[1]} of {owners[leak[0]].id[:12]}, {leak[2]:.2f}"
        return None

    def quarantine(self, samples: Sequence[Sample]) -> StageResult:
        """Take every training row that leaks into the exam out, with its reason, so that what is kept passes
        :func:`datagen.dedup.leakage.refusal.refuse_leaks`."""
        verdicts = self.refuse_all(samples)
        kept = [s for s, verdict in zip(samples, verdicts, strict=True) if verdict is None]
        dropped = [Dropped(s, *verdict) for s, verdict in zip(samples, verdicts, strict=True) if verdict is not None]
        return StageResult(kept, dropped, {"exam": len(self.samples)})

    def refuse_all(self, samples: Sequence[Sample]) -> list[tuple[str, str] | None]:
        """Return, per training row, what :meth:`refuse` does, or that it shares a passage that is rare among the rows that stay, and not
        only a template (:mod:`datagen.dedup.leakage.templates`)."""
        rows = self._rows
        verdicts = [self.refuse(sample) for sample in samples]
        templates: dict[int, set[int]] = {}
        while True:
            # Where rows of one template go, what they shared becomes rare in those that stay.
            staying = [i for i, verdict in enumerate(verdicts) if verdict is None]
            shared = find_rare_sample_overlaps([samples[i] for i in staying], self.samples)
            for i in {staying[leak.train_row] for leak in shared} - templates.keys():
                templates[i] = {hit.row for hit in rows.both(samples[i])[1]}
            leaks = [leak for leak in shared if leak.eval_row not in templates[staying[leak.train_row]]]
            if not leaks:
                return verdicts
            for leak in leaks:
                verdicts[staying[leak.train_row]] = self._verdict("passage", leak.rule, leak.eval_row, leak.score)

    def _verdict(self, part: str, rule: str, row: int, score: float) -> tuple[str, str]:
        hit = self.samples[row]
        return f"leaks_into_{hit.tags.get('eval_set', 'eval')}", f"{part}: {rule} of {hit.id[:12]}, {score:.2f}"

    def freeze(self, split_json: Path, exam_jsonl: Path, *, salt: str, ratios: Mapping[str, float]) -> None:
        """Write the exam's samples, then its ids and Merkle root. The same exam may be frozen again; another may not.

        Raises:
            UsageError: a different exam is frozen there already.
        """
        ids: dict[str, list[str]] = {}
        for sample in self.samples:
            ids.setdefault(sample.tags.get("eval_set", "eval"), []).append(sample.id)
        root = merkle_root(s.id for s in self.samples)
        if split_json.exists():
            if read_json(split_json).get("merkle_root") == root:
                return
            raise UsageError(
                f"{split_json}: another exam is frozen there", hint="the exam never changes; use another workspace for another exam"
            )
        write_jsonl(exam_jsonl, (s.to_json() for s in self.samples))
        frozen: JsonObject = {"version": 1, "salt": salt, "ratios": dict(ratios), "ids": ids, "merkle_root": root}
        write_json(split_json, frozen)

    @classmethod
    def load(cls, split_json: Path, exam_jsonl: Path) -> "Exam":
        """Read a frozen exam and check it against its Merkle root.

        Raises:
            UsageError: ``split_json`` is not there.
            DataError: ``exam_jsonl`` is missing, or one of them was changed since the exam was frozen.
        """
        frozen: Any = read_json(split_json)
        ids: Any = frozen.get("ids") if isinstance(frozen, dict) else None
        if not isinstance(ids, dict) or not all(isinstance(named, list) for named in ids.values()):
            raise DataError(f"{split_json}: not a frozen exam: 'ids' is missing", hint="restore it from a backup, or start a new workspace")
        if not exam_jsonl.exists():
            raise DataError(
                f"{exam_jsonl} is missing, but {split_json} names its questions", hint="restore it from a backup, or start a new workspace"
            )
        samples = tuple(_read_sample(exam_jsonl, line, row) for line, row in read_rows(exam_jsonl))
        # The root covers ids; a row moved to another part has another tag but the same id.
        parts = sorted((s.tags.get("eval_set", "eval"), s.id) for s in samples)
        listed = sorted((str(part), str(i)) for part, named in ids.items() for i in named)
        if merkle_root(s.id for s in samples) != frozen.get("merkle_root") or parts != listed:
            raise DataError(
                f"{exam_jsonl}: the exam was changed since it was frozen in {split_json}", hint="restore it, or start a new workspace"
            )
        return cls(samples)


def _read_sample(path: Path, line: int, row: JsonObject) -> Sample:
    try:
        sample = Sample.model_validate(row)
    except ValidationError as error:
        raise DataError(
            f"{path}:{line}: not a sample: {error.errors()[0]['msg']}", hint="restore the file from a backup, or start a new workspace"
        ) from error
    # The id is recomputed: an edited text with its old id must not pass.
    if Sample.of(sample.record).id != sample.id:
        raise DataError(f"{path}:{line}: the question was changed since the exam was frozen", hint="restore it, or start a new workspace")
    return sample
