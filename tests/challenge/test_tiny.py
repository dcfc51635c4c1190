"""Every system's small stand-in: of the recipe's architecture, trained as it is, deaf to padding."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'train'")

from emojudge.challenge.systems import FOLDER, recipe  # noqa: E402
from emojudge.challenge.tiny import shrunk, write_weights  # noqa: E402
from emojudge.training.model import model_and_data  # noqa: E402

TEXTS = ["yes, they said", "no line is like another one", "well"] * 20
SYSTEMS = sorted(path.stem for path in FOLDER.glob("*.yaml") if "-" in path.stem)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tiny")


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_tiny_system_is_whole_and_deaf_to_padding(name: str, weights: Path):
    small = shrunk(recipe(name))
    write_weights(small, weights, TEXTS)
    model, _ = model_and_data(small, weights)
    settings = small.acoustic or small.linguistic
    assert settings is not None
    kind = model.backbone.kind if small.acoustic else model.encoder.config.model_type
    assert kind == settings.backbone.kind
    generator = np.random.default_rng(0)
    if small.modality == "audio":
        items = [torch.from_numpy(generator.normal(0, 0.1, n).astype(np.float32)) for n in (16_000, 9_007)]
    else:
        items = [torch.tensor([0, *generator.integers(5, 300, n), 2]) for n in (20, 7)]
    batch = torch.nn.utils.rnn.pad_sequence(items, batch_first=True)
    lengths = torch.tensor([len(item) for item in items])
    logits = model.eval()(batch, lengths)
    logits.sum().backward()
    trained = [p.grad is not None for group in model.parameter_groups().values() for p in group]
    assert logits.shape == (2, sum({"emotion": 8, "attributes": 3}[task] for task in small.tasks))
    assert np.mean(trained) > 0.8  # all but what no output depends on, such as a pooler
    with torch.no_grad():
        alone = torch.cat([model(item[None], torch.tensor([len(item)])) for item in items])
        torch.testing.assert_close(model(batch, lengths), alone, atol=1e-4, rtol=0)


def test_a_tiny_recipe_differs_in_size_alone():
    whole = recipe("emotion-wavlm-large")
    small = shrunk(whole)
    assert small.acoustic is not None
    assert whole.acoustic is not None
    size = {"head_width": whole.acoustic.head_width, "max_seconds": whole.acoustic.max_seconds}
    assert small.acoustic.model_copy(update=size) == whole.acoustic
    assert small.training.focal_gamma == whole.training.focal_gamma
    assert small.training.epochs < whole.training.epochs
