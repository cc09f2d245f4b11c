"""What LLaMA-Factory trains on without complaint though it harms: empty answers, equal pairs, control tokens, contradictions."""

import re
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from datagen.export.llamafactory.rules.align import Aligned, Crash, Defect, Turn
from datagen.export.llamafactory.rules.stages import Stage

_CONTROL = re.compile(r"<\|(?:im_start|im_end|endoftext|eot_id|end_of_text|begin_of_text|start_header_id)\|>|<(?:end|start)_of_turn>")


class Note(NamedTuple):
    """A finding about a row (-1: the dataset), in the order row, code, severity, message, fix."""

    row: int
    code: str
    severity: Literal["crash", "bad", "note"]
    message: str
    fix: str


def quality_findings(
    rows: Sequence[Aligned | Crash], fates: Sequence[Defect | Crash | None], stage: Stage, control: re.Pattern[str] | None = None
) -> list[Note]:
    """Return the findings about kept rows, in row order. ``control`` matches a model's own control tokens; default: well-known ones."""
    pattern = control or _CONTROL
    found: list[Note] = []
    answers: dict[tuple[str, ...], tuple[int, str]] = {}
    for i, (row, fate) in enumerate(zip(rows, fates, strict=True)):
        if fate is not None or isinstance(row, Crash):
            continue
        if stage == "pt":
            found += _text_findings(i, row, pattern)
            continue
        found += _turn_findings(i, row, stage, pattern)
        if stage == "sft":
            key = (str(row.system or ""), str(row.tools or ""), str(row.media), *(str(turn.content) for turn in row.prompt))
            first, answer = answers.setdefault(key, (i, str(row.response[0].content)))
            if answer != row.response[0].content:
                message = f"row {first} gives another answer to the same prompt"
                found.append(Note(i, "conflicting_answers", "bad", message, "keep one of them, unless both are wanted"))
    return found


def _turn_findings(i: int, row: Aligned, stage: Stage, control: re.Pattern[str]) -> Iterator[Note]:
    if not str(row.prompt[-1].content).strip():
        yield Note(i, "empty_prompt", "bad", "the last user turn is empty: the model learns to answer nothing", "write the question")
    if stage == "sft" and not str(row.response[0].content).strip():
        yield Note(i, "empty_answer", "bad", "the answer is empty: the model learns to stop at once", "write the answer or remove the row")
    if stage == "kto" and not any(str(turn.content).strip() for turn in row.response):
        yield Note(i, "empty_answer", "bad", "the answer is empty, so it counts as undesirable whatever its label", "write the answer")
    if stage in ("dpo", "rm"):
        chosen, rejected = row.response[0].content, row.response[1].content
        if chosen == rejected:
            yield Note(i, "identical_pair", "bad", "chosen and rejected are the same text: nothing to learn", "remove the row")
        elif not str(chosen).strip():
            yield Note(i, "empty_answer", "bad", "the chosen answer is empty", "write the answer or remove the row")
    yield from _control_findings(i, [*row.prompt, *row.response], control)


def _text_findings(i: int, row: Aligned, control: re.Pattern[str]) -> Iterator[Note]:
    if not str(row.prompt[0].content).strip():
        yield Note(i, "empty_text", "bad", "the text is empty", "remove the row")
    yield from _control_findings(i, row.prompt[:1], control)


def _control_findings(i: int, turns: Sequence[Turn], control: re.Pattern[str]) -> Iterator[Note]:
    for turn in turns:
        if match := control.search(str(turn.content)):
            message = f"the text holds {match.group(0)}, which a template with that token reads as a control token"
            yield Note(i, "control_token", "bad", message, "remove the token from the text, or set split_special_tokens")
            return
