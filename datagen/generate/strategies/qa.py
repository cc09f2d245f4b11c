"""``qa``: an LLM reads a chunk and writes questions with verbatim evidence and answers; what the evidence does not carry is dropped.

Evidence comes before the answer in the schema, so that the model quotes first and then answers from the quote. Prompts: ``prompts/qa/``.
Source of the idea: Alberti et al., "Synthetic QA Corpora Generation with Roundtrip Consistency", arXiv 1906.05416 (generate, then check).
"""

from pydantic import BaseModel, ConfigDict

from datagen.clients.types import ChatMessage, ChatRequest, Client
from datagen.generate.candidate import Candidates
from datagen.generate.grounding import check_answer, locate
from datagen.generate.prompts import Prompt, load_prompt
from datagen.generate.strategy import Purpose
from datagen.generate.structured import ask, strict_schema
from datagen.hashing import fingerprint
from datagen.schemas.document import Chunk, Document, Language
from datagen.schemas.record import question_answer
from datagen.schemas.sample import Provenance, Sample
from datagen.schemas.stage import Dropped
from datagen.text import detect_language


class _Item(BaseModel):
    model_config = ConfigDict(extra="ignore")

    evidence: str
    question: str
    answer: str
    question_type: str


class _Items(BaseModel):
    model_config = ConfigDict(extra="ignore")

    items: list[_Item]


class QA:
    """The strategy. ``items`` questions per request; attempts ask again with another sample index, so they cost again."""

    name = "qa"

    def __init__(self, client: Client, *, model: str = "", items: int = 5, temperature: float = 0.7, max_tokens: int = 2048) -> None:
        del model  # the client knows its model; the spec is in the recipe's fingerprint
        self._client = client
        self._items = items
        self._parameters = {"temperature": temperature, "max_tokens": max_tokens}
        self._prompts: dict[tuple[Purpose, Language], Prompt] = {
            ("train", "zh"): load_prompt("qa/zh.v1"),
            ("train", "en"): load_prompt("qa/en.v1"),
            ("exam", "zh"): load_prompt("qa/exam_zh.v1"),
            ("exam", "en"): load_prompt("qa/exam_en.v1"),
        }

    def fingerprint(self) -> str:
        """See :class:`datagen.generate.strategy.Strategy`."""
        prompts = [prompt.sha256 for prompt in self._prompts.values()]
        return fingerprint([self.name, self._client.provider, self._client.base_url, self._client.model, self._items, self._parameters, prompts])

    async def propose(self, document: Document, chunk: Chunk, *, purpose: Purpose, attempt: int) -> Candidates:
        """See :class:`datagen.generate.strategy.Strategy`."""
        prompt = self._prompts[purpose, chunk.language]
        request = ChatRequest(
            provider=self._client.provider,
            base_url=self._client.base_url,
            model=self._client.model,
            messages=(
                ChatMessage("system", prompt.head.system),
                ChatMessage("user", prompt.render(n=self._items, title=document.title, section=" / ".join(chunk.heading_path), passage=chunk.text)),
            ),
            parameters=self._parameters,
            schema=strict_schema(_Items),
            schema_name="items",
            sample_index=attempt,
        )
        outcome = await ask(self._client, request, _Items)
        base = Provenance(
            document=document.path,
            document_sha256=document.sha256,
            chunk_id=chunk.id,
            heading_path=chunk.heading_path,
            strategy=self.name,
            prompt=prompt.reference,
            prompt_sha256=prompt.sha256,
            provider=self._client.provider,
            model=self._client.model,
            parameters=self._parameters,
            request_key=outcome.request_key,
        )
        samples: list[Sample] = []
        dropped: list[Dropped] = []
        if outcome.value is None:
            text = outcome.responses[-1].text
            dropped.append(Dropped(Sample.of(question_answer("", text), provenance=base, tags={"language": chunk.language}), outcome.reason, outcome.detail))
        for item in outcome.value.items if outcome.value else []:
            found = self._check(item, base, document, chunk)
            (samples if isinstance(found, Sample) else dropped).append(found)  # type: ignore[arg-type]
        tokens_in = sum(r.tokens_in for r in outcome.responses)
        tokens_out = sum(r.tokens_out for r in outcome.responses)
        return Candidates(samples, dropped, len(outcome.responses), tokens_in, tokens_out)

    def _check(self, item: _Item, base: Provenance, document: Document, chunk: Chunk) -> Sample | Dropped:
        question, answer = item.question.strip(), item.answer.strip()
        span = locate(item.evidence, document, chunk) if item.evidence.strip() else None
        tags = {"language": chunk.language, "question_type": item.question_type.strip().lower()[:24] or "other"}
        if span is not None:
            tags["fact"] = f"{document.path}:{span.start}:{span.end}"
        provenance = base.model_copy(update={"evidence": (span,) if span else ()})
        sample = Sample.of(question_answer(question, answer), provenance=provenance, tags=tags)
        if not question:
            return Dropped(sample, "empty_question", "the question is empty")
        if span is None:
            return Dropped(sample, "evidence_not_found", f"not in the passage: {item.evidence[:80]}")
        # A short answer (a number, a name) has no language of its own.
        if detect_language(question) != chunk.language:
            return Dropped(sample, "wrong_language", f"the passage is {chunk.language}, the question {detect_language(question)}")
        defect = check_answer(answer, [span.quote], question)
        return Dropped(sample, *defect) if defect else sample
