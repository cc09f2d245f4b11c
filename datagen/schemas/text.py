"""Text rows for continued pre-training: ``{"text": ...}``, both ways and without loss."""

from datagen.jsonl import JsonObject
from datagen.schemas.fields import RowModel, parse_row
from datagen.schemas.record import TextRecord


class TextRow(RowModel):
    """One text."""

    text: str


def read_text_row(row: JsonObject) -> TextRecord:
    """Read one row.

    Raises:
        DataError: ``text`` is missing or not a string.
    """
    return TextRecord(text=parse_row(TextRow, row).text)


def write_text_row(record: TextRecord) -> JsonObject:
    """Write one row."""
    return {"text": record.text}
