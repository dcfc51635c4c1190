"""Timelines as JSON, CSV and SubRip."""

import csv
from collections.abc import Callable
from typing import TextIO

from emojudge.cli.choices import Layout
from emojudge.records import Passage, Timeline
from emojudge.rows import COLUMNS, row


def _write_json(timeline: Timeline, file: TextIO) -> None:
    file.write(timeline.model_dump_json(indent=1) + "\n")


def _write_csv(timeline: Timeline, file: TextIO) -> None:
    """A row for each passage, with the columns of `predict` after its times; then those that failed."""
    writer = csv.DictWriter(file, ["start", "end", "speaker", *COLUMNS], restval="")
    writer.writeheader()
    for passage in timeline.passages:
        times = {"start": f"{passage.start:.3f}", "end": f"{passage.end:.3f}", "speaker": passage.speaker}
        writer.writerow(times | row(passage.prediction))
    for failure in timeline.failures:
        writer.writerow(row(failure))


def _write_srt(timeline: Timeline, file: TextIO) -> None:
    """A cue for each passage: who, the emotion with its score, the words."""
    for number, passage in enumerate(timeline.passages, start=1):
        times = f"{_timestamp(passage.start)} --> {_timestamp(passage.end)}"
        file.write(f"{number}\n{times}\n{_cue(passage)}\n\n")


def _cue(passage: Passage) -> str:
    said = passage.prediction
    emotion = said.verdict.emotion if said.verdict else said.emotion
    scores = said.verdict.scores if said.verdict else said.scores
    words = " ".join(said.transcript.text.split()) if said.transcript else ""
    who = f"[{' '.join(passage.speaker.split())}]: " if passage.speaker else ""
    return f"{who}({emotion} {scores[emotion]:.0%}) {words}".rstrip()


def _timestamp(seconds: float) -> str:
    """Seconds as SubRip writes them.

    >>> _timestamp(3723.5)
    '01:02:03,500'
    """
    minutes, rest = divmod(round(1000 * seconds), 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02},{rest % 1000:03}"


WRITERS: dict[Layout, Callable[[Timeline, TextIO], None]] = {
    Layout.JSON: _write_json,
    Layout.CSV: _write_csv,
    Layout.SRT: _write_srt,
}
