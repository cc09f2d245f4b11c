import json
import os
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen.errors import DataError, DatagenError, DiskRefused, UsageError
from datagen.jsonl import append_row, guard_disk, read_appended, read_json, read_rows, write_bytes, write_json, write_jsonl

TEXT = st.text(st.characters(), max_size=20).filter(lambda text: text == json.loads(json.dumps(text)))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(st.dictionaries(st.sampled_from(["问题", "answer", "n"]), JSON, max_size=3), max_size=5))
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, object]]) -> None:
    path = tmp_path_factory.mktemp("jsonl") / "rows.jsonl"
    assert write_jsonl(path, rows) == len(rows)
    assert [row.value for row in read_rows(path)] == rows
    log = path.with_name("log.jsonl")
    for row in rows:
        append_row(log, row)
    assert read_appended(log) == rows


@pytest.mark.parametrize("text", ["甲\u2028乙", "甲\x85乙", "甲\x0b乙", "半个表情\ud83d"], ids=["U+2028", "NEL", "VT", "lone surrogate"])
def test_a_text_with_any_mark_in_it_stays_on_its_line(tmp_path: Path, text: str) -> None:
    write_jsonl(tmp_path / "rows.jsonl", [{"text": text}, {"n": 2}])
    assert [(row.line, row.value) for row in read_rows(tmp_path / "rows.jsonl")] == [(1, {"text": text}), (2, {"n": 2})]
    write_json(tmp_path / "value.json", {"text": text})
    assert read_json(tmp_path / "value.json") == {"text": text}
    append_row(tmp_path / "log.jsonl", {"text": text})
    append_row(tmp_path / "log.jsonl", {"n": 2})
    assert read_appended(tmp_path / "log.jsonl") == [{"text": text}, {"n": 2}]
    assert (tmp_path / "log.jsonl").read_bytes() == (tmp_path / "rows.jsonl").read_bytes()


def test_array_and_lines_and_single_object_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('[{"q": "几点退房？"}, {"q": "Breakfast?"}]', encoding="utf-8")
    (tmp_path / "b.jsonl").write_text('{"q": "几点退房？"}\n\n{"q": "Breakfast?"}\n', encoding="utf-8-sig")
    (tmp_path / "c.json").write_text('{\n"q": 1\n}\n', encoding="utf-8")
    (tmp_path / "d.json").write_text('\n{"q": 1}\n\n{"q": 2}\n', encoding="utf-8")
    assert [(r.line, r.value["q"]) for r in read_rows(tmp_path / "a.json")] == [(1, "几点退房？"), (2, "Breakfast?")]
    assert [(r.line, r.value["q"]) for r in read_rows(tmp_path / "b.jsonl")] == [(1, "几点退房？"), (3, "Breakfast?")]
    assert [r.value for r in read_rows(tmp_path / "c.json")] == [{"q": 1}]
    assert [(r.line, r.value) for r in read_rows(tmp_path / "d.json")] == [(2, {"q": 1}), (4, {"q": 2})]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"a": 1}\n{"a": \n', "rows.jsonl:2: not valid JSON"),
        (b'{"a": 1}\n[1]\n', "rows.jsonl:2: expected a JSON object, got list"),
        (b'{"a": 1}\n{"a": "\xc4\xe3"}\n', "rows.jsonl:2: not UTF-8 (byte 0xc4)"),
        (b'[{"a": 1}, 3]', "rows.jsonl:2: expected a JSON object, got int"),
    ],
    ids=["torn", "not-object", "gbk", "array-item"],
)
def test_broken_lines_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message.replace("(", r"\(").replace(")", r"\)")):
        list(read_rows(path))


def test_deeply_nested_json_is_an_error_not_a_crash(tmp_path: Path) -> None:
    path = tmp_path / "deep.jsonl"
    path.write_text('{"a":' * 100_000, encoding="utf-8")
    with pytest.raises(DataError, match=r"deep\.jsonl:1: not valid JSON: nested too deeply"):
        list(read_rows(path))


def test_missing_file_and_folder_are_usage_errors(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        read_json(tmp_path / "absent.json")
    with pytest.raises(UsageError, match="cannot be read as a file"):
        read_json(tmp_path)
    with pytest.raises(UsageError, match="cannot be read as a file"):
        read_appended(tmp_path)


def test_a_log_with_a_broken_line_or_in_no_folder_is_a_clear_error(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_bytes(b'{"n": 1}\n{"n": "\xff"}\n')
    with pytest.raises(DataError, match=r"log\.jsonl:2: not UTF-8 \(byte 0xff\)"):
        read_appended(log)
    with pytest.raises(DiskRefused, match=r"cannot write .*log\.jsonl/log\.jsonl"):
        append_row(log / "log.jsonl", {"n": 1})


def test_what_json_cannot_hold_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="date is not JSON serializable"):
        write_jsonl(tmp_path / "rows.jsonl", [{"day": date(2026, 11, 25)}])
    assert list(tmp_path.iterdir()) == []


def test_append_survives_a_torn_last_line(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    append_row(path, {"n": 1})
    with path.open("ab") as file:
        file.write('{"n": 2, "text": "半'.encode()[:-1])
    assert read_appended(path) == [{"n": 1}]
    append_row(path, {"n": 3})
    assert read_appended(path) == [{"n": 1}, {"n": 3}]


def test_a_failed_write_keeps_the_old_file_and_leaves_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    write_json(path, {"ok": True})
    with pytest.raises(ValueError, match="Out of range float"):
        write_json(path, {"bad": float("nan")})
    assert read_json(path) == {"ok": True}
    assert [p.name for p in tmp_path.iterdir()] == ["kept.json"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk_is_one_clear_error() -> None:
    with pytest.raises(DatagenError, match="cannot write") as caught:
        _fill(Path("/dev/full"))
    assert "free disk space" in caught.value.hint


def _fill(path: Path) -> None:
    with guard_disk(path), path.open("wb", buffering=0) as full:
        full.write(b"x" * 100_000)


def test_ascii_only_escapes_everything_else(tmp_path: Path) -> None:
    path = tmp_path / "dataset_info.json"
    write_json(path, {"酒店": "é"}, ascii_only=True)
    assert path.read_bytes().isascii()
    assert json.loads(path.read_text()) == {"酒店": "é"}


def test_kill_while_writing_again_and_again_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "big.bin"
    write_bytes(path, b"old" * 10)
    code = (
        f"from pathlib import Path; from datagen.jsonl import write_bytes\nwhile True: write_bytes(Path({str(path)!r}), b'new' * 1_000_000)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parent.parent)
    deadline = time.monotonic() + 60
    while path.stat().st_size == 30 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert path.read_bytes() == b"new" * 1_000_000
