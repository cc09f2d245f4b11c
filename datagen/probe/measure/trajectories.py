"""Losses of rows while a small model learns these same rows: learning percentage, and what S2L selects by.

One probe run (one seed, the rows as training set and as exam). A row model of :func:`datagen.score.audit`:
``audit(path, models=[LossTrajectories("gemma3-270m")])``; ``select_rows(..., by="trajectory", trajectories=...)`` takes the table that
``measure`` returns.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from datagen.errors import UsageError
from datagen.probe.config import ProbeConfig
from datagen.probe.measure.row_losses import encode_row
from datagen.schemas.sample import Sample
from datagen.score.model.difficulty import Floats, learning_percentage, mean_losses

if TYPE_CHECKING:
    import polars as pl


class LossTrajectories:
    """Trains on the rows with a causal language model given by name or folder, and scores every row on the way.

    Args:
        model: as :class:`RowLosses` takes it.
        checkpoints: times the rows are scored, evenly over the run, besides the untrained model.
        epochs: passes over the rows.
        seed: of the adapter and of the order of rows. The same rows, settings and machine give the same losses.
        on_step: called with (steps done, steps in all) after each optimizer step.
    """

    def __init__(
        self,
        model: str = "gemma3-270m",
        *,
        checkpoints: int = 4,
        epochs: float = 3.0,
        seed: int = 0,
        max_length: int = 512,
        on_step: Callable[[int, int], None] | None = None,
    ) -> None:
        self._config = ProbeConfig(model=model, max_length=max_length, epochs=epochs, evals_per_run=checkpoints)
        self._seed = seed
        self._on_step = on_step

    def score(self, samples: Sequence[Sample]) -> "pl.DataFrame":
        """Return the column ``learning_percentage``, float64; NaN for rows with nothing to learn or whose loss did not fall.

        Raises:
            As :meth:`measure`.
        """
        import polars as pl

        return pl.DataFrame({"learning_percentage": learning_percentage(self.measure(samples))})

    def measure(self, samples: Sequence[Sample]) -> Floats:
        """Return mean losses in nats per answer token, shape (rows, checkpoints + 1), the untrained model's first; NaN as above.

        Preferences count with their chosen answer. Cost: ``epochs`` training passes and ``checkpoints + 1`` forward passes a row.

        Raises:
            UsageError: no such model, or no row has an answer. MissingExtra: torch, transformers or peft is not installed.
        """
        from datagen.probe.models.backend import choose_device, choose_dtype, load_backend, require_torch
        from datagen.probe.models.known import resolve_model

        source = resolve_model(self._config.model)
        require_torch()
        from datagen.probe.train.evaluate import evaluate_base
        from datagen.probe.train.loop import Task, train_run

        backend = load_backend(source.prepare(choose_dtype(self._config.dtype, choose_device())), self._config)
        encoded = [encode_row(backend, sample, self._config.max_length) for sample in samples]
        examples = list({e.id: e for e in encoded if e is not None}.values())
        if not examples:
            raise UsageError(f"none of the {len(samples)} rows has an answer to learn", hint="see datagen audit for what they hold")
        config = self._config.model_copy(update={"curve_items": len(examples)})
        steps = max(config.steps_for(len(examples)), config.evals_per_run)
        rows = [(i.example.id, 0, i.nll, i.example.n_tokens) for i in evaluate_base(backend, examples, config=config)]

        def tell(done: int) -> None:
            if self._on_step:
                self._on_step(done, steps)

        run = train_run(backend, Task(examples, examples, config, self._seed, steps), on_step=tell)
        rows += [(i.example.id, step, i.nll, i.example.n_tokens) for step, items in run.evals for i in items]
        table = mean_losses(rows, [e.id for e in examples])
        place = {e.id: n for n, e in enumerate(examples)}
        nothing = np.full(table.shape[1], np.nan)
        return np.array([nothing if e is None else table[place[e.id]] for e in encoded])
