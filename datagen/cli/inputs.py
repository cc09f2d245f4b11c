"""What the commands that train have in common: the sets they read, the settings they take, where results go, how progress is drawn."""

import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from datagen.cli.console import emit, progress, say, workspace_of

if TYPE_CHECKING:
    from pydantic import BaseModel

    from datagen.dedup.leakage.refusal import NamedRows
    from datagen.probe import OnProgress, ProbeConfig
    from datagen.probe.result import Decision
    from datagen.schemas.sample import Sample

TrainOption = Annotated[Path | None, typer.Option("--train", help="Training rows, any format (default: the last iteration's).")]
EvalOption = Annotated[Path | None, typer.Option("--eval", help="Eval questions (default: the workspace's frozen exam).")]
ModelOption = Annotated[str, typer.Option("--model", help="gemma3-270m, smollm2-135m, tiny, or a model folder.")]
EpochsOption = Annotated[float, typer.Option("--epochs", help="Passes over the rows of every run.")]
RateOption = Annotated[float, typer.Option("--learning-rate", help="Peak rate; decays linearly to zero.")]
BatchOption = Annotated[int, typer.Option("--batch-size", help="Rows per optimizer step.")]
DeltaOption = Annotated[float, typer.Option("--delta", help="Smallest difference of interest, nats per completion token.")]
GoalOption = Annotated[str, typer.Option("--goal", help="knowledge: judged on recall questions; style: on unseen ones.")]
LeaksOption = Annotated[bool, typer.Option("--allow-leaks", help="Train although training rows leak into the questions (default: refuse).")]
OutOption = Annotated[Path | None, typer.Option("-o", "--out", help="Result folder (default: below .datagen, by content).")]


class Sets(NamedTuple):
    """A training set and an exam; ``last_verdict`` is that of the iteration the rows come from, if they come from one."""

    train: "list[Sample]"
    exam: "list[Sample]"
    last_verdict: "Decision | None"


def training_and_exam(ctx: typer.Context, train: Path | None, exam: Path | None, *, allow_leaks: bool) -> Sets:
    """Read both sets; what is not given comes from the workspace.

    Raises:
        UsageError: nothing was given and the workspace has no iteration or no exam.
        DataError: a file's content cannot be used, or, unless ``allow_leaks``, training rows leak into the exam.
    """
    from datagen.dedup.leakage.refusal import refuse_leaks
    from datagen.errors import UsageError

    workspace = workspace_of(ctx)
    verdict: Decision | None = None
    if train is None:
        done = [n for n in workspace.iteration_numbers() if (workspace.iteration(n) / "train.jsonl").is_file()]
        if not done:
            raise UsageError(f"{workspace.root} has no iteration to take rows from", hint="give --train FILE, or: datagen run RECIPE")
        train = workspace.iteration(done[-1]) / "train.jsonl"
        verdict = _verdict(workspace.iteration(done[-1]) / "manifest.json")
        say(f"training rows: {train}")
    if exam is None:
        if not workspace.exam.is_file():
            raise UsageError(f"{workspace.root} has no frozen exam", hint="give a file with --eval, or: datagen run RECIPE")
        exam = workspace.exam
    sets = Sets(read_set(train), read_set(exam), verdict)
    if not allow_leaks:
        refuse_leaks([named_rows(train, sets.train)], [named_rows(exam, sets.exam)], override="--allow-leaks")
    return sets


def read_set(path: Path) -> "list[Sample]":
    """Read samples: datagen's own JSONL with their tags and provenance, or any row format.

    Raises:
        DataError: a row is neither; the message names file and line.
    """
    from datagen.jsonl import read_rows
    from datagen.schemas.sample import Sample

    first = next(iter(read_rows(path)), None)
    if first is not None and "record" in first.value and "id" in first.value:
        from pydantic import ValidationError

        from datagen.errors import DataError

        samples: list[Sample] = []
        for row in read_rows(path):
            try:
                samples.append(Sample.model_validate(row.value))
            except ValidationError as error:
                raise DataError(f"{path}:{row.line}: not a datagen sample: {error.errors()[0]['msg']}") from error
        return samples
    from datagen.schemas.detect import read_samples

    return list(read_samples(path))


