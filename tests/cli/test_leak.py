import json
from pathlib import Path

import pytest

from datagen.cli import main
from datagen.jsonl import write_jsonl

TRAIN = [
    {"instruction": "押金什么时候退回？", "input": "", "output": "三个工作日。"},
    {"instruction": "几点退房", "input": "", "output": "十二点。"},
    {
        "instruction": "What about late departures?",
        "input": "",
        "output": "Gold members may leave the room as late as two in the afternoon for free.",
    },
]
EVAL = [
    {"instruction": "几点退房？", "input": "", "output": "中午。"},
    {
        "instruction": "How late can I stay?",
        "input": "",
        "output": "Gold members may leave the room as late as two in the afternoon for free!",
    },
    {"instruction": "早餐几点开始？", "input": "", "output": "三个工作日。"},
]


def test_questions_and_long_answers_leak_short_answers_do_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_jsonl(tmp_path / "train.jsonl", TRAIN)
    write_jsonl(tmp_path / "eval.jsonl", EVAL)
    assert main(["leak", str(tmp_path / "train.jsonl"), str(tmp_path / "eval.jsonl"), "--json"]) == 1
    value = json.loads(capsys.readouterr().out)
    assert (value["train_rows"], value["eval_rows"]) == (3, 3)
    assert [(leak["train_row"], leak["eval_row"]) for leak in value["leaks"]] == [(1, 0), (2, 1)]
    assert all(set(leak) == {"train_row", "eval_row", "rule", "score"} for leak in value["leaks"])


def test_clean_sets_exit_with_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_jsonl(tmp_path / "train.jsonl", TRAIN[:1])
    write_jsonl(tmp_path / "eval.jsonl", EVAL)
    assert main(["leak", str(tmp_path / "train.jsonl"), str(tmp_path / "eval.jsonl")]) == 0
    assert capsys.readouterr().out.startswith("0 of 1 training rows leak into 3 evaluation rows")


def test_the_same_file_leaks_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_jsonl(tmp_path / "train.jsonl", TRAIN)
    assert main(["leak", str(tmp_path / "train.jsonl"), str(tmp_path / "train.jsonl"), "--json"]) == 1
    leaks = json.loads(capsys.readouterr().out)["leaks"]
    assert leaks == [{"train_row": i, "eval_row": i, "rule": "exact", "score": 1.0} for i in range(3)]
