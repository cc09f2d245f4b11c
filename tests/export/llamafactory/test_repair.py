"""Repair: what is set right, what is left out and why; the copy is always kept whole by LLaMA-Factory."""

import json
from pathlib import Path
from typing import Any

import pytest

from datagen.cli import main
from datagen.errors import DataError, UsageError
from datagen.export.llamafactory import Repair, repair, validate

GOOD = {"instruction": "几点退房？", "input": "", "output": "中午12点。"}


def fix(folder: Path, rows: Any, name: str = "in.json") -> Repair:
    path = folder / name
    path.write_text(rows if isinstance(rows, str) else json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    return repair(path, folder / "out.json")


def written(folder: Path) -> list[dict[str, Any]]:
    return json.loads((folder / "out.json").read_text(encoding="utf-8"))


def turns(*pairs: tuple[str, Any], **more: Any) -> dict[str, Any]:
    return {"conversations": [{"from": role, "value": value} for role, value in pairs], **more}


def test_alpaca_types_nulls_and_history(tmp_path: Path) -> None:
    rows = [
        GOOD | {"system": None, "history": None},
        {"instruction": 8, "input": "", "output": 300, "system": "", "history": [{"user": "有泳池吗？", "bot": "有。"}]},
        GOOD | {"output": None},
    ]
    done = fix(tmp_path, rows)
    assert (done.format, done.rows_in, done.rows_out) == ("alpaca", 3, 2)
    assert [change.code for change in done.changes] == ["null_column", "number_as_text", "number_as_text", "history_pair"]
    assert [(change.line, change.code) for change in done.left_out] == [(3, "unreadable")]
    second = written(tmp_path)[1]
    assert (second["instruction"], second["output"], second["history"]) == ("8", "300", [["有泳池吗？", "有。"]])
    assert (done.after.kept, done.after.errors) == (2, [])


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        ({"answer": "有。", "question": "有泳池吗？"}, ["有泳池吗？", "有。"]),
        ({"问题": "有泳池吗？", "回答": "有。"}, ["有泳池吗？", "有。"]),
        ({"role": "user", "content": "有泳池吗？"}, None),
        ({"first": "有泳池吗？", "second": "有。"}, None),
    ],
)
def test_an_object_in_history_is_a_pair_where_its_keys_say_so(pair: dict[str, str], expected: list[str] | None, tmp_path: Path) -> None:
    done = fix(tmp_path, [GOOD | {"history": []}, {"instruction": "含早餐吗？", "input": "", "output": "含。", "history": [pair]}])
    if expected is None:
        assert [(change.line, change.code) for change in done.left_out] == [(2, "unreadable")]
    else:
        assert (written(tmp_path)[1]["history"], [change.code for change in done.changes]) == ([expected], ["history_pair"])


def test_conversations_that_do_not_alternate(tmp_path: Path) -> None:
    rows = [
        turns(("human", "q"), ("human", "还有"), ("gpt", "a")),
        turns(("human", "q"), ("gpt", "a"), ("human", "谢谢")),
        turns(("gpt", "你好"), ("human", "q"), ("gpt", "a")),
        turns(("human", "q"), ("alien", "a")),
    ]
    done = fix(tmp_path, rows)
    assert [(change.line, change.code) for change in done.changes] == [(1, "turns_joined"), (2, "last_turn_removed")]
    assert [(change.line, change.code) for change in done.left_out] == [(3, "role_order"), (4, "unreadable")]
    assert [[turn["value"] for turn in row["conversations"]] for row in written(tmp_path)] == [["q\n\n还有", "a"], ["q", "a"]]


def test_tools_and_calls(tmp_path: Path) -> None:
    tool = {"name": "rate", "description": "", "parameters": {"type": "object", "properties": {}}}
    call = '{"name": "rate", "arguments": "{\\"room\\": 8}"}'
    done = fix(tmp_path, [turns(("human", "q"), ("function_call", call), ("observation", "1"), ("gpt", "a"), tools=[tool])])
    assert [change.code for change in done.changes] == ["tools_as_text", "call_arguments"]
    row = written(tmp_path)[0]
    assert json.loads(row["tools"]) == [tool]
    assert json.loads(row["conversations"][1]["value"]) == {"name": "rate", "arguments": {"room": 8}}


