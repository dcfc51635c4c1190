"""CREMA-D: 91 American actors, twelve sentences, and how a crowd heard them."""

import re
from pathlib import Path
from typing import Literal

from emojudge.corpora.reading import find_folder, read_audio, read_rows
from emojudge.corpora.splits import position
from emojudge.emotions import EMOTIONS, LETTERS, Emotion
from emojudge.errors import CorpusError
from emojudge.records import Transcript, Utterance

LAYOUT = "CREMA-D's AudioWAV/1001_IEO_ANG_HI.wav: actor, sentence, emotion, level"

_NAME = re.compile(r"(?P<actor>1\d{3})_(?P<sentence>[A-Z]{3})_(?P<emotion>[A-Z]{3})_(?P<level>LO|MD|HI|XX?)")
_EMOTIONS: dict[str, Emotion] = {
    "ANG": "angry",
    "DIS": "disgust",
    "FEA": "fear",
    "HAP": "happy",
    "NEU": "neutral",
    "SAD": "sad",
}
_SENTENCES = {
    "IEO": "It's eleven o'clock.",
    "TIE": "That is exactly what happened.",
    "IOM": "I'm on my way to the meeting.",
    "IWW": "I wonder what this is about.",
    "TAI": "The airplane is almost full.",
    "MTI": "Maybe tomorrow it will be cold.",
    "IWL": "I would like a new alarm clock.",
    "ITH": "I think I have a doctor's appointment.",
    "DFA": "Don't forget a jacket.",
    "ITS": "I think I've seen this before.",
    "TSI": "The surface is slick.",
    "WSI": "We'll stop in a couple of minutes.",
}
_LEVELS = {"LO": "low", "MD": "medium", "HI": "high"}  # XX: not asked for
_GENDERS: dict[str, Literal["female", "male"]] = {"Female": "female", "Male": "male"}
_VOTES = "ADFHNS"  # columns of the crowd's counts
_VOICE_ONLY = "1"  # first digit of a row's number: 1 the voice, 2 the face, 3 both
_SILENT = "1076_MTI_SAD_XX"  # the release's recording has no sound
_TRAIN, _DEV = 0.7, 0.85  # of the actors, up to here; the rest is test


def load(folder: Path) -> list[Utterance]:
    """Read CREMA-D: 7,442 recordings of 43 women and 48 men, acted, in English.

    Source: Cao, Cooper, Keutmann, Gur, Nenkova, Verma, "CREMA-D: Crowd-Sourced Emotional Multimodal Actors
    Dataset", IEEE Transactions on Affective Computing 5 (2014); github.com/CheyneyComputerScience/CREMA-D.
    Licence: Open Database License 1.0.

    Layout: `AudioWAV/AAAA_SSS_EEE_LL.wav` (else `AudioMP3`) with actor, sentence, emotion and level;
    `processedResults/tabulatedVotes.csv` with the crowd's votes; `VideoDemographics.csv` with the actors'
    sex. A copy without the tables is read without votes and sexes. `intensity` is the level, where one was
    asked for: low, medium, high. The transcript is the sentence that the
    code stands for.

    Labels: `emotion` is what the actor was asked for: anger, disgust, fear, happy, neutral, sad. `votes` is
    what those heard who were given the voice alone; the two often differ, as the crowd took many clips for
    neutral. The recording 1076_MTI_SAD_XX is silent and has neither. No surprise, no contempt.

    Splits: the release has none. Ours go by a hash of the actor: 65 train, 14 dev, 12 test, the same on every
    machine.

    Raises:
        CorpusError: see `emojudge.corpora.reading.read_audio`; or a table is not as the release has it.
    """
    votes = _votes(folder / "processedResults" / "tabulatedVotes.csv")
    genders = _genders(folder / "VideoDemographics.csv")

    def utterance(path: Path) -> Utterance | None:
        match = _NAME.fullmatch(path.stem)
        if not match or match["sentence"] not in _SENTENCES or match["emotion"] not in _EMOTIONS:
            return None
        sounds = path.stem != _SILENT
        return Utterance(
            id=f"crema_d:{path.stem}",
            audio=path,
            transcript=Transcript(text=_SENTENCES[match["sentence"]], source="CREMA-D", language="en"),
            speaker=f"crema_d:{match['actor']}",
            gender=genders.get(match["actor"]),
            language="en",
            split=_split(match["actor"]),
            emotion=_EMOTIONS[match["emotion"]] if sounds else None,
            label=None if sounds else "silent",
            intensity=_LEVELS.get(match["level"]),
            votes=votes.get(path.stem) if sounds else None,
        )

    return read_audio(find_folder(folder, ["AudioWAV", "AudioMP3"]), utterance, LAYOUT)


def _split(actor: str) -> str:
    where = position(f"crema_d:{actor}")
    return "train" if where < _TRAIN else "dev" if where < _DEV else "test"


def _votes(path: Path) -> dict[str, dict[Emotion, float]]:
    """The distribution of those who heard the voice alone, by the recording's name without suffix."""
    votes: dict[str, dict[Emotion, float]] = {}
    for line, row in read_rows(path) if path.is_file() else ():
        if not {"", "fileName", *_VOTES} <= row.keys():
            expected = f"'', fileName, {', '.join(_VOTES)} among them"
            raise CorpusError(f"{path}:{line}", found=f"columns {', '.join(row)}", expected=expected)
        if not row[""].startswith(_VOICE_ONLY):
            continue
        try:
            counts = {LETTERS[letter]: int(row[letter]) for letter in _VOTES}
        except ValueError as error:
            raise CorpusError(f"{path}:{line}", found=str(error), expected="numbers of votes") from error
        if total := sum(counts.values()):
            votes[row["fileName"]] = {e: counts[e] / total for e in EMOTIONS if counts.get(e)}
    return votes


def _genders(path: Path) -> dict[str, Literal["female", "male"]]:
    rows = [row for _, row in read_rows(path)] if path.is_file() else []
    return {row.get("ActorID", ""): _GENDERS[row["Sex"]] for row in rows if row.get("Sex") in _GENDERS}
