"""The server's SQLite file: its tables, and one thread at a time that is in it."""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from emojudge.errors import EmojudgeError

VERSION = 1
_TABLES = """
CREATE TABLE jobs (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, options TEXT NOT NULL, state TEXT NOT NULL,
    created TEXT NOT NULL, started TEXT, finished TEXT,
    attempts INTEGER NOT NULL DEFAULT 0, seconds REAL NOT NULL DEFAULT 0,
    error TEXT, audio_kept INTEGER NOT NULL DEFAULT 0, bundle TEXT NOT NULL DEFAULT '',
    notes TEXT NOT NULL DEFAULT '[]', number INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX jobs_by_state ON jobs (state, number);
CREATE TABLE events (
    number INTEGER PRIMARY KEY AUTOINCREMENT, job TEXT NOT NULL REFERENCES jobs ON DELETE CASCADE,
    attempt INTEGER NOT NULL, kind TEXT NOT NULL, data TEXT NOT NULL
);
CREATE INDEX events_by_job ON events (job, number);
CREATE TABLE passages (
    job TEXT NOT NULL REFERENCES jobs ON DELETE CASCADE, place INTEGER NOT NULL, doubt REAL NOT NULL,
    passage TEXT NOT NULL, PRIMARY KEY (job, place)
) WITHOUT ROWID;
CREATE INDEX passages_by_doubt ON passages (doubt);
CREATE TABLE corrections (
    job TEXT NOT NULL REFERENCES jobs ON DELETE CASCADE, place INTEGER NOT NULL, asked TEXT NOT NULL,
    before TEXT NOT NULL, audio_kept INTEGER NOT NULL, created TEXT NOT NULL, PRIMARY KEY (job, place)
) WITHOUT ROWID;
"""


class Base:
    """The file, which belongs to one server.

    Raises:
        EmojudgeError: it cannot be used, or is of another version.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        try:
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
            self._base = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
            self._base.execute("PRAGMA journal_mode = WAL")
            self._base.execute("PRAGMA synchronous = NORMAL")
            self._base.execute("PRAGMA foreign_keys = ON")
            self._base.execute("PRAGMA secure_delete = ON")  # deleted words are not left in the file
            self._prepare()
        except (OSError, sqlite3.Error) as error:
            raise EmojudgeError(
                path, found=str(error), expected="a file of jobs, or a place for one"
            ) from error

    def _prepare(self) -> None:
        (version,) = self._base.execute("PRAGMA user_version").fetchone()
        if version == VERSION:
            return
        if version != 0:
            raise sqlite3.DatabaseError(f"version {version}, where this program writes {VERSION}")
        self._base.executescript(f"BEGIN; {_TABLES} PRAGMA user_version = {VERSION}; COMMIT;")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._base.close()

    @contextmanager
    def changed(self) -> Iterator[sqlite3.Connection]:
        """A change of several steps, which is made whole or not at all."""
        with self._lock, self._base:
            self._base.execute("BEGIN IMMEDIATE")
            yield self._base

    def all(self, query: str, values: tuple[object, ...] = ()) -> list[tuple]:  # type: ignore[type-arg]
        """The rows that a query finds."""
        with self._lock, closing(self._base.execute(query, values)) as cursor:
            return cursor.fetchall()

    def one(self, query: str, values: tuple[object, ...] = ()) -> tuple:  # type: ignore[type-arg]
        """The first row that a query finds; an empty one where there is none."""
        rows = self.all(query, values)
        return rows[0] if rows else ()


def now() -> str:
    """The time as it is written down."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
