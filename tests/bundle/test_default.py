"""The embedded bundle: made by the recipes beside it, and deaf to how quiet the pauses of a recording are."""

from pathlib import Path

import numpy as np
import pytest

import emojudge
from emojudge.audio.decode import SAMPLE_RATE, decode
from emojudge.bundle.format import Bundle
from emojudge.recipe import Recipe

ROOT = Path(__file__).parents[2]
SECONDS = 4


@pytest.mark.parametrize("modality", ["audio", "text"])
def test_it_was_made_by_the_recipe_that_stands_beside_it(modality: str):
    shipped = emojudge.load(asr="none").bundle.manifest.provenance[modality]["recipe"]
    assert Recipe.model_validate(shipped) == Recipe.read(ROOT / "recipes" / "default" / f"{modality}.yaml")


@pytest.mark.parametrize("part", [0, 1, 2])
def test_noise_50_db_under_the_speech_does_not_move_its_logits(part: int):
    """With all of Whisper's 80 dB, the noise floor of a recording moved them by up to 0.7."""
    recognizer = emojudge.load(asr="none")
    speech = decode(ROOT / "examples" / "two_voices.flac").samples
    speech = speech[part * SECONDS * SAMPLE_RATE :][: SECONDS * SAMPLE_RATE]
    noise = np.random.default_rng(part).standard_normal(len(speech)).astype(np.float32)
    noise *= np.sqrt(np.mean(speech**2)) * 10 ** (-50 / 20)
    quiet, noisy = (recognizer(samples, rate=SAMPLE_RATE).audio for samples in (speech, speech + noise))
    assert quiet is not None
    assert noisy is not None
    assert list(noisy.logits.values()) == pytest.approx(list(quiet.logits.values()), abs=0.1)


def test_what_it_learned_from_is_known():
    manifest = Bundle.open().manifest
    assert manifest.trained_on == {"emodb", "emogator", "goemotions", "xed", "emobank"}
    assert manifest.model_copy(update={"provenance": {"audio": None, "x": {"recipe": 3}}}).trained_on == set()
