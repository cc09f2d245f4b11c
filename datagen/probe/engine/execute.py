"""Computing a probe's runs, here or elsewhere; each is stored as it finishes. Imports torch where it is needed."""

import time
from collections.abc import Sequence

from datagen.probe.engine.job import BASE, Job, RunSpec
from datagen.probe.engine.on_ray import compute_on_ray
from datagen.probe.engine.place import Place
from datagen.probe.engine.processes import compute_in_processes
from datagen.probe.engine.worker import OnStep
from datagen.probe.progress import ProbeProgress
from datagen.probe.store import runs


class Runs:
    """A job's runs, computed one at a time by whoever holds this."""

    def __init__(self, job: Job) -> None:
        self._job = job.to_send()

    def compute(self, run: RunSpec, on_step: OnStep) -> None:
        def tell(progress: ProbeProgress) -> None:
            on_step(progress.done, progress.note)

        self._job.done = 0
        self._job.on_progress = tell
        execute(self._job, [run])


def execute_at(job: Job, specs: Sequence[RunSpec], place: Place) -> None:
    """Compute missing runs where ``place`` says.

    Raises:
        MissingExtra: Ray is asked for and not installed.
        DatagenError: a process died.
    """
    if place.engine == "serial" or not specs:
        execute(job, specs)
        return
    job.source.prepare(job.dtype, on_note=job.note)  # convert once, before the workers would
    job.backend, job.encoded = None, {}  # the workers load their own; this process has no use for it until they are done
    job.note(f"{len(specs)} runs, {place.workers} at once")
    job.started = time.monotonic()
    finished, computed = job.done, job.computed
    made: dict[int, int] = {}
    doing: dict[int, str] = {}

    def step(number: int, done: int, note: str) -> None:
        made[number] = done if note else specs[number].steps
        doing[number] = note
        job.done, job.computed = finished + sum(made.values()), computed + sum(made.values())
        job.note(" · ".join(n for n in doing.values() if n) or f"{len(specs)} runs done")

    if place.engine == "ray":
        compute_on_ray(Runs(job), specs, place, on_done=lambda number: step(number, 0, ""))
    else:
        compute_in_processes(Runs(job), specs, place, on_step=step)


def execute(job: Job, specs: Sequence[RunSpec]) -> None:
    """Compute missing runs in this process, one after another."""
    for spec in specs:
        with runs.claimed(job.folder(spec)) as missing:
            if not missing:
                job.done += spec.steps
            elif spec.arm == BASE:
                _score_untrained(job, spec)
            else:
                _train(job, spec)


def _score_untrained(job: Job, spec: RunSpec) -> None:
    backend = job.load()
    from datagen.probe.train.evaluate import evaluate_base
    from datagen.probe.train.loop import Trained

    exam, truncated = job.encode("exam")
    references = job.references("exam")
    job.note("scoring the untrained model")
    started = time.monotonic()
    folder = runs.begin(job.folder(spec))
    trained = Trained(steps=0, tokens=0, evals=[(0, evaluate_base(backend, exam, config=job.config, references=references))])
    trained.seconds = time.monotonic() - started
    runs.finish(folder, runs.Finished(job.key(spec), spec.seed, trained, rows=0, truncated=truncated))
    job.started = time.monotonic()


def _train(job: Job, spec: RunSpec) -> None:
    backend = job.load()
    from datagen.probe.train.loop import Task, train_run

    rows, exam = job.encode(spec.arm), job.encode("exam")
    n_rows = len(job.samples(spec.arm))
    task = Task(
        rows.examples, exam.examples, job.config_of(spec), spec.seed, spec.steps, job.references(spec.arm, "exam")
    )
    folder = runs.begin(job.folder(spec))
    before, computed = job.done, job.computed

    def step(done: int) -> None:
        job.done, job.computed = before + done, computed + done
        job.note(f"training {spec.arm}, seed {spec.seed + 1} of {job.config.seeds}")

    trained = train_run(backend, task, folder=folder, on_step=step)
    job.done = before + spec.steps
    runs.finish(
        folder, runs.Finished(job.key(spec), spec.seed, trained, rows=n_rows, truncated=rows.truncated), backend
    )
