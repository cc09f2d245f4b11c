"""The offline strategy on a Chinese and an English product page, question by question."""

import asyncio
import re
from itertools import product
from pathlib import Path

import pytest

from datagen.generate.extractive import Extractive, find_facts
from datagen.generate.extractive.fact import place_of
from datagen.generate.extractive.phrasing import phrase, similarity
from datagen.generate.extractive.templates import load_templates
from datagen.generate.strategy import Purpose
from datagen.schemas.document import Chunk, Document, Language, Section
from datagen.schemas.record import completion_text, prompt_text
from datagen.schemas.sample import Sample
from datagen.text import estimate_tokens

ZH = """# 云栖酒店入住指南

云栖酒店是一家位于杭州西湖区的度假酒店，共有 186 间客房。

## 取消政策

入住前 48 小时可免费取消；逾期取消，收取首晚房费的 **50%**。钟点房是指按小时计价、不过夜的客房。
住客须在前台出示有效身份证件。

## 房型与价格

| 房型 | 面积 | 门市价 | 含早餐 |
|---|---|---|---|
| 豪华大床房 | 35㎡ | 888 元 | 是 |
| 家庭套房 | 62㎡ | 1,588 元 | 否 |

## 预订步骤

1. 打开首页，选择城市和入住日期。
2. 选择房型，填写入住人姓名。
3. 提交订单并付款。

## 可以带宠物入住吗？

可以。每间客房限带一只，体重不超过 10 公斤，每晚收取清洁费 80 元。

## 前台

- 办公时间：9:00-18:00
- 押金：300 元

问：停车收费吗？
答：住店客人免费停车，每房限一辆。
"""

EN = """# Brookrest Lodge Guide

A late check-out is an extension of the stay beyond 11:00 on the day of departure.

## Cancellation

Bookings can be cancelled free of charge up to 48 hours before arrival. Late cancellation costs 60 dollars.
Guests must present a valid passport, also for short stays.

## Rooms

| Room | Size | Price |
|---|---|---|
| Garden double | 28 sqm | USD 95 |
| Family suite | 60 sqm | USD 180 |

## How to book

1. Open the home page and choose a city.
2. Enter the names of all guests.
3. Pay with a card.

## Can I bring a dog?

Yes, one dog per room is welcome. The cleaning fee is 15 dollars per stay.

## Contact

Reception hours: 07:00 to 23:00
"""


def _document(text: str, language: Language, path: str = "guide.md") -> Document:
    starts = [m.start() for m in re.finditer(r"(?m)^#", text)]
    heads = [text[s:].split("\n", 1)[0].lstrip("# ") for s in starts]
    paths = [(heads[0],) if i == 0 else (heads[0], h) for i, h in enumerate(heads)]
    sections = tuple(
        Section(heading_path=p, start=s, end=e) for p, s, e in zip(paths, starts, [*starts[1:], len(text)], strict=True)
    )  # fmt: skip
    return Document(
        path=path, sha256="a" * 64, media_type="md", language=language, title=heads[0], text=text, sections=sections
    )  # fmt: skip


def _chunk(document: Document) -> Chunk:
    text = document.text
    return Chunk.of(document, 0, len(text), (document.title,), estimate_tokens(text))


def _propose(text: str, language: Language, purpose: Purpose, attempt: int = 0) -> list[Sample]:
    document = _document(text, language)
    return asyncio.run(Extractive().propose(document, _chunk(document), purpose=purpose, attempt=attempt)).samples


def _pairs(text: str, language: Language, purpose: Purpose) -> dict[str, str]:
    return {prompt_text(s.record): completion_text(s.record) for s in _propose(text, language, purpose)}


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("根据《云栖酒店入住指南》的“取消政策”，入住前多少小时可免费取消？", "48 小时"),
        ("根据《云栖酒店入住指南》的“取消政策”，逾期取消，收取首晚房费的百分之多少？", "50%"),
        ("《云栖酒店入住指南》里说的“钟点房”指什么？", None),
        ("在《云栖酒店入住指南》中，哪个名称指的是“按小时计价、不过夜的客房”？", "钟点房"),
        ("按《云栖酒店入住指南》的规定，豪华大床房对应的“门市价”是多少？", "888 元"),
        ("在《云栖酒店入住指南》的“预订步骤”里，“选择房型，填写入住人姓名”是第几步？", "第 2 步。"),
        ("可以带宠物入住吗？", "可以。"),
        ("按照《云栖酒店入住指南》的“前台”，押金是多少？", "300 元"),
        ("依据《云栖酒店入住指南》，“预订步骤”的最后一步是什么？", "提交订单并付款。"),
    ],
)
def test_chinese_exam_questions(question: str, answer: str | None) -> None:
    assert _pairs(ZH, "zh", "exam").get(question) == answer


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("How much does late cancellation cost, according to Brookrest Lodge Guide?", "60 dollars"),
        ("For Garden double, what is listed under \"Price\" in Brookrest Lodge Guide?", "USD 95"),
        ("Going by Brookrest Lodge Guide, what is the last step of \"How to book\"?", "Pay with a card."),
        ("Can I bring a dog?", "Yes, one dog per room is welcome."),
    ],
)  # fmt: skip
def test_english_exam_questions(question: str, answer: str) -> None:
    assert _pairs(EN, "en", "exam")[question] == answer


