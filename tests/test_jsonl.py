import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen.errors import DataError, DatagenError, UsageError
from datagen.jsonl import append_row, guard_disk, read_appended, read_json, read_rows, write_bytes, write_json, write_jsonl

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=("Cs",)), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(exclude_categories=("Cs",)), max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(st.dictionaries(st.sampled_from(["问题", "answer", "n"]), JSON, max_size=3), max_size=5))
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, object]]) -> None:
    path = tmp_path_factory.mktemp("jsonl") / "rows.jsonl"
    assert write_jsonl(path, rows) == len(rows)
    assert [row.value for row in read_rows(path)] == rows


def test_array_and_lines_and_single_object_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('[{"q": "几点退房？"}, {"q": "Breakfast?"}]', encoding="utf-8")
    (tmp_path / "b.jsonl").write_text('{"q": "几点退房？"}\n\n{"q": "Breakfast?"}\n', encoding="utf-8-sig")
    (tmp_path / "c.json").write_text('{"q": 1}', encoding="utf-8")
    assert [(r.line, r.value["q"]) for r in read_rows(tmp_path / "a.json")] == [(1, "几点退房？"), (2, "Breakfast?")]
    assert [(r.line, r.value["q"]) for r in read_rows(tmp_path / "b.jsonl")] == [(1, "几点退房？"), (3, "Breakfast?")]
    assert [r.value for r in read_rows(tmp_path / "c.json")] == [{"q": 1}]


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
    with pytest.raises(DataError):
        list(read_rows(path))


def test_missing_file_and_folder_are_usage_errors(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        read_json(tmp_path / "absent.json")
    with pytest.raises(UsageError, match="cannot be read as a file"):
        read_json(tmp_path)


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


def test_kill_while_writing_leaves_old_or_new(tmp_path: Path) -> None:
    path = tmp_path / "big.bin"
    write_bytes(path, b"old" * 10)
    code = (
        f"from pathlib import Path; from datagen.jsonl import write_bytes\nwhile True: write_bytes(Path({str(path)!r}), b'new' * 1_000_000)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parent.parent)
    time.sleep(0.6)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert path.read_bytes() in (b"old" * 10, b"new" * 1_000_000)
