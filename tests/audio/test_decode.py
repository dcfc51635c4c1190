"""Any recording becomes float32 mono at 16 kHz, or one clear AudioError."""

import io
import os
import re
import struct
import sys
import threading
import tracemalloc
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import event, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from emojudge.audio import decode as decode_module
from emojudge.audio.decode import SAMPLE_RATE, Audio, decode, stream
from emojudge.errors import AudioError, MissingExtraError

FORMATS = [  # container, encoding, how far the level may be off
    ("WAV", "PCM_U8", 0.02),
    ("WAV", "PCM_16", 0.001),
    ("WAV", "PCM_24", 0.001),
    ("WAV", "PCM_32", 0.001),
    ("WAV", "FLOAT", 0.001),
    ("WAV", "DOUBLE", 0.001),
    ("WAV", "ULAW", 0.02),
    ("WAV", "IMA_ADPCM", 0.02),
    ("RF64", "PCM_16", 0.001),
    ("AIFF", "PCM_S8", 0.02),
    ("AIFF", "PCM_16", 0.001),
    ("AU", "PCM_16", 0.001),
    ("CAF", "ALAC_16", 0.001),
    ("FLAC", "PCM_16", 0.001),
    ("FLAC", "PCM_24", 0.001),
    ("OGG", "VORBIS", 0.02),
    ("OGG", "OPUS", 0.02),
    ("MP3", "MPEG_LAYER_III", 0.02),
]
MEDIA = [
    ("mp4", "aac", 44_100),
    ("webm", "libopus", 48_000),
    ("adts", "aac", 22_050),
    ("matroska", "pcm_u8", 8_000),
]


def tone(seconds: float = 1.0, rate: int = 16_000, channels: int = 1, hz: float = 440.0, level: float = 0.5):
    """A sine `(samples,)` or `(samples, channels)`, faded over 20 ms so that codecs do not ring."""
    time = np.arange(round(seconds * rate)) / rate
    fade = np.clip(np.minimum(time, time[::-1]) / 0.02, 0, 1)
    sine = level * fade * np.sin(2 * np.pi * hz * time)
    return sine if channels == 1 else np.repeat(sine[:, None], channels, axis=1)


def encoded(samples: NDArray, rate: int = 16_000, container: str = "WAV", encoding: str = "PCM_16") -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=container, subtype=encoding)
    return buffer.getvalue()


def encoded_by_av(samples: NDArray, rate: int, container: str, codec: str) -> bytes:
    av = pytest.importorskip("av", reason="needs the extra 'media'")
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as file:
        track = file.add_stream(codec, rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None].astype(np.float32), format="fltp", layout="mono")
        frame.sample_rate = rate
        to_codec = av.AudioResampler(
            track.codec_context.format, "mono", rate, track.codec_context.frame_size or None
        )
        for part in [*to_codec.resample(frame), *to_codec.resample(None), None]:
            file.mux(track.encode(part))
    return buffer.getvalue()


def wav_header(data_bytes: int, rate: int = 16_000) -> bytes:
    """The header of a 16-bit mono WAV that claims `data_bytes` of sound."""
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16)
    riff = struct.pack("<4sI4s", b"RIFF", min(36 + data_bytes, 2**32 - 1), b"WAVE")
    return riff + form + struct.pack("<4sI", b"data", data_bytes)


