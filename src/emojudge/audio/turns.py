"""Who speaks when, from files that people bring along: RTTM, Praat TextGrid, SRT, VTT, Whisper JSON."""

import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from emojudge.audio.textgrid import Tier, read_textgrid
from emojudge.audio.transcripts import read_transcript, text_of
from emojudge.errors import TranscriptError
from emojudge.records import Segment, Transcript

SILENCES = frozenset({"", "sil", "sp", "spn", "<eps>", "<sil>", "<unk>"})  # of aligners: silence, no word
BREAK = 0.5  # seconds; aligned words with a longer silence between them are of two turns
LONGEST = 12.0  # seconds of aligned words in one turn
_RTTM = "lines such as 'SPEAKER call 1 3.20 1.75 <NA> <NA> anna <NA> <NA>'"
_EMPTY = re.compile(r"<NA>", re.IGNORECASE)


def read_turns(path: Path) -> Transcript:
    """The turns of a recording, as segments, with speakers and words where the file has them.

    - `.rttm`, as diarisation writes it: speakers without words. Where lines are of several recordings, those
      that name the RTTM file's own stem.
    - `.TextGrid`: each tier of intervals is a speaker, each interval with text a turn. Of aligners' tiers
      (`words`, `anna - words`), words are put together up to a silence; tiers of phones are left out.
    - `.srt`, `.vtt`, `.json` (Whisper, WhisperX): see `transcripts.read_transcript`.

    Raises:
        TranscriptError: a file that cannot be read, of another kind, or without any turn.
    """
    path = Path(path)
    reader = {".rttm": _read_rttm, ".textgrid": _read_grid}.get(path.suffix.lower())
    transcript = reader(path) if reader else read_transcript(path)
    if not transcript.segments:
        found = "text without times" if transcript.text else "no turn"
        raise TranscriptError(
            path, found=found, expected="turns with times", advice="Use RTTM, TextGrid, SRT, VTT or JSON."
        )
    return transcript


def turns_for(path: Path) -> Callable[[Path], Transcript | None]:
    """What finds the turns of a recording: in a folder, a file of its name; else the file, whatever its name.

    Raises:
        TranscriptError: see `read_turns`.
    """
    if not path.is_dir():
        transcript = read_turns(path)
        return lambda recording: transcript
    known = (".rttm", ".TextGrid", ".textgrid", ".json", ".vtt", ".srt")

    def find(recording: Path) -> Transcript | None:
        names = [path / f"{name}{suffix}" for name in (recording.stem, recording.name) for suffix in known]
        found = next((name for name in names if name.is_file()), None)
        return None if found is None else read_turns(found)

    return find


def _read_rttm(path: Path) -> Transcript:
    found: dict[str, list[Segment]] = {}
    for number, line in enumerate(text_of(path).split("\n"), start=1):
        fields = line.split()
        if not fields or fields[0].startswith(";;") or fields[0] != "SPEAKER":
            continue  # a remark, or another type, such as SPKR-INFO or LEXEME
        try:
            start, seconds = float(fields[3]), float(fields[4])
            if not (math.isfinite(start) and math.isfinite(seconds) and start >= 0 and seconds >= 0):
                raise ValueError
            name = fields[7]
        except (IndexError, ValueError):
            raise TranscriptError(f"{path}, line {number}", found=repr(line[:80]), expected=_RTTM) from None
        turn = Segment(start=start, end=start + seconds, text="", speaker=_EMPTY.sub("", name) or None)
        found.setdefault(fields[1], []).append(turn)
    if len(found) > 1 and path.stem not in found:
        several = ", ".join(list(found)[:5])
        raise TranscriptError(
            path, found=f"turns of {len(found)} recordings ({several})", expected=f"one, or one {path.stem!r}"
        )
    return _transcript(path, found.get(path.stem) or next(iter(found.values()), []))


def _read_grid(path: Path) -> Transcript:
    turns: list[Segment] = []
    for tier in read_textgrid(path):
        name = tier.name.strip()
        if is_words(tier):
            turns += _joined(tier, name.rpartition(" - ")[0] or None)
        elif name.lower().split(" - ")[-1] != "phones":
            turns += [_turn(path, *interval, name) for interval in tier.intervals if _spoken(interval[2])]
    return _transcript(path, sorted(turns, key=lambda turn: (turn.start, turn.end)))


def is_words(tier: Tier) -> bool:
    """Whether a tier is an aligner's of words: `words`, or `SPEAKER - words`."""
    return tier.name.lower().split(" - ")[-1] == "words"


def _spoken(text: str) -> bool:
    return text.strip().lower() not in SILENCES


def _joined(tier: Tier, speaker: str | None) -> Iterator[Segment]:
    """Words of one tier as turns."""
    held: list[tuple[float, float, str]] = []
    for word in [*(i for i in tier.intervals if _spoken(i[2])), (math.inf, math.inf, "")]:
        if held and (word[0] - held[-1][1] > BREAK or word[1] - held[0][0] > LONGEST):
            text = " ".join(" ".join(text.split()) for _, _, text in held)
            yield _turn(Path(tier.name), held[0][0], held[-1][1], text, speaker)
            held = []
        held.append(word)


def _turn(where: Path, start: float, end: float, text: str, speaker: str | None) -> Segment:
    if not 0 <= start <= end:
        raise TranscriptError(
            where, found=f"an interval from {start:g} to {end:g}", expected="times in order"
        )
    return Segment(start=start, end=end, text=" ".join(text.split()), speaker=speaker or None)


def _transcript(path: Path, turns: list[Segment]) -> Transcript:
    text = " ".join(turn.text for turn in turns if turn.text)
    return Transcript(text=text, source=f"file:{path.name}", segments=tuple(turns))
