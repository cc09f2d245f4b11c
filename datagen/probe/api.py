"""``run_probe``: two arms, a few paired seeds, one frozen exam, a verdict.

Work is planned first (which runs are already there), the model is loaded only if a run or an answer is missing, every run is stored as it
finishes, and the verdict is computed from the stored losses alone. Torch is imported only when something must be computed.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from datagen.errors import UsageError
from datagen.jsonl import write_json
from datagen.probe.config import ProbeConfig
from datagen.probe.models.known import ModelSource, resolve_model
from datagen.probe.progress import OnProgress, ProbeProgress
from datagen.probe.result import Answer, ProbeResult
from datagen.probe.stats.assemble import assemble
from datagen.probe.store import runs
from datagen.probe.store.losses import LossRow, write_losses
from datagen.schemas.record import completion_text, prompt_text
from datagen.schemas.sample import Sample

if TYPE_CHECKING:
    from datagen.probe.data.encode import Encoded
    from datagen.probe.models.backend import Backend

ArmName = Literal["baseline", "new"]


@dataclass(slots=True)
class _Job:
    """One probe while it runs."""

    arms: dict[ArmName, Sequence[Sample]]
    exam: Sequence[Sample]
    config: ProbeConfig
    runs_dir: Path
    source: ModelSource
    dtype: Literal["bfloat16", "float32"]
    device: str
    on_progress: OnProgress | None
    backend: "Backend | None" = None
    encoded: "dict[str, Encoded]" = field(default_factory=dict[str, "Encoded"])
    done: int = 0
    total: int = 0
    computed: int = 0
    started: float = 0.0
    keys: dict[str, str] = field(default_factory=dict[str, str])

    def key(self, arm: ArmName | Literal["base"], seed: int) -> str:
        rows = "" if arm == "base" else self._data_key(arm, self.arms[arm])
        return runs.run_key(
            model_sha256=self.source.sha256,
            dtype=self.dtype,
            device=self.device,
            config=self.config,
            rows=rows,
            exam=self._data_key("exam", self.exam),
            seed=seed,
        )

    def folder(self, arm: ArmName | Literal["base"], seed: int) -> Path:
        return self.runs_dir / self.key(arm, seed)

    def note(self, text: str) -> None:
        if self.on_progress:
            elapsed = time.monotonic() - self.started
            eta = elapsed / self.computed * (self.total - self.done) if self.computed else None
            self.on_progress(ProbeProgress(self.done, self.total, eta, text))

    def load(self) -> "Backend":
        if self.backend is None:
            from datagen.probe.models.backend import load_backend

            self.note(f"loading {self.source.name}")
            folder = self.source.prepare(self.dtype, on_note=self.note)
            self.backend = load_backend(folder, self.config)
            self.started = time.monotonic()
        return self.backend

    def encode(self, name: str, samples: Sequence[Sample]) -> "Encoded":
        if name not in self.encoded:
            from datagen.probe.data.encode import encode

            self.encoded[name] = encode(samples, self.load().tokenizer, max_length=self.config.max_length)
        return self.encoded[name]

    def _data_key(self, name: str, samples: Sequence[Sample]) -> str:
        if name not in self.keys:
            self.keys[name] = runs.data_key(samples)
        return self.keys[name]


def run_probe(
    train: Sequence[Sample],
    eval_: Sequence[Sample],
    *,
    baseline: Sequence[Sample] | None,
    config: ProbeConfig,
    runs_dir: Path,
    out_dir: Path,
    look: int = 1,
    on_progress: OnProgress | None = None,
) -> ProbeResult:
    """Train both arms, score them on the exam, and give a verdict; write ``result.json`` and ``losses.parquet`` into ``out_dir``.

    Args:
        train: the new data.
        eval_: exam samples tagged ``eval_set`` = recall, unseen or gold (untagged: recall); ``vault`` samples are left out.
        baseline: the data to compare with; None compares with the untrained model.
        config: settings; see :class:`ProbeConfig`.
        runs_dir: where finished runs are kept and found again.
        out_dir: where the result goes.
        look: how many verdicts this campaign has taken on this exam, this one included (alpha spending).
        on_progress: called after every optimizer step and at every change of phase.

    Raises:
        UsageError: an arm or the exam is empty, or the model does not exist.
        DataError: a row has nothing to learn.
        MissingExtra: torch, transformers or peft is needed and not installed.
    """
    begun = time.monotonic()
    job = _plan(train, eval_, baseline, config, runs_dir, on_progress)
    losses: list[LossRow] = []
    infos: dict[ArmName, list[runs.RunInfo]] = {name: [] for name in job.arms}
    cached: dict[ArmName, bool] = dict.fromkeys(job.arms, True)
    _run_base(job)
    losses += runs.load_losses(job.folder("base", -1), "base")
    for seed in range(config.seeds):
        for name in job.arms:
            info = runs.load_info(job.folder(name, seed))
            if info is None:
                cached[name] = False
                info = _run_arm(job, name, seed)
            infos[name].append(info)
            losses += runs.load_losses(job.folder(name, seed), name)
    answers = _answers(job)
    job.note("verdict")
    result = assemble(
        losses,
        infos,
        config=config,
        look=look,
        source=job.source,
        dtype=job.dtype,
        cached=cached,
        answers=answers,
        seconds=time.monotonic() - begun,
    )
    write_losses(out_dir / "losses.parquet", losses)
    write_json(out_dir / "result.json", result.model_dump(mode="json"))
    return result


def _plan(
    train: Sequence[Sample],
    eval_: Sequence[Sample],
    baseline: Sequence[Sample] | None,
    config: ProbeConfig,
    runs_dir: Path,
    on_progress: OnProgress | None,
) -> _Job:
    from datagen.probe.models.backend import choose_device, choose_dtype, require_torch

    exam = _unique([s for s in eval_ if s.tags.get("eval_set") != "vault"])
    arms: dict[ArmName, Sequence[Sample]] = {"new": _unique(train)}
    if baseline is not None:
        arms = {"baseline": _unique(baseline), **arms}
    for name, samples in (*arms.items(), ("exam", exam)):
        if not samples:
            raise UsageError(f"the {name} set has no rows", hint="a probe needs at least one training row and one eval question")
    source = resolve_model(config.model)
    require_torch()
    device = choose_device()
    job = _Job(arms, exam, config, runs_dir, source, choose_dtype(config.dtype, device), device, on_progress)
    job.started = time.monotonic()
    steps = {name: max(1, round(config.epochs * -(-len(rows) // config.batch_size))) for name, rows in arms.items()}
    job.total = sum(steps.values()) * config.seeds
    job.done = sum(steps[n] for n in arms for s in range(config.seeds) if runs.load_info(job.folder(n, s)))
    return job


def _unique(samples: Sequence[Sample]) -> list[Sample]:
    """Keep the first of samples with equal ids: a repeated exam question would be counted twice in every mean."""
    return list({s.id: s for s in reversed(samples)}.values())[::-1]


def _run_base(job: _Job) -> None:
    folder = job.folder("base", -1)
    if runs.load_info(folder) is not None:
        return
    backend = job.load()
    from datagen.probe.train.loop import Trained, evaluate_base

    exam = job.encode("exam", job.exam)
    job.note("scoring the untrained model")
    started = time.monotonic()
    runs.begin(folder)
    trained = Trained(steps=0, tokens=0, evals=[(0, evaluate_base(backend, exam.examples, config=job.config))])
    trained.seconds = time.monotonic() - started
    runs.finish(folder, None, job.key("base", -1), -1, trained, rows=0, truncated=0)
    job.started = time.monotonic()


def _run_arm(job: _Job, name: ArmName, seed: int) -> runs.RunInfo:
    backend = job.load()
    from datagen.probe.train.loop import train_run

    rows, exam = job.encode(name, job.arms[name]), job.encode("exam", job.exam)
    folder = job.folder(name, seed)
    runs.begin(folder)
    before, computed = job.done, job.computed

    def step(done: int) -> None:
        job.done, job.computed = before + done, computed + done
        job.note(f"training {name}, seed {seed + 1} of {job.config.seeds}")

    trained = train_run(backend, rows.examples, exam.examples, config=job.config, seed=seed, on_step=step)
    info = runs.finish(folder, backend, job.key(name, seed), seed, trained, rows=len(rows.examples), truncated=rows.truncated)
    if seed == 0 and job.config.answers:
        _generate(job, name)
    return info


def _answers(job: _Job) -> list[Answer]:
    """Answer with seed 0's adapters; stored beside the run, so that a cached run needs no model."""
    if not job.config.answers:
        return []
    from datagen.probe.measure.answers import choose_questions

    questions = choose_questions(job.exam, job.config.answers)
    old = _generate(job, "baseline" if "baseline" in job.arms else "base")
    new = _generate(job, "new")
    return [
        Answer(
            question=prompt_text(q.record),
            reference=completion_text(q.record),
            baseline=before,
            new=after,
            eval_set=q.tags.get("eval_set", "recall"),
            language=q.tags.get("language", ""),
        )
        for q, before, after in zip(questions, old, new, strict=True)
    ]


def _generate(job: _Job, name: ArmName | Literal["base"]) -> list[str]:
    from datagen.probe.measure.answers import choose_questions, generate_answers, store_answers, stored_answers

    questions = choose_questions(job.exam, job.config.answers)
    folder = job.folder(name, -1 if name == "base" else 0)
    path = folder / f"answers-{runs.data_key(questions)[:12]}-{job.config.max_new_tokens}.json"
    found = stored_answers(path)
    if found is not None:
        return found
    backend = job.load()
    job.note(f"answering {len(questions)} questions ({name})")
    if name != "base":
        from datagen.probe.models.adapter import load_adapter

        load_adapter(backend, folder / "adapter")
    by_id = {e.id: e for e in job.encode("exam", job.exam).examples}
    answers = generate_answers(
        backend, [by_id[q.id] for q in questions], max_new_tokens=job.config.max_new_tokens, adapted=name != "base"
    )
    store_answers(path, answers)
    return answers
