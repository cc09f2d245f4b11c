"""What a recipe says of each strategy: a union discriminated by ``kind``, and how the kinds relate.

``METHOD`` says by which training method a kind's rows are learned; a set holds rows of one method. ``examiner`` says which strategy writes
the exam for a kind: ``qa`` has prompts of its own for it, and rows that are learned otherwise are examined by rows like them.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeGuard, get_args

from pydantic import Field

from datagen.schemas.record import Frozen

Method = Literal["sft", "dpo", "kto", "pt"]


class OfflineSpec(Frozen):
    """A strategy without a language model."""

    weight: float = Field(default=1.0, gt=0)


class SamplingSpec(Frozen):
    """How completions are asked for."""

    weight: float = Field(default=1.0, gt=0)
    items_per_request: int = Field(default=5, ge=1, le=50)
    temperature: float = Field(default=0.7, ge=0, le=2)
    max_tokens: int | None = Field(default=None, ge=32, description="longest completion; absent: room for the items asked for")


class AskingSpec(SamplingSpec):
    """What every strategy that asks a language model takes."""

    model: str = Field(description="openai:MODEL, openai:MODEL@BASE_URL, gemini:MODEL, local:PATH, or replay: in front")


class AnsweringSpec(AskingSpec):
    """A strategy whose model writes the answers, so that its reasoning can go before them."""

    reasoning: Literal["strip", "keep"] = Field(
        default="strip", description="keep: one row a request, the model's reasoning as <think> before the answer; never in the exam"
    )


class ContrastSpec(SamplingSpec):
    """A strategy that spoils grounded answers: those of ``qa`` by a model, or without a model those of ``extractive``."""

    model: str | None = None


class ExtractiveSpec(OfflineSpec):
    """Rule-based rows from headings, tables, procedures and sentences with figures; no LLM."""

    kind: Literal["extractive"]


class PassageSpec(OfflineSpec):
    """Passages as they stand, for continued pre-training; no LLM."""

    kind: Literal["passage"]


class QASpec(AnsweringSpec):
    """Question and answer rows written by an LLM, each with a verbatim quote that is checked."""

    kind: Literal["qa"]


class TwoStepQASpec(AnsweringSpec):
    """Questions first, then answers from the passage in a second request."""

    kind: Literal["two_step_qa"]


class MultiTurnSpec(AnsweringSpec):
    """Conversations of several questions and answers, each turn with its quote."""

    kind: Literal["multi_turn"]
    turns: int = Field(default=3, ge=2, le=10)


class MultiChunkSpec(AnsweringSpec):
    """Questions that need two passages of a document."""

    kind: Literal["multi_chunk"]
    passage_tokens: int = Field(default=512, ge=32, le=8192, description="token budget of the second passage")


class UnanswerableSpec(AnsweringSpec):
    """Questions the document does not answer, and answers that say so."""

    kind: Literal["unanswerable"]


class BackTranslationSpec(AskingSpec):
    """Questions written for passages; the passage itself, word for word, is the answer."""

    kind: Literal["back_translation"]


class SelfInstructSpec(AnsweringSpec):
    """Varied tasks, each unlike those in the pool before it."""

    kind: Literal["self_instruct"]
    most_similar: float = Field(default=0.7, gt=0, le=1, description="ROUGE-L to any task of the pool must stay below")


class EvolveSpec(AnsweringSpec):
    """Questions made harder, then answered again from the passage."""

    kind: Literal["evolve"]


class PersonaSpec(AnsweringSpec):
    """Questions as readers in different roles would ask them."""

    kind: Literal["persona"]
    roles: int = Field(default=8, ge=5, le=20, description="reader roles the model names for a document")
    readers: tuple[str, ...] = Field(default=(), max_length=20, description="roles given by you, instead")


class ActiveReadingSpec(AnsweringSpec):
    """Ways to study a passage, chosen by the model, each carried out as a task with its result."""

    kind: Literal["active_reading"]


class ParaphraseSpec(AnsweringSpec):
    """Other phrasings of accepted questions, with the answer said anew."""

    kind: Literal["paraphrase"]


class SpanQuestionSpec(AskingSpec):
    """Questions written for single sentences, which are the answers; short prompts with examples, for small local models."""

    kind: Literal["span_question"]


class PreferenceSpec(ContrastSpec):
    """Pairs of a grounded answer and one proved wrong against the evidence (DPO, reward models)."""

    kind: Literal["preference"]
    rejected: Literal["rules", "probe_model"] = Field(default="rules", description="who writes the rejected answers; all are proved wrong")
    probe_model: str = Field(default="local:gemma3-270m", pattern="^(replay:)?local:.", description="a small model on this machine")


class FeedbackSpec(ContrastSpec):
    """Single answers labelled good (grounded) or bad (proved wrong), for KTO."""

    kind: Literal["feedback"]


class JudgeSpec(Frozen):
    """An LLM that reads each grounded row with its source; rows it grades low are dropped."""

    model: str
    least: int = Field(default=4, ge=1, le=5, description="lowest grade a row may have in any point: correct, complete, clear")


AnySpec = (
    ExtractiveSpec
    | PassageSpec
    | QASpec
    | TwoStepQASpec
    | MultiTurnSpec
    | MultiChunkSpec
    | UnanswerableSpec
    | BackTranslationSpec
    | SelfInstructSpec
    | EvolveSpec
    | PersonaSpec
    | ActiveReadingSpec
    | ParaphraseSpec
    | SpanQuestionSpec
    | PreferenceSpec
    | FeedbackSpec
)
StrategySpec = Annotated[AnySpec, Field(discriminator="kind")]
SPECS: dict[str, type[AnySpec]] = {get_args(s.model_fields["kind"].annotation)[0]: s for s in get_args(AnySpec)}
"""Every strategy's spec by its kind, in the order of this file."""
METHOD: Mapping[str, Method] = {**dict.fromkeys(SPECS, "sft"), "preference": "dpo", "feedback": "kto", "passage": "pt"}


def model_of(spec: AnySpec) -> str | None:
    """Return the model a strategy asks, None for one without."""
    return spec.model if isinstance(spec, AskingSpec | ContrastSpec) else None


def models_of(spec: AnySpec) -> tuple[str, ...]:
    """Return all models a strategy asks: its own, and the one that writes the rejected answers of pairs."""
    own = model_of(spec)
    return (*((own,) if own else ()), *((spec.probe_model,) if _probes(spec) else ()))


def _probes(spec: AnySpec) -> TypeGuard[PreferenceSpec]:
    return isinstance(spec, PreferenceSpec) and spec.rejected == "probe_model"


def examiner(spec: AnySpec) -> AnySpec:
    """Return the spec that writes exam questions in a strategy's stead: itself, or ``qa`` with the same model."""
    match spec:
        case QASpec():
            return spec.model_copy(update={"reasoning": "strip"})
        case ExtractiveSpec() | PassageSpec() | PreferenceSpec() | FeedbackSpec():
            return spec
        case _:
            return QASpec(kind="qa", **_shared(spec))


def examiners(specs: "tuple[AnySpec, ...]") -> list[AnySpec]:
    """Return the specs that write the exam of a mixed set: each once, with the weights of those it stands in for."""
    weights: dict[AnySpec, float] = {}
    for spec in specs:
        key = examiner(spec).model_copy(update={"weight": 1.0})
        weights[key] = weights.get(key, 0.0) + spec.weight
    return [key.model_copy(update={"weight": weight}) for key, weight in weights.items()]


def _shared(spec: AskingSpec) -> dict[str, Any]:
    return {name: getattr(spec, name) for name in AskingSpec.model_fields}
