"""How a probe is run: every setting that can change a number in its result, and nothing else."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from datagen.hashing import fingerprint

TRAINER_VERSION = 5
"""Part of every run's key; raise it when the trainer or the rendering changes what is learned."""

Budget = Literal["epochs", "steps", "both"]


class ProbeConfig(BaseModel):
    """Settings of one probe; unknown keys are errors.

    Attributes:
        model: ``gemma3-270m``, ``smollm2-135m``, ``tiny``, or a folder with a causal language model.
        stage: ``sft`` learns completions, ``dpo`` preferences (train and exam hold chosen and rejected answers), ``pt`` whole texts.
        seeds: paired runs per arm; a seed fixes adapter initialisation and data order, the same in both arms.
        budget: ``epochs``: the same passes over each arm's rows, what a user will really do. ``steps``: the same number of optimizer
            steps in both, that of the larger arm: is it the data, or just more training? ``both``: judged on epochs, steps beside it.
        epochs: passes over each arm's rows (over the larger arm's, for ``steps``).
        learning_rate: peak rate, after 5 % warm-up, before linear decay to zero.
        schedule: ``linear`` decays to zero; ``constant`` is there to be compared with.
        average: share of the last steps whose weights are averaged into the score, in [0, 1]; 0: the last step's weights.
        rank: LoRA rank.
        alpha: LoRA alpha; the update is scaled by ``alpha / rank``.
        dropout: LoRA dropout.
        target_modules: names of the linear layers that get an adapter (``q_proj``); none given means all but embeddings and head.
        lora_plus_ratio: learning rate of B over that of A; 16 is LoRA+ (arXiv 2402.12354), 1 is plain LoRA.
        rslora: scale by ``alpha / sqrt(rank)`` (arXiv 2312.03732).
        dora: weight-decomposed LoRA (arXiv 2402.09353); slower.
        beta: strength of the pull toward the untrained model in ``dpo``.
        batch_size: examples per optimizer step.
        max_length: tokens per example; a longer row loses the head of its prompt, then the tail of its completion. In ``pt`` a longer
            text is cut in pieces.
        patience: evaluations without a gain of one standard error before a run stops; 0: never. The checkpoint with the lowest loss on
            a dev half of the exam is then scored, on the other half.
        delta: smallest difference of interest, in nats per completion token.
        alpha_level: false-alarm rate over a campaign; look ``k`` gets ``alpha_level * 6 / (pi^2 k^2)`` of it.
        goal: ``knowledge`` is judged on the ``recall`` questions, ``style`` on the ``unseen`` ones.
        evals_per_run: evaluations per run, the last at its end on every question, the others on ``curve_items`` of them.
        curve_items: questions used for the evaluations before the last, spread over documents.
        answers: questions answered greedily by both arms, for people to read, and scored (exact match, chrF, ROUGE, BLEU, format).
        max_new_tokens: tokens per such answer.
        token_budget: padded tokens per forward pass; memory and speed, not results beyond rounding.
        dtype: weights; ``auto`` is bfloat16 where the processor has it, else float32. Adapters are always float32.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = "gemma3-270m"
    stage: Literal["sft", "dpo", "pt"] = "sft"
    seeds: int = Field(default=3, ge=1, le=64)
    budget: Budget = "epochs"
    epochs: float = Field(default=1.0, gt=0, le=100)
    learning_rate: float = Field(default=5e-4, gt=0, le=1)
    schedule: Literal["linear", "constant"] = "linear"
    average: float = Field(default=0.0, ge=0, le=1)
    rank: int = Field(default=16, ge=1, le=1024)
    alpha: float = Field(default=32.0, gt=0)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    target_modules: tuple[str, ...] = ()
    lora_plus_ratio: float = Field(default=1.0, ge=1, le=256)
    rslora: bool = False
    dora: bool = False
    beta: float = Field(default=0.1, gt=0)
    batch_size: int = Field(default=8, ge=1, le=1024)
    max_length: int = Field(default=512, ge=16)
    patience: int = Field(default=0, ge=0, le=64)
    delta: float = Field(default=0.01, gt=0)
    alpha_level: float = Field(default=0.05, gt=0, lt=0.5)
    goal: Literal["knowledge", "style"] = "knowledge"
    evals_per_run: int = Field(default=4, ge=1, le=64)
    curve_items: int = Field(default=64, ge=1)
    answers: int = Field(default=6, ge=0, le=200)
    max_new_tokens: int = Field(default=48, ge=1, le=2048)
    token_budget: int = Field(default=2048, ge=64)
    dtype: Literal["auto", "bfloat16", "float32"] = "auto"

    @model_validator(mode="after")
    def _stopping_needs_evaluations(self) -> "ProbeConfig":
        if self.patience and self.evals_per_run < 2:
            raise ValueError("early stopping (patience) needs evals_per_run of at least 2")
        return self

    def training_key(self) -> str:
        """Hash the settings that change a single run of a given number of steps (not seeds, budget, delta or answers)."""
        judging = {"model", "seeds", "budget", "epochs", "delta", "alpha_level", "answers", "max_new_tokens", "dtype"}
        if not self.patience:
            judging.add("goal")  # with patience it says which questions choose the checkpoint that is scored
        kept = self.model_dump(mode="json", exclude=judging)
        return fingerprint({**kept, "trainer": TRAINER_VERSION})

    def steps_for(self, rows: int) -> int:
        """Count optimizer steps of ``epochs`` passes over a number of rows."""
        return max(1, round(self.epochs * -(-rows // self.batch_size)))

    @property
    def primary(self) -> str:
        """The eval set the verdict is read on."""
        return "recall" if self.goal == "knowledge" else "unseen"
