"""Many trainings against one exam: each is found in the runs cache by content, or trained and stored there.

``run_probe`` compares two arms; a learning curve, a sweep or a screening of slices needs dozens of runs that share a model and an exam.
The keys are the probe's own: a curve's largest size costs nothing after a probe of the same rows with the same settings, and what was
killed goes on where it was. Completions only (stage ``sft``).
Torch is imported only when something must be trained.
"""

import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from datagen.dedup.leakage.refusal import NamedRows, refuse_leaks
from datagen.errors import UsageError
from datagen.hashing import fingerprint
from datagen.probe.config import ProbeConfig
from datagen.probe.engine.job import distinct
from datagen.probe.engine.place import choose_place
from datagen.probe.engine.processes import compute_in_processes
from datagen.probe.engine.worker import OnStep
from datagen.probe.models.catalogue import Dtype
from datagen.probe.models.known import resolve_model
from datagen.probe.progress import OnProgress, ProbeProgress
from datagen.probe.store import runs
from datagen.probe.store.losses import LossRow
from datagen.schemas.sample import Sample

if TYPE_CHECKING:
    from datagen.probe.data.encode import Encoded
    from datagen.probe.models.backend import Backend

BASE_SEED = -1
_NOT_IN_THE_ADAPTER = frozenset(
    {"seeds", "budget", "epochs", "learning_rate", "schedule", "average", "lora_plus_ratio", "beta", "patience"}
    | {"batch_size", "delta", "alpha_level", "goal", "evals_per_run", "curve_items", "answers"}
    | {"max_new_tokens", "token_budget", "max_length"}
)
"""Settings that may differ between runs on one loaded model; any other difference loads it again."""


@dataclass(frozen=True, slots=True)
class Job:
    """One training: ``arm`` names it in the losses that come back; no rows means the untrained model (its seed is -1)."""

    arm: str
    rows: Sequence[Sample]
    seed: int
    config: ProbeConfig


