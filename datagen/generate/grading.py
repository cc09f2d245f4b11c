"""How an LLM is asked for its opinion of a row: one row by a rubric, or two answers side by side; the source is in the prompt.

The judge sees the question, the answer and, where the row has evidence, the passages it rests on: a judge without the source can only grade
style. The reason stands before the grade, so that the grade follows from it.

Source: Y. Liu et al., "G-Eval", EMNLP 2023 (arXiv 2303.16634); two answers are shown in both orders because judges favour a position:
L. Zheng et al., "Judging LLM-as-a-judge with MT-Bench and Chatbot Arena", NeurIPS 2023 (arXiv 2306.05685).
"""

from typing import Literal

from pydantic import BaseModel, Field

from datagen.clients import ChatMessage, ChatRequest, ModelSpec, Parameters
from datagen.generate.prompts import Prompt, load_prompt
from datagen.generate.structured import strict_schema
from datagen.hashing import sha256_hex
from datagen.library import Roots
from datagen.schemas.document import Language
from datagen.schemas.record import Frozen, completion_text, prompt_text
from datagen.schemas.sample import Sample
from datagen.text import detect_language

PROMPT_VERSION = 1
GRADE_TOKENS = 600
"""Longest completion of a judge."""
_LONGEST = 6000


class Grade(Frozen):
    """The judge's answer about one row."""

    reason: str
    correct: int = Field(ge=1, le=5)
    complete: int = Field(ge=1, le=5)
    clear: int = Field(ge=1, le=5)

    @property
    def overall(self) -> float:
        """The lowest of the three: a clear wrong answer is a wrong answer."""
        return float(min(self.correct, self.complete, self.clear))


class Preferred(Frozen):
    """The judge's answer about two answers."""

    reason: str
    better: Literal["first", "second", "same"]


def grade_request(sample: Sample, spec: ModelSpec, library: Roots = ()) -> ChatRequest:
    """Return the request that asks for a :class:`Grade` of a row."""
    question, answer = prompt_text(sample.record)[:_LONGEST], completion_text(sample.record)[:_LONGEST]
    language = detect_language(f"{question}\n{answer}")
    prompt = load_prompt(f"judge/{language}.v{PROMPT_VERSION}", library)
    return _request(prompt, spec, Grade, question=question, answer=answer, evidence=_evidence(sample), mark=sha256_hex(sample.id)[:8])


def pair_request(sample: Sample, first: str, second: str, spec: ModelSpec, library: Roots = ()) -> ChatRequest:
    """Return the request that asks which of two answers to a sample's question is better."""
    question = prompt_text(sample.record)[:_LONGEST]
    language = detect_language(f"{question}\n{first}\n{second}")
    prompt = load_prompt(f"judge/pair_{language}.v{PROMPT_VERSION}", library)
    texts = {"first": first[:_LONGEST], "second": second[:_LONGEST]}
    return _request(prompt, spec, Preferred, question=question, evidence=_evidence(sample), mark=sha256_hex(sample.id)[:8], **texts)


def empty_prompt(language: Language, *, pair: bool, library: Roots = ()) -> str:
    """Return what the judge reads beside a row."""
    shown = ("question", "evidence", "first", "second") if pair else ("question", "answer", "evidence")
    prompt = load_prompt(f"judge/{'pair_' if pair else ''}{language}.v{PROMPT_VERSION}", library)
    return "\n".join(prompt.render(mark="0" * 8, **dict.fromkeys(shown, "")))


def _evidence(sample: Sample) -> str:
    return "\n\n".join(span.quote for span in sample.provenance.evidence)[:_LONGEST]


def _request(prompt: Prompt, spec: ModelSpec, form: type[BaseModel], **values: str) -> ChatRequest:
    system, user = prompt.render(**values)
    return ChatRequest(
        provider=spec.provider,
        base_url=spec.base_url,
        model=spec.model,
        messages=(ChatMessage("system", system), ChatMessage("user", user)),
        parameters=Parameters(temperature=0.0, max_tokens=GRADE_TOKENS),
        schema=strict_schema(form),
        schema_name=form.__name__.lower(),
    )
