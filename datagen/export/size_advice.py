"""How far a dataset's size carries, by kind of training; one sentence in English and one in Chinese.

Rows count once: equal records (same ``Sample.id``) are one. Thresholds for LoRA, full tuning and preference pairs are the field notes
this project was written from; for continued pre-training the notes say only that tokens count, and the thresholds here are orders of
magnitude (task-adaptive corpora of Gururangan et al. 2020, "Don't Stop Pretraining", begin at some 10^5 to 10^6 tokens, domain corpora
at 10^9).
Sizes are advice: a probe measures, a table does not.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from datagen.jsonl import JsonObject
from datagen.schemas.record import FeedbackRecord, PreferenceRecord, TextRecord
from datagen.schemas.sample import Sample
from datagen.text import estimate_tokens

Training = Literal["lora", "full", "preference", "pretraining"]
Level = Literal["too_few", "proof_of_concept", "first_effect", "production"]

_BANDS: dict[Training, tuple[tuple[int, Level], ...]] = {
    "lora": ((100, "proof_of_concept"), (1_000, "first_effect"), (10_000, "production")),
    "full": ((10_000, "production"),),
    "preference": ((1_000, "first_effect"), (10_000, "production")),
    "pretraining": ((1_000_000, "proof_of_concept"), (100_000_000, "first_effect"), (1_000_000_000, "production")),
}
_UNITS: dict[Training, tuple[str, str]] = {
    "lora": ("rows", "行"),
    "full": ("rows", "行"),
    "preference": ("pairs", "对"),
    "pretraining": ("tokens", "个词元"),
}
_TRAININGS: dict[Training, tuple[str, str]] = {
    "lora": ("LoRA", "LoRA"),
    "full": ("full fine-tuning", "全参数微调"),
    "preference": ("preference training", "偏好训练"),
    "pretraining": ("continued pre-training", "继续预训练"),
}
_LEVELS: dict[Level, tuple[str, str]] = {
    "too_few": ("too few to expect an effect", "太少，难以看到效果"),
    "proof_of_concept": ("a proof of concept", "概念验证"),
    "first_effect": ("a first real effect", "初见成效"),
    "production": ("production", "可用于生产"),
}


@dataclass(frozen=True, slots=True)
class SizeAdvice:
    """What ``amount`` distinct units are worth for one kind of training, and from where on the next level begins (None: at the last)."""

    training: Training
    amount: int
    unit: str
    level: Level
    next_level: Level | None
    next_at: int | None
    message: str
    message_zh: str

    def to_json(self) -> JsonObject:
        return asdict(self)


def size_advice(training: Training, amount: int) -> SizeAdvice:
    """Return the advice for an amount: rows for ``lora`` and ``full``, pairs for ``preference``, tokens for ``pretraining``."""
    bands = _BANDS[training]
    reached: Level = "too_few"
    for at, level in bands:
        if amount >= at:
            reached = level
    ahead: tuple[int, Level] | None = next(((at, level) for at, level in bands if amount < at), None)
    message, message_zh = (_sentence(training, amount, reached, ahead, language) for language in (0, 1))
    next_at, next_level = ahead or (None, None)
    return SizeAdvice(training, amount, _UNITS[training][0], reached, next_level, next_at, message, message_zh)


def advise(samples: Sequence[Sample]) -> list[SizeAdvice]:
    """Return the advice for a dataset: LoRA and full tuning for conversations, else the one kind of training it is made for.

    Labelled answers (KTO) count as pairs do; text is counted in estimated tokens (:func:`datagen.text.estimate_tokens`).
    """
    distinct = {sample.id: sample.record for sample in samples}
    if not distinct:
        return [size_advice("lora", 0)]
    first = next(iter(distinct.values()))
    if isinstance(first, TextRecord):
        tokens = sum(estimate_tokens(record.text) for record in distinct.values() if isinstance(record, TextRecord))
        return [size_advice("pretraining", tokens)]
    if isinstance(first, PreferenceRecord | FeedbackRecord):
        return [size_advice("preference", len(distinct))]
    return [size_advice("lora", len(distinct)), size_advice("full", len(distinct))]


def _sentence(training: Training, amount: int, reached: Level, ahead: tuple[int, Level] | None, language: int) -> str:
    unit, name, level = _UNITS[training][language], _TRAININGS[training][language], _LEVELS[reached][language]
    start = (f"{amount:,} {unit}: {level} for {name}", f"{amount:,} {unit}：对{name}来说{level}")[language]
    if ahead is None:
        return start
    at, then = ahead[0], _LEVELS[ahead[1]][language]
    return start + (f"; {then} from {at:,} {unit}", f"；{at:,} {unit}起：{then}")[language]
