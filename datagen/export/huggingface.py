"""The Hugging Face ``datasets`` layout: ``data/<split>-00000-of-00001.parquet`` and a dataset card (README.md).

Columns are TRL's (:mod:`datagen.export.trl`), so a trainer reads the dataset as it is, then ``id``, ``document``, ``strategy``,
``generator`` and ``language`` of each row. Parquet has one schema: tool calls are JSON text.
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from datagen.errors import DataError
from datagen.export.card import CardFacts, card_text
from datagen.export.trl import has_tools, trl_kind, trl_rows
from datagen.jsonl import JsonObject, write_bytes
from datagen.schemas.sample import Sample


def write_huggingface(
    folder: Path, name: str, splits: dict[str, Sequence[Sample]], *, licence: str, audit: JsonObject | None, sources: dict[str, str]
) -> dict[str, Path]:
    """Write the layout and return the files by split, and the card under ``README.md``. The same samples give the same bytes.

    Args:
        folder: written into; other files there stay.
        name: name of the dataset in the card.
        splits: samples by split (``train``, ``test``); empty ones are left out.
        licence: Hugging Face licence identifier.
        audit: figures of an audit, for the card.
        sources: sha256 of the input files by name, for the card.

    Raises:
        DataError: samples of several kinds, or with media, or a text with a lone surrogate.
    """
    given = {split: samples for split, samples in splits.items() if samples}
    together = [sample for samples in given.values() for sample in samples]
    kind, tools = trl_kind(together), has_tools(together)
    rows = {split: trl_rows(samples, kind, tools=tools, arguments_as_text=True) for split, samples in given.items()}
    fields = _message_fields([row for part in rows.values() for row in part])
    files = {split: folder / "data" / f"{split}-00000-of-00001.parquet" for split in given}
    encoded: dict[Path, bytes] = {}
    for split, samples in given.items():
        encoded[files[split]] = _parquet([row | _origin(sample) for row, sample in zip(rows[split], samples, strict=True)], fields)
    card = card_text(CardFacts(name, kind, given, licence, audit, sources))
    for path, data in encoded.items():
        write_bytes(path, data)
    files["README.md"] = folder / "README.md"
    write_bytes(files["README.md"], card.encode())
    return files


def _origin(sample: Sample) -> JsonObject:
    made = sample.provenance
    generator = f"{made.provider}:{made.model}" if made.model else ""
    language = sample.tags.get("language", "")
    return {"id": sample.id, "document": made.document, "strategy": made.strategy, "generator": generator, "language": language}


def _parquet(rows: list[JsonObject], fields: list[str]) -> bytes:
    import polars as pl

    buffer = io.BytesIO()
    columns: dict[str, list[object]] = {key: [row.get(key) for row in rows] for key in rows[0]}
    try:
        pl.DataFrame({key: pl.Series(key, _same_fields(values, fields)) for key, values in columns.items()}).write_parquet(buffer)
    except UnicodeEncodeError as error:
        raise DataError(f"a row holds the lone surrogate {error.object[error.start]!r}, which Parquet cannot") from error
    return buffer.getvalue()


def _message_fields(rows: list[JsonObject]) -> list[str]:
    """Return the fields that messages of any split have: a dataset has one schema."""
    messages = [m for row in rows for value in row.values() if isinstance(value, list) for m in cast("list[JsonObject]", value)]
    return list(dict.fromkeys(key for message in messages for key in message))


def _same_fields(values: list[object], fields: list[str]) -> list[object]:
    """Give every message of a column the same fields, empty where absent."""
    if not isinstance(values[0], list):
        return values
    return [[{key: message.get(key, "") for key in fields} for message in cast("list[JsonObject]", value)] for value in values]
