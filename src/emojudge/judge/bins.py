"""Figures of a voice as low, moderate or high: quantiles of many voices, kept beside a bundle's models."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal, Self, get_args

import numpy as np
from pydantic import Field, ValidationError, model_validator

from emojudge.audio.decode import decode
from emojudge.audio.prosody import MIN_SECONDS, Voice, measure_voice
from emojudge.bundle.format import PROSODY, Bundle, write_manifest
from emojudge.errors import BundleError, EmojudgeError
from emojudge.files import write_whole
from emojudge.records import Bin, Failure, Measure, Record, Utterance

QUANTILES = (0.1, 0.25, 0.75, 0.9)  # SpeechCueLLM (arXiv:2407.21315), five classes
LABELS: tuple[Bin, ...] = get_args(Bin)
SPEAKER_CLIPS = 30  # a speaker's own quantiles need as many clips: a tenth of them are three
GROUP_CLIPS = 100  # the same for a gender
UNBINNED = frozenset({"duration", "pitch_low", "pitch_high", "pauses"})  # others say it, or the length does
OF_SPEECH = frozenset({"speaking_rate", "articulation_rate", "pause_share"})  # laughter has none of these

Cuts = tuple[float, float, float, float]
Gender = Literal["female", "male"]


class Reference(Record):
    """A group of clips, and the quantiles of their measures."""

    clips: int = Field(ge=1)
    cuts: dict[str, Cuts]  # by measure

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        for name, cuts in self.cuts.items():
            if not all(np.isfinite(cuts)) or list(cuts) != sorted(cuts):
                raise ValueError(f"{name} has cuts that do not ascend: {cuts}")
        return self


class Bins(Record):
    """`prosody.json`: whose quantiles make the bins, of whole corpora, of each gender, of single speakers."""

    format: Literal[1] = 1
    extractor: str  # the pitch tracker and its version
    quantiles: tuple[float, ...] = QUANTILES
    source: dict[str, int]  # clips by corpus
    overall: Reference
    genders: dict[Gender, Reference] = Field(default_factory=dict)
    speakers: dict[str, Reference] = Field(default_factory=dict)  # by their ids

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what `write` wrote.

        Raises:
            BundleError: no such file, or another content.
        """
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise BundleError(path, found=str(error), expected="bins of voices") from error
        except ValidationError as error:
            fault = error.errors()[0]
            place = ".".join(str(part) for part in fault["loc"]) or "the file"
            raise BundleError(path, found=f"{place}: {fault['msg']}", expected="bins of voices") from error

    def write(self, path: Path) -> None:
        """Write a JSON file, whole or not at all."""
        write_whole(path, self.model_dump_json(indent=1) + "\n")

    def place(
        self, voice: Voice, speaker: str | None = None, gender: Gender | None = None
    ) -> dict[str, Measure]:
        """The voice's measures with their bins: by the speaker's own quantiles where there are such, else by
        those of the gender, else by those of all.

        Raises:
            EmojudgeError: the voice was measured by another pitch tracker than the bins.
        """
        if voice.extractor.split()[0] != self.extractor.split()[0]:
            raise EmojudgeError(
                "bins of voices",
                found=f"measures by {voice.extractor}",
                expected=f"measures by {self.extractor}, as the bins",
                advice="Trackers differ: fit bins with the tracker that you use.",
            )
        references: list[tuple[Literal["speaker", "gender", "overall"], Reference | None]] = [
            ("speaker", self.speakers.get(speaker or "")),
            ("gender", self.genders.get(gender) if gender else None),
            ("overall", self.overall),
        ]
        placed = dict(voice.measures)
        for name, measure in voice.measures.items():
            for kind, reference in references:
                if reference is not None and name in reference.cuts:
                    label = bin_of(measure.value, reference.cuts[name])
                    placed[name] = measure.model_copy(update={"bin": label, "reference": kind})
                    break
        return placed


def bin_of(value: float, cuts: Cuts) -> Bin:
    """The bin of a value; one that equals a cut belongs to the lower bin.

    >>> [bin_of(value, (1.0, 2.0, 3.0, 4.0)) for value in (1.0, 1.1, 2.5, 4.0, 9.0)]
    ['very low', 'low', 'moderate', 'high', 'very high']
    """
    return LABELS[int(np.searchsorted(cuts, value, side="left"))]


