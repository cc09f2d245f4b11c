"""Samples as token ids with a completion mask, in an order fixed by a seed.

``encode`` turns samples into :class:`Example` rows, one each; for preferences an example carries its rejected twin, and for whole texts a
long one becomes several. ``training_batches`` gives one epoch's batches of similar length. No torch here.
"""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from datagen.errors import DataError, UsageError
from datagen.probe.data.render import Segment, render
from datagen.schemas.record import PreferenceRecord, completion_text
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
    ``rejected`` is the other answer to the same prompt, for preferences.
    """

    id: str
    document: str
    eval_set: str
    language: str
    ids: tuple[int, ...]
    learned: tuple[bool, ...]
    fact: tuple[bool, ...]
    rejected: "Example | None" = None

    @property
    def parts(self) -> "tuple[Example, ...]":
        """The sequences the model must read: this one, and the rejected one if there is one."""
        return (self,) if self.rejected is None else (self, self.rejected)

    @property
    def length(self) -> int:
        """Tokens the model must read."""
        return sum(len(p.ids) for p in self.parts)

    @property
    def n_tokens(self) -> int:
        """What a loss is divided by: completion tokens, or 1 for a preference (its loss is one number a pair)."""
        return sum(self.learned) if self.rejected is None else 1


class Encoded(NamedTuple):
    """Examples in input order and how many lost part of their prompt or completion to ``max_length``."""

    examples: list[Example]
    truncated: int


def encode(samples: Sequence[Sample], tokenizer: Any, *, max_length: int, stage: Literal["sft", "dpo", "pt"] = "sft") -> Encoded:
    """Tokenise samples; a row over ``max_length`` loses the head of its prompt, then the tail of its completion.

    In stage ``pt`` everything is learned and a long text is cut into pieces of ``max_length`` tokens: nothing is lost.

    Raises:
        UsageError: no samples.
        DataError: a sample has nothing to learn, or is no preference in stage ``dpo``; the message gives its position.
    """
    if not samples:
        raise UsageError("no rows to probe with")
    examples: list[Example] = []
    truncated = 0
    for position, sample in enumerate(samples, start=1):
        try:
            if stage == "pt":
                examples += _pieces(sample, tokenizer, max_length)
                continue
            example, cut = _example(sample, render(sample.record, tokenizer), tokenizer, max_length)
            if stage == "dpo":
                rejected, too = _example(sample, render(_rejected(sample), tokenizer), tokenizer, max_length)
                example, cut = replace(example, rejected=rejected), cut or too
        except DataError as error:
            raise DataError(f"row {position}: {error.message}", hint=error.hint) from error
        truncated += cut
        examples.append(example)
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
        part = sorted(order[start : start + stretch], key=lambda e: e.length)
        batches += [part[i : i + batch_size] for i in range(0, len(part), batch_size)]
    rng.shuffle(batches)
    return batches


def _example(sample: Sample, segments: Sequence[Segment], tokenizer: Any, max_length: int) -> tuple[Example, bool]:
    ids, learned, fact = _tokenise(segments, tokenizer)
    over = len(ids) > max_length
    if over:
        ids, learned, fact = _shorten(ids, learned, fact, max_length)
    if not any(learned):
        raise DataError("the completion is empty")
    return _envelope(sample, sample.id, ids, learned, fact), over


def _pieces(sample: Sample, tokenizer: Any, max_length: int) -> list[Example]:
    """Cut one text into pieces of ``max_length`` tokens, each with its own beginning-of-text token; all of it is learned."""
    segments = [Segment(s.text, True) for s in render(sample.record, tokenizer)]
    ids, _, fact = _tokenise(segments, tokenizer)
    head = ids[:1] if tokenizer.bos_token_id is not None and ids[0] == tokenizer.bos_token_id else []
    body, marks = ids[len(head) :], fact[len(head) :]
    size = max_length - len(head)
    pieces: list[Example] = []
    for start in range(0, len(body), size):
        part = [*head, *body[start : start + size]]
        learned = [False] + [True] * (len(part) - 1)
        if not any(learned):
            continue
        facts = [f and flag for f, flag in zip([*[False] * len(head), *marks[start : start + size]], learned, strict=True)]
        name = sample.id if start == 0 else f"{sample.id}#{start // size + 1}"
        pieces.append(_envelope(sample, name, part, learned, facts))
    if not pieces:
        raise DataError("the text is empty")
    return pieces


def _envelope(sample: Sample, name: str, ids: list[int], learned: list[bool], fact: list[bool]) -> Example:
    return Example(
        id=name,
        document=sample.provenance.document or sample.id,
        eval_set=sample.tags.get("eval_set", "recall"),
        language=sample.tags.get("language") or detect_language(completion_text(sample.record)),
        ids=tuple(ids),
        learned=tuple(learned),
        fact=tuple(fact),
    )


def _rejected(sample: Sample) -> PreferenceRecord:
    record = sample.record
    if not isinstance(record, PreferenceRecord):
        raise DataError(
            f"a {record.kind} record has no chosen and rejected answers", hint="stage dpo needs preference data in train and exam"
        )
    return record.model_copy(update={"chosen": record.rejected})


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
