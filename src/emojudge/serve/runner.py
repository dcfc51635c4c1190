"""Jobs, one after the other on threads of their own, from upload to timeline."""

import contextlib
import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import soundfile

from emojudge.audio.decode import SAMPLE_RATE, Samples
from emojudge.errors import EmojudgeError
from emojudge.recognizer import Recognizer
from emojudge.records import Failure, Passage
from emojudge.serve.decoding import Decoders, Reading
from emojudge.serve.jobs import Begun, Store
from emojudge.serve.judging import Judging
from emojudge.serve.metrics import Metrics
from emojudge.serve.settings import Settings
from emojudge.timeline import Result, follow

IDLE = 1.0  # seconds between two looks for a job that nobody announced

log = logging.getLogger(__name__)


class _Stopped(Exception):
    """The server ends, or the job was cancelled."""


class Runner:
    """Does the store's jobs until it is closed; a job that is under way then is queued again."""

    def __init__(
        self,
        store: Store,
        decoders: Decoders,
        recognizer: Recognizer,
        judging: Judging,
        settings: Settings,
        metrics: Metrics,
    ) -> None:
        self._store, self._decoders, self._recognizer, self._judging = store, decoders, recognizer, judging
        self._settings, self._metrics = settings, metrics
        self._stop = threading.Event()
        self._news = threading.Condition()
        # One core stays for those who wait for an answer.
        self._threads = [
            threading.Thread(target=self._work, name=f"emojudge-job-{n}", daemon=True)
            for n in range(max(1, settings.workers - 1))
        ]

    def start(self) -> None:
        """Begin, with the jobs that an earlier server left."""
        self._store.recover()
        for thread in self._threads:
            thread.start()

    def announce(self) -> None:
        """There is a new job."""
        with self._news:
            self._news.notify()

    def close(self) -> None:
        """End after the segments under way."""
        self._stop.set()
        with self._news:
            self._news.notify_all()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while not self._stop.is_set():
            job = self._store.begin()
            if job is None:
                with self._news:
                    self._news.wait(IDLE)
                continue
            try:
                self._do(job)
            except Exception:  # whatever a job does, the next one has its turn
                log.exception("job %s", job.id)
                self._end(job, "failed", error="found an error of the server; its log says more")

    def _do(self, job: Begun) -> None:
        try:
            with contextlib.ExitStack() as stack:
                file = stack.enter_context(open(self._store.upload(job.id), "rb"))
                reading = self._decoders.stream(file, job.name, self._settings.minutes * 60)
                stack.callback(reading.close)
                kept = self._keeping(job, stack)
                broken = self._follow(job, reading, kept)
        except _Stopped:
            if self._stop.is_set():
                self._store.requeue(job)
            self._store.kept(job.id).unlink(missing_ok=True)
            return
        except (EmojudgeError, OSError) as error:
            self._end(job, "failed", error=str(error))
            return
        self._end(
            job,
            "failed" if broken else "done",
            error=broken,
            notes=reading.notes,
            bundle=self._recognizer.bundle.manifest.name,
            audio_kept=kept is not None,
        )

    def _follow(self, job: Begun, reading: Reading, kept: Any) -> str | None:
        """Write down what is found as it is found; what was wrong with the recording itself, if anything."""
        found: list[Result] = []
        broken = None
        results = follow(
            self._recognizer,
            self._told(job, reading, kept),
            id=job.name,
            turns=job.options.turns,
            transcript=job.options.transcript,
            judge=self._judging.judge if job.options.judge else None,
        )
        for result in results:
            if isinstance(result, Failure) and result.id == job.name:
                broken = result.error
                continue
            found.append(result)
            if isinstance(result, Passage):
                if result.prediction.verdict is not None:
                    self._judging.count(result.prediction.verdict)
                self._note(job, found, reading.seconds)
        self._note(job, found, reading.seconds)
        return broken

    def _told(self, job: Begun, reading: Reading, kept: Any) -> Iterator[Samples]:
        for block in reading:
            self._note(job, [], reading.seconds)
            if kept is not None:
                kept.write(block)
            yield block

    def _note(self, job: Begun, found: list[Result], seconds: float) -> None:
        if self._stop.is_set() or not self._store.note(job, found, seconds):
            raise _Stopped
        found.clear()

    def _keeping(self, job: Begun, stack: contextlib.ExitStack) -> Any:
        if not self._settings.keep_audio:
            return None
        path = self._store.kept(job.id)
        path.unlink(missing_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
        return stack.enter_context(_flac(path))

    def _end(self, job: Begun, state: Any, **more: Any) -> None:
        if self._store.end(job, state, **more):
            self._metrics.jobs.labels(state).inc()


def _flac(path: Path) -> soundfile.SoundFile:
    return soundfile.SoundFile(path, "w", SAMPLE_RATE, 1, format="FLAC", subtype="PCM_16")
