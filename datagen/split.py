"""Split a dataset into train, eval and vault by document and by cluster of near-duplicate questions, without leakage.

Every choice is in the order of a stable hash, whatever the order of the rows; a frozen evaluation row stays one for ever.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from datagen.dedup import deduplicate
from datagen.errors import UsageError
from datagen.exam import Exam
from datagen.facade import make_callable
from datagen.hashing import unit_interval
from datagen.schemas.record import completion_text, prompt_text
from datagen.schemas.sample import Sample
from datagen.schemas.stage import Dropped
from datagen.text import fold

NEAR_QUESTION = 0.5
Place = Literal["train", "recall", "unseen", "vault"]


@dataclass(frozen=True, slots=True)
class Split:
    """A partition of the rows given, each part in input order; ``recall``, ``unseen`` and ``vault`` rows are tagged ``eval_set``.

    ``recall``: other questions about documents that are trained on. ``unseen``: documents held out whole. ``vault``: for the last
    look. ``quarantined``: rows in no set, because they leak into the evaluation rows.
    """

    train: tuple[Sample, ...]
    recall: tuple[Sample, ...]
    unseen: tuple[Sample, ...]
    vault: tuple[Sample, ...]
    quarantined: tuple[Dropped, ...]

    @property
    def evaluation(self) -> tuple[Sample, ...]:
        """The rows of eval.jsonl: recall, then unseen."""
        return (*self.recall, *self.unseen)


def split_samples(
    samples: Sequence[Sample],
    *,
    eval_ratio: float = 0.1,
    vault_ratio: float = 0.05,
    salt: str = "datagen",
    frozen: Mapping[str, Place] | None = None,
) -> Split:
    """Split rows: about ``eval_ratio`` to eval, ``vault_ratio`` to the vault, the rest to train, less what leaks.

    Half of eval are documents held out whole (``unseen``), as far as provenance names documents, half are clusters of near-duplicate
    questions (``recall``, Jaccard of 5-gram shingles >= 0.5); without documents all of it is recall. Near-duplicate questions and rows with
    the same text are never on two sides. Deterministic in the rows and the salt.

    Args:
        samples: rows; a repeated id counts once per row and goes where the first goes.
        eval_ratio: share of rows in [0, 1).
        vault_ratio: share of rows in [0, 1); with ``eval_ratio`` below 1 together.
        salt: another salt gives another, equally good, split.
        frozen: id -> place of an earlier split: the evaluation rows are exactly those, whatever the ratios, so that figures taken before
            and after stay comparable. New rows are for training, but for those near a frozen evaluation row or about a document held out
            whole, which are quarantined.

    Raises:
        UsageError: ratios outside their range.
    """
    if not (0 <= eval_ratio < 1 and 0 <= vault_ratio < 1 and eval_ratio + vault_ratio < 1):
        raise UsageError(f"ratios must be in [0, 1) and below 1 together, got eval {eval_ratio}, vault {vault_ratio}")
    places = _places(samples, eval_ratio, vault_ratio, salt, dict(frozen or {}))
    chosen = {
        name: tuple(s.tagged(eval_set=name) for s, place in zip(samples, places, strict=True) if place == name)
        for name in ("recall", "unseen", "vault")
    }
    exam = Exam((*chosen["recall"], *chosen["unseen"], *chosen["vault"]))
    joining = iter(exam.refuse_all([s for s, place in zip(samples, places, strict=True) if place == "train"]))
    train: list[Sample] = []
    quarantined: list[Dropped] = []
    for sample, place in zip(samples, places, strict=True):
        if place in ("train", None):
            leak = next(joining) if place else exam.refuse(sample) or ("near_duplicate_of_eval", "by way of another question")
            if leak:
                quarantined.append(Dropped(sample, *leak))
            else:
                train.append(sample)
    return Split(tuple(train), chosen["recall"], chosen["unseen"], chosen["vault"], tuple(quarantined))


def question_clusters(samples: Sequence[Sample]) -> list[list[int]]:
    """Group rows by near-duplicate question; every row is in one group, groups by first row. Rows without a question go by their text."""
    texts = [prompt_text(s.record) or completion_text(s.record) for s in samples]
    first = list(range(len(samples)))
    for members in deduplicate(texts, threshold=NEAR_QUESTION).clusters:
        for i in members:
            first[i] = members[0]
    groups: dict[int, list[int]] = {}
    for i in range(len(samples)):
        groups.setdefault(first[i], []).append(i)
    return list(groups.values())


def _places(samples: Sequence[Sample], eval_ratio: float, vault_ratio: float, salt: str, frozen: dict[str, Place]) -> list[Place | None]:
    """Say where each row goes; None: nowhere, since its cluster holds evaluation rows that it may not join."""
    places: list[Place | None] = [frozen.get(s.id) for s in samples]
    documents: dict[str, list[int]] = {}
    for i, sample in enumerate(samples):
        documents.setdefault(sample.provenance.document, []).append(i)
    unnamed = len(documents.pop("", []))
    held_out = {d for d, rows in documents.items() if any(places[i] == "unseen" for i in rows)}
    free = {d: rows for d, rows in documents.items() if d not in held_out and not any(places[i] for i in rows)}
    # At least one document stays for training.
    least = 1 if len(free) == len(documents) and not unnamed else 0
    wanted = round(len(samples) * eval_ratio / 2) if documents else 0
    if not frozen:
        held_out |= _draw(free, wanted, f"{salt}:document", leave=least)
    clusters: dict[str, list[int]] = {}
    for members in question_clusters(samples):
        inside = [i for i in members if samples[i].provenance.document in held_out]
        taken = {places[i] for i in members} - {None}
        if inside or taken:
            evaluated = bool(inside) or taken != {"train"}
            for i in members:
                if places[i] is None:
                    may_join = not frozen and i in inside and "train" not in taken
                    places[i] = "unseen" if may_join else None if evaluated else "train"
        else:
            # A repeated question is in the same cluster, so the smallest one names it alone, in whatever order the rows come.
            clusters[min(f"{fold(prompt_text(samples[i].record))}:{samples[i].id}" for i in members)] = members
    vault = set() if frozen else _draw(clusters, round(len(samples) * vault_ratio), f"{salt}:vault")
    open_ = {key: members for key, members in clusters.items() if key not in vault}
    recall = set() if frozen else _draw(open_, round(len(samples) * eval_ratio) - wanted, f"{salt}:recall", leave=1)
    for key, members in clusters.items():
        for i in members:
            places[i] = "vault" if key in vault else "recall" if key in recall else "train"
    return places


def _draw(groups: Mapping[str, Sequence[int]], wanted: int, salt: str, *, leave: int = 0) -> set[str]:
    """Draw whole groups in the order of their hash until ``wanted`` rows are reached; one that would go far over is passed by."""
    drawn: set[str] = set()
    rows = 0
    order = sorted(groups, key=lambda key: (unit_interval(f"{salt}:{key}"), key))
    for key in order[: len(order) - leave]:
        if rows >= wanted:
            break
        if rows + len(groups[key]) <= max(1.5 * wanted, 1):
            drawn.add(key)
            rows += len(groups[key])
    return drawn


make_callable(__name__, split_samples)
