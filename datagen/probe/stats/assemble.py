"""From losses and run figures to a :class:`ProbeResult`; also from a stored folder, without torch, with identical numbers."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from datagen.errors import DataError, UsageError
from datagen.hashing import fingerprint
from datagen.jsonl import read_json
from datagen.probe.config import ProbeConfig
from datagen.probe.models.known import ModelSource
from datagen.probe.result import Answer, Arm, ArmName, ArmScores, Control, Curve, CurvePoint, Expected, ProbeResult, VaultOpening, Verdict
from datagen.probe.stats.curve import training_state
from datagen.probe.stats.judge import Judgement, control_of, control_warnings, judge
from datagen.probe.stats.verdict import Prior, Rules, compare
from datagen.probe.store.losses import LossRow, read_losses
from datagen.probe.store.runs import RunInfo

ROBUST_CONTROLS = 3
"""Comparisons beside the headline's that :attr:`ProbeResult.robust` needs: two rates under two budgets."""


class Setting(NamedTuple):
    """How a probe was run."""

    config: ProbeConfig
    look: int
    source: ModelSource
    dtype: str


class Beside(NamedTuple):
    """What is shown beside the verdicts."""

    expected: Expected | None
    controls: Sequence[Control]
    answers: Sequence[Answer]
    scores: Sequence[ArmScores]
    exam_notes: Sequence[str]


def assemble(
    losses: Sequence[LossRow],
    infos: Mapping[ArmName, Sequence[RunInfo]],
    found: Judgement,
    beside: Beside,
    setting: Setting,
    *,
    cached: Mapping[ArmName, bool],
    seconds: float,
) -> ProbeResult:
    """Gather verdicts and what a reader needs beside them."""
    config, source = setting.config, setting.source
    curves = [_curve(losses, info, name) for name, own in infos.items() for info in own]
    states = [training_state(curves, arm=name, primary=found.primary, stopped=sum(i.stopped for i in infos[name])) for name in infos]
    arms = [
        Arm(
            name=name,
            rows=own[0].rows,
            epochs=round(own[0].steps / config.steps_for(own[0].rows) * config.epochs, 3),
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
        dtype=setting.dtype,
        config_hash=config_hash(setting),
        config=config.model_dump(mode="json"),
        look=setting.look,
        primary=found.primary,
        verdict=found.headline.verdict,
        sentence=found.headline.sentence,
        arms=tuple(arms),
        verdicts=tuple(found.verdicts),
        gain_over_base=found.gains,
        slices=tuple(found.slices),
        curves=tuple(curves),
        training=tuple(s for s in states if s is not None),
        answers=tuple(beside.answers),
        warnings=(*found.warnings, *control_warnings(found.headline, beside.controls), *beside.exam_notes),
        seconds=seconds,
        expected=beside.expected,
        controls=tuple(beside.controls),
        robust=robust_of(beside.controls),
        scores=tuple(beside.scores),
        exam_notes=tuple(beside.exam_notes),
    )


def config_hash(setting: Setting) -> str:
    """Name the settings a verdict depends on."""
    config = setting.config
    judging = [config.seeds, config.delta, config.alpha_level, config.budget, config.epochs, config.goal]
    return fingerprint([setting.source.sha256, setting.dtype, config.training_key(), judging])[:12]


def robust_of(controls: Sequence[Control]) -> bool | None:
    """Say whether every control has the headline's sign; None unless both rates were tried under both budgets."""
    return all(c.agrees for c in controls) if len(controls) == ROBUST_CONTROLS else None


def rejudge(folder: Path) -> ProbeResult:
    """Recompute a stored probe's verdicts from its loss stores; everything else is taken from its ``result.json``.

    Raises:
        UsageError: not a probe folder.
        DataError: its ``result.json`` is no probe's result, or another version's.
    """
    path = folder / "result.json"
    if not path.is_file():
        raise UsageError(f"{folder}: no result.json in this folder", hint="give the folder a probe wrote")
    try:
        stored = ProbeResult.model_validate(read_json(path))
        config = ProbeConfig.model_validate(stored.config)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        hint = "run the probe again: stored runs are used"
        raise DataError(f"{path}: not a probe's result: {place}: {first['msg']}", hint=hint) from error
    losses = read_losses(folder / "losses.parquet")
    reference = "baseline" if any(a.name == "baseline" for a in stored.arms) else "base"
    rules = Rules(config.delta, config.alpha_level, stored.look)
    found = judge(losses, reference=reference, rules=rules, goal_set=config.primary, priors=priors_of(stored.verdicts))
    controls = [
        control_of(
            read_losses(control_path(folder, c.budget, c.learning_rate)),
            found.headline,
            reference=reference,
            rules=rules,
            learning_rate=c.learning_rate,
            budget=c.budget,
        )
        for c in stored.controls
    ]
    return stored.model_copy(
        update={
            "verdict": found.headline.verdict,
            "sentence": found.headline.sentence,
            "primary": found.primary,
            "verdicts": tuple(found.verdicts),
            "gain_over_base": found.gains,
            "slices": tuple(found.slices),
            "controls": tuple(controls),
            "robust": robust_of(controls),
            "warnings": (*found.warnings, *control_warnings(found.headline, controls), *stored.exam_notes),
            "vault": _vault(folder, stored.vault, reference, rules),
        }
    )


def priors_of(verdicts: Sequence[Verdict]) -> dict[str, Prior]:
    """Return the seed variances stored verdicts were shrunk toward, by eval set."""
    return {v.eval_set: Prior(v.prior_sd**2, v.prior_nu) for v in verdicts if v.prior_sd is not None}


def control_path(folder: Path, budget: str, learning_rate: float) -> Path:
    """Return where a control's losses lie in a result folder."""
    return folder / "controls" / f"{budget}-{learning_rate:.3g}.parquet"


def _vault(folder: Path, stored: VaultOpening | None, reference: str, rules: Rules) -> VaultOpening | None:
    if stored is None:
        return None
    again = compare(read_losses(folder / "vault.parquet"), baseline=reference, new="new", eval_set="vault", rules=rules._replace(look=1))
    return stored.model_copy(update={"verdict": again})


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
