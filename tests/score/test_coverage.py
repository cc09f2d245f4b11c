"""Facts, retrieval and coverage on a small document whose figures can be counted by hand."""

import pytest

from datagen.ingest.sections import find_sections
from datagen.schemas.document import Document
from datagen.schemas.record import question_answer
from datagen.schemas.sample import EvidenceSpan, Provenance, Sample
from datagen.score.coverage.corpus import Corpus
from datagen.score.coverage.facts import find_facts
from datagen.score.coverage.grounding import check_grounding
from datagen.score.coverage.measure import Coverage, measure_coverage
from datagen.score.coverage.retrieve import PassageIndex

TEXT = """# 入住须知

## 退房

退房时间为中午12点，金卡会员可延迟到14点。

## 早餐

早餐7:00开始，每位68元，详见《早餐须知》。

| 房型 | 价格 |
|---|---|
| 大床房 | 588元 |
| 套房 | 988元 |
"""


def document(text: str = TEXT, path: str = "zh/入住.md") -> Document:
    return Document(
        path=path, sha256="0" * 64, media_type="md", language="zh", title="入住须知", text=text, sections=tuple(find_sections(text))
    )


def row(question: str, answer: str, quote: str = "") -> Sample:
    spans = (
        (EvidenceSpan(document="zh/入住.md", start=TEXT.index(quote), end=TEXT.index(quote) + len(quote), quote=quote),) if quote else ()
    )
    return Sample.of(question_answer(question, answer), provenance=Provenance(evidence=spans), tags={"language": "zh"})


def measure(rows: list[Sample]) -> Coverage:
    corpus = Corpus([document()])
    places = corpus.locate(rows, least_support=0.3)
    texts = [f"{r.record.messages[0].content}\n{r.record.messages[1].content}" for r in rows if r.record.kind == "conversation"]
    return measure_coverage(corpus, texts, places)


def test_facts_are_counted_with_their_places() -> None:
    own = document()
    breakfast = next(s for s in own.sections if s.heading_path[-1] == "早餐")
    facts = find_facts(own, breakfast)
    assert [(f.kind, f.text) for f in facts if f.kind != "table_row"] == [
        ("date", "7:00"), ("number", "68元"), ("term", "早餐须知"), ("number", "588元"), ("number", "988元"),
    ]  # fmt: skip
    assert [TEXT[f.start : f.end] for f in facts if f.kind == "table_row"] == ["| 大床房 | 588元 |", "| 套房 | 988元 |"]


@pytest.mark.parametrize("quote", ["退房时间为中午12点", ""], ids=["by evidence", "by retrieval"])
def test_a_fact_is_touched_only_if_a_row_says_it(quote: str) -> None:
    coverage = measure([row("退房时间是几点？", "退房时间为中午12点。", quote)])
    section = next(s for s in coverage.per_section if s.heading_path[-1:] == ("退房",))
    said = {f.text: hit for f, hit in zip(section.facts, section.touched, strict=True)}
    assert said == {"中午12点": True, "14点": False}
    assert coverage.sections == (1, 2)
    assert coverage.placed_by["evidence" if quote else "retrieval"] == 1
    assert [s.heading_path[-1] for s in coverage.under_covered()] == ["早餐"]


def test_uncovered_sentences_are_given_by_offset() -> None:
    coverage = measure([row("大床房多少钱？", "大床房588元。", "| 大床房 | 588元 |")])
    breakfast = next(s for s in coverage.per_section if s.heading_path[-1:] == ("早餐",))
    assert [TEXT[s.start : s.end].strip() for s in breakfast.uncovered] == [
        "早餐7:00开始，每位68元，详见《早餐须知》。",
        "| 套房 | 988元 |",
    ]
    assert coverage.facts["table_row"] == (1, 2)


def test_grounding_names_the_flaw() -> None:
    moved = row("退房？", "退房时间为中午12点。", "退房时间为中午12点")
    span = moved.provenance.evidence[0].model_copy(update={"start": 0, "end": 9})
    moved = moved.model_copy(update={"provenance": Provenance(evidence=(span,))})
    rows = [
        row("退房时间是几点？", "退房时间为中午12点。"),
        row("早餐每位多少钱？", "早餐每位98元。"),
        row("红烧肉怎么做？", "先把五花肉焯水，再用冰糖炒出糖色。"),
        moved,
    ]
    corpus = Corpus([document()])
    flaws = check_grounding(corpus, rows, corpus.locate(rows, least_support=0.3))
    assert [(f.row, f.code) for f in flaws] == [(1, "unsupported_number"), (2, "off_topic"), (3, "evidence_not_found")]
    assert flaws[0].what == "98元"


def test_support_is_the_weighted_share_of_a_texts_terms() -> None:
    index = PassageIndex(["退房时间", "早餐时间"])
    whole, half, none = index.support(["退房时间", "退房电话", "黄山"])
    assert whole.passages[0] == 0
    assert whole.best == pytest.approx(1.0)
    # 退房 stands in one of two passages (log 3), 房电 and 电话 in none (log 3 each): one third.
    assert half.best == pytest.approx(1 / 3)
    assert none.best == 0.0
    assert index.support([""])[0].passages == ()
