"""``datagen train-config``: LLaMA-Factory YAML for a registered dataset, and the exact command."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from datagen.cli.console import JsonOption, emit, say, workspace_of

if TYPE_CHECKING:
    from datagen.export.recipes.llamafactory import TrainPreset

Task = Literal["sft", "dpo", "kto", "rm", "ppo", "pt", "merge", "predict", "chat"]


def train_config(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="The name given to register.")],
    stage: Annotated[Task, typer.Option("--stage", help="Training stage, or merge, predict, chat for what comes after.")] = "sft",
    model: Annotated[str, typer.Option("--model", help="Model folder or name.")] = "Qwen/Qwen3-4B-Instruct-2507",
    template: Annotated[str | None, typer.Option("--template", help="LLaMA-Factory template; default: chosen from the model.")] = None,
    data_dir: Annotated[
        Path | None, typer.Option("--data-dir", help="LLaMA-Factory data directory; default: data/ of the workspace.")
    ] = None,
    output_dir: Annotated[
        str | None, typer.Option("--output-dir", help="Where the result goes; default: saves/ by name and content.")
    ] = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Write the YAML here; default: print it.")] = None,
    device: Annotated[Literal["gpu", "cpu"], typer.Option("--device", help="cpu writes use_cpu and no bf16.")] = "gpu",
    reward_model: Annotated[str | None, typer.Option("--reward-model", help="Reward model adapter, for ppo.")] = None,
    adapter: Annotated[str | None, typer.Option("--adapter", help="Trained adapter, for merge, predict and chat.")] = None,
    lora_rank: Annotated[int, typer.Option("--lora-rank", min=1)] = 8,
    loraplus: Annotated[float | None, typer.Option("--loraplus", help="LoRA+ learning rate ratio; 16 is usual.", min=0.0)] = None,
    learning_rate: Annotated[float | None, typer.Option("--learning-rate", min=0.0)] = None,
    epochs: Annotated[float, typer.Option("--epochs", min=0.0)] = 3.0,
    max_steps: Annotated[int | None, typer.Option("--max-steps", min=1)] = None,
    cutoff_len: Annotated[int, typer.Option("--cutoff-len", min=16)] = 2048,
    as_json: JsonOption = False,
) -> None:
    from datagen.errors import UsageError, suggest
    from datagen.export.llamafactory.registry.dataset_info import FILE_NAME, read_info
    from datagen.export.llamafactory.registry.entry import read_entry
    from datagen.export.llamafactory.templates.choose import Template, choose_template
    from datagen.export.recipes import llamafactory as recipes
    from datagen.jsonl import write_bytes

    folder = data_dir or workspace_of(ctx).data_dir
    entries = read_info(folder)
    if f"{name}_train" not in entries:
        names = [n.removesuffix("_train") for n in entries if n.endswith("_train")]
        hint = f"register it first; {suggest(name, names)}" if names else "register it first: datagen register FILE --name NAME"
        raise UsageError(f"no entry '{name}_train' in {folder / FILE_NAME}", hint=hint)
    chosen = Template(template, "given") if template else choose_template(model)
    if not chosen.certain:
        say(f"note: template {chosen.name}: {chosen.why}")
    metadata = entries[f"{name}_train"].get("datagen", {})
    saves = output_dir or f"saves/{name}/{stage}-{str(metadata.get('sha256', 'unknown'))[:8]}"
    if stage in ("merge", "predict", "chat"):
        if adapter is None:
            raise UsageError(f"--stage {stage} needs the trained adapter", hint="give --adapter DIR, the output_dir of the training")
        text = recipes.task_yaml(
            stage,
            model=model,
            template=chosen.name,
            adapter=adapter,
            output_dir=saves,
            eval_dataset=f"{name}_eval" if f"{name}_eval" in entries else "",
            data_dir=folder,
            cutoff_len=cutoff_len,
        )
    else:
        _check_stage(name, read_entry(f"{name}_train", entries[f"{name}_train"]).ranked, stage)
        preset: TrainPreset = recipes.TrainPreset(
            lora_rank=lora_rank,
            loraplus_lr_ratio=loraplus,
            learning_rate=learning_rate,
            epochs=epochs,
            max_steps=max_steps,
            cutoff_len=cutoff_len,
        )
        text = recipes.train_yaml(
            name,
            data_dir=folder,
            model=model,
            template=chosen.name,
            stage=stage,
            output_dir=saves,
            has_eval=f"{name}_eval" in entries,
            train_rows=metadata.get("rows"),
            device=device,
            reward_model=reward_model,
            preset=preset,
        )
    target = out or Path(f"{name}_{stage}.yaml")
    command = recipes.task_command(stage, target) if stage in ("merge", "predict", "chat") else recipes.train_command(target)
    if out:
        write_bytes(out, text.encode())
    value = {"name": name, "stage": stage, "template": chosen.name, "template_why": chosen.why, "yaml": text, "command": command}
    human = f"wrote {out}\n{command}\n" if out else f"{text}\n# save as {target}, then: {command}\n"
    emit(value | {"out": str(out) if out else None, "output_dir": saves}, as_json=as_json, human=human)


def _check_stage(name: str, ranked: bool, stage: str) -> None:
    from datagen.errors import UsageError

    if ranked != (stage in ("dpo", "rm")):
        kind = "preference pairs" if ranked else "no preference pairs"
        stages = "dpo or rm" if ranked else "sft, kto, ppo or pt"
        raise UsageError(f"{name}_train holds {kind}; LLaMA-Factory refuses it at stage {stage}", hint=f"use --stage {stages}")
