"""Everything that follows from a loss store: verdicts on every eval set, gains over the untrained model, slices, the headline."""

from collections.abc import Mapping, Sequence

from datagen.errors import DataError
from datagen.probe.result import Control, Sentence, Verdict
from datagen.probe.stats.verdict import Prior, Rules, compare, slices
from datagen.probe.store.losses import LossRow


class Judgement:
    """The comparisons of one loss store; ``headline`` is the one on the primary eval set over all tokens."""

    def __init__(self, verdicts: list[Verdict], gains: dict[str, Verdict], slices_: list[Verdict], primary: str) -> None:
        self.verdicts = verdicts
        self.gains = gains
        self.slices = slices_
        self.primary = primary
        self.headline = next(v for v in verdicts if v.eval_set == primary and v.metric == "nll")
        self.warnings = [f"{v.eval_set}: {w}" for v in verdicts for w in v.warnings if v.metric == "nll"]


def judge(
    losses: Sequence[LossRow], *, reference: str, rules: Rules, goal_set: str, priors: Mapping[str, Prior] | None = None
) -> Judgement:
    """Compute verdicts on every eval set (all tokens, then fact tokens), gains over the untrained model, and slices.

    The headline is read on ``goal_set``, or, when the exam has no such questions, on the first set there is (with a warning).
    If neither arm differs from the untrained model, the headline is INCONCLUSIVE: the probe model is too weak to rank them.

    Args:
        priors: seed variance of earlier comparisons, by eval set.

    Raises:
        DataError: no two runs can be compared.
    """
    sets = sorted({r.eval_set for r in losses}, key=lambda s: (s != goal_set, s))
    known = priors or {}
    verdicts = [
        v
        for s in sets
        if (v := compare(losses, baseline=reference, new="new", eval_set=s, rules=rules, prior=known.get(s))) is not None
    ]
    facts = [
        v
        for s in sets
        if (v := compare(losses, baseline=reference, new="new", eval_set=s, rules=rules, metric="fact_nll")) is not None
    ]
    if not verdicts:
        raise DataError("the loss store holds no pair of runs that can be compared")
    primary = verdicts[0].eval_set
    arms = sorted({r.arm for r in losses if r.arm != "base"})
    gains = {a: v for a in arms if (v := compare(losses, baseline="base", new=a, eval_set=primary, rules=rules)) is not None}
    found = Judgement([*verdicts, *facts], gains, slices(losses, baseline=reference, new="new", rules=rules), primary)
    if primary != goal_set:
        found.warnings.append(f"the exam has no '{goal_set}' questions: the verdict is read on '{primary}'")
    if reference == "baseline" and gains and all(v.low <= 0 <= v.high for v in gains.values()):
        text = Sentence(
            zh="两份数据训练后都与未训练的模型没有可见差异：探针模型对这个领域太弱，不作比较。",
            en="Neither set made the model visibly different from the untrained one: "
            "the probe model is too weak for this domain to rank them.",
        )
        weak = found.headline.model_copy(update={"verdict": "INCONCLUSIVE", "sentence": text})
        found.verdicts[found.verdicts.index(found.headline)] = weak
        found.headline = weak
        found.warnings.append("the probe model is too weak for this domain")
    return found


def control_of(losses: Sequence[LossRow], headline: Verdict, *, reference: str, rules: Rules, learning_rate: float, budget: str) -> Control:
    """Judge the same comparison under another budget or learning rate, on the headline's eval set.

    Raises:
        DataError: no two runs can be compared.
    """
    found = compare(losses, baseline=reference, new="new", eval_set=headline.eval_set, rules=rules)
    if found is None:
        raise DataError(f"the loss store of the control at {learning_rate:g} ({budget}) holds no pair of runs that can be compared")
    agrees = (found.delta < 0) == (headline.delta < 0)
    return Control.model_validate({"learning_rate": learning_rate, "budget": budget, "verdict": found, "agrees": agrees})


def control_warnings(headline: Verdict, controls: Sequence[Control]) -> list[str]:
    """Say where a control contradicts the headline: a gain that is gone at equal steps may only be more training."""
    found: list[str] = []
    for c in controls:
        where = f"at learning rate {c.learning_rate:.3g} and equal {c.budget}"
        if not c.agrees:
            found.append(f"{where} the difference has the other sign: {c.verdict.delta:+.4f} ({c.verdict.verdict})")
        elif c.budget == "steps" and headline.verdict == "BETTER" and c.verdict.verdict != "BETTER":
            found.append(f"{where} the verdict is {c.verdict.verdict}: part of the gain may be more training, not better data")
    return found
