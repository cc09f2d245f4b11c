"""``datagen dedup``."""

import json
from pathlib import Path

import pytest

from datagen.cli import main
from datagen.jsonl import read_json, read_rows, write_json

ANSWER = "您可以在入住当天下午两点以后办理入住，请携带有效身份证件，并在前台登记同行人员的信息"
ROWS = [
    {"instruction": "几点可以入住？", "input": "", "output": ANSWER},
    {"instruction": "几点可以入住？", "input": "", "output": ANSWER},
    {"instruction": "几点可以入住？", "input": "", "output": f"{ANSWER}。"},
    {"instruction": "Is there a pool?", "input": "", "output": "Yes, on the roof."},
    {"instruction": "Is there a pool?", "input": "", "output": "No, there is none."},
]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    write_json(tmp_path / "in.json", ROWS)
    return tmp_path / "in.json"


@pytest.mark.parametrize("engine", ["native", "datasketch"])
def test_json_keys_and_files(source: Path, tmp_path: Path, engine: str, capsys: pytest.CaptureFixture[str]) -> None:
    out, clusters = tmp_path / "out.jsonl", tmp_path / "clusters.json"
    assert main(["dedup", str(source), "-o", str(out), "--engine", engine, "--clusters", str(clusters), "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert value.pop("seconds") >= 0
    assert value == {"rows": 5, "kept": 3, "exact_duplicates": 1, "near_duplicates": 1, "clusters": 1, "conflicts": 1}
    assert [row.value for row in read_rows(out)] == [ROWS[0], ROWS[3], ROWS[4]]
    assert read_json(clusters) == [[0, 1, 2]]
    dropped = [(row.value["row"], row.value["reason"], row.value["kept_row"]) for row in read_rows(tmp_path / "out.dropped.jsonl")]
    assert dropped == [(1, "exact_duplicate", 0), (2, "near_duplicate", 0)]


def test_conflicts_are_told(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dedup", str(source), "-o", str(tmp_path / "out.json")]) == 0
    text = capsys.readouterr().out
    assert text.startswith("5 rows, 3 kept: 1 exact and 1 near duplicates in 1 clusters\n")
    assert "1 prompts are kept with different completions, the first in rows 3, 4" in text


@pytest.mark.parametrize(
    ("extra", "message"),
    [(["--engine", "ray"], "not available"), (["--threshold", "0"], "threshold must be"), (["--engine", "spark"], "spark")],
)
def test_wrong_use(source: Path, tmp_path: Path, extra: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dedup", str(source), "-o", str(tmp_path / "out.json"), *extra]) == 2
    assert message in capsys.readouterr().err


def test_the_input_is_never_overwritten(source: Path) -> None:
    before = source.read_bytes()
    assert main(["dedup", str(source), "-o", str(source)]) == 2
    assert source.read_bytes() == before
