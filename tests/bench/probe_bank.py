"""A bank of real runs on the example documents: is the verdict honest and does it find what was planted?

    python tests/bench/probe_bank.py run [--model gemma3-270m]       compute missing runs, most telling first
    python tests/bench/probe_bank.py report [--model gemma3-270m]    one JSON object from the runs there are

Runs lie in ``~/.cache/datagen-bench/bank`` by content hash, so the command may be killed and called again. Rows and exam come from the
quickstart recipe (offline generator). Every variant is made of ``ROWS`` training rows; one has known defects, one more rows, and so on.
"""

import argparse
import itertools
import json
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from datagen.jsonl import read_rows
from datagen.probe.config import ProbeConfig
from datagen.probe.growth.bank import Bank, Job, base_job
from datagen.probe.progress import ProbeProgress
from datagen.probe.stats import estimate as st
from datagen.probe.stats.verdict import Rules, compare, decide
from datagen.probe.store.losses import LossRow
from datagen.schemas.record import ConversationRecord, Message
from datagen.schemas.sample import Sample

HOME = Path("~/.cache/datagen-bench").expanduser()
ROOT = Path(__file__).resolve().parents[2]
ROWS = 100
QUESTIONS = 64
CONFIG = ProbeConfig(epochs=1, learning_rate=5e-4, evals_per_run=1, answers=0, batch_size=8)
REDUCED_STEPS = 3
"""Optimizer steps of the reduced budget: one seed of these against three seeds of a whole pass."""
PLANTED = ("wrong_10", "half", "documents_removed")
OTHERS = ("more", "wrong_all", "wrong_30", "truncated", "other_rows", "quarter", "copied", "zh_only", "en_only")
NULL_SEEDS = 8
SEEDS = 3


class Run(NamedTuple):
    variant: str
    seed: int
    reduced: bool = False


def pool_and_exam(rows: int = 300, questions: int = QUESTIONS) -> tuple[list[Sample], list[Sample]]:
    """Return training rows and recall questions of the quickstart recipe, made once; questions spread over documents."""
    work = HOME / ("work" if rows == 300 else f"work-{rows}")
    train = work / ".datagen" / "iterations" / "0001" / "train.jsonl"
    if not train.is_file():
        recipe, docs = ROOT / "pipelines" / "quickstart.yaml", ROOT / "examples" / "hotel_ota" / "docs"
        command = [sys.executable, "-m", "datagen", "-w", str(work), "run", str(recipe), "--docs", str(docs)]
        command += ["--set", f"sizes=[{rows}]", "--until", "register"]
        if rows != 300:
            command += ["--set", f"exam.size={round(questions / 0.7)}"]  # the recipe takes 30 % of them from unseen documents
        subprocess.run(command, check=True, cwd=ROOT, stdout=sys.stderr)
    pool = [Sample.model_validate(r.value) for r in read_rows(train)]
    exam = [Sample.model_validate(r.value) for r in read_rows(train.with_name("eval.jsonl"))]
    recall = sorted((s for s in exam if s.tags.get("eval_set") == "recall"), key=lambda s: s.id)
    by_document: dict[str, list[Sample]] = {}
    for sample in recall:
        by_document.setdefault(sample.provenance.document, []).append(sample)
    rounds = itertools.zip_longest(*(by_document[d] for d in sorted(by_document)))
    spread = [s for each in rounds for s in each if s is not None]
    random.Random("pool").shuffle(pool)
    return pool, spread[:questions]


