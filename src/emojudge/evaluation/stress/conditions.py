"""What is done to recordings to see whether predictions stay: each condition with its thresholds."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from emojudge.audio.augment import applied, reverberate
from emojudge.audio.decode import SAMPLE_RATE
from emojudge.errors import MissingExtraError
from emojudge.evaluation.stress import sounds

Samples = NDArray[np.float32]
Change = Callable[[Samples, np.random.Generator, Sequence[Samples]], Samples]
NARROW = 8000  # Hz, a telephone's


@dataclass(frozen=True)
class Condition:
    """A change of recordings, and by how much predictions may change under it."""

    test: str  # such as "background noise"
    name: str  # such as "babble, 20 dB"
    change: Change  # samples, chance, and other speakers' recordings → samples
    unchanged: float  # share of predictions that stay, at least
    drop: float | None = None  # UAR and UAP may fall by; None: not asked
    published: bool = True  # its thresholds are the publication's; else ours
    base: Change | None = None  # compared with this instead of with the recording itself


def conditions() -> list[Condition]:
    """All of them, in the order of the publication.

    Raises:
        MissingExtraError: audiomentations is not installed.
    """
    try:
        import audiomentations as a
    except ImportError as error:
        raise MissingExtraError("stress tests", "stress") from error

    def random_of(make: Callable[[float], Any], values: Sequence[float]) -> Change:
        made = [make(value) for value in values]

        def change(samples: Samples, random: np.random.Generator, others: Sequence[Samples]) -> Samples:
            return applied(made[random.integers(len(made))], samples, int(random.integers(2**31)))

        return change

    def fixed(transform: Any) -> Change:
        return random_of(lambda _: transform, [0])

    white = [
        Condition(
            "background noise",
            f"white noise, {snr} dB",
            random_of(lambda s: a.AddGaussianSNR(min_snr_db=s, max_snr_db=s, p=1.0), [snr]),
            0.9,
            0.05,
            snr == 20,
        )
        for snr in (20, 10, 5)
    ]
    return [
        *_noises(),
        *white,
        _condition("low quality phone", "GSM 6.10, 8 kHz, and hiss", _phone, 0.5, 0.05),
        _codec("codecs", "MP3, 32 kbit/s", fixed(a.Mp3Compression(min_bitrate=32, max_bitrate=32, p=1.0))),
        _codec("codecs", "Opus", lambda s, r, o: _coded(s, "OGG", "OPUS", SAMPLE_RATE)),
        _codec("codecs", "G.711 µ-law, 8 kHz", lambda s, r, o: _coded(s, "WAV", "ULAW", NARROW)),
        *_rooms(),
        _condition("spectral tilt", "downward", lambda s, r, o: sounds.tilted(s, False), 0.8, 0.02),
        _condition("spectral tilt", "upward", lambda s, r, o: sounds.tilted(s, True), 0.8, 0.02),
        Condition("levels", "gain -20 dB", fixed(a.Gain(-20, -20, p=1.0)), 0.9, 0.05, False),
        Condition("levels", "gain +12 dB, clipped at full scale", _loud, 0.8, 0.05, False),
        Condition("levels", "5 % of samples clipped", lambda s, r, o: _clipped(s, 0.05), 0.8, 0.05, False),
        Condition("crops", "the middle half alone", lambda s, r, o: _middle(s), 0.5, 0.1, False),
        _small("additive tone", lambda s, r, o: sounds.tone(s, r)),
        _small("append zeros", lambda s, r, o: np.pad(s, (0, _few(r)))),
        _small("prepend zeros", lambda s, r, o: np.pad(s, (_few(r), 0))),
        _small("clip", lambda s, r, o: _clipped(s, float(r.choice([0.001, 0.002, 0.003])))),
        _small("crop beginning", lambda s, r, o: s[min(_few(r), len(s) // 2) :]),
        _small("crop end", lambda s, r, o: s[: max(len(s) - _few(r), len(s) // 2)]),
        _small("gain", random_of(lambda g: a.Gain(g, g, p=1.0), [-2, -1, 1, 2])),
        _small(
            "highpass filter",
            random_of(lambda f: a.HighPassFilter(f, f, min_rolloff=6, max_rolloff=6, p=1.0), [50, 100, 150]),
        ),
        _small(
            "lowpass filter",
            random_of(
                lambda f: a.LowPassFilter(f, f, min_rolloff=6, max_rolloff=6, p=1.0), [7500, 7000, 6500]
            ),
        ),
        _small(
            "white noise",
            random_of(lambda s: a.AddGaussianSNR(min_snr_db=s, max_snr_db=s, p=1.0), [35, 40, 45]),
        ),
    ]


def _condition(
    test: str, name: str, change: Change, unchanged: float, drop: float | None = None
) -> Condition:
    return Condition(test, name, change, unchanged, drop)


def _small(name: str, change: Change) -> Condition:
    return Condition("small changes", name, change, 0.95)


def _codec(test: str, name: str, change: Change) -> Condition:
    """Such codecs are not in the publication; the limits of its background noises are taken."""
    return Condition(test, name, change, 0.9, 0.05, published=False)


def _noises() -> list[Condition]:
    made = []
    for snr in (20, 10):
        for name, noise in (
            ("babble", lambda s, r, o: sounds.babble(o, r)),
            ("music", lambda s, r, o: sounds.music(len(s) / SAMPLE_RATE, r)),
            ("environmental noise", lambda s, r, o: sounds.events(len(s) / SAMPLE_RATE, r)),
        ):
            made.append(
                Condition("background noise", f"{name}, {snr} dB", _added(noise, snr), 0.9, 0.05, snr == 20)
            )
    return made


def _added(noise: Callable[..., NDArray[np.float64]], snr: float) -> Change:
    return lambda samples, random, others: sounds.mixed(samples, noise(samples, random, others), snr)


def _rooms() -> list[Condition]:
    """Simulated places and rooms: the same speech near and far, in a booth and in larger rooms."""

    def room(seconds: float, ratio: float) -> Change:
        return lambda s, r, o: reverberate(s, r.standard_normal(int(seconds * SAMPLE_RATE)), ratio)

    test = "simulated recording condition"
    return [
        Condition(test, "position: 3 m instead of 1 m", room(0.4, 0.0), 0.8, base=room(0.4, 8.0)),
        Condition(test, "room: office instead of booth", room(0.4, 6.0), 0.8, base=room(0.1, 12.0)),
        Condition(test, "room: hall instead of booth", room(1.2, 3.0), 0.8, base=room(0.1, 12.0)),
    ]


def _phone(samples: Samples, random: np.random.Generator, others: Sequence[Samples]) -> Samples:
    """A mobile telephone's codec at 8 kHz, and hiss; the publication has AMR in the place of GSM."""
    coded = _coded(samples, "WAV", "GSM610", NARROW)
    peak = float(np.abs(coded).max(initial=0.0))
    loud = coded / peak if peak else coded
    hiss = np.diff(random.standard_normal(len(loud) + 1))  # rises with frequency
    level = 10 ** (-25 / 20) * float(np.sqrt(np.mean(loud**2)))
    return np.asarray(loud + hiss / hiss.std() * level, dtype=np.float32)


