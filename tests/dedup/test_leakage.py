"""Leak rules, both languages, and which pairs are meant to be allowed."""

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen.dedup.leakage import Leak, LeakIndex, find_leaks, find_sample_leaks
from datagen.dedup.leakage.edits import bag_similarity, is_edited, is_misspelling, same_figures
from datagen.dedup.leakage.near_rows import find_near_rows
from datagen.dedup.leakage.rare import COMMON, find_rare_overlaps, find_rare_sample_overlaps
from datagen.dedup.leakage.refusal import NamedRows, find_set_leaks, find_set_pairs, refuse_leaks, rows_without_leaks
from datagen.dedup.leakage.review import find_review_pairs
from datagen.dedup.leakage.templates import is_template
from datagen.dedup.overlap import OverlapIndex
from datagen.dedup.semantic import open_embedder
from datagen.dedup.shingle import shingle
from datagen.errors import DataError, UsageError
from datagen.schemas.record import question_answer
from datagen.schemas.sample import Sample

EVAL = [
    "旺季期间取消预订需要提前多少个小时通知酒店前台？",
    "How many hours before arrival must a guest cancel a booking during the high season?",
    "几点退房？",
]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("几点退房?", (2, "exact", 1.0)),
        ("请问旺季期间取消预订需要提前多少个小时通知酒店", (0, "containment", 0.8)),
        (f"Question 7. {EVAL[1]} Answer in one sentence.", (1, "containment", 1.0)),
        ("旺季取消预订需要提前多少个小时通知前台？", None),
        ("健身房几点开门？", None),
        ("Is there a swimming pool?", None),
        ("  ", None),
    ],
)
def test_rules(text: str, expected: tuple[int, str, float] | None) -> None:
    hit = LeakIndex(EVAL).find(text)
    assert (hit and (hit.row, hit.rule, round(hit.score, 1))) == expected


def test_near_duplicates_without_a_long_common_window() -> None:
    hit = LeakIndex(["请问早餐是几点钟开始"]).find("请问早餐是几点钟结束")
    assert hit is not None
    assert (hit.rule, hit.score) == ("near_duplicate", 0.5)


def test_every_pair_is_reported_in_order() -> None:
    assert find_leaks(["几点退房", "没有关系", "几点退房！"], ["几点退房？", "几点退房。"]) == [
        Leak(0, 0, "exact", 1.0),
        Leak(0, 1, "exact", 1.0),
        Leak(2, 0, "exact", 1.0),
        Leak(2, 1, "exact", 1.0),
    ]


def test_short_answers_may_be_equal_long_ones_may_not() -> None:
    long = "请在入住前一天下午六点之前拨打前台电话取消"
    train = [qa("早餐什么时候开始供应？", "七点。"), qa("怎么取消订单？", long)]
    evaluation = [qa("餐厅每天最早几点营业？", "七点。"), qa("不想住了要如何处理？", f"{long}。")]
    assert find_sample_leaks(train, evaluation) == [Leak(1, 1, "exact", 1.0)]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text("早餐七点pool ", max_size=12), max_size=6), st.text("早餐七点pool ", max_size=12))
def test_overlaps_against_brute_force(texts: list[str], query: str) -> None:
    sets = [set(shingle(t, 2).tolist()) for t in texts]
    own = set(shingle(query, 2).tolist())
    expected = [(i, len(s & own), len(s)) for i, s in enumerate(sets) if s & own]
    found = OverlapIndex([shingle(t, 2) for t in texts]).overlaps(shingle(query, 2))
    assert [tuple(row) for row in np.array(found).T.tolist()] == expected


def qa(question: str, answer: str) -> Sample:
    return Sample.of(question_answer(question, answer))


@pytest.mark.parametrize(
    ("question", "answer", "leaks"),
    [
        ("请问酒店健身房几点钟开门呢？", "早上七点。", True),
        ("请问酒店的健身间几点开门呢？", "早上七点。", True),
        ("请问酒店的健身间几点开门呢？", "上午九点。", False),
        ("请问酒店的健身房几点钟开门呢", "早上 7 点", True),
        ("请问酒店的游泳池几点钟开门呢？", "上午九点。", False),
        ("请问酒店的游泳池几点开门呢？", "早上七点。", False),
        ("", "早上七点。", False),
    ],
)
def test_a_row_with_a_few_words_changed_is_given_away_by_its_answer_or_by_the_edit(question: str, answer: str, leaks: bool) -> None:
    evaluation = [qa("请问酒店的健身房几点开门呢？", "早上七点。")]
    found = find_near_rows([qa(question, answer)], evaluation)
    assert [leak[:3] for leak in found] == ([(0, 0, "near_duplicate")] if leaks else [])


