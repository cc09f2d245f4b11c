"""A file read in blocks gives what the same rows give in memory."""

import json
import resource
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datagen.dedup import deduplicate
from datagen.dedup.engines.streaming import FileOptions, check_streamable, deduplicate_file
from datagen.errors import DataError, DiskRefused, UsageError
from datagen.jsonl import read_rows

QUESTIONS = ["几点可以入住？", "几点可以入住?", "Is there a pool?", "Where can guests park their car over night at the hotel?"]
ANSWERS = [
    "您可以在入住当天下午两点以后办理入住，请携带有效身份证件，并在前台登记同行人员的信息",
    "您可以在入住当天下午两点以后办理入住，请携带有效身份证件，并在前台登记同行人员的信息。",
    "您可以在入住当天下午三点以后办理入住，请携带有效身份证件，并在前台登记同行人员信息",
    "Yes, on the roof.",
    "No, there is none.",
    "",
]
rows = st.lists(
    st.fixed_dictionaries({"question": st.sampled_from(QUESTIONS), "answer": st.sampled_from(ANSWERS), "score": st.integers(0, 3)}),
    max_size=14,
)


def write(path: Path, values: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values), encoding="utf-8")
    return path


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows, st.sampled_from(["first", "newest", "longest", "best"]), st.booleans(), st.sampled_from(["both", "prompt", "completion"]))
def test_file_and_memory_agree(tmp_path: Path, values: list[dict[str, Any]], keep: Any, numbers_matter: bool, on: Any) -> None:
    source = write(tmp_path / "in.jsonl", values)
    options = FileOptions(keep=keep, numbers_matter=numbers_matter, on=on, block_bytes=300)
    outcome = deduplicate_file(source, tmp_path / "kept.jsonl", tmp_path / "dropped.jsonl", options)
    expected = deduplicate(values, keep=keep, numbers_matter=numbers_matter, on=on)
    assert outcome.found.clusters == expected.clusters
    assert outcome.found.duplicates == expected.duplicates
    assert outcome.conflicts == expected.conflicts
    assert [row.value for row in read_rows(tmp_path / "kept.jsonl")] == expected.kept
    assert [row.value["value"] for row in read_rows(tmp_path / "dropped.jsonl")] == expected.dropped
    assert (outcome.rows, outcome.kept) == (len(values), len(expected.kept))
    assert not list(tmp_path.glob(".datagen-dedup-*"))


def test_a_column_to_keep_by_that_no_row_has_is_refused_in_memory_and_from_a_file(tmp_path: Path) -> None:
    values = [{"question": QUESTIONS[0], "answer": answer} for answer in ANSWERS]
    source = write(tmp_path / "in.jsonl", values)
    for run in (
        lambda: deduplicate(values, keep="best"),
        lambda: deduplicate_file(source, tmp_path / "kept.jsonl", tmp_path / "dropped.jsonl", FileOptions(keep="best", block_bytes=99)),
    ):
        with pytest.raises(UsageError, match="no row has a column 'score'") as caught:
            run()
        assert caught.value.hint == "the first row has question, answer; name the column with by (--by)"
    assert not (tmp_path / "kept.jsonl").exists()


def test_a_lone_surrogate_in_a_dropped_row_is_kept_as_it_is(tmp_path: Path) -> None:
    line = b'{"text": "\xe9\x80\x80\xe6\x88\xbf", "note": "\\ud83d"}\n'
    (tmp_path / "in.jsonl").write_bytes(line * 2)
    deduplicate_file(tmp_path / "in.jsonl", tmp_path / "kept.jsonl", tmp_path / "dropped.jsonl")
    assert (tmp_path / "kept.jsonl").read_bytes() == line
    assert [row.value["value"] for row in read_rows(tmp_path / "dropped.jsonl")] == [{"text": "退房", "note": "\ud83d"}]


def test_a_disk_that_refuses_is_one_clear_error(tmp_path: Path) -> None:
    source = write(tmp_path / "in.jsonl", [{"text": f"第{i}条规定" * 20} for i in range(2000)])
    with pytest.raises(DiskRefused, match=r"cannot write .*in\.jsonl"):
        deduplicate_file(source, source / "kept.jsonl", source / "dropped.jsonl")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        with pytest.raises(DiskRefused, match="File too large"):
            deduplicate_file(source, tmp_path / "kept.jsonl", tmp_path / "dropped.jsonl")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl"]


def test_lines_are_copied_as_they_are(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    first, last = b'{"text":  "\\u9000\\u623f",  "n": 1.50}', b'{"text": "WiFi"}'
    source.write_bytes(b"\xef\xbb\xbf" + first + b'\r\n\n{"text": "\xe9\x80\x80\xe6\x88\xbf", "n": 2}\n' + last)
    outcome = deduplicate_file(source, tmp_path / "kept.jsonl", tmp_path / "dropped.jsonl")
    assert (tmp_path / "kept.jsonl").read_bytes() == first + b"\n" + last + b"\n"
    assert [(d.row, d.reason) for d in outcome.found.duplicates.values()] == [(1, "exact_duplicate")]


@pytest.mark.parametrize(
    ("content", "message"),
    [(b'{"text": "a"}\n{"text": \n', "in.jsonl:2: not valid JSON"), (b'{"text": "a"}\n\n[1]\n', "in.jsonl:3: expected a JSON object"),
     (b'{"text": "a"}\n{"text": "\xff"}\n', "in.jsonl:2: not UTF-8")],
)  # fmt: skip
def test_a_broken_line_stops_everything_and_replaces_nothing(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "in.jsonl").write_bytes(content)
    (tmp_path / "kept.jsonl").write_text("old", encoding="utf-8")
    with pytest.raises(DataError, match=message):
        deduplicate_file(tmp_path / "in.jsonl", tmp_path / "kept.jsonl", tmp_path / "dropped.jsonl")
    assert (tmp_path / "kept.jsonl").read_text(encoding="utf-8") == "old"
    assert not (tmp_path / "dropped.jsonl").exists()


def test_what_can_be_streamed(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "a"}\n', encoding="utf-8")
    (tmp_path / "b.jsonl").write_text('[{"text": "a"}]', encoding="utf-8")
    assert check_streamable(tmp_path / "a.jsonl")
    assert not check_streamable(tmp_path / "b.jsonl")
    with pytest.raises(UsageError, match="no such file"):
        check_streamable(tmp_path / "c.jsonl")


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").touch()
    outcome = deduplicate_file(tmp_path / "in.jsonl", tmp_path / "kept.jsonl", tmp_path / "dropped.jsonl")
    assert (outcome.rows, outcome.kept, (tmp_path / "kept.jsonl").read_bytes()) == (0, 0, b"")
