import pytest

from datagen.generate.quantities import quantities

CASES = [
    ("中午 12 点退房，押金三百元", [("time", {"720"}, ""), ("number", {"300"}, "cny")]),
    ("下午3点", [("time", {"900"}, "")]),
    ("3点", [("time", {"180", "900"}, "")]),
    ("4:30 p.m.", [("time", {"990"}, "")]),
    ("晚上十点半", [("time", {"1350"}, "")]),
    ("三天", [("number", {"3"}, "day")]),
    ("两万五千元", [("number", {"25000"}, "cny")]),
    ("1.2万元", [("number", {"12000"}, "cny")]),
    ("1,200 yuan", [("number", {"1200"}, "cny")]),
    ("百分之五十", [("number", {"50"}, "percent")]),
    ("50％", [("number", {"50"}, "percent")]),
    ("2024年5月1日", [("date", {"2024-05-01"}, "")]),
    ("May 1, 2024", [("date", {"2024-05-01"}, "")]),
    ("周五、周六两晚", [("number", {"2"}, "night")]),
    ("two nights at $1,000", [("number", {"2"}, "night"), ("number", {"1000"}, "usd")]),
    ("年满十六周岁", [("number", {"16"}, "age")]),
]


@pytest.mark.parametrize(("text", "expected"), CASES, ids=[text for text, _ in CASES])
def test_quantities_are_read_in_one_form(text: str, expected: list[tuple[str, set[str], str]]) -> None:
    assert [(q.kind, set(q.values), q.unit) for q in quantities(text)] == expected


@pytest.mark.parametrize(
    "text", ["千万不要迟到", "万一取消", "一般来说", "同一日期", "第三步", "1. 打开 App\n2. 点击订单", "one of the rooms"]
)
def test_words_that_only_look_like_numbers_are_not_quantities(text: str) -> None:
    assert quantities(text) == ()
