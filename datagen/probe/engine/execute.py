"""Computing runs in this process, one after another; each is stored as it finishes. Imports torch where it is needed."""

import time
from collections.abc import Sequence

from datagen.probe.engine.job import BASE, Job, RunSpec
from datagen.probe.store import runs


def execute(job: Job, specs: Sequence[RunSpec]) -> None:
    """Compute missing runs."""
    for spec in specs:
        if spec.arm == BASE:
            _score_untrained(job, spec)
        else:
            _train(job, spec)


def _score_untrained(job: Job, spec: RunSpec) -> None:
    backend = job.load()
    from datagen.probe.train.evaluate import evaluate_base
    from datagen.probe.train.loop import Trained

    exam = job.encode("exam").examples
    references = job.references("exam")
    job.note("scoring the untrained model")
    started = time.monotonic()
    folder = runs.begin(job.folder(spec))
    trained = Trained(steps=0, tokens=0, evals=[(0, evaluate_base(backend, exam, config=job.config, references=references))])
    trained.seconds = time.monotonic() - started
    runs.finish(folder, runs.Finished(job.key(spec), spec.seed, trained, rows=0, truncated=0))
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
