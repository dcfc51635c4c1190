"""A recording's header without its sound: what it promises, and what is there."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from emojudge.audio.decode import decode
from emojudge.audio.header import Header, read_header
from emojudge.errors import AudioError

NOISE = np.random.default_rng(0).normal(scale=0.1, size=(16_000, 2))


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "mp3", "aiff"])
def test_a_sound_file_is_as_its_header_says(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{kind}"
    soundfile.write(path, NOISE, 16_000)
    header = read_header(path)
    assert (header.rate, header.channels, header.notes) == (16_000, 2, ())
    assert header.seconds == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("kind", ["wav", "aiff", "ogg"])
def test_half_a_file_is_truncated_by_header_as_by_decoding(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{kind}"
    soundfile.write(path, np.tile(NOISE, (4, 1)), 16_000)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert read_header(path).notes[0].startswith("truncated")
    assert any(note.startswith("truncated") for note in decode(path).notes)


def test_a_header_alone_is_too_short(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", NOISE[:, 0], 8_000)
    (tmp_path / "a.wav").write_bytes((tmp_path / "a.wav").read_bytes()[:44])
    assert read_header(tmp_path / "a.wav") == Header(8_000, 1, 0.0, ("too short: 0.000 s",))


@pytest.mark.parametrize("content", [b"", b"Dear Sir,", b"RIFF\0\0\0\0WAVEfmt "])
def test_what_is_no_recording(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(AudioError):
        read_header(tmp_path / "a.wav")
