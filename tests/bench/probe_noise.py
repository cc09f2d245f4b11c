"""The noise table: how much a probe's loss scatters between seeds, by learning rate, schedule, batch size and weight averaging.

    python tests/bench/probe_noise.py run [--rows 100] [--model gemma3-270m]    compute missing runs
    python tests/bench/probe_noise.py report [--rows 100]                       one JSON object from the runs there are

Compute is the same in every line with the same passes over the same rows. Runs lie in ``~/.cache/datagen-bench/bank`` by content hash,
so the command may be killed and called again. ``mde`` is the smallest difference between two sets that three seeds and endlessly many
questions would find four times in five (5 %, two-sided), were the two arms' scatter independent: the part of a verdict's width that these
settings decide.
"""

import argparse
import json
import sys
from dataclasses import dataclass

import numpy as np
from probe_bank import HOME, pool_and_exam, tell
from scipy import stats

from datagen.probe.config import ProbeConfig
from datagen.probe.growth.bank import Bank, Job, base_job

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
    Line(3e-4),
    Line(5e-4),
    Line(1e-3),
    Line(2e-3),
    Line(1e-3, batch=4),
    Line(1e-3, schedule="constant"),
    Line(1e-3, average=0.3),
    Line(1e-4, passes=3),
    Line(3e-4, passes=3),
    Line(5e-4, passes=3),
    Line(1e-3, passes=3),
    Line(5e-4, passes=3, schedule="constant"),
    Line(5e-4, passes=3, average=0.3),
]


class Table:
    """The runs of the table over the first ``rows`` rows of the example set's pool."""

    def __init__(self, rows: int, model: str) -> None:
        pool, exam = pool_and_exam()
        self._rows = pool[:rows]
        self._config = ProbeConfig(model=model, evals_per_run=1, answers=0)
        self._bank = Bank(exam, config=self._config, runs_dir=HOME / "bank", on_progress=tell)

    def job(self, line: Line, seed: int) -> Job:
        settings = {"epochs": line.passes, "learning_rate": line.rate, "batch_size": line.batch}
        config = self._config.model_copy(update={**settings, "schedule": line.schedule, "average": line.average})
        return Job("new", self._rows, seed, config)

    def compute(self) -> None:
        """Compute what is missing, one seed of every line before the next seed."""
        self._bank.run([base_job(self._config), *(self.job(line, seed) for seed in range(SEEDS) for line in LINES)])

    def loss(self, job: Job) -> float | None:
        """Return the stored loss in nats per token, None if the run is missing."""
        if self._bank.missing([job]):
            return None
        own = self._bank.run([job])
        return sum(r.nll for r in own) / sum(r.n_tokens for r in own)

    def untrained(self) -> float | None:
        return self.loss(base_job(self._config))


def report(table: Table) -> dict[str, object]:
    """Judge the lines whose runs are all there, the least detectable difference first."""
    found: list[dict[str, float | str | int]] = []
    for line in LINES:
        losses = [x for seed in range(SEEDS) if (x := table.loss(table.job(line, seed))) is not None]
        if len(losses) < SEEDS:
            continue
        sd = float(np.std(losses, ddof=1))
        found.append(
            {"passes": line.passes, "rate": line.rate, "batch": line.batch, "schedule": line.schedule, "average": line.average}
            | {"loss": round(float(np.mean(losses)), 4), "seed_sd": round(sd, 4), "mde": round(_mde(sd), 4)}
        )
    return {"untrained_loss": table.untrained(), "seeds": SEEDS, "lines": sorted(found, key=lambda f: float(str(f["mde"])))}


def _mde(sd: float) -> float:
    """Return the difference found with power 0.8 at 5 % from ``SEEDS`` paired differences of standard deviation ``sd * sqrt(2)``."""
    degrees = SEEDS - 1
    quantiles = float(stats.t.ppf(0.975, degrees)) + float(stats.t.ppf(0.8, degrees))
    return quantiles * sd * (2 / SEEDS) ** 0.5


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=("run", "report"))
    parser.add_argument("--rows", type=int, default=100)
    parser.add_argument("--model", default="gemma3-270m")
    given = parser.parse_args()
    table = Table(given.rows, given.model)
    if given.action == "run":
        table.compute()
    else:
        sys.stdout.write(json.dumps(report(table), indent=1) + "\n")
