"""Rank and target modules on the user's own data: the two tables of the LoRA paper, with intervals.

Source: E. J. Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", arXiv 2106.09685: table 6 (rank by adapted matrices) and
table 5 (adapted matrices at one number of trainable parameters). Alpha stays the same at every rank, as there (section 4.1).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from datagen.errors import UsageError
from datagen.jsonl import write_json
from datagen.probe.config import ProbeConfig
from datagen.probe.growth.bank import Bank, Job, base_job, distinct, refuse_leaking_rows
from datagen.probe.growth.matrix import Matrix, difference, document_losses, level, primary_set
from datagen.probe.growth.targets import Layers, model_layers
from datagen.probe.growth.words import sweep_sentence
from datagen.probe.progress import OnProgress
from datagen.probe.result import Decision, Sentence
from datagen.probe.stats.estimate import Estimate, holm, two_sided_p
from datagen.probe.stats.verdict import decide
from datagen.probe.store.losses import write_losses
from datagen.schemas.sample import Sample

RANKS = (1, 2, 4, 8, 64)
TARGETS = ("q,v", "q,k,v,o", "all")
LEVEL = 0.05


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Cell(_Frozen):
    """One setting: loss in nats per completion token with its 95 % interval (documents and seeds), and the difference to the reference cell
    of its table, paired by seed and document, with a 95 % interval and a p-value adjusted by Holm over the table. The reference's own
    difference is 0."""

    targets: str
    rank: int
    parameters: int
    loss: float
    low: float
    high: float
    difference: float
    difference_low: float
    difference_high: float
    p: float
    verdict: Decision
    reference: bool


class Table(_Frozen):
    """Cells in the order asked for. The reference is the cell with the lowest loss: picked from the same losses, so differences to it
    look larger than they are, and more tables than 5 % name a WORSE cell where all are alike (``equal_settings`` of
    ``tests/bench/probe_simulation.py``)."""

    name: str
    cells: tuple[Cell, ...]


class SweepResult(_Frozen):
    """A finished sweep.

    Attributes:
        rank_by_targets: every rank with every set of target modules.
        equal_parameters: every set of target modules at the rank that comes nearest to one number of trainable parameters.
        choice: the cheapest cell (fewest parameters) that is not WORSE than the best.
    """

    model: str
    eval_set: str
    rows: int
    seeds: int
    alpha: float
    base_loss: float
    rank_by_targets: Table
    equal_parameters: Table
    choice: Cell
    sentence: Sentence
    trained: int


def lora_sweep(
    train: Sequence[Sample],
    exam: Sequence[Sample],
    *,
    config: ProbeConfig,
    runs_dir: Path,
    out_dir: Path,
    ranks: Sequence[int] = RANKS,
    targets: Sequence[str] = TARGETS,
    budget_rank: int | None = None,
    allow_leaks: bool = False,
    on_progress: OnProgress | None = None,
) -> SweepResult:
    """Train every setting with ``config.seeds`` seeds; write ``sweep.json`` and ``losses.parquet`` into ``out_dir``.

    Args:
        ranks: rows of the first table; alpha is ``config.alpha`` at each.
        targets: sets of target modules, as in :meth:`datagen.probe.growth.targets.Layers.resolve`.
        budget_rank: rank at which ``all`` linear layers give the second table's number of parameters (default: the middle of ``ranks``).
        allow_leaks: train although training rows leak into the exam; see :mod:`datagen.dedup.leakage.refusal`.

    Raises:
        UsageError: no rows, fewer than two seeds, an unknown target module, or a rank out of range.
        DataError: training rows leak into the exam.
    """
    if not allow_leaks:
        refuse_leaking_rows(train, exam, "sweep")
    rows = distinct(train)
    if not rows:
        raise UsageError("the training set has no rows")
    if config.seeds < 2:
        raise UsageError("one seed says nothing about the noise between runs", hint="give --seeds 2 or more")
    if not ranks or not targets or min(ranks) < 1 or len(set(ranks)) < len(ranks) or len(set(targets)) < len(targets):
        raise UsageError(f"ranks and targets must be different and ranks at least 1, got {list(ranks)} and {list(targets)}")
    bank = Bank(exam, config=config, runs_dir=runs_dir, on_progress=on_progress)
    layers = model_layers(bank.source.prepare(bank.dtype))
    named = {t: layers.resolve(t) for t in targets}
    budget = layers.parameters((), budget_rank or sorted(ranks)[len(ranks) // 2])
    grid = [(t, r) for t in targets for r in ranks]
    equal = [(t, layers.rank_for(named[t], budget)) for t in targets]
    jobs = [
        Job(f"{t} {r}", rows, seed, config.model_copy(update={"rank": r, "target_modules": named[t]}))
        for t, r in dict.fromkeys([*grid, *equal])
        for seed in range(config.seeds)
    ]
    losses = bank.run([base_job(config), *jobs])
    eval_set = primary_set(losses, config.primary)
    found = {s: document_losses(losses, arm=f"{s[0]} {s[1]}", eval_set=eval_set) for s in dict.fromkeys([*grid, *equal])}
    first = _table("rank by target modules", grid, found, layers, named, config.delta)
    second = _table("equal number of parameters", equal, found, layers, named, config.delta)
    choice = min((c for c in first.cells if c.verdict != "WORSE"), key=lambda c: (c.parameters, c.loss))
    base = document_losses(losses, arm="base", eval_set=eval_set).mean()
    result = SweepResult(
        model=bank.source.name,
        eval_set=eval_set,
        rows=len(rows),
        seeds=config.seeds,
        alpha=config.alpha,
        base_loss=base,
        rank_by_targets=first,
        equal_parameters=second,
        choice=choice,
        sentence=sweep_sentence(choice, next(c for c in first.cells if c.reference)),
        trained=bank.trained,
    )
    write_losses(out_dir / "losses.parquet", losses)
    write_json(out_dir / "sweep.json", result.model_dump(mode="json"))
    return result


Setting = tuple[str, int]


class Judged(NamedTuple):
    """A setting against the table's best: the difference, its p-value after Holm (1 for the best itself), and the verdict."""

    value: Estimate
    p: float
    verdict: Decision


