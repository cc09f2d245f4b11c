"""Losses of rows under an untrained local model: NLL of the answer with and without its question, and IFD. No training.

A row model of :func:`datagen.score.audit`: ``audit(path, models=[RowLosses("gemma3-270m")])``.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from datagen.errors import DataError
from datagen.probe.config import ProbeConfig
from datagen.schemas.record import completion_text, question_answer
from datagen.schemas.sample import Sample
from datagen.score.model.difficulty import instruction_following_difficulty

if TYPE_CHECKING:
    import polars as pl

    from datagen.probe.data.encode import Example
    from datagen.probe.models.backend import Backend


class RowLosses:
    """Scores rows with a causal language model given by name or folder; it is loaded when rows are scored."""

    def __init__(self, model: str = "gemma3-270m", *, max_length: int = 512) -> None:
        self._config = ProbeConfig(model=model, max_length=max_length)

    def score(self, samples: Sequence[Sample]) -> "pl.DataFrame":
        """Return ``nll``, ``nll_without_question`` (nats per answer token) and ``ifd``, float64; NaN for rows with nothing to learn.

        Answers are cut at the model's length limit in both. Cost: two forward passes a row.

        Raises:
            UsageError: no such model. MissingExtra: torch or transformers is not installed.
        """
        import polars as pl

        from datagen.probe.models.backend import choose_device, choose_dtype, load_backend, require_torch
        from datagen.probe.models.known import resolve_model

        source = resolve_model(self._config.model)
        require_torch()
        backend = load_backend(source.prepare(choose_dtype(self._config.dtype, choose_device())), self._config)
        asked = self._losses(backend, samples)
        alone = self._losses(backend, [_without_question(s) if s.record.kind != "text" else s for s in samples])
        ifd = instruction_following_difficulty(asked, alone)
        ifd[[s.record.kind == "text" for s in samples]] = np.nan
        return pl.DataFrame({"nll": asked, "nll_without_question": alone, "ifd": ifd})

    def _losses(self, backend: "Backend", samples: Sequence[Sample]) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
        from datagen.probe.train.evaluate import evaluate_base

        examples: list[Example] = []
        places: list[int] = []
        for i, sample in enumerate(samples):
            example = encode_row(backend, sample, self._config.max_length)
            if example is not None:
                examples.append(example)
                places.append(i)
        losses = np.full(len(samples), np.nan)
        if examples:
            for i, item in zip(places, evaluate_base(backend, examples, config=self._config), strict=True):
                losses[i] = item.nll / item.example.n_tokens
        return losses


def encode_row(backend: "Backend", sample: Sample, max_length: int) -> "Example | None":
    """Return the row as the model sees it, or None where there is no answer to learn (empty, or feedback labelled bad)."""
    from datagen.probe.data.encode import encode

    try:
        return encode([sample], backend.tokenizer, max_length=max_length).examples[0]
    except DataError:
        return None


def _without_question(sample: Sample) -> Sample:
    return Sample.of(question_answer("", completion_text(sample.record)), tags=sample.tags)
