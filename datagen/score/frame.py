"""The rows of a source as one polars frame: what scorers read.

Columns: ``row`` (0-based), ``dataset``, ``line``, ``prompt`` (user turns joined by newlines), ``completion`` (assistant turns and tool
calls; the chosen one of a preference), ``rejected`` ('' but for preferences), ``context`` (persona and system text), ``kind`` (of
record), ``style`` (persona, task), ``turns`` (messages), ``media`` (whether pictures, videos or sound belong to it), ``language`` (zh,
en; by the same rule as ``text.detect_language``), ``question_type`` ('' where no tag says), and ``prompt_cjk``, ``prompt_latin``,
``completion_cjk``, ``completion_latin`` (Chinese characters and Latin words).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from datagen.hashing import canonical_json
from datagen.schemas.record import ConversationRecord, Message, PreferenceRecord, Record, TextRecord, completion_text, prompt_text
from datagen.score.source import SourceRow
from datagen.text import CJK

if TYPE_CHECKING:
    import polars as pl

CJK_CLASS = f"[{CJK}]"
LATIN_WORD = "[A-Za-z\u00c0-\u024f]+"


def build_frame(rows: Sequence[SourceRow]) -> "pl.DataFrame":
    """Return the frame, one line a row, in input order."""
    import polars as pl

    records = [row.sample.record for row in rows]
    frame = pl.DataFrame(
        {
            "row": range(len(rows)),
            "dataset": [row.dataset for row in rows],
            "line": [row.line for row in rows],
            "prompt": [_clean(prompt_text(r)) for r in records],
            "completion": [_clean(_completion(r)) for r in records],
            "rejected": [_clean(r.rejected.content) if isinstance(r, PreferenceRecord) else "" for r in records],
            "context": [_clean(_context(r)) for r in records],
            "kind": [r.kind for r in records],
            "style": ["" if isinstance(r, TextRecord) else ("persona" if r.persona else "task") for r in records],
            "turns": [len(_turns(r)) for r in records],
            "media": [not isinstance(r, TextRecord) and any((r.media.images, r.media.videos, r.media.audios)) for r in records],
            "question_type": [row.sample.tags.get("question_type", "") for row in rows],
        },
        # Named, since a frame without rows has nothing to tell them from.
        schema={
            **{"row": pl.Int64, "dataset": pl.String, "line": pl.Int64, "prompt": pl.String, "completion": pl.String},
            **{"rejected": pl.String, "context": pl.String, "kind": pl.String, "style": pl.String, "turns": pl.Int64},
            **{"media": pl.Boolean, "question_type": pl.String},
        },
    )
    counted = frame.with_columns(
        pl.col(column).str.count_matches(pattern).cast(pl.Int64).alias(f"{column}_{script}")
        for column in ("prompt", "completion")
        for script, pattern in (("cjk", CJK_CLASS), ("latin", LATIN_WORD))
    )
    words = pl.max_horizontal(pl.col("prompt_latin") + pl.col("completion_latin"), pl.lit(1))
    chinese = (pl.col("prompt_cjk") + pl.col("completion_cjk")) * 3 >= words
    return counted.with_columns(language=pl.when(chinese).then(pl.lit("zh")).otherwise(pl.lit("en")))


def _completion(record: Record) -> str:
    calls = [f"{call.name} {canonical_json(call.arguments).decode()}" for turn in _turns(record) for call in turn.tool_calls]
    return "\n".join(text for text in (completion_text(record), *calls) if text)


def _context(record: Record) -> str:
    if isinstance(record, TextRecord):
        return ""
    return "\n".join([record.persona, *(turn.content for turn in _turns(record) if turn.role == "system")]).strip()


def _turns(record: Record) -> tuple[Message, ...]:
    match record:
        case ConversationRecord():
            return record.messages
        case TextRecord():
            return ()
        case PreferenceRecord():
            return (*record.prompt, record.chosen)
        case _:
            return (*record.prompt, record.completion)


def _clean(text: str) -> str:
    # A lone surrogate has no UTF-8 form, which polars stores; it becomes U+FFFD and counts as a broken character.
    return text if text.isascii() else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
