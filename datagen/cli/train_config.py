"""``datagen train-config``: a training configuration for a registered dataset, and the exact command."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from datagen.cli.console import JsonOption, emit, say, workspace_of

if TYPE_CHECKING:
    from datagen.export.recipes.facts import Recipe, TrainFacts

_TASKS = ("merge", "predict", "chat")
NOTES_LORAPLUS = 16.0
"""LoRA+'s ratio in practitioners' notes and in its paper (arXiv 2402.12354)."""
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
    preset: Annotated[
        Literal["plain", "notes"],
        typer.Option("--preset", help="plain, or notes: as practitioners' notes have it, with LoRA+ at ratio 16 on top of plain."),
    ] = "plain",
    lora_rank: Annotated[int, typer.Option("--lora-rank", min=1, help="Rank of the adapter.")] = 8,
    loraplus: Annotated[float | None, typer.Option("--loraplus", help="LoRA+ learning rate ratio; default: the preset's.", min=0.0)] = None,
    learning_rate: Annotated[float | None, typer.Option("--learning-rate", min=0.0, help="Default: the stage's.")] = None,
    epochs: Annotated[float, typer.Option("--epochs", min=0.0, help="Passes over the rows.")] = 3.0,
    max_steps: Annotated[int | None, typer.Option("--max-steps", min=1, help="Optimiser steps, instead of passes.")] = None,
    cutoff_len: Annotated[int, typer.Option("--cutoff-len", min=16, help="Tokens a row is cut to.")] = 2048,
    for_: Annotated[
        Literal["llamafactory", "trl", "axolotl", "unsloth"],
        typer.Option("--for", help="Program that trains; merge, predict, chat: llamafactory."),
    ] = "llamafactory",
    as_json: JsonOption = False,
) -> None:
    from datagen.errors import UsageError, suggest
    from datagen.export.llamafactory.templates.choose import Template, choose_template
    from datagen.export.llamafactory.templates.names import NAMES
    from datagen.export.recipes.facts import Recipe, TrainFacts, TrainPreset
    from datagen.export.recipes.llamafactory import llamafactory_recipe, task_command, task_yaml
    from datagen.export.recipes.registered import registered_facts
    from datagen.jsonl import write_bytes

    folder = data_dir or workspace_of(ctx).data_dir
    numbers = TrainPreset(
        lora_rank=lora_rank,
        loraplus_lr_ratio=NOTES_LORAPLUS if loraplus is None and preset == "notes" else loraplus,
        learning_rate=learning_rate,
        epochs=epochs,
        max_steps=max_steps,
        cutoff_len=cutoff_len,
    )
    facts: TrainFacts = registered_facts(
        folder, name, stage=stage if stage not in _TASKS else "sft", model=model, device=device, preset=numbers, any_stage=stage in _TASKS
    )
    facts = replace(facts, output_dir=output_dir or f"saves/{name}/{stage}-{facts.sha256[:8]}")
    chosen = Template(template, "given") if template else choose_template(model)
    if not chosen.certain and for_ == "llamafactory":
        say(f"note: template {chosen.name}: {chosen.why}")
    if template and template not in NAMES and for_ == "llamafactory":
        say(f"note: LLaMA-Factory 0.9.5 has no template '{template}'; {suggest(template, NAMES)[:200]} ...")
    if stage == "pt" and not facts.holds_text and for_ == "llamafactory":
        say("note: stage pt trains on the questions of these rows and on nothing else; it is made for sets of plain text")
    target = out or Path(f"{name}_{stage}.{'py' if for_ == 'unsloth' else 'yaml'}")
    if stage in _TASKS:
        if for_ != "llamafactory":
            raise UsageError(f"--stage {stage} is written for LLaMA-Factory only")
        if adapter is None:
            raise UsageError(f"--stage {stage} needs the trained adapter", hint="give --adapter DIR, the output_dir of the training")
        text = task_yaml(
            stage,
            model=model,
            template=chosen.name,
            adapter=adapter,
            output_dir=facts.output_dir,
            eval_dataset=f"{name}_eval" if facts.has_eval else "",
            data_dir=folder,
            cutoff_len=cutoff_len,
        )
        recipe = Recipe(text, task_command(stage, target))
    elif for_ == "llamafactory":
        if stage == "ppo":
            say("note: LLaMA-Factory 0.9.5 runs ppo with trl 0.8.6 to 0.9.6 only, not with the newer trl that pip installs beside it")
        recipe = llamafactory_recipe(facts, target, data_dir=folder, template=chosen.name, reward_model=reward_model)
    else:
        recipe = _other_recipe(for_, facts, target)
    if out:
        write_bytes(out, recipe.text.encode())
    value = {"name": name, "stage": stage, "for": for_, "template": chosen.name, "template_why": chosen.why, "yaml": recipe.text}
    value |= {
        "command": recipe.command,
        "data_command": recipe.data_command,
        "out": str(out) if out else None,
        "output_dir": facts.output_dir,
    }
    commands = "\n".join(command for command in (recipe.data_command, recipe.command) if command)
    human = f"wrote {out}\n{commands}\n" if out else f"{recipe.text}\n# save as {target}, then:\n# " + commands.replace("\n", "\n# ") + "\n"
    emit(value, as_json=as_json, human=human)


def _other_recipe(program: str, facts: "TrainFacts", target: Path) -> "Recipe":
    if program == "trl":
        from datagen.export.recipes.trl import trl_recipe

        return trl_recipe(facts, target)
    if program == "axolotl":
        from datagen.export.recipes.axolotl import axolotl_recipe

        return axolotl_recipe(facts, target)
    from datagen.export.recipes.unsloth import unsloth_recipe

    return unsloth_recipe(facts, target)
