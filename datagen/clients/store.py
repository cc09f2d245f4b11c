"""Response store: every paid response, on disk before it is used, found again by its request key.

One SQLite file in WAL mode, one commit a response: a process killed at any moment loses only what was in flight, and two
processes may share the file. (``synchronous=NORMAL``: a power cut can cost the last moments, never the file.) The first response
to a key wins. The file is safe to delete and costly to lose. No API key is ever in it.
"""

import json
import sqlite3
import threading
import time
import weakref
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from datagen.clients.types import ChatRequest, ChatResponse
from datagen.errors import DataError, DatagenError
from datagen.hashing import canonical_json
from datagen.jsonl import guard_disk

FORMAT = 1
_TABLE = """
CREATE TABLE IF NOT EXISTS responses (
  key TEXT PRIMARY KEY, created_s REAL NOT NULL, provider TEXT NOT NULL, model TEXT NOT NULL, request TEXT NOT NULL,
  response TEXT NOT NULL, tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT NULL
) WITHOUT ROWID
"""


@dataclass(frozen=True, slots=True)
class StoreStats:
    """What the store holds: responses and the tokens they cost."""

    responses: int
    tokens_in: int
    tokens_out: int


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
        if path is not None:
            with guard_disk(path):
                path.parent.mkdir(parents=True, exist_ok=True)
        with self._explain():
            self._db = sqlite3.connect(path or ":memory:", timeout=busy_timeout_s, isolation_level=None, check_same_thread=False)
        # Whoever forgets to close leaves no open file behind.
        weakref.finalize(self, self._db.close)
        try:
            with self._explain():
                self._prepare()
        except BaseException:
            self._db.close()
            raise

    def get(self, key: str) -> ChatResponse | None:
        """Return the stored response, marked ``cached``, or None."""
        with self._lock, self._explain():
            row = self._db.execute("SELECT response FROM responses WHERE key = ?", (key,)).fetchone()
        return ChatResponse.from_json(json.loads(row[0]), cached=True) if row else None

    def put(self, request: ChatRequest, response: ChatResponse) -> ChatResponse:
        """Store a response and return the one that counts: this one, or an earlier one to the same request.

        The response is committed when this returns.
        """
        values = (
            request.key(),
            time.time(),
            request.provider,
            request.model,
            _text(request.to_json()),
            _text(response.to_json()),
            response.tokens_in,
            response.tokens_out,
        )
        with self._lock, self._explain():
            added = self._db.execute("INSERT OR IGNORE INTO responses VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values).rowcount
        return response if added else self.get(values[0]) or response

    def stats(self) -> StoreStats:
        """Return how much is stored."""
        with self._lock, self._explain():
            row = self._db.execute("SELECT count(*), total(tokens_in), total(tokens_out) FROM responses").fetchone()
        return StoreStats(int(row[0]), int(row[1]), int(row[2]))

    def close(self) -> None:
        """Close the file; closing twice is fine."""
        with self._lock:
            self._db.close()

    def _prepare(self) -> None:
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        found = self._db.execute("PRAGMA user_version").fetchone()[0]
        if found not in (0, FORMAT):
            raise DataError(
                f"{self.path}: response store of format {found}, this datagen knows {FORMAT}", hint="update datagen, or move the file away"
            )
        if found == 0:
            self._db.execute(_TABLE)
            self._db.execute(f"PRAGMA user_version = {FORMAT}")

    @contextmanager
    def _explain(self) -> Generator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise DatagenError(
                f"response store {self.path}: {error}",
                hint="check free disk space and rights, then run the same command again; responses stored before are kept",
            ) from error
        except sqlite3.ProgrammingError as error:
            raise DatagenError(f"response store {self.path} is closed") from error
        except sqlite3.DatabaseError as error:
            raise DataError(f"{self.path} is not a usable response store ({error})", hint="move the file away and run again") from error


def _text(value: object) -> str:
    """Canonical JSON; lone surrogates, which SQLite text cannot hold, are escaped so that they read back."""
    try:
        return canonical_json(value).decode("utf-8")
    except UnicodeDecodeError:
        return json.dumps(value, sort_keys=True, separators=(",", ":"))
