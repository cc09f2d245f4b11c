"""One call of an LLM strategy under way: what it asks, what it keeps, what it drops and why, and what that cost.

Shared by every strategy in ``strategies/``: building the request (prompt, schema, parameters, sample index), asking for structured data,
finding quotes in the document, provenance and tags. Requests are made one after the other, so a call is a fixed function of its chunk,
purpose and attempt as long as the client gives the same response to the same request (the response store sees to that).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from pydantic import BaseModel

from datagen.clients import ChatMessage, ChatRequest, Client, Parameters, RequestFailed
from datagen.clients.spec import ModelSpec
from datagen.generate.candidate import Candidates
from datagen.generate.grounding import locate
from datagen.generate.prompts import Prompt, load_prompt
from datagen.generate.reasoning import has_reasoning, with_reasoning
from datagen.generate.strategy import Purpose
from datagen.generate.structured import ask, extract_reasoning, strict_schema
from datagen.hashing import fingerprint
from datagen.library import Roots
from datagen.schemas.document import Chunk, Document
from datagen.schemas.record import Record, TextRecord
from datagen.schemas.sample import EvidenceSpan, Provenance, Sample
from datagen.schemas.stage import Dropped

T = TypeVar("T", bound=BaseModel)
Defect = tuple[str, str]
_WORD_BREAK = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@dataclass(frozen=True, slots=True)
class Desk:
    """What a strategy works with: its name, the client, the model, and how completions are asked for."""

    strategy: str
    client: Client
    spec: ModelSpec
    items: int
    parameters: Parameters
    library: Roots


@dataclass(frozen=True, slots=True)
class Asked(Generic[T]):
    """An answered request: the value, and what provenance needs to find it again."""

    value: T
    prompt: Prompt
    request: ChatRequest
    text: str


@dataclass(slots=True)
class Round:
    """The call. ``samples`` and ``dropped`` fill up in the order things were found.

    With ``keep_reasoning`` every answer gets the reasoning that led to it as ``<think>`` (of a conversation the last one: chat templates
    show a model no earlier thoughts). Rows without any are dropped, ``no_reasoning``, and all but the first kept row of one answer,
    ``shared_reasoning``: it is about several.
    """

    desk: Desk
    document: Document
    chunk: Chunk
    purpose: Purpose
    attempt: int
    keep_reasoning: bool = False
    samples: list[Sample] = field(default_factory=list[Sample])
    dropped: list[Dropped] = field(default_factory=list[Dropped])
    requests: int = 0
    tokens_in: int = 0
    tokens_out: int = 0

    @property
    def items(self) -> int:
        return self.desk.items

    async def ask(self, prompt: str, form: type[T], *, attempt: int | None = None, **values: object) -> Asked[T] | None:
        """Ask for an object of ``form``; None if none came, with the reason among ``dropped``.

        Args:
            prompt: its id, ``{language}`` standing for the chunk's.
            form: what the answer must be.
            attempt: the round told to the model; this call's own unless given.
            values: variables of the prompt beside the common ones (title, headings, passage, passage_id, items, round).

        Raises:
            ProviderError: no request can be served.
        """
        loaded = load_prompt(prompt.format(language=self.chunk.language), self.desk.library)
        number = self.attempt if attempt is None else attempt
        common = {
            "title": self.document.title,
            "headings": " > ".join(self.chunk.heading_path),
            "passage": self.chunk.text,
            "passage_id": self.chunk.id,
            "items": self.items,
            "round": number + 1,
        }
        system, user = loaded.render(**(common | values))
        request = ChatRequest(
            provider=self.desk.spec.provider,
            base_url=self.desk.spec.base_url,
            model=self.desk.spec.model,
            messages=(ChatMessage("system", system), ChatMessage("user", user)),
            parameters=self.desk.parameters,
            schema=strict_schema(form),
            schema_name=_WORD_BREAK.sub("_", form.__name__).lower(),
            sample_index=number,
        )
        try:
            answer = await ask(self.desk.client, request, form)
        except RequestFailed as failure:
            self.requests += 1
            self.drop_text(self.chunk.text, loaded, request, ("request_failed", failure.message))
            return None
        self.requests += len(answer.responses)
        self.tokens_in += sum(r.tokens_in for r in answer.responses)
        self.tokens_out += sum(r.tokens_out for r in answer.responses)
        if answer.value is None:
            defect = (answer.defect.reason, answer.defect.detail) if answer.defect else ("unparseable", "")
            self.drop_text(answer.text, loaded, answer.request, defect)
            return None
        return Asked(answer.value, loaded, answer.request, answer.text)

    def locate(self, quote: str, chunk: Chunk | None = None) -> EvidenceSpan | None:
        """Find a quote in the chunk, or in another one of the document."""
        return locate(quote, self.document, chunk or self.chunk)

    def sample(
        self,
        record: Record,
        asked: Asked[T],
        evidence: Sequence[EvidenceSpan | None],
        *,
        parents: Sequence[str] = (),
        question_type: str = "",
        **tags: str,
    ) -> Sample:
        """Wrap a record with this call's provenance and tags; quotes that were not found are left out of the evidence."""
        spans = tuple(span for span in evidence if span is not None)
        if self.keep_reasoning:
            record = with_reasoning(record, extract_reasoning(asked.text))
        provenance = self._provenance(asked.prompt, asked.request, spans, tuple(parents))
        return self._tagged(record, provenance, ({"question_type": question_type} if question_type else {}) | tags)

    def settle(self, sample: Sample, defect: Defect | None) -> bool:
        """Keep a sample without a defect, drop one with; say whether it was kept."""
        defect = defect or (self._reasoning_defect(sample) if self.keep_reasoning else None)
        if defect is None:
            self.samples.append(sample)
        else:
            self.dropped.append(Dropped(sample, *defect))
        return defect is None

    def _reasoning_defect(self, sample: Sample) -> Defect | None:
        if not has_reasoning(sample.record):
            return "no_reasoning", "the model gave an answer without reasoning"
        if any(s.provenance.request_key == sample.provenance.request_key for s in self.samples):
            return "shared_reasoning", "more rows came than were asked for: the reasoning is about all of them"
        return None

    def drop_text(self, text: str, prompt: Prompt, request: ChatRequest, defect: Defect) -> None:
        """Drop what never became a row, as its text."""
        provenance = self._provenance(prompt, request, (), ())
        self.dropped.append(Dropped(self._tagged(TextRecord(text=text), provenance, {}), *defect))

    def candidates(self) -> Candidates:
        """Return what came of the call."""
        return Candidates(self.samples, self.dropped, requests=self.requests, tokens_in=self.tokens_in, tokens_out=self.tokens_out)

    def _provenance(self, prompt: Prompt, request: ChatRequest, evidence: tuple[EvidenceSpan, ...], parents: tuple[str, ...]) -> Provenance:
        return Provenance(
            document=self.document.path,
            document_sha256=self.document.sha256,
            chunk_id=self.chunk.id,
            heading_path=self.chunk.heading_path,
            evidence=evidence,
            strategy=self.desk.strategy,
            prompt=prompt.id,
            prompt_sha256=prompt.sha256,
            provider=request.provider,
            model=request.model,
            parameters=request.parameters.to_json(),
            request_key=request.key(),
            parents=parents,
        )

    def _tagged(self, record: Record, provenance: Provenance, extra: dict[str, str]) -> Sample:
        tags = {"language": self.chunk.language, "row_style": "task", **extra}
        if provenance.evidence:
            span = provenance.evidence[0]
            tags["fact"] = fingerprint([span.document, span.start, span.end])[:16]
        return Sample.of(record, provenance=provenance, tags=tags)
