import json
from pathlib import Path

import pytest

from datagen.cli import main
from datagen.jsonl import read_json, read_rows, write_json

ROWS = [
    {"instruction": "几点退房？", "input": "", "output": "退房时间是中午十二点，会员可以延迟到下午两点。"},
    {"instruction": "几点退房？", "input": "", "output": "退房时间是中午十二点，会员可以延迟到下午两点。"},
    {"instruction": "几点退房", "input": "", "output": "退房时间是中午十二点，会员可以延迟到下午两点！"},
    {"instruction": "Where is breakfast?", "input": "", "output": "On the second floor, from half past six."},
]


def test_json_names_what_was_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_json(tmp_path / "in.json", ROWS)
    out, clusters = tmp_path / "out.jsonl", tmp_path / "clusters.json"
    assert main(["dedup", str(tmp_path / "in.json"), "-o", str(out), "--clusters", str(clusters), "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert list(value) == ["rows", "kept", "exact_duplicates", "near_duplicates", "clusters", "seconds"]
    assert {k: v for k, v in value.items() if k != "seconds"} == {
        "rows": 4,
        "kept": 2,
        "exact_duplicates": 1,
        "near_duplicates": 1,
        "clusters": 1,
    }
    assert [row.value for row in read_rows(out)] == [ROWS[0], ROWS[3]]
    assert read_json(clusters) == [[0, 1, 2]]
    dropped = [row.value for row in read_rows(tmp_path / "out.dropped.jsonl")]
    assert [(d["row"], d["kept_row"], d["reason"], d["value"]) for d in dropped] == [
        (1, 0, "exact_duplicate", ROWS[1]),
        (2, 0, "near_duplicate", ROWS[2]),
    ]


def test_a_json_name_gives_an_array(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_json(tmp_path / "in.json", ROWS)
    assert main(["dedup", str(tmp_path / "in.json"), "-o", str(tmp_path / "out.json"), "--threshold", "1"]) == 0
    assert read_json(tmp_path / "out.json") == [ROWS[0], ROWS[3]]
    assert "4 rows, 2 kept: 1 exact and 1 near duplicates in 1 clusters" in capsys.readouterr().out


@pytest.mark.parametrize("options", [["--threshold", "0"], ["--threshold", "1.5"], ["--engine", "ray"], ["--on", "question"]])
def test_wrong_options_leave_no_file(tmp_path: Path, options: list[str]) -> None:
    write_json(tmp_path / "in.json", ROWS)
    assert main(["dedup", str(tmp_path / "in.json"), "-o", str(tmp_path / "out.jsonl"), *options]) == 2
    assert not (tmp_path / "out.jsonl").exists()


def test_no_such_file(tmp_path: Path) -> None:
    assert main(["dedup", str(tmp_path / "none.json"), "-o", str(tmp_path / "out.jsonl")]) == 2
