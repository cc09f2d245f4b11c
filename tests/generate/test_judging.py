"""The judge over real HTTP: it sees the source, compares pairs in both orders, and every row it takes out has a reason."""

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from datagen.clients import RetryPolicy, open_client
from datagen.generate.candidate import Candidates
from datagen.generate.opening import open_crew
from datagen.generate.specs import SPECS, JudgeSpec
from datagen.ingest.chunk import chunk_document
from datagen.schemas.document import Document, Language
from datagen.testing.stub_faults import Faults
from datagen.testing.stub_server import StubServer

Documents = dict[Language, Document]


def judged(stub: StubServer, kind: str, document: Document, *, least: int = 4, judge_url: str = "", **settings: object) -> Candidates:
    model = f"openai:stub@{stub.base_url}"
    base = {} if settings.pop("offline", False) or kind == "passage" else {"model": model, "items_per_request": 4}
    spec = SPECS[kind].model_validate({"kind": kind, **base, **settings})
    judge = JudgeSpec(model=f"openai:judge@{judge_url or stub.base_url}", least=least)

    async def run() -> Candidates:
        crew = open_crew([spec], lambda name: open_client(name, None, concurrency=4, retry=RetryPolicy(first_wait_s=0.01)), judge=judge)
        try:
            return await crew.writers[0][0].propose(document, chunk_document(document)[0], purpose="train", attempt=0)
        finally:
            await crew.aclose()

    return asyncio.run(run())


def reasons(found: Candidates) -> list[str]:
    return [d.reason for d in found.dropped]


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("kind", ["qa", "two_step_qa", "multi_turn"])
def test_grounded_rows_pass_and_keep_their_grade(kind: str, language: Language, documents: Documents) -> None:
    with StubServer() as stub:
        found = judged(stub, kind, documents[language])
    assert (len(found.samples), found.dropped) == (4, [])
    assert found.requests == 4 + (2 if kind == "two_step_qa" else 1)
    assert {s.scores["judge"] for s in found.samples} == {5.0}
    asked = [p["messages"][1]["content"] for p in stub.prompts if p["model"] == "judge"]
    assert len(asked) == 4
    for sample in found.samples:
        quotes = "\n\n".join(e.quote for e in sample.provenance.evidence)
        assert any(f">\n{quotes}\n</evidence" in text for text in asked)


@pytest.mark.parametrize(
    ("grades", "reason", "detail"),
    [
        ({"correct": 2, "complete": 5, "clear": 5}, "judged_incorrect", "correct 2 of 5: 漏了条件"),
        ({"correct": 5, "complete": 3, "clear": 3}, "judged_incomplete", "complete 3 of 5: 漏了条件"),
        ({"correct": 4, "complete": 4, "clear": 1}, "judged_unclear", "clear 1 of 5: 漏了条件"),
        ({"correct": 9}, "judge_failed", "complete: Field required"),
    ],
)
def test_the_lowest_grade_names_the_reason(grades: dict[str, int], reason: str, detail: str, documents: Documents) -> None:
    answer = {"content": json.dumps({"reason": "漏了条件", **grades}, ensure_ascii=False)}
    with StubServer() as stub, StubServer(script=[answer] * 8) as judge:
        found = judged(stub, "qa", documents["zh"], judge_url=judge.base_url)
    assert (found.samples, reasons(found)) == ([], [reason] * 4)
    assert detail in found.dropped[0].detail


def test_what_the_rules_dropped_is_not_paid_for_twice(documents: Documents) -> None:
    with StubServer(faults=Faults({"ungrounded": 1})) as stub:
        found = judged(stub, "qa", documents["en"])
        assert sum(p["model"] == "judge" for p in stub.prompts) == 3
    assert reasons(found) == ["evidence_not_found"]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_pairs_are_compared_in_both_orders(language: Language, documents: Documents) -> None:
    with StubServer() as stub:
        found = judged(stub, "preference", documents[language])
        shown = [p["messages"][1]["content"] for p in stub.prompts if p["model"] == "judge"]
    assert (len(found.samples), reasons(found), found.requests) == (4, [], 9)
    assert len(set(shown)) == 8
    with StubServer() as stub, StubServer(faults=Faults({"biased_judge": 1})) as judge:
        biased = judged(stub, "preference", documents[language], judge_url=judge.base_url)
    assert (biased.samples, reasons(biased)) == ([], ["judge_undecided"] * 4)
    assert biased.dropped[0].detail.startswith("chosen first: first; rejected first: first.")


def _preferred(better: str) -> dict[str, Any]:
    return {"content": json.dumps({"reason": "更准确", "better": better}, ensure_ascii=False)}


def test_a_judge_that_prefers_the_rejected_answer_is_heard(documents: Documents) -> None:
    # Answers arrive in any order, so all pairs get the same two verdicts: second for the first order, first for the other.
    with StubServer() as stub:
        base = judged(stub, "preference", documents["zh"])
    (sample, *_) = base.samples
    assert sample.scores["judge"] == 5.0
    item = {"evidence": "节假日顺延", "question": "春节退款怎么办？", "answer": "节假日顺延。", "question_type": "factual"}
    two = item | {"evidence": "收取首晚房费的 50%", "question": "晚上取消收多少？", "answer": "收取首晚房费的 50%。"}
    script = [{"content": json.dumps({"items": [two]}, ensure_ascii=False)}]
    with StubServer(script=script) as stub, StubServer(script=[_preferred("second"), _preferred("first")]) as judge:
        found = judged(stub, "preference", documents["zh"], judge_url=judge.base_url)
    assert [(d.reason, d.detail) for d in found.dropped] == [("judge_prefers_rejected", "更准确")]


def test_labels_are_checked_both_ways(documents: Documents) -> None:
    with StubServer() as stub:
        found = judged(stub, "feedback", documents["zh"])
    assert len(found.samples) >= 6
    good = {"content": json.dumps({"reason": "none", "correct": 5, "complete": 5, "clear": 5})}
    with StubServer() as stub, StubServer(script=[good] * 8) as judge:
        lenient = judged(stub, "feedback", documents["zh"], judge_url=judge.base_url)
    assert (len(lenient.samples), reasons(lenient)) == (4, ["judged_correct"] * 4)


@pytest.mark.parametrize("kind", ["unanswerable", "passage"])
def test_refusals_and_texts_are_not_graded(kind: str, documents: Documents) -> None:
    with StubServer() as stub:
        found = judged(stub, kind, documents["zh"])
        assert all(p["model"] != "judge" for p in stub.prompts)
    assert found.samples


def test_another_judge_is_another_fingerprint(documents: Documents) -> None:
    with StubServer() as stub:
        model = f"openai:stub@{stub.base_url}"
        spec = SPECS["qa"].model_validate({"kind": "qa", "model": model})

        def opened(judge: JudgeSpec | None) -> str:
            crew = open_crew([spec], lambda name: open_client(name, None, concurrency=1), judge=judge)
            try:
                return crew.writers[0][0].fingerprint()
            finally:
                asyncio.run(crew.aclose())

        judges: Sequence[JudgeSpec | None] = (None, JudgeSpec(model=model), JudgeSpec(model=model, least=3))
        found: Callable[[JudgeSpec | None], str] = opened
        assert len({found(judge) for judge in judges}) == 3
