"""Manifest: what an iteration was made of and what came out; one immutable file each."""

from typing import Any

from datagen.schemas.record import Frozen


class FunnelStep(Frozen):
    """One stage in figures: what entered or was made, what was kept, and why the rest was dropped."""

    stage: str
    entered: int
    kept: int
    dropped: dict[str, int] = {}
    seconds: float = 0.0


class DatasetFile(Frozen):
    """A file the iteration wrote, relative to the workspace where possible."""

    path: str
    rows: int
    sha256: str
    entry: str = ""


class Manifest(Frozen):
    """An iteration, finished. Written last; nothing changes it afterwards.

    Attributes:
        parent: the iteration whose rows it grew from; None: from nothing.
        baseline: the iteration its probe was compared with; None: the untrained model.
        control: the comparison with the baseline's rows trained for as many steps, where one was run.
        vault: the comparison on the vault, opened when the iteration was accepted.
        accepted: whether it became the incumbent (see ``pipeline/stopping.py``).
        cost: dollars the responses stored since the last manifest cost by the price list, at full price also from a batch API; 0
            for offline strategies.
        coverage: share of the documents' passages (those not held out) that the evidence of at least one training row touches.
    """

    number: int
    recipe: str
    recipe_version: int
    size: int
    parent: int | None
    baseline: int | None = None
    fingerprint: str
    fingerprints: dict[str, str]
    created: str
    seconds: float
    funnel: tuple[FunnelStep, ...]
    usage: dict[str, int] = {}
    exam: dict[str, int] = {}
    exam_root: str = ""
    datasets: dict[str, DatasetFile] = {}
    verdicts: tuple[dict[str, Any], ...] = ()
    primary: str = ""
    control: dict[str, Any] | None = None
    vault: dict[str, Any] | None = None
    accepted: bool = False
    cost: float = 0.0
    coverage: float | None = None
    advice: str = ""
    train_command: str = ""
    versions: dict[str, str] = {}

    def verdict(self) -> dict[str, Any] | None:
        """Return the verdict on the primary eval set, None if the probe was not run."""
        return next((v for v in self.verdicts if v["eval_set"] == self.primary), None)
