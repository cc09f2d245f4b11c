"""``curve``, ``slices``, ``sweep`` and ``probe --retrieval`` on a workspace made from the example's documents, with the tiny model:
tables with intervals as text, the same figures as JSON, and a picture."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from datagen.cli import main
from datagen.jsonl import write_jsonl

INTERVAL = re.compile(r"\[[+-]?\d+\.\d+, ?[+-]?\d+\.\d+\]")
QUICK = ["--model", "tiny", "--seeds", "2", "--epochs", "1", "--learning-rate", "0.005"]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    repo = Path(__file__).resolve().parents[2]
    root = tmp_path_factory.mktemp("growth")
    for name in ("zh/会员", "en/policies", "en/travel"):
        shutil.copytree(repo / "examples" / "hotel_ota" / "docs" / name, root / "docs" / name)
    settings = ["sizes=[32]", "exam.size=16", "exam.vault=0", "exam.unseen_documents=0"]
    words = [w for s in settings for w in ("--set", s)]
    assert main(["-w", str(root), "run", "quickstart", *words, "--until", "register"]) == 0
    return root


def _measured(workspace: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[dict[str, Any], str]:
    """Run it for the JSON, and again, from the stored runs, for people."""
    capsys.readouterr()
    assert main(["-w", str(workspace), *arguments, "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert main(["-w", str(workspace), *arguments]) == 0
    said = capsys.readouterr().out
    picture = Path(value["picture"]).read_text(encoding="utf-8")
    assert picture.startswith("<svg")
    assert "<text" in picture
    assert value["sentence"]["en"] in said.replace("\n", "")
    assert value["sentence"]["zh"].replace(" ", "") in re.sub(r"\s", "", said)
    return value, said


def test_curve(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--by", "row", "--fractions", "1/4,1/2,1", "--size-seeds", "2,2,2"]
    value, said = _measured(workspace, capsys, "curve", *options, *QUICK)
    assert [p["rows"] for p in value["points"]] == [8, 16, 32]
    assert value["doubling"]["low"] < value["doubling"]["high"]
    assert "32 -> 64 rows: expected gain" in said
    assert INTERVAL.search(said)


def test_slices(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    value, said = _measured(workspace, capsys, "slices", "--by", "topic", "--runs", "6", "--no-confirm", *QUICK)
    assert {e["name"] for e in value["effects"]} == {"zh/会员", "en/policies", "en/travel"}
    assert all(e["low"] < e["effect"] < e["high"] for e in value["effects"])
    assert INTERVAL.search(said)


def test_sweep(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    value, said = _measured(workspace, capsys, "sweep", "--rank", "1,4", "--targets", "q,v|all", *QUICK)
    cells = value["rank_by_targets"]["cells"]
    assert {(c["targets"], c["rank"]) for c in cells} == {("q,v", 1), ("q,v", 4), ("all", 1), ("all", 4)}
    assert all(c["low"] < c["loss"] < c["high"] for c in cells)
    assert sum(c["reference"] for c in cells) == 1
    assert len({c["rank"] for c in value["equal_parameters"]["cells"]}) > 1
    assert len(INTERVAL.findall(said)) >= 4


def test_retrieval(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train, exam = workspace / ".datagen" / "iterations" / "0001" / "train.jsonl", workspace / ".datagen" / "exam.jsonl"
    sets = ["--train", str(train), "--eval", str(exam), "--docs", str(workspace / "docs")]
    value, said = _measured(workspace, capsys, "probe", "--retrieval", *sets, *QUICK)
    names = ["base", "base + retrieved", "tuned", "tuned + retrieved"]
    assert [c["name"] for c in value["cells"] if c["metric"] == "nll"] == names
    assert all(c["low"] <= c["loss"] <= c["high"] for c in value["cells"])
    assert value["found"] is not None
    assert all(name in said for name in names)
    assert INTERVAL.search(said)


@pytest.mark.parametrize("command", ["curve", "slices", "sweep"])
def test_a_leaking_pair_is_refused_before_any_training(command: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    train, exam = tmp_path / "train.jsonl", tmp_path / "exam.jsonl"
    rows = [
        {"instruction": "早餐几点开始供应？", "output": "每天七点。"},
        {"instruction": "请问退房时间最晚是几点钟", "output": "中午十二点。"},
    ]
    write_jsonl(train, rows)
    write_jsonl(exam, [{"instruction": "请问退房时间最晚是几点钟？", "output": "十二点之前。"}])
    given = ["-w", str(tmp_path), command, "--train", str(train), "--eval", str(exam), "--model", str(tmp_path / "absent")]
    assert main(given) == 1
    said = capfd.readouterr().err
    assert f"{train}:2 ~ {exam}:1: exact, 1.00" in said
    assert "--allow-leaks" in said
    assert main([*given, "--allow-leaks"]) == 2
    assert "leak into" not in capfd.readouterr().err