def test_labels_and_pairs(tmp_path: Path) -> None:
    done = fix(tmp_path, [GOOD | {"kto_tag": True}, GOOD | {"kto_tag": "false"}])
    assert (done.format, [row["kto_tag"] for row in written(tmp_path)]) == ("kto_alpaca", [True, False])
    done = fix(
        tmp_path, [turns(("human", "q"), chosen="好。", rejected=[{"from": "human", "value": "q"}, {"from": "gpt", "value": "不。"}])]
    )
    assert [change.code for change in done.changes] == ["pair_as_turn", "pair_unwrapped"]
    assert written(tmp_path)[0]["chosen"] == {"from": "gpt", "value": "好。"}
    assert done.entry["ranking"] is True


def test_openai_rows_become_sharegpt(tmp_path: Path) -> None:
    messages = [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
    done = fix(tmp_path, [{"messages": [*messages, {"role": "user", "content": "谢谢"}]}])
    assert (done.format, [change.code for change in done.changes]) == ("sharegpt", ["last_turn_removed"])
    assert (written(tmp_path)[0]["system"], done.after.kept) == ("Be brief.", 1)


def test_broken_lines_bytes_and_columns(tmp_path: Path) -> None:
    text = (
        json.dumps(GOOD, ensure_ascii=False)
        + '\n{"instruction": \n[1]\n'
        + json.dumps(GOOD | {"id": 7, "output": "两点。"}, ensure_ascii=False)
    )
    done = fix(tmp_path, text, "in.jsonl")
    assert (done.rows_in, done.rows_out) == (4, 2)
    assert [(change.line, change.code) for change in done.left_out] == [(2, "not_json"), (3, "row_type")]
    assert [change.message for change in done.changes] == ["column 'id' is not carried over"]
    (tmp_path / "gbk.json").write_bytes(json.dumps([GOOD], ensure_ascii=False).encode("gb18030"))
    assert [change.code for change in repair(tmp_path / "gbk.json", tmp_path / "out.json").changes] == ["encoding"]
    assert written(tmp_path)[0]["output"] == "中午12点。"
    (tmp_path / "bom.json").write_bytes(b"\xef\xbb\xbf" + json.dumps([GOOD]).encode())
    assert [change.code for change in repair(tmp_path / "bom.json", tmp_path / "out.json").changes] == ["byte_order_mark"]


def test_dates_go_into_an_array(tmp_path: Path) -> None:
    rows = "".join(json.dumps(GOOD | {"output": f"2024-01-0{i}"}) + "\n" for i in range(1, 4))
    (tmp_path / "dates.jsonl").write_text(rows)
    assert validate(tmp_path / "dates.jsonl").kept == 0
    assert repair(tmp_path / "dates.jsonl", tmp_path / "out.json").after.kept == 3


def test_nothing_is_written_where_nothing_can_be_repaired(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no row can be repaired"):
        fix(tmp_path, [turns(("gpt", "你好"), ("human", "q"))])
    with pytest.raises(DataError, match="not valid JSON"):
        fix(tmp_path, "[{]")
    with pytest.raises(UsageError, match="the input itself"):
        repair(tmp_path / "in.json", tmp_path / "in.json")
    with pytest.raises(UsageError, match=r"not '\.csv'"):
        repair(tmp_path / "in.json", tmp_path / "out.csv")
    assert not (tmp_path / "out.json").exists()


def test_command_repairs_a_file_and_an_entry(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.json").write_text(json.dumps([GOOD, GOOD | {"output": 5}]), encoding="utf-8")
    assert main(["validate", str(tmp_path / "a.json")]) == 1
    assert main(["validate", str(tmp_path / "a.json"), "--fix", str(tmp_path / "out.json")]) == 0
    assert "changed number_as_text (1)" in capsys.readouterr().out
    columns = {"prompt": "instruction", "query": "input", "response": "output"}
    (tmp_path / "dataset_info.json").write_text(json.dumps({"hotel": {"file_name": "a.json", "columns": columns}}))
    assert main(["validate", str(tmp_path), "--name", "hotel", "--fix", str(tmp_path / "out2.json"), "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert (value["fix"]["rows_out"], value["fix"]["after"]["kept"]) == (2, 2)
    assert main(["validate", str(tmp_path), "--fix", str(tmp_path / "out3.json")]) == 2
