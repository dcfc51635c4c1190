"""What must survive a kill: answers as they came, and the batches that were submitted."""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from pydantic import TypeAdapter

from emojudge.errors import ProviderError
from emojudge.judge.exchange import Answer

_ANSWER = TypeAdapter(Answer)


@dataclass(frozen=True)
class Shard:
    """One file of a Batch API, from before it is submitted until its answers are kept."""

    content: str  # SHA-256 of its lines; with the attempt also in the batch's metadata
    attempt: int  # 0, 1 … where the same lines had to be submitted again
    keys: tuple[str, ...]  # custom ids, in the order of its lines
    # submitting: the server may or may not know it; open: polled; cancelling: given up, its rest awaited;
    # closed: read, or lost
    state: Literal["submitting", "open", "cancelling", "closed"]
    created: float  # seconds since the epoch
    file: str | None = None  # the server's id of the uploaded file
    batch: str | None = None  # the server's id of the batch
    refused: tuple[str, ...] = ()  # parameters that were left out of its lines, as the model had refused them


_SHARD = TypeAdapter(Shard)


class Store(Protocol):
    """Where answers and shards are kept. An answer's key is opaque: a request's, or a part's."""

    def answers(self, keys: Sequence[str]) -> dict[str, Answer]:
        """The kept answers to these keys; keys without one are absent."""

    def keep(self, answers: Iterable[Answer]) -> None:
        """Keep answers, all of them or none, durably; a newer answer to the same key replaces the older."""

    def shards(self) -> list[Shard]:
        """All shards, in the order in which they were first kept."""

    def keep_shard(self, shard: Shard) -> None:
        """Keep a shard, durably; its content and attempt are its identity."""


def settled(answer: Answer | None) -> bool:
    """Whether nothing is to be gained by asking again."""
    return answer is not None and not (answer.error is not None and answer.transient)


class SqliteStore:
    """A store in SQLite, in a file of its own or in tables beside others.

    >>> store = SqliteStore(":memory:")
    >>> store.keep([Answer("k", ("happy",))])
    >>> store.answers(["k", "l"])["k"].texts
    ('happy',)
    """

    def __init__(self, database: Path | str | sqlite3.Connection) -> None:
        """Open a database, made where there is none; an open connection is used as it is.

        Raises:
            ProviderError: the file cannot be opened, or is no database.
        """
        try:
            self._connection = self._open(database)
            with self._connection:
                self._connection.execute(
                    "CREATE TABLE IF NOT EXISTS provider_answers (key TEXT PRIMARY KEY, json TEXT NOT NULL)"
                )
                self._connection.execute(
                    "CREATE TABLE IF NOT EXISTS provider_shards "
                    "(content TEXT, attempt INTEGER, json TEXT NOT NULL, PRIMARY KEY (content, attempt))"
                )
        except sqlite3.Error as error:
            raise ProviderError(
                database, found=str(error), expected="an SQLite database that can be written"
            ) from error

    @staticmethod
    def _open(database: Path | str | sqlite3.Connection) -> sqlite3.Connection:
        if isinstance(database, sqlite3.Connection):
            return database
        connection = sqlite3.connect(database, timeout=60.0)  # seconds that another writer is waited for
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        return connection

    def answers(self, keys: Sequence[str]) -> dict[str, Answer]:
        found = {}
        for start in range(0, len(keys), 500):  # SQLite takes a bounded number of variables
            some = list(keys[start : start + 500])
            marks = ",".join("?" * len(some))
            rows = self._connection.execute(
                f"SELECT key, json FROM provider_answers WHERE key IN ({marks})", some
            )
            found.update({key: _ANSWER.validate_json(text) for key, text in rows})
        return found

    def keep(self, answers: Iterable[Answer]) -> None:
        rows = [(answer.key, _ANSWER.dump_json(answer).decode()) for answer in answers]
        with self._connection:
            self._connection.executemany("INSERT OR REPLACE INTO provider_answers VALUES (?, ?)", rows)

    def shards(self) -> list[Shard]:
        rows = self._connection.execute("SELECT json FROM provider_shards ORDER BY rowid")
        return [_SHARD.validate_json(text) for (text,) in rows]

    def keep_shard(self, shard: Shard) -> None:
        with self._connection:
            self._connection.execute(
                "INSERT INTO provider_shards VALUES (?, ?, ?) "
                "ON CONFLICT (content, attempt) DO UPDATE SET json = excluded.json",
                (shard.content, shard.attempt, _SHARD.dump_json(shard).decode()),
            )

    def close(self) -> None:
        self._connection.close()
