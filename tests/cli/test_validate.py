"""``datagen validate``."""

import json
from pathlib import Path

import pytest

from datagen.cli import main


def test_reports_each_row_and_exits_1_on_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "rows.json"
    rows = [{"instruction": "几点退房？", "input": "", "output": "中午12点。"}, {"instruction": "有泳池吗？", "input": "", "output": None}]
    path.write_text(json.dumps(rows))
    assert main(["validate", str(path), "--json"]) == 1
    value = json.loads(capsys.readouterr().out)
    assert {key: value[key] for key in ("rows", "kept", "dropped", "would_crash")} == {"rows": 2, "kept": 1, "dropped": 1, "would_crash": 0}
    assert value["findings"] == [
        {
            "dataset": "rows",
            "row": 1,
            "code": "answer_not_text",
            "severity": "drop",
            "message": "the answer must be text, got null",
            "fix": "write the answer as text in every row and list columns.response",
            "line": 2,
        }
    ]
    assert main(["validate", str(path)]) == 1
    assert capsys.readouterr().out.startswith("2 rows: 1 kept, 1 dropped, 0 would stop the run\n  drop answer_not_text rows:2: ")


def test_good_rows_exit_0_and_wrong_stage_1(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"instruction":"When is breakfast?","input":"","output":"From 7:00."}\n')
    assert main(["validate", str(path)]) == 0
    assert main(["validate", str(path), "--stage", "dpo"]) == 1
    assert main(["validate", str(tmp_path / "gone.json")]) == 2
