"""From losses and run figures to a :class:`ProbeResult`; also from a stored folder, without torch, with identical numbers."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from datagen.errors import DataError, UsageError
from datagen.hashing import fingerprint
from datagen.jsonl import read_json
from datagen.probe.config import ProbeConfig
from datagen.probe.models.known import ModelSource
from datagen.probe.result import Answer, Arm, Curve, CurvePoint, ProbeResult, Sentence, Verdict
from datagen.probe.stats.curve import training_state
from datagen.probe.stats.verdict import Rules, compare, slices
from datagen.probe.store.losses import LossRow, read_losses
from datagen.probe.store.runs import RunInfo

ArmName = Literal["baseline", "new"]


def assemble(
    losses: Sequence[LossRow],
    infos: Mapping[ArmName, Sequence[RunInfo]],
    *,
    config: ProbeConfig,
    look: int,
    source: ModelSource,
    dtype: str,
    cached: Mapping[ArmName, bool],
    answers: Sequence[Answer],
    seconds: float,
) -> ProbeResult:
    """Compute every verdict and gather what a reader needs beside them."""
    rules = Rules(config.delta, config.alpha_level, look)
    reference = "baseline" if "baseline" in infos else "base"
    found = judge(losses, reference=reference, rules=rules, goal_set=config.primary)
    curves = [_curve(losses, info, name) for name, own in infos.items() for info in own]
    states = [training_state(curves, arm=name, primary=found.primary) for name in infos]
    arms = [
        Arm(
            name=name,
            rows=own[0].rows,
            epochs=config.epochs,
            steps=own[0].steps,
            tokens=own[0].tokens,
            truncated=own[0].truncated,
            seconds=sum(i.seconds for i in own),
            cached=cached[name],
        )
        for name, own in infos.items()
    ]
    return ProbeResult(
        model=source.name,
        model_licence=source.licence,
        model_sha256=source.sha256,
        dtype=dtype,
        config_hash=fingerprint([source.sha256, dtype, config.training_key(), config.seeds, config.delta, config.alpha_level])[:12],
        config=config.model_dump(mode="json"),
        look=look,
        primary=found.primary,
        verdict=found.headline.verdict,
        sentence=found.headline.sentence,
        arms=tuple(arms),
        verdicts=tuple(found.verdicts),
        gain_over_base=found.gains,
        slices=tuple(found.slices),
        curves=tuple(curves),
        training=tuple(s for s in states if s is not None),
        answers=tuple(answers),
        warnings=tuple(found.warnings),
        seconds=seconds,
    )


class Judgement:
    """Everything that follows from a loss store."""

    def __init__(self, verdicts: list[Verdict], gains: dict[str, Verdict], slices_: list[Verdict], primary: str) -> None:
        self.verdicts = verdicts
        self.gains = gains
        self.slices = slices_
        self.primary = primary
        self.headline = next(v for v in verdicts if v.eval_set == primary and v.metric == "nll")
        self.warnings = [f"{v.eval_set}: {w}" for v in verdicts for w in v.warnings if v.metric == "nll"]


def judge(losses: Sequence[LossRow], *, reference: str, rules: Rules, goal_set: str) -> Judgement:
    """Compute verdicts on every eval set (all tokens, then fact tokens), gains over the untrained model, and slices.

    The headline is read on ``goal_set``, or, when the exam has no such questions, on the first set there is (with a warning).
    If neither arm differs from the untrained model, the headline is INCONCLUSIVE: the probe model is too weak to rank them.
    """
    sets = sorted({r.eval_set for r in losses}, key=lambda s: (s != goal_set, s))
    verdicts = [v for s in sets if (v := compare(losses, baseline=reference, new="new", eval_set=s, rules=rules)) is not None]
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


def rejudge(folder: Path) -> ProbeResult:
    """Recompute a stored probe's verdicts from its ``losses.parquet``; everything else is taken from its ``result.json``.

    Raises:
        UsageError: not a probe folder.
    """
    if not (folder / "result.json").is_file():
        raise UsageError(f"{folder}: no result.json in this folder", hint="give the folder a probe wrote")
    stored = ProbeResult.model_validate(read_json(folder / "result.json"))
    config = ProbeConfig.model_validate(stored.config)
    losses = read_losses(folder / "losses.parquet")
    reference = "baseline" if any(a.name == "baseline" for a in stored.arms) else "base"
    found = judge(losses, reference=reference, rules=Rules(config.delta, config.alpha_level, stored.look), goal_set=config.primary)
    return stored.model_copy(
        update={
            "verdict": found.headline.verdict,
            "sentence": found.headline.sentence,
            "primary": found.primary,
            "verdicts": tuple(found.verdicts),
            "gain_over_base": found.gains,
            "slices": tuple(found.slices),
            "warnings": tuple(found.warnings),
        }
    )


def _curve(losses: Sequence[LossRow], info: RunInfo, arm: ArmName) -> Curve:
    """Build one run's curve on the questions scored at every step."""
    own = [r for r in losses if r.arm == arm and r.seed == info.seed]
    common = set.intersection(*({r.example_id for r in own if r.step == step} for step, _ in info.train_losses))
    points: list[CurvePoint] = []
    for step, train_loss in info.train_losses:
        at = [r for r in own if r.step == step and r.example_id in common]
        means: dict[str, float] = {}
        for name in sorted({r.eval_set for r in at}):
            means[name] = sum(r.nll for r in at if r.eval_set == name) / sum(r.n_tokens for r in at if r.eval_set == name)
        points.append(CurvePoint(step=step, train_loss=train_loss, eval_loss=means))
    return Curve(arm=arm, seed=info.seed, points=tuple(points))
