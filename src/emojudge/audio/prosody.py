"""The voice in figures: loudness, pitch, rate, pauses, quality. What cannot be measured is left out."""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emojudge.audio.decode import SAMPLE_RATE
from emojudge.audio.levels import Frames, decibels, frame_power, pauses, sounding, syllable_nuclei
from emojudge.audio.pitch import HOP, track_pitch
from emojudge.audio.quality import voice_quality
from emojudge.records import Measure, Transcript

MIN_SECONDS = 0.5  # a shorter clip is measured, but says too little to be described
MIN_VOICED = 10  # frames, 0.16 s: with fewer there is no telling a pitch from a slip of the tracker
LOW, HIGH = 5, 95  # percentiles that bound the pitch range; the extremes are where trackers slip

UNITS = {  # in the order in which they are told
    "duration": "s",
    "amplitude": "of full scale",
    "loudness": "dB",
    "loudness_variation": "dB",
    "pitch": "Hz",
    "pitch_low": "Hz",
    "pitch_high": "Hz",
    "pitch_range": "semitones",
    "pitch_variation": "semitones",
    "speaking_rate": "words/s",
    "articulation_rate": "syllables/s",
    "pauses": "count",
    "pause_share": "share",
    "harmonics_to_noise": "dB",
    "tilt": "dB",
}

_WORD = re.compile(r"\w+(?:['’.-]\w+)*")
# Scripts that leave no space between words: Thai to Myanmar, Khmer, kana, Chinese characters.
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")


@dataclass(frozen=True)
class Voice:
    """What was measured of a voice, and by which pitch tracker."""

    measures: dict[str, Measure]  # by the names of UNITS, in their order; bins are not given here
    extractor: str


def measure_voice(
    samples: NDArray[np.float32], transcript: Transcript | None = None, tracker: str = "swift-f0"
) -> Voice:
    """The measures of a recording `(samples,)`, mono at 16 kHz.

    - duration: of the recording, in seconds.
    - amplitude: mean of the frames' RMS; full scale is 1. As librosa.feature.rms has it.
    - loudness: level of the sounding frames' mean power, in dB under full scale; loudness_variation: standard
      deviation of their levels. Both say as much of the microphone as of the voice, unless bins relate
      them to the same one.
    - pitch: median in Hz; pitch_low and pitch_high: 5th and 95th percentile; pitch_range: from one to the
      other, in semitones; pitch_variation: standard deviation in semitones.
    - speaking_rate: words of the transcript per second, pauses included: of the segments' times, else between
      the first and the last sound. Absent without words, and in scripts that do not part them.
    - articulation_rate: syllables per second of speech, pauses left out; see `levels.syllable_nuclei`.
    - pauses: how many silences of 0.25 s or more lie between sounds; pause_share: their share of that time.
    - harmonics_to_noise, tilt: see `quality.voice_quality`.

    Silence has a duration and an amplitude alone; without enough voice there is no pitch and no quality.

    Args:
        samples: of at least one sample.
        transcript: for the speaking rate.
        tracker: see `pitch.track_pitch`.

    Raises:
        MissingExtraError: the tracker's package is not installed.
    """
    power = frame_power(samples)
    active = sounding(decibels(power))
    contour = track_pitch(samples, tracker)
    hz = np.where(active, contour.hz, np.nan)
    found = {"duration": len(samples) / SAMPLE_RATE, "amplitude": float(np.sqrt(power).mean())}
    if active.any():
        levels = decibels(power[active])
        found["loudness"] = float(decibels(power[active].mean()))
        found["loudness_variation"] = float(levels.std())
        found |= _tempo(power, active, ~np.isnan(hz), transcript)
    if np.count_nonzero(~np.isnan(hz)) >= MIN_VOICED:
        found |= _melody(hz[~np.isnan(hz)])
        if quality := voice_quality(samples, hz):
            found["harmonics_to_noise"] = quality.harmonics_to_noise
            found["tilt"] = quality.tilt
    measures = {name: Measure(value=found[name], unit=unit) for name, unit in UNITS.items() if name in found}
    return Voice(measures, contour.extractor)


def _melody(hz: NDArray[np.float64]) -> dict[str, float]:
    low, middle, high = np.percentile(hz, [LOW, 50, HIGH])
    return {
        "pitch": float(middle),
        "pitch_low": float(low),
        "pitch_high": float(high),
        "pitch_range": float(12 * np.log2(high / low)),
        "pitch_variation": float((12 * np.log2(hz)).std()),
    }


def _tempo(
    power: NDArray[np.float64], active: Frames, voiced: Frames, transcript: Transcript | None
) -> dict[str, float]:
    sounds = np.flatnonzero(active)
    span = (sounds[-1] - sounds[0] + 1) * HOP / SAMPLE_RATE
    silences = pauses(active)
    found = {"pauses": float(len(silences)), "pause_share": sum(silences) / span}
    if nuclei := syllable_nuclei(power, voiced):
        found["articulation_rate"] = nuclei / (span - sum(silences))
    if transcript is not None and (words := count_words(transcript.text)):
        timed = sum(segment.end - segment.start for segment in transcript.segments if segment.text.strip())
        seconds = timed if 0 < timed <= len(active) * HOP / SAMPLE_RATE + 1 else span
        found["speaking_rate"] = words / seconds
    return found


def count_words(text: str) -> int | None:
    """How many words a text has; None for scripts that do not part words by spaces.

    >>> count_words("Don't call me at half-past five, o.k.?"), count_words("もう一度")
    (7, None)
    """
    return None if _UNSPACED.search(text) else len(_WORD.findall(text))
