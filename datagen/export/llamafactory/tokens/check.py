"""What tokens tell about rows: answers that lose their end, turns that vanish, nothing to learn, thinking blocks against the template."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from datagen.export.llamafactory.rules.align import Aligned, Crash, Defect
from datagen.export.llamafactory.rules.quality import Note
from datagen.export.llamafactory.rules.stages import BATCH, Stage
from datagen.export.llamafactory.templates.choose import choose_template
from datagen.export.llamafactory.templates.spec import template_spec
from datagen.export.llamafactory.templates.tools import THOUGHT, calls_text
from datagen.export.llamafactory.tokens.encode import Encoded, Encoding, encode_row, pretraining_length, texts_of
from datagen.export.llamafactory.tokens.packing import filled, pack
from datagen.export.llamafactory.tokens.tokenizer import load_tokenizer
from datagen.jsonl import JsonObject

_CHUNK = 2000


@dataclass(frozen=True, slots=True)
class TokenStats:
    """Lengths in tokens of a dataset's kept rows under one template, before any cut (for pairs: the longer of the two).

    ``packed_sequences``: how many sequences the rows are trained as, where they are packed.
    """

    dataset: str
    model: str
    template: str
    cutoff_len: int
    rows: int
    tokens: int
    p50: int
    p95: int
    longest: int
    over_cutoff: int
    packed_sequences: int | None = None

    def to_json(self) -> JsonObject:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class TokenCheck:
    """A model's tokenizer and template, ready to check datasets with."""

    model: str
    template: str
    template_why: str
    how: Encoding
    control: re.Pattern[str] | None = None
    packing: bool = False

    def stops(self, row: Aligned) -> Crash | None:
        """Return why the template stops on a row that the template ``default`` trains on: a call with text before it, where it reads
        JSON only."""
        if not self.how.spec.fuses_system:
            return None
        for turn in (*row.prompt, *row.response):
            try:
                calls_text(str(turn.content), "default", looks_for_calls=False) if turn.role == "function" else ""
            except (ValueError, KeyError, TypeError):
                message = f"template {self.template} reads a function call as JSON only; this one has text around it"
                return Crash("call_not_plain_json", message, "remove the text around the JSON, or use another template")
        return None

    def check(
        self, dataset: str, rows: Sequence[Aligned | Crash], fates: Sequence[Defect | Crash | None], stage: Stage
    ) -> tuple[list[Note], TokenStats]:
        """Return the findings about kept rows, and the lengths. A finding with row -1 concerns the dataset."""
        packing = self.packing and stage == "sft"
        how = replace(self.how, cutoff_len=self.how.cutoff_len - 1) if packing else self.how
        cut: list[tuple[int, int]] = []
        kept = [(i, row) for i, (row, fate) in enumerate(zip(rows, fates, strict=True)) if fate is None and isinstance(row, Aligned)]
        notes = list(self._vocabulary())
        lengths: list[int] = []
        for start in range(0, len(kept), _CHUNK):
            part = kept[start : start + _CHUNK]
            if stage == "pt":
                lengths += [pretraining_length(str(row.prompt[0].content), self.template, self.how) for _, row in part]
                continue
            self.how.tokenizer.prepare(text for _, row in part for text in texts_of(row, self.how))
            for i, row in part:
                encoded = encode_row(row, stage, how)
                lengths.append(max(sequence.full_length for sequence in encoded))
                notes += _row_notes(i, encoded, how.cutoff_len, stage)
                if packing:
                    cut.append((i, len(encoded[0].input_ids)))
            self.how.tokenizer.forget()
        if stage == "pt":
            notes += self._packing(lengths)
        else:
            notes += self._thinking([row for _, row in kept], [i for i, _ in kept], stage)
        stats = self._stats(dataset, sorted(lengths))
        if not packing:
            return notes, stats
        sequences = pack(cut, how.cutoff_len)
        share = filled(sequences, how.cutoff_len)
        message = f"{len(cut)} rows are packed into {len(sequences)} sequences of {self.how.cutoff_len} tokens, {share:.0%} filled"
        notes.append(Note(-1, "packed", "note", message, "count steps in sequences, not rows; nothing to repair"))
        return notes, replace(stats, packed_sequences=len(sequences))

    def _vocabulary(self) -> Iterator[Note]:
        if self.how.tokenizer.n_added:
            message = f"template {self.template} adds {self.how.tokenizer.n_added} tokens the model does not have: they are untrained"
            yield Note(-1, "template_adds_tokens", "bad", message, "choose the model's own template, or train with resize_vocab: true")

    def _packing(self, lengths: Sequence[int]) -> Iterator[Note]:
        batches = [sum(lengths[i : i + BATCH]) for i in range(0, len(lengths), BATCH)]
        cutoff = self.how.cutoff_len
        sequences = sum(total // cutoff for total in batches)
        if batches and sequences == 0:
            message = f"'Cannot find sufficient samples': {sum(batches)} tokens give no packed sequence of {cutoff}"
            yield Note(-1, "too_few_tokens", "crash", message, "add text, lower cutoff_len, or set packing: false")
        elif lost := sum(total % cutoff for total in batches):
            message = f"packing to {cutoff} tokens makes {sequences} sequences and leaves out {lost} of {sum(batches)} tokens"
            yield Note(-1, "packing_tail", "note", message, "nothing, unless the share is large; then lower cutoff_len")

    def _thinking(self, rows: Sequence[Aligned], numbers: Sequence[int], stage: Stage) -> Iterator[Note]:
        thinking, plain = 0, 0
        for i, row in zip(numbers, rows, strict=True):
            answers = [turn.content for turn in row.response[:1] if isinstance(turn.content, str)]
            answers += [str(turn.content) for turn in row.prompt if turn.role in ("assistant", "function")] if stage == "sft" else []
            for text in answers:
                has = "<think>" in text or "</think>" in text
                thinking += has
                plain += not has
                if has and not THOUGHT.search(text):
                    message = "the thinking block is not written as '<think>\\n...\\n</think>\\n\\n', as the template writes it"
                    yield Note(i, "thinking_malformed", "bad", message, "write the block exactly so, followed by the answer")
                    break
        reasoning = self.how.spec.reasoning
        if thinking and not reasoning:
            message = (
                f"{thinking} answers hold thinking blocks, but template {self.template} is not a reasoning one: they become plain text"
            )
            yield Note(-1, "thinking_without_template", "bad", message, "use a reasoning template such as qwen3, or remove the blocks")
        if plain and reasoning:
            trained = "and learned" if self.how.enable_thinking else "not learned"
            message = f"an empty thinking block is put before {plain} answers, {trained}"
            code, fix = "thinking_empty_added", "use the _nothink template, or set enable_thinking: false, if the model should not think"
            yield Note(-1, code, "bad" if thinking else "note", message, fix)

    def _stats(self, dataset: str, lengths: Sequence[int]) -> TokenStats:
        def quantile(q: float) -> int:
            return lengths[max(0, math.ceil(q * len(lengths)) - 1)] if lengths else 0

        over = sum(length > self.how.cutoff_len for length in lengths)
        longest = lengths[-1] if lengths else 0
        sizes = (len(lengths), sum(lengths), quantile(0.5), quantile(0.95), longest, over)
        return TokenStats(dataset, self.model, self.template, self.how.cutoff_len, *sizes)


def token_check(
    model: str | Path, *, template: str | None = None, cutoff_len: int = 2048, enable_thinking: bool | None = True, packing: bool = False
) -> TokenCheck:
    """Load a model's tokenizer; the template is chosen from the model unless given. ``packing`` concerns stage sft only.

    Raises:
        UsageError: unknown template or no tokenizer at ``model``.
        MissingExtra: transformers is not installed.
    """
    name, why = (template, "given") if template else choose_template(model)[:2]
    spec = template_spec(name)
    tokenizer = load_tokenizer(model, spec)
    how = Encoding(spec, tokenizer, cutoff_len, enable_thinking)
    return TokenCheck(str(model), name, why, how, _control_pattern(tokenizer.special_tokens), packing)


def _control_pattern(tokens: Sequence[str]) -> re.Pattern[str] | None:
    longest_first = sorted((token for token in tokens if token.strip()), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first))) if longest_first else None


def _row_notes(i: int, encoded: Sequence[Encoded], cutoff_len: int, stage: Stage) -> Iterator[Note]:
    longest = max(sequence.full_length for sequence in encoded)
    size = f"{longest} tokens, cutoff_len {cutoff_len}"
    if stage != "ppo" and any(sequence.n_trainable == 0 for sequence in encoded):
        yield Note(i, "no_trainable_tokens", "bad", f"nothing of the row is learned ({size})", "shorten the prompt or remove the row")
    elif any(sequence.lost_end for sequence in encoded):
        message = f"the answer loses its end, and the model learns not to stop ({size})"
        yield Note(i, "answer_truncated", "bad", message, "shorten the row, or raise cutoff_len")
    if turns := max(sequence.turns_lost for sequence in encoded):
        yield Note(i, "turns_truncated", "bad", f"the last {turns} answers vanish ({size})", "split the conversation, or raise cutoff_len")
    if cut := max(sequence.prompt_cut for sequence in encoded):
        message = f"{cut} tokens at the end of the prompt are cut off, before the answer ({size})"
        yield Note(i, "prompt_truncated", "bad", message, "shorten the prompt, or raise cutoff_len")
