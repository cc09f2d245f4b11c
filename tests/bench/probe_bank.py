"""A bank of real runs on the example documents: is the verdict honest and does it find what was planted?

    python tests/bench/probe_bank.py run [--seconds 280] [--model gemma3-270m]    compute missing runs, most telling first, and stop in time
    python tests/bench/probe_bank.py report                                       one JSON object from the runs there are

Runs lie in ``~/.cache/datagen-bench/bank`` by content hash, so the command may be killed and called again. Rows and exam come from the
quickstart recipe (offline generator). Every variant is made of ``ROWS`` training rows; one has known defects, one more rows, and so on.
"""

import argparse
import itertools
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from datagen.jsonl import read_rows
from datagen.probe.config import ProbeConfig
from datagen.probe.engine.execute import execute
from datagen.probe.engine.job import BASE, Job, RunSpec, plan
from datagen.probe.stats import estimate as st
from datagen.probe.stats.verdict import Rules, compare, decide
from datagen.probe.store import runs
from datagen.probe.store.losses import LossRow
from datagen.schemas.record import ConversationRecord, Message
from datagen.schemas.sample import Sample

HOME = Path("~/.cache/datagen-bench").expanduser()
ROOT = Path(__file__).resolve().parents[2]
ROWS = 48
QUESTIONS = 64
CONFIG = ProbeConfig(epochs=2, learning_rate=5e-4, evals_per_run=1, answers=0, batch_size=8)
REDUCED_STEPS = 2
"""Steps of the reduced budget: one seed of these against two seeds of the full 12 is 8 % of the compute."""
NOISE = [(rate, schedule) for rate in (3e-4, 1e-3) for schedule in ("linear", "constant")]


class Run(NamedTuple):
    variant: str
    seed: int
    steps: int
    rate: float = CONFIG.learning_rate
    schedule: str = "linear"


def pool_and_exam() -> tuple[list[Sample], list[Sample]]:
    """Return training rows and recall questions of the quickstart recipe, made once; questions spread over documents."""
    work = HOME / "work"
    train = work / ".datagen" / "iterations" / "0001" / "train.jsonl"
    if not train.is_file():
        recipe, docs = ROOT / "pipelines" / "quickstart.yaml", ROOT / "examples" / "hotel_ota" / "docs"
        command = [sys.executable, "-m", "datagen", "-w", str(work), "run", str(recipe), "--docs", str(docs)]
        command += ["--set", "sizes=[300]", "--until", "register"]
        subprocess.run(command, check=True, cwd=ROOT, stdout=sys.stderr)
    rows = [Sample.model_validate(r.value) for r in read_rows(train)]
    exam = [Sample.model_validate(r.value) for r in read_rows(train.with_name("eval.jsonl"))]
    recall = sorted((s for s in exam if s.tags.get("eval_set") == "recall"), key=lambda s: s.id)
    by_document: dict[str, list[Sample]] = {}
    for sample in recall:
        by_document.setdefault(sample.provenance.document, []).append(sample)
    rounds = itertools.zip_longest(*(by_document[d] for d in sorted(by_document)))
    spread = [s for each in rounds for s in each if s is not None]
    random.Random("pool").shuffle(rows)
    return rows, spread[:QUESTIONS]


