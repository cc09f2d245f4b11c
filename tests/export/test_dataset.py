"""Export to every target: what is written, what is refused, the same bytes twice."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from datagen.errors import DataError, UsageError
from datagen.export.dataset import Target, export_dataset
from datagen.export.openai_finetuning import openai_findings, openai_rows
from datagen.schemas.record import (
    ConversationRecord,
    FeedbackRecord,
    Media,
    Message,
    PreferenceRecord,
    Record,
    TextRecord,
    ToolCall,
    question_answer,
)
from datagen.schemas.sample import Provenance, Sample

ZH = "你是酒店助手。"
TOOL: dict[str, Any] = {
    "name": "rate",
    "description": "房价",
    "parameters": {"type": "object", "properties": {"room": {"type": "integer"}}},
}
MADE = Provenance(
    document="价格|表.md", strategy="qa", prompt="generate/qa@v1", provider="openai", model="gemma-3", parameters={"temperature": 0.7}
)


def chat(i: int) -> Sample:
    record = question_answer(f"{100 + i}号房多少钱？", f"每晚{300 + i}元。", persona=ZH)
    return Sample.of(record, provenance=MADE, tags={"language": "zh"})


def user(text: str) -> tuple[Message, ...]:
    return (Message(role="user", content=text),)


def says(text: str) -> Message:
    return Message(role="assistant", content=text)


def tool_use() -> Sample:
    call = Message(role="assistant", tool_calls=(ToolCall(name="rate", arguments={"room": 8}),))
    messages = (*user("8号房多少钱？"), call, Message(role="tool", content="300"), says("每晚300元。"))
    return Sample.of(ConversationRecord(messages=messages, tools=(TOOL,)))


def pair(i: int) -> Sample:
    return Sample.of(PreferenceRecord(prompt=user(f"{i}号房含早餐吗？"), chosen=says("含。"), rejected=says("不知道。")))


def jsonl(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_openai_chat_rows(tmp_path: Path) -> None:
    done = export_dataset([chat(i) for i in range(10)], tmp_path, to="openai", name="hotel", eval_=[chat(20)])
    assert done.errors == []
    assert done.files == {"train": tmp_path / "hotel_train.jsonl", "eval": tmp_path / "hotel_eval.jsonl"}
    first = {"messages": [{"role": "user", "content": f"{ZH}\n100号房多少钱？"}, {"role": "assistant", "content": "每晚300元。"}]}
    assert jsonl(done.files["train"])[0] == first
    assert len(jsonl(done.files["eval"])) == 1


def test_openai_preference_rows() -> None:
    (row,) = openai_rows([pair(1)])
    assert row["input"] == {"messages": [{"role": "user", "content": "1号房含早餐吗？"}], "tools": [], "parallel_tool_calls": True}
    assert (row["preferred_output"], row["non_preferred_output"]) == (
        [{"role": "assistant", "content": "含。"}],
        [{"role": "assistant", "content": "不知道。"}],
    )


def openai_codes(samples: list[Sample], n_bytes: int = 1000) -> list[tuple[str, str]]:
    return [(f.severity, f.code) for f in openai_findings(openai_rows(samples), "x.jsonl", n_bytes)]


def test_openai_limits() -> None:
    enough = [chat(i) for i in range(9)]
    assert openai_codes(enough) == [("crash", "too_few_examples")]
    assert openai_codes([*enough, chat(9)], 600 * 2**20) == [("crash", "file_too_large")]
    assert openai_codes([*enough, tool_use()]) == []
    wrong_name = tool_use().record.model_copy(update={"tools": ({**TOOL, "name": "查 价"},)})
    assert openai_codes([*enough, Sample.of(wrong_name)]) == [("bad", "unknown_tool"), ("crash", "tool_name")]
    many = tool_use().record.model_copy(update={"tools": (TOOL,) * 129})
    assert openai_codes([*enough, Sample.of(many)]) == [("crash", "too_many_tools")]
    assert openai_codes([*enough, Sample.of(ConversationRecord(messages=user("q")))]) == [("crash", "no_last_answer")]
    assert openai_codes([*enough, Sample.of(question_answer("q", " "))]) == [("bad", "empty_answer")]
    assert openai_codes([*enough, Sample.of(question_answer("房" * 80_000, "a"))]) == [("bad", "too_many_tokens")]
    assert openai_codes([*enough, Sample.of(question_answer("房" * 200_000, "a"))]) == [("crash", "too_many_tokens")]
    orphan = ConversationRecord(messages=(*user("q"), Message(role="tool", content="1"), says("a")))
    assert openai_codes([*enough, Sample.of(orphan)]) == [("crash", "result_without_call")]


@pytest.mark.parametrize("record", [TextRecord(text="海边。"), FeedbackRecord(prompt=user("q"), completion=says("a"), label=True)])
def test_openai_takes_conversations_and_pairs_only(record: Record) -> None:
    with pytest.raises(DataError, match="takes conversations and preference pairs"):
        openai_rows([Sample.of(record)])


def test_media_are_refused_where_they_cannot_go(tmp_path: Path) -> None:
    record = question_answer("<image>这是什么？", "大堂。").model_copy(update={"media": Media(images=("lobby.jpg",))})
    targets: tuple[Target, ...] = ("openai", "trl", "huggingface")
    for target in targets:
        with pytest.raises(DataError, match="media"):
            export_dataset([Sample.of(record)], tmp_path, to=target)
    assert export_dataset([Sample.of(record)], tmp_path, to="llamafactory").train_rows == 1


@pytest.mark.parametrize(
    ("samples", "kind", "columns"),
    [
        ([chat(0)], "prompt_completion", ["prompt", "completion"]),
        ([tool_use()], "messages", ["messages", "tools"]),
        ([pair(0)], "preference", ["prompt", "chosen", "rejected"]),
        (
            [Sample.of(FeedbackRecord(prompt=user("q"), completion=says("a"), label=False))],
            "unpaired_preference",
            ["prompt", "completion", "label"],
        ),
        ([Sample.of(TextRecord(text="海边的酒店。"))], "text", ["text"]),
    ],
)  # fmt: skip
def test_trl_columns(samples: list[Sample], kind: str, columns: list[str], tmp_path: Path) -> None:
    done = export_dataset(samples, tmp_path, to="trl")
    assert (done.columns, list(jsonl(done.files["train"])[0])) == (kind, columns)


def test_trl_reports_arguments_the_loader_cannot_join(tmp_path: Path) -> None:
    other = ToolCall(name="rate", arguments={"room": "eight"})
    messages = (*user("q"), Message(role="assistant", tool_calls=(other,)), Message(role="tool", content="300"), says("a"))
    mixed = Sample.of(ConversationRecord(messages=messages, tools=(TOOL,)))
    done = export_dataset([tool_use(), mixed], tmp_path, to="trl")
    assert [(f.code, f.line) for f in done.errors] == [("mixed_types", 2)]


@pytest.mark.parametrize("train_calls", [True, False])
def test_both_splits_have_the_same_columns_and_fields(train_calls: bool, tmp_path: Path) -> None:
    train, held = ([chat(0), tool_use()], [chat(1)]) if train_calls else ([chat(0)], [chat(1), tool_use()])
    export_dataset(train, tmp_path, to="huggingface", eval_=held)
    one, other = (pl.read_parquet_schema(tmp_path / f"data/{split}-00000-of-00001.parquet") for split in ("train", "test"))
    assert one == other
    assert one["messages"] == pl.List(pl.Struct({"role": pl.String, "content": pl.String, "tool_calls": pl.String}))
    done = export_dataset(train, tmp_path, to="trl", eval_=held)
    for side in ("train", "eval"):
        assert {tuple(row) for row in jsonl(done.files[side])} == {("messages", "tools")}
    # datasets 5.2 loads the first and stops on the other.
    assert [(f.dataset, f.code) for f in done.errors] == ([] if train_calls else [("dataset_eval.jsonl", "late_tool_calls")])


def test_a_language_from_data_stays_in_its_cell(tmp_path: Path) -> None:
    export_dataset([chat(0).tagged(language="zh | <b>x</b>\n# H")], tmp_path, to="huggingface")
    assert "| train | 1 | zh    b x b  H 1 | 16 | 16 |" in (tmp_path / "README.md").read_text(encoding="utf-8")


def test_huggingface_layout_and_card(tmp_path: Path) -> None:
    audit = {"rows": 3, "duplicates": {"exact": 0, "near": 1}, "note": "fine", "list": [1, 2]}
    done = export_dataset(
        [chat(0), chat(1), tool_use()], tmp_path, to="huggingface", eval_=[chat(2)], name="hotel", licence="cc-by-4.0", audit=audit
    )
    frame = pl.read_parquet(tmp_path / "data/train-00000-of-00001.parquet")
    assert frame.columns == ["messages", "tools", "id", "document", "strategy", "generator", "language"]
    assert frame["messages"][0].to_list()[1] == {"role": "assistant", "content": "每晚300元。", "tool_calls": ""}
    assert json.loads(frame["messages"][2].to_list()[1]["tool_calls"])[0]["function"] == {"name": "rate", "arguments": {"room": 8}}
    assert frame["document"].to_list() == ["价格|表.md", "价格|表.md", ""]
    assert set(done.files) == {"train", "test", "README.md"}
    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    head = yaml.safe_load(card.split("---")[1])
    assert (head["license"], head["language"], head["size_categories"]) == ("cc-by-4.0", ["zh"], ["n<1K"])
    assert head["configs"][0]["data_files"] == [
        {"split": "train", "path": "data/train-*.parquet"},
        {"split": "test", "path": "data/test-*.parquet"},
    ]
    assert "| `价格 表.md` | 3 |" in card
    assert "| `qa` | `generate/qa@v1` | `openai:gemma-3` | `temperature=0.7` | 3 |" in card
    assert "| `duplicates.near` | `1` |" in card
    assert "Gemma Terms of Use" in card


def test_nothing_is_overwritten_unasked_and_bytes_are_the_same(tmp_path: Path) -> None:
    targets: tuple[Target, ...] = ("openai", "trl", "huggingface")
    for target in targets:
        samples = [chat(i) for i in range(10)]
        written = {path: path.read_bytes() for path in export_dataset(samples, tmp_path / target, to=target).files.values()}
        with pytest.raises(UsageError, match="is there already"):
            export_dataset(samples, tmp_path / target, to=target)
        export_dataset(samples, tmp_path / target, to=target, replace=True)
        assert {path: path.read_bytes() for path in written} == written


def test_wrong_requests(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no samples"):
        export_dataset([], tmp_path, to="trl")
    with pytest.raises(UsageError, match="licence"):
        export_dataset([chat(0)], tmp_path, to="huggingface", licence="my own: see\nfile")
    with pytest.raises(UsageError, match="cannot name"):
        export_dataset([chat(0)], tmp_path, to="openai", name="../evil")
    with pytest.raises(DataError, match="among others"):
        export_dataset([chat(0), pair(0)], tmp_path, to="trl")
    assert list(tmp_path.iterdir()) == []
