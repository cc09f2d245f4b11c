"""Answers that are meant to be machine-readable and are not: JSON that does not parse, Markdown tables that are no tables."""

import json
import re
from typing import TYPE_CHECKING

from datagen.score.defects.base import count_verified

if TYPE_CHECKING:
    import polars as pl

_FENCED = re.compile(r"```json[ \t]*\n(.*?)(?:\n[ \t]*```|\Z)", re.S | re.I)
_STARTS = re.compile(r'\A\s*(?:\{\s*"|\[\s*\{\s*")')
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
    lines = text.split("\n")
    found: list[str] = []
    for i in range(1, len(lines)):
        if not _DELIMITER.match(lines[i]) or not _TABLE_LINE.match(lines[i - 1]):
            continue
        header, delimiter = _cells(lines[i - 1]), _cells(lines[i])
        if header != delimiter:
            found.append(f"header of {header} cells, delimiter row of {delimiter}")
            continue
        for line in lines[i + 1 :]:
            if not _TABLE_LINE.match(line):
                break
            if _cells(line) > header:
                found.append(f"row of {_cells(line)} cells under a header of {header}: {line.strip()[:60]}")
                break
    return found


def _problem(passage: str) -> str:
    """Return why a passage is not JSON; several values after each other, as several turns give, are."""
    decoder, rest = json.JSONDecoder(), passage.strip()
    if not rest:
        return "nothing in it"
    try:
        while rest:
            _, end = decoder.raw_decode(rest)
            rest = rest[end:].lstrip()
            if rest and rest[0] not in "{[":
                # Words after a JSON value: a text that begins with JSON.
                return ""
    except json.JSONDecodeError as error:
        return f"{error.msg} at character {error.pos}"
    except RecursionError:
        return "nested too deeply"
    return ""


def _cells(line: str) -> int:
    return len(re.sub(r"\\\||`[^`]*`", "", line.strip()).strip("|").split("|"))