def variants(pool: Sequence[Sample]) -> dict[str, list[Sample]]:
    """Make the training sets; the first ``ROWS`` of the pool are the baseline."""
    base = list(pool[:ROWS])
    rng = random.Random("variants")
    documents = sorted({s.provenance.document for s in base})
    kept = set(documents[: 2 * len(documents) // 3])
    return {
        "baseline": base,
        "wrong_10": _wrong(base, 0.1, rng),
        "half": rng.sample(base, ROWS // 2),
        "more": list(pool[: 2 * ROWS]),
        "wrong_all": _wrong(base, 1.0, rng),
        "wrong_30": _wrong(base, 0.3, rng),
        "truncated": [_answer(s, s_text[: max(1, len(s_text) // 2)]) for s in base if (s_text := _text(s))],
        "other_rows": list(pool[ROWS : 2 * ROWS]),
        "quarter": rng.sample(base, ROWS // 4),
        "copied": base + [_answer(s, _text(s) + " ") for s in base],
        "zh_only": [s for s in pool if s.tags.get("language") == "zh"][:ROWS],
        "en_only": [s for s in pool if s.tags.get("language") == "en"][:ROWS],
        "documents_removed": [s for s in base if s.provenance.document in kept],
    }


def wanted() -> list[Run]:
    """List the runs, those that prove most first."""
    full = -(-ROWS // CONFIG.batch_size) * 2
    planted = ["wrong_10", "half", "more"]
    others = ["wrong_all", "wrong_30", "truncated", "other_rows", "quarter", "copied", "zh_only", "en_only", "documents_removed"]
    listed = [Run(v, seed, full) for seed in range(3) for v in ("baseline", *planted)]
    listed += [Run("baseline", seed, full) for seed in range(3, 8)]
    listed += [Run(v, seed, full) for seed in range(2) for v in others]
    listed += [Run(v, 0, REDUCED_STEPS) for v in ("baseline", *planted, *others)]
    listed += [Run("baseline", seed, full, rate, schedule) for rate, schedule in NOISE for seed in range(3)]
    return listed


def compute(seconds: float, model: str) -> None:
    """Compute missing runs until the time is up (a run that is started is finished)."""
    begun = time.monotonic()
    jobs = _jobs(model)
    slowest = 0.0
    first = jobs("baseline", "linear")
    _execute(first, RunSpec(BASE, -1, 0, 0.0))
    for run in wanted():
        if time.monotonic() - begun + slowest > seconds:
            return
        job = jobs(run.variant, run.schedule)
        job.backend = first.load()
        started = time.monotonic()
        if _execute(job, _spec(job, run)):
            slowest = max(slowest, time.monotonic() - started)
            sys.stderr.write(f"{run.variant} seed {run.seed} {run.steps} steps: {time.monotonic() - started:.0f} s\n")


def report(model: str) -> dict[str, object]:
    """Judge the runs there are."""
    jobs = _jobs(model)
    rows: dict[Run, list[LossRow]] = {}
    for run in wanted():
        job = jobs(run.variant, run.schedule)
        folder = job.folder(_spec(job, run))
        if runs.load_info(folder) is not None:
            rows[run] = runs.load_losses(folder, run.variant)
    base = runs.load_losses(jobs("baseline", "linear").folder(RunSpec(BASE, -1, 0, 0.0)), BASE)
    full = wanted()[0].steps
    store = base + [r for run, own in rows.items() if run.steps == full and run.rate == CONFIG.learning_rate for r in own]
    losses = {run: _mean(own) for run, own in rows.items()}
    seeds = [losses[r] for r in losses if r[:3] == ("baseline", r.seed, full) and r.rate == CONFIG.learning_rate]
    rules = Rules(CONFIG.delta, CONFIG.alpha_level, 1)
    found = {
        v: compare(store, baseline="baseline", new=v, eval_set="recall", rules=rules)
        for v in sorted({r.arm for r in store} - {BASE, "baseline"})
    }
    return {
        "model": model,
        "runs": len(rows),
        "untrained_loss": _mean(base),
        "baseline_losses": [round(x, 4) for x in seeds],
        "seed_sd": float(np.std(seeds, ddof=1)) if len(seeds) > 1 else None,
        "verdicts": {
            v: {"verdict": c.verdict, "delta": round(c.delta, 4), "low": round(c.low, 4), "high": round(c.high, 4), "seeds": c.seeds,
                "documents": c.documents, "seed_sd": round(c.seed_sd, 4), "document_sd": round(c.document_sd, 4)}
            for v, c in found.items() if c is not None
        },
        "null": _null_comparisons([r for r in store if r.arm == "baseline"]),
        "power_wrong_10": _power(store),
        "decision_accuracy": _decisions(losses, full),
        "noise_table": _noise_table(losses),
    }


def _null_comparisons(own: list[LossRow]) -> dict[str, float]:
    """Compare three seeds of the baseline with three others, every way there is, on bootstrap draws of its documents."""
    seeds = sorted({r.seed for r in own})
    if len(seeds) < 6:
        return {}
    ids = sorted({r.example_id for r in own})
    meta = {r.example_id: r for r in own}
    tokens = np.array([meta[i].n_tokens for i in ids], dtype=np.int64)
    table = {(r.seed, r.example_id): r.nll for r in own}
    nll = np.array([[table[s, i] for i in ids] for s in seeds])
    rng = np.random.default_rng(0)
    names = sorted({meta[i].document for i in ids})
    of = {d: [n for n, i in enumerate(ids) if meta[i].document == d] for d in names}
    total = false = covered = 0
    for one in itertools.combinations(range(len(seeds)), 3):
        for two in itertools.combinations([s for s in range(len(seeds)) if s not in one], 3):
            drawn = rng.choice(len(names), len(names))
            index = [(n, f"{k}") for k, d in enumerate(drawn) for n in of[names[d]]]
            columns = [n for n, _ in index]
            data = st.pair(nll[np.ix_(one, columns)], nll[np.ix_(two, columns)], tokens[columns], [k for _, k in index])
            value = st.estimate(data)
            total += 1
            false += decide(value, delta=CONFIG.delta, alpha=0.05) in ("BETTER", "WORSE")
            covered += abs(value.delta) <= value.half_width(0.05)
    return {"comparisons": total, "false_verdicts": false / total, "coverage": covered / total}


def _power(store: Sequence[LossRow], draws: int = 400) -> dict[str, float]:
    """Return how often 10 % wrong answers are found, over bootstrap draws of documents, with the seeds there are."""
    one, two = ([r for r in store if r.arm == arm] for arm in ("baseline", "wrong_10"))
    seeds = sorted({r.seed for r in one} & {r.seed for r in two})
    if len(seeds) < 2:
        return {}
    ids = sorted({r.example_id for r in one})
    meta = {r.example_id: r for r in one}
    arms = [{(r.seed, r.example_id): r.nll for r in arm} for arm in (one, two)]
    before, after = (np.array([[a[s, i] for i in ids] for s in seeds]) for a in arms)
    tokens = np.array([meta[i].n_tokens for i in ids], dtype=np.int64)
    names = sorted({meta[i].document for i in ids})
    of = {d: [n for n, i in enumerate(ids) if meta[i].document == d] for d in names}
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(draws):
        index = [(n, f"{k}") for k, d in enumerate(rng.choice(len(names), len(names))) for n in of[names[d]]]
        columns = [n for n, _ in index]
        data = st.pair(before[:, columns], after[:, columns], tokens[columns], [k for _, k in index])
        hits += decide(st.estimate(data), delta=CONFIG.delta, alpha=0.05) == "WORSE"
    return {"draws": draws, "seeds": len(seeds), "found": hits / draws}


def _decisions(losses: dict[Run, float], full: int) -> dict[str, object]:
    """Compare the order of variants at the reduced budget with the full one's, over pairs whose full losses differ by 2 sd of a mean."""
    at_full: dict[str, list[float]] = {}
    reduced: dict[str, float] = {}
    for run, loss in losses.items():
        if run.rate == CONFIG.learning_rate and run.schedule == "linear":
            if run.steps == full and run.seed < 2:
                at_full.setdefault(run.variant, []).append(loss)
            elif run.steps == REDUCED_STEPS:
                reduced[run.variant] = loss
    names = sorted(v for v in at_full if v in reduced and len(at_full[v]) == 2)
    if len(names) < 3:
        return {}
    sd = float(np.mean([np.var(at_full[v], ddof=1) for v in names])) ** 0.5
    pairs = [(a, b) for a, b in itertools.combinations(names, 2) if abs(np.mean(at_full[a]) - np.mean(at_full[b])) > 2 * sd]
    agree = [(np.mean(at_full[a]) < np.mean(at_full[b])) == (reduced[a] < reduced[b]) for a, b in pairs]
    compute_share = REDUCED_STEPS / (2 * full)
    return {"variants": len(names), "pairs_that_differ": len(pairs), "agreement": float(np.mean(agree)), "compute": round(compute_share, 3)}


def _noise_table(losses: dict[Run, float]) -> list[dict[str, object]]:
    full = wanted()[0].steps
    table: list[dict[str, object]] = []
    for rate, schedule in [*NOISE, (CONFIG.learning_rate, "linear")]:
        like = ("baseline", full, rate, schedule)
        own = [x for r, x in losses.items() if (r.variant, r.steps, r.rate, r.schedule) == like and r.seed < 3]
        if len(own) == 3:
            sd = float(np.std(own, ddof=1))
            table.append({"rate": rate, "schedule": schedule, "loss": round(float(np.mean(own)), 4), "seed_sd": round(sd, 4)})
    return table


def _jobs(model: str) -> Callable[[str, str], Job]:
    pool, exam = pool_and_exam()
    made = variants(pool)
    known: dict[tuple[str, str], Job] = {}

    def job(variant: str, schedule: str) -> Job:
        if (variant, schedule) not in known:
            config = CONFIG.model_copy(update={"model": model, "schedule": schedule})
            known[variant, schedule] = plan(made[variant], exam, None, config, HOME / "bank", None)
        return known[variant, schedule]

    return job


def _spec(job: Job, run: Run) -> RunSpec:
    """Give larger and smaller sets the same number of epochs, unless the budget is the reduced one."""
    steps = run.steps if run.steps == REDUCED_STEPS else job.config.steps_for(len(job.arms["new"]))
    return RunSpec("new", run.seed, steps, run.rate)


def _execute(job: Job, spec: RunSpec) -> bool:
    if runs.load_info(job.folder(spec)) is not None:
        return False
    execute(job, [spec])
    return True


def _mean(own: Sequence[LossRow]) -> float:
    final = [r for r in own if r.final]
    return sum(r.nll for r in final) / sum(r.n_tokens for r in final)


def _text(sample: Sample) -> str:
    record = sample.record
    assert isinstance(record, ConversationRecord)
    return record.messages[-1].content


def _answer(sample: Sample, text: str) -> Sample:
    """Replace the last answer."""
    record = sample.record
    assert isinstance(record, ConversationRecord)
    messages = (*record.messages[:-1], Message(role="assistant", content=text))
    return Sample.of(record.model_copy(update={"messages": messages}), provenance=sample.provenance, tags=sample.tags)


def _wrong(rows: Sequence[Sample], share: float, rng: random.Random) -> list[Sample]:
    """Give a share of the rows the answer of another row of their language."""
    chosen = set(rng.sample(range(len(rows)), round(share * len(rows))))
    found: list[Sample] = []
    for n, row in enumerate(rows):
        others = [r for r in rows if r.tags.get("language") == row.tags.get("language") and _text(r) != _text(row)]
        found.append(_answer(row, _text(rng.choice(others))) if n in chosen else row)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=("run", "report"))
    parser.add_argument("--seconds", type=float, default=280)
    parser.add_argument("--model", default="gemma3-270m")
    given = parser.parse_args()
    if given.action == "run":
        compute(given.seconds, given.model)
    else:
        sys.stdout.write(json.dumps(report(given.model), indent=1) + "\n")
