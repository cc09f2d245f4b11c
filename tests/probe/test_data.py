"""Rendering, masks, truncation and batch order, with the tiny tokenizer."""

import random
from typing import Any

import pytest

from datagen.errors import DataError, UsageError
from datagen.export.llamafactory.templates.spec import Special, template_spec
from datagen.probe.data.encode import Example, encode, training_batches
from datagen.probe.data.render import Segment, render
from datagen.probe.models.backend import Backend
from datagen.schemas.record import (
    ConversationRecord,
    FeedbackRecord,
    Message,
    PreferenceRecord,
    TextRecord,
    question_answer,
)
from datagen.schemas.sample import Sample

QUESTION = question_answer("退房时间是几点？", "退房时间是中午12:00。", persona="你是酒店前台助手。", system="只根据资料回答。")


def _rendered(record: ConversationRecord, backend: Backend, template: str) -> list[Segment]:
    """Render with a chat template that the tiny model does not have."""
    tokenizer: Any = backend.tokenizer
    tokenizer.chat_template = template
    try:
        return render(record, tokenizer)
    finally:
        tokenizer.chat_template = None


class _Base:
    """A stand-in tokenizer of a base model: no chat template."""

    chat_template: str | None = None
    eos_token: str | None = "<eos>"


def test_a_base_model_reads_plain_words_with_system_and_persona() -> None:
    assert render(QUESTION, _Base()) == [
        Segment("只根据资料回答。\n\nUser: 你是酒店前台助手。\n退房时间是几点？\n\nAssistant:", False),
        Segment("退房时间是中午12:00。<eos>", True),
    ]


def test_plain_turns_learn_every_assistant_turn() -> None:
    record = ConversationRecord(
        messages=(
            Message(role="user", content="Is breakfast included?"),
            Message(role="assistant", content="Yes, for two."),
            Message(role="user", content="Until when?"),
            Message(role="assistant", content="Until 10:30."),
        ),
        persona="Be brief.",
    )
    segments = render(record, _Base())
    assert [s.text for s in segments] == [
        "User: Is breakfast included?\n\nAssistant:",
        "Yes, for two.<eos>",
        "User: Be brief.\nUntil when?\n\nAssistant:",
        "Until 10:30.<eos>",
    ]
    assert [s.learned for s in segments] == [False, True, False, True]


def test_a_base_model_reads_what_llamafactory_writes_with_its_deepseek_template() -> None:
    spec = template_spec("deepseek")
    assert spec.prefix == (Special.BOS,)
    texts = {"system": "请简短回答。", "user": "几点退房？", "assistant": "中午12点。"}
    slots = {"system": spec.system, "user": spec.user, "assistant": spec.assistant}

    def written(role: str) -> str:
        return "".join("<eos>" if s is Special.EOS else str(s).replace("{{content}}", texts[role]) for s in slots[role])

    turns = [Message(role="user", content=texts["user"]), Message(role="assistant", content=texts["assistant"])]
    record = ConversationRecord(messages=(Message(role="system", content=texts["system"]), *turns, *turns))
    assert "".join(s.text for s in render(record, _Base())) == "".join(map(written, ("system", *("user", "assistant") * 2)))


def test_chat_template_of_the_model_is_used(backend: Backend) -> None:
    template = (
        "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}</s>\n{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
    )
    segments = _rendered(QUESTION, backend, template)
    assert segments == [
        Segment("<|system|>只根据资料回答。</s>\n<|user|>你是酒店前台助手。\n退房时间是几点？</s>\n<|assistant|>", False),
        Segment("退房时间是中午12:00。</s>", True),
    ]


def test_a_template_that_rewrites_earlier_turns_loses_no_question(backend: Backend) -> None:
    """Qwen3's drops the thinking of all answers but the last."""
    template = (
        "{% for m in messages %}<|{{ m.role }}|>{{ m.content if loop.last else m.content.split('</think>')[-1] }}</s>\n{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>{% endif %}"
    )
    record = ConversationRecord(
        messages=(
            Message(role="user", content="几点退房？"),
            Message(role="assistant", content="<think>查退房时间</think>中午12:00。"),
            Message(role="user", content="可以延迟吗？"),
            Message(role="assistant", content="可以，加收50元。"),
        )
    )
    segments = _rendered(record, backend, template)
    assert segments == [
        Segment("<|user|>几点退房？</s>\n<|assistant|>中午12:00。</s>\n<|user|>可以延迟吗？</s>\n<|assistant|>", False),
        Segment("可以，加收50元。</s>", True),
    ]


