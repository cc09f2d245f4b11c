"""Recipes for TRL, Axolotl and Unsloth: the same facts under each program's names, and the data they read."""

import ast
import json
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from datagen.cli import main
from datagen.errors import UsageError
from datagen.export.recipes.axolotl import axolotl_recipe
from datagen.export.recipes.facts import TrainFacts, TrainPreset
from datagen.export.recipes.trl import trl_recipe
from datagen.export.recipes.unsloth import unsloth_recipe
from datagen.jsonl import write_jsonl

FACTS: dict[str, Any] = {
    "name": "hotel",
    "model": "Qwen/Qwen3-4B",
    "output_dir": "saves/hotel",
    "train_file": Path("/d/hotel_train.json"),
    "eval_file": Path("/d/hotel_eval.json"),
    "export_dir": Path("/d/exported/hotel"),
    "train_rows": 800,
}


def facts(stage: Any = "sft", **more: Any) -> TrainFacts:
    return TrainFacts(**{**FACTS, **more}, stage=stage)


def test_trl_has_the_same_numbers() -> None:
    recipe = trl_recipe(facts("dpo"), Path("run.yaml"))
    read = yaml.safe_load(recipe.text)
    expected = {
        "model_name_or_path": "Qwen/Qwen3-4B", "dataset_name": "/d/exported/hotel", "dataset_test_split": "test", "use_peft": True,
        "lora_r": 8,
        "lora_alpha": 16, "beta": 0.1, "max_length": 2048, "learning_rate": 5.0e-6, "gradient_accumulation_steps": 8, "eval_steps": 50,
        "load_best_model_at_end": True, "warmup_steps": 0.1,
    }  # fmt: skip
    assert {key: read[key] for key in expected} == expected
    assert recipe.command == "trl dpo --config run.yaml"
    assert shlex.split(recipe.data_command)[:4] == ["datagen", "export", "/d/hotel_train.json", "--eval"]
    assert "--to trl" in recipe.data_command


def test_trl_learns_answers_only() -> None:
    assert "assistant_only_loss" not in yaml.safe_load(trl_recipe(facts(), Path("r.yaml")).text)
    assert yaml.safe_load(trl_recipe(facts(several_answers=True), Path("r.yaml")).text)["assistant_only_loss"] is True
    assert trl_recipe(facts("rm"), Path("r.yaml")).command == "trl reward --config r.yaml"
    with pytest.raises(UsageError, match="no command for stage ppo"):
        trl_recipe(facts("ppo"), Path("r.yaml"))


def test_axolotl_reads_messages_and_pairs() -> None:
    preset = TrainPreset(loraplus_lr_ratio=16.0)
    read = yaml.safe_load(axolotl_recipe(facts(preset=preset), Path("a.yaml")).text)
    assert read["datasets"] == [
        {"path": "/d/exported/hotel/hotel_train.jsonl", "ds_type": "json", "type": "chat_template", "field_messages": "messages"}
    ]
    assert read["test_datasets"][0]["split"] == "train"
    assert (read["loraplus_lr_ratio"], read["val_set_size"], read["early_stopping_patience"], read["learning_rate"]) == (
        16.0,
        0.0,
        3,
        1.0e-4,
    )
    pairs = yaml.safe_load(axolotl_recipe(facts("dpo", eval_file=None), Path("a.yaml")).text)
    assert (pairs["rl"], pairs["datasets"][0]["type"], "test_datasets" in pairs) == ("dpo", "chat_template.default", False)
    with pytest.raises(UsageError, match="stage kto"):
        axolotl_recipe(facts("kto"), Path("a.yaml"))


@pytest.mark.parametrize("stage", ["sft", "dpo"])
@pytest.mark.parametrize("held", [Path("/d/e.json"), None])
def test_unsloth_script_is_python_with_the_facts(stage: Any, held: Path | None) -> None:
    recipe = unsloth_recipe(facts(stage, eval_file=held, model='we"ird\\model'), Path("t.py"))
    tree = ast.parse(recipe.text)
    values = {
        node.arg: node.value.value for node in ast.walk(tree) if isinstance(node, ast.keyword) and isinstance(node.value, ast.Constant)
    }
    assert (values["model_name"], values["r"], values["warmup_steps"]) == ('we"ird\\model', 8, 30)
    assert values["eval_strategy"] == ("steps" if held else "no")
    assert recipe.command == "python t.py"
    with pytest.raises(UsageError, match="GPUs only"):
        unsloth_recipe(facts(stage, device="cpu"), Path("t.py"))


def test_a_path_does_not_break_out_of_the_unsloth_script() -> None:
    recipe = unsloth_recipe(facts(train_file=Path('/d/x"""\nimport os\n"""_train.json')), Path("t.py"))
    tree = ast.parse(recipe.text)
    assert not any(isinstance(node, ast.Import) for node in tree.body)
    assert recipe.data_command in str(ast.get_docstring(tree))


def test_command_writes_the_data_that_the_recipe_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"instruction": f"{i}号房几点退房？", "input": "", "output": "中午12点。"} for i in range(3)]
    write_jsonl(tmp_path / "rows.jsonl", rows)
    write_jsonl(tmp_path / "eval.jsonl", [{"instruction": "早餐在哪里吃？", "input": "", "output": "二层。"}])
    workspace = ["-w", str(tmp_path)]
    assert main([*workspace, "register", str(tmp_path / "rows.jsonl"), "--name", "hotel", "--eval", str(tmp_path / "eval.jsonl")]) == 0
    capsys.readouterr()
    assert main([*workspace, "train-config", "hotel", "--for", "trl", "--model", "m", "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert main(shlex.split(value["data_command"])[1:]) == 0
    folder = Path(yaml.safe_load(value["yaml"])["dataset_name"])
    assert sorted(path.name for path in folder.iterdir()) == ["hotel_eval.jsonl", "hotel_train.jsonl"]
    assert main([*workspace, "train-config", "hotel", "--for", "axolotl", "--stage", "merge", "--adapter", "a"]) == 2
