"""How a probe is run: every setting that can change a number in its result, and nothing else."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from datagen.hashing import fingerprint

TRAINER_VERSION = 2
"""Part of every run's key; raise it when the trainer or the rendering changes what is learned."""


class ProbeConfig(BaseModel):
    """Settings of one probe; unknown keys are errors.

    Attributes:
        model: ``gemma3-270m``, ``smollm2-135m``, ``tiny``, or a folder with a causal language model.
        seeds: paired runs per arm; a seed fixes adapter initialisation and data order, the same in both arms.
        epochs: passes over each arm's rows: what a user will really do with each set.
        learning_rate: peak rate, after 5 % warm-up, before linear decay to zero.
        rank: LoRA rank.
        alpha: LoRA alpha; the update is scaled by ``alpha / rank``.
        target_modules: names of the linear layers that get an adapter (``q_proj``); none given means all but embeddings and head.
        batch_size: examples per optimizer step.
        max_length: tokens per example; a longer prompt loses its head, never the completion.
        delta: smallest difference of interest, in nats per completion token.
        alpha_level: false-alarm rate over a campaign; look ``k`` gets ``alpha_level * 6 / (pi^2 k^2)`` of it.
        goal: ``knowledge`` is judged on the ``recall`` questions, ``style`` on the ``unseen`` ones.
        evals_per_run: evaluations per run, the last at its end on every question, the others on ``curve_items`` of them.
        curve_items: questions used for the evaluations before the last, spread over documents.
        answers: questions answered greedily by both arms, for people to read.
        max_new_tokens: tokens per such answer.
        token_budget: padded tokens per forward pass; memory and speed, not results beyond rounding.
        dtype: weights; ``auto`` is bfloat16 where the processor has it, else float32. Adapters are always float32.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = "gemma3-270m"
    seeds: int = Field(default=3, ge=1, le=64)
    epochs: float = Field(default=3.0, gt=0, le=100)
    learning_rate: float = Field(default=3e-4, gt=0, le=1)
    rank: int = Field(default=16, ge=1, le=1024)
    alpha: float = Field(default=32.0, gt=0)
    target_modules: tuple[str, ...] = ()
    batch_size: int = Field(default=8, ge=1, le=1024)
    max_length: int = Field(default=512, ge=16)
    delta: float = Field(default=0.01, gt=0)
    alpha_level: float = Field(default=0.05, gt=0, lt=0.5)
    goal: Literal["knowledge", "style"] = "knowledge"
    evals_per_run: int = Field(default=4, ge=1, le=64)
    curve_items: int = Field(default=64, ge=1)
    answers: int = Field(default=6, ge=0, le=200)
    max_new_tokens: int = Field(default=48, ge=1, le=2048)
    token_budget: int = Field(default=2048, ge=64)
    dtype: Literal["auto", "bfloat16", "float32"] = "auto"

    def training_key(self) -> str:
        """Hash the settings that change a single run (not the number of seeds, delta, goal or answers)."""
        judging = {"model", "seeds", "delta", "alpha_level", "goal", "answers", "max_new_tokens", "dtype"}
        kept = self.model_dump(mode="json", exclude=judging)
        return fingerprint({**kept, "trainer": TRAINER_VERSION})

    @property
    def primary(self) -> str:
        """The eval set the verdict is read on."""
        return "recall" if self.goal == "knowledge" else "unseen"
