"""Voice activity: the shipped model, in blocks of any size, against speech whose places are known."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emojudge.audio import vad
from emojudge.audio.decode import decode
from emojudge.audio.vad import CONTEXT, FRAME, MODEL, SHA256, VoiceActivity
from emojudge.errors import BundleError

ROOT = Path(__file__).parents[2]
EXAMPLE = decode(ROOT / "examples" / "two_voices.flac").samples


def whole(samples: np.ndarray) -> np.ndarray:
    voice = VoiceActivity()
    return np.concatenate([voice.push(samples), voice.finish()])


def test_speech_is_told_from_silence_and_noise() -> None:
    spoken = whole(EXAMPLE)
    assert len(spoken) == -(-len(EXAMPLE) // FRAME)
    assert np.mean(spoken[20:100] > 0.5) > 0.5  # the first sentence, 0.45 to 3.4 s
    noise = np.random.default_rng(0).normal(size=160_000).astype(np.float32) * 0.05
    assert whole(noise).max() < 0.5
    assert whole(np.zeros(48_000, np.float32)).max() < 0.1


@settings(max_examples=6, deadline=None)
@given(st.lists(st.integers(0, 30_000), min_size=1, max_size=8))
def test_it_does_not_matter_how_samples_come(cuts: list[int]) -> None:
    samples = EXAMPLE[: sum(cuts)]
    voice = VoiceActivity()
    parts = np.split(samples, np.cumsum(cuts)[:-1])
    found = np.concatenate([*(voice.push(part) for part in parts), voice.finish()])
    assert np.array_equal(found, whole(samples))


def test_frames_are_those_of_the_model_run_one_by_one() -> None:
    """The state and the samples before a frame are handed on as Silero's own loop does."""
    session = vad._session()
    hidden = cell = np.zeros((1, 1, 128), np.float32)
    padded = np.concatenate([np.zeros(CONTEXT, np.float32), EXAMPLE[: 40 * FRAME]])
    expected = []
    for frame in range(40):
        given = padded[None, frame * FRAME : frame * FRAME + CONTEXT + FRAME]
        p, hidden, cell = session.run(None, {"input": given, "h": hidden, "c": cell})
        expected.append(p.item())
    assert np.allclose(whole(EXAMPLE[: 40 * FRAME]), expected, atol=1e-5)


def test_the_model_is_the_one_that_the_notice_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert hashlib.sha256(MODEL.read_bytes()).hexdigest() == SHA256
    assert SHA256 in (ROOT / "NOTICE").read_text(encoding="utf-8")
    vad._session.cache_clear()
    (tmp_path / "other.onnx").write_bytes(MODEL.read_bytes() + b" ")
    monkeypatch.setattr(vad, "MODEL", tmp_path / "other.onnx")
    with pytest.raises(BundleError, match="SHA-256"):
        VoiceActivity()
    vad._session.cache_clear()


def test_recordings_do_not_share_their_states() -> None:
    first, second = VoiceActivity(), VoiceActivity()
    alone = whole(EXAMPLE[:48_000])
    mixed = []
    for start in range(0, 48_000, 4_096):
        mixed.append(first.push(EXAMPLE[start : min(start + 4_096, 48_000)]))
        second.push(np.random.default_rng(start).normal(size=4_096).astype(np.float32))
    assert np.array_equal(np.concatenate([*mixed, first.finish()]), alone)
