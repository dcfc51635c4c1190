"""What a file is, by its first bytes: so that an error can say what was found."""

from typing import NamedTuple


class Kind(NamedTuple):
    """What the first bytes of a file say it is."""

    what: str
    may_be_audio: bool = True
    needs_av: bool = False
    advice: str = "Copy or export the recording again; it is damaged, incomplete or of a rare encoding."

    @property
    def unreadable(self) -> str:
        """What to say of it when no decoder could open it."""
        return self.what if self == UNKNOWN else f"{self.what} that cannot be decoded"


UNKNOWN = Kind("unknown data")
LIVE = Kind("a live recording", needs_av=True, advice="Send WebM or Ogg from its beginning.")
_CHOOSE = "Give the recording itself."
_MAGIC: tuple[tuple[int, bytes, Kind], ...] = (  # offset, bytes there, what it is
    (8, b"WAVE", Kind("a WAV file")),
    (8, b"AIF", Kind("an AIFF file")),
    (0, b"fLaC", Kind("a FLAC file")),
    (0, b"OggS", Kind("an OGG file")),
    (0, b"ID3", Kind("an MP3 file")),
    *((0, sync, Kind("an MP3 file")) for sync in (b"\xff\xfb", b"\xff\xfa", b"\xff\xf3", b"\xff\xf2")),
    *((0, sync, Kind("an AAC file", needs_av=True)) for sync in (b"\xff\xf1", b"\xff\xf9")),
    (4, b"ftyp", Kind("an MP4 or M4A file", needs_av=True)),
    (0, b"\x1a\x45\xdf\xa3", Kind("a WebM or Matroska file", needs_av=True)),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", Kind("a WMA file", needs_av=True)),
    (0, b"#!AMR", Kind("an AMR file", needs_av=True)),
    (8, b"AVI ", Kind("an AVI file", needs_av=True)),
    (0, b"\x89PNG", Kind("a PNG image", False, advice=_CHOOSE)),
    (0, b"\xff\xd8\xff", Kind("a JPEG image", False, advice=_CHOOSE)),
    (0, b"GIF8", Kind("a GIF image", False, advice=_CHOOSE)),
    (8, b"WEBP", Kind("a WebP image", False, advice=_CHOOSE)),
    (0, b"%PDF", Kind("a PDF document", False, advice=_CHOOSE)),
    (0, b"PK\x03\x04", Kind("a ZIP archive", False, advice="Unpack it first.")),
    (0, b"\x1f\x8b", Kind("a gzip archive", False, advice="Unpack it first.")),
    (0, b"BZh", Kind("a bzip2 archive", False, advice="Unpack it first.")),
    (0, b"\xfd7zXZ", Kind("an xz archive", False, advice="Unpack it first.")),
    (0, b"7z\xbc\xaf", Kind("a 7-Zip archive", False, advice="Unpack it first.")),
    (0, b"Rar!", Kind("a RAR archive", False, advice="Unpack it first.")),
    (257, b"ustar", Kind("a tar archive", False, advice="Unpack it first.")),
    (0, b"\x93NUMPY", Kind("a NumPy file", False, advice="Load it and give the array with its rate.")),
    (0, b"MThd", Kind("a MIDI file", False, advice="It holds notes, no sound.")),
    (0, b"version https://git-lfs", Kind("a Git LFS pointer", False, advice="Fetch it with: git lfs pull")),
)


def sniff(head: bytes) -> Kind:
    """What the first bytes of a file say it is.

    >>> sniff(b"").what, sniff(b"PK\\x03\\x04...").what, sniff(b"Dear Sir,").what
    ('0 bytes', 'a ZIP archive', 'plain text')
    """
    if not head:
        return Kind("0 bytes", False, advice="The file is empty: copy or record it again.")
    for offset, magic, kind in _MAGIC:
        if head[offset : offset + len(magic)] == magic:
            return kind
    if not head.strip(b"\0"):
        return Kind("nothing but zero bytes", False, advice="Copy the file again.")
    if _is_text(head):
        start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
        page = start.startswith((b"<!doctype html", b"<html"))
        return Kind("an HTML page" if page else "plain text", False, advice=_CHOOSE)
    return UNKNOWN


def _is_text(head: bytes) -> bool:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):  # UTF-16's byte order mark
        return True
    text = head.decode("utf-8", errors="ignore")
    cut = len(head) - len(text.encode())  # a character cut at the end costs up to 3 bytes
    return cut <= 3 and all(character.isprintable() or character in "\t\n\r\f\ufeff" for character in text)
