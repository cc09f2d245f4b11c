"""Does the doubling band hold? Run it: ``python tests/bench/doubling.py [--curves N] [--real] [--seconds S]``.

Simulated: curves of seven families (three of them laws that are not fitted), each with its own noise, exam and size; the curve is measured
at n/16 ... n, the doubling to 2n is hidden, forecast, and compared. ``--real``: the tiny model is trained on worlds of its own (rooms,
floors, prices) at the same sizes, and at the hidden doubling too; it says nothing about larger models. Each finished curve is a line in
``~/.cache/datagen/doubling``: killed, or out of ``--seconds``, the same call goes on. Prints one JSON object: the share of hidden gains
inside the 90 % band with Wilson's interval, by family, and the median width.
"""

import argparse
import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from platformdirs import user_cache_path
from scipy.stats import binomtest

from datagen.jsonl import JsonObject, append_row, read_appended
from datagen.probe.growth.forecast import Measured, band, forecast
from datagen.probe.growth.laws import Floats

if TYPE_CHECKING:
    from datagen.schemas.sample import Sample

FRACTIONS = np.array([1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0])
SEEDS = (4, 3, 3, 2, 2)
PROBE_SEEDS = 2
DOCUMENTS = 40
VERSION = 2
"""Part of the store's name; raise it when a stored line would come out otherwise."""


class Hidden(NamedTuple):
    """One hidden doubling: the measured gain (nats per token), the ``seen`` band it should lie in, and, where the truth is known, whether
    the true gain lies in the ``expected`` band."""

    family: str
    number: int
    gain: float
    low: float
    high: float
    expected_inside: bool | None = None

    @property
    def inside(self) -> bool:
        return self.low <= self.gain <= self.high


def _power(n: Floats, rng: np.random.Generator) -> Floats:
    return n ** -rng.uniform(0.1, 1.0)


def _rectified(n: Floats, rng: np.random.Generator) -> Floats:
    b = rng.uniform(0.3, 1.2)
    return 1 / ((10 ** rng.uniform(1, 3)) ** b + n**b)


def _exhausted(n: Floats, rng: np.random.Generator) -> Floats:
    return np.exp(-n / 10 ** rng.uniform(1.5, 3.5))


def _logarithm(n: Floats, rng: np.random.Generator) -> Floats:
    return -np.log(n)


def _knee(n: Floats, rng: np.random.Generator) -> Floats:
    return np.minimum(n, 10 ** rng.uniform(2, 3.2)) ** -rng.uniform(0.3, 0.8)


def _logistic(n: Floats, rng: np.random.Generator) -> Floats:
    return 1 / (1 + (n / 10 ** rng.uniform(1.5, 3)) ** rng.uniform(1.0, 2.4))


def _flat(n: Floats, rng: np.random.Generator) -> Floats:
    return 0 * n


FAMILIES: dict[str, Callable[[Floats, np.random.Generator], Floats]] = {
    "power": _power,
    "rectified": _rectified,
    "exhausted": _exhausted,
    "logarithm": _logarithm,
    "knee": _knee,
    "logistic": _logistic,
    "flat": _flat,
}


def simulate(family: str, number: int) -> Hidden:
    """Hide one doubling of a simulated curve."""
    rng = np.random.default_rng([VERSION, list(FAMILIES).index(family), number])
    rows = float(rng.choice([300, 600, 1600]))
    sizes = np.append(np.round(rows * FRACTIONS), 2 * rows)
    part = FAMILIES[family](sizes, rng)
    fall = part[0] - part[4]
    part = (part - part[4]) / fall if fall else part
    drop = rng.uniform(0.4, 2.0)
    truth = max(rng.uniform(0.3, 1.4), 0.1 - drop * min(part[5], 0.0)) + drop * part
    weights = rng.dirichlet(np.full(DOCUMENTS, 4.0))
    noise = 10 ** rng.uniform(-2.6, -1.5)
    level, slope = rng.normal(0, 0.25, DOCUMENTS), rng.normal(1, 0.3, DOCUMENTS)
    level, slope = level - level @ weights, slope - slope @ weights

    def measure(i: int, seeds: int) -> Floats:
        spread = noise * (2 * rows / sizes[i]) ** 0.25
        own = truth[i] + level + slope * (truth[i] - truth[4])
        return own + rng.normal(0, spread, (seeds, 1)) + rng.normal(0, 0.02, (seeds, DOCUMENTS))

    measured = Measured(sizes[:5], tuple(measure(i, s) for i, s in enumerate(SEEDS)), weights)
    found = forecast(measured, draws=500, seed=int(rng.integers(1 << 30)))
    seen, expected = band(found.seen(2 * rows, PROBE_SEEDS)), band(found.gain(rows, 2 * rows))
    shown = float(measured.means()[-1] - (measure(5, PROBE_SEEDS) @ weights).mean())
    return Hidden(family, number, shown, seen.low, seen.high, bool(expected.low <= truth[4] - truth[5] <= expected.high))


