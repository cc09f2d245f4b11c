"""TRL 1.16 itself, in its own venv: it trains from exported data with the emitted YAML, and learns the answers only."""

import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from datagen.cli import main
from datagen.jsonl import write_jsonl
from datagen.schemas.record import (
    ConversationRecord,
    FeedbackRecord,
    Message,
    PreferenceRecord,
    Record,
    TextRecord,
    ToolCall,
    question_answer,
)
from datagen.schemas.sample import Sample

pytestmark = pytest.mark.trl
HERE = Path(__file__).parent
VENV = Path(os.environ.get("DATAGEN_TRL_VENV", Path.home() / ".cache/trl-venv"))
LF_VENV = Path(os.environ.get("DATAGEN_LF_VENV", Path.home() / ".cache/llamafactory-venv"))
MODEL = Path(os.environ.get("DATAGEN_TRL_MODEL", LF_VENV / "share/datagen-tiny-llama"))
ZH = "你是酒店预订助手。"
TOOL = {"name": "rate", "description": "房价", "parameters": {"type": "object", "properties": {"room": {"type": "integer"}}}}
CHATML = (
    "{% if tools %}<|im_start|>system\n{{ tools | tojson }}<|im_end|>\n{% endif %}{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.role == 'assistant' %}{% generation %}{{ m.content }}"
    "{% for c in m.tool_calls or [] %}{{ c.function | tojson }}{% endfor %}<|im_end|>{% endgeneration %}\n"
    "{% else %}{{ m.content }}<|im_end|>\n{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def run_trl(arguments: list[str], work: Path) -> str:
    if not (VENV / "bin/trl").exists() or not MODEL.exists():
        pytest.fail(f"no TRL at {VENV} or no model at {MODEL}; run make accept-trl")
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(work / "hf"), "CUDA_VISIBLE_DEVICES": ""}
    quiet = {"TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1", "TRL_EXPERIMENTAL_SILENCE": "1"}
    done = subprocess.run(arguments, cwd=work, env=os.environ | offline | quiet, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """The tiny Llama with a ChatML template."""
    folder = tmp_path / "model"
    shutil.copytree(MODEL, folder)
    (folder / "chat_template.jinja").write_text(CHATML, encoding="utf-8")
    return folder


def hotel(i: int) -> Record:
    return question_answer(f"{100 + i}号房一晚多少钱？", f"每晚{300 + i}元。", persona=ZH)


def tool_use(i: int) -> Record:
    call = Message(role="assistant", tool_calls=(ToolCall(name="rate", arguments={"room": 100 + i}),))
    messages = (
        Message(role="user", content=f"Room {i}?"),
        call,
        Message(role="tool", content=f"{i}"),
        Message(role="assistant", content="300."),
    )
    return ConversationRecord(messages=messages, tools=(TOOL,))


def preference(i: int) -> Record:
    good, bad = Message(role="assistant", content=f"含，{i}份。"), Message(role="assistant", content="不知道。")
    return PreferenceRecord(prompt=(Message(role="user", content=f"{i}号房含早餐吗？"),), chosen=good, rejected=bad, persona=ZH)


def feedback(i: int) -> Record:
    answer = Message(role="assistant", content=f"Yes, until day {i}.")
    return FeedbackRecord(prompt=(Message(role="user", content=f"Is room {i} free?"),), completion=answer, label=i % 2 == 0)


def text(i: int) -> Record:
    return TextRecord(text=f"{100 + i}号房在海边。The room is by the sea. " * 5)


def register(make: Any, folder: Path) -> None:
    for name, numbers in (("train", range(12)), ("eval", range(20, 24))):
        write_jsonl(folder / f"{name}.jsonl", [Sample.of(make(i)).to_json() for i in numbers])
    arguments = ["register", str(folder / "train.jsonl"), "--name", "hotel", "--eval", str(folder / "eval.jsonl"), "--allow-leaks"]
    assert main(["-w", str(folder), *arguments]) == 0


@pytest.mark.parametrize(
    ("stage", "make"),
    [("sft", hotel), ("sft", tool_use), ("dpo", preference), ("kto", feedback), ("rm", preference), ("pt", text)],
    ids=["sft", "sft_tools", "dpo", "kto", "rm", "pt"],
)
def test_trl_trains_from_the_emitted_yaml(stage: str, make: Any, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    register(make, tmp_path)
    config = ["train-config", "hotel", "--for", "trl", "--stage", stage, "--model", str(model), "--device", "cpu", "--max-steps", "1"]
    out = tmp_path / "run.yaml"
    capsys.readouterr()
    assert main(["-w", str(tmp_path), *config, "--cutoff-len", "256", "--output-dir", str(tmp_path / "out"), "-o", str(out), "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert main(shlex.split(value["data_command"])[1:]) == 0
    run_trl([str(VENV / "bin" / word) if i == 0 else word for i, word in enumerate(shlex.split(value["command"]))], tmp_path)
    assert (tmp_path / "out/adapter_model.safetensors").stat().st_size > 0
    states = [json.loads(path.read_text()) for path in tmp_path.glob("out/checkpoint-*/trainer_state.json")]
    assert any("eval_loss" in entry for state in states for entry in state["log_history"])


def test_trainers_read_the_export_and_learn_answers_only(model: Path, tmp_path: Path) -> None:
    for name, make in (("sft", hotel), ("tools", tool_use), ("dpo", preference)):
        write_jsonl(tmp_path / f"{name}.jsonl", [Sample.of(make(i)).to_json() for i in range(4)])
        assert main(["export", str(tmp_path / f"{name}.jsonl"), "--to", "trl", "-o", str(tmp_path / name)]) == 0
    run_trl([str(VENV / "bin/python"), str(HERE / "trl_driver.py"), str(model), str(tmp_path), str(tmp_path / "seen.json")], tmp_path)
    seen = json.loads((tmp_path / "seen.json").read_text(encoding="utf-8"))
    assert seen["sft"]["learned"] == ["每晚300元。<|im_end|>"]
    assert f"<|im_start|>user\n{ZH}\n100号房一晚多少钱？<|im_end|>" in seen["sft"]["inputs"][0]
    assert seen["tools"]["learned"] == ['{"name": "rate", "arguments": {"room": 100}}<|im_end|>300.<|im_end|>']
    assert '"name": "rate", "description": "房价"' in seen["tools"]["inputs"][0]
    assert all(loss > 0 for name in ("sft", "tools", "dpo") for loss in seen[name]["losses"])


def test_huggingface_export_loads_with_its_splits(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "rows.jsonl", [Sample.of(hotel(i)).to_json() for i in range(12)])
    hub = tmp_path / "hub"
    arguments = ["export", str(tmp_path / "rows.jsonl"), "--eval", str(tmp_path / "rows.jsonl"), "--to", "huggingface", "-o", str(hub)]
    assert main([*arguments, "--license", "cc-by-4.0"]) == 0
    code = (
        f"from datasets import load_dataset; d = load_dataset({str(hub)!r});"
        "import json; print(json.dumps([{k: len(v) for k, v in d.items()}, d['train'].column_names, d['train'][0]['completion']]))"
    )
    sizes, columns, completion = json.loads(run_trl([str(VENV / "bin/python"), "-c", code], tmp_path).splitlines()[-1])
    assert sizes == {"train": 12, "test": 12}
    assert columns == ["prompt", "completion", "id", "document", "strategy", "generator", "language"]
    assert completion == [{"role": "assistant", "content": "每晚300元。"}]
    head = yaml.safe_load((hub / "README.md").read_text(encoding="utf-8").split("---")[1])
    assert head["license"] == "cc-by-4.0"
