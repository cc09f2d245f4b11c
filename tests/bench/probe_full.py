"""A probe at its full size: are 10 % wrong answers among 500 rows found, and how long does it take?

    python tests/bench/probe_full.py [--model gemma3-270m] [--fresh]

Two arms of 500 rows of the example (quickstart recipe, offline generator), one with 50 answers of other rows; three seeds, 200 recall
questions (or as many as there are), the probe's own defaults. Runs lie in ``~/.cache/datagen-bench/full``. Prints one JSON object.
"""

import argparse
import json
import os
import random
import sys
import tempfile
from pathlib import Path

from probe_bank import HOME, pool_and_exam, power, tell, wrong

from datagen.probe import ProbeConfig, run_probe
from datagen.probe.store.losses import read_losses

ROWS = 500
QUESTIONS = 200


def measure(model: str, *, fresh: bool) -> dict[str, object]:
    """Run the probe; the power is over bootstrap draws of its documents."""
    pool, exam = pool_and_exam(ROWS, QUESTIONS)
    bad = wrong(pool, 0.1, random.Random("wrong"))
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch)
        result = run_probe(
            bad,
            exam,
            baseline=pool,
            config=ProbeConfig(model=model),
            runs_dir=HOME / "full" / "runs",
            out_dir=out,
            resume=not fresh,
            on_progress=tell,
        )
        store = read_losses(out / "losses.parquet")
    v = result.headline()
    return {
        "model": model,
        "cores": os.cpu_count(),
        "rows": [a.rows for a in result.arms],
        "steps": [a.steps for a in result.arms],
        "questions": v.items,
        "documents": v.documents,
        "minutes": round(result.seconds / 60, 1),
        "trained": not any(a.cached for a in result.arms),
        "verdict": v.verdict,
        "delta": [round(x, 4) for x in (v.delta, v.low, v.high)],
        "losses": [round(v.baseline_loss, 4), round(v.new_loss, 4)],
        "seed_sd": round(v.seed_sd, 4),
        "document_sd": round(v.document_sd, 4),
        "mde": round(v.mde, 4),
        "mde_said_before": round(result.expected.mde, 4) if result.expected else None,
        "power": power(store, "baseline", "new"),
        "warnings": result.warnings,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="gemma3-270m")
    parser.add_argument("--fresh", action="store_true")
    given = parser.parse_args()
    sys.stdout.write(json.dumps(measure(given.model, fresh=given.fresh), indent=1) + "\n")
