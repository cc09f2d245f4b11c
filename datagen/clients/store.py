"""Response store: one SQLite row per paid response, written before the response is used; nothing paid is paid twice.

Keyed by the sha256 of the canonical request. WAL mode: safe under ``kill -9`` and for two processes. Keys and secrets are never in it.
"""

import sqlite3
from pathlib import Path

from datagen.clients.types import ChatRequest, ChatResponse
from datagen.errors import DataError, DatagenError

SCHEMA = """CREATE TABLE IF NOT EXISTS responses (
    key TEXT PRIMARY KEY, provider TEXT NOT NULL, model TEXT NOT NULL, text TEXT NOT NULL, finish_reason TEXT NOT NULL,
    tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT NULL, answered_by TEXT NOT NULL,
    created TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')))"""


class ResponseStore:
    """An open store.

    Raises:
        DataError: the file is not a response store.
        DatagenError: it cannot be opened or written (disk full, read-only).
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=30, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute(SCHEMA)
        except sqlite3.DatabaseError as error:
            if "not a database" in str(error) or "malformed" in str(error):
                raise DataError(f"{path}: not a response store ({error})", hint="move it away; responses in it would be paid again") from error
            raise self._failed(error) from error
        except OSError as error:
            raise DatagenError(f"cannot open {path}: {error.strerror}", hint="choose a writable workspace with -w DIR") from error

    def get(self, key: str) -> ChatResponse | None:
        """Return the stored response, marked ``cached``, or None."""
        row = self._db.execute("SELECT text, finish_reason, tokens_in, tokens_out, answered_by FROM responses WHERE key = ?", (key,)).fetchone()
        return None if row is None else ChatResponse(row[0], row[1], row[2], row[3], row[4], cached=True)

    def put(self, request: ChatRequest, response: ChatResponse) -> None:
        """Store a response, durably, before anything uses it. A second one for the same request is ignored."""
        try:
            self._db.execute(
                "INSERT OR IGNORE INTO responses (key, provider, model, text, finish_reason, tokens_in, tokens_out, answered_by) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    request.key(), request.provider, request.model, response.text, response.finish_reason,
                    response.tokens_in, response.tokens_out, response.model,
                ),
            )  # fmt: skip
        except sqlite3.DatabaseError as error:
            raise self._failed(error) from error

    def count(self) -> int:
        """Return the number of stored responses."""
        return int(self._db.execute("SELECT count(*) FROM responses").fetchone()[0])

    def close(self) -> None:
        self._db.close()

    def _failed(self, error: sqlite3.DatabaseError) -> DatagenError:
        return DatagenError(f"cannot write {self._path}: {error}", hint="free disk space, then run the same command again; stored responses are kept")
