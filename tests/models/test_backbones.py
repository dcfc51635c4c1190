"""The registry of encoders: names, weights, freezing; and what the wav2vec 2.0 family adds to its own."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'train'")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from transformers import (  # noqa: E402
    AutoModel,
    HubertConfig,
    HubertModel,
    Wav2Vec2Config,
    WavLMConfig,
    WavLMModel,
)

from emojudge.errors import RecipeError  # noqa: E402
from emojudge.models.backbones import load_backbone  # noqa: E402
from emojudge.models.front_end import quicken_front_end  # noqa: E402
from emojudge.models.pretrained import checkpoint_gradients  # noqa: E402
from emojudge.models.wav2vec2 import MaskedGroupNorm, Wav2Vec2Backbone  # noqa: E402
from emojudge.models.whisper import WhisperBackbone  # noqa: E402
from emojudge.recipe import BackboneSettings  # noqa: E402
from tests.models.conftest import encoder_config  # noqa: E402

TINY = {
    "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 16,
    "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4, "conv_dim": (8,) * 7,
}  # fmt: skip


@pytest.fixture(scope="module")
def wavlm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("wavlm")
    WavLMModel(WavLMConfig(**TINY)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def hubert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hubert")
    HubertModel(HubertConfig(**TINY, feat_extract_norm="layer")).save_pretrained(folder)
    return folder


def test_unknown_kind_with_did_you_mean():
    with pytest.raises(RecipeError, match=r"found 'wavml'.*Did you mean 'wavlm'\?"):
        load_backbone(BackboneSettings(kind="wavml", weights="x"))


@pytest.mark.parametrize("where", ["missing/at/all", "empty", "broken"])
@pytest.mark.parametrize("kind", ["wavlm", "whisper"])
def test_weights_that_are_not_there(tmp_path: Path, where: str, kind: str):
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.json").write_text("{not json")
    with pytest.raises(RecipeError, match=r"backbone\.weights"):
        load_backbone(BackboneSettings(kind=kind, weights=str(tmp_path / where)))


def test_weights_of_another_kind(hubert: Path):
    with pytest.raises(RecipeError, match="'wavlm' with weights of 'hubert'"):
        load_backbone(BackboneSettings(kind="wavlm", weights=str(hubert)))


def test_weights_are_the_folders_and_layers_are_cut(wavlm: Path):
    backbone = load_backbone(BackboneSettings(kind="wavlm", weights="ignored", layers=2), str(wavlm))
    expected = AutoModel.from_pretrained(wavlm).state_dict()
    loaded = backbone.encoder.state_dict()
    assert len(backbone.encoder.encoder.layers) == 2
    assert {name for name in expected if ".layers.2." not in name} == set(loaded)
    assert all(torch.equal(weight, expected[name]) for name, weight in loaded.items())


def test_more_layers_than_there_are(wavlm: Path):
    with pytest.raises(RecipeError, match="found 9; expected at most 3"):
        load_backbone(BackboneSettings(kind="wavlm", weights=str(wavlm), layers=9))


@pytest.mark.parametrize("frozen", [0, 2])
def test_freeze(wavlm: Path, frozen: int):
    backbone = load_backbone(BackboneSettings(kind="wavlm", weights=str(wavlm), frozen_layers=frozen))
    trained = {name for name, p in backbone.named_parameters() if p.requires_grad}
    assert not any("feature_extractor" in name for name in trained)
    assert any("feature_projection" in name for name in trained) == (frozen == 0)
    assert {int(n.split("layers.")[1][0]) for n in trained if "encoder.layers." in n} == set(range(frozen, 3))


@pytest.mark.parametrize("kind", ["wavlm-group", "wavlm-layer", "hubert-layer", "wav2vec2-layer"])
def test_no_gradient_goes_through_the_frozen_front_end(kind: str):
    """It would be a fifth of the time, and gigabytes, for a slope by the waveform that nobody asks for."""
    backbone = Wav2Vec2Backbone.from_config(encoder_config(kind)).train()
    backbone.freeze(0)
    given = []
    backbone.encoder.feature_extractor.register_forward_hook(lambda *call: given.append(call[2]))
    backbone(torch.randn(1, 6000), torch.tensor([6000])).sum().backward()
    assert [out.requires_grad for out in given] == [False]
    assert backbone.encoder.feature_projection.projection.weight.grad.any()


def test_hidden_states_are_the_encoders_own(hubert: Path):
    """On one unpadded item there is nothing to mask: transformers' own numbers come out."""
    backbone = load_backbone(BackboneSettings(kind="hubert", weights=str(hubert))).eval()
    encoder = AutoModel.from_pretrained(hubert).eval()
    waveform = torch.randn(1, 8000)
    with torch.no_grad():
        expected = encoder(waveform).last_hidden_state
        torch.testing.assert_close(backbone(waveform, torch.tensor([8000])), expected, atol=5e-5, rtol=0)


def test_masked_group_norm_is_torchs_on_what_is_not_padding():
    torch.manual_seed(0)
    theirs = torch.nn.GroupNorm(6, 6)
    torch.nn.init.normal_(theirs.weight)
    torch.nn.init.normal_(theirs.bias)
    ours = MaskedGroupNorm(6, 6)
    ours.load_state_dict(theirs.state_dict())
    hidden = torch.randn(3, 6, 50) * 3 + 1
    ours.frames = torch.tensor([50, 20, 7])
    normal = ours(hidden)
    for row, frames in enumerate([50, 20, 7]):
        torch.testing.assert_close(
            normal[row, :, :frames], theirs(hidden[row : row + 1, :, :frames])[0], atol=1e-5, rtol=1e-5
        )