def test_a_chat_template_that_refuses_a_row_is_quoted(backend: Backend) -> None:
    template = "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}{{ messages[0].content }}"
    with pytest.raises(DataError, match="the model's chat template refuses the turns system, user: System role not supported"):
        _rendered(QUESTION, backend, template)


def test_other_kinds_of_record() -> None:
    tokenizer = _Base()
    ask, good, bad = Message(role="user", content="问"), Message(role="assistant", content="好"), Message(role="assistant", content="坏")
    assert render(PreferenceRecord(prompt=(ask,), chosen=good, rejected=bad), tokenizer)[1] == Segment("好<eos>", True)
    assert render(FeedbackRecord(prompt=(ask,), completion=good, label=True), tokenizer)[1] == Segment("好<eos>", True)
    assert render(TextRecord(text="酒店介绍"), tokenizer) == [Segment("酒店介绍<eos>", True)]
    with pytest.raises(DataError, match="labelled bad"):
        render(FeedbackRecord(prompt=(ask,), completion=bad, label=False), tokenizer)
    with pytest.raises(DataError, match="without an assistant turn"):
        render(ConversationRecord(messages=(ask,)), tokenizer)


def test_encode_masks_completion_and_facts(backend: Backend) -> None:
    example = encode([Sample.of(QUESTION)], backend.tokenizer, max_length=512).examples[0]
    learned = [i for i, flag in zip(example.ids, example.learned, strict=True) if flag]
    facts = [i for i, flag in zip(example.ids, example.fact, strict=True) if flag]
    assert backend.tokenizer.decode(learned) == "退房时间是中午12:00。</s>"
    assert backend.tokenizer.decode(facts) == "12:00"
    assert example.ids[0] == backend.tokenizer.bos_token_id
    assert (example.n_tokens, example.language, example.eval_set) == (len(learned), "zh", "recall")
    assert example.document == example.id


def test_a_long_prompt_loses_its_head_and_keeps_the_completion(backend: Backend) -> None:
    record = question_answer("请介绍早餐。" * 200, "早餐68元。")
    encoded = encode([Sample.of(record), Sample.of(QUESTION)], backend.tokenizer, max_length=128)
    example = encoded.examples[0]
    assert encoded.truncated == 1
    assert len(example.ids) == 128
    assert example.ids[0] == backend.tokenizer.bos_token_id
    assert backend.tokenizer.decode([i for i, f in zip(example.ids, example.learned, strict=True) if f]) == "早餐68元。</s>"


def test_encode_names_the_row_that_cannot_be_used(backend: Backend) -> None:
    bad = Sample.of(ConversationRecord(messages=(Message(role="user", content="hello"),)))
    with pytest.raises(DataError, match="row 2: a conversation without an assistant turn"):
        encode([Sample.of(QUESTION), bad], backend.tokenizer, max_length=64)
    with pytest.raises(UsageError, match="no rows"):
        encode([], backend.tokenizer, max_length=64)


def test_batches_hold_every_example_once_in_an_order_fixed_by_the_seed() -> None:
    examples = [_example(n) for n in range(100)]
    batches = training_batches(examples, batch_size=8, rng=random.Random("order:0:0"))
    assert sorted(e.id for b in batches for e in b) == sorted(e.id for e in examples)
    assert batches == training_batches(examples, batch_size=8, rng=random.Random("order:0:0"))
    assert batches != training_batches(examples, batch_size=8, rng=random.Random("order:1:0"))
    waste = sum(max(len(e.ids) for e in b) * len(b) - sum(len(e.ids) for e in b) for b in batches)
    assert waste < 0.15 * sum(len(e.ids) for e in examples)


def _example(n: int) -> Example:
    length = 20 + n * 37 % 80
    return Example(f"{n:03d}", "d", "recall", "en", tuple(range(length)), (False,) * 10 + (True,) * (length - 10), (False,) * length)
