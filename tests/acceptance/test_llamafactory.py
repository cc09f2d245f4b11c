"""LLaMA-Factory 0.9.5 itself, in its own venv: its loader's verdicts, and training on what datagen registered."""

import json
import math
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from datagen.cli import main
from datagen.jsonl import write_jsonl
from datagen.schemas.record import ConversationRecord as Conversation
from datagen.schemas.record import FeedbackRecord, Message, PreferenceRecord, Record, TextRecord, ToolCall, question_answer
from datagen.schemas.sample import Sample

pytestmark = pytest.mark.llamafactory
HERE = Path(__file__).parent
VENV = Path(os.environ.get("DATAGEN_LF_VENV", Path.home() / ".cache/llamafactory-venv"))
MODEL = Path(os.environ.get("DATAGEN_LF_MODEL", VENV / "share/datagen-tiny-llama"))
ZH = "你是酒店预订助手，回答要准确、“简短”。"
EN = 'You are a hotel booking assistant; answer exactly, "briefly".'
TOOL = {"name": "rate", "description": "Price", "parameters": {"type": "object", "properties": {"room": {"type": "integer"}}}}


def run_lf(arguments: list[str], work: Path) -> str:
    if not (VENV / "bin/llamafactory-cli").exists() or not MODEL.exists():
        pytest.fail(f"no LLaMA-Factory at {VENV} or no model at {MODEL}; run tests/acceptance/make_llamafactory_venv.sh")
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(work / "hf")}
    quiet = {"CUDA_VISIBLE_DEVICES": "", "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1", "WANDB_DISABLED": "true"}
    done = subprocess.run(arguments, cwd=work, env=os.environ | offline | quiet, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def test_loader_still_gives_the_stored_verdicts(tmp_path: Path) -> None:
    out, every = tmp_path / "verdicts.json", tmp_path / "cases.json"
    cases: list[dict[str, Any]] = json.loads((HERE / "cases.json").read_text(encoding="utf-8"))
    cases += map(_long_file, json.loads((HERE / "pieces.json").read_text(encoding="utf-8")))
    every.write_text(json.dumps(cases), encoding="utf-8")
    run_lf([str(VENV / "bin/python"), str(HERE / "lf_driver.py"), str(every), str(MODEL), str(tmp_path / "work"), str(out)], tmp_path)
    verdicts: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    stored = {case["id"]: case["observed"] for case in cases}
    real = {k: {"crash": v["crash"].split(":")[0]} if "crash" in v else {"kept": v["kept"]} for k, v in verdicts.items()}
    assert real == stored
    persona = verdicts["alpaca_persona_quotes"]["texts"]
    assert "你是酒店助手，“简短”回答。\n几点退房？\n可以延迟吗？" in persona[0]
    assert "中午12点,可延迟到14点。" in persona[0]


def _long_file(case: dict[str, Any]) -> dict[str, Any]:
    """A file of which the first piece, 10 MiB and on to the line's end, holds the first 105 rows."""
    row = {"instruction": "q", "input": "", "output": "a", "pad": "@PAD@"}
    entry = {"file_name": "x.jsonl", "columns": {"prompt": "instruction", "query": "input", "response": "output"}}
    return case | {"stage": "sft", "entry": entry, "pieces": [[json.dumps(row | case["first"]), 105], [json.dumps(row | case["later"]), 3]]}


def hotel(i: int) -> Conversation:
    if i % 2:
        return question_answer(
            f'Room {100 + i}, "sea view",\nper night?', f"Room {100 + i} costs {60 + 5 * i} euros,\nbreakfast included.", persona=EN
        )
    return question_answer(f"{100 + i}号房（“海景”）一晚多少钱？\n含早餐吗？", f"{100 + i}号房每晚{300 + 20 * i}元，含早餐。", persona=ZH)


def tool_use(i: int) -> Conversation:
    return Conversation(
        messages=(
            Message(role="system", content=ZH),
            Message(role="user", content=f"{100 + i}号房多少钱？"),
            Message(role="assistant", content="Let me look.", tool_calls=(ToolCall(name="rate", arguments={"room": 100 + i}),)),
            Message(role="tool", content=f'{{"price": {300 + i}}}'),
            Message(role="assistant", content=f"每晚{300 + i}元。"),
        ),
        tools=(TOOL,),
    )


def preference(i: int) -> PreferenceRecord:
    prompt = (Message(role="user", content=f"{100 + i}号房含早餐吗？"),)
    good, bad = Message(role="assistant", content=f"含，{i}份。"), Message(role="assistant", content="不知道。")
    return PreferenceRecord(prompt=prompt, chosen=good, rejected=bad, persona=ZH)


def feedback(i: int) -> FeedbackRecord:
    prompt = (Message(role="user", content=f"Is room {100 + i} free?"),)
    return FeedbackRecord(prompt=prompt, completion=Message(role="assistant", content=f"Yes, until day {i}."), label=i % 2 == 0, persona=EN)


def text(i: int) -> TextRecord:
    return TextRecord(text=f"{100 + i}号房在海边，离车站{i}公里。The room is by the sea. " * 30)


@pytest.mark.parametrize(
    ("stage", "make"),
    [("sft", hotel), ("sft", tool_use), ("dpo", preference), ("rm", preference), ("kto", feedback), ("pt", text)],
    ids=["sft", "sft_tools", "dpo", "rm", "kto", "pt"],
)
def test_registered_set_trains_to_the_end(stage: str, make: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def samples(start: int, stop: int) -> list[Any]:
        records: list[Record] = [make(i) for i in range(start, stop)]
        return [Sample.of(record).to_json() for record in records]

    write_jsonl(tmp_path / "train.jsonl", samples(0, 24))
    write_jsonl(tmp_path / "eval.jsonl", samples(100, 106))
    workspace = ["-w", str(tmp_path)]
    rows, held = str(tmp_path / "train.jsonl"), str(tmp_path / "eval.jsonl")
    # Rows of one template leak; here they only have to train.
    assert main([*workspace, "register", rows, "--name", "hotel", "--eval", held, "--allow-leaks"]) == 0
    config = [
        "train-config",
        "hotel",
        "--stage",
        stage,
        "--model",
        str(MODEL),
        "--device",
        "cpu",
        "--max-steps",
        "1",
        "--cutoff-len",
        "256",
    ]
    out = tmp_path / "out"
    assert main([*workspace, *config, "--output-dir", str(out), "-o", str(tmp_path / "run.yaml"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["command"] == f"llamafactory-cli train {tmp_path / 'run.yaml'}"
    run_lf([str(VENV / "bin/llamafactory-cli"), "train", str(tmp_path / "run.yaml")], tmp_path)
    assert (out / "adapter_model.safetensors").stat().st_size > 0
    log = [json.loads(line) for line in (out / "trainer_log.jsonl").read_text().splitlines()]
    losses = [entry["eval_loss"] for entry in log if "eval_loss" in entry]
    assert losses
    assert all(math.isfinite(loss) for loss in losses)
    if stage == "rm":
        _check_ppo(workspace, reward_model=out, work=tmp_path)
    if stage == "sft" and make is hotel:
        predict = ["train-config", "hotel", "--stage", "predict", "--model", str(MODEL), "--adapter", str(out), "--cutoff-len", "256"]
        assert main([*workspace, *predict, "--output-dir", str(tmp_path / "predicted"), "-o", str(tmp_path / "predict.yaml")]) == 0
        run_lf([str(VENV / "bin/llamafactory-cli"), "train", str(tmp_path / "predict.yaml")], tmp_path)
        scores = json.loads((tmp_path / "predicted/predict_results.json").read_text())
        assert {"predict_bleu-4", "predict_rouge-1", "predict_rouge-l"} <= set(scores)
        predictions = (tmp_path / "predicted/generated_predictions.jsonl").read_text(encoding="utf-8").splitlines()
        assert len(predictions) == 6
        merged = tmp_path / "merged"
        task = ["train-config", "hotel", "--stage", "merge", "--model", str(MODEL), "--adapter", str(out), "--output-dir", str(merged)]
        assert main([*workspace, *task, "-o", str(tmp_path / "merge.yaml")]) == 0
        run_lf([str(VENV / "bin/llamafactory-cli"), "export", str(tmp_path / "merge.yaml")], tmp_path)
        assert (merged / "model.safetensors").exists()


def _check_ppo(workspace: list[str], *, reward_model: Path, work: Path) -> None:
    """LLaMA-Factory 0.9.5 takes the configuration and then refuses its own trl 0.24: PPO needs trl 0.8.6 to 0.9.6."""
    write_jsonl(work / "prompts.jsonl", [Sample.of(hotel(i)).to_json() for i in range(8)])
    assert main([*workspace, "register", str(work / "prompts.jsonl"), "--name", "asked"]) == 0
    config = ["train-config", "asked", "--stage", "ppo", "--model", str(MODEL), "--device", "cpu", "--max-steps", "1", "--cutoff-len", "64"]
    out = ["--reward-model", str(reward_model), "--output-dir", str(work / "ppo"), "-o", str(work / "ppo.yaml")]
    assert main([*workspace, *config, *out]) == 0
    with pytest.raises(AssertionError, match=r"trl>=0\.8\.6,<=0\.9\.6 is required"):
        run_lf([str(VENV / "bin/llamafactory-cli"), "train", str(work / "ppo.yaml")], work)
