"""The noise table: how much a probe's loss scatters between seeds, by learning rate, schedule, batch size and weight averaging.

    python tests/bench/probe_noise.py run [--rows 100] [--seconds 280] [--model gemma3-270m]    compute missing runs and stop in time
    python tests/bench/probe_noise.py report [--rows 100]                                       one JSON object from the runs there are

Compute is the same in every line with the same passes over the same rows. Runs lie in ``~/.cache/datagen-bench/bank`` by content hash,
so the command may be killed and called again. ``mde`` is the smallest difference between two sets that three seeds and endlessly many
questions would find four times in five (5 %, two-sided), were the two arms' scatter independent: the part of a verdict's width that these
settings decide.
"""

import argparse
import json
import sys
import time
from dataclasses import dataclass

import numpy as np
from probe_bank import HOME, pool_and_exam
from scipy import stats

from datagen.probe.config import ProbeConfig
from datagen.probe.engine.execute import execute
from datagen.probe.engine.job import BASE, Job, RunSpec, plan
from datagen.probe.models.backend import Backend
from datagen.probe.store import runs

SEEDS = 3


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table."""

    rate: float
    batch: int = 8
    passes: int = 1
    schedule: str = "linear"
    average: float = 0.0


LINES = [
    Line(5e-4),
    Line(1e-3),
    Line(2e-3),
    Line(1e-3, batch=4),
    Line(1e-3, schedule="constant"),
    Line(1e-3, average=0.3),
    Line(3e-4, passes=3),
    Line(5e-4, passes=3),
    Line(1e-3, passes=3),
    Line(5e-4, passes=3, schedule="constant"),
    Line(5e-4, passes=3, average=0.3),
]


class Table:
    """The runs of the table over the first ``rows`` rows of the example set's pool."""

    def __init__(self, rows: int, model: str) -> None:
        pool, self._exam = pool_and_exam()
        self._rows = pool[:rows]
        self._model = model
        self._backend: Backend | None = None

    def job(self, line: Line) -> Job:
        config = ProbeConfig.model_validate(
            {"model": self._model, "epochs": line.passes, "learning_rate": line.rate, "schedule": line.schedule, "batch_size": line.batch}
            | {"average": line.average, "evals_per_run": 1, "answers": 0}
        )
        return plan(self._rows, self._exam, None, config, HOME / "bank", None)

    def spec(self, line: Line, seed: int) -> RunSpec:
        return RunSpec("new", seed, self.job(line).config.steps_for(len(self._rows)), line.rate)

    def run(self, line: Line, spec: RunSpec) -> None:
        job = self.job(line)
        job.backend = self._backend
        execute(job, [spec])
        self._backend = job.backend

    def loss(self, line: Line, spec: RunSpec) -> float | None:
        """Return the stored loss in nats per token, None if the run is missing."""
        folder = self.job(line).folder(spec)
        if runs.load_info(folder) is None:
            return None
        final = [r for r in runs.load_losses(folder, spec.arm) if r.final]
        return sum(r.nll for r in final) / sum(r.n_tokens for r in final)


def compute(table: Table, seconds: float) -> None:
    """Compute missing runs, one seed of every line before the next seed, until the time is up."""
    begun = time.monotonic()
    slowest = 0.0
    untrained = RunSpec(BASE, -1, 0, 0.0)
    if table.loss(LINES[0], untrained) is None:
        table.run(LINES[0], untrained)
    for seed in range(SEEDS):
        for line in LINES:
            spec = table.spec(line, seed)
            if table.loss(line, spec) is not None:
                continue
            if time.monotonic() - begun + slowest > seconds:
                return
            started = time.monotonic()
            table.run(line, spec)
            slowest = max(slowest, time.monotonic() - started)
            sys.stderr.write(f"{line} seed {seed}: {table.loss(line, spec):.4f} in {time.monotonic() - started:.0f} s\n")


def report(table: Table) -> dict[str, object]:
    """Judge the lines whose runs are all there, the least detectable difference first."""
    found: list[dict[str, float | str | int]] = []
    for line in LINES:
        losses = [x for seed in range(SEEDS) if (x := table.loss(line, table.spec(line, seed))) is not None]
        if len(losses) < SEEDS:
            continue
        sd = float(np.std(losses, ddof=1))
        found.append(
            {"passes": line.passes, "rate": line.rate, "batch": line.batch, "schedule": line.schedule, "average": line.average}
            | {"loss": round(float(np.mean(losses)), 4), "seed_sd": round(sd, 4), "mde": round(_mde(sd), 4)}
        )
    base = table.loss(LINES[0], RunSpec(BASE, -1, 0, 0.0))
    return {"untrained_loss": base, "seeds": SEEDS, "lines": sorted(found, key=lambda f: float(str(f["mde"])))}


def _mde(sd: float) -> float:
    """Return the difference found with power 0.8 at 5 % from ``SEEDS`` paired differences of standard deviation ``sd * sqrt(2)``."""
    degrees = SEEDS - 1
    quantiles = float(stats.t.ppf(0.975, degrees)) + float(stats.t.ppf(0.8, degrees))
    return quantiles * sd * (2 / SEEDS) ** 0.5


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=("run", "report"))
    parser.add_argument("--rows", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=280)
    parser.add_argument("--model", default="gemma3-270m")
    given = parser.parse_args()
    table = Table(given.rows, given.model)
    if given.action == "run":
        compute(table, given.seconds)
    else:
        sys.stdout.write(json.dumps(report(table), indent=1) + "\n")
