"""All rows of an iteration as one table that filters, searches and sorts 100,000 rows without lag.

The table (polars, in memory) has what a list needs; the rows themselves stay on disk and are read one at a time by byte offset. It is
built once per iteration and kept beside it as Arrow (``.datagen/ui/``), recognised by name, size and time of its files: parsing 100,000
rows takes seconds, loading the table a fraction of one.

Columns: ``file`` (0 is ``train.jsonl``, then each stage's ``dropped.jsonl``), ``offset``, ``length`` (bytes), ``id``, ``question``,
``answer``, ``document``, ``language``, ``type``, ``strategy``, ``reason`` ('' for a kept row), ``suspicion`` in [0, 1], ``flags``
(space-separated).
"""

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from pydantic import ValidationError

from datagen.errors import DataError, DatagenError
from datagen.hashing import fingerprint
from datagen.jsonl import JsonObject, write_bytes
from datagen.schemas.record import completion_text, prompt_text
from datagen.schemas.sample import Sample
from datagen.score.defects import score_rows
from datagen.score.frame import build_frame
from datagen.score.source import SourceRow
from datagen.ui.data.suspicion import suspicions
from datagen.workspace import Workspace

if TYPE_CHECKING:
    import polars as pl

TABLE_VERSION = 3
PAGE_SIZE = 50
Order = Literal["suspicion", "position", "document", "length"]


@dataclass(frozen=True, slots=True)
class Filter:
    """What of a table is shown. Empty means no condition; ``status`` is a decision, ``open`` none, ``dropped`` rows the run took out."""

    text: str = ""
    status: str = ""
    document: str = ""
    language: str = ""
    flag: str = ""
    order: Order = "suspicion"


@dataclass
class RowTable:
    """The rows of one iteration; ``files[row.file]`` holds the row."""

    frame: "pl.DataFrame"
    files: list[Path]
    _search: "pl.Series | None" = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.frame)

    def select(self, wanted: Filter, statuses: Callable[[Sequence[str]], list[str]]) -> list[int]:
        """Return the positions of matching rows in the wanted order; ties keep the order of the files.

        Args:
            wanted: conditions; the text is looked for in question, answer and document, ignoring case.
            statuses: gives the standing decision of each id, '' for none.
        """
        import polars as pl

        frame = self.frame
        conditions: list[pl.Expr] = []
        if wanted.text.strip():
            conditions.append(pl.Series(self._searched().str.contains(wanted.text.strip().lower(), literal=True)))  # type: ignore[arg-type]
        if wanted.status == "dropped":
            conditions.append(pl.col("reason") != "")
        elif wanted.status:
            decided = pl.Series(statuses(frame["id"].to_list()))
            conditions.append(decided == ("" if wanted.status == "open" else wanted.status))  # type: ignore[arg-type]
            if wanted.status == "open":
                conditions.append(pl.col("reason") == "")
        else:
            conditions.append(pl.col("reason") == "")
        if wanted.document:
            conditions.append(pl.col("document") == wanted.document)
        if wanted.language:
            conditions.append(pl.col("language") == wanted.language)
        if wanted.flag:
            conditions.append(pl.col("flags").str.split(" ").list.contains(wanted.flag) | (pl.col("reason") == wanted.flag))
        found = frame.with_row_index("row").filter(*conditions) if conditions else frame.with_row_index("row")
        if wanted.order == "suspicion":
            found = found.sort("suspicion", descending=True, maintain_order=True)
        elif wanted.order == "document":
            found = found.sort("document", maintain_order=True)
        elif wanted.order == "length":
            found = found.sort(pl.col("answer").str.len_chars(), descending=True, maintain_order=True)
        return found["row"].to_list()

    def summary(self, row: int) -> dict[str, Any]:
        """Return the table's own columns of one row."""
        return self.frame.row(row, named=True)

    def sample(self, row: int) -> Sample:
        """Read one row from its file."""
        at = self.frame.row(row, named=True)
        with self.files[at["file"]].open("rb") as file:
            file.seek(at["offset"])
            value = json.loads(file.read(at["length"]))
        return Sample.model_validate(value.get("sample", value))

    def detail(self, row: int) -> str:
        """Return the detail a dropped row was dropped with, '' for a kept row."""
        return str(self.frame["detail"][row])

    def find(self, sample_id: str) -> int | None:
        """Return the first row with this id."""
        import polars as pl

        found = self.frame.with_row_index("row").filter(pl.col("id") == sample_id)["row"]
        return int(found[0]) if len(found) else None

    def values(self, column: str) -> list[str]:
        """Return the distinct non-empty values of a text column, sorted; for ``flags``, each flag and each reason."""
        import polars as pl

        if column == "flags":
            flags = self.frame["flags"].str.split(" ").explode().unique().to_list()
            return sorted({*flags, *self.frame["reason"].unique().to_list()} - {"", None})
        return sorted(self.frame.select(pl.col(column).unique()).to_series().drop_nulls().to_list())

    def _searched(self) -> "pl.Series":
        if self._search is None:
            import polars as pl

            both = pl.concat_str(["question", "answer", "document"], separator="\n").str.to_lowercase()
            self._search = self.frame.select(both.alias("search")).to_series()
        return self._search


