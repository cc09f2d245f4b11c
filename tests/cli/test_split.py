import json
from pathlib import Path

import pytest

from datagen.cli import main
from datagen.jsonl import JsonObject, read_json, read_rows, write_jsonl

QUESTIONS = (
    "退房时间是几点？",
    "早餐在几楼供应？",
    "押金什么时候退回卡里？",
    "可以带小狗住吗？",
    "Where do I park my car?",
    "Is there a gym in the building?",
    "怎样把发票抬头改成公司？",
    "泳池周末开到多晚？",
    "How do I reach the airport at night?",
    "孩子加床要多少钱？",
)
FILES = ("eval.jsonl", "quarantined.jsonl", "split.json", "train.jsonl", "vault.jsonl")


def _rows(n: int) -> list[JsonObject]:
    return [{"instruction": q, "input": "", "output": f"答案 {i}。"} for i, q in enumerate(QUESTIONS[:n])]


def _questions(path: Path) -> list[str]:
    return [row.value["record"]["messages"][0]["content"] for row in read_rows(path)]


def test_five_files_and_no_row_lost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_jsonl(tmp_path / "in.jsonl", _rows(10))
    out = tmp_path / "out"
    assert main(["split", str(tmp_path / "in.jsonl"), "-o", str(out), "--eval-ratio", "0.2", "--vault-ratio", "0.1", "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert value == {"rows": 10, "train": 7, "recall": 2, "unseen": 0, "vault": 1, "quarantined": 0, "out": str(out)}
    assert sorted(p.name for p in out.iterdir()) == list(FILES)
    found = [q for name in ("train", "eval", "vault", "quarantined") for q in _questions(out / f"{name}.jsonl")]
    assert sorted(found) == sorted(QUESTIONS)
    assert [row.value["tags"]["eval_set"] for row in read_rows(out / "eval.jsonl")] == ["recall", "recall"]


def test_again_gives_the_same_bytes(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "in.jsonl", _rows(10))
    command = ["split", str(tmp_path / "in.jsonl"), "-o", str(tmp_path / "out"), "--eval-ratio", "0.3"]
    assert main(command) == 0
    before = {name: (tmp_path / "out" / name).read_bytes() for name in FILES}
    assert main(command) == 0
    assert {name: (tmp_path / "out" / name).read_bytes() for name in FILES} == before


def test_a_frozen_evaluation_set_only_grows(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_jsonl(tmp_path / "in.jsonl", _rows(6))
    assert main(["split", str(tmp_path / "in.jsonl"), "-o", str(out), "--eval-ratio", "0.34", "--vault-ratio", "0"]) == 0
    first_eval, first_train = _questions(out / "eval.jsonl"), _questions(out / "train.jsonl")
    write_jsonl(tmp_path / "in.jsonl", _rows(10))
    command = ["split", str(tmp_path / "in.jsonl"), "-o", str(out), "--eval-ratio", "0.4", "--vault-ratio", "0", "--salt", "另一种"]
    assert main(command) == 0
    assert (len(first_eval), len(_questions(out / "eval.jsonl"))) == (2, 4)
    assert set(first_eval) < set(_questions(out / "eval.jsonl"))
    assert set(first_train) <= set(_questions(out / "train.jsonl"))
    assert read_json(out / "split.json")["ratios"] == {"eval": 0.4, "vault": 0.0}


def test_a_frozen_row_may_not_vanish(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    write_jsonl(tmp_path / "in.jsonl", _rows(10))
    assert main(["split", str(tmp_path / "in.jsonl"), "-o", str(out), "--eval-ratio", "0.5"]) == 0
    before = (out / "eval.jsonl").read_bytes()
    write_jsonl(tmp_path / "in.jsonl", _rows(1))
    assert main(["split", str(tmp_path / "in.jsonl"), "-o", str(out)]) == 2
    assert "frozen in" in capsys.readouterr().err
    assert (out / "eval.jsonl").read_bytes() == before


def test_a_folder_with_another_split_json_is_left_alone(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "in.jsonl", _rows(10))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "split.json").write_text('{"banana": 1}', encoding="utf-8")
    assert main(["split", str(tmp_path / "in.jsonl"), "-o", str(tmp_path / "out")]) == 1
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["split.json"]
