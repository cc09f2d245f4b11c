"""An iteration's rows with people's decisions applied: counted, checked as LLaMA-Factory will, and registered.

Each function reads the workspace anew, so that it can run in a process of its own and sees the decisions as they are on disk then.
"""

from dataclasses import dataclass
from pathlib import Path

from datagen.errors import DatagenError
from datagen.export.llamafactory import register, train_yaml
from datagen.export.llamafactory.registry.dataset_info import check_name
from datagen.jsonl import check_writable, read_json, write_bytes
from datagen.pipeline.recipe import RegisterSpec, load_recipe
from datagen.pipeline.reviews import ReviewLog
from datagen.schemas.sample import Sample
from datagen.ui.data.preview import SHOWN, TrainingTexts, training_texts
from datagen.ui.data.samples import read_samples
from datagen.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Reviewed:
    """How many rows are left after review, how many decisions changed something, and the first rows."""

    rows: int
    decided: int
    first: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """A registered entry, and the training configuration written for it."""

    name: str
    rows: int
    config: Path


def count_reviewed(workspace: Workspace, number: int) -> Reviewed:
    """Apply the decisions and count.

    Raises:
        DataError: a row or a decision is broken.
    """
    kept, decided = _reviewed(workspace, number)
    return Reviewed(len(kept), decided, tuple(kept[:SHOWN]))


def reviewed_rows(workspace: Workspace, number: int) -> list[Sample]:
    """Return the rows after review."""
    return _reviewed(workspace, number)[0]


def register_reviewed(workspace: Workspace, number: int, name: str, recipe: str) -> Entry:
    """Register the rows as they are after review, with the exam as evaluation set, and write a training configuration.

    Raises:
        DatagenError: as :func:`datagen.export.llamafactory.register`; the disk refuses, told before any row is read.
    """
    check_name(name)
    check_writable(workspace.data_dir)
    train = reviewed_rows(workspace, number)
    exam = [s for s in read_samples(workspace.iteration(number) / "eval.jsonl") if s.tags.get("eval_set") in ("recall", "unseen")]
    done = register(workspace.data_dir, name, train, exam, replace="own")
    model, template = model_of(workspace, recipe)
    path = workspace.data_dir / f"{name}.train.yaml"
    config = train_yaml(
        name,
        data_dir=workspace.data_dir,
        model=model,
        template=template,
        output_dir=str(workspace.root / "saves" / name),
        has_eval=done.eval_entry is not None,
        train_rows=len(train),
    )
    write_bytes(path, config.encode())
    return Entry(done.train_entry, done.train_rows, path)


def model_of(workspace: Workspace, recipe: str) -> tuple[str, str]:
    """Return the recipe's model and template; a recipe that is not found by name any more gives the default."""
    try:
        spec = load_recipe(recipe, roots=(workspace.root,)).register_as
    except DatagenError:
        spec = RegisterSpec(name="dataset")
    return spec.model, spec.template


def texts_of(workspace: Workspace, number: int, recipe: str, samples: tuple[Sample, ...]) -> TrainingTexts:
    """Show texts under the recipe's model if it lies on this machine, else under the probe's. Loads a tokenizer, and for it torch."""
    from datagen.probe.models.known import resolve_model

    model, _ = model_of(workspace, recipe)
    if Path(model).is_dir():
        return training_texts(recipe, samples, model)
    result = workspace.iteration(number) / "probe" / "result.json"
    probe = str(read_json(result)["model"]) if result.is_file() else "tiny"
    return training_texts(recipe, samples, resolve_model(probe).prepare("bfloat16"), label=probe)


def _reviewed(workspace: Workspace, number: int) -> tuple[list[Sample], int]:
    result = ReviewLog.of(workspace).snapshot().apply(read_samples(workspace.iteration(number) / "train.jsonl"))
    return list(result.kept), len(result.dropped)