def _coded(samples: Samples, container: str, codec: str, rate: int) -> Samples:
    """Through a codec of libsndfile at a sampling rate in Hz, and back; as long as before."""
    sent = samples if rate == SAMPLE_RATE else soxr.resample(samples, SAMPLE_RATE, rate)
    memory = io.BytesIO()
    soundfile.write(memory, np.clip(sent, -1, 1), rate, format=container, subtype=codec)
    memory.seek(0)
    back, rate = soundfile.read(memory, dtype="float32")
    heard = back if rate == SAMPLE_RATE else soxr.resample(back, rate, SAMPLE_RATE)
    return np.asarray(np.pad(heard, (0, max(0, len(samples) - len(heard))))[: len(samples)], dtype=np.float32)


def _clipped(samples: Samples, share: float) -> Samples:
    limit = float(np.quantile(np.abs(samples), 1 - share))
    return np.clip(samples, -limit, limit)


def _loud(samples: Samples, random: np.random.Generator, others: Sequence[Samples]) -> Samples:
    peak = float(np.abs(samples).max(initial=0.0))
    return np.clip(samples / peak * 4, -1, 1).astype(np.float32) if peak else samples  # 4: +12 dB


def _middle(samples: Samples) -> Samples:
    quarter = len(samples) // 4
    return samples[quarter : len(samples) - quarter]


def _few(random: np.random.Generator) -> int:
    return int(random.choice([100, 500, 1000]))
