"""Samples to row files that every loader reads the same way.

Every row has the same keys in the same order, ``""`` or ``[]`` instead of null, UTF-8 without byte order mark, LF line ends. A file is
written whole or not at all. The same samples give the same bytes.
"""

import json
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import get_args

from datagen.errors import DataError, UsageError, suggest
from datagen.hashing import sha256_hex
from datagen.jsonl import JsonObject, write_bytes
from datagen.schemas.detect import FORMATS, Codec, RowFormat
from datagen.schemas.record import Record, TextRecord
from datagen.schemas.sample import Sample


def write_rows(samples: Sequence[Sample], path: Path, format: RowFormat = "alpaca") -> str:
    """Write samples as rows of a format; ``.jsonl`` gives one row a line, any other suffix a JSON array.

    Returns:
        The sha256 of the bytes written.

    Raises:
        UsageError: unknown format.
        DataError: a sample has no form in this format; names its position and id.
    """
    data = encode_rows(to_rows(samples, format), lines=path.suffix == ".jsonl")
    write_bytes(path, data)
    return sha256_hex(data)


def to_rows(samples: Sequence[Sample], format: RowFormat) -> list[JsonObject]:
    """Return uniform rows.

    Raises:
        UsageError, DataError: as in :func:`write_rows`.
    """
    if format == "datagen":
        return [sample.to_json() for sample in samples]
    codec = FORMATS[format_named(format)]
    return uniform_rows([_write(sample, position, format, codec) for position, sample in enumerate(samples, 1)])


def encode_rows(rows: Sequence[JsonObject], *, lines: bool) -> bytes:
    """Serialise rows: one a line, or an indented array.

    Raises:
        DataError: a text holds a lone surrogate, which no UTF-8 file can.
    """
    try:
        if lines:
            return "".join(f"{json.dumps(row, ensure_ascii=False, allow_nan=False)}\n" for row in rows).encode()
        return f"{json.dumps(list(rows), ensure_ascii=False, indent=2, allow_nan=False)}\n".encode()
    except UnicodeEncodeError as error:
        raise DataError(f"a row holds the lone surrogate {error.object[error.start]!r}, which UTF-8 cannot") from error


def losses(samples: Sequence[Sample], format: RowFormat) -> dict[str, int]:
    """Return what writing these samples in a format gives up: a sentence and how many samples it concerns."""
    if format == "datagen":
        return {}
    codec, lost = FORMATS[format_named(format)], Counter[str]()
    for sample in samples:
        record = sample.record
        if not isinstance(record, TextRecord) and record.persona and not codec.keeps_persona:
            lost["the persona is joined to the last user turn"] += 1
        if sample.provenance != type(sample.provenance)() or sample.scores or sample.tags.keys() - {"language", "row_style"}:
            lost["provenance, scores and tags are not written"] += 1
        if format in ("sharegpt", "preference", "kto") and _has_parallel_results(record):
            lost["parallel tool results are joined into one observation"] += 1
    return dict(lost)


def format_named(name: str) -> RowFormat:
    """Return a format by its name.

    Raises:
        UsageError: unknown format; near matches are suggested.
    """
    for known in get_args(RowFormat):
        if known == name:
            return known
    raise UsageError(f"unknown format '{name}'", hint=suggest(name, get_args(RowFormat)))


def _write(sample: Sample, position: int, format: str, codec: Codec) -> JsonObject:
    if not isinstance(sample.record, codec.record):
        fitting = [name for name, other in FORMATS.items() if isinstance(sample.record, other.record)]
        raise DataError(
            f"sample {position} ({sample.id[:12]}) is a {sample.record.kind} record; format '{format}' cannot hold it",
            hint=f"formats for {sample.record.kind} records: {', '.join(fitting)}",
        )
    try:
        return codec.write(sample.record)
    except DataError as error:
        raise DataError(f"sample {position} ({sample.id[:12]}): {error.message}", hint=error.hint) from error


def uniform_rows(rows: Sequence[JsonObject]) -> list[JsonObject]:
    """Return rows that all have the same keys in the same order; absent ones become ``[]`` where others hold a list, else ``""``."""
    empty: JsonObject = {}
    for row in rows:
        for key, value in row.items():
            empty.setdefault(key, [] if isinstance(value, list) else "")
    return [{key: row.get(key, blank) for key, blank in empty.items()} for row in rows]


def _has_parallel_results(record: Record) -> bool:
    if isinstance(record, TextRecord):
        return False
    messages = record.messages if record.kind == "conversation" else record.prompt
    return any(a.role == b.role == "tool" for a, b in pairwise(messages))
