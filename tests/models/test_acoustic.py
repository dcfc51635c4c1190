"""The acoustic model: an item's logits are its own, whatever it is padded with and batched with."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="needs the extra 'train'")

from emojudge.errors import RecipeError  # noqa: E402
from emojudge.models.acoustic import AcousticModel  # noqa: E402
from emojudge.recipe import AcousticSettings, BackboneSettings  # noqa: E402

KINDS = [
    "whisper",
    *(f"{kind}-{norm}" for kind in ("wavlm", "hubert", "wav2vec2") for norm in ("group", "layer")),
]


@pytest.fixture(scope="module")
def build(tiny_backbone):
    def model(kind: str, normalisation: str = "utterance") -> AcousticModel:
        torch.manual_seed(1)
        chosen = AcousticSettings(
            backbone=BackboneSettings(kind=kind.split("-")[0], weights=""),
            normalisation=normalisation,
            head_width=16,
        )
        made = AcousticModel(tiny_backbone(kind), 8, chosen).eval()
        made.mean.fill_(0.02)
        made.deviation.fill_(0.1)
        return made

    return model


def speech(samples: int, seed: int) -> torch.Tensor:
    """Noise with a slow envelope and an offset, at a level that differs from clip to clip."""
    generator = torch.Generator().manual_seed(seed)
    envelope = 1 + torch.sin(torch.arange(samples) / 900)
    level = 0.02 + 0.1 * torch.rand(1, generator=generator)
    return 0.01 + level * envelope * torch.randn(samples, generator=generator)


def pad(clips: list[torch.Tensor], garbage: float, extra: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    lengths = torch.tensor([len(clip) for clip in clips])
    batch = torch.full((len(clips), int(lengths.max()) + extra), garbage)
    for row, clip in zip(batch, clips, strict=True):
        row[: len(clip)] = clip
    return batch, lengths


def alone(model: AcousticModel, clips: list[torch.Tensor]) -> torch.Tensor:
    return torch.cat([model(clip[None], torch.tensor([len(clip)])) for clip in clips])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("normalisation", ["utterance", "corpus"])
def test_padding_changes_no_logits(build, kind: str, normalisation: str):
    """Lengths around the frames' borders, from the shortest recording to seconds, garbage in the padding."""
    model = build(kind, normalisation)
    lengths = [1600, 1601, 1759, 1760, 4000, 5119, 5120, 5121, 16_000, 23_457, 48_000]
    clips = [speech(n, seed) for seed, n in enumerate(lengths)]
    with torch.no_grad():
        expected = alone(model, clips)
        for garbage in (0.0, 0.7, -1e4):
            logits = model(*pad(clips, garbage, extra=777))
            torch.testing.assert_close(logits, expected, atol=1e-4, rtol=0)
    assert expected.std(dim=0).max() > 1e-2  # the clips do differ


