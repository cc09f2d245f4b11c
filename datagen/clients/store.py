"""Response store: every paid response, on disk before it is used, found again by its request key.

One SQLite file in WAL mode. A response is committed before anyone sees it, and two processes may share the file; the first response to a
key wins. What a crash can cost:

- the process dies (``kill -9``, out of memory): only what was in flight. A committed response lies in the operating system's page cache,
  which outlives the process; ``synchronous=NORMAL`` commits without a sync, some 50 microseconds, so this costs no throughput.
- the machine dies (power cut): besides that, at most the last second. A thread syncs the log to disk once a second while responses come
  in (a passive checkpoint, which syncs log and file); ``synchronous=FULL`` would sync at each commit, milliseconds each, for that second.
  The file itself stays sound either way: SQLite checks the log's checksums when it opens it.

The file is safe to delete and costly to lose. No API key is ever in it.
"""

import contextlib
import json
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from datagen.clients.types import ChatRequest, ChatResponse
from datagen.errors import DataError, DatagenError
from datagen.jsonl import JsonObject, guard_disk

FORMAT = 1
SYNC_EVERY_S = 1.0
CHECKPOINT_PAGES = 16_384
"""Log pages (4 KiB) after which a commit itself copies the log into the file: the thread has copied most of it by then."""
# Rows lie in the order they came: beside large texts an ordinary table takes half the time of one that is sorted by key.
_TABLE = """
CREATE TABLE IF NOT EXISTS responses (
  key TEXT PRIMARY KEY, created_s REAL NOT NULL, provider TEXT NOT NULL, model TEXT NOT NULL, request TEXT NOT NULL,
  response TEXT NOT NULL, tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT NULL
)
"""


_INSERT = "INSERT OR IGNORE INTO responses VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


class Entry(NamedTuple):
    """A response to store: its request's key, the request's canonical bytes, both objects."""

    key: str
    canonical: bytes
    request: ChatRequest
    response: ChatResponse


@dataclass(frozen=True, slots=True)
class StoreStats:
    """What the store holds: responses and the tokens they cost."""

    responses: int
    tokens_in: int
    tokens_out: int


@dataclass(frozen=True, slots=True)
class ModelStats:
    """What the store holds of one model. ``first_s`` and ``last_s``: when responses came, seconds since 1970."""

    provider: str
    model: str
    responses: int
    tokens_in: int
    tokens_out: int
    first_s: float
    last_s: float


