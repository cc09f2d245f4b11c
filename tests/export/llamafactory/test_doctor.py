"""``doctor`` on whole data directories: the index, the entries, train against eval, files nobody names."""

import json
from pathlib import Path
from typing import Any

from datagen.export.llamafactory import register
from datagen.export.llamafactory.doctor import check_data_dir
from datagen.schemas.record import question_answer
from datagen.schemas.sample import Sample

ROWS = [{"instruction": "几点退房？", "input": "", "output": "中午12点。"}, {"instruction": "Pool?", "input": "", "output": "Yes."}]
COLUMNS = {"prompt": "instruction", "query": "input", "response": "output"}


def found(folder: Path) -> list[tuple[str, str, str]]:
    return [(f.dataset, f.severity, f.code) for f in check_data_dir(folder).findings]


def write(folder: Path, entries: dict[str, Any], **files: Any) -> None:
    (folder / "dataset_info.json").write_text(json.dumps(entries), encoding="utf-8")
    for name, rows in files.items():
        (folder / f"{name}.json").write_text(json.dumps(rows), encoding="utf-8")


def test_a_sound_directory_has_no_findings(tmp_path: Path) -> None:
    samples = [Sample.of(question_answer(f"{i}号房几点退房？", "中午12点。")) for i in range(3)]
    register(tmp_path, "hotel", samples, [Sample.of(question_answer("When is breakfast?", "From 7:00."))], replace=False)
    report = check_data_dir(tmp_path)
    assert (report.findings, report.kept, report.datasets) == ((), 4, ("hotel_train", "hotel_eval"))
    (tmp_path / "hotel_train.json").write_text(json.dumps(ROWS), encoding="utf-8")
    assert ("hotel_train", "bad", "changed_since_registered") in found(tmp_path)


def test_findings_of_index_and_entries(tmp_path: Path) -> None:
    (tmp_path / "stray.json").write_text("[]")
    write(
        tmp_path,
        {
            "a,b": {"file_name": "a.json", "columns": COLUMNS},
            "script": {"script_url": "x.py"},
            "out": {"file_name": "../gone.json"},
            "list": [],
        },
        a=ROWS,
    )
    assert set(found(tmp_path)) == {
        ("a,b", "crash", "name_unusable"),
        ("script", "crash", "script_url"),
        ("out", "note", "outside_directory"),
        ("out", "crash", "file_missing"),
        ("list", "crash", "entry_malformed"),
        ("stray.json", "note", "not_registered"),
    }


def test_an_eval_question_that_is_trained_on_is_bad(tmp_path: Path) -> None:
    entries = {f"h_{side}": {"file_name": f"{side}.json", "columns": COLUMNS} for side in ("train", "eval")}
    write(tmp_path, entries, train=ROWS, eval=[ROWS[1] | {"instruction": " POOL? "}, {**ROWS[0], "instruction": "有泳池吗？"}])
    (finding,) = check_data_dir(tmp_path).findings
    assert (finding.dataset, finding.code, finding.row) == ("h_eval", "eval_row_in_train", 0)


def test_broken_index_is_one_finding(tmp_path: Path) -> None:
    (tmp_path / "dataset_info.json").write_bytes(b'\xef\xbb\xbf{"\xe9\x85\x92": {}, "a": {}, "a": {}}')
    assert [code for _, _, code in found(tmp_path)] == ["index_byte_order_mark", "index_not_ascii", "index_unreadable"]
