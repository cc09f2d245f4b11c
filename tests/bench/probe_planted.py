"""Planted changes on facts the exam asks about: does the probe call them by their name?

    python tests/bench/probe_planted.py [--model gemma3-270m] [--passes 3] [--rate 5e-4]

Rows and recall questions of the example (quickstart recipe, offline generator, 500 rows) that share a fact, in two wordings: one row and
one question each. Arms: all of them; 10 %, and all, with another row's answer; a random half; the rows of every other document (so
``all`` is these plus grounded rows on sections they did not cover). Three seeds, equal passes, 5 % two-sided. Runs lie in
``~/.cache/datagen-bench/bank``.
"""

import argparse
import json
import random
import sys

from probe_bank import HOME, pool_and_exam, tell, wrong

from datagen.probe.config import ProbeConfig
from datagen.probe.growth.bank import Bank, Job, base_job
from datagen.probe.stats.verdict import Metric, Rules, compare
from datagen.schemas.sample import Sample

SEEDS = 3
METRICS: tuple[Metric, ...] = ("nll", "fact_nll")


def arms(rows: list[Sample]) -> dict[str, list[Sample]]:
    """Make the training sets."""
    documents = sorted({s.provenance.document for s in rows})
    kept = set(documents[::2])
    rng = random.Random("planted")
    return {
        "all": rows,
        "wrong_10": wrong(rows, 0.1, rng),
        "documents_halved": [s for s in rows if s.provenance.document in kept],
        "random_half": rng.sample(rows, len(rows) // 2),
        "wrong_all": wrong(rows, 1.0, rng),
    }


def measure(model: str, passes: float, rate: float) -> dict[str, object]:
    """Train what is missing and compare."""
    pool, exam = pool_and_exam(500, 200)
    asked = {s.tags["fact"] for s in exam if "fact" in s.tags}
    rows = [s for s in pool if s.tags.get("fact") in asked]
    known = {s.tags["fact"] for s in rows}
    questions = [s for s in exam if s.tags.get("fact") in known]
    config = ProbeConfig(model=model, epochs=passes, learning_rate=rate, evals_per_run=1, answers=0)
    bank = Bank(questions, config=config, runs_dir=HOME / "bank", on_progress=tell)
    made = arms(rows)
    losses = bank.run([base_job(config), *(Job(arm, own, seed, config) for seed in range(SEEDS) for arm, own in made.items())])
    rules = Rules(config.delta, config.alpha_level, 1)
    asked_for = [("all", "wrong_10"), ("all", "wrong_all"), ("all", "random_half"), ("documents_halved", "all")]
    found: dict[str, object] = {}
    for old, new in asked_for:
        for metric in METRICS:
            c = compare(losses, baseline=old, new=new, eval_set="recall", rules=rules, metric=metric)
            if c is not None:
                interval = [round(x, 3) for x in (c.delta, c.low, c.high)]
                found[f"{new} against {old}, {metric}"] = [c.verdict, *interval, {"seed_sd": round(c.seed_sd, 3), "documents": c.documents}]
    own = {arm: [r for r in losses if r.arm == arm] for arm in ("base", *made)}
    means = {arm: round(sum(r.nll for r in rs) / sum(r.n_tokens for r in rs), 3) for arm, rs in own.items()}
    sizes = {arm: len(samples) for arm, samples in made.items()}
    given = {"model": model, "passes": passes, "rate": rate, "rows": sizes, "questions": len(questions)}
    return {**given, "losses": means, "verdicts": found}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="gemma3-270m")
    parser.add_argument("--passes", type=float, default=3)
    parser.add_argument("--rate", type=float, default=5e-4)
    given = parser.parse_args()
    sys.stdout.write(json.dumps(measure(given.model, given.passes, given.rate), indent=1) + "\n")
