import json
from pathlib import Path

import pytest

from datagen.cli import main

ROW = {"instruction": "退房时间是几点？", "input": "", "output": "中午十二点。"}


def test_files_and_iterations_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = {"instruction": "早餐？", "input": "", "output": "七点。"}
    for number, rows in ((1, [ROW]), (2, [ROW, other])):
        path = tmp_path / ".datagen" / "iterations" / f"{number:04d}" / "train.jsonl"
        path.parent.mkdir(parents=True)
        path.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    assert main(["-w", str(tmp_path), "diff", "1", "2", "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert (value["unchanged"], [r["question"] for r in value["added"]], value["figures"]["rows"]["change"]) == (1, ["早餐？"], 1)
    assert main(["-w", str(tmp_path), "diff", "1", "2"]) == 0
    assert "1 rows unchanged, 0 changed, 1 added, 0 removed" in capsys.readouterr().out
    assert main(["-w", str(tmp_path), "diff", "1", "7"]) == 2
    assert "iteration 7" in capsys.readouterr().err
