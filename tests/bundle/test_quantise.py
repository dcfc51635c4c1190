"""A bundle with 8-bit weights: smaller, of nearly the same mind, and taken away where it is not."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

pytest.importorskip("onnx", reason="needs the extra 'train'")

import emojudge
from emojudge.audio.decode import decode
from emojudge.bundle.format import Bundle
from emojudge.bundle.quantise import Agreement, agreement, quantise, size_of
from emojudge.bundle.sessions import AcousticSession, LinguisticSession
from emojudge.cli.main import app
from emojudge.emotions import scores_in_order
from emojudge.errors import BundleError
from emojudge.recognizer import Recognizer

EXAMPLE = Path(__file__).parents[2] / "examples" / "two_voices.flac"


@pytest.fixture(autouse=True)
def one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five are for medians of times, which nobody reads here."""
    monkeypatch.setattr("emojudge.tune.PASSES", 1)


@pytest.fixture(scope="module")
def eight_bit(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return quantise(Bundle.open(), tmp_path_factory.mktemp("quantised") / "bundle")


def test_it_is_smaller_and_hears_nearly_the_same(eight_bit: Bundle):
    embedded = Bundle.open()
    assert size_of(eight_bit) < 0.9 * size_of(embedded)
    assert eight_bit.manifest.provenance["quantised_from"] == embedded.manifest.name
    samples = decode(EXAMPLE).samples
    seconds = [samples[at : at + 64_000] for at in range(0, len(samples), 64_000)]
    one, other = (Recognizer(bundle, threads=1) for bundle in (embedded, eight_bit))
    for clip in seconds:
        before, after = one(clip, rate=16_000), other(clip, rate=16_000)
        assert before.emotion == after.emotion
        difference = np.abs(scores_in_order(before.scores) - scores_in_order(after.scores)).max()
        assert 0 < difference < 0.15


def test_no_item_moves_another(eight_bit: Bundle):
    """8-bit activations have one scale for all of a batch: words moved each other by half a logit."""
    generator = np.random.default_rng(0)
    texts = ["I never thought that this would happen again, today of all days.", "ok", "Why do you say that?"]
    clips = [generator.normal(0, level, 16_000).astype(np.float32) for level in (0.01, 0.1, 0.3)]
    for bundle in (Bundle.open(), eight_bit):
        words = LinguisticSession(bundle, 64, threads=1)
        np.testing.assert_allclose(words(texts), np.concatenate([words([t]) for t in texts]), atol=1e-5)
        voice = AcousticSession(bundle, threads=1)
        alone = np.concatenate([voice.embed([clip]) for clip in clips])
        np.testing.assert_allclose(voice.embed(clips), alone, atol=1e-4)


def test_what_is_quantised_or_there_is_refused(eight_bit: Bundle, tmp_path: Path):
    with pytest.raises(BundleError, match="quantised already"):
        quantise(eight_bit, tmp_path / "again")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(BundleError, match="a folder that is there"):
        quantise(Bundle.open(), tmp_path)


def test_agreement_of_nothing_is_none():
    assert agreement([], []) == Agreement(0, 0, 0.0)
    assert not agreement([], []).share >= 0.5


@pytest.mark.parametrize(("same", "code"), [(1, 0), (0, 1)])
def test_too_few_labels_take_it_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, same: int, code: int):
    monkeypatch.setattr("emojudge.tune.agreement", lambda *_: Agreement(1, same, 0.1))
    done = CliRunner().invoke(app, ["bundle", "quantize", str(EXAMPLE), "-o", str(tmp_path / "new")])
    assert done.exit_code == code, done.output
    assert (tmp_path / "new").exists() == (code == 0)
    assert "MB after" in done.output
    assert ("taken away" in done.output) == (code == 1)


def test_the_command_tells_what_is_right_where_labels_are_known(tmp_path: Path):
    said = emojudge.load(asr="none", engine="onnxruntime")(EXAMPLE).emotion
    other = "sad" if said != "sad" else "happy"
    manifest = tmp_path / "labelled.csv"
    lines = [f"{EXAMPLE},a,{said}", f"{EXAMPLE},b,{other}", f"{EXAMPLE},c,"]
    manifest.write_text("\n".join(["file,id,emotion", *lines]))
    done = CliRunner().invoke(app, ["bundle", "quantize", str(manifest), "-o", str(tmp_path / "new")])
    assert "labels: 3 of 3 utterances as before" in done.output
    # F1 is 2/3 of the emotion that is said twice and right once, 0 of the other seven.
    figures = "accuracy 0.500 and macro-F1 0.083"
    assert f"right: {figures} before, {figures} after, of 2 labelled utterances" in done.output


def test_the_command_compares_on_the_recordings(tmp_path: Path):
    done = CliRunner().invoke(app, ["bundle", "quantize", str(EXAMPLE), "-o", str(tmp_path / "new")])
    assert "labels: 1 of 1 utterance as before" in done.output