def train(number: int, folder: Path) -> Hidden:
    """Hide one doubling of a curve that the tiny model is trained for; runs are kept in ``folder``."""
    from datagen.probe.config import ProbeConfig
    from datagen.probe.growth.bank import Bank, Job
    from datagen.probe.growth.matrix import document_losses
    from datagen.probe.growth.subsets import nested_order

    config = ProbeConfig(model="tiny", seeds=2, epochs=3, learning_rate=5e-3, rank=4, alpha=8, evals_per_run=1, answers=0)
    rows, exam = _world(number)
    bank = Bank(exam, config=config, runs_dir=folder)
    half = len(rows) // 2
    plan = [*zip([round(half * f) for f in FRACTIONS], SEEDS, strict=True), (2 * half, PROBE_SEEDS)]
    jobs = [Job(str(n), nested_order(rows, by="row", seed=s)[:n], s, config) for n, count in plan for s in range(count)]
    losses = bank.run(jobs)
    matrices = [document_losses(losses, arm=str(n), eval_set="recall") for n, _ in plan]
    measured = Measured(np.array([float(n) for n, _ in plan[:5]]), tuple(m.losses for m in matrices[:5]), matrices[0].weights)
    seen = band(forecast(measured).seen(2.0 * half, PROBE_SEEDS))
    return Hidden("tiny", number, float(measured.means()[-1] - matrices[5].mean()), seen.low, seen.high)


def _world(number: int) -> "tuple[list[Sample], list[Sample]]":
    from datagen.schemas.record import question_answer
    from datagen.schemas.sample import Provenance, Sample

    rng = random.Random(f"world:{number}")
    rooms = ("豪华大床房", "商务双床房", "家庭套房", "江景房", "deluxe room", "twin room", "family suite", "river room")
    rows: list[Sample] = []
    exam: list[Sample] = []
    for room in rooms:
        for floor in range(2, 5 + number % 4):
            price = rng.randrange(100, 999)
            zh = not room.isascii()
            answer = f"{floor}层{room}每晚{price}元。" if zh else f"The {room} on floor {floor} costs {price} dollars."
            for phrasing in range(8):
                asked = f"Guest {phrasing} asks: how much is the {room} on floor {floor}?"
                if zh:
                    asked = f"第{phrasing}位客人问：{floor}层{room}多少钱？"
                sample = Sample.of(
                    question_answer(asked, answer),
                    provenance=Provenance(document=f"{room}.md"),
                    tags={"language": "zh" if zh else "en", "eval_set": "recall"},
                )
                (rows if phrasing < 7 else exam).append(sample)
    rng.shuffle(rows)
    return rows, exam


def run(curves: int, *, really: bool, seconds: float, folder: Path) -> JsonObject:
    """Go on where the store ends, for at most ``seconds``; return the summary of all stored doublings that were asked for."""
    store = folder / f"{'real' if really else 'simulated'}-v{VERSION}.jsonl"
    wanted = [(family, n) for n in range(curves) for family in (("tiny",) if really else FAMILIES)]
    found = {(h.family, h.number): h for h in (Hidden(**row) for row in read_appended(store))}
    begun = time.monotonic()
    for family, number in wanted:
        if time.monotonic() - begun > seconds:
            break
        if (family, number) not in found:
            hidden = train(number, folder / "runs") if really else simulate(family, number)
            append_row(store, hidden._asdict())
            found[family, number] = hidden
    asked = [found[key] for key in wanted if key in found]
    families = {family: [h for h in asked if h.family == family] for family in dict.fromkeys(h.family for h in asked)}
    result: JsonObject = {family: _summary(own) for family, own in families.items()}
    if really:
        result["doublings"] = [h._asdict() for h in asked]
    else:
        result["all"] = _summary(asked)
    return {**result, "missing": len(wanted) - len(asked), "store": str(store)}


def _summary(found: Sequence[Hidden]) -> JsonObject:
    n, inside = len(found), sum(h.inside for h in found)
    if not n:
        return {"doublings_hidden": 0}
    wilson = binomtest(inside, n).proportion_ci(method="wilson")
    known = [h.expected_inside for h in found if h.expected_inside is not None]
    return {
        "doublings_hidden": n,
        "inside": round(inside / n, 3),
        "wilson_95": [round(float(wilson.low), 3), round(float(wilson.high), 3)],
        **({"expected_inside": round(sum(known) / len(known), 3)} if known else {}),
        "median_width": round(float(np.median([h.high - h.low for h in found])), 4),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--curves", type=int, default=100, help="of each family; with --real: of the tiny model")
    parser.add_argument("--real", action="store_true")
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--store", type=Path, default=user_cache_path("datagen", appauthor=False) / "doubling")
    given = parser.parse_args()
    summary = run(given.curves, really=given.real, seconds=given.seconds, folder=given.store)
    sys.stdout.write(json.dumps(summary, indent=2, ensure_ascii=False) + "\n")
