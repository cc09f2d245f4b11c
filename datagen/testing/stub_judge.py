"""What the stub answers as a judge (``prompts/judge``): right is an answer whose quantities and most of whose words the evidence has."""

import json
import re

from datagen.generate.quantities import quantities, states
from datagen.jsonl import JsonObject

_BLOCK = re.compile(r"<(evidence|question|answer|first|second) [0-9a-z]+>\n(.*?)\n</\1 ", re.S)


def write_verdict(form: JsonObject, prompt: str, *, biased: bool) -> str:
    """Return the JSON a judge's prompt asks for: a grade, or which of two answers is better; a ``biased`` judge prefers the first."""
    blocks = dict(_BLOCK.findall(prompt))
    evidence = blocks.get("evidence", "")
    if "better" in form:
        first, second = _right(blocks.get("first", ""), evidence), _right(blocks.get("second", ""), evidence)
        better = "first" if biased or first > second else "second" if second > first else "same"
        return json.dumps({"reason": "One of them says what the evidence does not.", "better": better})
    right = _right(blocks.get("answer", ""), evidence)
    reason = "none" if right else "The answer says what the evidence does not."
    return json.dumps({"reason": reason, "correct": 5 if right else 1, "complete": 5, "clear": 5})


def _right(answer: str, evidence: str) -> bool:
    words = set(re.findall(r"[A-Za-z]{4,}|[\u4e00-\u9fff]", answer))
    known = sum(w in evidence for w in words)
    return all(states(evidence, quantity) for quantity in quantities(answer)) and known >= 0.6 * len(words)