@pytest.mark.parametrize("kind", ["whisper", "wavlm-group", "wavlm-layer"])
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    lengths=st.lists(st.integers(1600, 40_000), min_size=2, max_size=4), garbage=st.floats(-10, 10, width=32)
)
def test_padding_changes_no_logits_whatever_the_lengths(build, kind: str, lengths: list[int], garbage: float):
    model = build(kind)
    clips = [speech(n, n) for n in lengths]
    with torch.no_grad():
        torch.testing.assert_close(model(*pad(clips, garbage)), alone(model, clips), atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", ["whisper", "wavlm-group"])
@pytest.mark.parametrize("garbage", [float("nan"), float("inf")])
def test_padding_that_is_no_number(build, kind: str, garbage: float):
    model = build(kind)
    clips = [speech(3000, 1), speech(16_000, 2)]
    with torch.no_grad():
        torch.testing.assert_close(model(*pad(clips, garbage)), alone(model, clips), atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", ["whisper", "wavlm-group", "hubert-layer"])
def test_padding_changes_no_gradient(build, kind: str):
    """Training on a padded batch moves the parameters as training on the items one by one would."""
    model = build(kind)
    clips = [speech(2000, 1), speech(9000, 2)]
    parameters = [p for group in model.parameter_groups().values() for p in group]
    together = torch.autograd.grad(model(*pad(clips, 3.0)).square().sum(), parameters, allow_unused=True)
    apart = torch.autograd.grad(alone(model, clips).square().sum(), parameters, allow_unused=True)
    for one, other in zip(together, apart, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-3)


def test_level_and_offset_do_not_count_when_utterances_are_normalised(build):
    model = build("whisper", "utterance")
    clip = speech(16_000, 5)
    with torch.no_grad():
        loud, quiet = (
            model((clip * g + o)[None], torch.tensor([len(clip)])) for g, o in ((3, 0.2), (0.3, 0))
        )
    torch.testing.assert_close(loud, quiet, atol=1e-3, rtol=0)


def test_normalise_by_corpus_and_by_utterance(build):
    clips = [speech(2000, 1), speech(3000, 2)]
    batch, lengths = pad(clips, 5.0)
    by_corpus = build("whisper", "corpus").normalise(batch, lengths)
    by_item = build("whisper", "utterance").normalise(batch, lengths)
    for row, clip in enumerate(clips):
        n = len(clip)
        np.testing.assert_allclose(by_corpus[row, :n], (clip - 0.02) / 0.1, atol=1e-4)
        reference = clip.double()
        reference = (reference - reference.mean()) / (reference.std(correction=0) + 1e-6)
        np.testing.assert_allclose(by_item[row, :n], reference, atol=1e-4)
        assert not by_corpus[row, n:].any()
        assert not by_item[row, n:].any()


@pytest.mark.parametrize("kind", ["whisper", "wav2vec2-group", "wavlm-layer"])
def test_digital_silence_gives_numbers(build, kind: str):
    with torch.no_grad():
        logits = build(kind)(torch.zeros(2, 4000), torch.tensor([4000, 1600]))
    assert logits.isfinite().all()


def test_parameter_groups_hold_every_trainable_parameter_once(build):
    model = build("whisper")
    grouped = [id(p) for group in model.parameter_groups().values() for p in group]
    assert sorted(grouped) == sorted(id(p) for p in model.parameters() if p.requires_grad)
    assert set(model.parameter_groups()) == {"encoder", "pooling", "head"}


def test_penalty_is_the_poolings(build):
    model = build("whisper")
    torch.testing.assert_close(model.penalty(), model.pooling.penalty())
    (slope,) = torch.autograd.grad(model.penalty(), [model.pooling.attention])
    torch.testing.assert_close(slope, 2 * model.pooling.attention.detach())


@pytest.mark.parametrize("kind", KINDS)
def test_the_last_hidden_states_side_by_side(tiny_backbone, kind: str):
    both, one = tiny_backbone(kind, last=2), tiny_backbone(kind)
    lengths = torch.tensor([8_000, 6_000])
    waveforms = torch.stack([speech(8_000, 0), speech(8_000, 1)])
    waveforms[1, 6_000:] = 0
    with torch.no_grad():
        hidden, last = both(waveforms, lengths), one(waveforms, lengths)
    assert both.features == hidden.shape[2] == 64
    torch.testing.assert_close(hidden[..., 32:], last)
    assert not torch.allclose(hidden[..., :32], last, atol=1e-3)


def test_no_more_hidden_states_than_layers(tiny_backbone):
    with pytest.raises(RecipeError, match="at most 3"):
        tiny_backbone("whisper", last=4)


def test_auxiliary_heads_are_there_in_training_alone(tiny_backbone):
    """They read the pooled features and pull at them; what is validated and exported is as without them."""
    chosen = AcousticSettings(
        backbone=BackboneSettings(kind="whisper", weights=""), head_width=16, dropout=0.0
    )
    torch.manual_seed(1)
    model = AcousticModel(tiny_backbone("whisper"), 8, chosen, auxiliary=18).eval()
    clip, length = speech(8000, 0)[None], torch.tensor([8000])
    plain = model(clip, length)
    assert plain.shape == (1, 8)
    outputs = model.train()(clip, length)
    torch.testing.assert_close(outputs[:, :8], plain, atol=1e-5, rtol=1e-4)
    assert outputs.shape == (1, 26)
    outputs[:, 8:].sum().backward()
    assert model.pooling.hidden.weight.grad is not None
    assert not any(p.grad.any() for p in model.head.parameters())
    heads = {id(p) for p in model.parameter_groups()["head"]}
    assert {id(p) for p in model.auxiliary.parameters()} < heads
    model.zero_grad()
    model.eval()
