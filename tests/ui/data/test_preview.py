from pathlib import Path

import pytest

from datagen.errors import UsageError
from datagen.schemas.record import ConversationRecord, Message, ToolCall, question_answer
from datagen.schemas.sample import Sample
from datagen.testing.tiny_model import build_tiny_model
from datagen.ui.data.preview import check_samples, training_texts

ROWS = [Sample.of(question_answer("最晚几点退房？", "中午 12 点。")), Sample.of(question_answer("Is there a pool?", "Yes, from 6 to 22."))]


def test_answers_and_end_marks_are_what_is_learned(tmp_path: Path) -> None:
    shown = training_texts("hotel", ROWS, build_tiny_model(tmp_path / "tiny"))
    assert len(shown.texts) == 2
    for row, pieces in zip(ROWS, shown.texts, strict=True):
        assert row.record.kind == "conversation"
        question, answer = (m.content for m in row.record.messages)
        learned = "".join(text for text, learned in pieces if learned)
        read = "".join(text for text, learned in pieces if not learned)
        assert answer in learned
        assert question not in learned
        assert question in read


def test_a_model_without_tokenizer_is_an_error_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no tokenizer"):
        training_texts("hotel", ROWS, tmp_path / "nothing")


def test_rows_that_teach_nothing_are_found_before_they_are_registered() -> None:
    report = check_samples("hotel", [*ROWS, Sample.of(question_answer("早餐几点？", ""))])
    assert (report.rows, report.kept) == (3, 3)
    assert [(f.line, f.code) for f in report.findings] == [(3, "empty_answer")]


def test_a_row_that_is_dropped_is_not_shown(tmp_path: Path) -> None:
    call = ToolCall(name="rate", arguments={"room": 8})
    turns = (Message(role="user", content="几点退房？"), Message(role="assistant", tool_calls=(call,)), Message(role="tool", content="12"))
    assert training_texts("hotel", [Sample.of(ConversationRecord(messages=turns))], build_tiny_model(tmp_path / "tiny")).texts == ()
