"""Jobs: each recording is followed to its end once, whatever happens to the process."""

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import Connection

from emojudge.records import Failure, Passage, Point, Record, Timeline, Transcript
from emojudge.serve.base import Base, now
from emojudge.serve.schema import Job, State
from emojudge.timeline import Result, timeline_of

ATTEMPTS = 3  # a job that took the server down with it so often is not begun again
_KINDS: dict[str, type[Passage | Point | Failure]] = {"passage": Passage, "point": Point, "failure": Failure}


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
    """The jobs of a folder: their uploads, their audio where it stays, and all else in the server's file."""

    def __init__(self, folder: Path, base: Base) -> None:
        self.uploads, self.audio = folder / "uploads", folder / "audio"
        for path in (self.uploads, self.audio):
            path.mkdir(mode=0o700, exist_ok=True)
        self._base = base

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
        with self._base.changed() as base:
            base.execute(
                "INSERT INTO jobs (id, name, options, state, created, number) VALUES (?, ?, ?, 'queued', ?, "
                "(SELECT coalesce(max(number), 0) + 1 FROM jobs))",
                (job, name, options.model_dump_json(), now()),
            )
        return self.get(job)  # type: ignore[return-value]

    def waiting(self) -> int:
        """Jobs that are queued."""
        return int(self._base.one("SELECT count(*) FROM jobs WHERE state = 'queued'")[0])

    def begin(self) -> Begun | None:
        """Take the oldest queued job."""
        with self._base.changed() as base:
            row = base.execute(
                "SELECT id, name, attempts + 1, options FROM jobs WHERE state = 'queued' "
                "ORDER BY number LIMIT 1"
            ).fetchone()
            if row is None:
                return None
            base.execute(
                "UPDATE jobs SET state = 'running', attempts = attempts + 1, seconds = 0, "
                "started = coalesce(started, ?) WHERE id = ?",
                (now(), row[0]),
            )
            # What an earlier attempt found is found again.
            base.execute("DELETE FROM passages WHERE job = ?", (row[0],))
            base.execute("DELETE FROM events WHERE job = ?", (row[0],))
            _event(base, row[0], row[2], "started", {"attempt": row[2]})
        return Begun(row[0], row[1], row[2], Options.model_validate_json(row[3]))

    # ------------------------------------------------------------------------------------------ while it runs

    def note(self, job: Begun, results: Sequence[Result], seconds: float) -> bool:
        """Write down how far it is and what was found; False where the job is not to go on."""
        with self._base.changed() as base:
            if not _is_running(base, job):
                return False
            for result in results:
                kind = type(result).__name__.lower()
                _event(base, job.id, job.attempt, kind, result.model_dump_json())
                if isinstance(result, Passage):
                    base.execute(
                        "INSERT INTO passages SELECT ?, count(*), ?, ? FROM passages WHERE job = ?",
                        (job.id, doubt(result), result.model_dump_json(), job.id),
                    )
            base.execute("UPDATE jobs SET seconds = ? WHERE id = ?", (seconds, job.id))
            if not results:
                _event(base, job.id, job.attempt, "progress", {"seconds": round(seconds, 3)})
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
        with self._base.changed() as base:
            if not _is_running(base, job):
                return False
            _sort(base, job.id)
            base.execute(
                "UPDATE jobs SET state = ?, finished = ?, error = ?, bundle = ?, notes = ?, audio_kept = ? "
                "WHERE id = ?",
                (state, now(), error, bundle, json.dumps(notes), audio_kept, job.id),
            )
            _event(base, job.id, job.attempt, state, {"error": error} if error else {})
        self.upload(job.id).unlink(missing_ok=True)
        return True

    def requeue(self, job: Begun) -> None:
        """Put a running job back for the next start; an attempt that was asked to end is none."""
        with self._base.changed() as base:
            base.execute(
                "UPDATE jobs SET state = 'queued', attempts = attempts - 1 "
                "WHERE id = ? AND state = 'running'",
                (job.id,),
            )

    def recover(self) -> int:
        """After a crash: jobs that ran are queued again; those that were begun too often have failed."""
        error = f"found the server ended {ATTEMPTS} times while it was at this recording; expected an answer."
        with self._base.changed() as base:
            base.execute(
                "UPDATE jobs SET state = 'failed', finished = ?, error = ? "
                "WHERE state = 'running' AND attempts >= ?",
                (now(), error, ATTEMPTS),
            )
            again = base.execute("UPDATE jobs SET state = 'queued' WHERE state = 'running'").rowcount
            rows = base.execute("SELECT id, state, audio_kept FROM jobs").fetchall()
        needed = {job for job, state, _ in rows if state == "queued"}
        kept = {f"{job}.flac" for job, _, audio in rows if audio}
        for folder, names in ((self.uploads, needed), (self.audio, kept)):
            for path in folder.iterdir():  # such as an upload that was broken off
                if path.name not in names:
                    path.unlink()
        return again

    def delete(self, job: str) -> bool:
        """Cancel a job, and forget all about it; False where there is none."""
        with self._base.changed() as base:
            gone = base.execute("DELETE FROM jobs WHERE id = ?", (job,)).rowcount
        self.upload(job).unlink(missing_ok=True)
        self.kept(job).unlink(missing_ok=True)
        return bool(gone)

    def cancel(self, job: str) -> bool:
        """End a job that has not ended; what was found stays. False where it had."""
        with self._base.changed() as base:
            changed = base.execute(
                "UPDATE jobs SET state = 'cancelled', finished = ? "
                "WHERE id = ? AND state IN ('queued', 'running')",
                (now(), job),
            ).rowcount
            if changed:
                _event(base, job, 0, "cancelled", {})
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
        rows = self._base.all(
            "SELECT number, kind, data FROM events WHERE job = ? AND number > ? ORDER BY number LIMIT ?",
            (job, after, most),
        )
        return [Event(*row) for row in rows]

    def passage(self, job: str, place: int) -> Passage | None:
        """One passage by its place."""
        row = self._base.one("SELECT passage FROM passages WHERE job = ? AND place = ?", (job, place))
        return Passage.model_validate_json(row[0]) if row else None

    # ------------------------------------------------------------------------------------------------- within

    def _timeline(self, job: Job) -> Timeline:
        rows = self._base.all("SELECT kind, data FROM events WHERE job = ? ORDER BY number", (job.id,))
        found = self._base.one("SELECT bundle, notes FROM jobs WHERE id = ?", (job.id,))
        bundle, notes = found or ("", "[]")
        results = [_KINDS[kind].model_validate_json(data) for kind, data in rows if kind in _KINDS]
        return timeline_of(results, id=job.name, seconds=job.seconds, bundle=bundle, notes=json.loads(notes))

    def _jobs(self, where: str, values: tuple[object, ...]) -> list[Job]:
        names = "id, name, state, created, started, finished, attempts, seconds, error, audio_kept"
        counted = "(SELECT count(*) FROM passages WHERE job = id)"
        rows = self._base.all(f"SELECT {names}, {counted} FROM jobs {where}", values)
        keys = [*names.split(", "), "passages"]
        return [Job.model_validate(dict(zip(keys, row, strict=True))) for row in rows]