BOOKING = "If I booked through an agency, can I still change the dates of my stay by telephone?"


@pytest.mark.parametrize(
    ("question", "rule"),
    [
        ("can I still change the dates of my stay by telephone if I booked through an agency", "near_duplicate"),
        ("If I bokoed through an agency, can I stil change the dates of my stay by telephone?", "near_duplicate"),
        ("If I booked through an agency can I still change the dates of my stay", "near_duplicate"),
        (f"Hello there, one quick question please: {BOOKING}", "near_duplicate"),
        (f"Hello, I have been a guest of yours for years. {BOOKING} Thank you for your help.", "containment"),
        ("If I booked through an agency, can I still change the number of guests by telephone?", None),
        ("Where do you say what happens if I booked through an agency?", None),
    ],
)
def test_an_edited_question_leaks_whatever_its_answer(question: str, rule: str | None) -> None:
    found = find_near_rows([qa(question, "No idea.")], [qa(BOOKING, "Yes, until noon.")])
    assert [leak.rule for leak in found] == ([rule] if rule else [])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["退", "房", "pool", "floor", "early", "3", "00"]), min_size=1, max_size=12), st.randoms())
def test_moved_and_doubled_words_are_edits_both_ways(words: list[str], rng: Random) -> None:
    moved = [*words, rng.choice(words)]
    rng.shuffle(moved)
    assert is_edited(words, moved)
    assert is_edited(moved, words)
    assert bag_similarity(words, moved) == bag_similarity(moved, words)


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("breakfast", "brekfast", True),
        ("price", "prcie", True),
        ("gym", "spa", False),
        ("room", "rooms", True),
        ("monday", "sunday", False),
        ("reservation", "resrevatoin", True),
        ("pool", "poolside", False),
    ],
)
def test_misspellings(a: str, b: str, same: bool) -> None:
    assert is_misspelling(a, b) is is_misspelling(b, a) is same


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("每单 20,000 个", "每单20000个", True),
        ("1600×1200，24 个月", "16001200 24个月", True),
        ("11 月", "12 月", False),
        ("1 号房", "12 号房", False),
        ("没有", "12 号房", True),
    ],
)
def test_figures_may_go_or_lose_their_marks_but_not_change(a: str, b: str, same: bool) -> None:
    assert same_figures(a, b) is same_figures(b, a) is same


def test_other_figures_in_the_question_are_another_question() -> None:
    rows = [qa(f"请问湖景套房{month}月份每晚多少钱？", "每晚六百元。") for month in (11, 12)]
    assert find_near_rows(rows[:1], rows[1:]) == []


PASSAGE = "Guests who arrive after eleven must tell the front desk by telephone before six on the day they come"


def test_a_rare_passage_leaks_and_a_template_does_not() -> None:
    evaluation = [f"Please note. {PASSAGE}. Thank you.", "短句。"]
    once = [f"From our rules: {PASSAGE}!", "nothing of the kind", "短句。"]
    assert find_rare_overlaps(once, evaluation) == [Leak(0, 0, "rare_ngram", 7 / 11)]
    assert find_rare_overlaps([f"{n} {PASSAGE} {n}" for n in range(COMMON + 1)], evaluation) == []
    chinese = "旺季期间取消预订需要提前七十二个小时通知酒店前台否则收取首晚房费"
    assert [leak[:3] for leak in find_rare_overlaps([f"规则：{chinese}。"], [f"{chinese}，请知悉"])] == [(0, 0, "rare_ngram")]


def test_an_exam_on_trained_documents_may_share_evidence() -> None:
    train = [qa("What about late arrival?", PASSAGE)]
    recall = [qa("Must I call?", PASSAGE).tagged(eval_set="recall"), qa("Must I call?", PASSAGE).tagged(eval_set="unseen")]
    assert [leak.eval_row for leak in find_rare_sample_overlaps(train, recall)] == [1]
    assert find_rare_sample_overlaps(train, recall, shared_evidence=True) == []


def test_a_refusal_names_rows_rule_score_and_the_command() -> None:
    train = [qa("几楼有泳池？", "楼顶。"), qa("几点退房？", "十二点。")]
    named = NamedRows(train, "train.jsonl", (1, 5))
    with pytest.raises(DataError) as caught:
        refuse_leaks([named], [NamedRows([qa("几点退房", "中午。")], "eval")], override="--allow-leaks")
    assert caught.value.message == "1 of 2 rows of train.jsonl leak into eval:\n  train.jsonl:5 ~ eval row 1: exact, 1.00"
    assert "datagen leak train.jsonl EVAL --shared-evidence -o CLEAN" in caught.value.hint
    with pytest.raises(DataError) as caught:
        refuse_leaks([NamedRows(train, "my rows.jsonl", (1, 5))], [NamedRows([qa("几点退房", "中午。")], "e.jsonl", (1,))], override="")
    assert "datagen leak 'my rows.jsonl' e.jsonl --shared-evidence -o CLEAN" in caught.value.hint
    assert rows_without_leaks(train, [[qa("几点退房", "中午。")]]) == [0]
    refuse_leaks([NamedRows(train[:1], "train"), NamedRows([], "baseline")], [NamedRows([], "vault")], override="")


