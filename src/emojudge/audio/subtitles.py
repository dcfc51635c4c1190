"""SubRip (SRT) and WebVTT: what is said, when, and where it is told, by whom."""

import html
import re
from dataclasses import dataclass, field

from emojudge.errors import TranscriptError
from emojudge.records import Segment

CUES = "cues of a line '00:01:02,345 --> 00:01:04,000' and the text under it"

_TIME = r"(?:([0-9]{1,6}):)?([0-5]?[0-9]):([0-5]?[0-9])[,.]([0-9]{1,3})"
_TIMING = re.compile(rf"{_TIME}[ \t]*-->[ \t]*{_TIME}(?:[ \t].*)?")
# In these no part can match what the next one does, so that no text makes them slow.
_VOICE = re.compile(r"<v(?:\.[^\s<>]*)?[ \t]([^<>]*)>")
_VTT_TAG = re.compile(r"<[^<>]*>")
_SRT_TAG = re.compile(r"</?(?:[ibus]|font(?: [^<>]*)?)>|\{\\[^{}]*\}", re.IGNORECASE)
_ENTITY = re.compile(r"&#?[0-9A-Za-z]{1,31};")
_SPEAKER = re.compile(r"\[([^\[\]]{1,100})\]:(.*)")  # WhisperX writes "[SPEAKER_00]: text" in SRT and VTT


@dataclass(frozen=True)
class _Cue:
    start: float  # seconds
    end: float
    lines: list[str] = field(default_factory=list)


def parse_srt(content: str, where: object) -> list[Segment]:
    """The cues of a SubRip file that have text. `where` names the file in errors.

    >>> parse_srt("1\\n00:00:00,450 --> 00:00:03,400\\n[agent]: How can I <i>help</i>?\\n", "call.srt")
    [Segment(start=0.45, end=3.4, text='How can I help?', speaker='agent')]

    Raises:
        TranscriptError: a timing line that is none, an end before its start, text before the first cue.
    """
    cues: list[_Cue] = []
    before: list[str] = []  # lines before the first cue: its number
    for number, line in enumerate(content.split("\n"), start=1):
        lines = cues[-1].lines if cues else before
        if "-->" not in line:
            lines.append(line)
            continue
        if lines and lines[-1].strip().isdecimal():
            lines.pop()  # the number of the cue that begins here
        cues.append(_open(line, f"{where}, line {number}"))
    if text := " ".join(before).strip():
        raise TranscriptError(where, found=repr(text[:80]), expected=CUES)
    return [
        segment for cue in cues for segment in _segments(cue, None, _SRT_TAG.sub("", " ".join(cue.lines)))
    ]


def parse_vtt(content: str, where: object) -> list[Segment]:
    """The cues of a WebVTT file that have text, one segment for each voice. `where` names the file in errors.

    >>> parse_vtt("WEBVTT\\n\\n00:01.000 --> 00:02.500\\n<v Ann>Yes &amp; no.</v>\\n", "call.vtt")
    [Segment(start=1.0, end=2.5, text='Yes & no.', speaker='Ann')]

    Raises:
        TranscriptError: no WEBVTT in the first line, or a cue that is none, as for SubRip.
    """
    if not content.strip():
        return []
    header, *lines = content.split("\n")
    if not re.match(r"WEBVTT([ \t]|$)", header):
        raise TranscriptError(where, found=repr(header[:80]), expected="WEBVTT in the first line")
    segments: list[Segment] = []
    cue: _Cue | None = None
    label = ""  # the line before a cue, which may name it
    comment = True  # in the header, a note, a style or a region: all end at the next empty line
    for number, line in enumerate([*lines, ""], start=2):
        place = f"{where}, line {number}"
        if "-->" in line or not line.strip():
            segments += _voices(cue) if cue else []
            cue = _open(line, place) if line.strip() else None
            if label and cue is None:
                raise TranscriptError(place, found=f"no cue after {label[:80]!r}", expected=CUES)
            label, comment = "", False
        elif cue:
            cue.lines.append(line)
        elif comment or line.split()[0] in ("NOTE", "STYLE", "REGION"):
            comment = True
        else:
            label = line
    return segments


def _open(line: str, where: str) -> _Cue:
    """The cue that a timing line opens."""
    match = _TIMING.fullmatch(line.strip())
    if match is None:
        raise TranscriptError(where, found=repr(line[:80]), expected=CUES)
    parts = match.groups()
    start, end = _seconds(*parts[:4]), _seconds(*parts[4:])
    if end < start:
        raise TranscriptError(where, found=repr(line[:80]), expected="an end that is not before the start")
    return _Cue(start, end)


def _seconds(hours: str | None, minutes: str, seconds: str, fraction: str) -> float:
    whole = 3600 * int(hours or 0) + 60 * int(minutes) + int(seconds)
    return whole + int(fraction.ljust(3, "0")) / 1000


def _voices(cue: _Cue) -> list[Segment]:
    """A WebVTT cue's text, split where another voice begins."""
    unnamed, *named = _VOICE.split(" ".join(cue.lines))
    segments = _segments(cue, None, _plain(unnamed))
    for voice, text in zip(named[::2], named[1::2], strict=True):
        segments += _segments(cue, " ".join(_plain(voice).split()) or None, _plain(text))
    return segments


def _plain(text: str) -> str:
    """WebVTT text without its tags and entities (html.unescape alone fails on very long numbers)."""
    return _ENTITY.sub(lambda entity: html.unescape(entity[0]), _VTT_TAG.sub("", text))


def _segments(cue: _Cue, speaker: str | None, text: str) -> list[Segment]:
    """A cue's text as a segment, or as none if it is empty."""
    text = " ".join(text.split())
    if match := _SPEAKER.fullmatch(text):
        speaker, text = speaker or match[1].strip() or None, match[2].strip()
    return [Segment(start=cue.start, end=cue.end, text=text, speaker=speaker)] if text else []
