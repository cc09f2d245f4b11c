"""What all pages of one server share: the workspace, its decisions, and the tables of its iterations."""

import asyncio
import contextlib
from dataclasses import dataclass, field
from pathlib import Path

from datagen.errors import DatagenError
from datagen.jsonl import read_rows
from datagen.pipeline.ledger import read_ledger
from datagen.pipeline.reviews import Decision, ReviewLog
from datagen.schemas.document import Document
from datagen.schemas.manifest import Manifest
from datagen.ui.data.rows import RowTable, build_table, cached_path, load_table, table_files
from datagen.workspace import Workspace

SMALL_BYTES = 4 << 20
"""Row files below this size are parsed at once; larger ones in a process of their own."""


@dataclass
class Desk:
    """One workspace as the pages see it. ``docs`` is an extra folder of documents given on the command line."""

    workspace: Workspace
    docs: Path | None = None
    log: ReviewLog = field(init=False)
    _tables: dict[Path, RowTable] = field(default_factory=dict[Path, RowTable])
    _documents: dict[tuple[int, int], dict[str, Document]] = field(default_factory=dict[tuple[int, int], dict[str, Document]])
    _building: dict[Path, "asyncio.Task[RowTable]"] = field(default_factory=dict[Path, "asyncio.Task[RowTable]"])

    def __post_init__(self) -> None:
        self.log = ReviewLog.of(self.workspace)

    def ledger(self) -> list[Manifest]:
        """Return finished iterations, oldest first."""
        return read_ledger(self.workspace)

    def numbers(self) -> list[int]:
        """Return the iterations that have rows to show, finished or not."""
        return [n for n in self.workspace.iteration_numbers() if (self.workspace.iteration(n) / "train.jsonl").is_file()]

    def chosen(self, asked: str | None) -> int | None:
        """Return the iteration asked for in a URL if it exists, else the last one with rows."""
        numbers = self.numbers()
        if asked and asked.isdecimal() and int(asked) in numbers:
            return int(asked)
        return numbers[-1] if numbers else None

    def ready(self, number: int) -> bool:
        """Say whether a table is there, or small enough to be made without a wait."""
        path = cached_path(self.workspace, number)
        return path in self._tables or path.is_file() or sum(p.stat().st_size for p in table_files(self.workspace, number)) < SMALL_BYTES

    async def table(self, number: int) -> RowTable:
        """Return an iteration's rows; a large table that is not there yet is built in another process, once for all who wait."""
        path = cached_path(self.workspace, number)
        if path in self._tables:
            return self._tables[path]
        table = load_table(self.workspace, number)
        if table is None and self.ready(number):
            table = build_table(self.workspace, number)
        if table is None:
            if path not in self._building:
                self._building[path] = asyncio.create_task(self._build(number))
            table = await asyncio.shield(self._building[path])
        self._tables = {path: table}
        return table

    async def warm(self) -> None:
        """Load, or begin to build, the last iteration's table before anybody asks for it. What is broken there is told by its page."""
        number = self.chosen(None)
        if number is not None:
            with contextlib.suppress(DatagenError):
                await self.table(number)

    async def _build(self, number: int) -> RowTable:
        from nicegui import run

        table = await run.cpu_bound(build_table, self.workspace, number)
        assert table is not None, "the server is shutting down"
        return table

    def documents(self, number: int) -> dict[str, Document]:
        """Return an iteration's ingested documents by path, without following any path on disk."""
        path = self.workspace.iteration(number) / "01-ingest" / "kept.jsonl"
        if not path.is_file():
            return {}
        key = (number, path.stat().st_mtime_ns)
        if key not in self._documents:
            self._documents = {key: {d.path: d for d in (Document.model_validate(r.value) for r in read_rows(path))}}
        return self._documents[key]

    def statuses(self, ids: list[str]) -> list[str]:
        """Return the standing action of each id, '' for none."""
        standing: dict[str, Decision] = self.log.standing()
        return [standing[i].action if i in standing else "" for i in ids]
