"""Frames of a frozen backbone: as the model gives them, kept on disk, made once."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

torch = pytest.importorskip("torch", reason="needs the extra 'train'")

from emojudge.errors import RecipeError  # noqa: E402
from emojudge.models.acoustic import AcousticModel  # noqa: E402
from emojudge.models.whisper import WhisperBackbone  # noqa: E402
from emojudge.recipe import AcousticSettings, BackboneSettings  # noqa: E402
from emojudge.records import Utterance  # noqa: E402
from emojudge.training.data import AudioData, collate  # noqa: E402
from emojudge.training.frames import FrameData, encode_views  # noqa: E402


@pytest.fixture(scope="module")
def model() -> AcousticModel:
    from transformers import WhisperConfig

    torch.manual_seed(0)
    config = WhisperConfig(d_model=16, encoder_layers=2, encoder_attention_heads=2, encoder_ffn_dim=32)
    settings = AcousticSettings(
        backbone=BackboneSettings(kind="whisper", weights="none"), normalisation="utterance", head_width=8
    )
    return AcousticModel(WhisperBackbone(config, last=2), 8, settings).eval()


@pytest.fixture(scope="module")
def utterances(tmp_path_factory: pytest.TempPathFactory) -> list[Utterance]:
    folder = tmp_path_factory.mktemp("clips")
    generator = np.random.default_rng(0)
    made = []
    for number, emotion in enumerate(["angry", "sad", "happy", "fear", "sad"]):
        path = folder / f"{number}.wav"
        soundfile.write(path, 0.1 * generator.standard_normal(4_000 + 1_500 * (number % 3)), 16_000)
        made.append(Utterance(id=f"u{number}", audio=path, emotion=emotion))  # type: ignore[arg-type]
    return made


def frame_data(
    model: AcousticModel, utterances: list[Utterance], folder: Path, views: int = 1, key: str = "k"
) -> FrameData:
    clips = AudioData(utterances, 2.0, augment=views > 1)
    frames = encode_views(clips, views, model.encode, folder, key)
    return FrameData([clips], [frames], np.arange(len(utterances)))


def test_frames_give_the_logits_of_the_waveforms(
    model: AcousticModel, utterances: list[Utterance], tmp_path: Path
) -> None:
    indices = np.array([4, 1, 2])
    waves = collate(AudioData(utterances, 2.0, augment=False), indices)
    frames = collate(frame_data(model, utterances, tmp_path), indices)
    assert frames.inputs.shape[2] == 32  # two hidden states of 16, side by side
    torch.testing.assert_close(frames.emotions, waves.emotions)
    with torch.no_grad():
        expected = model(waves.inputs, waves.lengths)
        torch.testing.assert_close(model(frames.inputs, frames.lengths), expected, atol=5e-3, rtol=5e-3)


def test_groups_come_back_in_the_items_order(
    model: AcousticModel, utterances: list[Utterance], tmp_path: Path
) -> None:
    odd, even = utterances[1::2], utterances[::2]
    groups = [AudioData(part, 2.0, augment=False) for part in (odd, even)]
    frames = [encode_views(g, 1, model.encode, tmp_path, str(i)) for i, g in enumerate(groups)]
    order = np.argsort([1, 3, 0, 2, 4])
    together = FrameData(groups, frames, order)
    whole = frame_data(model, utterances, tmp_path)
    np.testing.assert_array_equal(together.emotions, whole.emotions)
    np.testing.assert_array_equal(together.sizes, whole.sizes)
    everything = np.arange(5)
    for one, other in zip(together.inputs(everything, None), whole.inputs(everything, None), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-2)


def test_a_seed_draws_a_view_and_none_takes_the_first(
    model: AcousticModel, utterances: list[Utterance], tmp_path: Path
) -> None:
    plain = frame_data(model, utterances, tmp_path / "plain")
    several = frame_data(model, utterances, tmp_path / "several", views=4)
    first = np.array([0])
    np.testing.assert_array_equal(several.inputs(first, None)[0], plain.inputs(first, None)[0])
    seen = {several.inputs(first, seed)[0].tobytes() for seed in range(40)}
    assert len(seen) == 4
    assert several.inputs(first, 3)[0].tobytes() == several.inputs(first, 3)[0].tobytes()


def test_what_is_on_disk_is_not_made_again_and_what_is_half_done_is(
    model: AcousticModel, utterances: list[Utterance], tmp_path: Path
) -> None:
    calls = 0

    def encode(waveforms: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        nonlocal calls
        calls += 1
        return model.encode(waveforms, lengths)

    clips = AudioData(utterances, 2.0, augment=True)
    made = encode_views(clips, 2, encode, tmp_path, "k")
    assert calls == 2
    encode_views(clips, 2, encode, tmp_path, "k")
    assert calls == 2
    before = [frames[3].copy() for frames in made]
    newest = sorted(tmp_path.glob("*.index.npy"), key=lambda path: path.stat().st_mtime_ns)[-1]
    newest.unlink()  # as a kill before the end of the second view leaves it
    again = encode_views(clips, 2, encode, tmp_path, "k")
    assert calls == 3
    for frames, expected in zip(again, before, strict=True):
        np.testing.assert_array_equal(frames[3], expected)
    encode_views(clips, 1, encode, tmp_path, "another model")
    assert calls == 4


def test_only_a_backbone_that_is_frozen_as_a_whole_is_cached(tmp_path: Path) -> None:
    from transformers import WhisperConfig
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    from emojudge.recipe import Recipe
    from emojudge.training.model import model_and_data

    config = WhisperConfig(d_model=16, encoder_layers=2, encoder_attention_heads=2, encoder_ffn_dim=32)
    WhisperEncoder(config).save_pretrained(tmp_path / "voice")
    backbone = {"kind": "whisper", "weights": "voice", "frozen_layers": 1}
    content = {
        "name": "r",
        "modality": "audio",
        "data": [{"corpus": "table", "folder": "f"}],
        "acoustic": {"backbone": backbone, "cache_frames": True},
    }
    with pytest.raises(RecipeError, match="frozen as a whole"):
        model_and_data(Recipe.model_validate(content), tmp_path, tmp_path / "cache")
    backbone["frozen_layers"] = 2
    model_and_data(Recipe.model_validate(content), tmp_path, tmp_path / "cache")
