"""The index used while generating: nearest match, figures, conflicts."""

from datagen.dedup.incremental import Match, NearIndex
from datagen.schemas.record import question_answer
from datagen.schemas.sample import Sample

ANSWER = "接送机服务需要提前一天预约，商务车可乘坐六人，费用由前台在退房的时候一并结算"


def qa(question: str, answer: str) -> Sample:
    return Sample.of(question_answer(question, answer))


def test_the_nearest_row_is_found() -> None:
    index = NearIndex()
    first, second = qa("怎样预约接送机？", ANSWER), qa("怎样预约接送机服务？", f"您好，{ANSWER}。")
    index.add(first)
    index.add(second)
    assert index.find(qa("怎样预约接送机服务？", f"您好，{ANSWER}！")) == Match(second.id, 1.0)
    assert index.find(qa("健身房在几楼？", "健身房在三楼，住客凭房卡免费使用。")) is None


def test_other_figures_and_conflicts_are_no_match() -> None:
    index = NearIndex()
    index.add(qa("怎样预约接送机？", f"{ANSWER}，每趟 200 元"))
    assert index.find(qa("怎样预约接送机？", f"{ANSWER}，每趟 300 元")) is None
    index.add(qa(f"{ANSWER}对吗？", "对。"))
    assert index.find(qa(f"{ANSWER}对吗？", "不对。")) is None


def test_on_prompt_ignores_the_answer() -> None:
    index = NearIndex(on="prompt", threshold=0.5)
    index.add(qa("请问酒店的早餐是几点钟开始？", "七点。"))
    match = index.find(qa("请问酒店的早餐是几点钟结束？", "At ten."))
    assert match is not None
    assert match.similarity == 7 / 11
