"""Files that nobody should have to decode, made here: each a name and its bytes."""

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator

import numpy as np
import soundfile

from tests.serve.serving import voice, wav, webm

GIB = 2**30


def hostile() -> Iterator[tuple[str, bytes]]:
    """All of them; none may be taken for a recording."""
    yield from _archives()
    yield from _headers()
    yield from _numbers()
    yield from _containers()
    yield from _playlists()
    yield from _noise()


def endless() -> Iterator[tuple[str, bytes]]:
    """What is a recording, or looks like one, and lasts longer than anything should."""
    # A minute-long block of silence costs FLAC a few bytes: an hour in a few kilobytes.
    file = io.BytesIO()
    soundfile.write(file, np.zeros(4_000 * 3_600, dtype=np.int16), 4_000, format="FLAC")
    yield "hour.flac", file.getvalue()
    file = io.BytesIO()
    soundfile.write(file, np.zeros(4_000 * 3_600, dtype=np.int16), 4_000, format="WAV", subtype="ULAW")
    yield "hour.wav", file.getvalue()
    page = _ogg_page()
    yield "pages.ogg", page * 30_000


def _archives() -> Iterator[tuple[str, bytes]]:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.wav", bytes(2**24))
    bomb = packed.getvalue()
    yield "bomb.wav", bomb
    yield "bomb.flac", zlib.compress(bytes(2**24))
    for name, magic in (
        ("a.gz.wav", b"\x1f\x8b\x08\0\0\0\0\0\0\3"),
        ("a.bz2.mp3", b"BZh91AY&SY"),
        ("a.xz.ogg", b"\xfd7zXZ\0"),
        ("a.7z.flac", b"7z\xbc\xaf\x27\x1c"),
        ("a.rar.wav", b"Rar!\x1a\7\0"),
        ("a.zst.wav", b"\x28\xb5\x2f\xfd"),
    ):
        yield name, magic + bytes(range(256)) * 16
    yield "riff-and-zip.wav", b"RIFF" + struct.pack("<I", len(bomb)) + b"WAVE" + bomb


def _wave(
    fmt: bytes, data: bytes = b"\0" * 4_000, *, size: int | None = None, riff: int | None = None
) -> bytes:
    """A WAV file with any `fmt ` chunk and any stated lengths."""
    chunk = b"fmt " + struct.pack("<I", len(fmt)) + fmt
    chunk += b"data" + struct.pack("<I", len(data) if size is None else size) + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunk) if riff is None else riff) + b"WAVE" + chunk


def _fmt(
    kind: int = 1, channels: int = 1, rate: int = 16_000, bits: int = 16, align: int | None = None
) -> bytes:
    align = channels * bits // 8 if align is None else align
    return struct.pack("<HHIIHH", kind, channels, rate, (rate * align) % 2**32, align % 2**16, bits)


def _headers() -> Iterator[tuple[str, bytes]]:
    for rate in (0, 1, 100, 3_999, 768_001, 1_000_000_000, 2**32 - 1):
        yield f"rate-{rate}.wav", _wave(_fmt(rate=rate))
    for channels in (0, 1_025, 65_535):
        yield f"channels-{channels}.wav", _wave(_fmt(channels=channels))
    for bits in (0, 255, 65_535):
        yield f"bits-{bits}.wav", _wave(_fmt(bits=bits, align=2))
    for kind in (0, 0x55AA, 0xFFFF):
        yield f"kind-{kind:x}.wav", _wave(_fmt(kind=kind))
    yield "two-gigabytes.wav", _wave(_fmt(), b"", size=2 * GIB)
    yield "four-gigabytes.wav", _wave(_fmt(), b"\0" * 10, size=2**32 - 1, riff=2**32 - 1)
    yield "no-samples.wav", _wave(_fmt(), b"")
    yield "fmt-of-a-gigabyte.wav", b"RIFF\0\0\0\1WAVEfmt " + struct.pack("<I", GIB) + b"\1\0"
    yield "only-riff.wav", b"RIFF"
    yield "only-fmt.wav", _wave(_fmt())[:36]
    chunks = b"".join(b"LIST" + struct.pack("<I", 0) for _ in range(50_000))
    yield "chunks.wav", b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks
    form = b"COMM" + struct.pack(">IhIh", 18, 1, 2**31 - 1, 16) + b"\x7f\xff" + b"\xff" * 8
    yield "rate-infinite.aiff", b"FORM" + struct.pack(">I", 4 + len(form)) + b"AIFF" + form
    yield "rf64.wav", b"RF64\xff\xff\xff\xffWAVEds64" + struct.pack("<IQQQI", 28, 2**63, 2**63, 2**62, 0)
    yield "w64.w64", b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\4\xc1\0\0" + b"\xff" * 200
    yield "sun.au", b".snd" + struct.pack(">IIIII", 24, 2**32 - 1, 1, 0, 0)