def doubt(passage: Passage) -> float:
    """How little the most likely emotion stands out: 1 less the distance to the next one's score, 0..1."""
    first, second, *_ = sorted(passage.prediction.scores.values(), reverse=True)
    return 1 - (first - second)


def _span(passage: Passage) -> tuple[float, float]:
    return passage.start, passage.end


def _is_running(base: Connection, job: Begun) -> bool:
    row = base.execute("SELECT state, attempts FROM jobs WHERE id = ?", (job.id,)).fetchone()
    return bool(row == ("running", job.attempt))


def _sort(base: Connection, job: str) -> None:
    """Passages came as they ended; their places from now on are those of the timeline."""
    rows = base.execute("SELECT place, passage FROM passages WHERE job = ?", (job,)).fetchall()
    rows.sort(key=lambda row: _span(Passage.model_validate_json(row[1])))
    places = [(-1 - place, job, before) for place, (before, _) in enumerate(rows)]  # below those in use
    base.executemany("UPDATE passages SET place = ? WHERE job = ? AND place = ?", places)
    base.execute("UPDATE passages SET place = -1 - place WHERE job = ?", (job,))


def _event(base: Connection, job: str, attempt: int, kind: str, data: object) -> None:
    text = data if isinstance(data, str) else json.dumps(data)
    base.execute(
        "INSERT INTO events (job, attempt, kind, data) VALUES (?, ?, ?, ?)", (job, attempt, kind, text)
    )