def is_tone(samples: NDArray, hz: float, level: float, within: float) -> bool:
    """Whether the middle of `samples` is a sine of that frequency and level, and nothing else."""
    time = np.arange(len(samples)) / SAMPLE_RATE
    middle = slice(len(samples) // 4, -len(samples) // 4)
    waves = np.stack([np.sin(2 * np.pi * hz * time), np.cos(2 * np.pi * hz * time)], axis=1)[middle]
    fit, *_ = np.linalg.lstsq(waves, samples[middle], rcond=None)
    rest = samples[middle] - waves @ fit
    return abs(np.hypot(*fit) - level) < within and float(np.sqrt(np.mean(rest**2))) < within


def error_of(source: object, **options: object) -> str:
    with pytest.raises(AudioError) as caught:
        decode(source, **options)  # type: ignore[arg-type]
    return str(caught.value)


# --------------------------------------------------------------------------------------------------- formats


@pytest.mark.parametrize(("container", "encoding", "within"), FORMATS)
def test_formats(container: str, encoding: str, within: float, tmp_path: Path) -> None:
    rate = 48_000 if encoding == "OPUS" else 44_100
    path = tmp_path / "recording.txt"  # a name says nothing
    path.write_bytes(encoded(tone(1.2, rate, channels=2), rate, container, encoding))
    audio = decode(path)
    assert (audio.samples.dtype, audio.samples.ndim) == (np.float32, 1)
    assert audio.seconds == len(audio.samples) / SAMPLE_RATE == pytest.approx(1.2, abs=0.05)
    assert is_tone(audio.samples, 440, 0.5, within)
    assert audio.name == str(path)
    assert audio.notes == ("mixed down from 2 channels",)


@pytest.mark.parametrize(("container", "codec", "rate"), MEDIA)
def test_formats_of_pyav(container: str, codec: str, rate: int, tmp_path: Path) -> None:
    path = tmp_path / "recording.wav"
    path.write_bytes(encoded_by_av(tone(1.2, rate), rate, container, codec))
    audio = decode(path)
    assert audio.seconds == pytest.approx(1.2, abs=0.1)
    assert is_tone(audio.samples, 440, 0.5, 0.03)
    assert audio.notes == (("upsampled from 8000 Hz",) if rate == 8_000 else ())


def test_pyav_gives_every_channel() -> None:
    av = pytest.importorskip("av", reason="needs the extra 'media'")
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as file:  # interleaved 16 bit: left a tone, right silent
        track = file.add_stream("pcm_s16le", rate=16_000, layout="stereo")
        both = np.stack([tone() * 32767, np.zeros(16_000)], axis=1).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(both.reshape(1, -1), format="s16", layout="stereo")
        frame.sample_rate = 16_000
        file.mux([*track.encode(frame), *track.encode(None)])
    audio = decode(buffer.getvalue())
    assert is_tone(audio.samples, 440, 0.25, 0.001)
    assert audio.notes == ("mixed down from 2 channels",)


@pytest.mark.parametrize("suffix", ["raw", "RAW", "mp3", "sd2", "gsm", ""])
def test_the_name_decides_nothing(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"recording.{suffix}"
    path.write_bytes(encoded(tone()))
    with path.open("rb") as file:
        assert np.array_equal(decode(file).samples, decode(path).samples)


@pytest.mark.parametrize(
    ("container", "encoding"), [("WAV", "FLOAT"), ("FLAC", "PCM_16"), ("MP3", "MPEG_LAYER_III")]
)
def test_at_16_khz_nothing_is_changed(container: str, encoding: str) -> None:
    data = encoded(tone(3.0), container=container, encoding=encoding)
    whole, _ = soundfile.read(io.BytesIO(data), dtype="float32")
    # soundfile's own blocks of an MP3 differ by far
    np.testing.assert_allclose(decode(data).samples, whole, atol=1e-6)


# --------------------------------------------------------------------------------------------------- sources


def test_every_kind_of_source_gives_the_same(tmp_path: Path) -> None:
    data = encoded(tone(0.5), container="OGG", encoding="VORBIS")
    path = tmp_path / "a.ogg"
    path.write_bytes(data)
    expected = decode(data)
    for source in (path, str(path), bytearray(data), memoryview(data), io.BytesIO(data)):
        audio = decode(source)
        assert np.array_equal(audio.samples, expected.samples)
        assert audio.notes == ()
    assert (decode(str(path)).name, expected.name, decode(data, name="call 7").name) == (
        str(path),
        "<bytes>",
        "call 7",
    )


def test_a_file_object_is_read_from_where_it_stands_and_left_open() -> None:
    file = io.BytesIO(b"envelope" + encoded(tone()))
    file.seek(len(b"envelope"))
    assert decode(file).seconds == 1.0
    assert not file.closed


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(encoded(tone()),))
    writer.start()
    audio = decode(pipe)
    writer.join()
    assert is_tone(audio.samples, 440, 0.5, 0.001)


def test_a_large_file_object_goes_through_a_temporary_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emojudge.audio.source.SPOOL_BYTES", 1000)
    assert is_tone(decode(io.BytesIO(encoded(tone()))).samples, 440, 0.5, 0.001)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", ">i2", "int32", "int64"])
def test_integer_arrays_are_divided_by_their_range(dtype: str) -> None:
    info = np.iinfo(dtype)
    half = 2.0 ** (info.bits - 1)
    middle = half if info.min == 0 else 0
    audio = decode((np.round(tone() * half) + middle).astype(dtype), rate=16_000)
    assert is_tone(audio.samples, 440, 0.5, 0.01)
    lowest = decode(np.full(16_000, info.min, dtype=dtype), rate=16_000).samples
    assert lowest.min() == lowest.max() == -1.0


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_float_arrays_are_kept(dtype: str) -> None:
    samples = tone().astype(dtype)
    assert np.array_equal(decode(samples, rate=16_000).samples, samples.astype(np.float32))


@given(
    rate=st.integers(8_000, 192_000),
    channels=st.integers(1, 10),
    seconds=st.floats(0.15, 0.6),
    hz=st.floats(150, 3_000),
    level=st.floats(0.05, 0.95),
)
@settings(max_examples=60, deadline=None)
def test_length_frequency_and_level_are_kept(
    rate: int, channels: int, seconds: float, hz: float, level: float
) -> None:
    array = tone(seconds, rate, channels, hz, level)
    audio = decode(array, rate=rate)
    assert abs(len(audio.samples) - len(array) * SAMPLE_RATE / rate) <= 1
    assert is_tone(audio.samples, hz, level, 0.005)


# ---------------------------------------------------------------------------------------------------- stream


@pytest.mark.parametrize(("container", "encoding", "within"), FORMATS)
@pytest.mark.parametrize("rate", [16_000, 48_000])
def test_stream_is_decode_in_blocks(container: str, encoding: str, within: float, rate: int) -> None:
    data = encoded(tone(1.3, rate, channels=2), rate, container, encoding)
    blocks = stream(data, block_seconds=0.25)
    parts = list(blocks)
    audio = decode(data)
    assert {len(part) for part in parts[:-1]} == {4_000}
    assert 0 < len(parts[-1]) <= 4_000
    assert np.array_equal(np.concatenate(parts), audio.samples)
    assert blocks.notes == audio.notes == ("mixed down from 2 channels",)


@pytest.mark.parametrize(("container", "codec", "rate"), MEDIA)
def test_stream_is_decode_by_pyav_too(container: str, codec: str, rate: int) -> None:
    data = encoded_by_av(tone(1.3, rate), rate, container, codec)
    assert np.array_equal(np.concatenate(list(stream(data, block_seconds=0.25))), decode(data).samples)


def test_blocks_may_be_longer_than_the_recording_or_a_sample_short() -> None:
    data = encoded(tone(0.2))
    assert [len(block) for block in stream(data)] == [3_200]
    assert [len(block) for block in stream(data, block_seconds=1e-9)] == [1] * 3_200
    for seconds in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="block_seconds"):
            stream(data, block_seconds=seconds)


