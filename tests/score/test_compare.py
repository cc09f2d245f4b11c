"""What changed between two sets: every row is unchanged, changed, added or removed, and each only once."""

from hypothesis import given, settings
from hypothesis import strategies as st

from datagen.schemas.record import question_answer
from datagen.schemas.sample import Sample
from datagen.score.compare import compare_datasets, match_rows


def row(question: str, answer: str) -> Sample:
    return Sample.of(question_answer(question, answer))


SAME = row("退房时间是几点？", "退房时间为中午十二点。")
OLD = row("早餐几点开始？", "早餐七点开始。")
NEW = row("早餐几点开始?", "早餐六点半开始。")
LONG = row(
    "Is late check-out free?", "Late check-out until two o'clock is free for gold members on weekdays and costs thirty dollars for others."
)
EDITED = row(
    "Is a late check-out free?",
    "Late check-out until two o'clock is free for gold members on weekdays and costs thirty dollars for others!",
)
GONE = row("停车收费吗？", "住店客人免费停车。")
ADDED = row("可以带宠物吗？", "可以携带十公斤以下的宠物入住。")


def test_rows_are_matched_by_record_then_question_then_text() -> None:
    unchanged, added, removed, changed = match_rows([SAME, OLD, LONG, GONE], [EDITED, ADDED, NEW, SAME])
    assert unchanged == 1
    assert (added, removed) == ([1], [3])
    assert changed == [(1, 2), (2, 0)]


def test_repeated_rows_count_as_often_as_they_occur() -> None:
    assert match_rows([SAME, SAME], [SAME]) == (1, [], [1], [])
    assert match_rows([SAME], [SAME, SAME, SAME]) == (1, [1, 2], [], [])


@settings(max_examples=40)
@given(
    st.lists(st.sampled_from([SAME, OLD, NEW, LONG, GONE]), max_size=8), st.lists(st.sampled_from([SAME, OLD, EDITED, ADDED]), max_size=8)
)
def test_every_row_has_exactly_one_fate(a: list[Sample], b: list[Sample]) -> None:
    unchanged, added, removed, changed = match_rows(a, b)
    assert unchanged + len(changed) + len(removed) == len(a)
    assert unchanged + len(changed) + len(added) == len(b)
    assert match_rows(a, a) == (len(a), [], [], [])


def test_figures_move_with_the_rows() -> None:
    bad = row("联系谁？", "请写信给 zhang.wei@corp.cn。")
    found = compare_datasets([SAME, OLD], [SAME, OLD, bad, bad])
    figures = {f.name: f.change for f in found.figures}
    assert figures["rows"] == 2
    assert figures["defects.pii_email"] == 2
    assert figures["defects.exact_duplicate"] == 1
    assert figures["diversity.novel_sum"] != 0
    assert found.to_json()["added"][0]["line"] == 3
