"""``run_probe``: two arms, a few paired seeds, one frozen exam, a verdict.

Work is planned first (which runs are already there), the model is loaded only if a run or an answer is missing, every run is stored as it
finishes, and the verdict is computed from the stored losses alone. Torch is imported only when something must be computed.
"""

import time
from collections.abc import Sequence
from pathlib import Path

from datagen.dedup.leakage.refusal import NamedRows, refuse_leaks
from datagen.hashing import fingerprint
from datagen.jsonl import write_json
from datagen.probe.config import ProbeConfig
from datagen.probe.engine.execute import execute, execute_at
from datagen.probe.engine.job import BASE, Comparison, Job, RunSpec, comparisons, missing, plan
from datagen.probe.engine.place import Engine, choose_place
from datagen.probe.measure.collect import collect_answers
from datagen.probe.measure.vault import open_vault
from datagen.probe.progress import OnExpected, OnProgress
from datagen.probe.result import ArmName, Control, Expected, ProbeResult
from datagen.probe.stats.assemble import Beside, Setting, assemble, control_path
from datagen.probe.stats.estimate import spent_alpha
from datagen.probe.stats.expected import expect
from datagen.probe.stats.judge import Judgement, control_of, judge
from datagen.probe.stats.verdict import Prior, Rules
from datagen.probe.store import runs
from datagen.probe.store.losses import LossRow, write_losses
from datagen.probe.store.noise import Measured, Noise, noise_key, pooled_noise, record_noise
from datagen.schemas.sample import Sample

_UNTRAINED = RunSpec(BASE, -1, 0, 0.0)


def run_probe(
    train: Sequence[Sample],
    eval_: Sequence[Sample],
    *,
    baseline: Sequence[Sample] | None,
    config: ProbeConfig,
    runs_dir: Path,
    out_dir: Path,
    look: int = 1,
    robust: bool = False,
    resume: bool = True,
    engine: Engine = "auto",
    workers: int | None = None,
    vault: Sequence[Sample] = (),
    vault_log: Path | None = None,
    allow_leaks: bool = False,
    on_progress: OnProgress | None = None,
    on_expected: OnExpected | None = None,
) -> ProbeResult:
    """Train both arms, score them on the exam, and give a verdict; write ``result.json`` and ``losses.parquet`` into ``out_dir``.

    Args:
        train: the new data.
        eval_: exam samples tagged ``eval_set`` = recall, unseen or gold (untagged: recall); ``vault`` samples are left out.
        baseline: the data to compare with; None compares with the untrained model.
        config: settings; see :class:`ProbeConfig`.
        runs_dir: where finished runs are kept and found again, and a killed run's checkpoint.
        out_dir: where the result goes.
        look: how many verdicts this campaign has taken on this exam, this one included (alpha spending).
        robust: also compare at a third of the learning rate and under the other budget; see :attr:`ProbeResult.robust`.
        resume: use finished runs and go on from checkpoints; False trains everything again.
        engine: who computes missing runs: ``serial`` this process, ``processes`` several of this machine (one a GPU, or one a core),
            ``ray`` a Ray cluster; ``auto``: see :func:`datagen.probe.engine.place.choose_place`.
        workers: runs computed at once by the last two.
        vault: questions scored only if the verdict is BETTER; each opening is written to ``vault_log`` (default: beside ``runs_dir``).
        allow_leaks: probe although training rows leak into the exam or the vault; see :mod:`datagen.dedup.leakage.refusal`.
        on_progress: called after every optimizer step and at every change of phase.
        on_expected: called once, before any training, with the smallest difference this probe can be expected to find.

    Raises:
        UsageError: an arm or the exam is empty, the model does not exist, or the vault was opened too often (the result without it is
            then in ``out_dir``).
        DataError: a row has nothing to learn, or training rows leak into the exam or the vault.
        DatagenError: a training process died.
        MissingExtra: torch, transformers, peft or ray is needed and not installed.
    """
    begun = time.monotonic()
    if not allow_leaks:
        arms = [NamedRows(train, "train"), *([NamedRows(baseline, "baseline")] if baseline else [])]
        refuse_leaks(arms, [NamedRows(eval_, "eval"), NamedRows(vault, "vault")], override="allow_leaks=True (probe --allow-leaks)")
    job = plan(train, eval_, baseline, config, runs_dir, on_progress)
    wanted = comparisons(config, robust=robust)
    specs = [s for c in wanted for s in job.runs_of(c)]
    if not resume:
        for spec in [_UNTRAINED, *specs]:
            runs.remove(job.folder(spec))
    todo = missing(job, specs)
    job.total = sum({job.key(s): s.steps for s in specs}.values())
    job.done = job.total - sum(s.steps for s in todo)
    rules = Rules(config.delta, config.alpha_level, look)

    execute(job, missing(job, [_UNTRAINED]))
    base = runs.load_losses(job.folder(_UNTRAINED), BASE)
    sets = sorted({r.eval_set for r in base}, key=lambda s: (s != config.primary, s))
    noise = {s: _noise(job, wanted[0], s) for s in sets}
    expected = _expect(base, sets, config, look, noise)
    if expected is not None and on_expected:
        on_expected(expected)
    if expected is not None and todo:
        job.note(expected.sentence.en)
    if todo:
        weights = job.source.prepare(job.dtype, on_note=job.note)
        execute_at(job, todo, choose_place(engine, workers, device=job.device, weights=weights, runs=len(specs)))

    headline = job.runs_of(wanted[0])
    losses = base + _losses(job, headline)
    priors = {s: Prior(n.seed_variance, n.nu) for s, n in noise.items() if n is not None}
    reference = "baseline" if "baseline" in job.arms else BASE
    found = judge(losses, reference=reference, rules=rules, goal_set=config.primary, priors=priors)
    _remember(job, wanted[0], found)
    controls = [_control(job, c, base, found, rules, reference, out_dir) for c in wanted[1:]]
    answers, scores = collect_answers(job, headline[0] if "baseline" in job.arms else _UNTRAINED, headline[len(job.arms) - 1])
    job.note("verdict")
    result = assemble(
        losses,
        _infos(job, headline),
        found,
        Beside(expected, controls, answers, scores, _exam_notes(job, eval_)),
        Setting(config, look, job.source, job.dtype),
        cached={name: not any(s.arm == name for s in todo) for name in job.arms},
        seconds=time.monotonic() - begun,
    )
    write_losses(out_dir / "losses.parquet", losses)
    write_json(out_dir / "result.json", result.model_dump(mode="json"))  # before the vault, which may refuse to be opened
    if vault:
        log = vault_log or runs_dir.parent / "vault.jsonl"
        result = open_vault(job, [_UNTRAINED, *headline], vault, result, log=log, out_dir=out_dir)
        write_json(out_dir / "result.json", result.model_dump(mode="json"))
    return result


