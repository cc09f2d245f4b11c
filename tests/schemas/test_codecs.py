"""Row codecs: writing then reading gives the record back; losses are the stated ones."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen.errors import DataError
from datagen.schemas.alpaca import read_alpaca, row_style, write_alpaca
from datagen.schemas.detect import FORMATS, RowFormat
from datagen.schemas.fields import read_call_text, write_call_text
from datagen.schemas.kto import read_kto
from datagen.schemas.openai_chat import read_openai, write_openai
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
from datagen.schemas.sharegpt import read_sharegpt, write_sharegpt

TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30)
FILLED = TEXT.filter(bool)
ARGUMENTS = st.dictionaries(
    FILLED, st.one_of(TEXT, st.integers(-1000, 1000), st.booleans(), st.none(), st.lists(TEXT, max_size=2)), max_size=3
)
CALLS = st.lists(st.builds(ToolCall, name=FILLED, arguments=ARGUMENTS), min_size=1, max_size=2).map(tuple)
TOOLS = st.lists(st.fixed_dictionaries({"name": FILLED, "description": TEXT, "parameters": st.just({"type": "object"})}), max_size=2).map(
    tuple
)
PATHS = st.lists(FILLED, max_size=2).map(tuple)
MEDIA = st.builds(Media, images=PATHS, videos=PATHS, audios=PATHS)


@st.composite
def prompts(draw: st.DrawFn, *, tool_turns: bool) -> tuple[Message, ...]:
    turns = [Message(role="system", content=draw(FILLED))] if draw(st.booleans()) else []
    for _ in range(draw(st.integers(0, 2))):
        turns.append(Message(role="user", content=draw(TEXT)))
        if tool_turns and draw(st.booleans()):
            turns.append(Message(role="assistant", tool_calls=draw(CALLS)))
            turns.append(Message(role="tool", content=draw(TEXT)))
        turns.append(Message(role="assistant", content=draw(TEXT)))
    return (*turns, Message(role="user", content=draw(FILLED)))


ANSWER = st.builds(Message, role=st.just("assistant"), content=TEXT)


def records(format: RowFormat) -> st.SearchStrategy[Record]:
    flat = format in ("alpaca", "preference_alpaca", "kto_alpaca")
    prompt = prompts(tool_turns=not flat)
    shared: dict[str, Any] = {"tools": TOOLS, "media": MEDIA, "persona": TEXT if flat else st.just("")}
    codec = FORMATS[format]
    if codec.record is ConversationRecord:
        messages = st.tuples(prompt, ANSWER).map(lambda pair: (*pair[0], pair[1]))
        return st.builds(ConversationRecord, messages=messages, **shared)
    if codec.record is PreferenceRecord:
        return st.builds(PreferenceRecord, prompt=prompt, chosen=ANSWER, rejected=ANSWER, **shared)
    if codec.record is FeedbackRecord:
        return st.builds(FeedbackRecord, prompt=prompt, completion=ANSWER, label=st.booleans(), **shared)
    return st.builds(TextRecord, text=TEXT)


@pytest.mark.parametrize("format", list(FORMATS))
def test_write_then_read_gives_the_record_back(format: RowFormat) -> None:
    @given(records(format))
    @settings(max_examples=50, deadline=None)
    def law(record: Record) -> None:
        codec = FORMATS[format]
        assert codec.read(codec.write(record), "persona") == record

    law()


@given(CALLS, st.lists(TEXT, min_size=2, max_size=2), TEXT, ANSWER)
@settings(max_examples=50, deadline=None)
def test_openai_keeps_text_beside_calls_and_parallel_results(
    calls: tuple[ToolCall, ...], results: list[str], beside: str, answer: Message
) -> None:
    called = Message(role="assistant", content=beside, tool_calls=calls)
    results_of = tuple(Message(role="tool", content=text) for text in results[: len(calls)])
    record = ConversationRecord(messages=(Message(role="user", content="两间房多少钱？"), called, *results_of, answer))
    row = write_openai(record)
    ids = [call["id"] for call in row["messages"][1]["tool_calls"]]
    assert [message["tool_call_id"] for message in row["messages"] if message["role"] == "tool"] == ids
    assert read_openai(row) == record


@given(FILLED, ANSWER)
@settings(max_examples=50, deadline=None)
def test_developer_is_read_as_system_and_null_content_beside_calls_as_empty(text: str, answer: Message) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "rate", "arguments": '{"room": 8}'}}
    turns = [{"role": "developer", "content": text}, {"role": "user", "content": [{"type": "text", "text": text}]}]
    row = {"messages": [*turns, {"role": "assistant", "content": None, "tool_calls": [call]}, {"role": "tool", "content": "1"}]}
    read = read_openai({"messages": [*row["messages"], {"role": "assistant", "content": answer.content}]})
    assert [message.role for message in read.messages] == ["system", "user", "assistant", "tool", "assistant"]
    assert (read.messages[0].content, read.messages[1].content, read.messages[2].content) == (text, text, "")
    assert read_openai(write_openai(read)) == read


@given(prompts(tool_turns=False), ANSWER)
@settings(max_examples=50, deadline=None)
def test_read_then_write_gives_the_alpaca_row_back(prompt: tuple[Message, ...], answer: Message) -> None:
    row = write_alpaca(ConversationRecord(messages=(*prompt, answer)))
    assert write_alpaca(read_alpaca(row)) == row


@given(CALLS, st.one_of(st.just(""), FILLED.filter(lambda t: "<t" not in t), FILLED.map(lambda t: f"<think>\n{t}\n</think>\n\n")))
@settings(max_examples=50, deadline=None)
def test_call_text_round_trips_with_text_and_reasoning(calls: tuple[ToolCall, ...], content: str) -> None:
    message = Message(role="assistant", content=content, tool_calls=calls)
    assert read_call_text(write_call_text(message)) == message


def test_persona_style_puts_the_persona_in_instruction() -> None:
    record = question_answer("几点退房？", "中午12点。", persona="你是酒店助手。")
    row = {"instruction": "你是酒店助手。", "input": "几点退房？", "output": "中午12点。", "system": "", "history": []}
    assert write_alpaca(record) == row
    assert read_alpaca(row) == record


def test_task_style_puts_the_question_in_instruction() -> None:
    record = question_answer("When is breakfast?", "From 7:00.", system="You are brief.")
    row = {"instruction": "When is breakfast?", "input": "", "output": "From 7:00.", "system": "You are brief.", "history": []}
    assert write_alpaca(record) == row
    assert read_alpaca(row) == record


def test_context_in_input_joins_the_question_in_task_style() -> None:
    row = {"instruction": "Translate to English.", "input": "几点退房？", "output": "When is check-out?"}
    assert read_alpaca(row, "task") == question_answer("Translate to English.\n几点退房？", "When is check-out?")


def test_history_becomes_earlier_turns() -> None:
    row = {"instruction": "q2", "input": None, "output": "a2", "history": [["q1", "a1"]], "system": None}
    assert [m.content for m in read_alpaca(row).messages] == ["q1", "a1", "q2", "a2"]


def test_row_style_needs_repeated_instructions() -> None:
    persona = [{"instruction": "你是助手。", "input": q} for q in "甲乙丙"]
    two = [{"instruction": p, "input": q} for q in "甲乙丙" for p in ("你是助手。", "You are an assistant.")]
    tasks = [{"instruction": f"Rewrite {i}", "input": "x"} for i in range(5)]
    assert row_style(persona) == "persona"
    assert row_style(two) == "persona"
    assert row_style(tasks) == "task"
    assert row_style([{"instruction": "q", "input": ""}]) == "task"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"instruction": "q", "input": "", "output": None}, "column 'output': input should be a valid string, got NoneType"),
        ({"instruction": "q", "input": "", "output": 5}, "column 'output': input should be a valid string, got int"),
        ({"instruction": 5, "input": "", "output": "a"}, "column 'instruction': input should be a valid string, got int"),
        ({"instruction": "q"}, "column 'output' is missing; this row has 'instruction'"),
        ({"output": "a"}, "column 'instruction' is missing; this row has 'output'"),
        ({"instruction": "q", "output": "a", "tools": "[{"}, "column 'tools' is not valid JSON"),
    ],
    ids=["null", "number", "instruction", "missing", "no prompt", "tools"],
)
def test_alpaca_errors_name_the_column(row: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError) as caught:
        read_alpaca(row)
    assert caught.value.message.startswith(message)


def test_tool_turns_have_no_place_in_alpaca() -> None:
    call = Message(role="assistant", tool_calls=(ToolCall(name="rate"),))
    record = ConversationRecord(
        messages=(Message(role="user", content="q"), call, Message(role="tool", content="1"), Message(role="assistant", content="a"))
    )
    with pytest.raises(DataError, match="got user, function_call, tool"):
        write_alpaca(record)


def test_sharegpt_joins_persona_and_parallel_results() -> None:
    record = ConversationRecord(
        messages=(
            Message(role="user", content="101和102号房多少钱？"),
            Message(
                role="assistant",
                tool_calls=(ToolCall(name="rate", arguments={"room": 101}), ToolCall(name="rate", arguments={"room": 102})),
            ),
            Message(role="tool", content="300"),
            Message(role="tool", content="320"),
            Message(role="assistant", content="300元和320元。"),
        ),
        persona="你是酒店助手。",
    )
    row = write_sharegpt(record)
    assert [turn["from"] for turn in row["conversations"]] == ["human", "function_call", "observation", "gpt"]
    assert row["conversations"][0]["value"] == "你是酒店助手。\n101和102号房多少钱？"
    assert row["conversations"][2]["value"] == "300\n</tool_response>\n<tool_response>\n320"


def test_sharegpt_system_turn_wins_over_the_column() -> None:
    row = {
        "conversations": [{"from": "system", "value": "turn"}, {"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}],
        "system": "column",
    }
    assert read_sharegpt(row).messages[0] == Message(role="system", content="turn")


def test_sharegpt_unknown_role_is_an_error() -> None:
    with pytest.raises(DataError, match="unknown role 'narrator'"):
        read_sharegpt({"conversations": [{"from": "narrator", "value": "q"}]})


def test_openai_reads_developer_null_content_and_parts() -> None:
    call = {"id": "x", "type": "function", "function": {"name": "rate", "arguments": '{"room": 101}'}}
    row = {
        "messages": [
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Room "}, {"type": "text", "text": "101?"}]},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "x", "content": "300"},
            {"role": "assistant", "content": "300."},
        ],
        "tools": [{"type": "function", "function": {"name": "rate", "parameters": {}}}],
    }
    record = read_openai(row)
    assert [m.role for m in record.messages] == ["system", "user", "assistant", "tool", "assistant"]
    assert record.messages[1].content == "Room 101?"
    assert record.messages[2].tool_calls == (ToolCall(name="rate", arguments={"room": 101}),)
    assert record.tools == ({"name": "rate", "parameters": {}},)
    assert write_openai(record)["messages"][3] == {"role": "tool", "content": "300", "tool_call_id": "call_1"}


def test_kto_label_must_be_a_bool() -> None:
    turns = [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]
    assert read_kto({"conversations": turns, "kto_tag": False}).label is False
    with pytest.raises(DataError, match="kto_tag"):
        read_kto({"conversations": turns, "kto_tag": "true"})