class ResponseStore:
    """Responses by request key. May be used from several threads and processes.

    Args:
        path: the SQLite file, made with its folder if absent; None keeps everything in memory.
        busy_timeout_s: how long to wait for another process that is writing.

    Raises:
        DataError: the file is not a response store, or of a later format.
        DatagenError: the file cannot be opened or written.
    """

    def __init__(self, path: Path | None, *, busy_timeout_s: float = 30) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._explain = _Explain(path)
        self._syncing = False
        if path is not None:
            with guard_disk(path):
                path.parent.mkdir(parents=True, exist_ok=True)
        with self._explain:
            self._db = sqlite3.connect(path or ":memory:", timeout=busy_timeout_s, isolation_level=None, check_same_thread=False)
        # Whoever forgets to close leaves no open file behind.
        weakref.finalize(self, self._db.close)
        try:
            with self._explain:
                self._prepare()
        except BaseException:
            self._db.close()
            raise

    def get(self, key: str) -> ChatResponse | None:
        """Return the stored response, marked ``cached``, or None."""
        with self._lock, self._explain:
            row = self._db.execute("SELECT response FROM responses WHERE key = ?", (key,)).fetchone()
        return ChatResponse.from_json(json.loads(row[0]), cached=True) if row else None

    def put(self, request: ChatRequest, response: ChatResponse) -> ChatResponse:
        """Store a response and return the one that counts: this one, or an earlier one to the same request.

        The response is committed when this returns.
        """
        return self.put_entry(Entry(request.key(), request.canonical(), request, response))

    def put_entry(self, entry: Entry) -> ChatResponse:
        """Like :meth:`put`, for a caller that has the key and the canonical bytes already."""
        with self._lock, self._explain:
            added = self._db.execute(_INSERT, _row(entry)).rowcount
        self._sync_soon()
        return entry.response if added else self.get(entry.key) or entry.response

    def put_entries(self, entries: Sequence[Entry]) -> list[ChatResponse]:
        """Like :meth:`put_entry`, for several at once: one commit, all or none."""
        if len(entries) == 1:
            return [self.put_entry(entries[0])]
        with self._lock, self._explain:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                added = [self._db.execute(_INSERT, _row(entry)).rowcount for entry in entries]
                self._db.execute("COMMIT")
            except BaseException:
                # A full disk may have ended the transaction already.
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
        self._sync_soon()
        return [entry.response if new else self.get(entry.key) or entry.response for entry, new in zip(entries, added, strict=True)]

    def stats(self) -> StoreStats:
        """Return how much is stored."""
        with self._lock, self._explain:
            row = self._db.execute("SELECT count(*), total(tokens_in), total(tokens_out) FROM responses").fetchone()
        return StoreStats(int(row[0]), int(row[1]), int(row[2]))

    def by_model(self) -> list[ModelStats]:
        """Return how much is stored of each model, by provider and model."""
        query = """SELECT provider, model, count(*), sum(tokens_in), sum(tokens_out), min(created_s), max(created_s)
                   FROM responses GROUP BY provider, model ORDER BY provider, model"""
        with self._lock, self._explain:
            return [ModelStats(*row) for row in self._db.execute(query)]

    def export(self, *, model: str = "") -> Iterator[JsonObject]:
        """Yield the stored responses, oldest first: ``key``, ``created_s``, ``request``, ``response``; of one ``model``, or of all."""
        query = "SELECT key, created_s, request, response FROM responses WHERE ? IN ('', model) ORDER BY created_s, key"
        with self._lock, self._explain:
            rows = self._db.execute(query, (model,)).fetchall()
        for key, created_s, request, response in rows:
            yield {"key": key, "created_s": created_s, "request": json.loads(request), "response": json.loads(response)}

    def prune(self, *, model: str = "", before_s: float | None = None, dry_run: bool = False) -> StoreStats:
        """Delete responses of one ``model`` (all, if empty) older than ``before_s`` (of any age, if None), and shrink the file.

        Args:
            model: its name, as in the spec.
            before_s: seconds since 1970.
            dry_run: only count.

        Returns:
            What was, or would be, deleted.
        """
        where = "WHERE ? IN ('', model) AND created_s < ?"
        values = (model, time.time() + 1 if before_s is None else before_s)
        with self._lock, self._explain:
            row = self._db.execute(f"SELECT count(*), total(tokens_in), total(tokens_out) FROM responses {where}", values).fetchone()
            if row[0] and not dry_run:
                self._db.execute(f"DELETE FROM responses {where}", values)
                self._db.execute("VACUUM")
        return StoreStats(int(row[0]), int(row[1]), int(row[2]))

    def close(self) -> None:
        """Close the file; closing twice is fine."""
        with self._lock:
            self._db.close()

    def _sync_soon(self) -> None:
        """Sync the log to disk within a second, in a thread of its own; one at a time."""
        if self.path is None or self._syncing:
            return
        self._syncing = True
        timer = threading.Timer(SYNC_EVERY_S, self._sync)
        timer.daemon = True
        timer.start()

    def _sync(self) -> None:
        self._syncing = False
        assert self.path is not None
        # A connection of its own: the checkpoint syncs without holding the one that requests wait for. A store that was deleted
        # or locked by another process meanwhile needs no sync from here.
        with contextlib.suppress(sqlite3.Error):
            db = sqlite3.connect(f"{self.path.resolve().as_uri()}?mode=rw", uri=True)
            with contextlib.closing(db):
                db.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def _prepare(self) -> None:
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        found = self._db.execute("PRAGMA user_version").fetchone()[0]
        if found not in (0, FORMAT):
            raise DataError(
                f"{self.path}: response store of format {found}, this datagen knows {FORMAT}", hint="update datagen, or move the file away"
            )
        if found == 0:
            self._db.execute(_TABLE)
            self._db.execute(f"PRAGMA user_version = {FORMAT}")


class _Explain:
    """``with`` it around use of the file: SQLite's errors become ours. Entered for every request, so written out."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, sqlite3.OperationalError):
            raise DatagenError(
                f"response store {self._path}: {error}",
                hint="check free disk space and rights, then run the same command again; responses stored before are kept",
            ) from error
        if isinstance(error, sqlite3.ProgrammingError):
            raise DatagenError(f"response store {self._path} is closed") from error
        if isinstance(error, sqlite3.DatabaseError):
            raise DataError(f"{self._path} is not a usable response store ({error})", hint="move the file away and run again") from error


def _row(entry: Entry) -> tuple[object, ...]:
    request, response = entry.request, entry.response
    texts = (_utf8(entry.canonical), _utf8(response.canonical()))
    return (entry.key, time.time(), request.provider, request.model, *texts, response.tokens_in, response.tokens_out)


def _utf8(canonical: bytes) -> str:
    """Canonical JSON as text; lone surrogates, which SQLite text cannot hold, are escaped so that they read back."""
    try:
        return canonical.decode("utf-8")
    except UnicodeDecodeError:
        value: object = json.loads(canonical.decode("utf-8", "surrogatepass"))
        return json.dumps(value, sort_keys=True, separators=(",", ":"))