@pytest.mark.parametrize("rate", [16_000, 24_000])
def test_stream_takes_constant_memory(rate: int, tmp_path: Path) -> None:
    minutes = 20
    path = tmp_path / "sparse.wav"
    with path.open("wb") as file:
        file.write(wav_header(minutes * 60 * rate * 2, rate))
        file.truncate(44 + minutes * 60 * rate * 2)  # zeros that take no room on the disk
    tracemalloc.start()
    blocks = stream(path, block_seconds=10)
    count = sum(len(block) for block in blocks)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == minutes * 60 * SAMPLE_RATE
    assert peak < 8 * 10 * SAMPLE_RATE * 4  # bytes: less than eight blocks, of 120
    assert blocks.notes == ("silent: every sample is 0",)


def test_stream_names_the_same_errors() -> None:
    with pytest.raises(AudioError, match=r"call 7: found plain text"):
        list(stream(b"Dear Sir,", name="call 7"))
    with pytest.raises(AudioError, match=r"0\.050 s of audio"):
        list(stream(encoded(tone(0.05))))
    with pytest.raises(AudioError, match=r"an array without a rate"):
        list(stream(tone()))


def test_decode_stops_at_its_limit_and_stream_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode_module, "MAX_SECONDS", 3.6)
    assert decode(encoded(tone(3.5))).seconds == 3.5
    data = encoded(tone(5), container="FLAC")
    message = error_of(data)
    assert "more than 0.001 hours" in message
    assert "stream()" in message
    assert sum(map(len, stream(data))) == 5 * SAMPLE_RATE


