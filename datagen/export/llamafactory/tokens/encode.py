"""A row's token ids and labels for each stage: turns under the template, then cut to ``cutoff_len`` as LLaMA-Factory cuts them.

It keeps both sides when it can, else shares the budget; in conversations it goes turn by turn, so late turns vanish. Labels are
``-100`` where nothing is learned. Image, video and audio placeholders are taken as text.

Source: LLaMA-Factory 0.9.5: data/template.py (Template, Llama2Template, ReasoningTemplate), data/processor/{supervised,pairwise,feedback,
unsupervised,processor_utils}.py
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from datagen.export.llamafactory.rules.align import Aligned, Turn
from datagen.export.llamafactory.rules.stages import Stage
from datagen.export.llamafactory.templates.spec import Slots, Special, TemplateSpec
from datagen.export.llamafactory.templates.tools import THOUGHT, THOUGHT_END, THOUGHT_START, calls_text, tools_text
from datagen.export.llamafactory.tokens.tokenizer import TemplateTokenizer

IGNORED = -100
_MARKS = (THOUGHT_START.strip(), THOUGHT_END.strip())


@dataclass(frozen=True, slots=True)
class Encoded:
    """One training sequence: ids and labels after cutting, and what the cut took away.

    ``full_length`` is the length without a cut; ``lost_end`` says the last answer that is left lost its end; ``prompt_cut`` counts prompt
    tokens lost; ``turns_lost`` answers that vanished whole.
    """

    input_ids: list[int]
    labels: list[int]
    full_length: int
    lost_end: bool
    prompt_cut: int
    turns_lost: int

    @property
    def n_trainable(self) -> int:
        return sum(label != IGNORED for label in self.labels)


@dataclass(frozen=True, slots=True)
class Encoding:
    """How rows are encoded. ``enable_thinking`` as in LLaMA-Factory (True by default; only reasoning templates look at it)."""

    spec: TemplateSpec
    tokenizer: TemplateTokenizer
    cutoff_len: int = 2048
    enable_thinking: bool | None = True


def encode_row(row: Aligned, stage: Stage, how: Encoding) -> list[Encoded]:
    """Return the sequences of a kept row: one for sft, kto and ppo, two (chosen, rejected) for dpo and rm.

    Stage ``pt`` packs texts and has no rows of its own: see :func:`pretraining_length`.
    """
    if stage == "sft":
        return [_conversation([*row.prompt, row.response[0]], row, how)]
    if stage in ("dpo", "rm"):
        return _pair(row, how)
    if stage == "kto":
        answer = row.response[0] if row.response[0].content else row.response[1]
        source, target = _one_turn([*row.prompt, answer], row, how)
        return [_cut(source, target + _closing(how), how.cutoff_len)]
    answer = row.response[0] if len(row.response) == 1 else Turn("assistant", "")
    source, target = _one_turn([*row.prompt, answer], row, how)
    return [_cut(source, target + _closing(how), how.cutoff_len)]


def texts_of(row: Aligned, how: Encoding) -> Iterator[str]:
    """Yield every text that encoding a row tokenizes, for encoding many rows in one batch."""
    turns = [*row.prompt, *row.response]
    for elements in _elements(turns, row, how.spec):
        yield from (element for element in elements if isinstance(element, str))
    if how.spec.reasoning:
        yield THOUGHT_START + THOUGHT_END


def pretraining_length(text: str, template: str, how: Encoding) -> int:
    """Return the number of tokens of a pre-training text with its end token; llama3 writes ``<|end_of_text|>`` there."""
    end = "<|end_of_text|>" if template == "llama3" else how.tokenizer.eos_token
    return len(how.tokenizer.encode(text + end))


def split_budget(source: int, target: int, budget: int) -> tuple[int, int]:
    """Return how many prompt and answer tokens are kept in a budget: the answer if it takes under half, else the prompt if that does."""
    if target * 2 < budget:
        most = budget
    elif source * 2 < budget:
        most = budget - source
    else:
        most = int(budget * (target / (source + target)))
    kept = min(most, target)
    return min(max(budget - kept, 0), source), kept


def _conversation(turns: Sequence[Turn], row: Aligned, how: Encoding) -> Encoded:
    ids, labels = list[int](), list[int]()
    efficient, eos = how.spec.efficient_eos, how.tokenizer.eos_id
    pairs = _turn_pairs(turns, row, how)
    full = sum(len(source) + len(target) for source, target in pairs) + efficient
    total, prompt_cut, used = int(efficient), 0, 0
    lost_end = False
    for source, target in pairs:
        if total >= how.cutoff_len:
            break
        n_source, n_target = split_budget(len(source), len(target), how.cutoff_len - total)
        total += n_source + n_target
        prompt_cut += len(source) - n_source
        lost_end = n_target < len(target)
        ids += source[:n_source] + target[:n_target]
        # Where turns carry no end token, the model learns it as the first token of the next prompt.
        labels += [eos, *[IGNORED] * (n_source - 1)] if efficient and used else [IGNORED] * n_source
        labels += target[:n_target]
        used += 1
    if efficient:
        ids.append(eos)
        labels.append(eos)
    return Encoded(ids, labels, full, lost_end, prompt_cut, len(pairs) - used)


def _pair(row: Aligned, how: Encoding) -> list[Encoded]:
    source, chosen = _one_turn([*row.prompt, row.response[0]], row, how)
    _, rejected = _one_turn([*row.prompt, row.response[1]], row, how)
    answers = [answer + _closing(how) for answer in (chosen, rejected)]
    n_source, n_target = split_budget(len(source), max(map(len, answers)), how.cutoff_len)
    return [_kept(source, answer, n_source, n_target) for answer in answers]


def _cut(source: list[int], target: list[int], cutoff_len: int) -> Encoded:
    return _kept(source, target, *split_budget(len(source), len(target), cutoff_len))


def _kept(source: list[int], target: list[int], n_source: int, n_target: int) -> Encoded:
    ids = source[:n_source] + target[:n_target]
    labels = [IGNORED] * min(n_source, len(source)) + target[:n_target]
    return Encoded(ids, labels, len(source) + len(target), n_target < len(target), max(len(source) - n_source, 0), 0)


def _closing(how: Encoding) -> list[int]:
    return [how.tokenizer.eos_id] if how.spec.efficient_eos else []


def _one_turn(turns: Sequence[Turn], row: Aligned, how: Encoding) -> tuple[list[int], list[int]]:
    """Return the whole prompt and the last answer, as preference stages use them."""
    used = list(turns)
    if how.spec.reasoning:
        for i in range(1, len(used) - 2, 2):
            used[i] = _without_thought(used[i])
        if how.enable_thinking is False:
            used[-1] = _without_thought(used[-1])
    encoded = _encoded(used, row, how)
    source, target = [token for ids in encoded[:-1] for token in ids], encoded[-1]
    if how.spec.reasoning and _lacks_thought(used[-1]):
        empty = how.tokenizer.encode(THOUGHT_START + THOUGHT_END)
        return (source, empty + target) if how.enable_thinking else (source + empty, target)
    return source, target


def _turn_pairs(turns: Sequence[Turn], row: Aligned, how: Encoding) -> list[tuple[list[int], list[int]]]:
    """Return a prompt and an answer for each pair of turns, as supervised training uses them."""
    used = list(turns)
    if how.spec.reasoning and how.enable_thinking is False:
        for i in range(1, len(used), 2):
            used[i] = _without_thought(used[i])
    encoded = _encoded(used, row, how)
    if how.spec.reasoning:
        empty = how.tokenizer.encode(THOUGHT_START + THOUGHT_END)
        for i in range(0, len(used), 2):
            if _lacks_thought(used[i + 1]):
                if how.enable_thinking:
                    encoded[i + 1] = empty + encoded[i + 1]
                else:
                    encoded[i] = encoded[i] + empty
    return [(encoded[i], encoded[i + 1]) for i in range(0, len(encoded), 2)]


def _encoded(turns: Sequence[Turn], row: Aligned, how: Encoding) -> list[list[int]]:
    return [[token for element in elements for token in how.tokenizer.encode(element)] for elements in _elements(turns, row, how.spec)]


def _elements(turns: Sequence[Turn], row: Aligned, spec: TemplateSpec) -> Iterator[list[str | Special]]:
    """Yield the texts and special tokens of each turn."""
    system = cast("str", row.system) or spec.default_system
    tools = cast("str", row.tools)
    for i, turn in enumerate(turns):
        elements: list[str | Special] = []
        content = cast("str", turn.content)
        fused = ""
        if i == 0:
            elements += spec.prefix
            if system or tools:
                listed = tools_text(tools, spec.tool_format) if tools else ""
                head = _fill(spec.system, system + listed)
                fused = str(head[0]) if spec.fuses_system else ""
                elements += [] if spec.fuses_system else head
        slots = spec.slots(turn.role)
        if turn.role == "function":
            content = calls_text(content, spec.tool_format, looks_for_calls=not spec.fuses_system)
        elif turn.role == "user":
            content = fused + content
        index = str(i // 2) if turn.role == "user" and not spec.fuses_system else None
        yield elements + _fill(slots, content, index)


def _fill(slots: Slots, content: str, index: str | None = None) -> list[str | Special]:
    filled: list[str | Special] = []
    for slot in slots:
        if isinstance(slot, Special):
            filled.append(slot)
            continue
        text = slot.replace("{{content}}", content, 1)
        # A literal {{idx}} in a user's text becomes the number of the turn.
        filled.append(text if index is None else text.replace("{{idx}}", index, 1))
    return filled


def _without_thought(turn: Turn) -> Turn:
    return Turn(turn.role, THOUGHT.sub("", cast("str", turn.content)).lstrip("\n"))


def _lacks_thought(turn: Turn) -> bool:
    return not any(mark in cast("str", turn.content) for mark in _MARKS)
