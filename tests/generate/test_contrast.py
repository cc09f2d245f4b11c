"""Answers proved wrong, and the preference and feedback rows made of them: zh and en, over the stub and by rules alone."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from datagen.generate.candidate import Candidates
from datagen.generate.contrast import length_ratio, wrong_answer
from datagen.generate.extractive import Extractive
from datagen.generate.grounding import check_answer
from datagen.generate.runner import generate
from datagen.generate.strategies import Feedback, Passage, Preference
from datagen.ingest import ingest_paths
from datagen.ingest.chunk import chunk_document
from datagen.schemas.document import Document, Language
from datagen.schemas.record import FeedbackRecord, PreferenceRecord, TextRecord, question_answer
from datagen.schemas.sample import EvidenceSpan, Provenance, Sample
from datagen.testing.stub_faults import Faults
from datagen.testing.stub_server import StubServer

Documents = dict[Language, Document]
Propose = Callable[..., Sequence[Candidates]]


def row(question: str, answer: str, quote: str, start: int = 0) -> Sample:
    span = EvidenceSpan(document="d.md", start=start, end=start + len(quote), quote=quote)
    return Sample.of(question_answer(question, answer), provenance=Provenance(document="d.md", evidence=(span,)))


@pytest.mark.parametrize(
    ("answer", "ways"),
    [
        ("退房时间为中午 12:00，最晚 14:00。", {"number"}),
        ("须提前三天通知前台。", {"number"}),
        ("押金 300 元，离店后 7 个工作日内退还。", {"number", "unit"}),
        ("3 月 15 日起收取首晚房费的 50%。", {"number"}),
        ("Luggage is kept for 48 hours without a fee.", {"number", "unit"}),
        ("Two guests share a room at 30 dollars per stay.", {"number", "unit"}),
        ("Check-in is from 3 pm.", {"number"}),
    ],
)
def test_one_number_or_unit_is_changed_and_the_evidence_refutes_it(answer: str, ways: set[str]) -> None:
    # The way tried first is drawn by the sample's id: other questions bring the other ways.
    made = [wrong_answer(row(f"规定是什么？What applies in case {i}?", answer, answer), ()) for i in range(12)]
    found = [wrong for wrong in made if wrong is not None]
    assert len(found) == 12
    assert {wrong.way for wrong in found} == ways
    for wrong in found:
        assert wrong.text != answer
        assert check_answer(answer, [answer], "q") is None
        defect = check_answer(wrong.text, [answer], "q")
        assert defect is not None
        assert defect[0] == "unsupported_number"
        assert 0.7 < length_ratio(wrong.text, answer) < 1.3


def test_what_cannot_be_proved_wrong_is_not_made_up() -> None:
    sample = row("宠物可以入住吗？", "宠物不可以入住客房。", "宠物不可以入住客房")
    assert wrong_answer(sample, ()) is None
    elsewhere = row("早餐在哪里供应？", "早餐在二楼餐厅供应。", "早餐在二楼餐厅供应", start=40)
    wrong = wrong_answer(sample, [elsewhere])
    assert wrong is not None
    assert (wrong.text, wrong.way) == ("早餐在二楼餐厅供应。", "span")
    # The same place, nearly the same question, or an answer the own evidence also holds: no proof.
    for other in (
        row("早餐在哪里供应？", "早餐在二楼餐厅供应。", "早餐在二楼餐厅供应", start=5),
        row("宠物可以入住房间吗？", "前台可以寄养小型宠物犬。", "前台可以寄养小型宠物犬", start=40),
        row("客房里有什么规定？", "宠物不可以入住客房。", "客房内宠物不可以入住客房", start=40),
    ):
        assert wrong_answer(sample, [other]) is None


@pytest.mark.parametrize("language", ["zh", "en"])
def test_pairs_over_a_model(language: Language, documents: Documents, propose_with: Propose) -> None:
    with StubServer() as stub:
        model = {"model": f"openai:stub@{stub.base_url}"}
        (base,) = propose_with(stub, "qa", documents[language])
        (pairs,) = propose_with(stub, "preference", documents[language], **model)
        (labels,) = propose_with(stub, "feedback", documents[language], **model)
        (exam,) = propose_with(stub, "preference", documents[language], purpose="exam", **model)
    assert (len(pairs.samples), pairs.dropped, pairs.requests) == (4, [], 1)
    for sample, origin in zip(pairs.samples, base.samples, strict=True):
        record = sample.record
        assert isinstance(record, PreferenceRecord)
        assert record.chosen.content == sample.provenance.evidence[0].quote
        assert record.chosen.content != record.rejected.content
        assert (sample.provenance.parents, sample.provenance.strategy) == ((origin.id,), "preference")
        assert sample.tags["rejection"] in ("number", "unit", "span")
        assert sample.scores == {"length_ratio": length_ratio(record.rejected.content, record.chosen.content)}
    good = [s.record.label for s in labels.samples if isinstance(s.record, FeedbackRecord)]
    assert Counter(good) == {True: 4, False: 4}
    assert {s.provenance.prompt for s in exam.samples} == {f"qa/exam_{language}.v1"}


def test_bad_rows_of_the_base_are_dropped_under_their_name(documents: Documents, propose_with: Propose) -> None:
    with StubServer(faults=Faults({"ungrounded": 1})) as stub:
        (pairs,) = propose_with(stub, "preference", documents["zh"])
    assert (len(pairs.samples), [d.reason for d in pairs.dropped]) == (3, ["evidence_not_found"])


def test_offline_pairs_of_the_example_documents(repo: Path) -> None:
    found = ingest_paths([repo / "examples" / "hotel_ota" / "docs"])
    chunks = [chunk for document in found.documents for chunk in chunk_document(document)][::3]

    def run(strategy: Preference | Feedback | Passage) -> tuple[list[Sample], dict[str, object]]:
        work = generate(found.documents, chunks, [(strategy, 1.0)], target=100_000, purpose="train", max_attempts=1, persona={"zh": "客服"})
        result = asyncio.run(work)
        return list(result.kept), result.stats

    pairs, stats = run(Preference(Extractive()))
    assert len(pairs) > 400
    assert set(Counter((s.tags["rejection"], s.tags["language"]) for s in pairs)) == {
        (way, language) for way in ("number", "unit", "span") for language in ("zh", "en")
    }
    ratio = stats["length_ratio"]
    assert isinstance(ratio, dict)
    assert ratio["least"] >= 0.5
    assert 0.9 < ratio["median"] < 1.1
    assert ratio["most"] <= 2.0
    for sample in pairs:
        record = sample.record
        assert isinstance(record, PreferenceRecord)
        if sample.tags["rejection"] != "span":
            quotes = [e.quote for e in sample.provenance.evidence]
            defect = check_answer(record.rejected.content, quotes, record.prompt[0].content)
            assert defect is not None
            assert defect[0] == "unsupported_number"
    labels, _ = run(Feedback(Extractive()))
    share = sum(isinstance(s.record, FeedbackRecord) and s.record.label for s in labels) / len(labels)
    assert 0.45 < share < 0.6
    texts, _ = run(Passage())
    assert [s.record.text for s in texts if isinstance(s.record, TextRecord)] == [s.provenance.evidence[0].quote for s in texts]
    assert len(texts) == len(chunks)
