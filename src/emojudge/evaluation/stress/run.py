"""All stress tests of a recogniser on a list of corpora, resumable, within a bounded time."""

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from emojudge.audio.decode import SAMPLE_RATE, decode
from emojudge.emotions import EMOTIONS
from emojudge.errors import EmojudgeError, MissingExtraError
from emojudge.evaluation.stress.accents import accents
from emojudge.evaluation.stress.check import Check, Heard, Predict, Skip, hear, uar_and_uap
from emojudge.evaluation.stress.conditions import Condition, Samples, conditions
from emojudge.evaluation.stress.correctness import correctness
from emojudge.evaluation.stress.fairness import PITCH, SEX, equal_odds, languages, pitch_groups
from emojudge.evaluation.stress.sentiment import sentiment
from emojudge.evaluation.stress.synthesis import by_accent, by_sentiment
from emojudge.files import whole
from emojudge.progress import Progress, untold
from emojudge.records import Utterance

PITCH_CLIPS = 6  # recordings of a speaker whose pitch is measured
UNCHANGED = 0.05  # of an attribute on 0..1: a smaller difference is none, as published


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
    listener = _Listener(predict, keep, f"{key}{settings.seed}", progress)
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
        found += _robustness(corpus.name, utterances, truth, tried, settings, listener)
    found += languages({name: _joined(parts) for name, parts in by_language.items()})
    found += _of_synthetic_speech(predict)
    outcome.checks = [each for each in found if isinstance(each, Check)]
    outcome.skips = [each for each in found if isinstance(each, Skip)]
    return outcome


class _Listener:
    """Hears recordings, and keeps what it heard."""

    def __init__(self, predict: Predict, keep: Path | None, key: str, progress: Progress) -> None:
        self.predict, self._keep, self._key, self._progress = predict, keep, key, progress
        if keep is not None:
            keep.mkdir(parents=True, exist_ok=True)

    def hear(self, what: str, utterances: Sequence[Utterance]) -> Heard:
        """Predictions of utterances, from the folder where they are in it."""
        path = self._path(what, utterances)
        if path is not None and path.is_file():
            with np.load(path, allow_pickle=False) as kept:
                return Heard(kept["scores"], kept["attributes"], kept["failed"].tolist())
        count = 0

        def done(more: int) -> None:
            nonlocal count
            count += more
            self._progress(count, len(utterances), what)

        heard = hear(self.predict, utterances, done)
        if path is not None:
            with whole(path) as temporary, temporary.open("wb") as file:
                failed = np.array(heard.failed, dtype=np.str_)
                np.savez(file, scores=heard.scores, attributes=heard.attributes, failed=failed)
        return heard

    def known(self, what: str, utterances: Sequence[Utterance]) -> bool:
        """Whether these were heard before, and need not be made again."""
        path = self._path(what, utterances)
        return path is not None and path.is_file()

    def _path(self, what: str, utterances: Sequence[Utterance]) -> Path | None:
        if self._keep is None:
            return None
        content = json.dumps([self._key, what, *(u.id for u in utterances)])
        return self._keep / f"{hashlib.sha256(content.encode()).hexdigest()[:20]}.npz"


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


def _robustness(
    name: str,
    utterances: Sequence[Utterance],
    truth: NDArray[np.int64],
    tried: Sequence[Condition],
    settings: Settings,
    listener: _Listener,
) -> list[Check | Skip]:
    some = utterances[: settings.changed]  # they come evenly from speakers and emotions
    labels = truth[: len(some)]
    classes = sorted(set(truth.tolist()))
    samples: list[Samples] = []
    plain = listener.hear(f"{name}, {len(some)} of them", some)
    checks: list[Check | Skip] = []
    for condition in tried:
        parts = [plain]
        changes = [condition.base, condition.change] if condition.base else [condition.change]
        for number, change in enumerate(changes):
            what = (
                f"{name}, {condition.test}: {condition.name}{' (base)' if len(changes) - number > 1 else ''}"
            )
            if not listener.known(what, some) and not samples:
                samples = [decode(u.audio).samples for u in some if u.audio]
            parts.append(_heard_changed(what, some, samples, change, settings.seed, listener))
        before, after = parts[-2], parts[-1]
        checks += _compared(name, condition, before, after, labels, classes)
    return checks


def _heard_changed(
    what: str,
    utterances: Sequence[Utterance],
    samples: Sequence[Samples],
    change: Callable[..., Samples],
    seed: int,
    listener: _Listener,
) -> Heard:
    if listener.known(what, utterances):
        return listener.hear(what, utterances)
    speakers = [u.speaker for u in utterances]
    with tempfile.TemporaryDirectory(prefix="emojudge-stress-") as folder:
        changed = []
        for index, utterance in enumerate(utterances):
            random = np.random.default_rng([seed, index])
            others = [s for s, speaker in zip(samples, speakers, strict=True) if speaker != speakers[index]]
            path = Path(folder) / f"{index}.wav"
            made = change(samples[index], random, others or list(samples))
            soundfile.write(path, made, SAMPLE_RATE, subtype="FLOAT")
            changed.append(utterance.model_copy(update={"audio": path}))
        return listener.hear(what, changed)


def _compared(
    name: str,
    condition: Condition,
    before: Heard,
    after: Heard,
    truth: NDArray[np.int64],
    classes: Sequence[int],
) -> list[Check]:
    one, other = before.emotions(classes), after.emotions(classes)
    known = np.flatnonzero(one >= 0)

    def check(figure: str, value: float, limit: float) -> Check:
        label = f"{condition.name}: {figure}"
        return Check(
            "robustness",
            condition.test,
            label,
            name,
            value,
            limit,
            "at least",
            len(known),
            condition.published,
        )

    checks = [check("unchanged predictions", float(np.mean(one[known] == other[known])), condition.unchanged)]
    if condition.drop is not None:
        uars = [uar_and_uap(truth[known], predicted[known], classes) for predicted in (one, other)]
        checks.append(check("change of UAR", uars[1][0] - uars[0][0], -condition.drop))
        checks.append(check("change of UAP", uars[1][1] - uars[0][1], -condition.drop))
    return checks


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


def by_test(checks: Iterable[Check]) -> Mapping[tuple[str, str], list[Check]]:
    """Single tests by group and test, in their order."""
    found: dict[tuple[str, str], list[Check]] = {}
    for check in checks:
        found.setdefault((check.group, check.test), []).append(check)
    return found