class Bank:
    """Runs that share a model and an exam.

    Args:
        exam: questions; ``vault`` ones are left out, repeated ones counted once.
        config: gives the model and its dtype; jobs may differ from it in every training setting.
        runs_dir: where finished runs are kept.

    Raises:
        UsageError: no questions, or no such model.
        MissingExtra: torch, transformers or peft is not installed.
    """

    def __init__(self, exam: Sequence[Sample], *, config: ProbeConfig, runs_dir: Path, on_progress: OnProgress | None = None) -> None:
        from datagen.probe.models.backend import choose_device, choose_dtype, require_torch

        if config.stage != "sft":
            raise UsageError(f"curves, sweeps, slices and retrieval are for stage sft, got '{config.stage}'")
        self.exam = distinct([s for s in exam if s.tags.get("eval_set") != "vault"])
        if not self.exam:
            raise UsageError("the exam has no questions", hint="give at least one eval question that is not in the vault")
        self.source = resolve_model(config.model)
        require_torch()
        self.device = choose_device()
        self.dtype: Dtype = choose_dtype(config.dtype, self.device)
        self.runs_dir = runs_dir
        self.trained = 0
        self._on_progress = on_progress
        self._exam_key = runs.data_key(self.exam)
        self._backend: Backend | None = None
        self._shape = ""
        self._encoded: dict[str, Encoded] = {}

    def folder(self, job: Job) -> Path:
        """Return where this run is, or will be, stored."""
        key = runs.run_key(
            model_sha256=self.source.sha256,
            dtype=self.dtype,
            device=self.device,
            config=job.config,
            steps=_steps(job),
            rows=runs.data_key(job.rows) if job.rows else "",
            exam=self._exam_key,
            seed=job.seed,
        )
        return self.runs_dir / key

    def missing(self, jobs: Sequence[Job]) -> list[Job]:
        """Return the jobs that would have to be trained, in order, each run once."""
        found = {self.folder(job): job for job in jobs if runs.load_info(self.folder(job)) is None}
        return list(found.values())

    def run(self, jobs: Sequence[Job]) -> list[LossRow]:
        """Train what is missing, here or in several processes, and return the final losses of every job under its arm's name.

        Raises:
            UsageError: a job's rows are empty although it is not the untrained model.
            DataError: a row has nothing to learn.
            DatagenError: a training process died.
        """
        todo = self.missing(jobs)
        if todo:
            self._compute_all(todo, planned=len(jobs))
        losses: list[LossRow] = []
        for job in jobs:
            losses += [row for row in runs.load_losses(self.folder(job), job.arm) if row.final]
        return losses

    def loaded(self, config: ProbeConfig) -> "Backend":
        """Return the model with adapter layers of this shape, loading it if the last one used had another."""
        from datagen.probe.models.backend import load_backend

        shape = fingerprint(config.model_dump(mode="json", exclude=set(_NOT_IN_THE_ADAPTER)))
        if self._backend is None or shape != self._shape:
            self.note(f"loading {self.source.name}")
            self._backend = None
            self._backend = load_backend(self.source.prepare(self.dtype), config, device=self.device)
            self._shape = shape
        return self._backend

    def with_adapter(self, job: Job) -> "Backend":
        """Return the model with a finished job's adapter in it."""
        from datagen.probe.models.adapter import load_adapter

        backend = self.loaded(job.config)
        load_adapter(backend, self.folder(job) / "adapter")
        return backend

    def encode(self, samples: Sequence[Sample], config: ProbeConfig) -> "Encoded":
        """Tokenise samples, once for each set."""
        from datagen.probe.data.encode import encode

        key = f"{config.max_length}:{runs.data_key(samples)}"
        if key not in self._encoded:
            self._encoded[key] = encode(samples, self.loaded(config).tokenizer, max_length=config.max_length)
        return self._encoded[key]

    def note(self, text: str) -> None:
        """Say what is done now, outside training."""
        self._tell(0, 0, None, text)

    def compute(self, run: Job, on_step: OnStep) -> None:
        """Train one job, or score the untrained model, and store it; another process may have done so meanwhile."""
        with runs.claimed(self.folder(run)) as missing:
            if missing:
                self._train(run, on_step)

    def _train(self, run: Job, on_step: OnStep) -> None:
        from datagen.probe.train.evaluate import evaluate_base
        from datagen.probe.train.loop import Task, Trained, train_run

        backend = self.loaded(run.config)
        exam, folder = self.encode(self.exam, run.config), runs.begin(self.folder(run))
        if not run.rows:
            on_step(0, "scoring the untrained model")
            clock = time.monotonic()
            losses = evaluate_base(backend, exam.examples, config=run.config)
            trained = Trained(steps=0, tokens=0, evals=[(0, losses)], seconds=time.monotonic() - clock)
            runs.finish(folder, runs.Finished(folder.name, BASE_SEED, trained, rows=0, truncated=0))
            return

        def step(done: int) -> None:
            doing = ": scoring the exam" if done == _steps(run) else ""
            on_step(done, f"{run.arm}, seed {run.seed + 1}{doing}")

        rows = self.encode(run.rows, run.config)
        task = Task(rows.examples, exam.examples, run.config, run.seed, _steps(run))
        trained = train_run(backend, task, folder=folder, on_step=step)
        runs.finish(folder, runs.Finished(folder.name, run.seed, trained, rows=len(run.rows), truncated=rows.truncated), backend)

    def _compute_all(self, todo: Sequence[Job], *, planned: int) -> None:
        weights = self.source.prepare(self.dtype, on_note=self.note)
        place = choose_place("auto", None, device=self.device, weights=weights, runs=planned)
        steps = [_steps(job) for job in todo]
        made: dict[int, int] = {}
        doing: dict[int, str] = {}
        started = time.monotonic()

        def tell(number: int, done: int, note: str) -> None:
            made[number], doing[number] = done if note else steps[number], note
            total = sum(made.values())
            eta = (time.monotonic() - started) / total * (sum(steps) - total) if total else None
            self._tell(total, sum(steps), eta, " · ".join(n for n in doing.values() if n) or f"{len(made)} of {len(todo)} runs done")

        if place.engine == "serial":
            for number, job in enumerate(todo):
                self.compute(job, lambda done, note, number=number: tell(number, done, note))
                tell(number, steps[number], "")
        else:
            self._backend, self._shape, self._encoded = None, "", {}  # the workers load their own
            self.note(f"{len(todo)} runs, {place.workers} at once")
            compute_in_processes(self._to_send(), todo, place, on_step=tell)
        self.trained += sum(1 for job in todo if job.rows)

    def _to_send(self) -> "Bank":
        """Return a copy another process can be given: without model, tensors and listener."""
        sent = copy.copy(self)
        sent._on_progress, sent._backend, sent._shape, sent._encoded = None, None, "", {}
        return sent

    def _tell(self, done: int, total: int, eta_s: float | None, note: str) -> None:
        if self._on_progress:
            self._on_progress(ProbeProgress(done, total, eta_s, note))


def base_job(config: ProbeConfig) -> Job:
    """Return the job that scores the untrained model."""
    return Job("base", (), BASE_SEED, config)


def _steps(job: Job) -> int:
    return job.config.steps_for(len(job.rows)) if job.rows else 0


def refuse_leaking_rows(train: Sequence[Sample], exam: Sequence[Sample], command: str) -> None:
    """Refuse training rows that leak into the exam, as ``run_probe`` does; ``command`` is the one whose ``--allow-leaks`` the hint names.

    Raises:
        DataError: rows leak; see :func:`datagen.dedup.leakage.refusal.refuse_leaks`.
    """
    refuse_leaks([NamedRows(train, "train")], [NamedRows(exam, "exam")], override=f"allow_leaks=True ({command} --allow-leaks)")
