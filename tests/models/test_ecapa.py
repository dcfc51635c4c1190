"""ECAPA-TDNN: SpeechBrain's numbers on single utterances, and the same ones in any batch."""

import itertools
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'train'")

from emojudge.errors import RecipeError  # noqa: E402
from emojudge.models.acoustic import AcousticModel  # noqa: E402
from emojudge.models.backbones import load_backbone  # noqa: E402
from emojudge.models.ecapa import EcapaBackbone, EcapaEncoder, Normalisation, published_folder  # noqa: E402
from emojudge.models.spectrogram import FilterBank  # noqa: E402
from emojudge.recipe import AcousticSettings, BackboneSettings  # noqa: E402

# Made by SpeechBrain 1.1.2 with torch 2.14: random weights of a small ECAPA_TDNN, two clips, what its
# Fbank(n_mels=80) and InputNormalization(norm_type="sentence", std_norm=False) make of each alone, and the
# frames after `mfa`.
GOLDEN = np.load(Path(__file__).parent / "data" / "ecapa.npz", allow_pickle=False)
WEIGHTS = {
    name.removeprefix("weights/"): torch.from_numpy(GOLDEN[name])
    for name in GOLDEN.files
    if name.startswith("weights/")
}
WAVES, LENGTHS = torch.from_numpy(GOLDEN["waves"]), torch.from_numpy(GOLDEN["lengths"])


@pytest.fixture(scope="module")
def backbone() -> EcapaBackbone:
    return EcapaBackbone(EcapaEncoder.of(WEIGHTS)).eval()


@pytest.mark.parametrize("together", [False, True])
def test_features_are_speechbrains(together: bool):
    for row, length in enumerate(LENGTHS):
        some = slice(None) if together else slice(row, row + 1)
        waves = WAVES if together else WAVES[some, :length]
        features, mask = FilterBank()(waves, LENGTHS[some])
        expected = GOLDEN[f"features_{row}"]  # (frames, mels)
        ours = features[row if together else 0].T[mask[row if together else 0]]
        np.testing.assert_allclose(ours, expected, atol=2e-3)  # dB, of which float32 has about five digits


@pytest.mark.parametrize("together", [False, True])
def test_frames_are_speechbrains_also_in_a_batch(backbone: EcapaBackbone, together: bool):
    """In this batch, SpeechBrain itself gives the second clip frames that are off by more than their size."""
    with torch.no_grad():
        for row, length in enumerate(LENGTHS.tolist()):
            expected = GOLDEN[f"frames_{row}"]
            assert backbone.frames(torch.tensor(length)) == len(expected)
            alone = backbone(WAVES[row : row + 1, :length], torch.tensor([length]))[0]
            ours = backbone(WAVES, LENGTHS)[row] if together else alone
            np.testing.assert_allclose(ours[: len(expected)], expected, atol=1e-3)


def test_frame_counts_are_exact(backbone: EcapaBackbone):
    lengths = torch.tensor([1600, 1601, 1759, 1760, 16_000])
    for length, frames in zip(lengths.tolist(), backbone.frames(lengths).tolist(), strict=True):
        assert backbone(torch.randn(1, length), torch.tensor([length])).shape == (
            1,
            frames,
            backbone.features,
        )


@pytest.mark.parametrize("lengths", list(itertools.permutations([320, 1600, 7777])))
def test_padding_does_not_change_an_items_logits(backbone: EcapaBackbone, lengths: tuple[int, ...]):
    settings = AcousticSettings(backbone=BackboneSettings(kind="ecapa", weights="x"), head_width=8)
    torch.manual_seed(0)
    model = AcousticModel(backbone, 8, settings).eval()
    torch.nn.init.normal_(model.pooling.attention)
    batch = torch.full((3, max(lengths)), torch.nan)  # whatever is behind an item does not count
    for row, length in enumerate(lengths):
        batch[row, :length] = 0.1 * torch.randn(length)
    with torch.no_grad():
        logits = model(batch, torch.tensor(lengths))
        for row, length in enumerate(lengths):
            alone = model(batch[row : row + 1, :length], torch.tensor([length]))
            torch.testing.assert_close(logits[row], alone[0], atol=1e-4, rtol=0)


