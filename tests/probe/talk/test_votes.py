"""Votes, win rates and who stands where."""

from collections import Counter
from pathlib import Path

import pytest

from datagen.errors import DataError
from datagen.probe.talk.votes import Vote, next_pair, parse_choice, read_votes, store_vote, win_rates


def _votes(*winners: str) -> list[Vote]:
    return [Vote(question=f"第{n}问", shown=("base", "v2"), answers=("不知道", "12点"), winner=w) for n, w in enumerate(winners)]


def test_win_rate_counts_ties_half_and_has_wilsons_interval() -> None:
    (rate,) = win_rates(_votes(*["v2"] * 12, *["base"] * 4, *["tie"] * 4))
    assert (rate.first, rate.second, rate.wins, rate.losses, rate.ties) == ("base", "v2", 4, 12, 4)
    assert rate.rate == pytest.approx(0.3)
    # Wilson for 6 of 20 at 95 %, from R: prop.test(6, 20, correct = FALSE)
    assert (rate.low, rate.high) == (pytest.approx(0.1455, abs=1e-4), pytest.approx(0.5190, abs=1e-4))
    assert rate.p == pytest.approx(0.0768, abs=1e-4)


def test_only_ties_say_nothing() -> None:
    (rate,) = win_rates(_votes("tie", "tie"))
    assert (rate.rate, rate.p) == (0.5, 1.0)
    assert win_rates([]) == []


def test_pairs_come_up_equally_often_and_sides_are_drawn() -> None:
    names = ["base", "v1", "v2"]
    votes: list[Vote] = []
    for n in range(60):
        pair = next_pair(names, votes, f"question {n}", seed=0)
        votes.append(Vote(question=f"question {n}", shown=pair, answers=("", ""), winner="tie"))
    assert set(Counter(frozenset(v.shown) for v in votes).values()) == {20}
    left = Counter(v.shown[0] for v in votes)
    assert all(12 <= left[name] <= 28 for name in names)
    assert next_pair(names, [], "几点退房？", seed=5) == next_pair(names, [], "几点退房？", seed=5)


def test_votes_survive_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "votes.jsonl"
    assert read_votes(path) == []
    for vote in _votes("v2", "tie"):
        store_vote(path, vote)
    assert [v.winner for v in read_votes(path)] == ["v2", "tie"]
    with path.open("a", encoding="utf-8") as file:
        file.write('{"question": "torn')
    assert len(read_votes(path)) == 2
    path.write_text('{"question": "x"}\n', encoding="utf-8")
    with pytest.raises(DataError, match=r"votes\.jsonl:1: not a vote"):
        read_votes(path)


def test_choices_are_single_keys() -> None:
    assert [parse_choice(t) for t in ("1", " 2\n", "T", "", "q", "both")] == ["first", "second", "tie", "skip", "quit", None]
