"""Whatever a file or an entry holds: no traceback, and every row that is not kept is explained. ``make test-slow`` runs 10,000 of each."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datagen.errors import DataError, DatagenError
from datagen.export.llamafactory import repair, validate
from datagen.export.llamafactory.rules.stages import Stage

WORDS = st.sampled_from(["human", "gpt", "[", '{"name": 1}', "2024-01-02"])
KEYS = st.sampled_from(["from", "value", "role", "content", "x"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
COLUMNS = [
    "instruction",
    "input",
    "output",
    "conversations",
    "messages",
    "chosen",
    "rejected",
    "kto_tag",
    "tools",
    "system",
    "history",
    "text",
    "images",
]
TURNS = st.lists(
    st.fixed_dictionaries(
        {"from": st.sampled_from(["human", "gpt", "system", "observation", "function_call", "bot", ""])},
        optional={"value": st.text(max_size=8) | st.sampled_from(['{"name": "a", "arguments": "{}"}', "<think>", "[]"]) | JSON},
    ),
    max_size=5,
)
# Rows that look right in most columns reach further than random ones.
LIKELY = st.fixed_dictionaries(
    {},
    optional={
        "instruction": st.text(max_size=8) | JSON,
        "input": st.text(max_size=8),
        "output": st.text(max_size=8) | JSON,
        "conversations": TURNS,
        "chosen": st.text(max_size=5) | st.fixed_dictionaries({"from": st.just("gpt"), "value": st.text(max_size=5)}),
        "rejected": st.text(max_size=5) | st.fixed_dictionaries({"from": st.just("gpt"), "value": st.text(max_size=5)}),
        "kto_tag": st.booleans() | JSON,
        "tools": st.sampled_from(["", " ", "[]", '[{"name": "a"}]', "{"]) | JSON,
        "history": st.lists(st.lists(st.text(max_size=4), max_size=3), max_size=2) | JSON,
        "text": st.text(max_size=8),
    },
)
ROWS = st.lists(LIKELY | st.dictionaries(st.sampled_from(COLUMNS), JSON, max_size=6), max_size=5)
FILES = st.one_of(
    st.tuples(st.just("x.json"), ROWS.map(lambda rows: json.dumps(rows).encode())),
    st.tuples(st.just("x.jsonl"), ROWS.map(lambda rows: "\n".join(map(json.dumps, rows)).encode())),
    st.tuples(st.just("x.json"), ROWS.map(lambda rows: json.dumps(rows, ensure_ascii=False).encode("gb18030", "replace"))),
    st.tuples(st.sampled_from(["x.json", "x.jsonl", "x.csv", "x.txt", "x.parquet", "x.arrow", "x.JSON", "x"]), st.binary(max_size=60)),
    st.tuples(st.just("x.csv"), st.text(alphabet='instruction,output"\n1aé真', max_size=60).map(str.encode)),
)
NAMES = st.sampled_from(
    ["prompt", "query", "response", "messages", "chosen", "rejected", "kto_tag", "tools", "system", "history", "images"]
)
TAGS = st.sampled_from(["role_tag", "content_tag", "user_tag", "assistant_tag", "observation_tag", "function_tag", "system_tag"])
ENTRIES = st.fixed_dictionaries(
    {},
    optional={
        "formatting": st.sampled_from(["alpaca", "sharegpt", "openai", None, 5]),
        "ranking": st.sampled_from([True, False, "true", None, []]),
        "columns": st.dictionaries(NAMES, st.sampled_from([*COLUMNS, ""]) | JSON) | JSON,
        "tags": st.dictionaries(TAGS, st.sampled_from(["from", "value", "role", "content", "human", "gpt", "user"]) | JSON) | JSON,
        "num_samples": JSON,
        "split": JSON,
        "format": JSON,
    },
)
STAGES: st.SearchStrategy[Stage] = st.sampled_from(["sft", "dpo", "rm", "kto", "ppo", "pt"])


def check_entry(folder: Path, file: tuple[str, bytes], entry: dict[str, Any], stage: Stage) -> None:
    name, data = file
    (folder / name).write_bytes(data)
    (folder / "dataset_info.json").write_text(json.dumps({"set": entry | {"file_name": name}}), encoding="utf-8")
    report = validate(folder, name="set", stage=stage)
    json.dumps(report.to_json(), allow_nan=False)
    assert report.rows == report.kept + report.dropped + report.would_crash
    if report.kept < report.rows or report.rows == 0:
        assert report.errors
    for finding in report.findings:
        assert finding.code
        assert finding.message
        assert finding.fix


def check_file(folder: Path, file: tuple[str, bytes]) -> None:
    path = folder / file[0]
    path.write_bytes(file[1])
    try:
        report = validate(path)
        assert report.rows == report.kept + report.dropped + report.would_crash
        done = repair(path, folder / "fixed.json")
    except DatagenError:
        return  # one clear sentence for the user; anything else fails the test
    assert done.rows_in == done.rows_out + len(done.left_out)
    assert (done.after.kept, done.after.errors) == (done.rows_out, [])
    again = validate(folder / "fixed.json")
    assert (again.rows, again.errors) == (done.rows_out, [])


def fuzz(folder: Path, n: int) -> None:
    quiet = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]

    @given(FILES, ENTRIES, STAGES)
    @settings(max_examples=n, deadline=None, suppress_health_check=quiet, database=None)
    def entries(file: tuple[str, bytes], entry: dict[str, Any], stage: Stage) -> None:
        check_entry(folder, file, entry, stage)

    @given(FILES)
    @settings(max_examples=n, deadline=None, suppress_health_check=quiet, database=None)
    def files(file: tuple[str, bytes]) -> None:
        check_file(folder, file)

    entries()
    files()


def test_deep_nesting_is_a_finding(tmp_path: Path) -> None:
    path = tmp_path / "deep.jsonl"
    path.write_text("[" * 100_000, encoding="utf-8")
    assert [finding.code for finding in validate(path).findings] == ["nested_too_deeply"]
    with pytest.raises(DataError, match="nested too deeply"):
        repair(path, tmp_path / "fixed.json")


def test_any_file_and_entry_gets_a_verdict(tmp_path: Path) -> None:
    fuzz(tmp_path, 100)


@pytest.mark.slow
def test_ten_thousand_files_and_entries_get_a_verdict(tmp_path: Path) -> None:
    fuzz(tmp_path, 10_000)
