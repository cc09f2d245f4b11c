"""Blind votes between two answers: stored one a line, counted as a win rate with an interval, exported as preference data.

``.datagen/reviews/votes.jsonl`` only grows; a person's later vote on the same pair replaces the earlier one. Which answer stands on the
left is a hash of pair and voter, so it does not depend on which model wrote it. Votes on exam questions count but are not exported:
training on them would spoil the exam.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import sqrt
from pathlib import Path
from typing import Literal

from datagen.exam import Exam
from datagen.hashing import fingerprint, unit_interval
from datagen.jsonl import append_row, read_appended, write_jsonl
from datagen.schemas.record import Frozen, Message, PreferenceRecord
from datagen.schemas.sample import Provenance, Sample
from datagen.workspace import Workspace

Choice = Literal["before", "after", "tie"]
Z95 = 1.959964


class Pair(Frozen):
    """A question with the answers of two models; ``before`` is the base (model name empty) or baseline, ``after`` the trained one."""

    question: str
    before: str
    after: str
    before_model: str = ""
    after_model: str = ""

    @property
    def key(self) -> str:
        return fingerprint([self.question, self.before, self.after])

    def swapped(self, voter: str) -> bool:
        """Say whether the trained model's answer stands on the left."""
        return unit_interval(f"vote:{self.key}:{voter}") < 0.5


class Vote(Frozen):
    """One line: who preferred which answer of a pair."""

    pair: Pair
    choice: Choice
    voter: str
    time: str


@dataclass(frozen=True, slots=True)
class WinRate:
    """Wins of ``after`` among votes that chose; ``low`` and ``high`` are the 95 % Wilson interval, None without such votes."""

    wins: int
    losses: int
    ties: int
    rate: float | None
    low: float
    high: float


def cast_vote(workspace: Workspace, pair: Pair, choice: Choice, voter: str) -> Vote:
    """Store a vote; it is on disk when this returns."""
    vote = Vote(pair=pair, choice=choice, voter=voter, time=datetime.now(UTC).isoformat(timespec="seconds"))
    append_row(_path(workspace), vote.model_dump(mode="json"))
    return vote


def read_votes(workspace: Workspace) -> list[Vote]:
    """Return the votes that count, in the order first cast."""
    latest: dict[tuple[str, str], Vote] = {}
    for line in read_appended(_path(workspace)):
        vote = Vote.model_validate(line)
        latest[vote.pair.key, vote.voter] = vote
    return list(latest.values())


def win_rate(votes: Sequence[Vote]) -> WinRate:
    """Count wins of the trained model.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22, 1927.
    """
    counts = Counter(v.choice for v in votes)
    wins, losses = counts["after"], counts["before"]
    n = wins + losses
    if n == 0:
        return WinRate(0, 0, counts["tie"], None, 0.0, 1.0)
    p = wins / n
    middle = (p + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
    half = Z95 / (1 + Z95**2 / n) * sqrt(p * (1 - p) / n + Z95**2 / (4 * n**2))
    return WinRate(wins, losses, counts["tie"], p, max(0.0, middle - half), min(1.0, middle + half))


def win_rates(votes: Sequence[Vote]) -> dict[tuple[str, str], WinRate]:
    """Count each comparison, ``(before_model, after_model)``, for itself: wins over the base say nothing about wins over v1."""
    groups: dict[tuple[str, str], list[Vote]] = {}
    for vote in votes:
        groups.setdefault((vote.pair.before_model, vote.pair.after_model), []).append(vote)
    return {models: win_rate(group) for models, group in groups.items()}


def preferences(votes: Sequence[Vote], exam: Exam | None) -> tuple[list[Sample], dict[str, int]]:
    """Return votes that chose as preference samples, and how many were left out for which reason.

    Reasons: ``tie``, ``same_answer``, ``voters_disagree``, and those of :meth:`Exam.refuse`.
    """
    left_out: Counter[str] = Counter()
    by_pair: dict[str, list[Vote]] = {}
    for vote in votes:
        by_pair.setdefault(vote.pair.key, []).append(vote)
    found: list[Sample] = []
    for group in by_pair.values():
        pair = group[0].pair
        chosen = {v.choice for v in group} - {"tie"}
        if len(chosen) != 1:
            left_out["voters_disagree" if chosen else "tie"] += 1
            continue
        better, worse = (pair.after, pair.before) if chosen == {"after"} else (pair.before, pair.after)
        if better.strip() == worse.strip():
            left_out["same_answer"] += 1
            continue
        record = PreferenceRecord(
            prompt=(Message(role="user", content=pair.question),),
            chosen=Message(role="assistant", content=better),
            rejected=Message(role="assistant", content=worse),
        )
        sample = Sample.of(record, provenance=Provenance(strategy="human_vote", model=pair.after_model))
        refused = exam.refuse(sample) if exam else None
        if refused:
            left_out[refused[0]] += 1
        else:
            found.append(sample)
    return found, dict(left_out)


def export_votes(workspace: Workspace) -> tuple[Path, int, dict[str, int]]:
    """Write ``preferences.jsonl`` into the workspace, datagen samples that ``register`` takes; returns path, rows, left out."""
    exam = Exam.load(workspace.split, workspace.exam) if workspace.split.exists() else None
    samples, left_out = preferences(read_votes(workspace), exam)
    path = workspace.root / "preferences.jsonl"
    write_jsonl(path, (s.to_json() for s in samples))
    return path, len(samples), left_out


def _path(workspace: Workspace) -> Path:
    return workspace.reviews / "votes.jsonl"
