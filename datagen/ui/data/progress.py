"""What a run has told of itself so far, and what that says about its whole price."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datagen.jsonl import JsonObject


@dataclass(frozen=True, slots=True)
class Step:
    """The last that is known of one stage: ``done`` of ``total`` units at ``at`` seconds after the stage ``began`` (epoch seconds)."""

    iteration: int
    stage: str
    began: float
    at: float
    done: int = 0
    total: int = 0
    note: str = ""

    @property
    def rate(self) -> float:
        """Units a second since the stage began; 0 before anything is known."""
        return self.done / (self.at - self.began) if self.done and self.at > self.began else 0.0

    @property
    def eta_s(self) -> float | None:
        """Seconds the stage still needs at this rate."""
        return (self.total - self.done) / self.rate if self.rate else None


@dataclass(frozen=True, slots=True)
class Spending:
    """Dollars of one run: paid so far, what the whole run is expected to cost by now, and the most it could (by its plan).

    ``known`` is False where a model's price is not: it counts as 0.
    """

    paid: float
    forecast: float
    most: float
    known: bool


# A run of hours writes five lines a second; only what was appended since is read.
_seen: dict[Path, tuple[int, list[Step]]] = {}


def read_steps(path: Path) -> list[Step]:
    """Return the stages of a progress file in the order they were begun; a torn last line is left out."""
    if not path.exists():
        _seen.pop(path, None)
        return []
    offset, steps = _seen.get(path, (0, []))
    if path.stat().st_size < offset:
        offset, steps = 0, []
    with path.open("rb") as file:
        file.seek(offset)
        raw = file.read()
    complete = raw[: raw.rfind(b"\n") + 1]
    steps = list(steps)
    for line in complete.split(b"\n")[:-1]:
        value = json.loads(line)
        if "stage" in value:
            steps.append(Step(value["iteration"], value["stage"], value["time"], value["time"]))
        elif steps:
            last = steps[-1]
            steps[-1] = Step(last.iteration, last.stage, last.began, value["time"], value["done"], value["total"], value["note"])
    _seen[path] = (offset + len(complete), steps)
    return steps


def spending(plan: JsonObject, steps: Sequence[Step], *, paid: float) -> Spending:
    """Forecast a run's price: what is paid, and of the plan's price the share of the rows that are still to be written.

    Args:
        plan: ``sizes`` and ``prices`` as ``run --dry-run --json`` gave them before the run was first started.
        steps: the run's stages so far. ``exam`` and ``generate`` count rows; a later size counts those of the earlier ones, too.
        paid: dollars since the run was first started.
    """
    prices: list[dict[str, Any]] = plan["prices"]
    sizes: list[int] = plan["sizes"]
    iterations = list(dict.fromkeys(step.iteration for step in steps))
    exam = train = 0.0
    for at, step in enumerate(steps):
        # A stage that is followed by another is done, also one that was taken from disk and told of no row.
        over = at < len(steps) - 1
        if step.stage == "exam":
            exam = 1.0 if over else step.done / step.total if step.total else exam
        elif step.stage == "generate":
            size = sizes[min(iterations.index(step.iteration), len(sizes) - 1)]
            train = max(train, min(1.0, (size if over else step.done) / max(sizes)))
    left = sum(p["cost_usd"] * (1 - (exam if p["purpose"] == "exam" else train)) for p in prices)
    most = sum(p["cost_most_usd"] for p in prices)
    return Spending(paid, paid + left, max(most, paid + left), all(p["price_known"] for p in prices))