def fit_bins(measured: Iterable[tuple[Utterance, Voice]], *, speakers: bool = False) -> Bins:
    """The quantiles of many voices. Corpora, by the part of an id before its colon, count the same.

    Clips under MIN_SECONDS are left out, as they are when a voice is described. A measure gets cuts in a
    group when enough of its clips have it: SPEAKER_CLIPS for a speaker, GROUP_CLIPS for a gender; and when
    its quartiles differ. Clips without a transcript do not count for rates and pauses: bursts of laughter
    would make all speech seem fast.

    Args:
        measured: training utterances with what was measured of them.
        speakers: keep each speaker's own quantiles too. Their ids are then in the file.

    Raises:
        EmojudgeError: no clip at all, or measures by several pitch trackers.
    """
    kept = [(u, voice) for u, voice in measured if voice.measures["duration"].value >= MIN_SECONDS]
    extractors = sorted({voice.extractor for _, voice in kept})
    if len(extractors) != 1:
        found = "measures by " + " and ".join(extractors) if extractors else "no clip"
        expected = f"clips of {MIN_SECONDS} s or more, measured by one tracker"
        raise EmojudgeError("bins of voices", found=found, expected=expected)
    sizes: dict[str, int] = defaultdict(int)
    for utterance, _ in kept:
        sizes[_corpus(utterance)] += 1
    by_gender: dict[Gender, list[tuple[Utterance, Voice]]] = defaultdict(list)
    by_speaker: dict[str, list[tuple[Utterance, Voice]]] = defaultdict(list)
    for utterance, voice in kept:
        if utterance.gender is not None:
            by_gender[utterance.gender].append((utterance, voice))
        if speakers and utterance.speaker is not None:
            by_speaker[utterance.speaker].append((utterance, voice))
    return Bins(
        extractor=extractors[0],
        source=dict(sizes),
        overall=_reference(kept, sizes, 1),
        genders={
            name: _reference(group, sizes, GROUP_CLIPS)
            for name, group in sorted(by_gender.items())
            if len(group) >= GROUP_CLIPS
        },
        speakers={
            name: _reference(group, sizes, SPEAKER_CLIPS)
            for name, group in sorted(by_speaker.items())
            if len(group) >= SPEAKER_CLIPS
        },
    )


def measure_all(
    utterances: Iterable[Utterance], tracker: str = "swift-f0"
) -> Iterator[tuple[Utterance, Voice] | Failure]:
    """Measure recordings one after the other; a `Failure` stands where one could not be."""
    for utterance in utterances:
        try:
            if utterance.audio is None:
                raise EmojudgeError(utterance.id, found="no recording", expected="one, to measure a voice")
            audio = decode(utterance.audio, name=utterance.id)
            yield utterance, measure_voice(audio.samples, utterance.transcript, tracker)
        except EmojudgeError as error:
            yield Failure(id=utterance.id, error=str(error))


def bins_of(bundle: Bundle) -> Bins | None:
    """The bins that a bundle has, or None.

    Raises:
        BundleError: its `prosody.json` does not hold bins.
    """
    return Bins.read(bundle.file(PROSODY)) if PROSODY in bundle.manifest.hashes else None


def add_bins(bundle: Bundle, bins: Bins) -> Bundle:
    """Put bins into a bundle's folder, and their hash into its manifest."""
    bins.write(bundle.folder / PROSODY)
    write_manifest(bundle.folder, bundle.manifest)
    return Bundle.open(bundle.folder)


def _corpus(utterance: Utterance) -> str:
    corpus, colon, _ = utterance.id.partition(":")
    return corpus if colon else "table"


def _reference(clips: list[tuple[Utterance, Voice]], sizes: Mapping[str, int], least: int) -> Reference:
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)  # values with their weights
    for utterance, voice in clips:
        for name, measure in voice.measures.items():
            if name not in UNBINNED and (name not in OF_SPEECH or utterance.transcript is not None):
                found[name].append((measure.value, 1.0 / sizes[_corpus(utterance)]))
    cuts = {name: _cuts(pairs) for name, pairs in found.items() if len(pairs) >= least}
    return Reference(clips=len(clips), cuts={name: c for name, c in cuts.items() if c[1] < c[2]})


def _cuts(pairs: list[tuple[float, float]]) -> Cuts:
    """Quantiles of weighted values: the least value that so much of the weight does not exceed."""
    values, weights = np.array(sorted(pairs)).T
    reached = np.cumsum(weights) / weights.sum()
    at = values[np.minimum(np.searchsorted(reached, np.array(QUANTILES) - 1e-12), len(values) - 1)]
    low, lower, upper, high = (float(f"{value:.5g}") for value in at)
    return low, lower, upper, high
