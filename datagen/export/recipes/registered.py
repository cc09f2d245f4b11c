"""The facts of a training, from what is registered in a LLaMA-Factory data directory."""

from pathlib import Path
from typing import Literal

from datagen.errors import UsageError, suggest
from datagen.export.llamafactory.registry.dataset_info import FILE_NAME, read_info
from datagen.export.llamafactory.registry.entry import Entry, read_entry
from datagen.export.llamafactory.registry.listing import registered
from datagen.export.llamafactory.rules.check import default_stage
from datagen.export.recipes.facts import TrainFacts, TrainPreset, TrainStage
from datagen.export.trl import trl_kind
from datagen.schemas.detect import read_samples


def registered_facts(
    data_dir: Path,
    name: str,
    *,
    stage: TrainStage,
    model: str,
    device: Literal["gpu", "cpu"],
    preset: TrainPreset,
    any_stage: bool = False,
) -> TrainFacts:
    """Return the facts for ``<name>_train`` and, if it is there, ``<name>_eval``; ``output_dir`` is left empty.

    Copies of the data for other programs go to ``<data_dir>/exported/<name>``.

    Raises:
        UsageError: no such dataset, or its kind does not fit the stage (not checked with ``any_stage``).
    """
    entries = read_info(data_dir)
    if f"{name}_train" not in entries:
        names = [n.removesuffix("_train") for n in entries if n.endswith("_train")]
        hint = f"register it first; {suggest(name, names)}" if names else "register it first: datagen register FILE --name NAME"
        raise UsageError(f"no entry '{name}_train' in {data_dir / FILE_NAME}", hint=hint)
    entry = read_entry(f"{name}_train", entries[f"{name}_train"])
    kind, stages = _stages(entry)
    if not any_stage and stage not in stages:
        message = f"{name}_train holds {kind}; LLaMA-Factory refuses it, or drops every row, at stage {stage}"
        raise UsageError(message, hint=f"use --stage {' or '.join(stages)}")
    train = registered(data_dir, entry.name, entries[entry.name])
    held = registered(data_dir, f"{name}_eval", entries[f"{name}_eval"]) if f"{name}_eval" in entries else None
    folder = data_dir.resolve()
    file = folder / train.file_name
    return TrainFacts(
        name=name,
        stage=stage,
        model=model,
        output_dir="",
        train_file=file,
        eval_file=folder / held.file_name if held else None,
        export_dir=folder / "exported" / name,
        sha256=train.sha256 or "unknown",
        train_rows=train.rows,
        several_answers=stage == "sft" and not any_stage and file.is_file() and trl_kind(read_samples(file)) == "messages",
        device=device,
        preset=preset,
        holds_text=stages == ("pt",),
    )


def _stages(entry: Entry) -> tuple[str, tuple[str, ...]]:
    """Return what an entry holds, and the stages that keep rows of it (pt keeps the questions of conversations)."""
    if entry.ranked:
        return "preference pairs", ("dpo", "rm")
    if entry.column("kto_tag"):
        return "labelled answers", ("kto", "ppo")
    if default_stage(entry) == "pt":
        return "plain text", ("pt",)
    return "questions and answers", ("sft", "ppo", "pt")
