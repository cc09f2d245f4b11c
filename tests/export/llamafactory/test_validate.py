"""Findings: code, severity, place and fix; and no traceback whatever the rows hold."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen.errors import UsageError
from datagen.export.llamafactory import validate
from datagen.export.llamafactory.registry.entry import read_entry
from datagen.export.llamafactory.rules.check import check_table
from datagen.export.llamafactory.rules.stages import Stage
from datagen.export.llamafactory.rules.table import build_table

ALPACA = {"columns": {"prompt": "instruction", "query": "input", "response": "output"}}


def check(rows: list[dict[str, Any]], entry: dict[str, Any] = ALPACA, stage: Stage = "sft") -> list[tuple[str, str, int | None]]:
    report = check_table(build_table(rows, range(1, len(rows) + 1), dates=False), read_entry("x", entry), stage)
    return [(finding.severity, finding.code, finding.row) for finding in report.findings]


def row(instruction: Any = "几点退房？", output: Any = "中午12点。", **more: Any) -> dict[str, Any]:
    return {"instruction": instruction, "input": "", "output": output, **more}


def test_good_rows_have_no_findings() -> None:
    assert check([row(), row("When is breakfast?", "From 7:00.")]) == []


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([row(), row("q", None)], [("drop", "answer_not_text", 1)]),
        ([row(), row("q", "")], [("bad", "empty_answer", 1)]),
        ([row(), row("", "a")], [("bad", "empty_prompt", 1)]),
        ([row(), row(output="下午两点。")], [("bad", "conflicting_answers", 1)]),
        ([row(), row("q", "a<|im_end|>b")], [("bad", "control_token", 1)]),
        ([row(), row("q", 5)], [("crash", "mixed_types", 1)]),
        ([row("q", None)], [("drop", "answer_not_text", 0), ("crash", "no_valid_rows", None)]),
    ],
    ids=["null", "empty answer", "empty prompt", "conflict", "control", "types", "all dropped"],
)
def test_findings(rows: list[dict[str, Any]], expected: list[tuple[str, str, int | None]]) -> None:
    assert check(rows) == expected


def test_an_object_in_history_is_trained_on_as_its_keys() -> None:
    entry = {"columns": ALPACA["columns"] | {"history": "history"}}
    turns = [{"role": "user", "content": "有泳池吗？"}, {"role": "assistant", "content": "有。"}]
    assert check([row(history=[]), row("含早餐吗？", "含。", history=turns)], entry) == [("bad", "history_keys", 1)]
    assert check([row(history=[]), row("含早餐吗？", "含。", history=[["有泳池吗？", "有。"]])], entry) == []


def test_unknown_key_of_an_entry_is_noted() -> None:
    assert check([row()], ALPACA | {"format": "alpaca"}) == [("note", "unknown_key", None)]


def test_identical_pair_is_bad() -> None:
    entry = {"ranking": True, "columns": {"prompt": "instruction", "chosen": "chosen", "rejected": "rejected"}}
    rows = [{"instruction": "q", "chosen": "a", "rejected": "a"}]
    assert check(rows, entry, "dpo") == [("bad", "identical_pair", 0)]


def test_file_without_registration_uses_the_names_it_has(tmp_path: Path) -> None:
    path = tmp_path / "chat.jsonl"
    turns = [{"role": "user", "content": "有泳池吗？"}, {"role": "assistant", "content": "有。"}]
    path.write_text(json.dumps({"messages": turns}) + "\n" + json.dumps({"messages": turns[:1]}) + "\n")
    report = validate(path)
    assert (report.rows, report.kept, report.dropped, report.would_crash) == (2, 1, 1, 0)
    assert (report.findings[0].code, report.findings[0].row, report.findings[0].line) == ("turn_count", 1, 2)


def test_one_name_means_the_train_and_eval_pair(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps([row()]))
    (tmp_path / "dataset_info.json").write_text(json.dumps({f"h_{side}": ALPACA | {"file_name": "a.json"} for side in ("train", "eval")}))
    assert validate(tmp_path, name="h").datasets == ("h_train", "h_eval")
    assert validate(tmp_path / "dataset_info.json").rows == 2
    with pytest.raises(UsageError, match="did you mean 'h_train'"):
        validate(tmp_path, name="h_trian")


def test_missing_file_is_a_crash(tmp_path: Path) -> None:
    (tmp_path / "dataset_info.json").write_text(json.dumps({"h": {"file_name": "gone.json"}}))
    assert [f.code for f in validate(tmp_path).findings] == ["file_missing"]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["human", "gpt", "[", '{"name": 1}', "2024-01-02"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["from", "value", "x"]), inner, max_size=3),
    max_leaves=8,
)
NAMES = ["instruction", "input", "output", "conversations", "chosen", "rejected", "kto_tag", "tools", "system", "history", "text"]
ROWS = st.lists(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=6), max_size=4)
ENTRIES = st.fixed_dictionaries(
    {},
    optional={
        "formatting": st.sampled_from(["alpaca", "sharegpt", "openai", None]),
        "ranking": st.sampled_from([True, False, "true", None]),
        "columns": st.dictionaries(
            st.sampled_from(["prompt", "query", "response", "messages", "chosen", "rejected", "kto_tag", "tools", "system", "history"]),
            st.sampled_from([*NAMES, ""]),
        ),
        "tags": st.dictionaries(
            st.sampled_from(["role_tag", "content_tag", "user_tag", "system_tag"]), st.sampled_from(["from", "value", "human"])
        ),
    },
)


@given(ROWS, ENTRIES, st.sampled_from(["sft", "dpo", "rm", "kto", "ppo", "pt"]))
@settings(max_examples=50, deadline=None)
def test_any_rows_get_a_fate(rows: list[dict[str, Any]], entry: dict[str, Any], stage: Stage) -> None:
    report = check_table(build_table(rows, range(1, len(rows) + 1), dates=True), read_entry("x", entry), stage)
    assert report.rows == len(rows) == report.kept + report.dropped + report.would_crash
    explained = {finding.row for finding in report.errors}
    assert (
        None in explained or report.kept + len({r for r in explained if r is not None}) >= report.rows or report.would_crash == report.rows
    )


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        ({"k": "v"}, {}, 2),
        ({}, {"k": "v"}, 0),
        ({"k": None}, {"k": "v"}, 0),
        ({"k": "v"}, {"k": None}, 2),
        ({"k": 1}, {"k": 1.5}, 0),
        ({"k": 1}, {"k": "x"}, 0),
        ({"history": []}, {"history": [["q", "a"]]}, 0),
        ({"history": [["q", "a"]]}, {"history": []}, 2),
        ({"output": "2024-01-02"}, {"output": "a"}, 0),
        ({"output": "a"}, {"output": "2024-01-02"}, 2),
    ],
)
def test_the_first_file_of_a_folder_settles_the_types(
    first: dict[str, Any], second: dict[str, Any], kept: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Verdicts of LLaMA-Factory 0.9.5 with the files in this order, which the file system gives and nobody can ask for."""

    def listed(path: Path) -> list[str]:
        return ["b.jsonl", "a.jsonl"]

    monkeypatch.setattr(os, "listdir", listed)
    (tmp_path / "d").mkdir()
    (tmp_path / "d/b.jsonl").write_text(json.dumps(row("q1", "a") | first))
    (tmp_path / "d/a.jsonl").write_text(json.dumps(row("q2", "a") | second))
    columns = ALPACA["columns"] | ({"history": "history"} if "history" in first else {})
    (tmp_path / "dataset_info.json").write_text(json.dumps({"set": {"file_name": "d", "columns": columns}}))
    report = validate(tmp_path, name="set")
    assert report.kept == kept
    assert [f.code for f in report.errors] == ([] if kept else ["late_type"])
