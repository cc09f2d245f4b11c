"""Size advice: thresholds, units, duplicates counted once."""

import pytest

from datagen.export.size_advice import Level, Training, advise, size_advice
from datagen.schemas.record import FeedbackRecord, Message, PreferenceRecord, TextRecord, question_answer
from datagen.schemas.sample import Sample


@pytest.mark.parametrize(
    ("training", "amount", "level", "next_at"),
    [
        ("lora", 99, "too_few", 100),
        ("lora", 100, "proof_of_concept", 1_000),
        ("lora", 999, "proof_of_concept", 1_000),
        ("lora", 1_000, "first_effect", 10_000),
        ("lora", 10_000, "production", None),
        ("full", 9_999, "too_few", 10_000),
        ("full", 10_000, "production", None),
        ("preference", 999, "too_few", 1_000),
        ("preference", 1_000, "first_effect", 10_000),
        ("pretraining", 999_999, "too_few", 1_000_000),
    ],
)
def test_levels(training: Training, amount: int, level: Level, next_at: int | None) -> None:
    advice = size_advice(training, amount)
    assert (advice.level, advice.next_at) == (level, next_at)


def test_sentences() -> None:
    advice = size_advice("lora", 1234)
    assert advice.message == "1,234 rows: a first real effect for LoRA; production from 10,000 rows"
    assert advice.message_zh == "1,234 行：对LoRA来说初见成效；10,000 行起：可用于生产"
    assert size_advice("full", 20_000).message == "20,000 rows: production for full fine-tuning"


def test_equal_records_count_once() -> None:
    rows = [Sample.of(question_answer("几点退房？", "中午12点。")) for _ in range(3)] + [Sample.of(question_answer("Pool?", "Yes."))]
    assert [(a.training, a.amount) for a in advise(rows)] == [("lora", 2), ("full", 2)]


def test_kind_of_training_follows_the_records() -> None:
    question, answer = (Message(role="user", content="q"),), Message(role="assistant", content="a")
    assert advise([Sample.of(PreferenceRecord(prompt=question, chosen=answer, rejected=answer))])[0].unit == "pairs"
    assert advise([Sample.of(FeedbackRecord(prompt=question, completion=answer, label=True))])[0].training == "preference"
    text = advise([Sample.of(TextRecord(text="酒店在海边。" * 100))])[0]
    assert (text.training, text.unit) == ("pretraining", "tokens")
    assert text.amount > 100
    assert advise([])[0].amount == 0
