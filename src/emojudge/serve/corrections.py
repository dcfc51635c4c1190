"""What people say passages of jobs really are, and which passages most need their ear."""

import json
from collections.abc import Iterable

from emojudge.records import Passage
from emojudge.serve.base import Base, now
from emojudge.serve.schema import Correction, CorrectionRequest, Doubtful


class Corrections:
    """The corrections in the server's file, one of a passage at most."""

    def __init__(self, base: Base) -> None:
        self._base = base

    def doubtful(self, most: int) -> list[Doubtful]:
        """Passages of jobs that are done and that nobody has corrected, the most doubtful first."""
        rows = self._base.all(
            "SELECT p.job, p.place, p.doubt, p.passage FROM passages p JOIN jobs j ON j.id = p.job "
            "LEFT JOIN corrections c ON c.job = p.job AND c.place = p.place "
            "WHERE j.state = 'done' AND c.job IS NULL ORDER BY p.doubt DESC, p.job, p.place LIMIT ?",
            (most,),
        )
        return [
            Doubtful(job=job, number=place, doubt=doubt, passage=Passage.model_validate_json(passage))
            for job, place, doubt, passage in rows
        ]

    def add(self, asked: CorrectionRequest, before: Passage, audio_kept: bool) -> Correction:
        """Keep a correction in place of an earlier one."""
        values = (asked.job, asked.passage, asked.model_dump_json(), before.prediction.emotion, audio_kept)
        with self._base.changed() as base:
            base.execute("INSERT OR REPLACE INTO corrections VALUES (?, ?, ?, ?, ?, ?)", (*values, now()))
        return next(found for found in self.of(asked.job) if found.passage == asked.passage)

    def of(self, job: str | None = None) -> list[Correction]:
        """The corrections of a job, or all of them."""
        columns = "asked, before, audio_kept, created"
        query = f"SELECT {columns} FROM corrections WHERE ? IN (job, '') ORDER BY job, place"
        return [
            Correction(**json.loads(asked), before=before, audio_kept=kept, created=created)
            for asked, before, kept, created in self._base.all(query, (job or "",))
        ]

    def delete(self, job: str, place: int) -> bool:
        """Take a correction back; False where there is none."""
        query = "DELETE FROM corrections WHERE job = ? AND place = ?"
        with self._base.changed() as base:
            return bool(base.execute(query, (job, place)).rowcount)

    def learned(self) -> Iterable[tuple[CorrectionRequest, Passage, bool]]:
        """What was corrected, with the passage as it was predicted and whether there is audio."""
        rows = self._base.all(
            "SELECT c.asked, p.passage, c.audio_kept FROM corrections c "
            "JOIN passages p ON p.job = c.job AND p.place = c.place ORDER BY c.job, c.place"
        )
        for asked, passage, audio in rows:
            yield (
                CorrectionRequest.model_validate_json(asked),
                Passage.model_validate_json(passage),
                bool(audio),
            )
