import pytest

from datagen.schemas.record import ConversationRecord, FeedbackRecord, Message, PreferenceRecord, Record, TextRecord, question_answer
from datagen.ui.data.editing import turns, with_texts

USER = Message(role="user", content="几点退房？")
GOOD = Message(role="assistant", content="12 点。")
BAD = Message(role="assistant", content="不知道。")


@pytest.mark.parametrize(
    ("record", "roles"),
    [
        (question_answer("q", "a", persona="你是客服。", system="简短回答。"), ["persona", "system", "user", "assistant"]),
        (PreferenceRecord(prompt=(USER,), chosen=GOOD, rejected=BAD), ["user", "chosen", "rejected_answer"]),
        (FeedbackRecord(prompt=(USER,), completion=GOOD, label=True), ["user", "completion"]),
        (TextRecord(text="文本"), ["text"]),
        (ConversationRecord(messages=(USER, GOOD, USER, GOOD)), ["user", "assistant", "user", "assistant"]),
    ],
    ids=["conversation", "preference", "feedback", "text", "two-turns"],
)
def test_every_text_can_be_edited_and_nothing_else_changes(record: Record, roles: list[str]) -> None:
    assert [t.role for t in turns(record)] == roles
    assert with_texts(record, [t.text for t in turns(record)]) == record
    changed = with_texts(record, [f"{t.text}!" for t in turns(record)])
    assert [t.text for t in turns(changed)] == [f"{t.text}!" for t in turns(record)]
    assert type(changed) is type(record)
