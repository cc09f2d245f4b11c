"""Computing runs in several processes of this machine, or on Ray: one model each, one run at a time, results on the shared disk.

A run does not depend on who computes it (on CPUs up to the rounding of another number of threads). Workers write finished runs and
checkpoints where this process would; a killed probe goes on from them whatever engine is asked next.
"""

import os
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from multiprocessing import get_context
from typing import Any

from datagen.errors import MissingExtra
from datagen.probe.engine.execute import execute
from datagen.probe.engine.job import Engine, Job, RunSpec

_job: Job | None = None


def execute_parallel(job: Job, specs: Sequence[RunSpec], *, engine: Engine, workers: int | None = None) -> None:
    """Compute missing runs with ``workers`` processes (default: one a GPU, or one a core), or Ray actors.

    Raises:
        MissingExtra: Ray is not installed.
    """
    job.note(f"{len(specs)} runs on {engine}")
    job.source.prepare(job.dtype, on_note=job.note)  # convert once, before the workers would
    # The untrained model's scores and preferences' references are needed by the others' bookkeeping, and are quick: they come first.
    (_on_ray if engine == "ray" else _in_processes)(job, specs, workers or default_workers(job, len(specs)))


def default_workers(job: Job, runs: int) -> int:
    """Return how many runs to compute at once: one a GPU, else one a core."""
    if job.device == "cuda":
        import torch

        return max(1, min(torch.cuda.device_count(), runs))
    return max(1, min(os.cpu_count() or 1, runs))


def _in_processes(job: Job, specs: Sequence[RunSpec], workers: int) -> None:
    context = get_context("spawn")
    numbers = context.Queue()
    for number in range(workers):
        numbers.put(number)
    threads = max(1, (os.cpu_count() or 1) // workers)
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_start, initargs=(job.to_send(), numbers, threads)) as pool:
        _collect(job, {pool.submit(_run, spec): spec for spec in specs})


def _collect(job: Job, futures: dict["Future[None]", RunSpec]) -> None:
    waiting = set(futures)
    while waiting:
        done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
        for future in done:
            future.result()
            _count(job, futures[future])


def _count(job: Job, spec: RunSpec) -> None:
    job.done += spec.steps
    job.computed += spec.steps
    job.note(f"{spec.arm}, seed {spec.seed + 1} of {job.config.seeds} done")


def _start(job: Job, numbers: Any, threads: int) -> None:
    """Set up a worker: its own GPU (visible to it alone), or its share of the cores."""
    global _job
    number = numbers.get()
    if job.device == "cuda":
        os.environ["CUDA_VISIBLE_DEVICES"] = _visible_gpu(number)
    from datagen.probe.models.backend import require_torch

    require_torch()
    import torch

    if job.device != "cuda":
        torch.set_num_threads(threads)
    _job = job


def _visible_gpu(number: int) -> str:
    """Return the name of the n-th GPU this process may use: those listed in CUDA_VISIBLE_DEVICES, or all."""
    listed = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    return listed[number] if listed else str(number)


def _run(spec: RunSpec) -> None:
    assert _job is not None, "the worker was not set up"
    execute(_job, [spec])


def _on_ray(job: Job, specs: Sequence[RunSpec], workers: int) -> None:
    """Compute on a Ray cluster whose nodes share the runs' folder (one node always does)."""
    try:
        import ray  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise MissingExtra.of("--engine ray", "ray") from error
    api: Any = ray
    if not api.is_initialized():
        api.init(log_to_driver=False, include_dashboard=False)
    gpus = 1 if job.device == "cuda" else 0
    actor: Any = api.remote(num_gpus=gpus, num_cpus=1)(_RayWorker)
    actors = [actor.remote(job.to_send()) for _ in range(min(workers, len(specs)))]
    pending = list(specs)
    running: dict[Any, tuple[Any, RunSpec]] = {}
    idle: list[Any] = list(actors)
    while pending or running:
        while pending and idle:
            worker, spec = idle.pop(), pending.pop(0)
            running[worker.run.remote(spec)] = worker, spec
        finished: list[Any] = api.wait(list(running))[0]
        for reference in finished:
            worker, spec = running.pop(reference)
            api.get(reference)
            idle.append(worker)
            _count(job, spec)


class _RayWorker:
    """An actor with its own loaded model; Ray gives it its GPU."""

    def __init__(self, job: Job) -> None:
        from datagen.probe.models.backend import require_torch

        require_torch()
        self.job = job
        if job.device != "cuda":
            import torch

            torch.set_num_threads(1)

    def run(self, spec: RunSpec) -> None:
        execute(self.job, [spec])


