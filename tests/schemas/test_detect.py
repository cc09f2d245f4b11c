"""Formats are told apart, the reason is said, and errors name file and line."""

import json
from pathlib import Path
from typing import Any

import pytest

from datagen.errors import DataError, UsageError
from datagen.export.llamafactory import validate
from datagen.jsonl import write_jsonl
from datagen.schemas.detect import detect_format, read_dataset, read_samples
from datagen.schemas.record import question_answer
from datagen.schemas.sample import Sample

HUMAN, GPT = {"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"instruction": "q", "input": "", "output": "a"}, "alpaca"),
        ({"question": "q", "answer": "a"}, "alpaca"),
        ({"prompt": "q", "completion": "a"}, "alpaca"),
        ({"conversations": [HUMAN, GPT]}, "sharegpt"),
        ({"messages": [{"role": "user", "content": "q"}]}, "openai"),
        ({"messages": [{"role": "human", "content": "q"}]}, "sharegpt"),
        ({"conversations": [HUMAN], "chosen": GPT, "rejected": GPT}, "preference"),
        ({"instruction": "q", "chosen": "a", "rejected": "b"}, "preference_alpaca"),
        ({"messages": [{"role": "user", "content": "q"}], "label": True}, "kto"),
        ({"instruction": "q", "output": "a", "kto_tag": False}, "kto_alpaca"),
        ({"text": "酒店位于海边。"}, "text"),
    ],
)
def test_detects(row: dict[str, Any], expected: str) -> None:
    found = detect_format([row])
    assert found.format == expected
    assert found.why.startswith("rows have '")


def test_unknown_columns_are_listed() -> None:
    with pytest.raises(DataError, match="'body', 'title'"):
        detect_format([{"title": "x", "body": "y"}])


def test_no_rows_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "empty.json"
    path.write_text("[]")
    with pytest.raises(DataError, match="there are no rows"):
        read_samples(path)


def test_bad_row_names_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"instruction":"q","input":"","output":"a"}\n\n{"instruction":"q","input":"","output":null}\n')
    with pytest.raises(DataError) as caught:
        read_samples(path)
    assert caught.value.message == f"{path}:3: column 'output': input should be a valid string, got NoneType"


def test_unknown_format_suggests(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_text('[{"text":"x"}]')
    with pytest.raises(UsageError, match="did you mean 'alpaca'"):
        read_samples(path, "alpacca")


def test_samples_come_back_as_they_were(tmp_path: Path) -> None:
    sample = Sample.of(question_answer("几点退房？", "中午12点。"), tags={"language": "zh", "fact": "checkout"})
    write_jsonl(tmp_path / "s.jsonl", [sample.to_json()])
    assert read_samples(tmp_path / "s.jsonl") == [sample]


def test_rows_get_language_and_style_tags(tmp_path: Path) -> None:
    rows = [{"instruction": "你是助手。", "input": f"{i}号房？", "output": "有。"} for i in range(3)]
    (tmp_path / "r.json").write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    assert [s.tags for s in read_samples(tmp_path / "r.json")] == [{"language": "zh", "row_style": "persona"}] * 3


def test_columns_no_codec_carries_are_reported(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text('[{"question":"q","answer":"a","source":"faq.md"}]')
    assert read_dataset(tmp_path / "r.json").ignored_columns == ("source",)


def test_all_registered_demo_sets_read_and_validate(shared_data: Path) -> None:
    folder = shared_data / "llamafactory_demo"
    local = {name: entry for name, entry in json.loads((folder / "dataset_info.json").read_text()).items() if "file_name" in entry}
    assert len(local) == 14
    for name, entry in local.items():
        report = validate(folder, name=name)
        assert report.errors == [], name
        assert report.rows == report.kept == len(read_samples(folder / entry["file_name"]))
        assert validate(folder / entry["file_name"]).errors == [], name
    images = read_samples(folder / "mllm_demo.json")[0].record
    assert images.model_dump()["media"]["images"] == ("mllm_demo_data/1.jpg", "mllm_demo_data/1.jpg")