def named_rows(path: Path, samples: "Sequence[Sample]") -> "NamedRows":
    """Return samples just read from a file with the lines they come from, for messages."""
    from datagen.dedup.leakage.refusal import NamedRows
    from datagen.jsonl import read_rows, read_text

    if path.suffix.lower() == ".txt":
        return NamedRows(samples, str(path), [n for n, line in enumerate(read_text(path).split("\n"), 1) if line.strip()])
    return NamedRows(samples, str(path), [row.line for row in read_rows(path)])


def probe_config(values: dict[str, object]) -> "ProbeConfig":
    """Build the settings of a probe from options.

    Raises:
        UsageError: an option is out of range; the message names it.
    """
    from pydantic import ValidationError

    from datagen.errors import UsageError
    from datagen.probe import ProbeConfig

    try:
        return ProbeConfig.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"--{str(first['loc'][0]).replace('_', '-')}: {first['msg']}, got {first['input']!r}") from error


def measuring_config(
    *, model: str, seeds: int, epochs: float, learning_rate: float, batch_size: int, delta: float, goal: str, **more: object
) -> "ProbeConfig":
    """Build the settings of the many runs of a measurement: no answers, scored at their end only.

    Raises:
        UsageError: an option is out of range; the message names it.
    """
    given = {"model": model, "seeds": seeds, "epochs": epochs, "learning_rate": learning_rate, "batch_size": batch_size}
    return probe_config({**given, "delta": delta, "goal": goal, "answers": 0, "evals_per_run": 1, **more})


def emit_drawn(result: "BaseModel", folder: Path, name: str, svg: str, *, as_json: bool, human: Callable[[str], Any]) -> None:
    """Write a measurement's picture to ``<name>.svg``, then print it; ``human`` makes the terminal's form from the picture's path."""
    from datagen.jsonl import write_bytes

    picture = folder / f"{name}.svg"
    write_bytes(picture, svg.encode())
    value = {**result.model_dump(mode="json"), "out": str(folder), "picture": str(picture)}
    for warning in value.get("warnings", ()):
        say(f"warning: {warning}")
    emit(value, as_json=as_json, human=None if as_json else human(str(picture)))


def result_folder(ctx: typer.Context, out: Path | None, kind: str, parts: Sequence[object]) -> Path:
    """Return ``out``, or a folder of the workspace that is the same for the same work."""
    from datagen.hashing import fingerprint

    return out or workspace_of(ctx).state / kind / fingerprint([*parts])[:12]


def numbers(text: str, option: str) -> list[int]:
    """Parse ``1,2,4``.

    Raises:
        UsageError: not whole numbers.
    """
    from datagen.errors import UsageError

    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise UsageError(f"{option}: expected whole numbers like 1,2,4, got '{text}'") from error


@contextmanager
def shown_progress(name: str) -> Generator["OnProgress"]:
    """Draw a probe's progress on a terminal; elsewhere write a line where something else begins, and else one in ten seconds at most."""
    if not sys.stderr.isatty():
        said_at, said = 0.0, ""

        def told(state: Any) -> None:
            nonlocal said_at, said
            if state.note != said or time.monotonic() - said_at >= 10:
                said_at, said = time.monotonic(), state.note
                count = f"  {state.done}/{state.total}" if state.total else ""
                eta = f", about {state.eta_s:.0f} s left" if state.eta_s else ""
                say(f"{name}{count}  {state.note}{eta}")

        yield told
        return
    with progress() as display:
        task = display.add_task(name, total=None, note="")

        def drawn(state: Any) -> None:
            display.update(task, completed=state.done, total=state.total or None, note=state.note)

        yield drawn


def _verdict(path: Path) -> "Decision | None":
    from datagen.jsonl import read_json
    from datagen.schemas.manifest import Manifest

    if not path.is_file():
        return None
    found = Manifest.model_validate(read_json(path)).verdict()
    return found["verdict"] if found else None
