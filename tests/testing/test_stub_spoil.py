"""What the stub plants in its answers, and what it keeps of it for those who count."""

from typing import Any

import pytest

from datagen.generate.quantities import quantities, states
from datagen.testing.stub_spoil import reworded, spoil

ZH = {"evidence": "押金 300 元，7 天内退还。", "question": "押金多少？", "answer": "押金 300 元，7 天内退还。"}
EN = {"evidence": "Pets pay 30 dollars for 2 nights.", "question": "What do pets pay?", "answer": "Pets pay 30 dollars for 2 nights."}


@pytest.mark.parametrize(
    ("fault", "key", "zh", "en"),
    [
        ("ungrounded", "evidence", "本店为每位客人赠送一头会唱歌的大象。", "Every guest is given a singing elephant on arrival."),
        ("wrong_number", "answer", "押金 307 元，14 天内退还。 (987654)", "Pets pay 37 dollars for 9 nights. (987654)"),
        ("slight_number", "answer", "押金 301 元，7 天内退还。", "Pets pay 31 dollars for 2 nights."),
        ("wrong_language", "question", "What exactly does the rule say about this?", "这一条具体是怎么规定的，请详细说明？"),
        ("copied", "answer", "押金多少？", "What do pets pay?"),
    ],
)
def test_one_item_is_spoilt_and_named(fault: str, key: str, zh: str, en: str) -> None:
    for language, item, expected in (("zh", ZH, zh), ("en", EN, en)):
        items: list[dict[str, Any]] = [dict(item)]
        planted = spoil(items, language, lambda name: name == fault)  # type: ignore[arg-type]
        assert items == [{**item, key: expected}]
        assert planted == [(fault, items[0])]


def test_the_first_item_comes_twice_and_turns_are_looked_into() -> None:
    items: list[dict[str, Any]] = [{"turns": [dict(ZH), dict(ZH)]}]
    assert spoil(items, "zh", lambda name: name == "duplicate")[0][0] == "duplicate"
    assert items[0] == items[1]
    spoil(items, "zh", lambda name: name == "copied")
    assert items[0]["turns"][0]["answer"] == "押金多少？"
    assert spoil([{"role": "新员工", "wants": "规定"}], "zh", lambda name: name != "duplicate") == []


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("zh", "18:00 之后取消收取 50%，须提前 7 天。", "18点 之后取消收取 百分之50，须提前 七天。"),
        ("en", "After 18:00, 50% for 2 nights.", "After 6 pm, 50 percent for two nights."),
    ],
)
def test_reworded_numbers_mean_the_same(language: Any, text: str, expected: str) -> None:
    said = reworded(text, language)
    assert said == expected
    assert quantities(said)
    assert all(states(text, quantity) for quantity in quantities(said))
