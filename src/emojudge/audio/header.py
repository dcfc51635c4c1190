"""What a recording's header promises, without decoding it: enough to look through a large corpus."""

from dataclasses import dataclass
from pathlib import Path

from emojudge.audio.decode import MIN_SECONDS, TRUNCATED_SECONDS
from emojudge.audio.source import opened


@dataclass(frozen=True)
class Header:
    """What a header says of a recording; channels and seconds are None where only decoding tells."""

    rate: int  # Hz
    channels: int | None
    seconds: float | None
    notes: tuple[str, ...] = ()  # truncated, too short


def read_header(path: Path) -> Header:
    """The header of a recording that a decoder would open.

    Truncated WAV, AIFF and Ogg files are noted; of other kinds, decoding tells. An MP3's length is estimated.

    Raises:
        AudioError: what is no recording, an empty file among them.
        MissingExtraError: what only the extra `media` reads.
    """
    with opened(path, None, str(path)) as recording:
        notes = list(recording.notes)
        seconds = None if recording.frames is None else recording.frames / recording.rate
        if seconds is not None:
            if recording.declared is not None and recording.declared - seconds > TRUNCATED_SECONDS:
                notes.append(f"truncated: header says {recording.declared:.1f} s, {seconds:.1f} s are there")
            if seconds < MIN_SECONDS:
                notes.append(f"too short: {seconds:.3f} s")
        return Header(recording.rate, recording.channels, seconds, tuple(notes))
