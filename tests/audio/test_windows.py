"""Windows of long recordings, and their quiet ends."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from emojudge.audio.windows import SHORTEST, TRIM_MARGIN, trim, windows


@given(st.lists(st.integers(SHORTEST, 40_000), max_size=4), st.integers(1, 40_000))
def test_windows_lose_no_sample_and_none_but_the_first_is_short(whole: list[int], last: int) -> None:
    blocks = [np.full(size, index, np.float32) for index, size in enumerate([*whole, last])]
    found = list(windows(blocks))
    assert np.array_equal(np.concatenate(found), np.concatenate(blocks))
    assert all(len(window) >= SHORTEST for window in found[1:])


@given(st.integers(0, 30_000), st.integers(1_600, 30_000), st.integers(0, 30_000))
def test_quiet_ends_go_and_speech_stays(before: int, speech: int, after: int) -> None:
    generator = np.random.default_rng(before)
    noise = generator.normal(size=before + speech + after) * 0.001
    noise[before : before + speech] += generator.normal(size=speech) * 0.3
    samples = noise.astype(np.float32)
    found = trim(samples, 30.0)
    assert len(found) <= speech + 2 * TRIM_MARGIN + 800
    loud = samples[before : before + speech]
    # All of the speech but what shares a frame with silence is still there.
    assert np.sum(np.square(found)) >= 0.95 * np.sum(np.square(loud))


def test_a_level_recording_and_silence_stay_as_they_are() -> None:
    hum = np.sin(np.arange(16_000)).astype(np.float32)
    assert np.array_equal(trim(hum, 30.0), hum)
    assert len(trim(np.zeros(16_000, np.float32), 30.0)) == 16_000
    assert len(trim(np.ones(100, np.float32), 30.0)) == 100


def test_only_the_ends_are_cut() -> None:
    sound = np.sin(np.arange(8_000)).astype(np.float32)
    pause = np.zeros(16_000, np.float32)
    found = trim(np.concatenate([pause, sound, pause, sound, pause]), 30.0)
    assert abs(len(found) - (2 * 8_000 + 16_000 + 2 * TRIM_MARGIN)) <= 800