# ----------------------------------------------------------------------------------------- odd but usable


def test_clipping_is_noted() -> None:
    clipped = np.clip(tone(level=1.5), -1, 1)
    share = 100 * np.mean(np.abs(clipped) == 1)
    assert decode(encoded(clipped)).notes == (f"clipped: {share:.3g} % of samples at full scale",)
    assert decode(encoded(tone(level=1.0))).notes == ()  # touching full scale is not clipping


@pytest.mark.parametrize("encoding", ["PCM_U8", "PCM_24", "FLOAT", "ULAW", "ALAW"])
def test_clipping_is_noted_in_every_encoding(encoding: str) -> None:
    (note,) = decode(encoded(np.clip(tone(level=3), -1, 1), encoding=encoding)).notes
    assert note.startswith("clipped: ")


def test_floats_in_the_range_of_integers_are_noted() -> None:
    audio = decode(tone() * 32768, rate=16_000)
    assert audio.notes == ("over scale: peak 1.638e+04, expected at most 1",)
    assert is_tone(audio.samples, 440, 16384, 1)


def test_silence_is_decoded_and_noted() -> None:
    assert decode(encoded(np.zeros(16_000))).notes == ("silent: every sample is 0",)
    assert decode(encoded(tone(level=1e-4), encoding="FLOAT")).notes == ("silent: peak -80 dBFS",)
    assert decode(encoded(tone(level=2e-3), encoding="FLOAT")).notes == ()


@pytest.mark.parametrize("encoding", ["FLOAT", "DOUBLE"])
def test_what_is_no_number_becomes_zero(encoding: str) -> None:
    samples = tone()
    samples[[100, 200, 300]] = np.nan, np.inf, -np.inf
    for source, options in ((encoded(samples, encoding=encoding), {}), (samples, {"rate": 16_000})):
        audio = decode(source, **options)  # type: ignore[arg-type]
        assert audio.samples[[100, 200, 300]].tolist() == [0, 0, 0]
        assert audio.notes == ("3 NaN or infinite samples replaced by 0",)
        assert is_tone(audio.samples, 440, 0.5, 0.001)


def test_numbers_beyond_float32_are_no_numbers() -> None:
    samples = tone(rate=44_100, channels=2)
    samples[1000, 0], samples[2000] = 1e300, 3e38
    audio = decode(samples, rate=44_100)
    assert np.isfinite(audio.samples).all()
    assert audio.notes == ("mixed down from 2 channels", "3 NaN or infinite samples replaced by 0")


def test_eight_bits_ninety_six_khz_ten_channels() -> None:
    audio = decode(encoded(tone(1.0, 96_000, 10), 96_000, encoding="PCM_U8"))
    assert len(audio.samples) == 16_000
    assert is_tone(audio.samples, 440, 0.5, 0.02)
    assert audio.notes == ("mixed down from 10 channels",)


def test_mixing_down_is_the_mean() -> None:
    left, right = tone(hz=300, level=0.8), tone(hz=700, level=0.4)
    audio = decode(np.stack([left, right], axis=1), rate=16_000)
    np.testing.assert_allclose(audio.samples, (left + right) / 2, atol=1e-6)
    opposite = decode(np.stack([left, -left], axis=1), rate=16_000)
    assert opposite.notes == ("mixed down from 2 channels", "silent: every sample is 0")


