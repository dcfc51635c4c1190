"""The ledger: every request, answer, reading, verdict and cost, in one SQLite file.

An answer is in the file before anything is made of it, so that a process that is killed loses none that was
paid for, and whoever asks the same again gets it from here for nothing. The file holds transcripts: it is
readable by its owner alone. It holds no keys: requests have none, and what looks like one in a server's
message is cut out.
"""

import json
import math
import os
import re
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

from pydantic import TypeAdapter

from emojudge.errors import JudgeError
from emojudge.judge.answer import Reading
from emojudge.judge.exchange import Answer, Request, Sampling
from emojudge.records import Verdict

VERSION = 1
_TABLES = """
CREATE TABLE texts (hash TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE requests (
    key TEXT PRIMARY KEY, provider TEXT NOT NULL, model TEXT NOT NULL, prompt TEXT NOT NULL,
    messages TEXT NOT NULL, schema TEXT, sampling TEXT NOT NULL, written TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE answers (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL, answer TEXT NOT NULL, cost REAL, usable INTEGER NOT NULL,
    received TEXT NOT NULL
);
CREATE INDEX answers_by_key ON answers (key);
CREATE TABLE runs (id INTEGER PRIMARY KEY, began TEXT NOT NULL, model TEXT NOT NULL, settings TEXT NOT NULL);
CREATE TABLE verdicts (
    run INTEGER NOT NULL, utterance TEXT NOT NULL, key TEXT, reading TEXT, verdict TEXT NOT NULL,
    PRIMARY KEY (run, utterance)
) WITHOUT ROWID;
"""
_ANSWER, _READING, _SAMPLING = TypeAdapter(Answer), TypeAdapter(Reading), TypeAdapter(Sampling)
_SECRET = re.compile(r"\b(?:sk|pk|rk|key|api)[-_][\w-]{8,}|(?i:bearer)\s+\S+")

Row = tuple[str | None, Reading | None, Verdict]  # the request's key, what was read, what became of it


