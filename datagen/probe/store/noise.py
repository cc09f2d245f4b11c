"""What earlier comparisons taught about the noise of a probe configuration: between seeds, and between documents.

One line a comparison in ``noise.jsonl`` beside the runs. A seed variance from three seeds has two degrees of freedom; the pool of earlier
comparisons with the same model, settings, budget and size of data says more, and the estimator shrinks toward it.
"""

from math import log2
from pathlib import Path
from typing import NamedTuple

from datagen.hashing import fingerprint
from datagen.jsonl import append_row, read_appended

NU0 = 4.0
"""Most degrees of freedom the pool is given: comparisons with the same settings still differ in their data."""


class Noise(NamedTuple):
    """Pooled variances: ``seed_variance`` with ``nu`` degrees of freedom, ``document_sd`` of one document's difference (nats per token)."""

    seed_variance: float
    nu: float
    document_sd: float
    comparisons: int


class Measured(NamedTuple):
    """One comparison's share: sample variance between seeds with ``nu`` degrees of freedom, sd between documents."""

    seed_variance: float
    nu: float
    document_sd: float


def noise_key(*, model_sha256: str, dtype: str, training_key: str, budget: str, rows: int, paired: bool, eval_set: str) -> str:
    """Name comparisons whose noise is alike: same model, training and kind of question, data of a size within a factor of two."""
    return fingerprint([model_sha256, dtype, training_key, budget, round(log2(rows)), paired, eval_set])[:24]


def record_noise(path: Path, *, key: str, comparison: str, measured: Measured) -> None:
    """Add a comparison to the pool; one that is there already (same runs) is not counted twice."""
    if any(row["comparison"] == comparison and row["key"] == key for row in read_appended(path)):
        return
    append_row(path, {"key": key, "comparison": comparison, **measured._asdict()})


def pooled_noise(path: Path, *, key: str, comparison: str) -> Noise | None:
    """Pool the comparisons under ``key`` other than this one; None if there are none."""
    found = [row for row in read_appended(path) if row["key"] == key and row["comparison"] != comparison and row["nu"] > 0]
    if not found:
        return None
    nu = sum(row["nu"] for row in found)
    return Noise(
        seed_variance=sum(row["nu"] * row["seed_variance"] for row in found) / nu,
        nu=min(NU0, nu),
        document_sd=(sum(row["document_sd"] ** 2 for row in found) / len(found)) ** 0.5,
        comparisons=len(found),
    )
