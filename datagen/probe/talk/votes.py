"""Blind votes between two answers, and what they say: win rates with intervals. No model is needed here."""

import random
from collections.abc import Iterable, Sequence
from itertools import combinations
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from datagen.errors import DataError
from datagen.jsonl import append_row, read_appended


class Vote(BaseModel):
    """One vote. ``shown``: the two names in the order their answers were shown; ``winner``: one of them, or ``tie``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    question: str
    shown: tuple[str, str]
    answers: tuple[str, str]
    winner: str


class WinRate(BaseModel):
    """``first`` against ``second``: a tie counts half a win for each; ``low`` and ``high`` are Wilson's 95 % interval of the rate;
    ``p`` is the two-sided sign test's, ties left out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    first: str
    second: str
    wins: int
    losses: int
    ties: int
    rate: float
    low: float
    high: float
    p: float


def win_rates(votes: Iterable[Vote]) -> list[WinRate]:
    """Summarise votes pair by pair, names in alphabetical order.

    A tie as half a win varies less than a win or a loss, so Wilson's interval, which counts it like them, is if anything too wide.
    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
    """
    pairs: dict[tuple[str, str], list[str]] = {}
    for vote in votes:
        first, second = sorted(vote.shown)
        pairs.setdefault((first, second), []).append(vote.winner)
    return [_win_rate(first, second, winners) for (first, second), winners in sorted(pairs.items())]


def next_pair(names: Sequence[str], votes: Sequence[Vote], question: str, *, seed: int) -> tuple[str, str]:
    """Return the pair with the fewest votes so far, in an order drawn by question and seed, so that neither name has a side of its own."""
    counts = dict.fromkeys(combinations(names, 2), 0)
    for vote in votes:
        for pair in counts:
            counts[pair] += set(vote.shown) == set(pair)
    rng = random.Random(f"pair:{seed}:{question}")
    least = min(counts.values())
    first, second = rng.choice([pair for pair, n in counts.items() if n == least])
    return (first, second) if rng.random() < 0.5 else (second, first)


def read_votes(path: Path) -> list[Vote]:
    """Read a file of votes; none if there is no such file.

    Raises:
        DataError: a line is no vote.
    """
    votes: list[Vote] = []
    for line, row in enumerate(read_appended(path), start=1):
        try:
            votes.append(Vote.model_validate(row))
        except ValidationError as error:
            raise DataError(f"{path}:{line}: not a vote: {error.errors()[0]['msg']}", hint="give another file with --votes") from error
    return votes


def store_vote(path: Path, vote: Vote) -> None:
    """Append one vote and have it on disk before returning."""
    append_row(path, vote.model_dump(mode="json"))


Choice = Literal["first", "second", "tie", "skip", "quit"]
_CHOICES: dict[str, Choice] = {"1": "first", "2": "second", "t": "tie", "0": "tie", "s": "skip", "": "skip", "q": "quit"}


def parse_choice(text: str) -> Choice | None:
    """Read ``1``, ``2``, ``t`` (or 0), ``s`` (or nothing), ``q``; None for anything else."""
    return _CHOICES.get(text.strip().lower())


def _win_rate(first: str, second: str, winners: Sequence[str]) -> WinRate:
    from scipy import stats

    wins, losses = winners.count(first), winners.count(second)
    n = len(winners)
    rate = (wins + (n - wins - losses) / 2) / n
    z = float(stats.norm.ppf(0.975))
    middle = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * (rate * (1 - rate) / n + z * z / (4 * n * n)) ** 0.5
    p = float(stats.binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0
    return WinRate(
        first=first,
        second=second,
        wins=wins,
        losses=losses,
        ties=n - wins - losses,
        rate=rate,
        low=max(middle - half, 0.0),
        high=min(middle + half, 1.0),
        p=p,
    )
