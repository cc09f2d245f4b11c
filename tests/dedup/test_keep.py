"""Which row of a cluster stays."""

from typing import Any

import pytest

from datagen.dedup import deduplicate, deduplicate_samples
from datagen.errors import DataError, UsageError
from datagen.schemas.record import question_answer
from datagen.schemas.sample import Sample

ANSWER = "您可以在入住当天下午两点以后办理入住，请携带有效身份证件，并在前台登记同行人员的信息"
ROWS: list[dict[str, Any]] = [
    {"instruction": "几点可以入住？", "output": ANSWER, "score": 0.5, "date": "2026-03-01"},
    {"instruction": "几点可以入住？", "output": f"{ANSWER}，谢谢", "score": 0.9, "date": "2026-02-01"},
    {"instruction": "几点可以入住？", "output": ANSWER, "score": 0.9, "date": "2026-04-01"},
    {"instruction": "早餐几点开始？", "output": "七点。", "score": 0.1, "date": "2026-01-01"},
]


@pytest.mark.parametrize(
    ("keep", "by", "kept"),
    [
        ("first", None, [0, 3]),
        ("newest", None, [2, 3]),
        ("newest", "date", [2, 3]),
        ("longest", None, [1, 3]),
        ("best", None, [1, 3]),
    ],
)
def test_the_row_that_stays(keep: Any, by: str | None, kept: list[int]) -> None:
    result = deduplicate(ROWS, keep=keep, by=by)
    assert result.kept == [ROWS[i] for i in kept]
    assert result.clusters == [[kept[0], *(i for i in range(3) if i != kept[0])]]


def test_reasons_name_the_row_that_stays() -> None:
    found = deduplicate(ROWS, keep="longest").duplicates
    assert {(d.row, d.kept_row, d.reason, d.similar_row) for d in found.values()} == {
        (0, 1, "near_duplicate", 1),
        (2, 1, "exact_duplicate", 0),
    }


def test_samples_by_score_and_tag() -> None:
    def qa(answer: str, score: float, date: str) -> Sample:
        sample = Sample.of(question_answer("几点可以入住？", answer), tags={"date": date})
        return sample.model_copy(update={"scores": {"judge": score, "other": 0.0}})

    samples = [qa(ANSWER, 0.2, "2026-03-01"), qa(f"{ANSWER}，谢谢", 0.9, "2026-01-01")]
    for keep, by, kept in (("best", None, 1), ("best", "judge", 1), ("best", "other", 0), ("newest", "date", 0), ("longest", None, 1)):
        assert deduplicate_samples(samples, keep=keep, by=by).kept == [samples[kept]]  # pyright: ignore[reportArgumentType]
    with pytest.raises(UsageError, match="no sample has a score 'juge'") as caught:
        deduplicate_samples(samples, keep="best", by="juge")
    assert caught.value.hint == "did you mean 'judge'? known: judge, other"
    with pytest.raises(UsageError, match="no sample has a tag 'judge'"):
        deduplicate_samples(samples, keep="newest", by="judge")


@pytest.mark.parametrize(
    ("rows", "options", "error", "message"),
    [
        (ROWS, {"keep": "oldest"}, UsageError, "unknown keep 'oldest'"),
        (ROWS, {"by": "score"}, UsageError, "'by' has no meaning with keep 'first'"),
        (["a", "b"], {"keep": "best"}, UsageError, "rows are strings"),
        (ROWS, {"keep": "newest", "by": "dat"}, UsageError, "no row has a column 'dat'"),
        ([ROWS[0], {**ROWS[1], "score": "high"}], {"keep": "best"}, DataError, "row 1: 'score' is 'high', but other rows"),
        ([{**ROWS[0], "score": [1]}, ROWS[1]], {"keep": "best"}, DataError, r"row 0: 'score' is \[1\]"),
        ([{**ROWS[0], "score": float("nan")}, ROWS[1]], {"keep": "best"}, DataError, "row 0: 'score' is nan"),
    ],
)
def test_wrong_use(rows: Any, options: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        deduplicate(rows, **options)