def test_rows_that_stay_do_not_leak_when_a_template_shrinks() -> None:
    # The passage is in eleven rows, a template; one row leaks by its question, and then the passage is rare.
    train = [qa(f"What is rule {n} of house {n * n}?", f"{'filler ' * 30}{n} {PASSAGE}") for n in range(COMMON)]
    train.append(qa("Must guests who come late tell someone?", f"{'filler ' * 30} {PASSAGE}"))
    evaluation = [qa("Must guests who come late tell someone?", f"{PASSAGE} {' '.join(f'word{i}' for i in range(60))}")]
    assert find_rare_sample_overlaps(train, evaluation) == []
    assert rows_without_leaks(train, [evaluation]) == []


def test_the_review_queue_leaves_out_what_the_rules_found() -> None:
    train, evaluation = ["退房时间是中午十二点。", "健身房在三楼。", ""], ["中午十二点是退房时间。", "健身房在三楼。", ""]
    known = find_leaks(train, evaluation)
    pairs = find_review_pairs(train, evaluation, open_embedder("tfidf"), threshold=0.4, known=known)
    assert [(leak.train_row, leak.eval_row) for leak in known] == [(1, 1)]
    assert [(p.train_row, p.eval_row, p.same_numbers) for p in pairs] == [(0, 0, True)]
    with pytest.raises(UsageError, match="threshold"):
        find_review_pairs([], [], open_embedder("tfidf"), threshold=2)


@pytest.mark.parametrize(
    ("question", "answer", "leaks"),
    [
        ("2号房的退房时间最晚是几点钟？", "2号房下午两点之前。", False),
        ("2号房的退房时间最晚是几点钟？", "1号房中午十二点之前。", True),
        ("2号房的退房时间最晚是几点钟？", "", True),
        ("1号房的退房时间最晚是几点？", "下午两点之前。", True),
        ("1号房的退房时间最晚是几点钟", "下午两点之前。", True),
    ],
    ids=["other room, other answer", "other room, same answer", "no answer", "same room, edited", "same question"],
)
def test_rows_of_a_catalogue_are_listed_and_do_not_leak(question: str, answer: str, leaks: bool) -> None:
    train, held = [qa(question, answer)], [qa("1号房的退房时间最晚是几点钟？", "1号房中午十二点之前。")]
    found, templates = find_set_pairs(train, held)
    assert ([leak[:2] for leak in found], [pair[:2] for pair in templates]) == (([(0, 0)], []) if leaks else ([], [(0, 0)]))


@pytest.mark.parametrize(
    ("question", "answer", "leaks"),
    [
        ("请问七百五十七号别墅的早餐厅每天早上几点钟开门？", "七百五十七号别墅的早餐厅早上八点钟开门，请带房卡。", False),
        ("请问七百五十七号别墅的早餐厅每天早上几点钟开门？", "四百六十四号别墅的早餐厅早上八点钟开门，请带房卡。", True),
        ("怎样去早餐厅？", "七百五十七号别墅的早餐厅早上八点钟开门，请带房卡。", True),
    ],
    ids=["other villa", "the same answer", "unrelated question"],
)
def test_answers_of_a_catalogue_with_chinese_numerals(question: str, answer: str, leaks: bool) -> None:
    held = qa("请问四百六十四号别墅的早餐厅每天早上几点钟开门？", "四百六十四号别墅的早餐厅早上八点钟开门，请带房卡。")
    assert bool(find_set_leaks([qa(question, answer)], [held])) is leaks


@pytest.mark.parametrize(
    ("a", "b", "template"),
    [
        ("请问A座几点开门", "请问B座几点开门", True),
        ("请问wifi密码是多少", "请问wfii密码是多少", False),
        ("the gym opens", "the spa opens", False),
        ("请问C101座几点开门", "请问D101座几点开门", True),
        ("一号房几点退房", "二号房几点退房", True),
        ("第三条怎么规定", "第十三条怎么规定", True),
        ("二号房几点退房", "2号房几点退房", False),
        ("一般几点退房", "统一几点退房", False),
        ("住一晚多少钱", "住晚多少钱", False),
    ],
)
def test_names_codes_and_chinese_numerals_tell_chinese_questions_apart(a: str, b: str, template: bool) -> None:
    assert is_template(a, "七点。", b, "九点半以后。") is template
