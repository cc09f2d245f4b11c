"""deduplicate() over every kind of input, conflicts, numbers, and real sets with known duplicates."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from datagen.dedup import deduplicate, deduplicate_samples
from datagen.dedup.api import DedupResult
from datagen.errors import UsageError
from datagen.schemas.record import Message, PreferenceRecord, question_answer
from datagen.schemas.sample import Sample

LONG = "您可以在入住当天下午两点以后办理入住，请携带有效身份证件，并在前台登记同行人员的信息"


def qa(question: str, answer: str) -> Sample:
    return Sample.of(question_answer(question, answer))


def test_dicts_keep_every_key_and_the_first_row_stays() -> None:
    rows = [
        {"id": 1, "instruction": "几点可以入住？", "input": "", "output": LONG},
        {"id": 2, "instruction": "几点可以入住?", "input": "", "output": f"{LONG}。"},
        {"id": 3, "instruction": "退房时间？", "input": "", "output": "中午十二点前。"},
        {"id": 4, "instruction": "几点可以入住？", "input": "", "output": LONG},
    ]
    result = deduplicate(rows)
    assert result.kept == [rows[0], rows[2]]
    assert [(d.row, d.reason, d.kept_row) for d in result.duplicates.values()] == [(1, "near_duplicate", 0), (3, "exact_duplicate", 0)]
    assert result.explain(0) == "row 0 is kept"
    for row in (-1, 99):
        with pytest.raises(UsageError, match=f"there is no row {row}"):
            result.explain(row)


def test_a_frame_comes_back_as_a_frame() -> None:
    frame = pl.DataFrame({"text": ["早餐七点开始。", "早餐七点开始。", "The gym is open all day."], "n": [1, 2, 3]})
    assert deduplicate(frame).kept["n"].to_list() == [1, 3]


def test_a_path_gives_dicts(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "早餐七点开始。"}\n{"text": "早餐七点开始。"}\n', encoding="utf-8")
    assert deduplicate(path).kept == [{"text": "早餐七点开始。"}]


@pytest.mark.parametrize("rows", [[], pl.DataFrame({"text": []}, schema={"text": pl.String})], ids=["list", "frame"])
def test_nothing_in_nothing_out(rows: Any) -> None:
    result = deduplicate(rows)
    assert (len(result.kept), len(result.dropped), result.clusters) == (0, 0, [])


def test_rows_in_no_known_format_are_compared_by_all_values() -> None:
    rows = [{"titre": "Petit déjeuner", "heure": 7}, {"titre": "Petit déjeuner", "heure": 8}, {"titre": "Petit déjeuner", "heure": 7}]
    assert [d.row for d in deduplicate(rows).duplicates.values()] == [2]


def test_dates_are_values_too() -> None:
    frame = pl.DataFrame({"name": ["甲店", "甲店", "甲店"], "opened": [date(2026, 1, 1), date(2026, 1, 2), date(2026, 1, 1)]})
    assert deduplicate(frame).kept.rows() == [("甲店", date(2026, 1, 1)), ("甲店", date(2026, 1, 2))]


def test_rows_with_a_blank_text_are_the_same_row_whatever_else_they_hold() -> None:
    rows = [{"text": "", "n": 1}, {"text": "早餐七点开始。", "n": 2}, {"text": "", "n": 3}]
    assert [(d.row, d.kept_row, d.reason) for d in deduplicate(rows).duplicates.values()] == [(2, 0, "exact_duplicate")]


@pytest.mark.parametrize("rows", [3, [1, 2], {"a": 1}], ids=["number", "numbers", "dict"])
def test_other_things_are_refused(rows: Any) -> None:
    with pytest.raises(UsageError, match="cannot deduplicate"):
        deduplicate(rows)


def test_on_chooses_what_is_compared() -> None:
    rows = [
        {"question": "请问贵酒店的退房时间是几点钟？", "answer": "中午十二点之前都可以办理退房。"},
        {"question": "请问贵酒店的退房时间是几点钟？", "answer": "下午两点，金卡会员还可以再延迟两个小时。"},
        {"question": "最晚什么时候必须离开房间呢？", "answer": "中午十二点之前都可以办理退房。"},
    ]
    assert deduplicate(rows, on="prompt").clusters == [[0, 1]]
    assert deduplicate(rows, on="completion").clusters == [[0, 2]]
    assert deduplicate(rows, on="both").clusters == []


def test_same_question_with_another_answer_is_a_conflict_not_a_duplicate() -> None:
    question = f"{LONG}。请问如果我的航班晚点，深夜到达酒店，前台是否有人值班办理入住手续"
    samples = [qa(question, "有人值班。"), qa(question, "没有人。"), qa("几点退房？", "中午。")]
    result = deduplicate_samples(samples)
    assert (len(result.kept), result.stats["conflicts"], result.stats["clusters"]) == (3, 1, 0)
    rows = [{"instruction": question, "output": answer} for answer in ("有人值班。", "没有人。")]
    assert deduplicate(rows).conflicts == [[0, 1]]


def test_facts_that_differ_in_a_figure_are_kept_in_samples() -> None:
    template = "湖景套房每晚{}元起，价格包含双份自助早餐、欢迎水果和免费停车，会员可以累积双倍积分，欢迎致电前台预订或者在小程序下单"
    samples = [qa(f"湖景套房{season}价格？", template.format(price)) for season, price in (("淡季", 680), ("旺季", 980))]
    assert len(deduplicate_samples(samples).kept) == 2
    assert len(deduplicate_samples(samples, numbers_matter=False).kept) == 1
    texts = [template.format(680), template.format(980)]
    assert len(deduplicate(texts).kept) == 1
    assert len(deduplicate(texts, numbers_matter=True).kept) == 2


def test_samples_are_dropped_with_reason_and_detail() -> None:
    samples = [qa("几点可以入住？", LONG), qa("几点可以入住？", LONG), qa("几点能入住？", f"{LONG}。")]
    result = deduplicate_samples(samples)
    assert [(d.reason, d.detail) for d in result.dropped] == [
        ("exact_duplicate", f"of {samples[0].id[:12]}, similarity 1.00, cluster 0"),
        ("near_duplicate", f"of {samples[0].id[:12]}, similarity 0.84, cluster 0"),
    ]


def test_preferences_with_another_rejected_answer_stay() -> None:
    def pair(rejected: str) -> Sample:
        user, chosen = Message(role="user", content="几点退房？"), Message(role="assistant", content="中午十二点。")
        return Sample.of(PreferenceRecord(prompt=(user,), chosen=chosen, rejected=Message(role="assistant", content=rejected)))

    samples = [pair("不知道，请您自己去前台问一下值班经理。"), pair("随便什么时候走都行，没人会来管你的。")]
    assert len(deduplicate_samples(samples).kept) == 2


@pytest.mark.parametrize(
    ("name", "exact"),
    [
        ("identity", 0),
        ("alpaca_en_demo", 14),
        ("alpaca_zh_demo", 8),
        ("glaive_toolcall_en_demo", 35),
        ("glaive_toolcall_zh_demo", 43),
        ("dpo_en_demo", 5),
        ("dpo_zh_demo", 11),
        ("kto_en_demo", 0),
    ],
)
def test_real_sets_have_their_known_exact_duplicates(shared_data: Path, name: str, exact: int) -> None:
    path = shared_data / "llamafactory_demo" / f"{name}.json"
    result: DedupResult[list[dict[str, Any]]] = deduplicate(path)
    rows = [json.dumps(row, sort_keys=True) for row in json.loads(path.read_text(encoding="utf-8"))]
    assert len(rows) - len(set(rows)) == exact
    assert sum(d.reason == "exact_duplicate" for d in result.duplicates.values()) == exact
