"""Finished probe runs on disk, by content hash: adapter in PEFT format, losses, figures, answers.

A run folder is finished when it holds ``done.json``, which is written last; anything else is a killed run and goes on from its checkpoint.
The key hashes everything that changes a run: model, dtype, settings, steps, rows, exam, seed. So the three runs of one iteration's data
are reused when the next iteration is compared with it.
"""

import shutil
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from filelock import FileLock
from pydantic import BaseModel, ConfigDict

from datagen.hashing import fingerprint
from datagen.jsonl import read_json, write_json
from datagen.probe.config import TRAINER_VERSION, ProbeConfig
from datagen.probe.store.losses import LossRow, read_losses, write_losses
from datagen.schemas.sample import Sample

if TYPE_CHECKING:
    from datagen.probe.models.backend import Backend
    from datagen.probe.train.evaluate import ItemLoss
    from datagen.probe.train.loop import Trained


CHECKPOINT = "checkpoint.pt"


class RunInfo(BaseModel):
    """``done.json``: a finished run's figures; ``best_step`` is the step of the lowest loss on the primary eval set."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str
    seed: int
    rows: int
    truncated: int
    steps: int
    tokens: int
    seconds: float
    train_losses: tuple[tuple[int, float], ...]
    best_step: int = 0
    stopped: bool = False


class Finished(NamedTuple):
    """A run that has been computed: ``rows`` it was given, and how many of them were cut to ``max_length``."""

    key: str
    seed: int
    trained: "Trained"
    rows: int
    truncated: int


def data_key(samples: Sequence[Sample]) -> str:
    """Hash a set of samples: which they are, not their order; for exam samples also how they are grouped."""
    return fingerprint(sorted([s.id, s.provenance.document, s.tags.get("eval_set", ""), s.tags.get("language", "")] for s in samples))


def run_key(
    *, model_sha256: str, dtype: str, device: str, config: ProbeConfig, steps: int, rows: str, exam: str, seed: int
) -> str:
    """Hash what determines a run; ``rows`` and ``exam`` are :func:`data_key` values (``rows`` is '' for the untrained model)."""
    settings = config.training_key() if rows else [config.max_length, config.token_budget, config.stage, config.beta, TRAINER_VERSION]
    return fingerprint([model_sha256, dtype, device, settings, steps, rows, exam, seed])[:24]


def load_info(folder: Path) -> RunInfo | None:
    """Return a finished run's figures, or None if the run did not finish."""
    path = folder / "done.json"
    return RunInfo.model_validate(read_json(path)) if path.is_file() else None


def load_losses(folder: Path, arm: str) -> list[LossRow]:
    """Return a finished run's losses under the arm's name in this comparison."""
    return [row._replace(arm=arm) for row in read_losses(folder / "losses.parquet")]


@contextmanager
def claimed(folder: Path) -> Generator[bool]:
    """Hold a run for this process, waiting for another one that trains it; yield whether it must still be computed."""
    lock = folder.parent / "locks" / folder.name
    lock.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(lock):
        yield load_info(folder) is None


def remove(folder: Path) -> None:
    """Forget a run, its checkpoint too."""
    if folder.exists():
        shutil.rmtree(folder)


def begin(folder: Path) -> Path:
    """Make a run's folder, removing what a killed run left but its checkpoint, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != CHECKPOINT:
            path.unlink()
    return folder


def finish(folder: Path, run: Finished, backend: "Backend | None" = None) -> RunInfo:
    """Write adapter (if a backend is given), best checkpoint (if it is not the scored one) and losses, then ``done.json``."""
    trained = run.trained
    if backend is not None:
        from datagen.probe.models.adapter import save_adapter

        save_adapter(backend, folder / "adapter")
        if trained.best:
            save_adapter(backend, folder / "best", trained.best)
    evals = list(enumerate(trained.evals, 1))
    losses = [row for n, (step, items) in evals for row in loss_rows(run.key, run.seed, step, items, final=n == len(evals))]
    write_losses(folder / "losses.parquet", losses)
    info = RunInfo(
        key=run.key,
        seed=run.seed,
        rows=run.rows,
        truncated=run.truncated,
        steps=trained.steps,
        tokens=trained.tokens,
        seconds=trained.seconds,
        train_losses=tuple(trained.train_losses),
        best_step=trained.best_step,
        stopped=trained.stopped,
    )
    write_json(folder / "done.json", info.model_dump(mode="json"))
    (folder / CHECKPOINT).unlink(missing_ok=True)
    return info


def stored_references(path: Path) -> dict[str, tuple[float, float]] | None:
    """Return preferences' losses under the untrained model written by :func:`store_references`."""
    if not path.is_file():
        return None
    return {name: (float(chosen), float(rejected)) for name, (chosen, rejected) in read_json(path).items()}


def store_references(path: Path, references: Mapping[str, tuple[float, float]]) -> None:
    """Write preferences' losses under the untrained model."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {name: list(values) for name, values in references.items()})


def loss_rows(key: str, seed: int, step: int, items: "Sequence[ItemLoss]", *, final: bool = True, arm: str = "") -> list[LossRow]:
    """Return one evaluation of a run as rows of the loss store."""
    return [
        LossRow(
            run=key,
            arm=arm,
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
            fact_tokens=sum(item.example.fact) if item.example.rejected is None else 0,
        )
        for item in items
    ]
