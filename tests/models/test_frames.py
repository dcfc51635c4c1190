"""How many hidden frames an item has, which pooling must know exactly."""

import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'train'")

# Around the borders of the convolutions' strides, and some arbitrary ones.
LENGTHS = [*range(1600, 1600 + 330, 11), 1680, 2000, 3199, 3200, 3201, 16_000, 16_001, 31_999, 48_013]


@pytest.mark.parametrize("kind", ["wavlm-group", "hubert-layer", "wav2vec2-layer", "whisper"])
def test_frames_are_those_of_the_model(tiny_backbone, kind: str):
    backbone = tiny_backbone(kind)
    counted = backbone.frames(torch.tensor(LENGTHS))
    with torch.no_grad():
        real = [backbone(torch.randn(1, n) * 0.1, torch.tensor([n])).shape[1] for n in LENGTHS]
    assert counted.tolist() == real


def test_official_baseline_overshoots(tiny_backbone):
    """floor((n - 1) / 320) + 1, by which the official baseline pools, counts a frame too many, often two."""
    lengths = torch.arange(1600, 64_000)
    theirs = torch.div(lengths - 1, 320, rounding_mode="floor") + 1
    surplus, counts = torch.unique(theirs - tiny_backbone("wavlm-layer").frames(lengths), return_counts=True)
    assert surplus.tolist() == [1, 2]
    assert counts[1] > 0.2 * len(lengths)


def test_a_batch_has_the_frames_of_its_longest_item(tiny_backbone):
    for kind in ("whisper", "wavlm-group"):
        backbone = tiny_backbone(kind)
        lengths = torch.tensor([1600, 7777])
        with torch.no_grad():
            hidden = backbone(torch.zeros(2, 7777), lengths)
        assert hidden.shape == (2, int(backbone.frames(lengths).max()), backbone.features)
