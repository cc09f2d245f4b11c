"""Row files: uniform keys, no null, stable bytes, stated losses."""

import json
from pathlib import Path

import pytest

from datagen.errors import DataError, UsageError
from datagen.export.formats import losses, write_rows
from datagen.schemas.detect import read_samples
from datagen.schemas.record import ConversationRecord, Message, TextRecord, question_answer
from datagen.schemas.sample import Provenance, Sample

ZH = Sample.of(question_answer("几点退房？", "中午12点，\n可延迟。", persona="你是“酒店”助手。"))
EN = Sample.of(question_answer("When is breakfast?", "From 7:00.", system="Be brief."))
CHAT = Sample.of(
    ConversationRecord(
        messages=(
            Message(role="user", content="Hi"),
            Message(role="assistant", content="Hello"),
            Message(role="user", content="Pool?"),
            Message(role="assistant", content="On the roof."),
        )
    )
)


def test_every_row_has_the_same_keys_in_the_same_order_and_no_null(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write_rows([ZH, EN, CHAT], path)
    raw = path.read_bytes()
    rows = json.loads(raw)
    assert {tuple(row) for row in rows} == {("instruction", "input", "output", "system", "history")}
    assert rows[2]["history"] == [["Hi", "Hello"]]
    assert b"null" not in raw
    assert b"\r" not in raw
    assert not raw.startswith(b"\xef\xbb\xbf")
    assert "你是“酒店”助手。".encode() in raw
    assert [s.record for s in read_samples(path)] == [ZH.record, EN.record, CHAT.record]


def test_optional_columns_are_filled_for_all_rows(tmp_path: Path) -> None:
    tool = Sample.of(EN.record.model_copy(update={"tools": ({"name": "rate"},)}))
    write_rows([ZH, tool], tmp_path / "x.json")
    assert [row["tools"] for row in json.loads((tmp_path / "x.json").read_text())] == ["", '[{"name": "rate"}]']


def test_jsonl_is_one_row_a_line_and_bytes_are_stable(tmp_path: Path) -> None:
    first = write_rows([ZH, EN], tmp_path / "a.jsonl", "sharegpt")
    second = write_rows([ZH, EN], tmp_path / "b.jsonl", "sharegpt")
    assert first == second
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
    assert len((tmp_path / "a.jsonl").read_text().splitlines()) == 2


def test_a_record_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"sample 2 .* is a text record; format 'alpaca' cannot hold it"):
        write_rows([EN, Sample.of(TextRecord(text="x"))], tmp_path / "x.json")
    assert not (tmp_path / "x.json").exists()


def test_a_lone_surrogate_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="lone surrogate"):
        write_rows([Sample.of(TextRecord(text="a\ud800"))], tmp_path / "x.json", "text")


def test_unknown_format_suggests(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'sharegpt'"):
        write_rows([EN], tmp_path / "x.json", "sharegtp")  # pyright: ignore[reportArgumentType]


def test_losses_are_stated() -> None:
    sourced = Sample.of(EN.record, provenance=Provenance(document="faq.md"))
    assert losses([ZH, sourced], "alpaca") == {"provenance, scores and tags are not written": 1}
    assert losses([ZH, EN], "sharegpt") == {"the persona is joined to the last user turn": 1}
    assert losses([ZH, sourced], "datagen") == {}
