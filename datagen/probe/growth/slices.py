"""Which slice of the training set is worth its rows? Random halves are trained, main effects read off, and the top one confirmed."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from datagen.errors import UsageError
from datagen.jsonl import write_json
from datagen.probe.config import ProbeConfig
from datagen.probe.growth.bank import Bank, Job, base_job, distinct, refuse_leaking_rows
from datagen.probe.growth.matrix import document_losses, primary_set
from datagen.probe.growth.screening import main_effects
from datagen.probe.growth.subsets import half_inclusions
from datagen.probe.growth.words import slices_sentence
from datagen.probe.progress import OnProgress
from datagen.probe.result import ProbeResult, Sentence, Verdict
from datagen.probe.stats.estimate import t_quantile
from datagen.probe.store.losses import write_losses
from datagen.schemas.sample import Sample

SliceKind = Literal["document", "section", "topic", "strategy", "question_type", "language"]
OTHER = "(other)"
LEVEL = 0.1


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SliceEffect(_Frozen):
    """One slice. ``effect``: loss with it minus without it (nats per token; below 0: it helps), with a 90 % interval; ``per_100_rows``: the
    same for a hundred of its rows."""

    name: str
    rows: int
    effect: float
    low: float
    high: float
    per_100_rows: float


class SlicesResult(_Frozen):
    """Effects, best first by what a hundred rows bring.

    Attributes:
        noise: standard deviation of one run around the additive model.
        confirmed: the verdict of training on everything against everything but the top slice; null if not asked for.
    """

    model: str
    eval_set: str
    by: SliceKind
    rows: int
    runs: int
    noise: float
    effects: tuple[SliceEffect, ...]
    top: str
    confirmed: Verdict | None
    sentence: Sentence
    warnings: tuple[str, ...]
    trained: int


def measure_slices(
    train: Sequence[Sample],
    exam: Sequence[Sample],
    *,
    config: ProbeConfig,
    runs_dir: Path,
    out_dir: Path,
    by: SliceKind = "document",
    most: int = 12,
    draws: int | None = None,
    confirm: bool = True,
    allow_leaks: bool = False,
    on_progress: OnProgress | None = None,
) -> SlicesResult:
    """Screen slices and confirm the top one; write ``slices.json`` and ``losses.parquet`` into ``out_dir``.

    Args:
        by: what a slice is: the source document, its folder (topic), the top heading (section), or the value of a tag.
        most: slices screened, the largest ones; rows of the others are in every run.
        draws: screening runs, an even number (default: twice the slices, at least 8).
        confirm: train everything against everything but the top slice, ``config.seeds`` pairs, and give a verdict.
        allow_leaks: train although training rows leak into the exam; see :mod:`datagen.dedup.leakage.refusal`.

    Raises:
        UsageError: fewer than two slices, or an odd number of runs.
        DataError: training rows leak into the exam.
    """
    if not allow_leaks:
        refuse_leaking_rows(train, exam, "slices")
    rows = distinct(train)
    counts = Counter(map(_KEYS[by], rows))
    names = [name for name, _ in sorted(counts.items(), key=lambda c: (-c[1], c[0]))[:most]]
    if len(names) < 2:
        raise UsageError(f"by {by} the rows fall into {len(names)} slice", hint=f"choose another --by: {', '.join(_KEYS)}")
    count = draws if draws is not None else max(8, 2 * len(names))
    if count < 4 or count % 2:
        raise UsageError(f"screening runs come in pairs of opposite halves, at least 4; got {count}")
    bank = Bank(exam, config=config, runs_dir=runs_dir, on_progress=on_progress)
    halves = half_inclusions(len(names), draws=count, seed=0)
    jobs: list[Job] = []
    for n, half in enumerate(halves):
        out = {name for name, kept in zip(names, half, strict=True) if not kept}
        chosen = [s for s in rows if _KEYS[by](s) not in out]
        # Both of a pair share a seed: what the seed does to the loss is the same for a slice in and out.
        jobs.append(Job(f"half {n:03d}", chosen, n // 2, config))
    losses = bank.run([base_job(config), *jobs])
    eval_set = primary_set(losses, config.primary)
    means = np.array([document_losses(losses, arm=job.arm, eval_set=eval_set).mean() for job in jobs])
    found = main_effects(np.array(halves, dtype=np.float64), means)
    quantile = t_quantile(1 - LEVEL / 2, max(count - 1, 1))
    effects = [
        SliceEffect(
            name=name,
            rows=counts[name],
            effect=float(e),
            low=float(e - quantile * d),
            high=float(e + quantile * d),
            per_100_rows=float(e) * 100 / counts[name],
        )
        for name, e, d in zip(names, found.effect, found.deviation, strict=True)
    ]
    effects.sort(key=lambda e: (e.per_100_rows, e.name))
    top = effects[0]
    verdict: Verdict | None = None
    if confirm:
        verdict = _confirm(rows, exam, top.name, by, config=config, runs_dir=runs_dir, out_dir=out_dir, on_progress=on_progress)
    warnings: list[str] = []
    if len(counts) > len(names):
        rest = sum(n for name, n in counts.items() if name not in names)
        warnings.append(f"{len(counts) - len(names)} smaller slices ({rest} rows) were in every run and are not judged")
    if all(e.low <= 0 <= e.high for e in effects):
        warnings.append("no slice's effect is clear of 0: more screening runs are needed to rank them")
    result = SlicesResult(
        model=bank.source.name,
        eval_set=eval_set,
        by=by,
        rows=len(rows),
        runs=count,
        noise=found.noise,
        effects=tuple(effects),
        top=top.name,
        confirmed=verdict,
        sentence=slices_sentence(top, verdict),
        warnings=tuple(warnings),
        trained=bank.trained,
    )
    write_losses(out_dir / "losses.parquet", losses)
    write_json(out_dir / "slices.json", result.model_dump(mode="json"))
    return result


def _confirm(
    rows: Sequence[Sample],
    exam: Sequence[Sample],
    name: str,
    by: SliceKind,
    *,
    config: ProbeConfig,
    runs_dir: Path,
    out_dir: Path,
    on_progress: OnProgress | None,
) -> Verdict:
    from datagen.probe.api import run_probe

    without = [s for s in rows if _KEYS[by](s) != name]
    found: ProbeResult = run_probe(
        rows,
        exam,
        baseline=without,
        config=config.model_copy(update={"answers": 0}),
        runs_dir=runs_dir,
        out_dir=out_dir / "confirmation",
        # Two arms of one set: which rows it may hold was decided before.
        allow_leaks=True,
        on_progress=on_progress,
    )
    return found.headline()


def _topic(sample: Sample) -> str:
    return sample.provenance.document.rpartition("/")[0] or OTHER


def _section(sample: Sample) -> str:
    heading = sample.provenance.heading_path
    return f"{sample.provenance.document} # {heading[0]}" if heading else sample.provenance.document or OTHER


_KEYS: dict[SliceKind, Callable[[Sample], str]] = {
    "document": lambda s: s.provenance.document or OTHER,
    "section": _section,
    "topic": _topic,
    "strategy": lambda s: s.provenance.strategy or OTHER,
    "question_type": lambda s: s.tags.get("question_type", OTHER),
    "language": lambda s: s.tags.get("language", OTHER),
}