def variants(pool: Sequence[Sample]) -> dict[str, list[Sample]]:
    """Make the training sets; the first ``ROWS`` of the pool are the baseline."""
    base = list(pool[:ROWS])
    rng = random.Random("variants")
    documents = sorted({s.provenance.document for s in base})
    kept = set(documents[::2])
    return {
        "baseline": base,
        "wrong_10": wrong(base, 0.1, rng),
        "half": rng.sample(base, ROWS // 2),
        "more": list(pool[: 2 * ROWS]),
        "wrong_all": wrong(base, 1.0, rng),
        "wrong_30": wrong(base, 0.3, rng),
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
    listed = [Run(v, seed) for seed in range(SEEDS) for v in ("baseline", *PLANTED)]
    listed += [Run("baseline", seed) for seed in range(SEEDS, NULL_SEEDS)]
    listed += [Run(v, 0, reduced=True) for v in ("baseline", *PLANTED, *OTHERS)]
    return listed + [Run(v, seed) for seed in range(SEEDS) for v in OTHERS]


class Variants:
    """The bank's runs of one model."""

    def __init__(self, model: str) -> None:
        pool, exam = pool_and_exam()
        self._made = variants(pool)
        self._config = CONFIG.model_copy(update={"model": model})
        self._bank = Bank(exam, config=self._config, runs_dir=HOME / "bank", on_progress=tell)

    def job(self, run: Run) -> Job:
        rows = self._made[run.variant]
        batches = -(-len(rows) // CONFIG.batch_size)
        epochs = REDUCED_STEPS / batches if run.reduced else CONFIG.epochs
        return Job(run.variant, rows, run.seed, self._config.model_copy(update={"epochs": epochs}))

    def compute(self) -> None:
        self._bank.run([base_job(self._config), *(self.job(run) for run in wanted())])

    def finished(self) -> dict[Run, list[LossRow]]:
        """Return the final losses of the runs there are."""
        return {run: self._bank.run([job]) for run in wanted() if not self._bank.missing([job := self.job(run)])}

    def untrained(self) -> list[LossRow]:
        return self._bank.run([base_job(self._config)])

    def steps(self, run: Run) -> int:
        return self.job(run).config.steps_for(len(self._made[run.variant]))


def tell(progress: ProbeProgress) -> None:
    if progress.note and progress.eta_s is not None:
        sys.stderr.write(f"\r{progress.done}/{progress.total} steps, {progress.eta_s:.0f} s left: {progress.note}\x1b[K")


def report(model: str) -> dict[str, object]:
    """Judge the runs there are."""
    bank = Variants(model)
    rows = bank.finished()
    base = bank.untrained()
    store = base + [r for run, own in rows.items() if not run.reduced for r in own]
    losses = {run: _mean(own) for run, own in rows.items()}
    seeds = [losses[run] for run in losses if run.variant == "baseline" and not run.reduced]
    # Three seeds an arm in every comparison, as in a probe; the baseline's other seeds are there for the null comparisons.
    compared = [r for r in store if r.seed < SEEDS]
    rules = Rules(CONFIG.delta, CONFIG.alpha_level, 1)
    asked = [("baseline", v) for v in (*PLANTED, *OTHERS)] + [("documents_removed", "baseline")]
    found = {
        f"{new} against {old}": c
        for old, new in asked
        if {(old, 1), (new, 1)} <= {(r.arm, r.seed) for r in compared}
        and (c := compare(compared, baseline=old, new=new, eval_set="recall", rules=rules)) is not None
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
            for v, c in found.items()
        },
        "null": _null_comparisons([r for r in store if r.arm == "baseline"]),
        "power_wrong_10": power(compared, "baseline", "wrong_10"),
        "decision_accuracy": _decisions(losses, {run: bank.steps(run) for run in rows}),
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


def power(store: Sequence[LossRow], old: str, new: str, draws: int = 400) -> dict[str, float]:
    """Return how often ``new`` is called WORSE over bootstrap draws of documents, given these seeds."""
    one, two = ([r for r in store if r.arm == arm and r.final and r.eval_set == "recall"] for arm in (old, new))
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


def _decisions(losses: dict[Run, float], steps: dict[Run, int]) -> dict[str, object]:
    """Compare the order of variants at the reduced budget with the full one's, over pairs whose full losses differ by 2 sd of a difference
    of means."""
    full = {v: [losses[run] for s in range(SEEDS) if (run := Run(v, s)) in losses] for v in ("baseline", *PLANTED, *OTHERS)}
    names = sorted(v for v, own in full.items() if len(own) == SEEDS and Run(v, 0, reduced=True) in losses)
    if len(names) < 3:
        return {}
    deviation = (float(np.mean([np.var(full[v], ddof=1) for v in names])) * 2 / SEEDS) ** 0.5
    reduced = {v: losses[Run(v, 0, reduced=True)] for v in names}
    pairs = [(a, b) for a, b in itertools.combinations(names, 2) if abs(np.mean(full[a]) - np.mean(full[b])) > 2 * deviation]
    agree = [(np.mean(full[a]) < np.mean(full[b])) == (reduced[a] < reduced[b]) for a, b in pairs]
    spent = sum(steps[Run(v, 0, reduced=True)] for v in names) / sum(steps[Run(v, s)] for v in names for s in range(SEEDS))
    return {
        "variants": len(names),
        "pairs_that_differ": len(pairs),
        "agreement": float(np.mean(agree)),
        "compute": round(spent, 3),
        "full": {v: round(float(np.mean(full[v])), 4) for v in names},
        "reduced": {v: round(reduced[v], 4) for v in names},
    }


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


def wrong(rows: Sequence[Sample], share: float, rng: random.Random) -> list[Sample]:
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
    parser.add_argument("--model", default="gemma3-270m")
    given = parser.parse_args()
    if given.action == "run":
        Variants(given.model).compute()
    else:
        sys.stdout.write(json.dumps(report(given.model), indent=1) + "\n")
