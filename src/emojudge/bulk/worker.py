"""A worker: a recogniser that predicts one part of a run after the other."""

import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from emojudge.ahead import mapped
from emojudge.bulk.inputs import Input
from emojudge.bulk.plan import Done, Plan
from emojudge.bulk.storage import Storage
from emojudge.errors import EmojudgeError
from emojudge.recognizer import Recognizer, load
from emojudge.records import Failure, Prediction, Transcript, Utterance

FETCHERS = 4  # recordings on their way at a time, while others are predicted
AHEAD = 16  # recordings that lie on this machine's disk at a time, fetched and not yet predicted


class Worker:
    """Loads the models once; a part is written before the next one is begun."""

    def __init__(self, to: str, threads: int = 1) -> None:
        storage = Storage.at(to)
        plan = Plan.of(storage)
        if plan is None:
            raise EmojudgeError(to, found="no plan", expected="the folder of a bulk run")
        self._plan = plan
        settings = plan.settings
        self._recognizer: Recognizer = load(
            settings.bundle,
            asr=settings.asr,
            language=settings.language,
            threads=threads,
            engine=settings.engine,
        )

    def __call__(self, number: int) -> Done:
        """Predict a part. What fails is in its failures: nothing that is in a part stops the run."""
        started = time.perf_counter()
        inputs = self._plan.part(number)
        results = self._results(inputs)
        done = Done(
            part=number,
            inputs=len(inputs),
            predicted=sum(isinstance(each, Prediction) for each in results),
            failed=sum(isinstance(each, Failure) for each in results),
            audio_seconds=sum(each.seconds or 0.0 for each in results if isinstance(each, Prediction)),
            wall_seconds=round(time.perf_counter() - started, 3),
        )
        self._plan.keep(results, done, [each.url for each in inputs])
        return done

    def _results(self, inputs: Sequence[Input]) -> list[Prediction | Failure]:
        """One result an input, in their order."""
        results: dict[str, Prediction | Failure] = {}
        with tempfile.TemporaryDirectory(prefix="emojudge-bulk-") as folder:
            copies = {each.id: Path(folder) / str(number) for number, each in enumerate(inputs)}
            urls = {each.id: each.url or "" for each in inputs}
            for result in self._recognizer.predict(_utterances(inputs, copies, results)):
                copy = copies[result.id]
                copy.unlink(missing_ok=True)
                if isinstance(result, Failure):  # of a copy: the error names where it came from
                    error = result.error.replace(str(copy), urls[result.id])
                    result = Failure(id=result.id, error=error)
                results[result.id] = result
        return [results[each.id] for each in inputs]


def _utterances(
    inputs: Sequence[Input], copies: dict[str, Path], results: dict[str, Prediction | Failure]
) -> Iterator[Utterance]:
    """What could be fetched, a few recordings ahead of whoever asks; what could not, into the results."""

    def fetched(each: Input) -> Utterance | Failure:
        return _fetched(each, copies[each.id])

    for item in mapped(fetched, inputs, workers=FETCHERS, most=AHEAD):
        if isinstance(item, Failure):
            results[item.id] = item
        else:
            yield item


def _fetched(each: Input, copy: Path) -> Utterance | Failure:
    """The input with its recording on this machine: where it lies, or as a copy."""
    if each.error is not None:
        return Failure(id=each.id, error=each.error)
    words = each.transcript and Transcript(text=each.transcript, source="given", language=each.language)
    audio: Path | None = None
    if each.url is not None:
        try:
            storage = Storage.at(each.url)
            audio = Path(storage.root) if storage.local else copy
            if not storage.local:
                storage.fetch(storage.root, copy)
        except EmojudgeError as error:
            return Failure(id=each.id, error=str(error))
    return Utterance(
        id=each.id, audio=audio, transcript=words or None, language=each.language, speaker=each.speaker
    )
