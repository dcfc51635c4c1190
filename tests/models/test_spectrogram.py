"""Log-mel spectrograms against those of transformers' feature extractor."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'train'")

from emojudge.models.spectrogram import LogMel  # noqa: E402


def clip(samples: int, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    time = np.arange(samples) / 16_000
    tone = 0.3 * np.sin(2 * np.pi * 300 * time * (1 + time / 5)) * (1 + np.sin(7 * time))
    return (tone + generator.normal(0, 0.02, samples)).astype(np.float32)


@pytest.mark.parametrize("mels", [80, 128])
@pytest.mark.parametrize("samples", [1600, 1759, 16_000, 16_080, 40_321])
def test_as_whisper_has_it(samples: int, mels: int):
    """Up to the last two frames, in which Whisper already sees the zeros of its padding to 30 s as frames."""
    from transformers import WhisperFeatureExtractor

    samples_in = clip(samples)
    theirs = WhisperFeatureExtractor(feature_size=mels)(samples_in, sampling_rate=16_000, return_tensors="np")
    ours, mask = LogMel(mels)(torch.from_numpy(samples_in)[None], torch.tensor([samples]))
    frames = samples // 160
    assert ours.shape == (1, mels, frames)
    assert mask.all()
    np.testing.assert_allclose(
        ours[0, :, : frames - 2], theirs["input_features"][0][:, : frames - 2], atol=1e-4
    )


def test_a_padded_item_has_the_spectrogram_that_it_has_alone():
    spectrogram = LogMel()
    lengths = [1600, 5000, 16_000]
    batch = torch.zeros(3, 16_000)
    for row, n in enumerate(lengths):
        batch[row, :n] = torch.from_numpy(clip(n, seed=row)) * 10.0**-row
    together, mask = spectrogram(batch, torch.tensor(lengths))
    for row, n in enumerate(lengths):
        alone, _ = spectrogram(batch[row : row + 1, :n], torch.tensor([n]))
        torch.testing.assert_close(together[row, :, : n // 160], alone[0], atol=1e-4, rtol=0)
        assert mask[row].sum() == n // 160
        assert not together[row, :, n // 160 :].any()


def test_what_no_frame_of_an_item_reaches_does_not_set_its_level():
    """A bang in its last 100 samples, after its last frame, which only a longer neighbour makes visible."""
    samples = 16_159
    item = 1e-5 * torch.from_numpy(clip(samples))
    item[-100:] = torch.randn(100)
    batch = torch.zeros(2, 20_000)
    batch[0, :samples] = item
    together, _ = LogMel()(batch, torch.tensor([samples, 20_000]))
    alone, _ = LogMel()(item[None], torch.tensor([samples]))
    torch.testing.assert_close(together[0, :, :100], alone[0, :, :100], atol=1e-4, rtol=0)


def test_dynamic_range_is_80_db_of_the_utterance():
    mel, _ = LogMel()(torch.from_numpy(clip(16_000))[None], torch.tensor([16_000]))
    assert mel.max() - mel.min() <= 8.0 / 4.0 + 1e-6  # log10 units over four


def test_silence_is_finite():
    mel, _ = LogMel()(torch.zeros(1, 1600), torch.tensor([1600]))
    torch.testing.assert_close(mel, torch.full_like(mel, (-10 + 4) / 4))


def test_a_smaller_dynamic_range_hides_what_pauses_sound_like():
    """A tone and a pause, once with hiss in it: alike where 50 dB are kept, and not where 80 are."""
    generator = torch.Generator().manual_seed(0)
    tone = torch.sin(torch.arange(8_000) * 0.3)
    hiss = torch.randn(8_000, generator=generator) * 10 ** (-60 / 20)
    quiet, noisy = torch.cat([tone, hiss * 0]), torch.cat([tone, hiss])
    lengths = torch.tensor([16_000])

    def apart(dynamic_range_db: float) -> float:
        mel = LogMel(dynamic_range_db=dynamic_range_db)
        one, other = (mel(samples[None], lengths)[0][0, :, 55:] for samples in (quiet, noisy))
        return float((one - other).abs().max())

    assert apart(80.0) > 0.1
    assert apart(50.0) < 0.01
