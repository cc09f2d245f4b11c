"""Training steps timed in a worker process; a module of its own, since a worker imports it by name."""

import time
from pathlib import Path

from datagen.probe.config import ProbeConfig
from datagen.probe.engine.worker import OnStep
from datagen.probe.models.backend import load_backend
from datagen.schemas.sample import Sample


class Timed:
    """Times the same steps in a worker, without loading; the seconds come back as the last note."""

    def __init__(self, folder: Path, samples: list[Sample], config: ProbeConfig) -> None:
        self._folder, self._samples, self._config = folder, samples, config

    def compute(self, run: int, on_step: OnStep) -> None:
        from datagen.probe.data.encode import encode
        from datagen.probe.train.loop import Task, train_run

        backend = load_backend(self._folder, self._config)
        rows = encode(self._samples, backend.tokenizer, max_length=self._config.max_length).examples
        quick = self._config.model_copy(update={"evals_per_run": 1})
        train_run(backend, Task(rows[:self._config.batch_size], rows[:1], quick, run, 1))
        started = time.monotonic()
        train_run(backend, Task(rows, rows[:1], quick, run, len(rows) // self._config.batch_size))
        on_step(0, f"{time.monotonic() - started:.3f}")