# ------------------------------------------------------------------------------------ truncated and hostile

TRUNCATED = {
    ("WAV", "PCM_16"): r"truncated: header says 4\.0 s, decoded 2\.4 s",
    ("AIFF", "PCM_16"): r"truncated: header says 4\.0 s, decoded 2\.4 s",
    ("FLAC", "PCM_16"): r"truncated: header says 4\.0 s, decoded 2\.\d s",
    ("MP3", "MPEG_LAYER_III"): r"truncated: header says 4\.0 s, decoded 2\.\d s",
    ("OGG", "VORBIS"): r"truncated: the OGG stream has no end",
    ("OGG", "OPUS"): r"truncated: the OGG stream has no end",
}


@pytest.mark.parametrize(("container", "encoding"), TRUNCATED)
def test_the_beginning_of_a_truncated_file_is_used(container: str, encoding: str) -> None:
    noise = 0.01 * np.random.default_rng(0).standard_normal(64_000)  # else OGG is one page long
    data = encoded(tone(4.0) + noise, container=container, encoding=encoding)
    audio = decode(data[: 6 * len(data) // 10])
    assert 1 < audio.seconds < 3
    assert is_tone(audio.samples, 440, 0.5, 0.02)
    assert any(re.fullmatch(TRUNCATED[container, encoding], note) for note in audio.notes), audio.notes


def test_an_ogg_cut_within_its_only_page_says_so() -> None:
    data = encoded(tone(4.0), container="OGG", encoding="VORBIS")
    assert "found 0.000 s of audio (truncated: the OGG stream has no end)" in error_of(data[:-100])


def test_a_truncated_webm_is_used() -> None:
    data = encoded_by_av(tone(4.0, 48_000), 48_000, "webm", "libopus")
    audio = decode(data[: 6 * len(data) // 10])
    assert 1 < audio.seconds < 3
    assert re.fullmatch(r"truncated: header says 4\.0 s, decoded \d\.\d s", audio.notes[-1])


def test_a_truncated_m4a_is_refused() -> None:  # its index is at its end
    data = encoded_by_av(tone(4.0, 44_100), 44_100, "mp4", "aac")
    message = error_of(data[: 6 * len(data) // 10], name="call.m4a")
    assert message.startswith(
        "call.m4a: found an MP4 or M4A file that cannot be decoded; expected a recording"
    )


def test_a_header_alone_is_too_short() -> None:
    message = error_of(encoded(tone(4.0))[:100])
    assert "found 0.002 s of audio (truncated: header says 4.0 s, decoded 0.0 s)" in message
    assert "expected at least 0.1 s" in message


@pytest.mark.parametrize(
    ("claimed", "noted"), [(0x7FFE_0000, True), (0x7FFF_FFFF, False), (0xFFFF_FFFF, False)]
)
def test_nothing_is_allocated_for_a_length_that_a_header_claims(
    claimed: int, noted: bool, tmp_path: Path
) -> None:
    path = tmp_path / "claims.wav"  # the last two are what programs write into a pipe, so not a truncation
    path.write_bytes(wav_header(claimed) + encoded(tone())[44:])
    check_claim(path, r"truncated: header says 67\d+\.\d s, decoded 1\.0 s" if noted else None)


def test_nothing_is_allocated_for_the_samples_that_a_flac_claims(tmp_path: Path) -> None:
    path = tmp_path / "claims.flac"
    data = bytearray(encoded(tone(), container="FLAC"))
    data[21] |= 0x0F  # STREAMINFO's count of samples: the lower half of this byte and the next four
    data[22:26] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    check_claim(path, r"truncated: header says 4294967\.3 s, decoded 1\.0 s")


def check_claim(path: Path, note: str | None) -> None:
    decode(path)  # what libraries allocate once
    tracemalloc.start()
    audio = decode(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000  # bytes
    assert audio.seconds == pytest.approx(1.0, abs=0.3)
    assert any(re.fullmatch(note, found) for found in audio.notes) if note else audio.notes == ()


def test_a_sample_rate_that_is_none_is_refused() -> None:
    for rate in (1, 3_999, 2_000_000_000):
        assert f"found a sample rate of {rate} Hz; expected 4000 to 768000 Hz" in error_of(
            wav_header(32_000, rate) + bytes(32_000)
        )
        assert f"found a sample rate of {rate} Hz" in error_of(tone(), rate=rate)


def test_ffmpeg_opens_no_session_description() -> None:
    """An SDP file would make FFmpeg listen on a network port."""
    pytest.importorskip("av", reason="needs the extra 'media'")
    lines = (
        b"v=0",
        b"o=- 0 0 IN IP4 127.0.0.1",
        b"s=x",
        b"c=IN IP4 127.0.0.1",
        b"t=0 0",
        b"m=audio 5004 RTP/AVP 0",
    )
    text = b"\r\n".join(lines) + b"\r\n"
    assert "found plain text" in error_of(text)
    assert "found unknown data" in error_of(text + b"\x01")


# ------------------------------------------------------------------------------------------- what is refused

NO_RECORDING = {
    "0 bytes": b"",
    "plain text": "Sehr geehrter Anrufer, çä\r\n".encode() * 300,
    "plain text ": "UTF-16".encode("utf-16"),
    "an HTML page": b"\n<!DOCTYPE html><title>Not found</title>",
    "a Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
    "a PNG image": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    "a JPEG image": b"\xff\xd8\xff\xe0\0\x10JFIF\0",
    "a PDF document": b"%PDF-1.7\n%\xe2\xe3",
    "a ZIP archive": b"PK\x03\x04\x14\0\0\0",
    "a gzip archive": b"\x1f\x8b\x08\0\0\0",
    "a NumPy file": b"\x93NUMPY\x01\0",
    "a MIDI file": b"MThd\0\0\0\x06\0\x01",
    "nothing but zero bytes": bytes(5_000),
    "unknown data": bytes(range(128, 256)) * 40,
    "a WAV file that cannot be decoded": b"RIFF\x10\0\0\0WAVEjunk\0\0\0\0",
    "a FLAC file that cannot be decoded": b"fLaC\0\0\0\x22" + bytes(300),
}


@pytest.mark.parametrize("found", NO_RECORDING)
def test_what_is_no_recording_is_named(found: str, tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    path.write_bytes(NO_RECORDING[found])
    message = error_of(path)
    assert message.startswith(f"{path}: found {found.strip()}; expected a recording (WAV, FLAC, ")
    assert message == error_of(path.read_bytes(), name=str(path))


def test_missing_files_folders_and_forbidden_names(tmp_path: Path) -> None:
    missing = tmp_path / "gone.wav"
    assert error_of(missing) == f"{missing}: found no such file; expected an audio file. Check the path."
    assert error_of(tmp_path).startswith(
        f"{tmp_path}: found a folder; expected an audio file. Name the files"
    )
    assert "download it first" in error_of("https://example.org/a.wav")
    assert "found a file that cannot be opened (" in error_of(tmp_path / ("a" * 5_000))
    assert "found a file that cannot be opened (" in error_of("nul\0byte.wav")


def test_too_short_and_empty() -> None:
    message = error_of(encoded(tone(0.05)), name="blip.wav")
    assert message.startswith("blip.wav: found 0.050 s of audio; expected at least 0.1 s. Give a longer")
    assert "found 0.000 s of audio" in error_of(encoded(np.zeros(0)))
    assert decode(encoded(tone(0.1))).seconds == 0.1
    assert decode(encoded(tone(0.1, 11_025), 11_025)).seconds == pytest.approx(0.1, abs=1e-3)


def test_only_nan_is_refused() -> None:
    message = error_of(np.full((16_000, 2), np.nan), rate=16_000)
    assert message.startswith(
        "<array>: found 32000 samples that are all NaN or infinite; expected samples from -1 to 1"
    )
    assert "all NaN" in error_of(encoded(np.full(16_000, np.nan), encoding="FLOAT"))


@pytest.mark.parametrize(
    ("array", "rate", "found"),
    [
        (tone(), None, "an array without a rate; expected its rate in Hz"),
        (
            tone(channels=2).T,
            16_000,
            "an array of shape (2, 16000); expected (samples,) or (samples, channels). Transpose",
        ),
        (np.zeros((4, 4, 4)), 16_000, "an array of shape (4, 4, 4)"),
        (np.zeros(0), 16_000, "an array of shape (0,)"),
        (np.zeros((9, 0)), 16_000, "an array of shape (9, 0)"),
        (np.float64(1) + np.zeros(()), 16_000, "an array of shape ()"),
        (np.zeros(16_000, dtype=complex), 16_000, "an array of complex128"),
        (np.zeros(16_000, dtype=bool), 16_000, "an array of bool"),
        (np.array(["a"] * 16_000), 16_000, "an array of <U1"),
    ],
)
def test_arrays_that_are_no_sound(array: NDArray, rate: int | None, found: str) -> None:
    assert error_of(np.asarray(array), rate=rate).startswith(f"<array>: found {found}")


def test_other_things_that_are_no_source() -> None:
    assert "found a list; expected a path, bytes, a file opened in binary mode" in error_of([0.1, 0.2])
    assert "found a NoneType" in error_of(None)
    assert "found rate=8000; expected no rate" in error_of(encoded(tone()), rate=8_000)
    closed = io.BytesIO(encoded(tone()))
    closed.close()
    for file in (io.StringIO("RIFF"), closed):
        message = error_of(file)
        assert message.startswith("<file object>: found a file object that gives no bytes (")
        assert 'open(path, "rb")' in message


def test_without_pyav_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtraError) as caught:
        decode(b"\x1a\x45\xdf\xa3" + bytes(500), name="call.webm")
    assert str(caught.value).startswith(
        "call.webm (a WebM or Matroska file): found its optional packages missing"
    )
    assert "pip install 'emojudge[media]'" in str(caught.value)
    assert "found unknown data" in error_of(bytes(range(128, 256)) * 9)


def test_a_video_without_sound() -> None:
    av = pytest.importorskip("av", reason="needs the extra 'media'")
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as file:
        track = file.add_stream("mpeg4", rate=10)
        track.width = track.height = 32
        track.pix_fmt = "yuv420p"
        picture = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), dtype=np.uint8), format="rgb24")
        file.mux([*track.encode(picture), *track.encode(None)])
    assert "found an MP4 or M4A file without a sound track" in error_of(buffer.getvalue())


# ------------------------------------------------------------------------------------------------------ fuzz


@cache
def specimens() -> tuple[bytes, ...]:
    """A small valid file of every format that can be written here."""
    writers: list[Callable[[], bytes]] = [
        lambda c=container, e=encoding: encoded(tone(0.4), container=c, encoding=e)  # type: ignore[misc]
        for container, encoding, _ in FORMATS
    ]
    try:
        import av  # noqa: F401
    except ImportError:
        pass
    else:
        writers += [
            lambda c=container, k=codec, r=rate: encoded_by_av(tone(0.4, r), r, c, k)  # type: ignore[misc]
            for container, codec, rate in MEDIA
        ]
    return tuple(write() for write in writers)


@given(
    which=st.integers(0, len(FORMATS) + len(MEDIA) - 1),
    keep=st.one_of(st.just(1.0), st.floats(0, 1)),
    flips=st.lists(
        st.tuples(st.one_of(st.integers(0, 200), st.integers(0, 50_000)), st.integers(1, 255)), max_size=12
    ),
)
@settings(max_examples=400, deadline=None)
def test_a_damaged_file_gives_audio_or_one_error(
    which: int, keep: float, flips: list[tuple[int, int]]
) -> None:
    files = specimens()
    data = bytearray(files[which % len(files)])
    for place, change in flips:
        data[place % len(data)] ^= change
    try:
        audio = decode(bytes(data[: round(keep * len(data))]))
    except AudioError as error:  # and no other exception
        event(error.found.split(" (")[0])
    else:
        assert isinstance(audio, Audio)
        assert audio.samples.dtype == np.float32
        assert np.isfinite(audio.samples).all()
        assert audio.seconds == len(audio.samples) / SAMPLE_RATE >= 0.099
