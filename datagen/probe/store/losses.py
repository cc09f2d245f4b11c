"""The loss store: one row per (run, arm, seed, step, example). Every verdict is recomputed from it without torch.

Columns: ``run`` (hash), ``arm`` (base, baseline, new), ``seed`` (-1 for the untrained model), ``step``, ``final`` (the run's score),
``example_id``, ``document``, ``eval_set``, ``language``, ``nll`` (nats, summed over completion tokens), ``n_tokens``, ``fact_nll`` and
``fact_tokens`` (the same over tokens of numbers and dates).
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from datagen.errors import DataError, UsageError

if TYPE_CHECKING:
    import polars as pl


class LossRow(NamedTuple):
    """One example's loss in one run at one step."""

    run: str
    arm: str
    seed: int
    step: int
    final: bool
    example_id: str
    document: str
    eval_set: str
    language: str
    nll: float
    n_tokens: int
    fact_nll: float
    fact_tokens: int


def write_losses(path: Path, rows: Iterable[LossRow]) -> None:
    """Write rows atomically as parquet."""
    import io

    import polars as pl

    from datagen.jsonl import write_bytes

    frame = pl.DataFrame(list(rows), schema=_schema(), orient="row")
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    write_bytes(path, buffer.getvalue())


def read_losses(path: Path) -> list[LossRow]:
    """Read a loss store.

    Raises:
        UsageError: no such file.
        DataError: not a loss store.
    """
    import polars as pl

    if not path.is_file():
        raise UsageError(f"{path}: no such file", hint="give the folder a probe wrote (it holds losses.parquet)")
    try:
        frame = pl.read_parquet(path)
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{path}: not a parquet file: {error}") from error
    missing = [name for name in LossRow._fields if name not in frame.columns]
    if missing:
        raise DataError(f"{path}: not a loss store: columns missing: {', '.join(missing)}")
    return [LossRow(*row) for row in frame.select(LossRow._fields).iter_rows()]


def _schema() -> "dict[str, pl.DataType | type[pl.DataType]]":
    import polars as pl

    kinds: dict[type, type[pl.DataType]] = {str: pl.String, int: pl.Int64, bool: pl.Boolean, float: pl.Float64}
    return {name: kinds[kind] for name, kind in LossRow.__annotations__.items()}
