"""Answers that are meant to be machine-readable and are not: JSON that does not parse, Markdown tables that are no tables."""

import json
import re
from typing import TYPE_CHECKING

from datagen.score.defects.base import count_verified

if TYPE_CHECKING:
    import polars as pl

_FENCED = re.compile(r"```json[ \t]*\n(.*?)(?:\n[ \t]*```|\Z)", re.S | re.I)
_STARTS = re.compile(r'\A\s*(?:\{\s*"|\[\s*\{\s*")')
_VISIBLE = re.compile(r"\S")
_TABLE_LINE = re.compile(r"^[ \t]*\|.*\|[ \t]*$")
_DELIMITER = re.compile(r"^[ \t]*\|(?:[ \t]*:?-+:?[ \t]*\|)+[ \t]*$")


def invalid_json(rows: "pl.DataFrame") -> "pl.Series":
    """Return how many JSON passages of an answer do not parse: the whole answer if it starts as JSON, and ```` ```json ```` blocks."""
    return count_verified(rows["completion"], r'(?i)```json|\A\s*(?:\{\s*"|\[\s*\{\s*")', broken_json)


def broken_table(rows: "pl.DataFrame") -> "pl.Series":
    """Return how many Markdown tables of an answer a renderer would not show, or would cut.

    A table is broken if its delimiter row has another number of cells than its header, or a body row has more cells than the header.
    Source: GitHub Flavored Markdown Spec 0.29, section 4.10.
    """
    return count_verified(rows["completion"], r"(?m)^[ \t]*\|(?:[ \t]*:?-+:?[ \t]*\|)+[ \t]*$", broken_tables)


def broken_json(text: str) -> list[str]:
    """Return the parse error of each JSON passage that has one."""
    passages = _FENCED.findall(text)
    if not passages and _STARTS.match(text):
        passages = [text]
    return [problem for passage in passages if (problem := _problem(passage))]


def broken_tables(text: str) -> list[str]:
    """Return, for each broken table, what is wrong with it."""
    found: list[str] = []
    before = ""
    # Cells of the header of the table that the lines belong to, and whether one of its rows was too wide.
    header, broken = 0, False
    for line in text.split("\n"):
        if not _TABLE_LINE.match(line):
            header = 0
        elif header:
            if not broken and _cells(line) > header:
                broken = True
                found.append(f"row of {_cells(line)} cells under a header of {header}: {line.strip()[:60]}")
        elif _DELIMITER.match(line) and _TABLE_LINE.match(before):
            if _cells(before) == _cells(line):
                header, broken = _cells(before), False
            else:
                found.append(f"header of {_cells(before)} cells, delimiter row of {_cells(line)}")
        before = line
    return found


def _problem(passage: str) -> str:
    """Return why a passage is not JSON; several values after each other, as several turns give, are."""
    decoder, text, at = json.JSONDecoder(), passage.strip(), 0
    if not text:
        return "nothing in it"
    try:
        while at < len(text):
            _, end = decoder.raw_decode(text, at)
            visible = _VISIBLE.search(text, end)
            at = visible.start() if visible else len(text)
            if at < len(text) and text[at] not in "{[":
                # Words after a JSON value: a text that begins with JSON.
                return ""
    except json.JSONDecodeError as error:
        return f"{error.msg} at character {error.pos}"
    except RecursionError:
        return "nested too deeply"
    return ""


def _cells(line: str) -> int:
    return len(re.sub(r"\\\||`[^`]*`", "", line.strip()).strip("|").split("|"))
