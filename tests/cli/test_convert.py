"""``datagen convert``."""

import json
from pathlib import Path

import pytest

from datagen.cli import main


def test_converts_and_states_losses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"instruction": "你是助手。", "input": f"{i}号房？", "output": "有。", "source": "faq.md"} for i in range(2)]
    (tmp_path / "in.json").write_text(json.dumps(rows), encoding="utf-8")
    out = tmp_path / "out.jsonl"
    assert main(["convert", str(tmp_path / "in.json"), "-o", str(out), "--to", "openai", "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert (value["rows"], value["from"], value["to"], value["row_style"]) == (2, "alpaca", "openai", "persona")
    assert value["losses"] == {"the persona is joined to the last user turn": 2, "column 'source' is not carried": 2}
    first = json.loads(out.read_text(encoding="utf-8").splitlines()[0])
    assert first == {"messages": [{"role": "user", "content": "你是助手。\n0号房？"}, {"role": "assistant", "content": "有。"}]}


def test_round_trip_through_datagen_samples(tmp_path: Path) -> None:
    rows = [{"instruction": "When is breakfast?", "input": "", "output": "From 7:00.", "system": "", "history": []}]
    (tmp_path / "in.json").write_text(json.dumps(rows))
    assert main(["convert", str(tmp_path / "in.json"), "-o", str(tmp_path / "s.jsonl"), "--to", "datagen"]) == 0
    assert main(["convert", str(tmp_path / "s.jsonl"), "-o", str(tmp_path / "out.json"), "--to", "alpaca"]) == 0
    assert json.loads((tmp_path / "out.json").read_text()) == rows


def test_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "in.json"
    path.write_text('[{"text": "x"}]')
    assert main(["convert", str(path), "-o", str(tmp_path / "o.json"), "--to", "alpacca"]) == 2
    assert main(["convert", str(path), "-o", str(path), "--to", "text"]) == 2
    assert main(["convert", str(tmp_path / "gone.json"), "-o", str(tmp_path / "o.json"), "--to", "text"]) == 2
    assert main(["convert", str(path), "-o", str(tmp_path / "o.json"), "--to", "alpaca"]) == 1
    assert "formats for text records: text" in capsys.readouterr().err
