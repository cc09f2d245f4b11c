"""``qa``: questions and answers an LLM writes about a passage, each with a verbatim quote that is checked before the row counts.

Enters: one chunk. Leaves: grounded samples whose evidence is located in the document, and everything else dropped with its
reason: those of ``grounding.check_answer``, of ``structured`` (``truncated``, ``unparseable``, ``schema_mismatch``), and
``wrong_language``, ``empty_question``, ``question_needs_passage``, ``request_failed``. Attempt ``k`` asks for another round of
questions about the same passage.

Source: prompts written for datagen; one passage to several question-answer pairs with quoted evidence as in R. Ushio et al., "An empirical
comparison of LM-based question and answer generation methods", Findings of ACL 2023 (end-to-end QAG).
"""

import re
from pathlib import Path
from typing import Any, Literal

from pydantic import model_validator

from datagen.clients import ChatMessage, ChatRequest, Client, Parameters, RequestFailed, parse_spec
from datagen.generate.candidate import Candidates
from datagen.generate.grounding import check_answer, locate
from datagen.generate.prompts import Prompt, load_prompt
from datagen.generate.strategy import Purpose
from datagen.generate.structured import Answer, ask, strict_schema
from datagen.hashing import fingerprint
from datagen.schemas.document import Chunk, Document, Language
from datagen.schemas.record import Frozen, Record, TextRecord, question_answer
from datagen.schemas.sample import EvidenceSpan, Provenance, Sample
from datagen.schemas.stage import Dropped
from datagen.text import detect_language, units

PROMPT_VERSION = 1
# Raised whenever the checks below change what is kept, so that a rerun does not reuse older rows.
RULES_VERSION = 1

_NEEDS_PASSAGE = re.compile(
    r"(?i)(?:本文|上文|文中|原文|(?:这|该|此|上述|以上)段(?:文字|话|落|内容|材料)?|(?:给定|提供|上述|以上)的?(?:材料|文本|文段)"
    r"|\b(?:the|this|given|above)\s+(?:passage|excerpt|text above|given text|paragraph)\b)"
)


class QAItem(Frozen):
    """One item of an answer; evidence stands first, so that the model quotes before it writes."""

    evidence: str
    question: str
    answer: str
    question_type: Literal["factual", "procedural", "comparative", "why"]


class QAItems(Frozen):
    """A whole answer."""

    items: tuple[QAItem, ...]

    @model_validator(mode="before")
    @classmethod
    def _accept_bare_list(cls, value: Any) -> Any:
        return {"items": value} if isinstance(value, list) else value


