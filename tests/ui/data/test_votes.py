from pathlib import Path

import pytest

from datagen.exam import Exam
from datagen.jsonl import read_rows
from datagen.schemas.record import PreferenceRecord, question_answer
from datagen.schemas.sample import Sample
from datagen.ui.data.votes import Pair, cast_vote, export_votes, preferences, read_votes, win_rate, win_rates
from datagen.workspace import Workspace

CHECKOUT = Pair(question="最晚几点退房？", before="不知道。", after="中午 12 点。", after_model="v2")
PETS = Pair(question="Are dogs allowed?", before="Yes, up to 10 kg.", after="No.", after_model="v2")


def test_a_later_vote_replaces_an_earlier_one(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    cast_vote(workspace, CHECKOUT, "before", "Ann")
    cast_vote(workspace, CHECKOUT, "after", "Ann")
    cast_vote(workspace, CHECKOUT, "tie", "Bo")
    assert [(v.voter, v.choice) for v in read_votes(workspace)] == [("Ann", "after"), ("Bo", "tie")]


def test_win_rate_with_wilson_interval(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    for n in range(10):
        pair = CHECKOUT.model_copy(update={"question": f"问题 {n}"})
        cast_vote(workspace, pair, "after" if n < 8 else "before", "Ann")
    rate = win_rate(read_votes(workspace))
    assert (rate.wins, rate.losses, rate.rate) == (8, 2, 0.8)
    # Wilson (1927) for 8 of 10 at 95 %.
    assert (round(rate.low, 4), round(rate.high, 4)) == (0.4902, 0.9433)
    assert win_rate([]).rate is None


def test_which_side_is_left_is_fixed_per_voter_and_mixed_over_pairs() -> None:
    pairs = [CHECKOUT.model_copy(update={"question": f"问题 {n}"}) for n in range(200)]
    sides = [p.swapped("Ann") for p in pairs]
    assert sides == [p.swapped("Ann") for p in pairs]
    assert 70 < sum(sides) < 130


def test_votes_become_preference_rows_but_not_those_on_exam_questions(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    cast_vote(workspace, CHECKOUT, "after", "Ann")
    cast_vote(workspace, PETS, "before", "Ann")
    exam = Exam((Sample.of(question_answer("最晚几点退房？", "12 点。")).tagged(eval_set="recall"),))
    exam.freeze(workspace.split, workspace.exam, salt="s", ratios={})
    path, n, left_out = export_votes(workspace)
    (row,) = [Sample.model_validate(r.value) for r in read_rows(path)]
    assert (n, left_out) == (1, {"leaks_into_recall": 1})
    assert isinstance(row.record, PreferenceRecord)
    assert (row.record.chosen.content, row.record.rejected.content) == ("Yes, up to 10 kg.", "No.")
    assert row.provenance.strategy == "human_vote"


def test_each_comparison_has_a_win_rate_of_its_own(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    cast_vote(workspace, CHECKOUT, "after", "Ann")
    cast_vote(workspace, PETS.model_copy(update={"before_model": "v1"}), "before", "Ann")
    rates = win_rates(read_votes(workspace))
    assert {models: (r.wins, r.losses) for models, r in rates.items()} == {("", "v2"): (1, 0), ("v1", "v2"): (0, 1)}


@pytest.mark.parametrize(("choices", "reason"), [(("after", "before"), "voters_disagree"), (("tie", "tie"), "tie")])
def test_pairs_without_a_winner_are_left_out(tmp_path: Path, choices: tuple[str, str], reason: str) -> None:
    workspace = Workspace(tmp_path)
    for voter, choice in zip(("Ann", "Bo"), choices, strict=True):
        cast_vote(workspace, PETS, "after" if choice == "after" else "before" if choice == "before" else "tie", voter)
    assert preferences(read_votes(workspace), None) == ([], {reason: 1})
