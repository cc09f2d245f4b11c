"""What all pages of one server share: the workspace, its decisions, and the tables of its iterations."""

import asyncio
import contextlib
from dataclasses import dataclass, field
from pathlib import Path

from datagen.errors import DatagenError
from datagen.pipeline.ledger import read_ledger
from datagen.pipeline.reviews import Decision, ReviewLog
from datagen.schemas.document import Document
from datagen.schemas.manifest import Manifest
from datagen.ui.data.apart import SMALL_BYTES, Shared, apart
from datagen.ui.data.coverage import Coverage, read_coverage, read_documents
from datagen.ui.data.rows import RowTable, build_table, cached_path, load_table, table_files
from datagen.workspace import Workspace


@dataclass
class Desk:
    """One workspace as the pages see it. ``docs`` is an extra folder of documents given on the command line."""

    workspace: Workspace
    docs: Path | None = None
    log: ReviewLog = field(init=False)
    _tables: Shared[RowTable] = field(default_factory=lambda: Shared[RowTable](keep=1))
    _documents: Shared[dict[str, Document]] = field(default_factory=Shared[dict[str, Document]])
    _coverage: Shared[Coverage] = field(default_factory=Shared[Coverage])

    def __post_init__(self) -> None:
        self.log = ReviewLog.of(self.workspace)

    @property
    def quotas(self) -> Path:
        """The file of quotas for the next run, which ``--set generate.quotas=@FILE`` reads."""
        return self.workspace.root / "quotas.json"

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
        """Say whether rows and documents are in memory, or few enough to be read without a wait."""
        path = cached_path(self.workspace, number)
        rows = self._tables.has(path) or path.is_file() or self.size(number) < SMALL_BYTES
        return rows and (self._documents.has(self._documents_key(number)) or self._documents_size(number) < SMALL_BYTES)

    def size(self, number: int) -> int:
        """Return the bytes of an iteration's row files."""
        return sum(p.stat().st_size for p in table_files(self.workspace, number))

    async def table(self, number: int) -> RowTable:
        """Return an iteration's rows; one that is not there yet is built apart, once for all who wait."""
        return await self._tables.get(cached_path(self.workspace, number), lambda: self._table(number))

    async def _table(self, number: int) -> RowTable:
        loaded = await asyncio.to_thread(load_table, self.workspace, number)
        return loaded or await apart(self.size(number), build_table, self.workspace, number)

    async def warm(self) -> None:
        """Load, or begin to build, the last iteration's table before anybody asks for it. What is broken there is told by its page."""
        number = self.chosen(None)
        if number is not None:
            with contextlib.suppress(DatagenError):
                await self.table(number)

    async def documents(self, number: int) -> dict[str, Document]:
        """Return an iteration's ingested documents by path."""
        key = self._documents_key(number)
        return await self._documents.get(key, lambda: apart(self._documents_size(number), read_documents, self.workspace, number))

    async def coverage(self, number: int) -> Coverage:
        """Return what an iteration's rows cover."""
        folder = self.workspace.iteration(number)
        files = (folder / "train.jsonl", folder / "probe" / "losses.parquet", self.workspace.split, self.workspace.exam)
        key = (self._documents_key(number), *(p.stat().st_mtime_ns if p.is_file() else 0 for p in files))
        return await self._coverage.get(key, lambda: apart(self.size(number), read_coverage, self.workspace, number))

    def _documents_key(self, number: int) -> tuple[int, int]:
        path = self._documents_path(number)
        return number, path.stat().st_mtime_ns if path.is_file() else 0

    def _documents_size(self, number: int) -> int:
        path = self._documents_path(number)
        return path.stat().st_size if path.is_file() else 0

    def _documents_path(self, number: int) -> Path:
        return self.workspace.iteration(number) / "01-ingest" / "kept.jsonl"

    def statuses(self, ids: list[str]) -> list[str]:
        """Return the standing action of each id, '' for none."""
        standing: dict[str, Decision] = self.log.standing()
        return [standing[i].action if i in standing else "" for i in ids]
