"""Row formats: telling which one a file holds and why, and reading any of them into samples.

The only table of formats is :data:`FORMATS`. Reading never repairs: a row that cannot be read is an error with ``file:line``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast, get_args

from datagen.errors import DataError, UsageError, suggest
from datagen.jsonl import JsonObject, Row, read_rows, read_text
from datagen.schemas import alpaca, kto, openai_chat, preference, sharegpt, text
from datagen.schemas.alpaca import RowStyle, row_style
from datagen.schemas.fields import parse_row
from datagen.schemas.record import ConversationRecord, FeedbackRecord, PreferenceRecord, Record, TextRecord, whole_text
from datagen.schemas.sample import Sample
from datagen.schemas.sharegpt import Layout
from datagen.text import detect_language

RowFormat = Literal["datagen", "alpaca", "sharegpt", "openai", "preference", "preference_alpaca", "kto", "kto_alpaca", "text"]
RecordType = type[ConversationRecord] | type[PreferenceRecord] | type[FeedbackRecord] | type[TextRecord]


@dataclass(frozen=True, slots=True)
class Codec:
    """How one format is read and written. ``read`` takes rows in canonical names (:meth:`Layout.normalise`)."""

    record: RecordType
    read: Callable[[JsonObject, RowStyle], Record]
    write: Callable[[Any], JsonObject]
    keeps_persona: bool
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Detection:
    """A format, the reason in words, the names the file uses, and its row style (Alpaca layouts only)."""

    format: RowFormat
    why: str
    layout: Layout = field(default_factory=Layout)
    style: RowStyle = "task"


def _fields(model: Any) -> tuple[str, ...]:
    return tuple(model.model_fields)


FORMATS: dict[RowFormat, Codec] = {
    "alpaca": Codec(ConversationRecord, alpaca.read_alpaca, alpaca.write_alpaca, True, _fields(alpaca.AlpacaRow)),
    "sharegpt": Codec(
        ConversationRecord, lambda row, _: sharegpt.read_sharegpt(row), sharegpt.write_sharegpt, False, _fields(sharegpt.ShareGPTRow)
    ),
    "openai": Codec(
        ConversationRecord, lambda row, _: openai_chat.read_openai(row), openai_chat.write_openai, False, _fields(openai_chat.OpenAIChatRow)
    ),
    "preference": Codec(
        PreferenceRecord,
        lambda row, _: preference.read_preference(row),
        preference.write_preference,
        False,
        _fields(preference.PreferenceRow),
    ),
    "preference_alpaca": Codec(
        PreferenceRecord,
        preference.read_preference_alpaca,
        preference.write_preference_alpaca,
        True,
        _fields(preference.PreferenceAlpacaRow),
    ),
    "kto": Codec(FeedbackRecord, lambda row, _: kto.read_kto(row), kto.write_kto, False, _fields(kto.KtoRow)),
    "kto_alpaca": Codec(FeedbackRecord, kto.read_kto_alpaca, kto.write_kto_alpaca, True, _fields(kto.KtoAlpacaRow)),
    "text": Codec(TextRecord, lambda row, _: text.read_text_row(row), text.write_text_row, True, _fields(text.TextRow)),
}
"""Every format on disk but datagen's own."""

_PROMPTS = ("instruction", "prompt", "question", "query")
_ANSWERS = ("output", "response", "answer", "completion")
_TURNS = ("conversations", "messages", "conversation")
_LABELS = ("kto_tag", "label")
_CHAT_ROLES = {"system", "developer", "user", "assistant", "tool"}


def detect_format(rows: Sequence[JsonObject]) -> Detection:
    """Tell the format of rows from the columns and value types they have.

    Raises:
        DataError: there are no rows, or no known format fits; the message lists the columns seen.
    """
    if not rows:
        raise DataError("there are no rows")
    keys = set[str]().union(*rows)
    sampled = rows[:200]
    if {"id", "record"} <= keys:
        return Detection("datagen", "rows have 'id' and 'record': datagen samples")
    column = next((c for c in _TURNS if any(isinstance(row.get(c), list) for row in sampled)), None)
    if column:
        return _detect_turns(column, keys, sampled)
    prompt, answer = next((c for c in _PROMPTS if c in keys), None), next((c for c in _ANSWERS if c in keys), None)
    label = next((c for c in _LABELS if any(isinstance(row.get(c), bool) for row in sampled)), None)
    names = {c: n for c, n in ((prompt, "instruction"), (answer, "output"), (label, "kto_tag")) if c and c != n}
    layout = Layout(columns=names)
    style = row_style([layout.normalise(row) for row in rows])
    if (prompt or "input" in keys) and {"chosen", "rejected"} <= keys:
        return Detection("preference_alpaca", f"rows have '{prompt or 'input'}', 'chosen' and 'rejected'", layout, style)
    if (prompt or "input" in keys) and answer:
        where = f"rows have '{prompt or 'input'}' and '{answer}'"
        if label:
            return Detection("kto_alpaca", f"{where}, and a boolean '{label}'", layout, style)
        return Detection("alpaca", where, layout, style)
    if "text" in keys:
        return Detection("text", "rows have 'text' and no known prompt or conversation column")
    raise DataError(
        f"no known row format has the columns {', '.join(map(repr, sorted(keys))) or '(none)'}",
        hint="say which it is with --from FORMAT, or rename columns to instruction/input/output, conversations, messages or text",
    )


