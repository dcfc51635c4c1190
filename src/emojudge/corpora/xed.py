"""XED: film subtitles with Plutchik's eight emotions, or neutral."""

from pathlib import Path

from emojudge.corpora.reading import find_file, read_fields, target
from emojudge.corpora.splits import position
from emojudge.emotions import Emotion
from emojudge.errors import CorpusError
from emojudge.records import Transcript, Utterance

_EMOTIONS: dict[str, Emotion | None] = {
    "1": "angry",
    "2": None,  # anticipation
    "3": "disgust",
    "4": "fear",
    "5": "happy",  # joy
    "6": "sad",
    "7": "surprise",
    "8": None,  # trust
}
_NEUTRAL = "9"
_TRAIN, _DEV = 0.90, 0.95  # up to here; the rest is test


def load(folder: Path) -> list[Utterance]:
    """Read XED's English part: 17,528 lines of subtitles with emotions, 9,674 neutral ones; text only.

    Source: Öhman, Pàmies, Kajava, Tiedemann, "XED: A Multilingual Dataset for Sentiment Analysis and Emotion
    Detection", COLING 2020; github.com/Helsinki-NLP/XED. Licence: CC BY 4.0.

    Layout, in the folder or its `AnnotatedData`: `en-annotated.tsv` with text and comma-separated numbers
    1..8, and `neu_en.txt` with 9 and text. People and places are masked in the release: `[PERSON]`.

    Labels: 1 anger, 3 disgust, 4 fear, 5 joy, 6 sadness, 7 surprise are ours, and 9 is neutral. 2,
    anticipation, and 8, trust, have no place in the eight: beside others they are left out, alone they leave
    a line without emotion and votes. The distinct emotions of a line share its `votes`; `emotion` is set
    where one remains.

    Splits: the release has none. Ours go by a hash of the text, without regard to case and spaces at its
    ends: about 90 % train, 5 % dev, 5 % test; the same on every machine, and a text that occurs again is in
    one split.

    Raises:
        CorpusError: a file is missing, or a line is not as the release has it.
    """
    annotated = find_file(folder, ["en-annotated.tsv", "AnnotatedData/en-annotated.tsv"])
    neutral = find_file(annotated.parent, ["neu_en.txt"])
    return _read_annotated(annotated) + _read_neutral(neutral)


def _read_annotated(path: Path) -> list[Utterance]:
    utterances = []
    for line, fields in read_fields(path):
        numbers = [number.strip() for number in fields[-1].split(",")]
        if len(fields) != 2 or not all(number in _EMOTIONS for number in numbers):
            raise CorpusError(
                f"{path}:{line}",
                found=repr("\t".join(fields)[-60:]),
                expected="text and numbers 1..8, with a tab between",
            )
        emotion, votes = target(_EMOTIONS[number] for number in numbers)
        utterances.append(_utterance(f"xed:{line}", fields[0], path.name, emotion, votes))
    return utterances


def _read_neutral(path: Path) -> list[Utterance]:
    utterances = []
    for line, fields in read_fields(path):
        if len(fields) < 2 or fields[0] != _NEUTRAL or any(field.strip() for field in fields[2:]):
            raise CorpusError(
                f"{path}:{line}",
                found=repr("\t".join(fields)[:60]),
                expected="9 and text, with a tab between",
            )
        utterances.append(_utterance(f"xed:neutral:{line}", fields[1], path.name, "neutral", None))
    return utterances


def _utterance(
    name: str, text: str, source: str, emotion: Emotion | None, votes: dict[Emotion, float] | None
) -> Utterance:
    where = position(text.strip().casefold())
    return Utterance(
        id=name,
        transcript=Transcript(text=text.strip(), source=source, language="en"),
        language="en",
        split="train" if where < _TRAIN else "dev" if where < _DEV else "test",
        emotion=emotion,
        votes=votes,
    )
