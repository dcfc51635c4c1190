"""From logits to opinions and to the fused one."""

import numpy as np
import pytest

from emojudge.bundle.format import FORMAT, AcousticPart, Fusion, LinguisticPart, Manifest
from emojudge.emotions import ATTRIBUTES, EMOTIONS, attributes_of, scores_in_order
from emojudge.errors import BundleError
from emojudge.fusion.calibration import softmax
from emojudge.opinions import Opinions

VOICE = np.array([2, 0, 0.5, -1, 0, 0, 0, 1], dtype=np.float32)
WORDS = np.array([0, 0, 3, -1, 0, 0, 0, 1, 0.5, -0.5, 0.1], dtype=np.float32)


def manifest(
    *,
    audio: bool = True,
    text: bool = True,
    attributes: bool = True,
    fusion: bool = True,
    heard_attributes: bool = False,
) -> Manifest:
    coefficients = np.concatenate([np.eye(8), 0.5 * np.eye(8)], axis=1)
    return Manifest(
        format=FORMAT,
        name="test",
        emotions=EMOTIONS,
        audio=AcousticPart(
            temperature=2.0,
            window_seconds=3,
            embedding_mean=(0.0,),
            embedding_deviation=(1.0,),
            attributes=heard_attributes,
        )
        if audio
        else None,
        text=LinguisticPart(temperature=0.5, max_tokens=16, attributes=attributes, languages=("en",))
        if text
        else None,
        fusion=Fusion(
            coefficients=tuple(map(tuple, coefficients)),
            intercept=(0.0, 0, 0, 0, 0, 0, 0, 0.25),
            temperature=1.5,
            text_share={"valence": 0.75, "arousal": 0.25, "dominance": 0.5},
            method="by hand",
        )
        if fusion
        else None,
        licence="CC0-1.0",
        provenance={},
        hashes={},
    )


def values(attributes) -> list[float]:
    return [getattr(attributes, name) for name in ATTRIBUTES]


def test_the_voices_attributes_are_derived_from_its_scores():
    opinion = Opinions(manifest()).of_audio(VOICE)
    scores = softmax(VOICE, 2.0)
    np.testing.assert_allclose(scores_in_order(opinion.scores), scores, atol=1e-6)
    np.testing.assert_array_equal(scores_in_order(opinion.logits), VOICE)  # as they came, for a later fusion
    np.testing.assert_allclose(values(opinion.attributes), attributes_of(scores), atol=1e-5)


def test_the_words_attributes_are_the_models():
    opinion = Opinions(manifest()).of_text(WORDS)
    np.testing.assert_allclose(scores_in_order(opinion.scores), softmax(WORDS[:8], 0.5), atol=1e-6)
    np.testing.assert_allclose(values(opinion.attributes), [5.5, 2.5, 4.3], atol=1e-5)
    outside = np.concatenate([WORDS[:8], np.float32([1.4, -2.0, 0.0])])
    assert values(Opinions(manifest()).of_text(outside).attributes) == [7, 1, 4]


def test_a_voices_model_with_attributes():
    heard = np.concatenate([VOICE, np.float32([1.0, 0.0, -0.5])])
    chosen = Opinions(manifest(heard_attributes=True))
    audio, text = chosen.of_audio(heard), chosen.of_text(WORDS)
    assert values(audio.attributes) == [7, 4, 2.5]
    np.testing.assert_allclose(scores_in_order(audio.scores), softmax(VOICE, 2.0), atol=1e-6)
    for pair in ((audio, None), (audio, text), (None, text)):
        assert set(chosen.fuse(*pair).attributes_from.values()) == {"model"}
    derived = Opinions(manifest(heard_attributes=True, attributes=False))
    mixed = derived.fuse(derived.of_audio(heard), derived.of_text(WORDS[:8]))
    assert set(mixed.attributes_from.values()) == {"mixed"}


def test_words_without_an_attribute_model():
    opinion = Opinions(manifest(attributes=False)).of_text(WORDS[:8])
    np.testing.assert_allclose(values(opinion.attributes), attributes_of(softmax(WORDS[:8], 0.5)), atol=1e-5)


def test_both_are_fused_by_the_bundles_regression():
    chosen = Opinions(manifest())
    audio, text = chosen.of_audio(VOICE), chosen.of_text(WORDS)
    fused = chosen.fuse(audio, text)
    logits = VOICE + 0.5 * WORDS[:8]
    logits[7] += 0.25
    np.testing.assert_allclose(scores_in_order(fused.scores), softmax(logits, 1.5), atol=1e-6)
    shares = np.array([0.75, 0.25, 0.5])
    expected = shares * values(text.attributes) + (1 - shares) * values(audio.attributes)
    np.testing.assert_allclose(values(fused.attributes), expected, atol=1e-5)
    assert set(fused.attributes_from.values()) == {"mixed"}


def test_one_modality_alone_speaks_for_itself():
    chosen = Opinions(manifest())
    audio, text = chosen.of_audio(VOICE), chosen.of_text(WORDS)
    voice, words = chosen.fuse(audio, None), chosen.fuse(None, text)
    assert (voice.scores, voice.attributes) == (audio.scores, audio.attributes)
    assert (words.scores, words.attributes) == (text.scores, text.attributes)
    assert set(voice.attributes_from.values()) == {"derived"}
    assert set(words.attributes_from.values()) == {"model"}


def test_where_no_model_gives_attributes_all_are_derived():
    chosen = Opinions(manifest(attributes=False))
    audio, text = chosen.of_audio(VOICE), chosen.of_text(WORDS[:8])
    for pair in ((audio, text), (audio, None), (None, text)):
        assert set(chosen.fuse(*pair).attributes_from.values()) == {"derived"}


def test_what_a_bundle_does_not_have_is_said():
    with pytest.raises(BundleError, match="no audio model"):
        Opinions(manifest(audio=False)).of_audio(VOICE)
    with pytest.raises(BundleError, match="no text model"):
        Opinions(manifest(text=False)).of_text(WORDS)
    chosen = Opinions(manifest(fusion=False))
    audio, text = chosen.of_audio(VOICE), chosen.of_text(WORDS)
    with pytest.raises(BundleError, match="no fusion"):
        chosen.fuse(audio, text)
    with pytest.raises(BundleError, match="no opinion"):
        chosen.fuse(None, None)
    assert chosen.fuse(audio, None).scores == audio.scores