def read_samples(path: Path, format: str | None = None) -> list[Sample]:
    """Read a dataset file in any known format; tags ``language`` and ``row_style`` are set on rows that are not samples yet.

    ``.json`` (array), ``.jsonl`` and, for text, ``.txt`` (one text a line, blank lines skipped). The format is detected unless given.

    Raises:
        UsageError: no such file, or an unknown format name.
        DataError: ``file:line`` of the first row that cannot be read.
    """
    return read_dataset(path, format).samples


@dataclass(frozen=True, slots=True)
class Dataset:
    """A file read: its samples, how its format was recognised, and the columns that no codec carries."""

    samples: list[Sample]
    detection: Detection
    ignored_columns: tuple[str, ...]


def read_dataset(path: Path, format: str | None = None) -> Dataset:
    """Read a dataset file and say how; see :func:`read_samples`."""
    rows = raw_rows(path)
    if format is not None and format not in get_args(RowFormat):
        raise UsageError(f"unknown format '{format}'", hint=suggest(format, get_args(RowFormat)))
    values = [row.value for row in rows]
    try:
        detection = named_format(cast("RowFormat", format), values) if format else detect_format(values)
    except DataError as error:
        raise DataError(f"{path}: {error.message}", hint=error.hint) from error
    samples = [_read(path, row, detection) for row in rows]
    known = {"id", "record", "provenance", "scores", "tags"} if detection.format == "datagen" else FORMATS[detection.format].columns
    seen = dict.fromkeys(detection.layout.columns.get(key, key) for row in values for key in row)
    return Dataset(samples, detection, tuple(key for key in seen if key not in known))


def raw_rows(path: Path) -> list[Row]:
    """Read a file's rows as they are: objects, or, of a ``.txt`` file, one text a line, blank lines skipped.

    Raises:
        UsageError, DataError: as :func:`datagen.jsonl.read_rows`.
    """
    if path.suffix.lower() != ".txt":
        return list(read_rows(path))
    lines = read_text(path).split("\n")
    return [Row(number, {"text": line.removesuffix("\r")}) for number, line in enumerate(lines, 1) if line.strip()]


def read_row(value: JsonObject, detection: Detection) -> Sample:
    """Read one row into a sample; only datagen's own rows have tags. Its id is computed anew, whatever the row says.

    Raises:
        DataError: the row is not in the format.
    """
    if detection.format == "datagen":
        sample = parse_row(Sample, value)
        return sample.model_copy(update={"id": Sample.of(sample.record).id})
    return Sample.of(FORMATS[detection.format].read(detection.layout.normalise(value), detection.style))


def named_format(name: RowFormat, rows: Sequence[JsonObject]) -> Detection:
    """Return the detection for a format that the user named; column and tag names are still taken from the rows where they fit."""
    try:
        found = detect_format(rows)
    except DataError:
        found = Detection(name, "given")
    near = found.format == name or (found.format in ("openai", "sharegpt") and name == "sharegpt")
    layout = found.layout if near else Layout()
    return Detection(name, "given", layout, row_style([layout.normalise(row) for row in rows]))


def _detect_turns(column: str, keys: set[str], rows: Sequence[JsonObject]) -> Detection:
    turns = [
        cast("JsonObject", turn)
        for row in rows
        if isinstance(row.get(column), list)
        for turn in cast("list[object]", row[column])
        if isinstance(turn, dict)
    ]
    tags = set[str]().union(*turns)
    role_tag, content_tag = ("from" if "from" in tags else "role"), ("value" if "value" in tags else "content")
    label = next((c for c in _LABELS if any(isinstance(row.get(c), bool) for row in rows)), None)
    names = {c: n for c, n in ((column, "conversations"), (label, "kto_tag")) if c and c != n}
    layout = Layout(columns=names, role_tag=role_tag, content_tag=content_tag)
    where = f"rows have '{column}' with '{role_tag}' and '{content_tag}'"
    if {"chosen", "rejected"} <= keys:
        return Detection("preference", f"{where}, 'chosen' and 'rejected'", layout)
    if label:
        return Detection("kto", f"{where}, and a boolean '{label}'", layout)
    roles = {str(turn.get(role_tag)) for turn in turns}
    if column == "messages" and (role_tag, content_tag) == ("role", "content") and roles <= _CHAT_ROLES:
        return Detection("openai", f"{where} and roles {', '.join(sorted(roles))}")
    return Detection("sharegpt", f"{where} and roles {', '.join(sorted(roles))}", layout)


def _read(path: Path, row: Row, detection: Detection) -> Sample:
    try:
        sample = read_row(row.value, detection)
    except DataError as error:
        raise DataError(f"{path}:{row.line}: {error.message}", hint=error.hint) from error
    if detection.format == "datagen":
        return sample
    record = sample.record
    tags = {"language": detect_language(whole_text(record))}
    if isinstance(record, ConversationRecord):
        tags["row_style"] = "persona" if record.persona else "task"
    return sample.model_copy(update={"tags": tags})
