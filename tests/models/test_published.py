"""Published models in our classes: their own formulas in float64, on checkpoints of their exact layout."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'train'")

from safetensors.torch import load_file, save_file  # noqa: E402

from emojudge.challenge.tiny import write_published  # noqa: E402
from emojudge.errors import RecipeError  # noqa: E402
from emojudge.models.published import load_published  # noqa: E402

CATEGORICAL = "3loi/SER-Odyssey-Baseline-WavLM-Categorical"
ATTRIBUTES = "3loi/SER-Odyssey-Baseline-WavLM-Multi-Attributes"
AUDEERING = "audeering/wav2vec2-large-robust-12-ft-emotion-msp-dim"
NAMES = [CATEGORICAL, ATTRIBUTES, AUDEERING]
SAMPLES = 12_345


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("published")
    for name in NAMES:
        write_published(name, made)
    return made


def clip(seed: int = 0, samples: int = SAMPLES) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.01, 0.1, samples).astype(np.float32)


def hidden(prefix: str, tensors: dict[str, Any], samples: np.ndarray) -> np.ndarray:
    """Frames `(frames, features)` of `transformers`' own encoder, in float64."""
    from transformers import Wav2Vec2Config, Wav2Vec2Model, WavLMConfig, WavLMModel

    kinds = {"ssl_model.": (WavLMConfig, WavLMModel), "wav2vec2.": (Wav2Vec2Config, Wav2Vec2Model)}
    config, model = kinds[prefix]
    sizes = {
        "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64,
        "conv_dim": (32,) * 7, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2,
        "feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True,
    }  # fmt: skip
    encoder = model(config(**sizes)).double().eval()
    own = {key.removeprefix(prefix): tensor for key, tensor in tensors.items() if key.startswith(prefix)}
    new = {
        key.replace("weight_g", "parametrizations.weight.original0").replace(
            "weight_v", "parametrizations.weight.original1"
        ): tensor
        for key, tensor in own.items()
    }
    encoder.load_state_dict(new)
    with torch.no_grad():
        return encoder(torch.from_numpy(samples.astype(np.float64))[None]).last_hidden_state[0].numpy()


def baseline(path: Path, samples: np.ndarray) -> np.ndarray:
    """The organisers' formula, whose variance is the difference of two moments."""
    config = json.loads((path / "config.json").read_text())
    tensors = load_file(path / "model.safetensors")
    t = {name: tensor.double().numpy() for name, tensor in tensors.items()}
    x = hidden("ssl_model.", tensors, (samples.astype(np.float64) - config["mean"]) / (config["std"] + 1e-6))
    energy = np.tanh(x @ t["pool_model.sap_linear.weight"].T + t["pool_model.sap_linear.bias"])
    energy = (energy @ t["pool_model.attention"])[:, 0]
    weights = np.exp(energy - energy.max())
    weights /= weights.sum()
    mean = weights @ x
    deviation = np.sqrt(np.maximum(weights @ x**2 - mean**2, 1e-5))
    h = t["ser_model.fc.0.0.weight"] @ np.concatenate([mean, deviation]) + t["ser_model.fc.0.0.bias"]
    h = (h - h.mean()) / np.sqrt(h.var() + 1e-5) * t["ser_model.fc.0.1.weight"] + t["ser_model.fc.0.1.bias"]
    return t["ser_model.out.0.weight"] @ np.maximum(h, 0) + t["ser_model.out.0.bias"]


def audeering(path: Path, samples: np.ndarray) -> np.ndarray:
    tensors = load_file(path / "model.safetensors")
    t = {name: tensor.double().numpy() for name, tensor in tensors.items()}
    x = samples.astype(np.float64)
    mean = hidden("wav2vec2.", tensors, (x - x.mean()) / np.sqrt(x.var() + 1e-7)).mean(axis=0)
    h = np.tanh(t["classifier.dense.weight"] @ mean + t["classifier.dense.bias"])
    return t["classifier.out_proj.weight"] @ h + t["classifier.out_proj.bias"]


def ours(path: Path, *clips: np.ndarray) -> np.ndarray:
    found = load_published(str(path))
    batch = torch.nn.utils.rnn.pad_sequence([torch.from_numpy(c) for c in clips], batch_first=True)
    with torch.no_grad():
        return found.model(batch, torch.tensor([len(c) for c in clips])).double().numpy()


def test_categorical_baseline_is_its_own_formula(folder: Path):
    expected = baseline(folder / CATEGORICAL, clip())
    assert expected.std() > 0.1
    np.testing.assert_allclose(ours(folder / CATEGORICAL, clip())[0], expected, atol=1e-4)
    assert load_published(str(folder / CATEGORICAL)).task == "emotion"


