"""Rejected answers by a small model that does not see the source: kept only where the evidence refutes them."""

import asyncio
import json
from pathlib import Path

import pytest

from datagen.clients import open_client
from datagen.generate.candidate import Candidates
from datagen.generate.contrast import Wrong, length_ratio
from datagen.generate.grounding import check_answer
from datagen.generate.opening import open_crew
from datagen.generate.rejecting import Rejecter, Rejection
from datagen.generate.specs import PreferenceSpec, models_of
from datagen.ingest.chunk import chunk_document
from datagen.schemas.document import Document, Language
from datagen.schemas.record import PreferenceRecord, question_answer
from datagen.schemas.sample import EvidenceSpan, Provenance, Sample
from datagen.testing.stub_server import StubServer
from datagen.testing.tiny_model import build_tiny_model

REASONS = {"rejected_not_refuted", "rejected_no_answer", "rejected_failed", "rejected_loop", "rejected_too_long"}
Documents = dict[Language, Document]
QUOTES: dict[Language, tuple[str, str]] = {
    "zh": ("退款多久到账？", "退款在 3 个工作日内原路退回，节假日顺延。"),
    "en": ("How long is luggage kept?", "Luggage can be stored at the concierge desk for up to 48 hours without a fee."),
}


def _sample(language: Language) -> Sample:
    question, quote = QUOTES[language]
    evidence = (EvidenceSpan(document="d.md", start=0, end=len(quote), quote=quote),)
    provenance = Provenance(document="d.md", evidence=evidence, heading_path=("规定", "退款"))
    return Sample.of(question_answer(question, quote), provenance=provenance)


def _reject(stub: StubServer, language: Language, document: Document) -> Rejection:
    async def run() -> Rejection:
        model = f"openai:stub@{stub.base_url}"
        client = open_client(model, None, concurrency=1)
        try:
            return await Rejecter(client, model=model).reject(_sample(language), document, language)
        finally:
            await client.aclose()

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("language", "answer", "outcome"),
    [
        ("zh", "退款在 7 个工作日内退回。", "probe_model"),
        ("en", "Luggage is kept for 24 hours.", "probe_model"),
        ("zh", "退款在 3 个工作日内退回。", "rejected_not_refuted"),
        ("zh", "退款按规定办理，请耐心等待。", "rejected_not_refuted"),
        ("en", "Luggage is kept for up to 48 hours.", "rejected_not_refuted"),
        ("zh", "退款多久到账？", "rejected_no_answer"),
        ("zh", "……！！！？", "rejected_no_answer"),
        ("zh", "会员可在离店后 30 天内申请补登积分。", "rejected_no_answer"),
        ("zh", "退款在 7 天内，在 7 天内，在 7 天内，在 7 天内，在 7 天内。", "rejected_loop"),
        ("zh", "退款一般在 7 个工作日之内由酒店前台按您付款时所用的方式办理，请您耐心等待银行处理，有疑问请致电。", "rejected_too_long"),
        ("en", "Luggage is kept for 24 hours, for 24 hours, for 24 hours, for 24 hours.", "rejected_loop"),
        ("zh", "Your refund will arrive within 9 working days.", "rejected_no_answer"),
    ],
)
def test_only_what_the_evidence_refutes_is_a_rejected_answer(language: Language, answer: str, outcome: str, documents: Documents) -> None:
    with StubServer(script=[{"content": json.dumps({"answer": answer}, ensure_ascii=False)}]) as stub:
        rejection = _reject(stub, language, documents[language])
    found = rejection.found
    assert (found.way if isinstance(found, Wrong) else found[0]) == outcome
    assert len(rejection.responses) == 1
    system, user = (m["content"] for m in stub.prompts[0]["messages"])
    question, quote = QUOTES[language]
    assert question in user
    assert quote not in user + system
    assert user.endswith(f"退款\n问题：{question}" if language == "zh" else f"退款\nQuestion: {question}")


def test_no_answer_is_named(documents: Documents) -> None:
    with StubServer(script=[{"content": "I do not know."}] * 2) as stub:
        assert _reject(stub, "en", documents["en"]).found == ("rejected_failed", "no JSON in the answer")
    with StubServer(script=[{"status": 400, "error": {"message": "content policy"}}] * 3) as stub:
        found = _reject(stub, "en", documents["en"]).found
    assert isinstance(found, tuple)
    assert (found[0], "content policy" in found[1]) == ("rejected_failed", True)


def _propose(spec: PreferenceSpec, document: Document, store: Path, *, batch: bool = False) -> Candidates:
    """Let the strategy make its candidates from the first chunk, through a response store."""

    async def work() -> Candidates:
        crew = open_crew([spec], lambda name: open_client(name, store, concurrency=4, batch=batch), batch=batch)
        ((strategy, _),) = crew.writers
        try:
            return await strategy.propose(document, chunk_document(document)[0], purpose="train", attempt=0)
        finally:
            await crew.aclose()

    return asyncio.run(work())


def test_pairs_of_a_writer_and_a_tiny_model(tmp_path: Path, documents: Documents) -> None:
    small = f"local:{build_tiny_model(tmp_path / 'tiny')}"
    document = documents["zh"]

    def run(url: str) -> Candidates:
        model = f"openai:stub@{url}"
        spec = PreferenceSpec(kind="preference", model=model, rejected="probe_model", probe_model=small, items_per_request=4)
        return _propose(spec, document, tmp_path / "r.sqlite")

    with StubServer() as stub:
        found, again = run(stub.base_url), run(stub.base_url)
    assert (stub.stats()["paid"], len(found.samples) + len(found.dropped)) == (1, 4)
    assert found.requests >= 1 + 4
    assert {d.reason for d in found.dropped} <= REASONS
    assert (again.samples, again.dropped) == (found.samples, found.dropped)
    for sample in found.samples:
        record = sample.record
        assert isinstance(record, PreferenceRecord)
        defect = check_answer(record.rejected.content, [e.quote for e in sample.provenance.evidence], record.prompt[0].content)
        assert defect is not None
        assert (defect[0], sample.tags["rejection"]) == ("unsupported_number", "probe_model")
        assert sample.scores["length_ratio"] == length_ratio(record.rejected.content, record.chosen.content)


def test_pairs_through_a_batch_api_take_the_tiny_model_at_once(tmp_path: Path, documents: Documents) -> None:
    small = f"local:{build_tiny_model(tmp_path / 'tiny')}"
    document = documents["zh"]

    def run(url: str, *, batch: bool, store: Path) -> Candidates:
        spec = PreferenceSpec(kind="preference", model=f"openai:stub@{url}", rejected="probe_model", probe_model=small, items_per_request=4)
        return _propose(spec, document, store, batch=batch)

    with StubServer() as stub:
        live = run(stub.base_url, batch=False, store=tmp_path / "live.sqlite")
        batched = run(stub.base_url, batch=True, store=tmp_path / "batched.sqlite")
        assert (stub.stats()["batches"], stub.stats()["paid"]) == (1, 2)
    assert (batched.samples, batched.dropped) == (live.samples, live.dropped)


def test_the_small_model_is_on_this_machine() -> None:
    assert models_of(PreferenceSpec(kind="preference")) == ()
    assert models_of(PreferenceSpec(kind="preference", model="openai:m", rejected="probe_model")) == ("openai:m", "local:gemma3-270m")
    with pytest.raises(ValueError, match="probe_model"):
        PreferenceSpec(kind="preference", rejected="probe_model", probe_model="openai:m")
