"""The learning curve: nested subsets of the training set, trained and scored; would twice as many rows help?"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from datagen.errors import UsageError
from datagen.jsonl import write_json
from datagen.probe.config import ProbeConfig
from datagen.probe.growth.bank import Bank, Job, base_job, distinct, refuse_leaking_rows
from datagen.probe.growth.forecast import Forecast, Measured, band, forecast
from datagen.probe.growth.matrix import document_losses, level, primary_set
from datagen.probe.growth.subsets import Grouping, nested_order
from datagen.probe.growth.words import curve_sentence
from datagen.probe.progress import OnProgress
from datagen.probe.result import Decision, Sentence
from datagen.probe.store.losses import write_losses
from datagen.schemas.sample import Sample

FRACTIONS = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)
SEEDS = (4, 3, 3, 2, 2)
WARN_BEYOND, REFUSE_BEYOND = 2.0, 4.0
SMALLEST = 4
"""Rows below which a subset is no training set."""

Advice = Literal["STOP", "CONTINUE", "INCONCLUSIVE"]


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SizePoint(_Frozen):
    """One measured size: loss in nats per completion token with its 90 % interval (documents and seeds)."""

    rows: int
    seeds: int
    loss: float
    low: float
    high: float


class LawFit(_Frozen):
    """The best curve of one law. ``weight`` is its posterior share; ``exponent`` is a or b (0 for ``exhausted``); ``scale_rows`` is D^(1/b)
    or k in rows (0 for ``power``); ``limit`` is the loss with endless rows, null where the law has none within reach."""

    law: str
    weight: float
    exponent: float
    scale_rows: float
    limit: float | None


class LinePoint(_Frozen):
    """The curve at a number of rows: median and 90 % band of the expected loss."""

    rows: float
    loss: float
    low: float
    high: float


class Gain(_Frozen):
    """Expected fall of the loss from ``start`` to ``end`` rows, 90 % band; ``seen_*``: what a probe with ``seeds`` runs on this exam would
    measure, its noise included."""

    start: int
    end: int
    expected: float
    low: float
    high: float
    seeds: int
    seen_low: float
    seen_high: float


class CurveResult(_Frozen):
    """A finished learning curve.

    Attributes:
        by: ``document`` (subsets of whole documents) or ``row`` (every document thinned alike).
        doubling: the gain forecast from twice the rows.
        ahead: the gain forecast to the number of rows asked for, if another was.
        advice: STOP if at most ``delta`` is to be gained and the last iteration was EQUIVALENT; CONTINUE if more than that is.
        rows_needed: fewest rows, up to four times those there are, whose gain is ``delta`` or more with 95 % probability.
        pays_until: rows from which on a doubling is expected to give less than ``delta``; null if beyond twice what there is.
        target_rows: rows at which the expected loss falls to the target; null without a target or if beyond four times.
    """

    model: str
    eval_set: str
    by: Grouping
    delta: float
    base_loss: float
    points: tuple[SizePoint, ...]
    laws: tuple[LawFit, ...]
    misfit: float
    doubling: Gain
    ahead: Gain | None
    advice: Advice
    rows_needed: int | None
    pays_until: int | None
    target_rows: int | None
    line: tuple[LinePoint, ...]
    sentence: Sentence
    warnings: tuple[str, ...]
    trained: int


def learning_curve(
    train: Sequence[Sample],
    exam: Sequence[Sample],
    *,
    config: ProbeConfig,
    runs_dir: Path,
    out_dir: Path,
    fractions: Sequence[float] = FRACTIONS,
    seeds: Sequence[int] = SEEDS,
    by: Grouping = "document",
    to_rows: int | None = None,
    target: float | None = None,
    last_verdict: Decision | None = None,
    allow_leaks: bool = False,
    on_progress: OnProgress | None = None,
) -> CurveResult:
    """Train nested subsets, fit the laws, and forecast; write ``curve.json`` and ``losses.parquet`` into ``out_dir``.

    Args:
        fractions: sizes as shares of the training set, increasing, the last 1.
        seeds: runs at each size; each seed draws its own nested subsets, so the band holds their luck as well.
        by: what a subset is made of; see :func:`datagen.probe.growth.subsets.nested_order`.
        to_rows: forecast to this many rows as well.
        target: loss (nats per token) to be reached.
        last_verdict: verdict of the last iteration, needed for STOP.
        allow_leaks: train although training rows leak into the exam; see :mod:`datagen.dedup.leakage.refusal`.

    Raises:
        UsageError: too few rows, sizes and seeds that do not match, or a forecast to more than four times the rows there are.
        DataError: training rows leak into the exam.
    """
    if not allow_leaks:
        refuse_leaking_rows(train, exam, "curve")
    rows = distinct(train)
    total = len(rows)
    if len(fractions) != len(seeds) or list(fractions) != sorted(set(fractions)) or not 0 < fractions[0] <= fractions[-1] == 1:
        raise UsageError(f"fractions must increase to 1 and match the seeds, got {list(fractions)} and {list(seeds)}")
    if to_rows is not None and not total < to_rows <= REFUSE_BEYOND * total:
        hint = f"measure a larger set first; {REFUSE_BEYOND:g} times what was measured is the limit"
        raise UsageError(f"a forecast from {total} to {to_rows} rows is not possible", hint=hint)
    plan = [(n, s) for f, s in zip(fractions, seeds, strict=True) if (n := round(total * f)) >= SMALLEST]
    if len(plan) < 3:
        raise UsageError(f"{total} rows are too few for a learning curve", hint=f"the third-largest part must hold {SMALLEST} rows")
    bank = Bank(exam, config=config, runs_dir=runs_dir, on_progress=on_progress)
    orders = {seed: nested_order(rows, by=by, seed=seed) for seed in range(max(seeds))}
    jobs = [Job(str(n), orders[seed][:n], seed, config) for n, count in plan for seed in range(count)]
    losses = bank.run([base_job(config), *jobs])
    eval_set = primary_set(losses, config.primary)
    matrices = [document_losses(losses, arm=str(n), eval_set=eval_set) for n, _ in plan]
    measured = Measured(np.array([float(n) for n, _ in plan]), tuple(m.losses for m in matrices), matrices[0].weights)
    found = forecast(measured)
    base = document_losses(losses, arm="base", eval_set=eval_set).mean()
    warnings = _warnings(config, eval_set, measured, total, to_rows, found)
    points = [
        SizePoint(rows=n, seeds=s, loss=m.mean(), low=m.mean() - level(m).half_width(0.1), high=m.mean() + level(m).half_width(0.1))
        for (n, s), m in zip(plan, matrices, strict=True)
    ]
    result = conclude(found, points, config=config, by=by, base_loss=base, to_rows=to_rows, target=target, last_verdict=last_verdict)
    result = result.model_copy(
        update={"model": bank.source.name, "eval_set": eval_set, "warnings": tuple(warnings), "trained": bank.trained}
    )
    write_losses(out_dir / "losses.parquet", losses)
    write_json(out_dir / "curve.json", result.model_dump(mode="json"))
    return result


def conclude(
    found: Forecast,
    points: Sequence[SizePoint],
    *,
    config: ProbeConfig,
    by: Grouping,
    base_loss: float,
    to_rows: int | None,
    target: float | None,
    last_verdict: Decision | None,
) -> CurveResult:
    """Read forecast and advice off a fitted curve; no model is needed."""
    total = points[-1].rows
    doubling = _gain(found, total, 2 * total, config.seeds)
    if doubling.low > config.delta:
        advice: Advice = "CONTINUE"
    elif doubling.high < config.delta and last_verdict == "EQUIVALENT":
        advice = "STOP"
    else:
        advice = "INCONCLUSIVE"
    reach = np.unique(np.round(np.geomspace(total + 1, REFUSE_BEYOND * total, 64)))
    needed = next((int(n) for n in reach if band(found.gain(total, n)).low >= config.delta), None)
    starts = np.unique(np.round(np.geomspace(total, 2 * total, 32)))
    pays = next((int(n) for n in starts if float(np.median(found.gain(n, 2 * n))) < config.delta), None)
    reached = None if target is None else next((int(n) for n in [total, *reach] if float(np.median(found.loss(n))) <= target), None)
    line = [(n, band(found.loss(n))) for n in np.geomspace(points[0].rows, REFUSE_BEYOND * total, 48)]
    return CurveResult(
        model="",
        eval_set="",
        by=by,
        delta=config.delta,
        base_loss=base_loss,
        points=tuple(points),
        laws=_laws(found),
        misfit=found.misfit,
        doubling=doubling,
        ahead=_gain(found, total, to_rows, config.seeds) if to_rows else None,
        advice=advice,
        rows_needed=needed,
        pays_until=pays,
        target_rows=reached,
        line=tuple(LinePoint(rows=float(n), loss=b.middle, low=b.low, high=b.high) for n, b in line),
        sentence=curve_sentence(advice, total=total, gain=doubling, delta=config.delta, needed=needed, last_verdict=last_verdict),
        warnings=(),
        trained=0,
    )


def _gain(found: Forecast, start: int, end: int, seeds: int) -> Gain:
    expected, seen = band(found.gain(start, end)), band(found.seen(end, seeds))
    return Gain(
        start=start,
        end=end,
        expected=expected.middle,
        low=expected.low,
        high=expected.high,
        seeds=seeds,
        seen_low=seen.low,
        seen_high=seen.high,
    )


def _laws(found: Forecast) -> tuple[LawFit, ...]:
    largest = float(found.measured.sizes[-1])
    return tuple(
        LawFit(
            law=c.shape.law,
            weight=found.law_weights[c.shape.law],
            exponent=c.shape.exponent,
            scale_rows=c.shape.scale * largest,
            limit=c.limit if c.limit >= 0 else None,
        )
        for c in found.curves
    )


def _warnings(config: ProbeConfig, eval_set: str, measured: Measured, total: int, to_rows: int | None, found: Forecast) -> list[str]:
    warnings: list[str] = []
    if eval_set != config.primary:
        warnings.append(f"the exam has no '{config.primary}' questions: the curve is read on '{eval_set}'")
    if to_rows and to_rows > WARN_BEYOND * total:
        warnings.append(f"{to_rows} rows are more than twice what was measured: the band holds only if the law does not change")
    if measured.sizes[0] < config.batch_size:
        warnings.append(f"the smallest size ({measured.sizes[0]:.0f} rows) is less than one batch of {config.batch_size}")
    means, noise = measured.means(), measured.seed_variances()
    if means[-1] > means[:-1].min() + 2 * float(noise[-1] / len(measured.losses[-1])) ** 0.5:
        warnings.append("the largest set is not the best one: more rows did harm somewhere, which no law here can describe")
    if found.misfit > 4:
        warnings.append(f"no law fits the sizes within the noise (squared misfit {found.misfit:.1f} per degree of freedom)")
    return warnings
