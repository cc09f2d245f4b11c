"""Files nobody would write on purpose, through every command that reads rows: an exit code and one message, never a traceback."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from datagen.cli import main

ROW: dict[str, Any] = {"instruction": "几点退房？", "input": "", "output": "中午12点。"}
TEXT = json.dumps([ROW])
DEEP = "[" * 500 + "]" * 500
FILES: dict[str, bytes] = {
    "empty.json": b"",
    "empty.jsonl": b"",
    "blank.jsonl": b"\n \n",
    "bom.json": b"\xef\xbb\xbf" + TEXT.encode(),
    "utf16.json": TEXT.encode("utf-16"),
    "long_line.jsonl": json.dumps(ROW | {"output": "x" * 1_000_000}).encode(),
    "nan.json": b'[{"instruction": "q", "input": "", "output": NaN}]',
    "nan_elsewhere.jsonl": json.dumps(ROW | {"score": float("nan")}).encode(),
    "many_digits.json": TEXT.replace('"input": ""', '"n": ' + "9" * 5000).encode(),
    "many_digits.jsonl": (TEXT.replace('"input": ""', '"n": ' + "9" * 5000)[1:-1]).encode(),
    "many_digits_over_lines.jsonl": json.dumps(ROW, indent=1).replace('"input": ""', '"n": ' + "9" * 5000).encode(),
    "nested_nulls.json": b'[{"conversations": [null, {"from": null, "value": null}]}, {"conversations": null}]',
    "deep.json": b"[" * 100_000,
    "deep_column.jsonl": json.dumps(ROW)[:-1].encode() + b', "x": ' + DEEP.encode() + b"}",
    "deep_tools.json": json.dumps(
        [{"conversations": [{"from": "human", "value": "q"}, {"from": "function_call", "value": "[" * 99_999}], "tools": "[" * 99_999}]
    ).encode(),
    "nan_call.json": json.dumps(
        [{"conversations": [{"from": "human", "value": "q"}, {"from": "function_call", "value": '{"name": "a", "arguments": {"n": NaN}}'}]}]
    ).encode(),
    "nan_tools.json": json.dumps(
        [
            {
                "messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}],
                "tools": [{"type": "function", "function": {"name": "f", "parameters": {"properties": {"x": {"default": float("nan")}}}}}],
            }
        ]
    ).encode(),
    "deep_tools_object.json": (
        '[{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}], "tools": [{"name": "f", "parameters": '
        + '{"a": ' * 900
        + "1"
        + "}" * 900
        + "}]}]"
    ).encode(),
    "lone_surrogate.json": b'[{"instruction": "\\ud800", "input": "", "output": "a"}]',
    "string.json": b'"rows"',
    "key_twice.jsonl": b'{"instruction": "a", "instruction": "b", "input": "", "output": "c"}',
    "no_format.json": b'[{"a": 1}]',
    "binary.parquet": bytes(range(256)),
}
COMMANDS = {
    "validate": ["validate", "FILE"],
    "fix": ["validate", "FILE", "--fix", "OUT.json"],
    "convert": ["convert", "FILE", "-o", "OUT.jsonl", "--to", "sharegpt"],
    "register": ["register", "FILE", "--name", "x", "--data-dir", "OUT"],
    "openai": ["export", "FILE", "--to", "openai", "-o", "OUT"],
    "huggingface": ["export", "FILE", "--to", "huggingface", "-o", "OUT"],
    "trl": ["export", "FILE", "--to", "trl", "-o", "OUT"],
    "dedup": ["dedup", "FILE", "-o", "OUT.jsonl"],
    "dedup_array": ["dedup", "FILE", "-o", "OUT.json"],
    "split": ["split", "FILE", "-o", "OUT"],
    "audit": ["audit", "FILE"],
}


def ends_well(arguments: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> int:
    code = main(["-w", str(folder), *arguments])
    said = capsys.readouterr()
    assert code in (0, 1, 2), arguments
    assert "Traceback" not in said.out + said.err
    assert said.err.count("error: ") <= 1
    assert said.out or said.err
    return code


@pytest.mark.parametrize("command", COMMANDS)
def test_any_file_ends_with_a_message(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for i, (name, data) in enumerate(FILES.items()):
        (tmp_path / name).write_bytes(data)
        there = {"FILE": str(tmp_path / name)}
        outs = [argument.replace("OUT", str(tmp_path / f"out{i}")) for argument in COMMANDS[command]]
        ends_well([there.get(argument, argument) for argument in outs], tmp_path, capsys)


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_no_file_is_wrong_usage(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "loop.json").symlink_to("loop.json")
    (tmp_path / "dangling.json").symlink_to("nowhere.json")
    for name in ("folder.json", "loop.json", "dangling.json", "missing.json"):
        there = {"FILE": str(tmp_path / name)}
        outs = [argument.replace("OUT", str(tmp_path / "out")) for argument in COMMANDS[command]]
        assert ends_well([there.get(argument, argument) for argument in outs], tmp_path, capsys) == 2, name


@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", '{"a": NaN}', f'{{"a": {"9" * 5000}}}', '{"a": 1}',
     '{"a": {"file_name": 5}}', '{"a": {"file_name": "loop.json"}}', "[" * 100_000,
     '{"a": {"file_name": "../../etc/passwd"}}', '{"a": {"file_name": "/etc/passwd"}}', '{"a": {"file_name": "x\\u0000y.json"}}',
     '{"a": {"file_name": "."}}', '{"a": {"file_name": "x.json", "columns": []}}', '{"a": {"file_name": "x.json", "tags": 5}}'],
)  # fmt: skip
def test_any_index_ends_with_a_message(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.json").write_text(TEXT)
    (tmp_path / "loop.json").symlink_to("loop.json")
    (tmp_path / "dataset_info.json").write_text(text)
    for arguments in (
        ["validate", str(tmp_path)],
        ["validate", str(tmp_path), "--name", "a"],
        ["validate", str(tmp_path), "--name", "a", "--fix", str(tmp_path / "fixed.json")],
        ["doctor", "--data-dir", str(tmp_path)],
        ["list", "--data-dir", str(tmp_path)],
        ["audit", str(tmp_path), "--name", "a"],
        ["train-config", "a", "--data-dir", str(tmp_path)],
        ["unregister", "a", "--data-dir", str(tmp_path)],
        ["register", str(tmp_path / "x.json"), "--name", "../a", "--data-dir", str(tmp_path)],
        ["register", str(tmp_path / "x.json"), "--name", "new", "--data-dir", str(tmp_path)],
    ):
        ends_well(arguments, tmp_path, capsys)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.json").write_text(TEXT)
    shut = tmp_path / "shut"
    shut.mkdir(mode=0o500)
    for arguments in (["register", "FILE", "--name", "a", "--data-dir", str(shut)], ["export", "FILE", "--to", "trl", "-o", str(shut)]):
        assert ends_well([str(tmp_path / "x.json") if a == "FILE" else a for a in arguments], tmp_path, capsys) == 1