@pytest.mark.parametrize(("name", "formula"), [(ATTRIBUTES, baseline), (AUDEERING, audeering)])
def test_attributes_are_their_own_in_our_order_and_scale(folder: Path, name: str, formula):
    arousal, dominance, valence = formula(folder / name, clip())  # on 0..1
    on_seven = 4 + 3 * ours(folder / name, clip())[0]
    np.testing.assert_allclose(on_seven, 1 + 6 * np.array([valence, arousal, dominance]), atol=1e-3)
    assert load_published(str(folder / name)).task == "attributes"


@pytest.mark.parametrize("name", NAMES)
def test_padding_changes_nothing(folder: Path, name: str):
    clips = clip(), clip(1, 4000), clip(2, 7777)
    together = ours(folder / name, *clips)
    alone = np.concatenate([ours(folder / name, c) for c in clips])
    np.testing.assert_allclose(together, alone, atol=1e-4)


def test_the_parts_that_the_organisers_training_leaves(folder: Path, tmp_path: Path):
    tensors = load_file(folder / CATEGORICAL / "model.safetensors")
    for part, file in (("ssl", "final_ssl.pt"), ("pool", "final_pool.pt"), ("ser", "final_ser.pt")):
        prefix = f"{part}_model."
        own = {k.removeprefix(prefix): t for k, t in tensors.items() if k.startswith(prefix)}
        torch.save(own, tmp_path / file)
    config = json.loads((folder / CATEGORICAL / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({name: config[name] for name in ("mean", "std")}))
    np.testing.assert_array_equal(ours(tmp_path, clip()), ours(folder / CATEGORICAL, clip()))


def test_pickled_weights_and_names_of_todays_torch(folder: Path, tmp_path: Path):
    """`pytorch_model.bin`, as first published; and audEERING's configuration, in which some keys are null."""
    for source, place in ((ATTRIBUTES, tmp_path / "a"), (AUDEERING, tmp_path / "b")):
        place.mkdir()
        tensors = load_file(folder / source / "model.safetensors")
        if source == ATTRIBUTES:
            tensors = {
                key.replace("weight_g", "parametrizations.weight.original0").replace(
                    "weight_v", "parametrizations.weight.original1"
                ): tensor
                for key, tensor in tensors.items()
            }
        torch.save(tensors, place / "pytorch_model.bin")
        config = json.loads((folder / source / "config.json").read_text())
        (place / "config.json").write_text(json.dumps(config | {"vocab_size": None}))
        np.testing.assert_array_equal(ours(place, clip()), ours(folder / source, clip()))


def changed(folder: Path, place: Path, *, drop: str = "", config: dict[str, Any] | None = None) -> Path:
    tensors = load_file(folder / CATEGORICAL / "model.safetensors")
    save_file({k: t for k, t in tensors.items() if not drop or drop not in k}, place / "model.safetensors")
    about = json.loads((folder / CATEGORICAL / "config.json").read_text())
    (place / "config.json").write_text(json.dumps(about | (config or {})))
    return place


@pytest.mark.parametrize(
    "drop",
    ["pool_model.attention", "ser_model.out.0.bias", "encoder.layers.1.attention.q_proj.weight", "ssl_model"],
)
def test_a_tensor_that_is_missing_is_never_made_up(folder: Path, tmp_path: Path, drop: str):
    with pytest.raises(RecipeError, match=r"backbone\.weights"):
        load_published(str(changed(folder, tmp_path, drop=drop)))


@pytest.mark.parametrize(
    "config",
    [
        {"mean": None},
        {"std": "a lot"},
        {"id2label": {str(n): str(n) for n in range(8)}},
        {"id2label": {"0": "Sad", "1": "Angry"}},
    ],
)
def test_a_configuration_that_says_something_else(folder: Path, tmp_path: Path, config: dict[str, Any]):
    with pytest.raises(RecipeError, match=r"backbone\.weights"):
        load_published(str(changed(folder, tmp_path, config=config)))


@pytest.mark.parametrize("content", [None, "{", "[]"])
def test_no_published_model(tmp_path: Path, content: str | None):
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(RecipeError, match=r"backbone\.weights"):
        load_published(str(tmp_path))


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("run",)


def test_no_code_is_run(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "config.json").write_text((folder / CATEGORICAL / "config.json").read_text())
    torch.save({"ser_model.out.0.bias": Evil()}, tmp_path / "pytorch_model.bin")
    (tmp_path / "pipeline_utils.py").write_text("print('run')")
    with pytest.raises(RecipeError, match=r"backbone\.weights"):
        load_published(str(tmp_path))
    assert capsys.readouterr().out == ""
