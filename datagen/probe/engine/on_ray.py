"""Computing runs on Ray: actors with one model each, on nodes that share the runs' folder (one node always does)."""

from collections.abc import Callable, Sequence
from typing import Any

from datagen.errors import MissingExtra
from datagen.probe.engine.place import Place
from datagen.probe.engine.worker import Computes


def compute_on_ray(computes: Computes, runs: Sequence[Any], place: Place, *, on_done: Callable[[int], None]) -> None:
    """Compute every run with ``place.workers`` actors; ``on_done`` is called with a finished run's place in the list.

    Raises:
        MissingExtra: Ray is not installed.
        Exception: whatever a run raised, as Ray hands it over.
    """
    try:
        import ray  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise MissingExtra.of("--engine ray", "ray") from error
    api: Any = ray
    if not api.is_initialized():
        api.init(log_to_driver=False, include_dashboard=False)
    actor: Any = api.remote(num_gpus=1 if place.device == "cuda" else 0, num_cpus=1)(_Actor)
    idle: list[Any] = [actor.remote(computes, place.device) for _ in range(min(place.workers, len(runs)))]
    pending = list(enumerate(runs))
    running: dict[Any, tuple[Any, int]] = {}
    actors = list(idle)
    try:
        while pending or running:
            while pending and idle:
                worker, (number, run) = idle.pop(), pending.pop(0)
                running[worker.compute.remote(run)] = worker, number
            finished: list[Any] = api.wait(list(running))[0]
            for reference in finished:
                worker, number = running.pop(reference)
                api.get(reference)
                idle.append(worker)
                on_done(number)
    finally:
        for worker in actors:  # also after one run's error: the others would train on for nobody
            api.kill(worker)


class _Actor:
    """An actor with its own loaded model; Ray gives it its GPU."""

    def __init__(self, computes: Computes, device: str) -> None:
        from datagen.probe.models.backend import require_torch

        require_torch()
        self.computes = computes
        if device != "cuda":
            import torch

            torch.set_num_threads(1)

    def compute(self, run: Any) -> None:
        self.computes.compute(run, lambda done, note: None)