def _exam_notes(job: Job, given: Sequence[Sample]) -> list[str]:
    """Say what of the exam was not scored as it was given."""
    found: list[str] = []
    info = runs.load_info(job.folder(_UNTRAINED))
    if info is not None and info.truncated:
        found.append(f"{info.truncated} exam rows are longer than {job.config.max_length} tokens: their prompt was cut, then their answer")
    kept = {s.id: s.tags.get("eval_set", "recall") for s in job.exam}
    moved = sorted({(name, kept[s.id]) for s in given if s.id in kept and (name := s.tags.get("eval_set", "recall")) != kept[s.id]})
    found += [f"questions with the same answer are both {name} and {other}: they are counted as {other} only" for name, other in moved]
    return found


def _losses(job: Job, specs: Sequence[RunSpec]) -> list[LossRow]:
    return [row for spec in specs for row in runs.load_losses(job.folder(spec), spec.arm)]


def _infos(job: Job, specs: Sequence[RunSpec]) -> dict[ArmName, list[runs.RunInfo]]:
    found: dict[ArmName, list[runs.RunInfo]] = {name: [] for name in job.arms}
    for spec in specs:
        info = runs.load_info(job.folder(spec))
        if info is not None and spec.arm != BASE:
            found[spec.arm].append(info)
    return found


def _control(
    job: Job, comparison: Comparison, base: list[LossRow], found: Judgement, rules: Rules, reference: str, out_dir: Path
) -> Control:
    losses = base + _losses(job, job.runs_of(comparison))
    write_losses(control_path(out_dir, comparison.budget, comparison.learning_rate), losses)
    return control_of(
        losses,
        found.headline,
        reference=reference,
        rules=rules,
        learning_rate=comparison.learning_rate,
        budget=comparison.budget,
    )


def _expect(
    base: Sequence[LossRow], sets: Sequence[str], config: ProbeConfig, look: int, noise: dict[str, Noise | None]
) -> Expected | None:
    alpha = spent_alpha(config.alpha_level, look)
    return expect(base, eval_set=sets[0], seeds=config.seeds, alpha=alpha, noise=noise[sets[0]])


def _noise(job: Job, comparison: Comparison, eval_set: str) -> Noise | None:
    return pooled_noise(job.runs_dir / "noise.jsonl", key=_noise_key(job, comparison, eval_set), comparison=_identity(job, comparison))


def _remember(job: Job, comparison: Comparison, found: Judgement) -> None:
    """Add what this comparison shows about the noise to the pool."""
    for verdict in found.verdicts:
        if verdict.metric == "nll" and verdict.seeds > 1 and verdict.documents > 1:
            record_noise(
                job.runs_dir / "noise.jsonl",
                key=_noise_key(job, comparison, verdict.eval_set),
                comparison=_identity(job, comparison),
                measured=Measured(verdict.seed_sd**2, verdict.seeds - 1.0, verdict.document_sd),
            )


def _noise_key(job: Job, comparison: Comparison, eval_set: str) -> str:
    return noise_key(
        model_sha256=job.source.sha256,
        dtype=job.dtype,
        training_key=job.config.training_key(),
        budget=f"{comparison.budget}-{job.config.epochs:g}",
        rows=len(job.arms["new"]),
        paired="baseline" in job.arms,
        eval_set=eval_set,
    )


def _identity(job: Job, comparison: Comparison) -> str:
    return fingerprint(sorted(job.key(s) for s in job.runs_of(comparison)))[:24]
