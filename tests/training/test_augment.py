"""Augmentation: chance that is kept in hand."""

import random

import numpy as np
import pytest

pytest.importorskip("audiomentations", reason="needs the extra 'train'")

from emojudge.training.augment import Augmentation


@pytest.fixture(scope="module")
def augmentation() -> Augmentation:
    return Augmentation()


def speech(samples: int = 16_000) -> np.ndarray:
    time = np.arange(samples) / 16_000
    generator = np.random.default_rng(4)
    hum = sum(np.sin(2 * np.pi * 140 * k * time) / k for k in range(1, 12))
    return (0.1 * hum * (1 + np.sin(9 * time)) + generator.normal(0, 0.003, samples)).astype(np.float32)


def test_same_seed_same_clip_and_other_seed_another(augmentation: Augmentation):
    clip = speech()
    first = [augmentation(clip, seed) for seed in range(24)]
    again = [augmentation(clip, seed) for seed in reversed(range(24))][::-1]
    fresh = [Augmentation()(clip, seed) for seed in range(4)]
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)
    for one, other in zip(first[:4], fresh, strict=True):
        np.testing.assert_array_equal(one, other)
    assert len({clip.tobytes() for clip in first}) == 24


def test_clips_stay_usable(augmentation: Augmentation):
    clip = speech()
    before = clip.copy()
    lengths = set()
    for seed in range(40):
        changed = augmentation(clip, 1000 + seed)
        assert changed.dtype == np.float32
        assert np.isfinite(changed).all()
        assert np.abs(changed).max() <= 1
        assert changed.std() > 1e-4  # something is left to hear
        assert len(clip) / 1.2 - 2 <= len(changed) <= len(clip) / 0.85 + 2  # speed alone changes the length
        lengths.add(len(changed))
    np.testing.assert_array_equal(clip, before)
    assert len(lengths) > 3
    assert len(clip) in lengths


@pytest.mark.parametrize("samples", [1600, 2345, 8000])
def test_short_clips(augmentation: Augmentation, samples: int):
    for seed in range(12):
        changed = augmentation(speech(samples), seed)
        assert np.isfinite(changed).all()
        assert len(changed) >= samples / 1.2 - 2


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_silence_and_full_scale_stay_numbers(augmentation: Augmentation, value: float):
    for seed in range(40):
        changed = augmentation(np.full(4000, value, dtype=np.float32), seed)
        assert np.isfinite(changed).all()
        assert np.abs(changed).max() <= 1


def test_global_generators_are_as_they_were(augmentation: Augmentation):
    import torch

    random.seed(3)
    np.random.seed(3)  # noqa: NPY002
    torch.manual_seed(3)
    expected = random.random(), np.random.random(), torch.rand(1)  # noqa: NPY002
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002
    torch.manual_seed(3)
    for seed in range(20):
        augmentation(speech(4000), seed)
    assert (random.random(), np.random.random(), torch.rand(1)) == expected  # noqa: NPY002


def test_seeds_beyond_32_bits(augmentation: Augmentation):
    changed = augmentation(speech(4000), 2**64 - 1)
    assert np.isfinite(changed).all()
