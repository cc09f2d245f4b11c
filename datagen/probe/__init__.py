"""The probe: did this change to the data help a small model, by how much, and how sure is that?

    result = run_probe(new_rows, exam, baseline=old_rows, config=ProbeConfig(), runs_dir=..., out_dir=...)
    result.headline().sentence.en

Importing this package loads neither torch nor numpy; :func:`run_probe` and :func:`rejudge` do.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from datagen.facade import make_callable
from datagen.probe.config import ProbeConfig
from datagen.probe.progress import OnExpected, OnProgress, ProbeProgress
from datagen.probe.result import (
    Answer,
    Arm,
    ArmScores,
    Control,
    Curve,
    Decision,
    Expected,
    ProbeResult,
    Sentence,
    TrainingState,
    Verdict,
)
from datagen.schemas.sample import Sample

__all__ = [
    "Answer",
    "Arm",
    "ArmScores",
    "Control",
    "Curve",
    "Decision",
    "Expected",
    "OnExpected",
    "OnProgress",
    "ProbeConfig",
    "ProbeProgress",
    "ProbeResult",
    "Sentence",
    "TrainingState",
    "Verdict",
    "rejudge",
    "run_probe",
]


def run_probe(
    train: Sequence[Sample],
    eval_: Sequence[Sample],
    *,
    baseline: Sequence[Sample] | None,
    config: ProbeConfig,
    runs_dir: Path,
    out_dir: Path,
    look: int = 1,
    robust: bool = False,
    resume: bool = True,
    engine: Literal["auto", "serial", "processes", "ray"] = "auto",
    workers: int | None = None,
    vault: Sequence[Sample] = (),
    vault_log: Path | None = None,
    allow_leaks: bool = False,
    on_progress: OnProgress | None = None,
    on_expected: OnExpected | None = None,
) -> ProbeResult:
    """Train both arms, score them on the exam, give a verdict; see :func:`datagen.probe.api.run_probe`."""
    from datagen.probe.api import run_probe as run

    return run(
        train,
        eval_,
        baseline=baseline,
        config=config,
        runs_dir=runs_dir,
        out_dir=out_dir,
        look=look,
        robust=robust,
        resume=resume,
        engine=engine,
        workers=workers,
        vault=vault,
        vault_log=vault_log,
        allow_leaks=allow_leaks,
        on_progress=on_progress,
        on_expected=on_expected,
    )


def rejudge(folder: Path) -> ProbeResult:
    """Recompute a stored probe's verdicts from its losses, without torch; see :func:`datagen.probe.stats.assemble.rejudge`."""
    from datagen.probe.stats.assemble import rejudge as again

    return again(folder)


make_callable(__name__, run_probe)
