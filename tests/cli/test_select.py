import json
from pathlib import Path

import pytest

from datagen.cli import main


def test_rows_stay_as_they_were_and_the_others_lie_beside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"instruction": f"第{i}条？", "input": "", "output": "好。" * i, "note": i} for i in range(1, 9)]
    source, out = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    broken = {"instruction": "坏？", "input": "", "output": 5, "note": 0}
    source.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in [*rows, broken]), encoding="utf-8")
    assert main(["select", str(source), "-o", str(out), "-n", "2", "--by", "top", "--score", "completion_tokens", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kept"] == 2
    assert [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()] == rows[-2:]
    dropped = [json.loads(line) for line in (tmp_path / "b.dropped.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [d["reason"] for d in dropped] == ["not_selected"] * 6 + ["unreadable_row"]


def test_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "a.json"
    source.write_text(json.dumps([{"instruction": "?", "output": "a"}] * 3), encoding="utf-8")
    assert main(["select", str(source), "-o", str(source), "-n", "1"]) == 2
    assert main(["select", str(source), "-o", str(tmp_path / "b.json"), "-n", "1", "--by", "band", "--band", "x"]) == 2
    assert "expected two numbers" in capsys.readouterr().err
