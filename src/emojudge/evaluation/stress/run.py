"""All stress tests of a recogniser on a list of corpora, resumable, within a bounded time."""

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emojudge.audio.decode import decode
from emojudge.emotions import EMOTIONS
from emojudge.errors import EmojudgeError, MissingExtraError
from emojudge.evaluation.stress.accents import accents
from emojudge.evaluation.stress.check import Check, Heard, Predict, Skip
from emojudge.evaluation.stress.conditions import conditions
from emojudge.evaluation.stress.correctness import correctness
from emojudge.evaluation.stress.fairness import PITCH, SEX, equal_odds, languages, pitch_groups
from emojudge.evaluation.stress.listener import Listener
from emojudge.evaluation.stress.robustness import robustness
from emojudge.evaluation.stress.sentiment import sentiment
from emojudge.evaluation.stress.synthesis import by_accent, by_sentiment
from emojudge.progress import Progress, untold
from emojudge.records import Utterance

PITCH_CLIPS = 6  # recordings of a speaker whose pitch is measured


@dataclass(frozen=True)
class Corpus:
    """A named corpus of labelled recordings."""

    name: str
    utterances: Sequence[Utterance]


@dataclass(frozen=True)
class Settings:
    """How much is heard: for every recording changed, time is spent once more."""

    recordings: int = 1500  # of a corpus at most, for correctness and fairness
    changed: int = 100  # of them, that each condition is tried on
    seed: int = 0


@dataclass
class Outcome:
    """What came of it."""

    bundle: str
    settings: Settings
    corpora: dict[str, int]  # recordings by corpus
    checks: list[Check] = field(default_factory=list)
    skips: list[Skip] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "bundle": self.bundle,
            "settings": asdict(self.settings),
            "corpora": self.corpora,
            "passed": sum(check.passed for check in self.checks),
            "tests": len(self.checks),
            "checks": [asdict(check) | {"passed": check.passed} for check in self.checks],
            "skipped": [asdict(skip) for skip in self.skips],
        }


def stress(
    predict: Predict,
    bundle: str,
    corpora: Sequence[Corpus],
    settings: Settings | None = None,
    *,
    keep: Path | None = None,
    key: str = "",
    progress: Progress = untold,
) -> Outcome:
    """Run every test that the corpora allow. Recordings are judged by the voice alone, sentiment both ways.

    Args:
        predict: utterances to predictions or failures, such as `Recognizer.predict`.
        bundle: its name.
        corpora: labelled recordings; those without an emotion or a recording are passed over.
        settings: how much is heard.
        keep: a folder in which predictions are kept, so that an interrupted run goes on.
        key: what else those depend on, such as a hash of the bundle.
        progress: is told what is being done.

    Raises:
        EmojudgeError: no corpus with recordings of two emotions.
        MissingExtraError: audiomentations is not installed.
    """
    settings = settings or Settings()
    tried = conditions()
    chosen = [Corpus(c.name, _chosen(c.utterances, settings.recordings, settings.seed)) for c in corpora]
    for corpus in chosen:
        if len({u.emotion for u in corpus.utterances}) < 2:
            raise EmojudgeError(
                corpus.name, found="no recordings of two emotions", expected="a labelled corpus of recordings"
            )
    outcome = Outcome(bundle, settings, {corpus.name: len(corpus.utterances) for corpus in chosen})
    listener = Listener(predict, keep, f"{key}{settings.seed}", progress)
    by_language: dict[str, list[tuple[str, Heard, NDArray[np.int64]]]] = {}
    found: list[Check | Skip] = []
    for corpus in chosen:
        utterances = [u.model_copy(update={"transcript": None}) for u in corpus.utterances]
        truth = np.array([EMOTIONS.index(u.emotion) for u in utterances if u.emotion])
        heard = listener.hear(f"{corpus.name}, as it is", utterances)
        found += correctness(corpus.name, utterances, truth, heard)
        found += equal_odds(corpus.name, "sex", [u.gender for u in utterances], truth, heard, SEX)
        found += _pitch(corpus, truth, heard)
        spoken = {u.language for u in utterances}
        if len(spoken) == 1 and (language := spoken.pop()):
            by_language.setdefault(language, []).append((corpus.name, heard, truth))
        some = utterances[: settings.changed]  # they come evenly from speakers and emotions
        found += robustness(corpus.name, some, truth, tried, settings.seed, listener)
    found += languages({name: _joined(parts) for name, parts in by_language.items()})
    found += _of_synthetic_speech(predict)
    outcome.checks = [each for each in found if isinstance(each, Check)]
    outcome.skips = [each for each in found if isinstance(each, Skip)]
    return outcome


def _chosen(utterances: Iterable[Utterance], most: int, seed: int) -> list[Utterance]:
    """At most so many labelled recordings, taken in turn from every speaker and emotion."""
    random = np.random.default_rng(seed)
    cells: dict[tuple[str, str], list[Utterance]] = {}
    for utterance in utterances:
        if utterance.emotion and utterance.audio:
            cells.setdefault((utterance.emotion, utterance.speaker or ""), []).append(utterance)
    for members in cells.values():
        random.shuffle(members)
    taken: list[Utterance] = []
    for turn in range(max(map(len, cells.values()), default=0)):
        keys = [key for key, members in cells.items() if len(members) > turn]
        taken += [cells[keys[i]][turn] for i in random.permutation(len(keys))]
    return taken[:most]


def _pitch(corpus: Corpus, truth: NDArray[np.int64], heard: Heard) -> list[Check | Skip]:
    """Fairness by pitch; a speaker's pitch is the mean over some of the recordings."""
    try:
        from emojudge.audio.pitch import track_pitch

        by_speaker: dict[str, list[float]] = {}
        for utterance in corpus.utterances:
            found = by_speaker.setdefault(utterance.speaker or "", [])
            if utterance.speaker and utterance.audio and len(found) < PITCH_CLIPS:
                contour = track_pitch(decode(utterance.audio).samples).hz
                if (
                    not np.isnan(contour).all() and 50 <= (mean := float(np.nanmean(contour))) <= 350
                ):  # as published
                    found.append(mean)
    except MissingExtraError as error:
        return [Skip("fairness", "pitch", corpus.name, str(error))]
    pitches = {name: float(np.mean(found)) for name, found in by_speaker.items() if found}
    groups = pitch_groups(pitches, [u.speaker for u in corpus.utterances])
    return equal_odds(corpus.name, "pitch", groups, truth, heard, PITCH)


def _of_synthetic_speech(predict: Predict) -> list[Check | Skip]:
    found: list[Check | Skip] = []
    with tempfile.TemporaryDirectory(prefix="emojudge-stress-") as folder:
        try:
            found += accents(predict, by_accent(Path(folder)))
            found += sentiment(predict, by_sentiment(Path(folder)))
        except EmojudgeError as error:
            tests = ("accent", "linguistic sentiment")
            found = [Skip("fairness", test, "synthetic speech", str(error)) for test in tests]
    return found


def _joined(
    parts: Sequence[tuple[str, Heard, NDArray[np.int64]]],
) -> tuple[list[str], Heard, NDArray[np.int64]]:
    heard = Heard(
        np.concatenate([h.scores for _, h, _ in parts]), np.concatenate([h.attributes for _, h, _ in parts])
    )
    return [name for name, _, _ in parts], heard, np.concatenate([truth for _, _, truth in parts])