def test_masked_group_norm_is_exact_under_autocast():
    """Statistics over thousands of frames in bfloat16 would keep two digits."""
    ours, theirs = MaskedGroupNorm(4, 4), torch.nn.GroupNorm(4, 4)
    hidden = (torch.randn(1, 4, 3000) + 5).bfloat16()
    ours.frames = torch.tensor([3000])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(ours(hidden).float(), theirs(hidden.float()), atol=1e-3, rtol=1e-3)


def test_training_mode_drops_no_stretches_of_time():
    """SpecAugment of transformers draws from numpy's global generator, which no checkpoint keeps."""
    backbone = Wav2Vec2Backbone.from_config(HubertConfig(**TINY, mask_time_prob=0.9, mask_time_length=2))
    assert not backbone.encoder.config.apply_spec_augment


def test_layers_are_not_dropped_where_several_are_read():
    """A hidden state less, and the features of the last layers would be of the layers below, or too few."""
    backbone = Wav2Vec2Backbone.from_config(HubertConfig(**TINY, layerdrop=0.9), last=2).train()
    for _ in range(5):
        hidden = backbone(torch.randn(2, 6000), torch.tensor([6000, 4100]))
        assert hidden.shape[2] == backbone.features


@pytest.mark.parametrize("kind", ["wavlm-group", "wavlm-layer", "hubert-layer", "whisper"])
def test_gradient_checkpointing_gives_the_same_gradients(kind: str):
    """With dropout on: what is computed again must draw the same numbers; and it is computed again."""
    make = WhisperBackbone if kind == "whisper" else Wav2Vec2Backbone.from_config
    slopes, passes = [], []
    for checkpointed in (False, True):
        torch.manual_seed(0)
        backbone = make(encoder_config(kind)).train()
        backbone.encoder.config.layerdrop = 0.0
        backbone.freeze(0)
        if checkpointed:
            checkpoint_gradients(backbone)
        layers = getattr(backbone.encoder, "encoder", backbone.encoder).layers
        counted = [0]
        first = next(m for m in layers[-1].modules() if isinstance(m, torch.nn.LayerNorm))
        first.register_forward_pre_hook(lambda *_, counted=counted: counted.__setitem__(0, counted[0] + 1))
        torch.manual_seed(1)
        hidden = backbone(torch.randn(2, 6000) * 0.1, torch.tensor([6000, 4100]))
        hidden.square().sum().backward()
        slopes.append({name: p.grad for name, p in backbone.named_parameters() if p.grad is not None})
        passes.append(counted[0])
    assert passes == [1, 2]
    assert slopes[0].keys() == slopes[1].keys()
    assert any(slope.abs().max() > 1e-3 for slope in slopes[0].values())
    for name, slope in slopes[0].items():
        torch.testing.assert_close(slopes[1][name], slope, atol=1e-5, rtol=1e-4, msg=name)


def test_gradient_checkpointing_needs_an_encoder():
    with pytest.raises(RecipeError, match=r"training\.gradient_checkpointing: found an encoder that cannot"):
        checkpoint_gradients(torch.nn.Linear(2, 2))


def test_a_dynamic_range_is_whispers_alone(wavlm: Path):
    with pytest.raises(RecipeError, match="only Whisper"):
        load_backbone(BackboneSettings(kind="wavlm", weights=str(wavlm), dynamic_range_db=50))


@settings(deadline=None, max_examples=25)
@given(
    layers=st.lists(
        st.tuples(st.integers(1, 11), st.integers(1, 6), st.integers(1, 9)), min_size=1, max_size=4
    ),
    kind=st.sampled_from([WavLMConfig, HubertConfig, Wav2Vec2Config]),
    norm=st.sampled_from(["group", "layer"]),
    bias=st.booleans(),
    seed=st.integers(0, 99),
)
def test_the_quick_front_end_is_the_stock_one(layers, kind, norm: str, bias: bool, seed: int):
    """Of any kernels and strides, overlapping or with gaps, to the very last sample."""
    torch.manual_seed(seed)
    kernels, strides, channels = zip(*layers, strict=True)
    config = kind(
        **{**TINY, "conv_dim": channels}, conv_kernel=kernels, conv_stride=strides, conv_bias=bias,
        feat_extract_norm=norm,
    )  # fmt: skip
    encoder = AutoModel.from_config(config).eval()
    samples = 7 + seed
    for kernel, stride in zip(kernels[::-1], strides[::-1], strict=True):
        samples = (samples - 1) * stride + kernel + seed % stride
    waveforms = torch.randn(2, samples)
    with torch.no_grad():
        stock = encoder.feature_extractor(waveforms)
        quicken_front_end(encoder)
        quick = encoder.feature_extractor(waveforms)
    assert type(encoder.feature_extractor).__name__ == f"Quick{kind.__name__[:-6]}FeatureEncoder"
    torch.testing.assert_close(
        quick, stock, atol=2e-3, rtol=1e-3
    )  # normalising few channels makes rounding large


def test_a_front_end_that_is_trained_has_its_slopes():
    torch.manual_seed(0)
    encoder = AutoModel.from_config(WavLMConfig(**TINY, feat_extract_norm="layer"))
    waveforms, slopes = torch.randn(2, 4000), []
    for _ in range(2):
        encoder.zero_grad()
        encoder.feature_extractor(waveforms).square().mean().backward()
        slopes.append([p.grad.clone() for p in encoder.feature_extractor.parameters()])
        quicken_front_end(encoder)
    assert all(torch.equal(a, b) for a, b in zip(*slopes, strict=True))