def table_files(workspace: Workspace, number: int) -> list[Path]:
    """Return an iteration's row files, ``train.jsonl`` first, then what its stages dropped."""
    folder = workspace.iteration(number)
    dropped = [p for p in sorted(folder.glob("[0-9][0-9]-*/dropped.jsonl")) if p.parent.name not in ("01-ingest", "02-exam")]
    return [p for p in (folder / "train.jsonl", *dropped) if p.is_file()]


def cached_path(workspace: Workspace, number: int) -> Path:
    """Return where the table of an iteration's present files lies, or would lie."""
    stats = [(str(p.relative_to(workspace.root)), p.stat().st_size, p.stat().st_mtime_ns) for p in table_files(workspace, number)]
    return workspace.state / "ui" / f"rows-{number:04d}-{fingerprint([TABLE_VERSION, stats])[:16]}.arrow"


def load_table(workspace: Workspace, number: int) -> RowTable | None:
    """Return the table if it has been built from the files as they are now, else None."""
    import polars as pl

    path = cached_path(workspace, number)
    if not path.is_file():
        return None
    return RowTable(pl.read_ipc(path), table_files(workspace, number))


def build_table(workspace: Workspace, number: int) -> RowTable:
    """Parse an iteration's row files, judge suspicion, and keep the table; older tables of the iteration are removed.

    Raises:
        DataError: a row is broken; names ``file:line``.
    """
    import polars as pl

    files = table_files(workspace, number)
    path = cached_path(workspace, number)
    names = ("file", "offset", "length", "id", "question", "answer", "document", "language", "type", "strategy", "reason", "detail")
    columns: dict[str, list[Any]] = {name: [] for name in names}
    evidence: list[str] = []
    rows: list[SourceRow] = []
    for at, file in enumerate(files):
        offset = 0
        for line_number, line in enumerate(file.read_bytes().split(b"\n"), start=1):
            if line.strip():
                value = _object(file, line_number, line)
                sample = _sample(file, line_number, value)
                rows.append(SourceRow(file.name, line_number, sample))
                evidence.append("\n".join(span.quote for span in sample.provenance.evidence))
                row = (
                    at,
                    offset,
                    len(line),
                    sample.id,
                    prompt_text(sample.record),
                    completion_text(sample.record),
                    sample.provenance.document,
                    sample.tags.get("language", ""),
                    sample.tags.get("question_type", ""),
                    sample.provenance.strategy,
                    str(value["reason"]) if "sample" in value else "",
                    str(value.get("detail", "")) if "sample" in value else "",
                )
                for column, cell in zip(columns.values(), row, strict=True):
                    column.append(cell)
            offset += len(line) + 1
    schema = {name: pl.UInt64 if name in ("file", "offset", "length") else pl.String for name in columns}
    scores = score_rows(build_frame(rows))
    frame = suspicions(pl.DataFrame(columns, schema=schema), pl.Series("evidence", evidence, dtype=pl.String), scores)
    buffer = io.BytesIO()
    frame.write_ipc(buffer)
    try:
        write_bytes(path, buffer.getvalue())
    except DatagenError:
        # A workspace that cannot be written is still looked at; the table is built again next time.
        return RowTable(frame, files)
    for old in path.parent.glob(f"rows-{number:04d}-*.arrow"):
        if old != path:
            old.unlink(missing_ok=True)
    return RowTable(frame, files)


def _object(file: Path, number: int, line: bytes) -> JsonObject:
    try:
        value: object = json.loads(line)
    except ValueError as error:
        raise DataError(f"{file}:{number}: not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise DataError(f"{file}:{number}: expected a JSON object, got {type(value).__name__}")
    return cast("JsonObject", value)


def _sample(file: Path, number: int, value: JsonObject) -> Sample:
    try:
        return Sample.model_validate(value.get("sample", value))
    except ValidationError as error:
        raise DataError(f"{file}:{number}: not a sample: {error.errors()[0]['msg']}") from error
