"""What a probe returns: JSON-able, immutable, every figure with its unit."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

ArmName = Literal["baseline", "new"]
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
        slice: empty for the whole set, else ``language=zh`` or ``folder=zh/会员`` (of the documents asked about).
        metric: ``nll`` (all completion tokens) or ``fact_nll`` (tokens of numbers and dates).
        compared: ``new - baseline``, or ``<arm> - base`` for a gain over the untrained model.
        delta: difference in nats per completion token; negative is better.
        low: lower end of the interval at ``alpha``.
        high: upper end.
        baseline_loss: nats per token of the arm compared against.
        new_loss: nats per token of the other.
        alpha: false-alarm rate spent on this look.
        mde: smallest difference this comparison would find with 80 % power.
        p: two-sided p-value; for slices Holm-adjusted over all slices of their kind.
        seed_sd: standard deviation of the seeds' differences, from these seeds alone.
        document_sd: standard deviation of the documents' differences.
        prior_sd: seed standard deviation of earlier comparisons that the error was shrunk toward, None without any.
        prior_nu: degrees of freedom it was given.
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
    seed_sd: float = 0.0
    document_sd: float = 0.0
    prior_sd: float | None = None
    prior_nu: float = 0.0


class Expected(_Frozen):
    """What a comparison can be expected to find, said before any training.

    ``mde`` is the smallest difference (nats per completion token) found with 80 % power on ``eval_set`` at this look's alpha, from
    ``seed_sd`` and ``document_sd``, which come from ``comparisons`` earlier comparisons, or from a bench if that is 0.
    """

    eval_set: str
    mde: float
    alpha: float
    seeds: int
    documents: int
    seed_sd: float
    document_sd: float
    comparisons: int
    sentence: Sentence


class Control(_Frozen):
    """The same comparison under another budget or learning rate; ``agrees`` if its difference has the headline's sign."""

    learning_rate: float
    budget: Literal["epochs", "steps"]
    verdict: Verdict
    agrees: bool


class VaultOpening(_Frozen):
    """The comparison on the vault's questions; ``number`` counts the openings of this vault, this one included."""

    number: int
    verdict: Verdict


class Arm(_Frozen):
    """What was trained. ``seconds`` is training and evaluation time over all seeds, also when it was spent in an earlier probe."""

    name: ArmName
    rows: int
    epochs: float
    steps: int
    tokens: int
    truncated: int
    seconds: float
    cached: bool


class AnswerScores(_Frozen):
    """Mean scores of greedy answers against references.

    ``exact_match``, ``char_f1`` and ``format_valid`` are ratios in [0, 1]; chrF, ROUGE (F) and BLEU-4 are in [0, 100], as their tools and
    LLaMA-Factory's ``predict`` print them.
    """

    answers: int
    exact_match: float
    char_f1: float
    chrf: float
    rouge_1: float
    rouge_2: float
    rouge_l: float
    bleu_4: float
    format_valid: float


class ArmScores(_Frozen):
    """An arm's answers, scored; those of its first seed."""

    arm: Literal["base", "baseline", "new"]
    scores: AnswerScores


class CurvePoint(_Frozen):
    """Losses (nats per completion token) at one step, on the same subset of the questions at every step."""

    step: int
    train_loss: float
    eval_loss: dict[str, float]


class Curve(_Frozen):
    """One run's points and what they say."""

    arm: ArmName
    seed: int
    points: tuple[CurvePoint, ...]


class TrainingState(_Frozen):
    """Overfitting, converged or underfitting, judged on the mean curve of an arm; ``stopped``: runs that stopped early."""

    arm: ArmName
    state: Literal["overfitting", "converged", "underfitting"]
    best_step: int
    sentence: Sentence
    stopped: int = 0


class Answer(_Frozen):
    """One eval question answered greedily, to be read by people. ``baseline`` is the untrained model's if there is no baseline."""

    question: str
    reference: str
    baseline: str
    new: str
    eval_set: str
    language: str


class ProbeResult(_Frozen):
    """A finished probe.

    ``robust`` says whether the sign of the difference is the same at the learning rate and a third of it, under both budgets; None where
    that was not asked. ``config_hash`` covers model and settings, not the data. ``exam_notes`` say what of the exam was not scored as it
    was given; they stand among the warnings too.
    """

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
    expected: Expected | None = None
    controls: tuple[Control, ...] = ()
    robust: bool | None = None
    scores: tuple[ArmScores, ...] = ()
    vault: VaultOpening | None = None
    exam_notes: tuple[str, ...] = ()

    def headline(self) -> Verdict:
        """Return the verdict on the primary eval set."""
        return next(v for v in self.verdicts if v.eval_set == self.primary)
