"""The vault: questions kept back from every verdict of a campaign, opened only when an iteration is accepted.

Each opening is logged and there are at most ``LIMIT``, so that the vault cannot be tuned on: an answer that was looked at often is no
longer an independent one. Opening it again for the same runs scores them again and is no new look.
"""

import time
from collections.abc import Sequence
from pathlib import Path

from datagen.errors import UsageError
from datagen.jsonl import append_row, read_appended
from datagen.probe.data.encode import encode
from datagen.probe.engine.job import BASE, Job, RunSpec
from datagen.probe.result import ProbeResult, VaultOpening
from datagen.probe.stats.verdict import Rules, compare
from datagen.probe.store import runs
from datagen.probe.store.losses import LossRow, write_losses
from datagen.schemas.sample import Sample

LIMIT = 10


def open_vault(
    job: Job, specs: Sequence[RunSpec], vault: Sequence[Sample], result: ProbeResult, *, log: Path, out_dir: Path
) -> ProbeResult:
    """Score an accepted iteration's runs on the vault and add the comparison to its result; nothing happens unless it is BETTER.

    Args:
        specs: the headline comparison's runs, the untrained model's first.
        log: one line an opening: time, number, the runs, the difference.

    Raises:
        UsageError: the vault was opened ``LIMIT`` times already.
    """
    if result.verdict != "BETTER" or not vault:
        return result
    opened = read_appended(log)
    keys = sorted(job.key(s) for s in specs)
    number = next((row["number"] for row in opened if row["runs"] == keys), None)
    if number is None:
        number = len(opened) + 1
        if number > LIMIT:
            raise UsageError(
                f"{log}: the vault was opened {LIMIT} times; more looks would make it part of the tuning",
                hint="make a new vault from documents no verdict has seen",
            )
    rules = Rules(job.config.delta, job.config.alpha_level, 1)
    losses = [row for spec in specs for row in _score(job, spec, vault)]
    write_losses(out_dir / "vault.parquet", losses)
    verdict = compare(losses, baseline="baseline" if "baseline" in job.arms else BASE, new="new", eval_set="vault", rules=rules)
    assert verdict is not None, "both arms were scored on the same questions"
    if number > len(opened):
        row = {"number": number, "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "runs": keys, "delta": verdict.delta}
        append_row(log, {**row, "verdict": verdict.verdict, "config": result.config_hash, "look": result.look})
    return result.model_copy(update={"vault": VaultOpening(number=number, verdict=verdict)})


def _score(job: Job, spec: RunSpec, vault: Sequence[Sample]) -> list[LossRow]:
    """Score the vault with one run's adapter."""
    backend = job.load()
    from datagen.probe.models.adapter import load_adapter
    from datagen.probe.train.evaluate import evaluate, evaluate_base, reference_losses

    config, tagged = job.config, [s.tagged(eval_set="vault") for s in vault]
    encoded = encode(tagged, backend.tokenizer, max_length=config.max_length, stage=config.stage)
    references = reference_losses(backend, encoded.examples, config=config) if config.stage == "dpo" else None
    job.note(f"opening the vault ({spec.arm}, seed {spec.seed + 1})" if spec.arm != BASE else "opening the vault (untrained model)")
    if spec.arm == BASE:
        items = evaluate_base(backend, encoded.examples, config=job.config, references=references)
    else:
        load_adapter(backend, job.folder(spec) / "adapter")
        items = evaluate(backend, encoded.examples, config=job.config, references=references)
    return runs.loss_rows(job.key(spec), spec.seed, spec.steps, items, arm=spec.arm)
