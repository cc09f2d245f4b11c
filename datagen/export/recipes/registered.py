"""The facts of a training, from what is registered in a LLaMA-Factory data directory."""

from pathlib import Path
from typing import Literal

from datagen.errors import UsageError, suggest
from datagen.export.llamafactory.registry.dataset_info import FILE_NAME, read_info
from datagen.export.llamafactory.registry.entry import read_entry
from datagen.export.llamafactory.registry.listing import list_registered
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
    ranked = read_entry(f"{name}_train", entries[f"{name}_train"]).ranked
    if not any_stage and ranked != (stage in ("dpo", "rm")):
        kind, stages = ("preference pairs", "dpo or rm") if ranked else ("no preference pairs", "sft, kto, ppo or pt")
        raise UsageError(f"{name}_train holds {kind}; LLaMA-Factory refuses it at stage {stage}", hint=f"use --stage {stages}")
    listed = {entry.name: entry for entry in list_registered(data_dir)}
    train, held = listed[f"{name}_train"], listed.get(f"{name}_eval")
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
    )
