"""Weights for torch in a file: the same model again, and nothing else from a file that somebody made up."""

import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'train'")

from safetensors import safe_open  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402

from emojudge.bundle.weights import KEY, read_acoustic, read_linguistic, write_weights  # noqa: E402
from emojudge.errors import BundleError  # noqa: E402
from emojudge.models.head import DenseHead  # noqa: E402
from tests.bundle.tiny_models import READERS, VOICES, voice, words  # noqa: E402


def told(path: Path) -> dict[str, Any]:
    """The architecture in a file's header."""
    with safe_open(path, "pt") as file:
        found: dict[str, Any] = json.loads(file.metadata()[KEY])
        return found


def retold(path: Path, **changes: Any) -> Path:
    """The same file with another architecture."""
    architecture = {**told(path), **changes}
    tensors = {name: tensor.clone() for name, tensor in load_file(path).items()}
    save_file(tensors, path, {KEY: json.dumps(architecture)})
    return path


@pytest.fixture
def wavlm(tmp_path: Path) -> Path:
    path = tmp_path / "acoustic.safetensors"
    write_weights(voice("wavlm"), path)
    return path


def with_config(path: Path, **changes: Any) -> Path:
    return retold(path, encoder={**told(path)["encoder"], **changes})


@pytest.mark.parametrize("kind", VOICES)
def test_a_voice_comes_back_to_the_last_bit(kind: str, tmp_path: Path):
    more: dict[str, Any] = {"head_layers": 0, "normalisation": "corpus"} if kind == "whisper" else {}
    if kind == "wavlm":
        more = {"last": 2, "layer_weights": True}
    model = voice(kind, **more)
    path = tmp_path / "acoustic.safetensors"
    write_weights(model, path)
    again = read_acoustic(path)
    waveforms, lengths = torch.randn(2, 16_000) * 0.1, torch.tensor([16_000, 9_001])
    with torch.inference_mode():
        torch.testing.assert_close(again(waveforms, lengths), model(waveforms, lengths), rtol=0, atol=2e-6)
    assert not again.training
    assert not any(parameter.requires_grad for parameter in again.parameters())


@pytest.mark.parametrize("kind", READERS)
def test_words_come_back_to_the_last_bit(kind: str, tmp_path: Path):
    model = words(kind, auxiliary=3)
    path = tmp_path / "linguistic.safetensors"
    write_weights(model, path)
    assert not any(name.startswith("auxiliary") for name in load_file(path))  # it was there for training
    tokens, lengths = torch.randint(5, 60, (2, 9)), torch.tensor([9, 4])
    with torch.inference_mode():
        torch.testing.assert_close(read_linguistic(path)(tokens, lengths), model(tokens, lengths))


def test_a_file_says_nothing_of_where_it_was_made(tmp_path: Path):
    model = voice("hubert")
    model.backbone.encoder.config._name_or_path = "/home/somebody/hubert"
    write_weights(model, tmp_path / "x.safetensors")
    assert b"somebody" not in (tmp_path / "x.safetensors").read_bytes()
    assert told(tmp_path / "x.safetensors")["kind"] == "hubert"


def test_what_cannot_be_built_again_is_not_written(tmp_path: Path):
    model: Any = voice("whisper")
    model.head = DenseHead(64, 8, 8)
    with pytest.raises(BundleError, match="found a DenseHead; expected a ResidualHead"):
        write_weights(model, tmp_path / "x.safetensors")
    reader: Any = words("bert")
    reader.encoder.config.model_type = "gpt2"
    with pytest.raises(BundleError, match="found kind: Input should be 'bert'"):
        write_weights(reader, tmp_path / "x.safetensors")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"_attn_implementation": "somebody/kernels"}, "encoder._attn_implementation"),
        ({"hidden_act": "somebody/kernels"}, "encoder.hidden_act"),
        ({"attn_implementation": "eager"}, "'attn_implementation' in the configuration of 'wavlm'"),
        ({"auto_map": ["x", "y"]}, "'auto_map' in the configuration"),
        ({"hidden_act": {"a": 1}}, "encoder.hidden_act"),
        ({"hidden_size": 1 << 40}, "encoder.hidden_size"),
        ({"num_hidden_layers": 100_000}, "encoder: Value error, num_hidden_layers = 100000, more than 256"),
        ({"conv_dim": [16] * 1000}, "encoder.conv_dim"),
        ({"hidden_size": 64}, "where the architecture has"),
        ({"num_hidden_layers": 3}, "tensors missing or unknown, such as backbone.encoder.encoder.layers.2"),
        ({"num_attention_heads": 0}, "."),
        ({"num_attention_heads": 5}, "."),
        ({"hidden_act": "nothing_of_the_kind"}, "."),
        ({"conv_kernel": []}, "."),
    ],
)
def test_a_hostile_configuration_is_refused(wavlm: Path, changes: dict[str, Any], found: str):
    with pytest.raises(BundleError, match=found) as refused:
        read_acoustic(with_config(wavlm, **changes))
    assert "acoustic.safetensors: found" in str(refused.value)
    assert "expected weights that this version can build a model of" in str(refused.value)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"kind": "timm_wrapper"}, "kind: Input should be 'ecapa'"),
        ({"outputs": 0}, "outputs"),
        ({"outputs": 9}, "head.output.weight"),
        ({"last": 3}, "last"),
        ({"head_layers": 1 << 30}, "head_layers"),
        ({"code": "import os"}, "code: Extra inputs"),
        ({"dynamic_range_db": float("nan")}, "dynamic_range_db"),
    ],
)
def test_a_hostile_architecture_is_refused(wavlm: Path, changes: dict[str, Any], found: str):
    with pytest.raises(BundleError, match=found):
        read_acoustic(retold(wavlm, **changes))


def test_damaged_files_are_refused(wavlm: Path, tmp_path: Path):
    tensors = {name: tensor.clone() for name, tensor in load_file(wavlm).items()}
    save_file(tensors, tmp_path / "bare.safetensors")
    with pytest.raises(BundleError, match="architecture: Invalid JSON"):
        read_acoustic(tmp_path / "bare.safetensors")
    with pytest.raises(BundleError, match="kind: Input should be 'bert'"):
        read_linguistic(wavlm)
    halved = {name: tensor.half() for name, tensor in tensors.items()}
    save_file(halved, tmp_path / "half.safetensors", {KEY: json.dumps(told(wavlm))})
    with pytest.raises(BundleError, match=r"torch\.float16"):
        read_acoustic(tmp_path / "half.safetensors")
    for content in (b"", b"Dear Sir,", wavlm.read_bytes()[:-4]):
        wavlm.write_bytes(content)
        with pytest.raises(BundleError, match="expected weights"):
            read_acoustic(wavlm)
