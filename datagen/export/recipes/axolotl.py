"""The same training facts for Axolotl: one YAML file for ``axolotl train``.

Axolotl reads chat messages (``datagen export --to openai``) and TRL's pairs (``--to trl``). Without equivalent here: reward models and PPO.

Not run here; keys looked up in its configuration schema.

Source: axolotl: src/axolotl/prompt_strategies/chat_template.py, prompt_strategies/dpo/chat_template.py, utils/schemas/config.py
"""

import shlex
from pathlib import Path

from datagen.errors import UsageError
from datagen.export.recipes.facts import Recipe, TrainFacts
from datagen.export.recipes.yaml import Value, scalar, yaml_text


def axolotl_recipe(facts: TrainFacts, path: Path) -> Recipe:
    """Return the YAML, the command that exports the data, and the command that trains.

    Raises:
        UsageError: a stage other than sft, pt and dpo.
    """
    kinds = {
        "sft": ("openai", "chat_template", {"field_messages": "messages"}),
        "pt": ("trl", "completion", {"field": "text"}),
        "dpo": ("trl", "chat_template.default", {"field_messages": "prompt", "field_chosen": "chosen", "field_rejected": "rejected"}),
    }
    if facts.stage not in kinds:
        raise UsageError(f"datagen writes no Axolotl configuration for stage {facts.stage}", hint="use --for llamafactory or trl")
    to, kind, fields = kinds[facts.stage]
    p = facts.preset
    method: dict[str, Value] = {
        "adapter": "lora", "lora_r": p.lora_rank, "lora_alpha": 2 * p.lora_rank, "lora_dropout": 0.0, "lora_target_linear": True,
    }  # fmt: skip
    if p.loraplus_lr_ratio is not None:
        method["loraplus_lr_ratio"] = p.loraplus_lr_ratio
    if facts.stage == "dpo":
        method["rl"] = "dpo"
    train: dict[str, Value] = {
        "sequence_len": p.cutoff_len,
        "sample_packing": False,
        "micro_batch_size": p.batch_size,
        "gradient_accumulation_steps": p.gradient_accumulation_steps,
        "learning_rate": facts.learning_rate,
        "num_epochs": p.epochs,
        "lr_scheduler": "cosine",
        "warmup_ratio": 0.1,
        "optimizer": "adamw_torch",
        "seed": p.seed,
        "bf16": "auto" if facts.device == "gpu" else False,
    }
    if p.max_steps is not None:
        train["max_steps"] = p.max_steps
    steps = facts.eval_steps
    output: dict[str, Value] = {"output_dir": facts.output_dir, "logging_steps": min(10, steps), "save_steps": steps, "save_total_limit": 2}
    blocks = [yaml_text({"model": {"base_model": facts.model}, "method": method}), _datasets(facts, to, kind, fields)]
    evaluation: dict[str, Value] = {"val_set_size": 0.0}
    if facts.has_eval:
        evaluation |= {"eval_steps": steps, "early_stopping_patience": p.early_stopping_evals, "load_best_model_at_end": True}
    blocks.append(yaml_text({"train": train, "output": output, "eval": evaluation}))
    return Recipe("\n".join(blocks), f"axolotl train {shlex.quote(str(path))}", facts.export_command("trl" if to == "trl" else "openai"))


def _datasets(facts: TrainFacts, to: str, kind: str, fields: dict[str, str]) -> str:
    lines = ["### dataset"]
    for key, side in (("datasets", "train"), ("test_datasets", "eval")):
        if side == "eval" and not facts.has_eval:
            continue
        path = facts.exported("train" if side == "train" else "eval")
        values = {"path": str(path), "ds_type": "json", "type": kind, **fields, **({"split": "train"} if side == "eval" else {})}
        lines += [f"{key}:", *(f"  {'- ' if i == 0 else '  '}{name}: {scalar(value)}" for i, (name, value) in enumerate(values.items()))]
    if kind.startswith("chat_template"):
        lines.append("chat_template: tokenizer_default")
    return "\n".join(lines) + "\n"
