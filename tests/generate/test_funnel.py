"""The funnel in words: what a run says of itself while it goes on and at its end."""

import pytest

from datagen.errors import StageFailed
from datagen.generate.distinct import refuse_near
from datagen.generate.funnel import Money, examples_of, funnel_of, note, require_yield, yield_of
from datagen.generate.runner import Progress
from datagen.schemas.record import question_answer
from datagen.schemas.sample import Sample
from datagen.schemas.stage import Dropped, StageResult


def sample(question: str, answer: str) -> Sample:
    return Sample.of(question_answer(question, answer))


def test_a_note_says_it_all_on_one_line() -> None:
    state = Progress(
        30, 100, requests=20, tokens_in=9000, tokens_out=1000, dropped={"near_duplicate": 4, "evidence_not_found": 1}, existing=10,
        pace={"qa": 0.5, "evolve": 2.25},
    )  # fmt: skip
    assert note(state, seconds=10, money=Money(0.012, 0.04)) == (
        "yield 80% · 20 requests (2.0/s) · 10000 tokens · $0.0120 of about $0.04 · near_duplicate 4, evidence_not_found 1"
        " · slowest: evolve 2.2 s a passage"
    )
    assert note(Progress(0, 10), seconds=0) == ""
    assert note(Progress(5, 10), seconds=1) == "yield 100%"


def test_a_yield_needs_rows() -> None:
    assert yield_of(0, {}) is None
    assert yield_of(3, {"near_duplicate": 1}) == 0.75


@pytest.mark.parametrize(("kept", "lost", "least", "fails"), [(5, 15, 0.3, True), (5, 15, 0.25, False), (1, 9, 0.9, False)])
def test_a_low_yield_fails_with_its_reasons(kept: int, lost: int, least: float, fails: bool) -> None:
    rows = [sample(f"第 {i} 问？", f"答 {i}") for i in range(kept + lost)]
    stats = {"proposed": kept + lost, "accepted": kept, "yield": kept / (kept + lost)}
    result = StageResult(rows[:kept], [Dropped(s, "evidence_not_found") for s in rows[kept:]], stats)
    if not fails:
        require_yield(result, least)
        return
    with pytest.raises(StageFailed, match=rf"the yield is {kept / (kept + lost):.0%}, below .* \(evidence_not_found {lost}\)"):
        require_yield(result, least)


def test_rows_kept_apart_from_the_exam_do_not_lower_the_yield() -> None:
    rows = [sample(f"第 {i} 问？", f"答 {i}") for i in range(60)]
    dropped = [Dropped(s, "leaks_into_eval") for s in rows[20:]]
    require_yield(StageResult(rows[:20], dropped, {"proposed": 60, "accepted": 20, "yield": 0.3333}), 0.9)


def test_a_row_near_an_accepted_one_is_refused() -> None:
    first = sample("入住当天取消要收多少费用？", "18:00 之后取消，收取首晚房费的一半，团队预订另行约定，以确认函为准。")
    near = sample("请问入住当天取消要收多少费用？", "18:00 之后取消，收取首晚房费的一半，团队预订另行约定，以确认函为准。")
    other = sample("退款多久到账？", "退款在三个工作日内原路退回。")
    refuse = refuse_near(existing=[first])
    verdict = refuse(near)
    assert verdict is not None
    assert verdict[0] == "near_duplicate"
    assert verdict[1].startswith(f"of {first.id[:12]}, similarity 0.")
    assert refuse(other) is None
    assert refuse(other) == ("near_duplicate", f"of {other.id[:12]}, similarity 1.00")


def test_every_reason_takes_rows_away_at_its_step() -> None:
    names = ("request_failed", "truncated", "evidence_not_found", "judged_unclear", "near_duplicate", "leaks_into_recall")
    reasons = {name: n for n, name in enumerate(names, 1)}
    stats = {"chunks": 9, "requests": 7, "proposed": 31, "reasons": reasons}
    assert funnel_of(stats) == {
        "chunks": 9, "requests": 7, "proposed": 31,
        "answered": 30, "parsed": 28, "checked": 25, "judged": 21, "distinct": 16, "accepted": 10,
    }  # fmt: skip
    rows = [sample(f"第 {i} 问？", f"答 {i}") for i in range(6)]
    dropped = [Dropped(s, "truncated" if i else "unparseable", f"detail {i % 5}") for i, s in enumerate(rows)]
    assert examples_of(dropped) == {"unparseable": ["detail 0"], "truncated": ["detail 1", "detail 2", "detail 3"]}
