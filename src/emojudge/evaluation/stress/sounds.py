"""Sounds that are added to speech: all generated here or made of the corpus itself, nothing is downloaded."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from emojudge.audio.decode import SAMPLE_RATE

Samples = NDArray[np.float32]
CHORDS = ((220.0, 261.6, 329.6), (174.6, 220.0, 261.6), (261.6, 329.6, 392.0), (196.0, 246.9, 293.7))  # Hz
BEAT = 0.5  # seconds


def mixed(speech: Samples, noise: NDArray[np.floating], snr: float) -> Samples:
    """Speech `(samples,)` with noise, repeated, at a signal-to-noise ratio in dB by root mean squares."""
    noise = np.resize(noise, len(speech)).astype(np.float64)
    power, level = float(np.mean(speech.astype(np.float64) ** 2)), float(np.mean(noise**2))
    if power == 0 or level == 0:
        return speech
    gain = np.sqrt(power / level) * 10 ** (-snr / 20)
    return np.asarray(speech + gain * noise, dtype=np.float32)


def babble(voices: Sequence[Samples], random: np.random.Generator) -> NDArray[np.float64]:
    """Four to seven other voices at once, each equally loud, as published."""
    chosen = random.choice(len(voices), size=min(len(voices), int(random.integers(4, 8))), replace=False)
    length = max(len(voices[i]) for i in chosen)
    total = np.zeros(length)
    for i in chosen:
        voice = np.resize(np.roll(voices[i], int(random.integers(len(voices[i])))), length).astype(np.float64)
        total += voice / max(1e-9, float(np.sqrt(np.mean(voice**2))))
    return total


def music(seconds: float, random: np.random.Generator) -> NDArray[np.float64]:
    """A progression of plucked chords with overtones, and a bass: music's spectrum and rhythm, no art."""
    length, step = int(seconds * SAMPLE_RATE), int(BEAT * SAMPLE_RATE)
    time = np.arange(step) / SAMPLE_RATE
    key = 2 ** (random.integers(-5, 6) / 12)
    bars = []
    for index in range(-(-length // step)):
        chord = CHORDS[(index // 2) % len(CHORDS)]
        tones = [*chord, chord[0] / 2]
        sound = sum(
            np.sin(2 * np.pi * key * tone * k * time) * np.exp(-time * 3 * k) / k
            for tone in tones
            for k in (1, 2, 3, 4)
        )
        bars.append(np.asarray(sound))
    return np.concatenate(bars)[:length]


def events(seconds: float, random: np.random.Generator) -> NDArray[np.float64]:
    """Environmental sound: a low hum, and bursts of filtered noise as of steps, doors and papers."""
    length = int(seconds * SAMPLE_RATE)
    time = np.arange(length) / SAMPLE_RATE
    total = 0.2 * np.sin(2 * np.pi * 50 * time) + 0.1 * np.sin(2 * np.pi * 150 * time)
    total += 0.1 * _coloured(length, 2.0, random)
    for _ in range(max(2, int(seconds * 2))):
        start, size = int(random.integers(length)), int(random.uniform(0.03, 0.4) * SAMPLE_RATE)
        burst = _coloured(size, random.uniform(0, 1.5), random) * np.exp(-np.arange(size) / (size / 5))
        end = min(length, start + size)
        total[start:end] += burst[: end - start]
    return np.asarray(total)


def tone(samples: Samples, random: np.random.Generator) -> Samples:
    """A sinusoid of 5 to 7 kHz, its peak 40 to 50 dB under the speech's, as published."""
    hz, snr = random.integers(5000, 7000), random.choice([40, 45, 50])
    peak = float(np.abs(samples).max()) * 10 ** (-snr / 20)
    sine = np.sin(2 * np.pi * hz * np.arange(len(samples)) / SAMPLE_RATE)
    return np.asarray(samples + peak * sine, dtype=np.float32)


def tilted(samples: Samples, upward: bool) -> Samples:
    """The spectrum attenuated linearly towards one of its ends, at the same level, as published."""
    spectrum = np.fft.rfft(samples)
    ramp = np.linspace(0.05, 1.0, len(spectrum))
    changed = np.fft.irfft(spectrum * (ramp if upward else ramp[::-1]), len(samples))
    level = float(np.sqrt(np.mean(changed**2)))
    same = changed * (float(np.sqrt(np.mean(samples.astype(np.float64) ** 2))) / level if level else 1.0)
    peak = float(np.abs(same).max(initial=0.0))
    return np.asarray(same / max(1.0, peak), dtype=np.float32)  # the same level, if it does not clip


def _coloured(length: int, steepness: float, random: np.random.Generator) -> NDArray[np.float64]:
    """Noise whose amplitude falls with frequency to the power of `steepness` / 2, of deviation 1."""
    spectrum = np.fft.rfft(random.standard_normal(length))
    spectrum *= np.maximum(1, np.arange(len(spectrum))) ** (-steepness / 2)
    noise = np.fft.irfft(spectrum, length)
    return np.asarray(noise / max(1e-12, float(noise.std())))
