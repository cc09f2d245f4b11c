"""Samples as token ids with a completion mask, in an order fixed by a seed.

``encode`` turns samples into :class:`Example` rows; ``training_batches`` gives one epoch's batches of similar length. No torch here.
"""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from datagen.errors import DataError, UsageError
from datagen.probe.data.render import Segment, render
from datagen.schemas.record import completion_text
from datagen.schemas.sample import Sample
from datagen.text import detect_language

_FACT = re.compile(
    r"[0-9０-９]+(?:[.:,/：\-][0-9０-９]+)*%?|[零〇一二两三四五六七八九十百千万]+(?=[年月日号点时分元块折天晚小间层楼米公斤个位])"
    r"|\b(?:January|February|March|April|May|June|July|August|September|October|November|December"
    r"|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)\b"
)


@dataclass(frozen=True, slots=True)
class Example:
    """One row as the model sees it.

    ``ids[i]`` is learned where ``learned[i]`` (never at 0: nothing predicts the first token); ``fact[i]`` marks learned tokens
    of numbers and dates. ``document`` is the cluster for statistics: the source document, or the sample itself if it has none.
    """

    id: str
    document: str
    eval_set: str
    language: str
    ids: tuple[int, ...]
    learned: tuple[bool, ...]
    fact: tuple[bool, ...]

    @property
    def n_tokens(self) -> int:
        """Completion tokens."""
        return sum(self.learned)


class Encoded(NamedTuple):
    """Examples in input order and how many lost part of their prompt or completion to ``max_length``."""

    examples: list[Example]
    truncated: int


def encode(samples: Sequence[Sample], tokenizer: Any, *, max_length: int) -> Encoded:
    """Tokenise samples; a row over ``max_length`` loses the head of its prompt, then the tail of its completion.

    Raises:
        UsageError: no samples.
        DataError: a sample has nothing to learn; the message gives its position.
    """
    if not samples:
        raise UsageError("no rows to probe with")
    examples: list[Example] = []
    truncated = 0
    for position, sample in enumerate(samples, start=1):
        try:
            segments = render(sample.record, tokenizer)
        except DataError as error:
            raise DataError(f"row {position}: {error.message}", hint=error.hint) from error
        ids, learned, fact = _tokenise(segments, tokenizer)
        if len(ids) > max_length:
            truncated += 1
            ids, learned, fact = _shorten(ids, learned, fact, max_length)
        if not any(learned):
            raise DataError(f"row {position}: the completion is empty")
        language = sample.tags.get("language") or detect_language(completion_text(sample.record))
        examples.append(
            Example(
                id=sample.id,
                document=sample.provenance.document or sample.id,
                eval_set=sample.tags.get("eval_set", "recall"),
                language=language,
                ids=tuple(ids),
                learned=tuple(learned),
                fact=tuple(fact),
            )
        )
    return Encoded(examples, truncated)


def training_batches(examples: Sequence[Example], *, batch_size: int, rng: random.Random) -> list[list[Example]]:
    """Return one epoch's batches: shuffled, then sorted by length inside stretches of 8 batches, batches shuffled again.

    Sorting inside stretches keeps batches of similar length without making the order depend on length.
    Source: the length-grouped sampler of huggingface/transformers: src/transformers/trainer_pt_utils.py.
    """
    order = list(examples)
    rng.shuffle(order)
    stretch = batch_size * 8
    batches: list[list[Example]] = []
    for start in range(0, len(order), stretch):
        part = sorted(order[start : start + stretch], key=lambda e: len(e.ids))
        batches += [part[i : i + batch_size] for i in range(0, len(part), batch_size)]
    rng.shuffle(batches)
    return batches


def _tokenise(segments: Sequence[Segment], tokenizer: Any) -> tuple[list[int], list[bool], list[bool]]:
    ids: list[int] = []
    learned: list[bool] = []
    fact: list[bool] = []
    bos = tokenizer.bos_token_id
    if bos is not None and not (tokenizer.bos_token and segments[0].text.startswith(tokenizer.bos_token)):
        ids, learned, fact = [bos], [False], [False]
    for segment in segments:
        encoded = tokenizer(segment.text, add_special_tokens=False, return_offsets_mapping=tokenizer.is_fast)
        new: list[int] = encoded["input_ids"]
        ids += new
        learned += [segment.learned] * len(new)
        fact += _fact_mask(segment, encoded["offset_mapping"]) if tokenizer.is_fast else [False] * len(new)
    learned[0] = fact[0] = False
    return ids, learned, fact


def _fact_mask(segment: Segment, offsets: Sequence[tuple[int, int]]) -> list[bool]:
    if not segment.learned:
        return [False] * len(offsets)
    spans = [m.span() for m in _FACT.finditer(segment.text)]
    return [any(start < b and a < end for a, b in spans) for start, end in offsets]


def _shorten(
    ids: list[int], learned: list[bool], fact: list[bool], limit: int
) -> tuple[list[int], list[bool], list[bool]]:
    over = len(ids) - limit
    head = 1
    first = learned.index(True) if True in learned else len(ids)
    cut = min(over, max(first - head - 1, 0))
    keep = [*range(head), *range(head + cut, len(ids))][:limit]
    return [ids[i] for i in keep], [learned[i] for i in keep], [fact[i] for i in keep]
