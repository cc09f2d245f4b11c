"""One row through LLaMA-Factory's converters: prompt turns, response turns, or the reason why it breaks.

The outcome of a row before the stage's own rules: :class:`Aligned`, with ``defect`` set when the converter skips the row, or a
:class:`Crash` when it would raise and stop the whole run. Behaviour of version 0.9.5, including what its documentation says otherwise.

Source: LLaMA-Factory: src/llamafactory/data/converter.py
"""

from dataclasses import dataclass
from typing import Any, cast

from datagen.export.llamafactory.registry.entry import Entry
from datagen.jsonl import JsonObject


class Turn:
    """A turn with its canonical role: user, assistant, observation, function or system."""

    __slots__ = ("content", "role")

    def __init__(self, role: str, content: object) -> None:
        self.role = role
        self.content = content


@dataclass(frozen=True, slots=True)
class Defect:
    """Why a row is dropped."""

    code: str
    message: str
    fix: str


@dataclass(slots=True)
class Aligned:
    """A row as the stages get it. An even number of prompt turns or a missing response means dropped."""

    prompt: list[Turn]
    response: list[Turn]
    system: object = ""
    tools: object = ""
    media: tuple[object, object, object] = (None, None, None)
    defect: Defect | None = None


class Crash(Exception):
    """The row stops the whole run."""

    def __init__(self, code: str, message: str, fix: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.fix = fix


def align_alpaca(row: JsonObject, entry: Entry) -> Aligned:
    """Align a row of formatting ``alpaca``.

    Raises:
        Crash: history items that are not pairs, or an instruction or input that is not text.
    """
    prompt: list[Turn] = []
    history = _get(row, entry, "history")
    for pair in cast("list[Any]", history) if isinstance(history, list) else []:
        # Unpacking an object of two keys takes the keys: the run goes on with wrong text.
        items = list(cast("list[object]", pair)) if isinstance(pair, (list, dict, str)) else []
        if len(items) != 2:
            raise Crash(
                "history_not_pairs", f"a history item must be a [question, answer] pair, got {pair!r:.60}", "write pairs of two texts"
            )
        prompt += [Turn("user", items[0]), Turn("assistant", items[1])]
    parts: list[str] = []
    for part in (_get(row, entry, "prompt"), _get(row, entry, "query")):
        if not part:
            continue
        if not isinstance(part, str):
            raise Crash("prompt_not_text", f"instruction and input must be text, got {type(part).__name__}", "write it as text")
        parts.append(part)
    prompt.append(Turn("user", "\n".join(parts)))
    aligned = _frame(row, entry, prompt, _get(row, entry, "system") if entry.column("system") else "")
    label = _get(row, entry, "kto_tag")
    if isinstance(label, bool):
        aligned.response = _labelled(Turn("assistant", _required(row, entry, "response")), label)
        return aligned
    if entry.ranked:
        chosen, rejected = _required(row, entry, "chosen"), _required(row, entry, "rejected")
        if isinstance(chosen, str) and isinstance(rejected, str):
            aligned.response = [Turn("assistant", chosen), Turn("assistant", rejected)]
            return aligned
        aligned.defect = Defect("pair_not_text", "chosen and rejected must both be text in Alpaca layout", "write both as text")
    answer = _get(row, entry, "response")
    if entry.column("response") and isinstance(answer, str):
        aligned.response = [Turn("assistant", answer)]
    elif aligned.defect is None:
        message = f"the answer must be text, got {type_name(answer)}" if entry.column("response") else "the entry has no columns.response"
        aligned.defect = Defect("answer_not_text", message, "write the answer as text in every row and list columns.response")
    return aligned


def align_sharegpt(row: JsonObject, entry: Entry) -> Aligned:
    """Align a row of formatting ``sharegpt``.

    Raises:
        Crash: no list of turns, missing tags in the entry, or chosen/rejected with an unknown role.
    """
    turns = turns_of(row, entry)
    system, turns = take_system(row, entry, turns)
    prompt, defect = _walk(turns, entry)
    return finish(row, entry, prompt, system, defect)


def turns_of(row: JsonObject, entry: Entry) -> list[object]:
    """Return the list of turns of a row.

    Raises:
        Crash: there is none.
    """
    messages = _required(row, entry, "messages")
    if not isinstance(messages, list):
        raise Crash(
            "turns_missing", f"'{entry.column('messages')}' must be a list of turns, got {type_name(messages)}", "write a list of turns"
        )
    return cast("list[object]", messages)


def finish(row: JsonObject, entry: Entry, prompt: list[Turn], system: object, defect: Defect | None) -> Aligned:
    """Part turns into prompt and answers: by the label, by the pair, or the last one.

    Raises:
        Crash: a column the entry names is missing, or chosen/rejected with an unknown role.
    """
    n_turns = len(prompt)
    wanted = 1 if entry.ranked else 0
    if n_turns % 2 != wanted and defect is None:
        rule = "an odd number ending with the user" if entry.ranked else "pairs ending with the assistant"
        defect = Defect("turn_count", f"{n_turns} turns, but the stage needs {rule}", "remove or complete the last turn")
    if defect is not None:
        aligned = _frame(row, entry, [], system)
        aligned.defect = defect
        return aligned
    label = _get(row, entry, "kto_tag")
    if isinstance(label, bool):
        aligned = _frame(row, entry, prompt[:-1], system)
        aligned.response = _labelled(prompt[-1], label) if prompt else [Turn("assistant", "")]
        return aligned
    if entry.ranked:
        chosen, rejected = _required(row, entry, "chosen"), _required(row, entry, "rejected")
        if isinstance(chosen, dict) and isinstance(rejected, dict):
            aligned = _frame(row, entry, prompt, system)
            aligned.response = [_answer(cast("JsonObject", chosen), entry), _answer(cast("JsonObject", rejected), entry)]
            return aligned
        defect = Defect("pair_not_turns", "chosen and rejected must both be turns (objects) in ShareGPT layout", "write them as turns")
    aligned = _frame(row, entry, prompt[:-1], system)
    aligned.response = prompt[-1:]
    if not prompt:
        defect = Defect("no_turns", "there are no turns", "remove the row")
    aligned.defect = defect
    return aligned


def take_system(row: JsonObject, entry: Entry, turns: list[object]) -> tuple[object, list[object]]:
    """Return the system text, of the first turn or of the column, and the turns without it."""
    tag = entry.tag("system_tag")
    if tag and turns and field_of(turns[0], entry, "role_tag") == tag:
        return field_of(turns[0], entry, "content_tag"), turns[1:]
    return (_get(row, entry, "system") if entry.column("system") else ""), turns


def _walk(turns: list[object], entry: Entry) -> tuple[list[Turn], Defect | None]:
    """Return the turns up to the first wrong role."""
    odd = {entry.tag("user_tag"): "user", entry.tag("observation_tag"): "observation"}
    even = {entry.tag("assistant_tag"): "assistant", entry.tag("function_tag"): "function"}
    # A later tag wins where two roles share one name, as in LLaMA-Factory's mapping.
    names = {**{entry.tag("user_tag"): "user", entry.tag("assistant_tag"): "assistant"}, entry.tag("observation_tag"): "observation"}
    names |= {entry.tag("function_tag"): "function", entry.tag("system_tag"): "system"}
    aligned: list[Turn] = []
    for i, turn in enumerate(turns):
        role = field_of(turn, entry, "role_tag")
        accepted = (odd, even)[i % 2]
        known = "" if role is None else role
        if not isinstance(known, str) or known not in accepted:
            wanted = " or ".join(repr(tag) for tag in accepted if tag) or "no role: the entry's tags lack it"
            fix = "alternate user and assistant turns; put a system turn first; list all seven tags in the entry"
            return aligned, Defect("role_order", f"turn {i + 1} has role {role!r} where {wanted} is needed", fix)
        aligned.append(Turn(names[known], field_of(turn, entry, "content_tag")))
    return aligned, None


def _answer(turn: JsonObject, entry: Entry) -> Turn:
    role = field_of(turn, entry, "role_tag")
    names = {entry.tag(f"{kind}_tag"): kind for kind in ("user", "assistant", "observation", "function", "system")}
    if not isinstance(role, str) or role not in names:
        raise Crash("unknown_role", f"chosen or rejected has the unknown role {role!r}", f"use {entry.tag('assistant_tag')!r}")
    return Turn(names[role], field_of(turn, entry, "content_tag"))


def _frame(row: JsonObject, entry: Entry, prompt: list[Turn], system: object) -> Aligned:
    media = (_get(row, entry, "images"), _get(row, entry, "videos"), _get(row, entry, "audios"))
    return Aligned(prompt, [], system, _get(row, entry, "tools") if entry.column("tools") else "", media)


def _labelled(answer: Turn, good: bool) -> list[Turn]:
    blank = Turn("assistant", "")
    return [answer, blank] if good else [blank, answer]


def _get(row: JsonObject, entry: Entry, name: str) -> object:
    column = entry.column(name)
    if not column:
        return None
    if column not in row:
        raise Crash("missing_column", f"no row has the column '{column}' (columns.{name})", f"add '{column}' or remove columns.{name}")
    return row[column]


def _required(row: JsonObject, entry: Entry, name: str) -> object:
    if not entry.column(name):
        raise Crash("missing_column", f"the entry has no columns.{name}, which this formatting needs", f"list columns.{name}")
    return _get(row, entry, name)


def field_of(turn: object, entry: Entry, tag: str) -> object:
    """Return a field of a turn by its tag.

    Raises:
        Crash: no object, or no such field.
    """
    name = entry.tag(tag)
    if not isinstance(turn, dict):
        raise Crash("turn_not_object", f"a turn must be an object, got {type_name(turn)}", "write turns as objects")
    fields = cast("JsonObject", turn)
    if not name or name not in fields:
        wanted = f"turns have no '{name}'" if name else f"the entry's tags lack {tag}"
        raise Crash("missing_tag", wanted, "list all seven tags in the entry with the names the turns use")
    return fields[name]


def type_name(value: object) -> str:
    """Return a value's type in words of JSON, for messages."""
    return "null" if value is None else type(value).__name__