def test_training_normalises_by_true_frames_alone():
    """As if all true frames stood in one long utterance; in float64 beside torch's own."""
    torch.manual_seed(0)
    ours, theirs = Normalisation(5).double(), torch.nn.BatchNorm1d(5).double()
    hidden, frames = torch.randn(3, 5, 9, dtype=torch.float64), torch.tensor([9, 4, 1])
    hidden[1, :, 4:], hidden[2, :, 1:] = 1e6, torch.nan
    normal = ours(hidden, frames)
    true = torch.cat([item[:, :count] for item, count in zip(hidden, frames, strict=True)], dim=1)
    expected = theirs(true[None])[0]
    found = torch.cat([item[:, :count] for item, count in zip(normal, frames, strict=True)], dim=1)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(ours.norm.running_mean, theirs.running_mean)
    assert torch.isfinite(normal).all()


@pytest.mark.parametrize("frozen", [0, 1, 2, 4])
def test_freeze(tmp_path: Path, frozen: int):
    published_folder(EcapaEncoder(channels=8, features=12, scale=4, squeezed=4), tmp_path)
    settings = BackboneSettings(kind="ecapa", weights="ignored", frozen_layers=frozen)
    trained = {n for n, p in load_backbone(settings, str(tmp_path)).named_parameters() if p.requires_grad}
    assert {int(n.split("blocks.")[1][0]) for n in trained if n.startswith("encoder.blocks.")} == set(
        range(frozen, 4)
    )
    assert any("mfa" in name for name in trained) == (frozen < 4)


def test_published_weights_as_speechbrain_keeps_them(tmp_path: Path):
    """A pickle of tensors under SpeechBrain's name, its own pooling among them; no code of it is run."""
    others = {"asp.conv.conv.weight": torch.zeros(1), "fc.conv.weight": torch.zeros(1)}
    torch.save({**WEIGHTS, **others}, tmp_path / "embedding_model.ckpt")
    loaded = load_backbone(BackboneSettings(kind="ecapa", weights=str(tmp_path)))
    assert loaded.features == 12
    assert all(torch.equal(tensor, WEIGHTS[name]) for name, tensor in loaded.encoder.state_dict().items())


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("run",)


@pytest.mark.parametrize("fault", ["nothing", "code", "cut", "another", "empty"])
def test_weights_that_cannot_be_used(tmp_path: Path, fault: str, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "embedding_model.ckpt"
    if fault == "code":
        torch.save({**WEIGHTS, "mfa.conv.conv.bias": Evil()}, path)
    elif fault == "cut":
        torch.save(WEIGHTS, path)
        path.write_bytes(path.read_bytes()[:2000])
    elif fault == "another":
        torch.save({"blocks.0.conv.conv.weight": torch.zeros(8, 80, 5)}, path)
    elif fault == "empty":
        path.touch()
    with pytest.raises(RecipeError, match=r"backbone\.weights"):
        load_backbone(BackboneSettings(kind="ecapa", weights=str(tmp_path)))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("field", [{"layers": 2}, {"last": 2}])
def test_its_layers_belong_together(tmp_path: Path, field: dict[str, int]):
    with pytest.raises(RecipeError, match=f"backbone.{next(iter(field))}"):
        load_backbone(BackboneSettings(kind="ecapa", weights=str(tmp_path), **field))


@pytest.mark.slow
def test_exported_it_gives_the_same(backbone: EcapaBackbone, tmp_path: Path):
    import onnxruntime

    from emojudge.bundle.export import export_acoustic

    settings = AcousticSettings(backbone=BackboneSettings(kind="ecapa", weights="x"), head_width=8)
    model = AcousticModel(backbone, 8, settings).eval()
    export_acoustic(model, tmp_path, longest_seconds=10)
    session = onnxruntime.InferenceSession(
        str(tmp_path / "acoustic.onnx"), providers=["CPUExecutionProvider"]
    )
    for lengths in ([1600], [16_000, 1600], [2401, 40_321, 7777], [80_000] * 2):
        waves = np.zeros((len(lengths), max(lengths)), dtype=np.float32)
        for row, length in enumerate(lengths):
            waves[row, :length] = np.random.default_rng(length).normal(0, 0.1, length)
        (found,) = session.run(None, {"waveforms": waves, "lengths": np.array(lengths)})
        with torch.no_grad():
            expected = model.embed(torch.from_numpy(waves), torch.tensor(lengths)).numpy()
        np.testing.assert_allclose(found, expected, atol=1e-3)
