"""Splitting a dataset: documents held out whole, clusters on one side, frozen rows, nothing lost."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen.dedup.leakage.refusal import NamedRows, refuse_leaks
from datagen.dedup.shingle import jaccard, shingle
from datagen.errors import UsageError
from datagen.schemas.record import prompt_text, question_answer
from datagen.schemas.sample import Provenance, Sample
from datagen.split import Place, Split, split_samples


def _sample(question: str, answer: str, document: str = "") -> Sample:
    return Sample.of(question_answer(question, answer), provenance=Provenance(document=document))



TOPICS = ("退房时间", "早餐时间", "押金退还", "电子发票", "宠物入住", "儿童加床", "停车收费", "行李寄存", "泳池开放", "机场接送")
FORMS = ("请问{}是怎么规定的？", "我想了解一下酒店的{}安排", "{}可以更改吗，要提前多久说？", "How does the hotel handle {} for members?")


def _rows(documents: bool = True) -> list[Sample]:
    """Forty questions, ten a phrasing: questions of one phrasing differ in four characters only."""
    pairs = enumerate(product(FORMS, TOPICS))
    return [_sample(form.format(topic), f"第{i}条规定：见{topic}。", f"{topic}.md" if documents else "") for i, (form, topic) in pairs]


def _all(split: Split) -> list[Sample]:
    return [*split.train, *split.recall, *split.unseen, *split.vault, *(d.sample for d in split.quarantined)]


DISTINCT = (
    "退房时间是几点？",
    "早餐在几楼供应？",
    "押金什么时候退回卡里？",
    "可以带小狗住吗？",
    "Where do I park my car?",
    "Is there a gym in the building?",
    "怎样把发票抬头改成公司？",
    "泳池周末开到多晚？",
    "How do I reach the airport at night?",
    "孩子加床要多少钱？",
    "前台能寄存行李吗？",
    "Can I pay with a foreign card?",
    "会员积分多久过期？",
    "忘了密码怎么登录？",
    "Do rooms have a kettle?",
    "取消订单会扣钱吗？",
    "长住有没有折扣？",
    "Who cleans the room on Sunday?",
    "接机司机等多久？",
    "酒店有充电桩吗？",
)


def _plain(n: int = 20, documents: int = 0) -> list[Sample]:
    return [_sample(q, f"答案 {i}。", f"文档{i % documents}.md" if documents else "") for i, q in enumerate(DISTINCT[:n])]


def test_without_documents_all_evaluation_rows_are_recall() -> None:
    split = split_samples(_plain(), eval_ratio=0.2, vault_ratio=0.1)
    assert (len(split.train), len(split.recall), len(split.unseen), len(split.vault), len(split.quarantined)) == (14, 4, 0, 2, 0)
    assert {s.tags["eval_set"] for s in split.recall} == {"recall"}
    assert {s.tags["eval_set"] for s in split.vault} == {"vault"}


def test_half_of_the_evaluation_rows_are_documents_held_out_whole() -> None:
    split = split_samples(_plain(documents=10), eval_ratio=0.2, vault_ratio=0.1)
    assert (len(split.train), len(split.recall), len(split.unseen), len(split.vault)) == (14, 2, 2, 2)
    held_out = {s.provenance.document for s in split.unseen}
    assert len(held_out) == 1
    assert held_out.isdisjoint(s.provenance.document for s in (*split.train, *split.recall, *split.vault))


@settings(max_examples=25, deadline=None)
@given(st.permutations(_plain(documents=5)), st.sampled_from(["datagen", "盐"]))
def test_the_split_does_not_depend_on_the_order_of_rows(rows: list[Sample], salt: str) -> None:
    one, other = split_samples(_plain(documents=5), eval_ratio=0.3, salt=salt), split_samples(rows, eval_ratio=0.3, salt=salt)
    for name in ("train", "recall", "unseen", "vault"):
        assert {s.id for s in getattr(one, name)} == {s.id for s in getattr(other, name)}


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(_rows()), max_size=40), st.sampled_from([0.1, 0.4]), st.sampled_from(["甲", "乙", "丙"]))
def test_near_duplicates_never_straddle_and_no_row_is_lost(rows: list[Sample], ratio: float, salt: str) -> None:
    split = split_samples(rows, eval_ratio=ratio, salt=salt)
    assert sorted(s.id for s in _all(split)) == sorted(s.id for s in rows)
    questions = [shingle(prompt_text(s.record), 5) for s in (*split.evaluation, *split.vault)]
    assert all(jaccard(shingle(prompt_text(s.record), 5), q) < 0.5 for s in split.train for q in questions)
    held_out = {s.provenance.document for s in split.unseen}
    assert held_out.isdisjoint(s.provenance.document for s in split.train)


def test_frozen_evaluation_rows_stay_exactly_those_when_rows_are_added() -> None:
    first = split_samples(_plain(10), eval_ratio=0.2, vault_ratio=0.1)
    names: tuple[Place, ...] = ("train", "recall", "unseen", "vault")
    places: dict[str, Place] = {s.id: name for name in names for s in getattr(first, name)}
    near = _sample(f"请问{prompt_text(first.recall[0].record)}", "换一种问法。")
    second = split_samples([*_plain(), near], eval_ratio=0.4, vault_ratio=0.1, frozen=places)
    assert {s.id for s in first.recall} == {s.id for s in second.recall}
    assert {s.id for s in first.vault} == {s.id for s in second.vault}
    assert {s.id for s in first.train} <= {s.id for s in second.train}
    assert [d.sample.id for d in second.quarantined] == [near.id]
    assert second.quarantined[0].reason == "leaks_into_recall"


def test_a_new_row_about_a_document_held_out_is_quarantined() -> None:
    rows = [_sample(f"第{i}条规定写了什么？", f"第{i}条：{'甲乙丙丁戊己'[i % 6]}方应在{i}日内付款。", f"doc{i % 6}.md") for i in range(48)]
    first = split_samples(rows[:36], eval_ratio=0.3, vault_ratio=0)
    held_out = {s.provenance.document for s in first.unseen}
    assert held_out
    names: tuple[Place, ...] = ("train", "recall", "unseen", "vault")
    places: dict[str, Place] = {s.id: name for name in names for s in getattr(first, name)}
    second = split_samples(rows, eval_ratio=0.3, vault_ratio=0, frozen=places)
    assert {s.id for s in second.unseen} == {s.id for s in first.unseen}
    late = {s.id for s in rows[36:] if s.provenance.document in held_out}
    assert late
    assert late <= {d.sample.id for d in second.quarantined}


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(_rows()), max_size=40), st.sampled_from([0.1, 0.4]), st.sampled_from(["甲", "乙"]), st.booleans())
def test_what_a_split_keeps_is_never_refused(rows: list[Sample], ratio: float, salt: str, named: bool) -> None:
    split = split_samples([s if named else Sample.of(s.record) for s in rows], eval_ratio=ratio, vault_ratio=0.1, salt=salt)
    refuse_leaks([NamedRows(split.train, "train")], [NamedRows((*split.evaluation, *split.vault), "eval")], override="nothing")


@pytest.mark.parametrize(("evaluation", "vault"), [(1.0, 0.0), (-0.1, 0.0), (0.6, 0.4)])
def test_ratios_out_of_range(evaluation: float, vault: float) -> None:
    with pytest.raises(UsageError, match="ratios must be"):
        split_samples(_plain(), eval_ratio=evaluation, vault_ratio=vault)


def test_no_rows() -> None:
    assert split_samples([]) == Split((), (), (), (), ())
