import json
from pathlib import Path

import pytest

from datagen.cli import main


def _write(path: Path, rows: list[dict[str, str]]) -> Path:
    path.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    return path


def test_json_goes_to_stdout_and_progress_to_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = {"instruction": "退房时间是几点？", "input": "", "output": "中午十二点。"}
    path = _write(tmp_path / "a.json", [row, row, {"instruction": "早餐？", "input": "", "output": "七点 [red]开始[/red]。"}])
    assert main(["audit", str(path), "--json"]) == 1
    captured = capsys.readouterr()
    value = json.loads(captured.out)
    assert (value["rows"], value["kept"], value["defects"]) == (3, 2, {"exact_duplicate": 1})
    assert value["findings"][0]["line"] == 2
    assert "audit: read" in captured.err
    assert main(["audit", str(path)]) == 1
    assert "exact_duplicate" in capsys.readouterr().out


def test_a_clean_set_exits_with_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = _write(tmp_path / "a.json", [{"instruction": "退房时间是几点？", "input": "", "output": "中午十二点。"}])
    assert main(["audit", str(path)]) == 0
    assert "Traceback" not in capsys.readouterr().err


def test_a_missing_file_is_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", str(tmp_path / "none.json")]) == 2
    assert "no such file" in capsys.readouterr().err
