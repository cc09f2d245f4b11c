"""Wrong answers that a small model gives without the source: what a model to be tuned would say itself, for preference pairs.

The model sees the question alone. Its answer is kept only when the evidence refutes it by rule, as for ``contrast``: it states a number,
time, date or amount, with its unit, that the evidence does not. Reasons for the others: ``rejected_not_refuted`` (nothing in it that the
evidence contradicts; it may be right), ``rejected_no_answer`` (no words, the question or an example of the prompt again, or in another
language: no pair teaches by it), ``rejected_loop`` (it says the same thing again and again), ``rejected_too_long`` (over twice the right
answer's length: length alone would tell the two apart, and a preference for short answers is what would be learned),
``rejected_failed`` (no answer came).
"""

from dataclasses import dataclass

from pydantic import Field

from datagen.clients import ChatMessage, ChatRequest, ChatResponse, Client, Parameters, RequestFailed, parse_spec
from datagen.generate.contrast import LONGEST as LONGEST_RATIO
from datagen.generate.contrast import Wrong, length_ratio
from datagen.generate.defects import Defect, answer_language_defect
from datagen.generate.grounding import check_answer
from datagen.generate.prompts import load_prompt
from datagen.generate.structured import ask, strict_schema
from datagen.hashing import fingerprint
from datagen.library import Roots
from datagen.schemas.document import Document, Language
from datagen.schemas.record import Frozen, completion_text, prompt_text
from datagen.schemas.sample import Sample

PROMPT = "preference/rejected_{language}.v1"
LONGEST = 128
"""Tokens of an answer."""
_LOOP_WINDOW, _LOOP_SHARE = 5, 0.3
"""An answer loops if more than this share of its windows of so many characters stood in it before."""


class WrittenAnswer(Frozen):
    """The answer; its length is kept while it is decoded, for left alone a small model often says nothing, or does not end."""

    answer: str = Field(min_length=6, max_length=120)


@dataclass(frozen=True, slots=True)
class Rejection:
    """A wrong answer, or why there is none; and the responses on the way."""

    found: Wrong | Defect
    responses: tuple[ChatResponse, ...] = ()


class Rejecter:
    """Asks a small model.

    Args:
        client: of the model; its store makes a second run free.
        model: its spec.
        temperature: of sampling.
        library: folder given with ``--library``, searched for prompts first.
    """

    def __init__(self, client: Client, *, model: str, temperature: float = 0.7, library: Roots = ()) -> None:
        self._client = client
        self._spec = parse_spec(model)
        self._parameters = Parameters(temperature, LONGEST)
        self._library = library

    def fingerprint(self) -> str:
        """Return a hash of prompts, model and parameters."""
        prompts = [load_prompt(PROMPT.format(language=language), self._library).sha256 for language in ("zh", "en")]
        return fingerprint([prompts, self._spec.provider, self._spec.base_url, self._spec.model, self._parameters.to_json()])

    async def reject(self, sample: Sample, document: Document, language: Language) -> Rejection:
        """Return an answer to a grounded sample's question that its evidence refutes.

        Raises:
            ProviderError: no request can be served.
        """
        question = prompt_text(sample.record)
        request = self._request(question, " > ".join(sample.provenance.heading_path[-1:]) or document.title, language)
        try:
            answer = await ask(self._client, request, WrittenAnswer)
        except RequestFailed as failure:
            return Rejection(("rejected_failed", failure.message))
        if answer.value is None:
            return Rejection(("rejected_failed", answer.defect.detail if answer.defect else "no answer"), answer.responses)
        text = " ".join(answer.value.answer.split())
        if text and text in request.messages[-1].content:
            return Rejection(("rejected_no_answer", f"copied from the prompt: {text[:80]}"), answer.responses)
        found = _refuted(text, question, [e.quote for e in sample.provenance.evidence], language)
        if isinstance(found, Wrong):
            found = _unusable(text, completion_text(sample.record)) or found
        return Rejection(found, answer.responses)

    def _request(self, question: str, title: str, language: Language) -> ChatRequest:
        system, user = load_prompt(PROMPT.format(language=language), self._library).render(question=question, title=title)
        return ChatRequest(
            provider=self._spec.provider,
            base_url=self._spec.base_url,
            model=self._spec.model,
            messages=(ChatMessage("system", system), ChatMessage("user", user)),
            parameters=self._parameters,
            schema=strict_schema(WrittenAnswer),
            schema_name="written_answer",
        )


def _refuted(text: str, question: str, quotes: list[str], language: Language) -> Wrong | Defect:
    defect, foreign = check_answer(text, quotes, question), answer_language_defect(text, quotes, language)
    if foreign or (defect and defect[0] != "unsupported_number"):
        return "rejected_no_answer", f"{(foreign or defect or ('', ''))[1]}: {text[:80]}"
    if defect is None:
        return "rejected_not_refuted", f"the evidence does not contradict it: {text[:80]}"
    return Wrong(text, "probe_model", defect[1])


def _unusable(text: str, right: str) -> Defect | None:
    """Say why a wrong answer makes no pair, though its evidence refutes it."""
    windows = [text[i : i + _LOOP_WINDOW] for i in range(max(1, len(text) - _LOOP_WINDOW + 1))]
    again = 1 - len(set(windows)) / len(windows)
    if again > _LOOP_SHARE:
        return "rejected_loop", f"{again:.0%} of it stood in it before: {text[:80]}"
    if (ratio := length_ratio(text, right)) > LONGEST_RATIO:
        return "rejected_too_long", f"{ratio:g} times the right answer's length: {text[:80]}"
    return None
