"""Jobs in an SQLite file: each recording is followed to its end once, whatever happens to the process."""

import json
import os
import sqlite3
import threading
import uuid
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from emojudge.errors import EmojudgeError
from emojudge.records import Failure, Passage, Point, Record, Timeline, Transcript
from emojudge.serve.schema import Correction, CorrectionRequest, Doubtful, Job, State

VERSION = 1
ATTEMPTS = 3  # a job that took the server down with it so often is not begun again
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

Result = Passage | Point | Failure


class Options(Record):
    """What a client asked of a job."""

    judge: bool = False
    transcript: Transcript | None = None  # what is said, with times
    turns: Transcript | None = None  # who speaks when


@dataclass(frozen=True)
class Begun:
    """A job that is to be done now."""

    id: str
    name: str
    attempt: int
    options: Options


@dataclass(frozen=True)
class Event:
    """Something that happened to a job, in the order of its numbers."""

    number: int
    kind: str  # started, passage, point, failure, progress, or the state it ended in
    data: str  # JSON


class Store:
    """The jobs of a folder, which belongs to one server.

    Raises:
        EmojudgeError: the file cannot be used, or is of another version.
    """

    def __init__(self, folder: Path) -> None:
        self.uploads, self.audio = folder / "uploads", folder / "audio"
        for path in (self.uploads, self.audio):
            path.mkdir(mode=0o700, exist_ok=True)
        self._lock = threading.RLock()
        path = folder / "jobs.sqlite"
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

    # ---------------------------------------------------------------------------------------------- coming in

    def upload(self, job: str) -> Path:
        """Where a job's recording is until it is done: a name of ours, never a client's."""
        return self.uploads / job

    def kept(self, job: str) -> Path:
        """Where a job's audio stays, if that was asked for: FLAC, mono, 16 kHz."""
        return self.audio / f"{job}.flac"

    def new_id(self) -> str:
        """An id that nobody can guess."""
        return uuid.uuid4().hex

    def add(self, job: str, name: str, options: Options) -> Job:
        """Queue a job whose upload is in its place."""
        with self._lock, self._base:
            self._base.execute("BEGIN IMMEDIATE")
            self._base.execute(
                "INSERT INTO jobs (id, name, options, state, created, number) VALUES (?, ?, ?, 'queued', ?, "
                "(SELECT coalesce(max(number), 0) + 1 FROM jobs))",
                (job, name, options.model_dump_json(), _now()),
            )
        return self.get(job)  # type: ignore[return-value]

    def waiting(self) -> int:
        """Jobs that are queued."""
        return int(self._one("SELECT count(*) FROM jobs WHERE state = 'queued'")[0])

    def begin(self) -> Begun | None:
        """Take the oldest queued job."""
        with self._lock, self._base:
            self._base.execute("BEGIN IMMEDIATE")
            row = self._base.execute(
                "SELECT id, name, attempts + 1, options FROM jobs WHERE state = 'queued' "
                "ORDER BY number LIMIT 1"
            ).fetchone()
            if row is None:
                return None
            self._base.execute(
                "UPDATE jobs SET state = 'running', attempts = attempts + 1, seconds = 0, "
                "started = coalesce(started, ?) WHERE id = ?",
                (_now(), row[0]),
            )
            # What an earlier attempt found is found again.
            self._base.execute("DELETE FROM passages WHERE job = ?", (row[0],))
            self._base.execute("DELETE FROM events WHERE job = ?", (row[0],))
            self._event(row[0], row[2], "started", {"attempt": row[2]})
        return Begun(row[0], row[1], row[2], Options.model_validate_json(row[3]))

    # ------------------------------------------------------------------------------------------ while it runs

    def note(self, job: Begun, results: Sequence[Result], seconds: float) -> bool:
        """Write down how far it is and what was found; False where the job is not to go on."""
        with self._lock, self._base:
            self._base.execute("BEGIN IMMEDIATE")
            if not self._is_running(job):
                return False
            for result in results:
                kind = type(result).__name__.lower()
                self._event(job.id, job.attempt, kind, result.model_dump_json())
                if isinstance(result, Passage):
                    self._base.execute(
                        "INSERT INTO passages SELECT ?, count(*), ?, ? FROM passages WHERE job = ?",
                        (job.id, doubt(result), result.model_dump_json(), job.id),
                    )
            self._base.execute("UPDATE jobs SET seconds = ? WHERE id = ?", (seconds, job.id))
            if not results:
                self._event(job.id, job.attempt, "progress", {"seconds": round(seconds, 3)})
        return True

    def end(
        self,
        job: Begun,
        state: State,
        *,
        error: str | None = None,
        bundle: str = "",
        notes: Sequence[str] = (),
        audio_kept: bool = False,
    ) -> bool:
        """The end of an attempt, whole or not at all; False where the job had ended already."""
        with self._lock, self._base:
            self._base.execute("BEGIN IMMEDIATE")
            if not self._is_running(job):
                return False
            self._sort(job.id)
            self._base.execute(
                "UPDATE jobs SET state = ?, finished = ?, error = ?, bundle = ?, notes = ?, audio_kept = ? "
                "WHERE id = ?",
                (state, _now(), error, bundle, json.dumps(notes), audio_kept, job.id),
            )
            self._event(job.id, job.attempt, state, {"error": error} if error else {})
        self.upload(job.id).unlink(missing_ok=True)
        return True

    def requeue(self, job: Begun) -> None:
        """Put a running job back for the next start; an attempt that was asked to end is none."""
        with self._lock, self._base:
            self._base.execute(
                "UPDATE jobs SET state = 'queued', attempts = attempts - 1 "
                "WHERE id = ? AND state = 'running'",
                (job.id,),
            )

    def recover(self) -> int:
        """After a crash: jobs that ran are queued again; those that were begun too often have failed."""
        error = f"found the server ended {ATTEMPTS} times while it was at this recording; expected an answer."
        with self._lock, self._base:
            self._base.execute("BEGIN IMMEDIATE")
            self._base.execute(
                "UPDATE jobs SET state = 'failed', finished = ?, error = ? "
                "WHERE state = 'running' AND attempts >= ?",
                (_now(), error, ATTEMPTS),
            )
            again = self._base.execute("UPDATE jobs SET state = 'queued' WHERE state = 'running'").rowcount
            rows = self._base.execute("SELECT id, state, audio_kept FROM jobs").fetchall()
        needed = {job for job, state, _ in rows if state == "queued"}
        kept = {f"{job}.flac" for job, _, audio in rows if audio}
        for folder, names in ((self.uploads, needed), (self.audio, kept)):
            for path in folder.iterdir():  # such as an upload that was broken off
                if path.name not in names:
                    path.unlink()
        return again

    def delete(self, job: str) -> bool:
        """Cancel a job, and forget all about it; False where there is none."""
        with self._lock, self._base:
            gone = self._base.execute("DELETE FROM jobs WHERE id = ?", (job,)).rowcount
        self.upload(job).unlink(missing_ok=True)
        self.kept(job).unlink(missing_ok=True)
        return bool(gone)

    def cancel(self, job: str) -> bool:
        """End a job that has not ended; what was found stays. False where it had."""
        with self._lock, self._base:
            self._base.execute("BEGIN IMMEDIATE")
            changed = self._base.execute(
                "UPDATE jobs SET state = 'cancelled', finished = ? "
                "WHERE id = ? AND state IN ('queued', 'running')",
                (_now(), job),
            ).rowcount
            if changed:
                self._event(job, 0, "cancelled", {})
        if changed:
            self.upload(job).unlink(missing_ok=True)
        return bool(changed)

    # --------------------------------------------------------------------------------------------- looking at

    def get(self, job: str, timeline: bool = False) -> Job | None:
        """A job, with what was found of it."""
        found = self._jobs("WHERE id = ?", (job,))
        if not found or not timeline:
            return found[0] if found else None
        return found[0].model_copy(update={"timeline": self._timeline(found[0])})

    def all(self, most: int) -> list[Job]:
        """The newest jobs."""
        return self._jobs("ORDER BY number DESC LIMIT ?", (most,))

    def events(self, job: str, after: int, most: int = 500) -> list[Event]:
        """What happened after an event."""
        rows = self._all(
            "SELECT number, kind, data FROM events WHERE job = ? AND number > ? ORDER BY number LIMIT ?",
            (job, after, most),
        )
        return [Event(*row) for row in rows]

    def passage(self, job: str, place: int) -> Passage | None:
        """One passage by its place."""
        row = self._one("SELECT passage FROM passages WHERE job = ? AND place = ?", (job, place))
        return Passage.model_validate_json(row[0]) if row else None

    def doubtful(self, most: int) -> list[Doubtful]:
        """Passages of jobs that are done and that nobody has corrected, the most doubtful first."""
        rows = self._all(
            "SELECT p.job, p.place, p.doubt, p.passage FROM passages p JOIN jobs j ON j.id = p.job "
            "LEFT JOIN corrections c ON c.job = p.job AND c.place = p.place "
            "WHERE j.state = 'done' AND c.job IS NULL ORDER BY p.doubt DESC, p.job, p.place LIMIT ?",
            (most,),
        )
        return [
            Doubtful(job=job, number=place, doubt=doubt, passage=Passage.model_validate_json(passage))
            for job, place, doubt, passage in rows
        ]

    def correct(self, asked: CorrectionRequest, before: Passage, audio_kept: bool) -> Correction:
        """Keep a correction in place of an earlier one."""
        values = (asked.job, asked.passage, asked.model_dump_json(), before.prediction.emotion, audio_kept)
        with self._lock, self._base:
            self._base.execute(
                "INSERT OR REPLACE INTO corrections VALUES (?, ?, ?, ?, ?, ?)", (*values, _now())
            )
        return next(found for found in self.corrected(asked.job) if found.passage == asked.passage)

    def corrected(self, job: str | None = None) -> list[Correction]:
        """The corrections of a job, or all of them."""
        columns = "asked, before, audio_kept, created"
        query = f"SELECT {columns} FROM corrections WHERE ? IN (job, '') ORDER BY job, place"
        return [
            Correction(**json.loads(asked), before=before, audio_kept=kept, created=created)
            for asked, before, kept, created in self._all(query, (job or "",))
        ]

    def uncorrect(self, job: str, place: int) -> bool:
        """Take a correction back; False where there is none."""
        query = "DELETE FROM corrections WHERE job = ? AND place = ?"
        with self._lock, self._base:
            return bool(self._base.execute(query, (job, place)).rowcount)

    def corrections(self) -> Iterable[tuple[CorrectionRequest, Passage, bool]]:
        """What was corrected, with the passage as it was predicted and whether there is audio."""
        rows = self._all(
            "SELECT c.asked, p.passage, c.audio_kept FROM corrections c "
            "JOIN passages p ON p.job = c.job AND p.place = c.place ORDER BY c.job, c.place"
        )
        for asked, passage, audio in rows:
            yield (
                CorrectionRequest.model_validate_json(asked),
                Passage.model_validate_json(passage),
                bool(audio),
            )

    # ------------------------------------------------------------------------------------------------- within

    def _timeline(self, job: Job) -> Timeline:
        rows = self._all("SELECT kind, data FROM events WHERE job = ? ORDER BY number", (job.id,))
        (bundle, notes) = self._one("SELECT bundle, notes FROM jobs WHERE id = ?", (job.id,)) or ("", "[]")
        passages = [Passage.model_validate_json(data) for kind, data in rows if kind == "passage"]
        points = [Point.model_validate_json(data) for kind, data in rows if kind == "point"]
        return Timeline(
            id=job.name,
            seconds=job.seconds,
            bundle=bundle,
            passages=tuple(sorted(passages, key=_span)),
            points=tuple(sorted(points, key=lambda point: point.time)),
            failures=tuple(Failure.model_validate_json(data) for kind, data in rows if kind == "failure"),
            notes=tuple(json.loads(notes)),
        )

    def _jobs(self, where: str, values: tuple[object, ...]) -> list[Job]:
        names = "id, name, state, created, started, finished, attempts, seconds, error, audio_kept"
        counted = "(SELECT count(*) FROM passages WHERE job = id)"
        rows = self._all(f"SELECT {names}, {counted} FROM jobs {where}", values)
        keys = [*names.split(", "), "passages"]
        return [Job.model_validate(dict(zip(keys, row, strict=True))) for row in rows]

    def _is_running(self, job: Begun) -> bool:
        row = self._base.execute("SELECT state, attempts FROM jobs WHERE id = ?", (job.id,)).fetchone()
        return bool(row == ("running", job.attempt))

    def _sort(self, job: str) -> None:
        """Passages came as they ended; their places from now on are those of the timeline."""
        rows = self._base.execute("SELECT place, passage FROM passages WHERE job = ?", (job,)).fetchall()
        rows.sort(key=lambda row: _span(Passage.model_validate_json(row[1])))
        places = [(-1 - place, job, before) for place, (before, _) in enumerate(rows)]  # below those in use
        self._base.executemany("UPDATE passages SET place = ? WHERE job = ? AND place = ?", places)
        self._base.execute("UPDATE passages SET place = -1 - place WHERE job = ?", (job,))

    def _event(self, job: str, attempt: int, kind: str, data: object) -> None:
        text = data if isinstance(data, str) else json.dumps(data)
        self._base.execute(
            "INSERT INTO events (job, attempt, kind, data) VALUES (?, ?, ?, ?)", (job, attempt, kind, text)
        )

    def _all(self, query: str, values: tuple[object, ...] = ()) -> list[tuple]:  # type: ignore[type-arg]
        with self._lock, closing(self._base.execute(query, values)) as cursor:
            return cursor.fetchall()

    def _one(self, query: str, values: tuple[object, ...] = ()) -> tuple:  # type: ignore[type-arg]
        rows = self._all(query, values)
        return rows[0] if rows else ()


def doubt(passage: Passage) -> float:
    """How little the most likely emotion stands out: 1 less the distance to the next one's score, 0..1."""
    first, second, *_ = sorted(passage.prediction.scores.values(), reverse=True)
    return 1 - (first - second)


def _span(passage: Passage) -> tuple[float, float]:
    return passage.start, passage.end


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
