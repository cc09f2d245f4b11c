"""``datagen train-config``."""

import json
from pathlib import Path

import pytest
import yaml

from datagen.cli import main


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "rows.json").write_text('[{"instruction":"q","input":"","output":"a"}]')
    (tmp_path / "eval.json").write_text('[{"instruction":"other","input":"","output":"b"}]')
    rows, held = str(tmp_path / "rows.json"), str(tmp_path / "eval.json")
    assert main(["-w", str(tmp_path), "register", rows, "--name", "hotel", "--eval", held]) == 0
    return tmp_path


def test_writes_yaml_and_prints_the_command(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    out = workspace / "run.yaml"
    arguments = [
        "-w",
        str(workspace),
        "train-config",
        "hotel",
        "--model",
        "Qwen/Qwen2.5-7B-Instruct",
        "--loraplus",
        "16",
        "-o",
        str(out),
        "--json",
    ]
    assert main(arguments) == 0
    value = json.loads(capsys.readouterr().out)
    assert (value["command"], value["template"]) == (f"llamafactory-cli train {out}", "qwen")
    written = yaml.safe_load(out.read_text())
    assert written == yaml.safe_load(value["yaml"])
    assert (written["dataset"], written["eval_dataset"], written["loraplus_lr_ratio"]) == ("hotel_train", "hotel_eval", 16.0)
    assert written["output_dir"].startswith("saves/hotel/sft-")


@pytest.mark.parametrize(
    ("arguments", "ratio"), [([], None), (["--preset", "notes"], 16.0), (["--preset", "notes", "--loraplus", "4"], 4.0)]
)
def test_the_notes_preset_adds_lora_plus(
    workspace: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], ratio: float | None
) -> None:
    capsys.readouterr()
    assert main(["-w", str(workspace), "train-config", "hotel", "--model", "Qwen3-0.6B", *arguments, "--json"]) == 0
    written = yaml.safe_load(json.loads(capsys.readouterr().out)["yaml"])
    assert written.get("loraplus_lr_ratio") == ratio
    assert (written["learning_rate"], written["lora_target"], written["gradient_accumulation_steps"]) == (1e-4, "all", 8)
    assert (written["eval_dataset"], written["early_stopping_steps"], written["load_best_model_at_end"]) == ("hotel_eval", 3, True)


def test_merge_names_the_export_command(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["-w", str(workspace), "train-config", "hotel", "--stage", "merge", "--model", "Qwen3-0.6B"]
    assert main(arguments) == 2
    assert main([*arguments, "--adapter", "saves/x"]) == 0
    assert "llamafactory-cli export hotel_merge.yaml" in capsys.readouterr().out


def test_wrong_names_and_stages(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-w", str(workspace), "train-config", "hotle"]) == 2
    assert "did you mean 'hotel'" in capsys.readouterr().err
    assert main(["-w", str(workspace), "train-config", "hotel", "--stage", "dpo"]) == 2
    assert "holds questions and answers" in capsys.readouterr().err
    assert main(["-w", str(workspace), "train-config", "hotel", "--stage", "kto"]) == 2
    assert "use --stage sft or ppo or pt" in capsys.readouterr().err


def test_what_would_surprise_is_noted(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-w", str(workspace), "train-config", "hotel", "--template", "qwen3_nothing"]) == 0
    assert "no template 'qwen3_nothing'; did you mean 'qwen3_nothink'" in capsys.readouterr().err
    assert main(["-w", str(workspace), "train-config", "hotel", "--stage", "pt"]) == 0
    assert "nothing else" in capsys.readouterr().err