def judge_table(found: Mapping[Setting, Matrix], *, delta: float) -> dict[Setting, Judged]:
    """Compare every setting with the one of the lowest mean loss, which comes first; see :class:`Table`."""
    best = min(found, key=lambda s: (found[s].mean(), s))
    values = {s: difference(found[best], m) for s, m in found.items()}
    others = [s for s in found if s != best]
    adjusted = dict(zip(others, holm([two_sided_p(values[s]) for s in others]), strict=True))
    judged: dict[Setting, Judged] = {best: Judged(values[best], 1.0, "EQUIVALENT")}
    for s, p in adjusted.items():
        verdict = decide(values[s], delta=delta, alpha=LEVEL)
        judged[s] = Judged(values[s], p, "INCONCLUSIVE" if verdict in ("BETTER", "WORSE") and p >= LEVEL else verdict)
    return judged


def _table(
    name: str,
    settings: Sequence[Setting],
    found: dict[Setting, Matrix],
    layers: Layers,
    named: dict[str, tuple[str, ...]],
    delta: float,
) -> Table:
    judged = judge_table({s: found[s] for s in settings}, delta=delta)
    best = next(iter(judged))
    cells: list[Cell] = []
    for s in settings:
        own, (value, p, verdict) = level(found[s]), judged[s]
        half = value.half_width(LEVEL)
        cells.append(
            Cell(
                targets=s[0],
                rank=s[1],
                parameters=layers.parameters(named[s[0]], s[1]),
                loss=own.delta,
                low=own.delta - own.half_width(LEVEL),
                high=own.delta + own.half_width(LEVEL),
                difference=value.delta,
                difference_low=value.delta - half,
                difference_high=value.delta + half,
                p=p,
                verdict=verdict,
                reference=s == best,
            )
        )
    return Table(name=name, cells=tuple(cells))
