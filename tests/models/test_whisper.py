"""Whisper's truncated encoder against transformers' own on 30 s."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'train'")

from transformers import WhisperConfig, WhisperForConditionalGeneration, WhisperModel  # noqa: E402
from transformers.models.whisper.modeling_whisper import WhisperEncoder  # noqa: E402

from emojudge.errors import RecipeError  # noqa: E402
from emojudge.models.backbones import load_backbone  # noqa: E402
from emojudge.models.whisper import WhisperBackbone  # noqa: E402
from emojudge.recipe import BackboneSettings  # noqa: E402

TINY = {
    "d_model": 32, "encoder_layers": 3, "decoder_layers": 1, "encoder_attention_heads": 4,
    "decoder_attention_heads": 4, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "vocab_size": 50,
    "pad_token_id": 1, "bos_token_id": 1, "eos_token_id": 1, "decoder_start_token_id": 1,
}  # fmt: skip


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_truncated_layers_are_transformers_own(tmp_path: Path, layers: int):
    torch.manual_seed(0)
    theirs = WhisperEncoder(WhisperConfig(**TINY)).eval()
    theirs.save_pretrained(tmp_path)
    ours = WhisperBackbone.from_pretrained(str(tmp_path), layers).eval()
    ours.norm = torch.nn.Identity()  # our own, after theirs
    waveform = torch.randn(1, 480_000) * 0.1
    with torch.no_grad():
        hidden = ours(waveform, torch.tensor([480_000]))
        mel, _ = ours.spectrogram(waveform, torch.tensor([480_000]))
        states: list[torch.Tensor] = []
        theirs.layers[layers - 1].register_forward_hook(lambda _m, _i, out: states.append(out))
        theirs(mel)
    assert hidden.shape == (1, 1500, 32)
    torch.testing.assert_close(hidden, states[0], atol=1e-4, rtol=0)


@pytest.mark.parametrize("whole", [WhisperEncoder, WhisperModel, WhisperForConditionalGeneration])
def test_weights_come_from_encoder_and_whole_checkpoints(tmp_path: Path, whole):
    """The Hub has whole models; `transformers` would give their encoder random weights without an error."""
    torch.manual_seed(0)
    model = whole(WhisperConfig(**TINY))
    model.save_pretrained(tmp_path)
    encoder = model if whole is WhisperEncoder else model.get_encoder()
    loaded = WhisperBackbone.from_pretrained(str(tmp_path), 2).encoder
    assert len(loaded.layers) == 2
    expected = encoder.state_dict()
    for name, weight in loaded.state_dict().items():
        assert torch.equal(weight, expected[name]), name


def test_missing_weights_are_refused(tmp_path: Path):
    from safetensors.torch import load_file, save_file

    WhisperEncoder(WhisperConfig(**TINY)).save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    del weights["layers.1.fc1.weight"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(RecipeError, match=r"1 weights missing, such as layers\.1\.fc1\.weight"):
        WhisperBackbone.from_pretrained(str(tmp_path))


def test_more_layers_than_there_are(tmp_path: Path):
    WhisperEncoder(WhisperConfig(**TINY)).save_pretrained(tmp_path)
    with pytest.raises(RecipeError, match="found 4; expected at most 3"):
        WhisperBackbone.from_pretrained(str(tmp_path), 4)


def test_the_callers_config_stays_as_it_is():
    config = WhisperConfig(**TINY)
    WhisperBackbone(config, 1)
    assert config.encoder_layers == 3


@pytest.mark.parametrize("frozen", [0, 2])
def test_freeze_keeps_the_front_end_and_the_first_layers(tmp_path: Path, frozen: int):
    WhisperEncoder(WhisperConfig(**TINY)).save_pretrained(tmp_path)
    chosen = BackboneSettings(kind="whisper", weights=str(tmp_path), frozen_layers=frozen)
    backbone = load_backbone(chosen)
    trained = {name for name, p in backbone.named_parameters() if p.requires_grad}
    assert not any("conv" in name or "embed" in name for name in trained)
    layers = {name.split(".")[2] for name in trained if name.startswith("encoder.layers")}
    assert layers == {str(layer) for layer in range(frozen, 3)}