class Ledger:
    """A ledger's file; without a path, one in memory that ends with the process.

    Raises:
        JudgeError: the file is no ledger, or of a newer version, or cannot be written.
    """

    def __init__(self, path: Path | str | None = None) -> None:
        self.path = None if path is None else Path(path)
        self._lock = threading.RLock()
        # What most requests have in common, with what is written for it: the system message and the schema.
        self._common: tuple[str, str] = ("", "")
        self._schema: tuple[dict[str, Any] | None, str | None] = (None, None)
        try:
            if self.path is not None and not self.path.exists():
                os.close(os.open(self.path, os.O_CREAT | os.O_WRONLY, 0o600))
            self._base = sqlite3.connect(
                self.path or ":memory:", timeout=30, isolation_level=None, check_same_thread=False
            )
            self._base.execute("PRAGMA journal_mode = WAL")
            # In WAL mode a commit outlives the process at once, and the machine at the next checkpoint.
            self._base.execute("PRAGMA synchronous = NORMAL")
            self._base.execute(
                "PRAGMA wal_autocheckpoint = 4000"
            )  # pages, so many MB: most are written often
            self._prepare()
        except (OSError, sqlite3.Error) as error:
            raise JudgeError(
                self.path or "ledger", found=str(error), expected="a ledger's file, or a place for a new one"
            ) from error

    def _prepare(self) -> None:
        self._base.execute("BEGIN IMMEDIATE")  # two processes may begin the same ledger
        try:
            (version,) = self._base.execute("PRAGMA user_version").fetchone()
            tables = self._base.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            if version == 0 and tables == 0:
                for statement in _TABLES.split(";")[:-1]:
                    self._base.execute(statement)
                self._base.execute(f"PRAGMA user_version = {VERSION}")
            elif version != VERSION:
                raise sqlite3.DatabaseError(f"version {version}, where this program writes {VERSION}")
        finally:
            self._base.execute("COMMIT")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. What was written is there with or without this."""
        with self._lock:
            self._base.close()

    # ------------------------------------------------------------------------------------------ while judging

    def begin(self, model: str, settings: dict[str, Any]) -> int:
        """Note a run with its settings; its number."""
        with self._lock:
            cursor = self._base.execute(
                "INSERT INTO runs (began, model, settings) VALUES (?, ?, ?)",
                (_now(), model, json.dumps(settings)),
            )
            return int(cursor.lastrowid or 0)

    def answered(self, key: str) -> Answer | None:
        """The newest usable answer to a request. Errors that cost nothing are not: asking again may help."""
        with self._lock:
            row = self._base.execute(
                "SELECT answer FROM answers WHERE key = ? AND usable ORDER BY id DESC LIMIT 1", (key,)
            ).fetchone()
        return _ANSWER.validate_json(row[0]) if row else None

    def cost(self, key: str) -> float | None:
        """What all answers to a request cost in US dollars; None where no price was known."""
        with self._lock:
            row = self._base.execute("SELECT sum(cost) FROM answers WHERE key = ?", (key,)).fetchone()
        return None if row[0] is None else float(row[0])

    def keep(
        self, request: Request, answer: Answer, cost: float | None, *, provider: str, model: str, prompt: str
    ) -> None:
        """Write a request and its answer down, with the cost in US dollars where that is known."""
        if answer.error is not None:
            answer = replace(answer, error=_SECRET.sub("[removed]", answer.error))
        if answer.letter_logprobs:  # JSON has no infinity
            finite = {
                letter: value for letter, value in answer.letter_logprobs.items() if math.isfinite(value)
            }
            answer = replace(answer, letter_logprobs=finite or None)
        paid = answer.usage.prompt + answer.usage.completion > 0
        usable = answer.error is None or (paid and not answer.transient)
        texts = [(self._hash(message.content), message.content) for message in request.messages]
        said = [[message.role, text] for message, (text, _) in zip(request.messages, texts, strict=True)]
        if request.schema is not self._schema[0]:
            self._schema = request.schema, json.dumps(request.schema) if request.schema else None
        now = _now()
        requested = (
            request.key,
            provider,
            model,
            prompt,
            json.dumps(said),
            self._schema[1],
            _sampling(request.sampling),
            now,
        )
        came = (answer.key, _ANSWER.dump_json(answer).decode(), cost, usable, answer.received or now)
        new = [(text, content) for text, content in texts if text != self._common[1]]
        with self._transaction() as base:
            base.executemany("INSERT OR IGNORE INTO texts VALUES (?, ?)", new)
            base.execute("INSERT OR IGNORE INTO requests VALUES (?, ?, ?, ?, ?, ?, ?, ?)", requested)
            base.execute(
                "INSERT INTO answers (key, answer, cost, usable, received) VALUES (?, ?, ?, ?, ?)", came
            )
            if texts:
                self._common = texts[0][1], texts[0][0]

    def _hash(self, text: str) -> str:
        common, known = self._common
        return known if known and text == common else _text_hash(text)

    def record(self, run: int, rows: Sequence[Row]) -> None:
        """Write verdicts down; one that is there is replaced."""
        written = [
            (run, v.id, key, reading and _READING.dump_json(reading).decode(), v.model_dump_json())
            for key, reading, v in rows
        ]
        with self._transaction() as base:
            base.executemany("INSERT OR REPLACE INTO verdicts VALUES (?, ?, ?, ?, ?)", written)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All that is written within, or nothing."""
        with self._lock:
            try:
                self._base.execute("BEGIN IMMEDIATE")
                yield self._base
                self._base.execute("COMMIT")
            except sqlite3.Error as error:
                if self._base.in_transaction:
                    self._base.execute("ROLLBACK")
                advice = "Is the disk full, or another program at it?"
                raise JudgeError(
                    self.path or "ledger", found=str(error), expected="a ledger to write to", advice=advice
                ) from error

    # ------------------------------------------------------------------------------------------ for people

    def runs(self) -> list[dict[str, Any]]:
        """Each run with its settings and how many utterances became what."""
        with self._lock:
            runs = self._base.execute("SELECT id, began, model, settings FROM runs ORDER BY id").fetchall()
            counts = self._base.execute(
                "SELECT run, verdict ->> 'status', count(*) FROM verdicts GROUP BY 1, 2 ORDER BY 1, 2"
            ).fetchall()
        return [
            {
                "run": number,
                "began": began,
                "model": model,
                "settings": json.loads(settings),
                "verdicts": {status: count for run, status, count in counts if run == number},
            }
            for number, began, model, settings in runs
        ]

    def totals(self) -> dict[str, float]:
        """Requests, usable answers, errors, tokens and dollars of the whole ledger."""
        query = """SELECT (SELECT count(*) FROM requests),
            coalesce(sum(usable), 0), coalesce(sum(NOT usable), 0),
            coalesce(sum(answer ->> '$.usage.prompt'), 0), coalesce(sum(answer ->> '$.usage.completion'), 0),
            coalesce(sum(cost), 0) FROM answers"""
        with self._lock:
            row = self._base.execute(query).fetchone()
        return dict(
            zip(
                ("requests", "answers", "errors", "prompt_tokens", "completion_tokens", "cost"),
                row,
                strict=True,
            )
        )

    def entries(self, run: int | None = None, utterance: str | None = None) -> Iterator[dict[str, Any]]:
        """What was asked, answered and decided: of one run, one utterance, or all."""
        query = """SELECT v.run, v.utterance, v.key, v.reading, v.verdict,
            r.model, r.prompt, r.messages, r.written,
            (SELECT json_group_array(json(answer)) FROM answers a WHERE a.key = v.key),
            (SELECT sum(cost) FROM answers a WHERE a.key = v.key)
            FROM verdicts v LEFT JOIN requests r ON r.key = v.key
            WHERE (?1 IS NULL OR v.run = ?1) AND (?2 IS NULL OR v.utterance = ?2)
            AND (v.run, v.utterance) > (?3, ?4) ORDER BY v.run, v.utterance LIMIT 500"""
        last: tuple[int, str] = (0, "")
        while True:  # a page at a time, so that neither memory nor the lock is held
            with self._lock:
                page = self._base.execute(query, (run, utterance, *last)).fetchall()
            for row in page:
                yield self._entry(row)
            if not page:
                return
            last = page[-1][:2]

    def _entry(self, row: tuple[Any, ...]) -> dict[str, Any]:
        run, utterance, key, reading, verdict, model, prompt, messages, written, answers, cost = row
        with self._lock:
            said = [
                {
                    "role": role,
                    "content": self._base.execute("SELECT text FROM texts WHERE hash = ?", (h,)).fetchone()[
                        0
                    ],
                }
                for role, h in json.loads(messages or "[]")
            ]
        return {
            "run": run,
            "utterance": utterance,
            "key": key,
            "model": model,
            "prompt": prompt,
            "written": written,
            "messages": said,
            "answers": json.loads(answers) if key else [],
            "cost": cost,
            "reading": reading and json.loads(reading),
            "verdict": json.loads(verdict),
        }


@lru_cache(maxsize=64)
def _sampling(sampling: Sampling) -> str:
    return _SAMPLING.dump_json(sampling).decode()


def _text_hash(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
