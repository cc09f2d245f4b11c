"""What a probe returns: JSON-able, immutable, every figure with its unit."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

Decision = Literal["BETTER", "WORSE", "EQUIVALENT", "INCONCLUSIVE"]


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Sentence(_Frozen):
    """The same statement in both languages."""

    zh: str
    en: str


class Verdict(_Frozen):
    """One comparison on one eval set.

    Attributes:
        eval_set: recall, unseen, gold.
        slice: empty for the whole set, else ``language=zh``.
        metric: ``nll`` (all completion tokens) or ``fact_nll`` (tokens of numbers and dates).
        compared: ``new - baseline``, or ``<arm> - base`` for a gain over the untrained model.
        delta: difference in nats per completion token; negative is better.
        low: lower end of the interval at ``alpha``.
        high: upper end.
        baseline_loss: nats per token of the arm compared against.
        new_loss: nats per token of the other.
        alpha: false-alarm rate spent on this look.
        mde: smallest difference this comparison would find with 80 % power.
        p: two-sided p-value; Holm-adjusted for slices.
    """

    eval_set: str
    slice: str = ""
    metric: Literal["nll", "fact_nll"] = "nll"
    compared: str
    delta: float
    low: float
    high: float
    verdict: Decision
    baseline_loss: float
    new_loss: float
    seeds: int
    documents: int
    items: int
    tokens: int
    look: int
    alpha: float
    mde: float
    p: float
    sentence: Sentence
    warnings: tuple[str, ...] = ()


class Arm(_Frozen):
    """What was trained. ``seconds`` is training and evaluation time over all seeds, also when it was spent in an earlier probe."""

    name: Literal["baseline", "new"]
    rows: int
    epochs: float
    steps: int
    tokens: int
    truncated: int
    seconds: float
    cached: bool


class CurvePoint(_Frozen):
    """Losses (nats per completion token) at one step, on the same subset of the questions at every step."""

    step: int
    train_loss: float
    eval_loss: dict[str, float]


class Curve(_Frozen):
    """One run's points and what they say."""

    arm: Literal["baseline", "new"]
    seed: int
    points: tuple[CurvePoint, ...]


class TrainingState(_Frozen):
    """Overfitting, converged or underfitting, judged on the mean curve of an arm."""

    arm: Literal["baseline", "new"]
    state: Literal["overfitting", "converged", "underfitting"]
    best_step: int
    sentence: Sentence


class Answer(_Frozen):
    """One eval question answered greedily, to be read by people. ``baseline`` is the untrained model's if there is no baseline."""

    question: str
    reference: str
    baseline: str
    new: str
    eval_set: str
    language: str


class ProbeResult(_Frozen):
    """A finished probe."""

    model: str
    model_licence: str
    model_sha256: str
    dtype: str
    config_hash: str
    config: dict[str, object]
    look: int
    primary: str
    verdict: Decision
    sentence: Sentence
    arms: tuple[Arm, ...]
    verdicts: tuple[Verdict, ...]
    gain_over_base: dict[str, Verdict]
    slices: tuple[Verdict, ...]
    curves: tuple[Curve, ...]
    training: tuple[TrainingState, ...]
    answers: tuple[Answer, ...]
    warnings: tuple[str, ...]
    seconds: float

    def headline(self) -> Verdict:
        """Return the verdict on the primary eval set."""
        return next(v for v in self.verdicts if v.eval_set == self.primary)
