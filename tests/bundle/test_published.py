"""A published model as a bundle: what it gives in torch is what people get, and nothing that is not known."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

torch = pytest.importorskip("torch", reason="needs the extra 'train'")
pytestmark = pytest.mark.slow  # exports a model

from emojudge.bundle.format import Bundle  # noqa: E402
from emojudge.challenge.tiny import write_published  # noqa: E402
from emojudge.cli.main import app  # noqa: E402
from emojudge.emotions import EMOTIONS  # noqa: E402
from emojudge.errors import BundleError  # noqa: E402
from emojudge.models.published import load_published  # noqa: E402
from emojudge.recognizer import Recognizer  # noqa: E402
from emojudge.records import Utterance  # noqa: E402

CATEGORICAL = "3loi/SER-Odyssey-Baseline-WavLM-Categorical"
ATTRIBUTES = "3loi/SER-Odyssey-Baseline-WavLM-Multi-Attributes"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    for name in (CATEGORICAL, ATTRIBUTES):
        write_published(name, folder)
    return folder


def imported(model: Path, output: Path, *options: str):  # type: ignore[no-untyped-def]
    return CliRunner().invoke(app, ["bundle", "import", str(model), "-o", str(output), *options])


@pytest.fixture(scope="module")
def bundle(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("bundle") / "odyssey"
    result = imported(weights / CATEGORICAL, folder, "--full")
    assert result.exit_code == 0, result.output
    assert "cannot adapt" in result.stdout
    return Bundle.open(folder)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("audio") / "a.wav"
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 20_000), 16_000, subtype="FLOAT")
    return path


def test_predictions_are_the_models(bundle: Bundle, weights: Path, recording: Path):
    (prediction,) = Recognizer(bundle).predict([Utterance(id="a", audio=recording)])
    samples, _ = soundfile.read(recording, dtype="float32")
    model = load_published(str(weights / CATEGORICAL)).model
    with torch.no_grad():
        logits = model(torch.from_numpy(samples)[None], torch.tensor([len(samples)]))
    found = [prediction.scores[emotion] for emotion in EMOTIONS]
    np.testing.assert_allclose(found, logits.softmax(dim=1)[0], atol=1e-4)
    assert prediction.bundle == "odyssey"


def test_it_cannot_be_adapted_and_says_so(bundle: Bundle, recording: Path):
    with pytest.raises(BundleError, match="Leave --adapt out"):
        list(Recognizer(bundle).predict([Utterance(id="a", audio=recording)], adapt_to="collection"))


def test_a_model_of_attributes_is_no_bundle(weights: Path, tmp_path: Path):
    result = imported(weights / ATTRIBUTES, tmp_path / "bundle")
    assert result.exit_code == 2
    assert "emojudge reproduce" in result.stderr
    assert not (tmp_path / "bundle").exists()