@pytest.mark.parametrize(("text", "language"), [(ZH, "zh"), (EN, "en")])
def test_a_page_gives_many_facts_of_many_kinds(text: str, language: Language) -> None:
    train = _propose(text, language, "train")
    assert len({s.tags["fact"] for s in train}) >= 12
    assert {s.tags["question_type"] for s in train} >= {
        "faq",
        "table",
        "table_row",
        "procedure",
        "step",
        "key_value",
        "number",
        "definition",
    }


@pytest.mark.parametrize("purpose", ["train", "exam"])
@pytest.mark.parametrize(("text", "language"), [(ZH, "zh"), (EN, "en")])
def test_provenance_is_complete_and_evidence_verbatim(text: str, language: Language, purpose: Purpose) -> None:
    document = _document(text, language)
    for sample in _propose(text, language, purpose):
        source = sample.provenance
        assert (source.document, source.document_sha256, source.strategy, source.provider) == (
            document.path,
            "a" * 64,
            "extractive",
            "none",
        )
        assert source.chunk_id == _chunk(document).id
        assert source.heading_path[0] == document.title
        assert source.prompt == f"extractive/{language}@v1"
        assert source.evidence
        assert all(text[e.start : e.end] == e.quote and e.document == document.path for e in source.evidence)
        assert set(sample.tags) == {"language", "question_type", "row_style", "fact"}


@pytest.mark.parametrize(("text", "language"), [(ZH, "zh"), (EN, "en")])
def test_train_and_exam_phrasings_of_a_fact_stay_apart(text: str, language: Language) -> None:
    document = _document(text, language)
    compared = 0
    for fact in find_facts(document, _chunk(document)):
        train, exam, exam_answer = phrase(fact, place_of(document, fact.span.start, language), load_templates(language))
        for a, b in product(train, exam):
            assert similarity(a, b) < 0.5, (a, b)
            compared += 1
        if exam:
            assert similarity(fact.full, exam_answer) < 0.5, (fact.full, exam_answer)
    assert compared > 50


@pytest.mark.parametrize(("text", "language"), [(ZH, "zh"), (EN, "en")])
def test_attempts_go_from_facts_to_paraphrases_and_end(text: str, language: Language) -> None:
    first, second = _propose(text, language, "train", 0), _propose(text, language, "train", 1)
    assert {s.tags["fact"] for s in second} <= {s.tags["fact"] for s in first}
    assert not {s.id for s in second} & {s.id for s in first}
    assert _propose(text, language, "train", 9) == []
    assert first == _propose(text, language, "train", 0)


@pytest.mark.parametrize("purpose", ["train", "exam"])
@pytest.mark.parametrize(("text", "language"), [(ZH, "zh"), (EN, "en")])
def test_no_markdown_and_one_answer_for_each_question(text: str, language: Language, purpose: Purpose) -> None:
    samples = _propose(text, language, purpose)
    questions = [prompt_text(s.record) for s in samples]
    assert len(set(questions)) == len(questions)
    for sample in samples:
        both = prompt_text(sample.record) + completion_text(sample.record)
        assert not re.search(r"\*\*|\||^#|\{\w+\}", both), both


def test_templates_of_both_languages_know_the_same_forms_of_structured_facts() -> None:
    zh, en = load_templates("zh").by_kind, load_templates("en").by_kind
    shared = {"faq", "definition", "table", "table_number", "table_yes_no", "table_row", "procedure", "step", "first_step"}
    assert shared | {"list", "list_lead", "key_value", "key_number", "rule", "statement"} <= set(zh) & set(en)
    assert {"number", "date", "alias"} <= set(zh)
    assert {"number_asked", "number_blank", "date_asked", "date_blank", "term", "definition_plural"} <= set(en)


def test_braces_in_a_document_are_text() -> None:
    text = "# 变量说明\n\n占位符：{question} 和 {where} 会在 30 秒内被替换。\n\n{row}：每 {value} 收取 5 元。\n"
    for purpose in ("train", "exam"):
        for sample in _propose(text, "zh", purpose):
            assert all(text[e.start : e.end] == e.quote for e in sample.provenance.evidence)


def test_every_example_document_gives_at_least_a_dozen_facts() -> None:
    folder = Path(__file__).parents[3] / "examples" / "hotel_ota" / "docs"
    paths = sorted(folder.rglob("*.md"))
    assert paths, f"no documents under {folder}"
    for path in paths:
        document = _document(path.read_text(encoding="utf-8"), "zh" if "zh" in path.parts else "en", path.name)
        samples = asyncio.run(Extractive().propose(document, _chunk(document), purpose="train", attempt=0)).samples
        assert len({s.tags["fact"] for s in samples}) >= 12, path
        assert all(document.text[e.start : e.end] == e.quote for s in samples for e in s.provenance.evidence)