def _numbers() -> Iterator[tuple[str, bytes]]:
    for name, value in (("nan", np.nan), ("infinite", np.inf), ("negative-infinite", -np.inf)):
        yield f"{name}.wav", wav(np.full(16_000, value, dtype=np.float32))
    yield "nan64.wav", wav(np.full(16_000, np.nan), subtype="DOUBLE")
    yield "beyond.wav", wav(np.full(16_000, 1e300), subtype="DOUBLE")


def _containers() -> Iterator[tuple[str, bytes]]:
    good = webm(voice(1.0, rate=48_000))
    for share in (8, 40, 100, 250):
        yield f"cut-{share}.webm", good[:share]
    yield "sizes.webm", good[:40] + b"\x01\xff\xff\xff\xff\xff\xff\xff" * 50
    yield "levels.webm", b"\x1a\x45\xdf\xa3\x80" + b"\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff" * 2_000
    for size in (0, 1, 7, 2**31, 2**32 - 1):
        yield f"box-{size}.mp4", struct.pack(">I", size) + b"ftypisom" + b"\0" * 64
    boxes = b"".join(struct.pack(">I", 8 * (4_000 - n)) + b"moov" for n in range(4_000))
    yield "boxes.m4a", struct.pack(">I", 16) + b"ftypM4A " + b"\0" * 4 + boxes
    flac = io.BytesIO()
    soundfile.write(flac, voice(1.0), 16_000, format="FLAC")
    yield "head.flac", flac.getvalue()[:42]
    damaged = bytearray(flac.getvalue()[:60])
    damaged[18:26] = b"\xff" * 8  # rate, channels, bits and samples of STREAMINFO
    yield "info.flac", bytes(damaged)
    yield "page.ogg", _ogg_page()
    yield "capture.ogg", b"OggS" * 10_000
    yield "id3.mp3", b"ID3\4\0\0\x7f\x7f\x7f\x7f" + bytes(4_000)
    yield "sync.mp3", b"\xff\xfb" * 3
    yield "adts.aac", b"\xff\xf1" + b"\xff" * 5_000
    yield "asf.wma", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11" + b"\xff" * 3_000


def _playlists() -> Iterator[tuple[str, bytes]]:
    """What would have FFmpeg open files and addresses."""
    for name, text in (
        (
            "list.m3u8",
            "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:10.0,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
        ),
        ("list.wav", "ffconcat version 1.0\nfile '/etc/passwd'\n"),
        ("session.sdp", "v=0\no=- 0 0 IN IP4 127.0.0.1\nm=audio 5004 RTP/AVP 0\n"),
        ("dash.mpd", '<?xml version="1.0"?><MPD><BaseURL>file:///etc/passwd</BaseURL></MPD>'),
        ("page.html", "<!doctype html><audio src=file:///etc/passwd>"),
        ("vector.svg", "<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>"),
        ("long.txt", "A" * 200_000),
    ):
        yield name, text.encode()
    yield "utf16.mp3", "words".encode("utf-16") * 500
    yield "gif-and-script.wav", b"GIF89a/*" + bytes(100) + b"*/=1;alert(1)"
    yield "pdf-and-wave.wav", b"%PDF-1.7\n" + _wave(_fmt())
    yield "png.wav", b"\x89PNG\r\n\x1a\n" + b"\xff" * 500


def _noise() -> Iterator[tuple[str, bytes]]:
    generator = np.random.default_rng(0)
    yield "empty.wav", b""
    yield "one.wav", b"R"
    yield "zeros.wav", bytes(100_000)
    for number in range(4):
        yield f"noise-{number}", generator.bytes(20_000 + number)
    yield "short.wav", wav(voice(0.05))


def _ogg_page() -> bytes:
    """A page with a right checksum and nothing in it."""
    head = struct.pack("<4sBBqIIIB", b"OggS", 0, 0, 0, 1, 0, 0, 0)
    return head[:22] + struct.pack("<I", _ogg_sum(head)) + head[26:]


def _ogg_sum(data: bytes) -> int:
    value = 0
    for byte in data:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value & 0x80000000 else 0)) & 0xFFFFFFFF
    return value
