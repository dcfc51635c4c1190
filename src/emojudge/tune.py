"""Which way to run a bundle is the quickest here and leaves people its labels.

Every engine that is installed, the bundle's weights and 8-bit ones, one thread and all cores: each is timed
on the same utterances, in passes that take turns, so that whatever else the machine does meets all alike.
Labels are held against ONNX Runtime's on the bundle as it is. `race` does the same for any ways.
"""

import os
import shutil
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from emojudge.bundle.engines import DEFAULT
from emojudge.bundle.format import Bundle
from emojudge.bundle.quantise import Agreement, agreement, quantise
from emojudge.bundle.tuned import Tuned, Way, int8_folder, machine
from emojudge.emotions import Emotion
from emojudge.errors import EmojudgeError
from emojudge.recognizer import Recognizer
from emojudge.records import Prediction, Utterance

PASSES = 5
LEAST = 0.995  # of the labels stay as they were
WORTH = 0.95  # of the plain way's time: what saves less is not worth another engine's scores
ENGINES = (DEFAULT, "openvino", "openvino:bfloat16")
OF_WEIGHTS = ("torch", "torch:bfloat16", "torch:float32+compile", "torch:bfloat16+compile")

Scores = dict[str, dict[Emotion, float]]  # by utterance


@dataclass
class Trial:
    """A way that was tried."""

    way: Way
    passes: list[float] = field(default_factory=list)  # seconds
    agreement: Agreement | None = None  # with the first way; None where it could not run
    fault: str = ""  # why it was not gone on with
    scores: Scores = field(default_factory=dict)  # of its first pass

    @property
    def seconds(self) -> float:
        return statistics.median(self.passes)


@dataclass(frozen=True)
class Tuning:
    """Every way that was tried, and what comes of it."""

    trials: list[Trial]
    tuned: Tuned


def tune(
    bundle: Bundle,
    utterances: Sequence[Utterance],
    *,
    least: float = LEAST,
    progress: Callable[[int], None] = lambda steps: None,
) -> Tuning:
    """Time all ways to run a bundle, and choose for each number of threads; nothing is remembered yet.

    The copy with 8-bit weights stays in the cache folder where it was chosen.

    Args:
        utterances: with audio, a transcript, or both, as they will come; each pass hears all of them.
        least: the share of labels that must stay.
        progress: called with 1 after every step; there are `steps(bundle)`.

    Raises:
        EmojudgeError: not one utterance could be used.
    """
    cores = os.cpu_count() or 1
    trials = [Trial(way) for way in ways(bundle, cores)]
    plain = {trial.way.threads: trial for trial in trials if trial.way == Way(threads=trial.way.threads)}
    trials.sort(key=lambda trial: trial is not plain[cores])  # all others are held against it
    shutil.rmtree(int8_folder(bundle), ignore_errors=True)

    def opened(way: Way) -> Bundle:
        if way.weights == "own":
            return bundle
        folder = int8_folder(bundle)
        return Bundle.open(folder) if folder.exists() else quantise(bundle, folder)

    race(trials, utterances, opened, least=least, progress=progress)
    chosen = [quickest([t for t in trials if t.way.threads == threads], plain[threads]) for threads in plain]
    first = quickest(chosen, plain[cores])
    ordered = [first, *(trial for trial in chosen if trial is not first)]
    if not any(trial.way.weights == "int8" for trial in ordered):
        shutil.rmtree(int8_folder(bundle), ignore_errors=True)
    date = datetime.now(UTC).date().isoformat()
    kept = tuple(trial.way for trial in ordered)
    return Tuning(trials, Tuned(machine=machine(), date=date, utterances=len(trials[0].scores), ways=kept))


def race(
    trials: Sequence[Trial],
    utterances: Sequence[Utterance],
    opened: Callable[[Way], Bundle],
    *,
    least: float = LEAST,
    progress: Callable[[int], None] = lambda steps: None,
) -> None:
    """Time each trial in passes that take turns, and hold its scores against the first one's.

    One that does not load, or keeps fewer labels, is not gone on with.

    Args:
        opened: the bundle of a way.
        least: the share of labels that must stay.
        progress: called with 1 after every step; there are `PASSES` for each trial.

    Raises:
        EmojudgeError: by the first trial, not one utterance could be used.
    """
    first = trials[0]
    for _ in range(PASSES):
        for trial in trials:
            if not trial.fault:
                _time(trial, opened, utterances)
            if not first.scores:
                expected = "utterances that can be predicted"
                raise EmojudgeError("tune", found=first.fault or "none", expected=expected)
            if trial.passes and trial.agreement is None:
                _compare(trial, first.scores, least)
            progress(1)


def ways(bundle: Bundle, cores: int) -> list[Way]:
    """What is tried: 8-bit weights by ONNX Runtime alone, whose own form they have, torch by its own."""
    return [
        Way(engine=engine, weights=weights, threads=threads)
        for engine in (*ENGINES, *(OF_WEIGHTS if bundle.has_weights else ()))
        for weights in (("own", "int8") if engine == DEFAULT else ("own",))
        for threads in sorted({1, cores})
    ]


def steps(bundle: Bundle) -> int:
    """Steps of a tuning, for a progress bar."""
    return PASSES * len(ways(bundle, os.cpu_count() or 1))


def quickest(trials: Sequence[Trial], plain: Trial) -> Trial:
    """The quickest that was not given up; the plain way unless that saves something worth it."""
    best = min((trial for trial in trials if not trial.fault), key=lambda trial: trial.seconds, default=plain)
    return best if best.seconds < WORTH * plain.seconds else plain


def _time(trial: Trial, opened: Callable[[Way], Bundle], utterances: Sequence[Utterance]) -> None:
    """One pass with models that are loaded for it, as a command does; a fault where they do not load."""
    try:
        bundle = opened(trial.way)
        recognizer = Recognizer(bundle, threads=trial.way.threads, engine=trial.way.engine)
    except EmojudgeError as error:
        trial.fault = f"found {error.found}; expected {error.expected}"
        return
    list(recognizer.predict(utterances[:1]))  # memory is asked for
    started = time.perf_counter()
    results = list(recognizer.predict(utterances))
    trial.passes.append(time.perf_counter() - started)
    if not trial.scores:
        trial.scores = {result.id: result.scores for result in results if isinstance(result, Prediction)}


def _compare(trial: Trial, reference: Scores, least: float) -> None:
    """A recording that this way fails on is one whose label did not stay."""
    both = [name for name in reference if name in trial.scores]
    found = agreement(*[[dict(side[name]) for name in both] for side in (reference, trial.scores)])
    trial.agreement = Agreement(len(reference), found.same, found.largest)
    if not trial.agreement.share >= least:
        trial.fault = f"under {least:.1%} of the labels stayed"
