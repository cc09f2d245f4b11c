"""``datagen split``: files, stability when the set grows, tampering."""

import json
from pathlib import Path
from typing import Any

import pytest

from datagen.cli import main
from datagen.hashing import merkle_root
from datagen.jsonl import read_json, read_rows, write_json, write_jsonl

ROOMS = ["标准间", "豪华大床房", "湖景套房", "家庭房", "亲子主题房", "行政楼层客房", "无障碍客房", "蜜月别墅"]
TOPICS = ["可以加床吗", "含不含双份早餐", "能否提前一天取消订单", "有没有浴缸", "朝哪个方向"]
ROWS = [{"question": f"{topic}，我想订的是{room}", "answer": f"{room}：请询问前台"} for room in ROOMS for topic in TOPICS]


def split(tmp_path: Path, rows: list[dict[str, str]], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    write_jsonl(tmp_path / "in.jsonl", rows)
    assert main(["split", str(tmp_path / "in.jsonl"), "-o", str(tmp_path / "out"), "--eval-ratio", "0.2", "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def ids(tmp_path: Path, name: str) -> set[str]:
    return {row.value["id"] for row in read_rows(tmp_path / "out" / f"{name}.jsonl")}


def test_files_and_counts_agree(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    value = split(tmp_path, ROWS, capsys)
    assert value["rows"] == 40 == sum(value[part] for part in ("train", "recall", "unseen", "vault", "quarantined"))
    assert value["recall"] > 0
    parts = [ids(tmp_path, name) for name in ("train", "eval", "vault")]
    assert sum(map(len, parts)) == len(set[str]().union(*parts)) == value["train"] + value["recall"] + value["vault"]
    assert {row.value["tags"]["eval_set"] for row in read_rows(tmp_path / "out" / "eval.jsonl")} == {"recall"}
    frozen = read_json(tmp_path / "out" / "split.json")
    assert frozen["merkle_root"] == merkle_root(parts[1] | parts[2])


def test_old_rows_stay_where_they_are_when_rows_are_added(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    split(tmp_path, ROWS[:30], capsys)
    before = {name: ids(tmp_path, name) for name in ("train", "eval", "vault")}
    split(tmp_path, ROWS, capsys)
    assert ids(tmp_path, "train") > before["train"]
    assert (ids(tmp_path, "eval"), ids(tmp_path, "vault")) == (before["eval"], before["vault"])


def test_changed_ids_are_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    split(tmp_path, ROWS, capsys)
    path = tmp_path / "out" / "split.json"
    frozen = read_json(path)
    frozen["ids"]["train"].append(frozen["ids"]["recall"].pop())
    write_json(path, frozen)
    assert main(["split", str(tmp_path / "in.jsonl"), "-o", str(tmp_path / "out")]) == 1
    assert str(path) in capsys.readouterr().err
