"""Finished probe runs on disk, by content hash: adapter in PEFT format, losses, figures, answers.

A run folder is finished when it holds ``done.json``, which is written last; anything else is a killed run and is started again. The key
hashes everything that changes a run: model, dtype, settings, rows, exam, seed. So the three runs of one iteration's data are reused
when the next iteration is compared with it.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from datagen.hashing import fingerprint
from datagen.jsonl import read_json, write_json
from datagen.probe.config import ProbeConfig
from datagen.probe.store.losses import LossRow, read_losses, write_losses
from datagen.schemas.sample import Sample

if TYPE_CHECKING:
    from datagen.probe.models.backend import Backend
    from datagen.probe.train.loop import ItemLoss, Trained


class RunInfo(BaseModel):
    """``done.json``: a finished run's figures."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str
    seed: int
    rows: int
    truncated: int
    steps: int
    tokens: int
    seconds: float
    train_losses: tuple[tuple[int, float], ...]


def data_key(samples: Sequence[Sample]) -> str:
    """Hash a set of samples: which they are, not their order; for exam samples also how they are grouped."""
    return fingerprint(sorted([s.id, s.provenance.document, s.tags.get("eval_set", ""), s.tags.get("language", "")] for s in samples))


def run_key(*, model_sha256: str, dtype: str, device: str, config: ProbeConfig, rows: str, exam: str, seed: int) -> str:
    """Hash what determines a run; ``rows`` and ``exam`` are :func:`data_key` values (``rows`` is '' for the untrained model)."""
    settings = config.training_key() if rows else [config.max_length, config.token_budget]
    return fingerprint([model_sha256, dtype, device, settings, rows, exam, seed])[:24]


def load_info(folder: Path) -> RunInfo | None:
    """Return a finished run's figures, or None if the run did not finish."""
    path = folder / "done.json"
    return RunInfo.model_validate(read_json(path)) if path.is_file() else None


def load_losses(folder: Path, arm: str) -> list[LossRow]:
    """Return a finished run's losses under the arm's name in this comparison."""
    return [row._replace(arm=arm) for row in read_losses(folder / "losses.parquet")]


def begin(folder: Path) -> None:
    """Make an empty run folder, removing what a killed run left."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)


def finish(folder: Path, backend: "Backend | None", key: str, seed: int, trained: "Trained", *, rows: int, truncated: int) -> RunInfo:
    """Write adapter (if a backend is given) and losses, then ``done.json``."""
    if backend is not None:
        backend.peft.save_pretrained(folder / "adapter")
    losses = [row for n, (step, items) in enumerate(trained.evals, 1) for row in _rows(key, seed, step, n == len(trained.evals), items)]
    write_losses(folder / "losses.parquet", losses)
    info = RunInfo(
        key=key,
        seed=seed,
        rows=rows,
        truncated=truncated,
        steps=trained.steps,
        tokens=trained.tokens,
        seconds=trained.seconds,
        train_losses=tuple(trained.train_losses),
    )
    write_json(folder / "done.json", info.model_dump(mode="json"))
    return info


def _rows(key: str, seed: int, step: int, final: bool, items: "Sequence[ItemLoss]") -> list[LossRow]:
    return [
        LossRow(
            run=key,
            arm="",
            seed=seed,
            step=step,
            final=final,
            example_id=item.example.id,
            document=item.example.document,
            eval_set=item.example.eval_set,
            language=item.example.language,
            nll=item.nll,
            n_tokens=item.example.n_tokens,
            fact_nll=item.fact_nll,
            fact_tokens=sum(item.example.fact),
        )
        for item in items
    ]
