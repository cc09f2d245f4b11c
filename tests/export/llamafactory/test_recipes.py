"""Training YAML: parses, holds the presets, and never what would mislead LLaMA-Factory; templates fit the model."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from datagen.errors import UsageError
from datagen.export.llamafactory import choose_template, train_command, train_yaml
from datagen.export.recipes.facts import TrainPreset, TrainStage
from datagen.export.recipes.llamafactory import task_yaml


def config(stage: TrainStage = "sft", **options: Any) -> dict[str, Any]:
    text = train_yaml(
        "hotel", data_dir=Path("/srv/data"), model="/models/qwen", template="qwen", stage=stage, output_dir="saves/1", **options
    )
    return yaml.safe_load(text)


def test_sft_presets() -> None:
    values = config(train_rows=300)
    assert values["dataset"] == "hotel_train"
    assert values["eval_dataset"] == "hotel_eval"
    assert values["dataset_dir"] == "/srv/data"
    assert (values["learning_rate"], values["lr_scheduler_type"], values["warmup_ratio"], values["seed"]) == (1e-4, "cosine", 0.1, 42)
    assert (values["lora_target"], values["gradient_accumulation_steps"], values["report_to"]) == ("all", 8, "none")
    assert (values["load_best_model_at_end"], values["metric_for_best_model"], values["early_stopping_steps"]) == (True, "eval_loss", 3)
    assert values["eval_steps"] == values["save_steps"] == 19
    assert values["bf16"] is True
    assert not {"val_size", "tokenized_path", "loraplus_lr_ratio", "overwrite_output_dir"} & values.keys()


def test_floats_are_written_with_a_dot() -> None:
    text = train_yaml("h", data_dir=Path("/d"), model="m", template="t", output_dir="o", preset=TrainPreset(loraplus_lr_ratio=16))
    assert "learning_rate: 1.0e-4\n" in text
    assert "num_train_epochs: 3.0\n" in text
    assert yaml.safe_load(text)["loraplus_lr_ratio"] == 16


@pytest.mark.parametrize("rate", [0.0, 5e-6, 1e-5, 2.5e-4, 0.001, 0.02, 1.0])
def test_learning_rates_survive_yaml(rate: float) -> None:
    assert config(preset=TrainPreset(learning_rate=rate))["learning_rate"] == pytest.approx(rate)


@pytest.mark.parametrize("stage", ["dpo", "kto"])
def test_preference_stages(stage: TrainStage) -> None:
    values = config(stage)
    assert (values["learning_rate"], values["pref_beta"]) == (5e-6, 0.1)


def test_rm_has_no_best_model_and_pt_no_template() -> None:
    assert "load_best_model_at_end" not in config("rm")
    assert "template" not in config("pt")


def test_ppo_needs_a_reward_model() -> None:
    with pytest.raises(UsageError, match="stage ppo needs a reward model"):
        config("ppo")
    assert config("ppo", reward_model="saves/rm")["reward_model"] == "saves/rm"


def test_without_eval_set_nothing_evaluates() -> None:
    assert not {"eval_dataset", "eval_strategy", "load_best_model_at_end", "early_stopping_steps"} & config(has_eval=False).keys()


def test_cpu_has_no_bf16() -> None:
    values = config(device="cpu")
    assert values["use_cpu"] is True
    assert "bf16" not in values


@pytest.mark.parametrize("text", ["a: b", "酒店", "true", "- x", "a #b", 'quote"d', "no", "path with blank/x", "007", "1e5"])
def test_any_text_survives_yaml(text: str) -> None:
    values = yaml.safe_load(train_yaml("h", data_dir=Path("/d"), model=text, template="t", output_dir=text))
    assert (values["model_name_or_path"], values["output_dir"]) == (text, text)


def test_command_is_quoted() -> None:
    assert train_command(Path("my run.yaml")) == "llamafactory-cli train 'my run.yaml'"


def test_tasks() -> None:
    merge = yaml.safe_load(task_yaml("merge", model="m", template="qwen", adapter="saves/1", output_dir="merged"))
    assert (merge["export_dir"], merge["adapter_name_or_path"], merge["export_device"]) == ("merged", "saves/1", "cpu")
    predict = task_yaml("predict", model="m", template="q", adapter="a", output_dir="o", eval_dataset="h_eval", data_dir=Path("/d"))
    assert yaml.safe_load(predict)["do_sample"] is False
    with pytest.raises(UsageError):
        task_yaml("predict", model="m", template="q", adapter="a")


@pytest.mark.parametrize(
    ("config", "chat", "expected"),
    [
        ({"model_type": "gemma3_text"}, "", "gemma2"),
        ({"model_type": "qwen2"}, "<|im_start|>", "qwen"),
        ({"model_type": "qwen3"}, "{% if enable_thinking %}", "qwen3"),
        ({"model_type": "qwen3"}, "<|im_start|>", "qwen3_nothink"),
        ({"model_type": "llama", "vocab_size": 128256}, "", "llama3"),
        ({"model_type": "llama", "vocab_size": 49152}, "You are SmolLM <|im_start|>", "smollm2"),
        ({"model_type": "llama", "vocab_size": 32000}, "<|im_start|>", "chatml"),
        ({"model_type": "llama", "vocab_size": 512}, "", "default"),
    ],
)
def test_template_from_a_model_folder(config: dict[str, Any], chat: str, expected: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": chat}))
    found = choose_template(tmp_path)
    assert found.name == expected
    assert found.certain == (expected != "default")


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("Qwen/Qwen3-4B-Instruct-2507", "qwen3_nothink"),
        ("Qwen3-0.6B", "qwen3"),
        ("Qwen3-4B-Thinking-2507", "qwen3"),
        ("Qwen2.5-7B", "qwen"),
        ("gemma-3-270m-it", "gemma2"),
        ("gemma-3-4b-it", "gemma3"),
        ("my-model", "default"),
    ],
)
def test_template_from_a_name(model: str, expected: str) -> None:
    assert choose_template(model).name == expected