class QA:
    """The strategy (see the module).

    Args:
        client: completes the requests; its cache makes ``propose`` deterministic.
        model: the model's spec, as given to ``open_client``.
        items: question-answer pairs asked for in one request.
        temperature: sampling temperature, 0 to 2.
        max_tokens: longest completion; the default leaves room for the items asked for.
        library: folder given with ``--library``, searched for ``prompts/qa`` first.

    Raises:
        UsageError: ``model`` is not a spec.
    """

    name = "qa"

    def __init__(
        self,
        client: Client,
        *,
        model: str,
        items: int = 5,
        temperature: float = 0.7,
        max_tokens: int | None = None,
        library: Path | None = None,
    ) -> None:
        self._client = client
        self._spec = parse_spec(model)
        self._items = items
        self._parameters = Parameters(temperature=temperature, max_tokens=max_tokens or 400 * items + 400)
        self._library = library
        self._schema = strict_schema(QAItems)

    def fingerprint(self) -> str:
        """Return a hash of prompts, model, parameters and rules."""
        prompts = [self._prompt(language, purpose).sha256 for language in ("zh", "en") for purpose in ("train", "exam")]
        spec = [self._spec.provider, self._spec.base_url, self._spec.model]
        return fingerprint([self.name, RULES_VERSION, prompts, spec, self._items, self._parameters.to_json(), self._schema])

    async def propose(self, document: Document, chunk: Chunk, *, purpose: Purpose, attempt: int) -> Candidates:
        """Ask for one round of items about ``chunk``; costs one request, two if the first answer does not fit the schema.

        Raises:
            ProviderError: no request can be served. A request that fails alone becomes a dropped row, ``request_failed``.
        """
        prompt = self._prompt(chunk.language, purpose)
        request = self._request(prompt, document, chunk, attempt)
        try:
            answer = await ask(self._client, request, QAItems)
        except RequestFailed as failure:
            sample = _sample(TextRecord(text=chunk.text), self._provenance(document, chunk, prompt, request, ()), chunk)
            return Candidates([], [Dropped(sample, "request_failed", failure.message)], requests=1)
        samples, dropped = self._judge(answer, document, chunk, prompt)
        return Candidates(
            samples,
            dropped,
            requests=len(answer.responses),
            tokens_in=sum(r.tokens_in for r in answer.responses),
            tokens_out=sum(r.tokens_out for r in answer.responses),
        )

    def _judge(self, answer: Answer[QAItems], document: Document, chunk: Chunk, prompt: Prompt) -> tuple[list[Sample], list[Dropped]]:
        if answer.value is None:
            reason, detail = (answer.defect.reason, answer.defect.detail) if answer.defect else ("unparseable", "")
            provenance = self._provenance(document, chunk, prompt, answer.request, ())
            return [], [Dropped(_sample(TextRecord(text=answer.text), provenance, chunk), reason, detail)]
        samples: list[Sample] = []
        dropped: list[Dropped] = []
        for item in answer.value.items:
            span = locate(item.evidence, document, chunk)
            provenance = self._provenance(document, chunk, prompt, answer.request, (span,) if span else ())
            record = question_answer(item.question.strip(), item.answer.strip())
            sample = _sample(record, provenance, chunk, item.question_type)
            defect = _find_defect(item, span, chunk.language)
            if defect:
                dropped.append(Dropped(sample, *defect))
            else:
                samples.append(sample)
        return samples, dropped

    def _request(self, prompt: Prompt, document: Document, chunk: Chunk, attempt: int) -> ChatRequest:
        system, user = prompt.render(
            title=document.title,
            headings=" > ".join(chunk.heading_path),
            passage=chunk.text,
            passage_id=chunk.id,
            items=self._items,
            round=attempt + 1,
        )
        return ChatRequest(
            provider=self._spec.provider,
            base_url=self._spec.base_url,
            model=self._spec.model,
            messages=(ChatMessage("system", system), ChatMessage("user", user)),
            parameters=self._parameters,
            schema=self._schema,
            schema_name="qa_items",
            sample_index=attempt,
        )

    def _prompt(self, language: Language, purpose: Purpose) -> Prompt:
        name = f"exam_{language}" if purpose == "exam" else language
        return load_prompt(f"qa/{name}.v{PROMPT_VERSION}", self._library)

    def _provenance(
        self, document: Document, chunk: Chunk, prompt: Prompt, request: ChatRequest, evidence: tuple[EvidenceSpan, ...]
    ) -> Provenance:
        return Provenance(
            document=document.path,
            document_sha256=document.sha256,
            chunk_id=chunk.id,
            heading_path=chunk.heading_path,
            evidence=evidence,
            strategy=self.name,
            prompt=prompt.id,
            prompt_sha256=prompt.sha256,
            provider=request.provider,
            model=request.model,
            parameters=request.parameters.to_json(),
            request_key=request.key(),
        )


def _find_defect(item: QAItem, span: EvidenceSpan | None, language: Language) -> tuple[str, str] | None:
    if not units(item.question):
        return "empty_question", "the question has no words"
    if span is None:
        return "evidence_not_found", f"not in the passage: {item.evidence[:80]}"
    defect = check_answer(item.answer, [span.quote], item.question)
    if defect:
        return defect
    found = detect_language(item.question)
    if found != language:
        return "wrong_language", f"the question is {found}, the document {language}"
    needs = _NEEDS_PASSAGE.search(item.question)
    return ("question_needs_passage", f"'{needs.group()}' means nothing without the passage") if needs else None


def _sample(record: Record, provenance: Provenance, chunk: Chunk, question_type: str = "") -> Sample:
    tags = {"language": chunk.language, "row_style": "task"}
    if question_type:
        tags["question_type"] = question_type
    if provenance.evidence:
        span = provenance.evidence[0]
        tags["fact"] = fingerprint([span.document, span.start, span.end])[:16]
    return Sample.of(record, provenance=provenance, tags=tags)
