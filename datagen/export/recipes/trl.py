"""The same training facts for TRL's command line (1.16): one YAML file for ``trl sft``, ``dpo``, ``kto`` or ``reward``.

TRL reads its own columns, so the data is exported first (``datagen export --to trl``); the command is part of the recipe. Without
equivalent: LoRA+ and early stopping (TRL's command line has neither), and PPO (TRL 1.x has no such command).

Source: TRL 1.16: trl/scripts/sft.py, trainer/{sft,dpo,kto,reward,model}_config.py
"""

import shlex
from pathlib import Path

from datagen.errors import UsageError
from datagen.export.recipes.facts import Recipe, TrainFacts
from datagen.export.recipes.yaml import Value, yaml_text

_COMMANDS = {"sft": "sft", "pt": "sft", "dpo": "dpo", "kto": "kto", "rm": "reward"}


def trl_recipe(facts: TrainFacts, path: Path) -> Recipe:
    """Return the YAML, the command that exports the data, and the command that trains.

    Raises:
        UsageError: stage ``ppo``, or LoRA+ asked for.
    """
    if facts.stage not in _COMMANDS:
        raise UsageError(f"TRL 1.16 has no command for stage {facts.stage}", hint="use --for llamafactory")
    p = facts.preset
    if p.loraplus_lr_ratio is not None:
        raise UsageError("TRL's command line has no LoRA+", hint="leave --loraplus out, or use --for llamafactory, axolotl or unsloth")
    data: dict[str, Value] = {"dataset_name": str(facts.export_dir), "dataset_train_split": "train"}
    if facts.has_eval:
        data["dataset_test_split"] = "test"
    method: dict[str, Value] = {
        "use_peft": True, "lora_r": p.lora_rank, "lora_alpha": 2 * p.lora_rank, "lora_dropout": 0.0, "lora_target_modules": "all-linear",
    }  # fmt: skip
    if facts.stage == "rm":
        method["lora_task_type"] = "SEQ_CLS"
    if facts.stage in ("dpo", "kto"):
        method["beta"] = 0.1
    if facts.stage == "sft" and facts.several_answers:
        method["assistant_only_loss"] = True
    train: dict[str, Value] = {
        "max_length": p.cutoff_len,
        "per_device_train_batch_size": max(p.batch_size, 2) if facts.stage == "kto" else p.batch_size,
        "gradient_accumulation_steps": p.gradient_accumulation_steps,
        "learning_rate": facts.learning_rate,
        "num_train_epochs": p.epochs,
        "lr_scheduler_type": "cosine",
        "warmup_steps": 0.1,  # below 1: a share of all steps
        "seed": p.seed,
    }
    if p.max_steps is not None:
        train["max_steps"] = p.max_steps
    train |= {"use_cpu": True, "bf16": False, "dtype": "float32"} if facts.device == "cpu" else {"bf16": True}
    steps = facts.eval_steps
    output: dict[str, Value] = {"output_dir": facts.output_dir, "logging_steps": min(10, steps), "report_to": "none"}
    output |= {"save_strategy": "steps", "save_steps": steps, "save_total_limit": 2}
    sections = {"model": {"model_name_or_path": facts.model}, "method": method, "dataset": data, "train": train, "output": output}
    if facts.has_eval:
        sections["eval"] = {"per_device_eval_batch_size": 1, "eval_strategy": "steps", "eval_steps": steps}
        if facts.stage != "rm":
            sections["eval"] |= {"load_best_model_at_end": True, "metric_for_best_model": "eval_loss", "greater_is_better": False}
    command = f"trl {_COMMANDS[facts.stage]} --config {shlex.quote(str(path))}"
    return Recipe(yaml_text(sections), command, facts.export_command("trl"))
