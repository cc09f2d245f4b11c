"""YAML for ``llamafactory-cli`` 0.9.5, with presets that suit a few hundred to a few ten-thousand rows.

Presets: learning rate 1e-4 (5e-6 for DPO and KTO), cosine with warm-up 0.1, gradient accumulation, LoRA on all layers, a fixed eval
set instead of ``val_size`` (which splits merged rows at random and so leaks), best model at the end by eval loss, early stopping, seed 42.
``tokenized_path`` is never written: it silently trains on old data. Floats have a dot, as PyYAML needs.
"""

import shlex
from pathlib import Path
from typing import Literal

from datagen.errors import UsageError
from datagen.export.recipes.facts import PREFERENCE_STAGES, Recipe, TrainFacts, TrainPreset, TrainStage, eval_steps, learning_rate
from datagen.export.recipes.yaml import Value, yaml_text

Task = Literal["merge", "predict", "chat"]
_NO_BEST_MODEL = ("rm", "ppo")  # LLaMA-Factory refuses load_best_model_at_end for these


def train_yaml(
    name: str,
    *,
    data_dir: Path,
    model: str,
    template: str,
    stage: TrainStage = "sft",
    output_dir: str,
    has_eval: bool = True,
    train_rows: int | None = None,
    device: Literal["gpu", "cpu"] = "gpu",
    reward_model: str | None = None,
    preset: TrainPreset | None = None,
) -> str:
    """Return the training configuration for ``<name>_train`` (and ``<name>_eval``).

    Args:
        name: the name given to ``register``.
        data_dir: the data directory; written absolute, because LLaMA-Factory resolves it against its own folder.
        model: model folder or name.
        template: see ``choose_template``; not written for stage ``pt``.
        stage: training stage.
        output_dir: a folder that does not exist yet: LLaMA-Factory resumes from checkpoints it finds there.
        has_eval: whether ``<name>_eval`` is registered.
        train_rows: number of train rows, for evaluating about twice an epoch; unknown: every 50 steps.
        device: ``cpu`` writes ``use_cpu`` and no bf16.
        reward_model: adapter of a reward model; stage ``ppo`` needs it.
        preset: numbers; None for the defaults.

    Raises:
        UsageError: stage ``ppo`` without a reward model.
    """
    p = preset or TrainPreset()
    if stage == "ppo" and not reward_model:
        raise UsageError("stage ppo needs a reward model", hint="train one with --stage rm, then give it with --reward-model")
    method: dict[str, Value] = {"stage": stage, "do_train": True, "finetuning_type": "lora", "lora_rank": p.lora_rank, "lora_target": "all"}
    if p.loraplus_lr_ratio is not None:
        method["loraplus_lr_ratio"] = p.loraplus_lr_ratio
    if stage in PREFERENCE_STAGES:
        method["pref_beta"] = 0.1
    if stage == "dpo":
        method["pref_loss"] = "sigmoid"
    if stage == "ppo" and reward_model:
        method |= {"reward_model": reward_model, "reward_model_type": "lora"}
    data: dict[str, Value] = {"dataset_dir": str(data_dir.resolve()), "dataset": f"{name}_train"}
    evaluates = has_eval and stage != "ppo"
    if evaluates:
        data["eval_dataset"] = f"{name}_eval"
    if stage != "pt":
        data["template"] = template
    data |= {"cutoff_len": p.cutoff_len, "overwrite_cache": True, "dataloader_num_workers": 0}
    train: dict[str, Value] = {
        "per_device_train_batch_size": p.batch_size,
        "gradient_accumulation_steps": p.gradient_accumulation_steps,
        "learning_rate": learning_rate(stage, p),
        "num_train_epochs": p.epochs,
        "lr_scheduler_type": "cosine",
        "warmup_ratio": 0.1,
        "seed": p.seed,
    }
    if p.max_steps is not None:
        train["max_steps"] = p.max_steps
    train |= {"use_cpu": True} if device == "cpu" else {"bf16": True}
    steps = eval_steps(train_rows, p)
    output: dict[str, Value] = {"output_dir": output_dir, "logging_steps": min(10, steps), "plot_loss": True, "report_to": "none"}
    output |= {"save_strategy": "steps", "save_steps": steps, "save_total_limit": 2}
    sections = {"model": _model(model), "method": method, "dataset": data, "output": output, "train": train}
    if evaluates:
        sections["eval"] = {"per_device_eval_batch_size": 1, "eval_strategy": "steps", "eval_steps": steps}
        if stage not in _NO_BEST_MODEL:
            sections["eval"] |= {"load_best_model_at_end": True, "metric_for_best_model": "eval_loss", "greater_is_better": False}
            sections["eval"]["early_stopping_steps"] = p.early_stopping_evals
    return yaml_text(sections)


def task_yaml(
    task: Task,
    *,
    model: str,
    template: str,
    adapter: str,
    output_dir: str = "",
    eval_dataset: str = "",
    data_dir: Path | None = None,
    cutoff_len: int = 2048,
) -> str:
    """Return the configuration for merging an adapter, predicting on an eval set (ROUGE and BLEU), or chatting.

    Raises:
        UsageError: ``predict`` without an eval set and data directory.
    """
    head: dict[str, Value] = {**_model(model), "adapter_name_or_path": adapter, "template": template}
    if task == "chat":
        return yaml_text({"model": head | {"infer_backend": "huggingface"}})
    if task == "merge":
        export: dict[str, Value] = {"export_dir": output_dir, "export_size": 5, "export_device": "cpu", "export_legacy_format": False}
        return yaml_text({"model": head, "export": export})
    if not eval_dataset or data_dir is None:
        raise UsageError("predict needs an eval set and its data directory")
    data: dict[str, Value] = {
        "dataset_dir": str(data_dir.resolve()),
        "eval_dataset": eval_dataset,
        "cutoff_len": cutoff_len,
        "overwrite_cache": True,
    }
    # Greedy, so that two runs compare; LLaMA-Factory samples by default.
    predict: dict[str, Value] = {
        "stage": "sft",
        "do_predict": True,
        "predict_with_generate": True,
        "finetuning_type": "lora",
        "do_sample": False,
    }
    output: dict[str, Value] = {"output_dir": output_dir, "per_device_eval_batch_size": 1, "report_to": "none"}
    return yaml_text({"model": head, "method": predict, "dataset": data, "output": output})


def llamafactory_recipe(facts: TrainFacts, path: Path, *, data_dir: Path, template: str, reward_model: str | None = None) -> Recipe:
    """Return the YAML for registered data, and the command that trains; the data is read where it is registered.

    Raises:
        UsageError: as in :func:`train_yaml`.
    """
    text = train_yaml(
        facts.name,
        data_dir=data_dir,
        model=facts.model,
        template=template,
        stage=facts.stage,
        output_dir=facts.output_dir,
        has_eval=facts.has_eval,
        train_rows=facts.train_rows,
        device=facts.device,
        reward_model=reward_model,
        preset=facts.preset,
    )
    return Recipe(text, train_command(path))


def train_command(yaml_path: Path) -> str:
    """Return the shell command that trains with a configuration file."""
    return f"llamafactory-cli train {shlex.quote(str(yaml_path))}"


def task_command(task: Task, yaml_path: Path) -> str:
    """Return the shell command for a task's configuration file."""
    verb = {"merge": "export", "predict": "train", "chat": "chat"}[task]
    return f"llamafactory-cli {verb} {shlex.quote(str(yaml_path))}"


def _model(model: str) -> dict[str, Value]:
    return {"model_name_or_path": model, "trust_remote_code": False}
