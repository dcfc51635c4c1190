"""MELD: dialogues of a television series, with speakers and seven emotions."""

import logging
import os
from pathlib import Path

from emojudge.corpora.reading import AUDIO_SUFFIXES, find_file, read_rows, some
from emojudge.emotions import Emotion
from emojudge.errors import CorpusError
from emojudge.records import Transcript, Utterance

COLUMNS = ("Utterance", "Speaker", "Emotion", "Dialogue_ID", "Utterance_ID")

_SPLITS = {  # ours: the release's folder of clips
    "train": "train_splits",
    "dev": "dev_splits_complete",
    "test": "output_repeated_splits_test",
}
_SUFFIXES = (*sorted(AUDIO_SUFFIXES), ".mp4")  # the release's clips are MP4; of both, the audio is taken
_EMOTIONS: dict[str, Emotion] = {
    "anger": "angry",
    "disgust": "disgust",
    "fear": "fear",
    "joy": "happy",
    "neutral": "neutral",
    "sadness": "sad",
    "surprise": "surprise",
}

logger = logging.getLogger(__name__)


def load(folder: Path) -> list[Utterance]:
    """Read MELD: 13,708 lines of dialogue (9,989 train, 1,109 dev, 2,610 test), acted, in English.

    Source: Poria, Hazarika, Majumder, Naik, Cambria, Mihalcea, "MELD: A Multimodal Multi-Party Dataset for
    Emotion Recognition in Conversations", ACL 2019; affective-meld.github.io. Licence: GPL-3.0; the lines are
    from a television series, so not for models that are given away.

    Layout: `train_sent_emo.csv`, `dev_sent_emo.csv` and `test_sent_emo.csv`, in the folder or in `train`,
    `dev`, `test`, `data/MELD`; clips `diaD_uttU.mp4`, or audio of that name, anywhere under a folder
    `train_splits`, `dev_splits_complete`, `output_repeated_splits_test`. MP4 needs the extra `media`. A copy
    without clips is read for its words; single clips that are missing, as two of the release are, leave a
    line without audio.

    A line's `recording` is its dialogue, its `position` the number of the turn in it.

    Labels: anger, disgust, fear, joy, neutral, sadness, surprise. No contempt. The same characters speak in
    all three splits.

    Raises:
        CorpusError: a table is missing, or a row is not as the release has it.
    """
    clips = _clips(folder)
    utterances = [utterance for split in _SPLITS for utterance in _read(folder, split, clips)]
    silent = [utterance.id for utterance in utterances if utterance.audio is None]
    if clips and silent:
        logger.warning("%s: %d lines without a clip: %s", folder, len(silent), some(silent))
    return utterances


def _read(folder: Path, split: str, clips: dict[tuple[str, str], Path]) -> list[Utterance]:
    name = f"{split}_sent_emo.csv"
    path = find_file(folder, [name, f"{split}/{name}", f"data/MELD/{name}"])
    utterances = []
    for line, row in read_rows(path):
        where = f"{path}:{line}"
        if not set(COLUMNS) <= row.keys():
            raise CorpusError(where, found=f"columns {list(row)}", expected=f"columns {list(COLUMNS)}")
        if row["Emotion"] not in _EMOTIONS:
            raise CorpusError(where, found=f"Emotion {row['Emotion']!r}", expected=", ".join(_EMOTIONS))
        if not row["Utterance_ID"].isdecimal():
            raise CorpusError(
                where, found=f"Utterance_ID {row['Utterance_ID']!r}", expected="a turn's number"
            )
        turn = f"dia{row['Dialogue_ID']}_utt{row['Utterance_ID']}"
        utterances.append(
            Utterance(
                id=f"meld:{split}:{turn}",
                audio=clips.get((split, turn)),
                transcript=Transcript(text=row["Utterance"].strip(), source=path.name, language="en"),
                speaker=f"meld:{row['Speaker'].strip()}",
                language="en",
                split=split,
                emotion=_EMOTIONS[row["Emotion"]],
                recording=f"meld:{split}:dia{row['Dialogue_ID']}",
                position=float(row["Utterance_ID"]),
            )
        )
    return utterances


def _clips(folder: Path) -> dict[tuple[str, str], Path]:
    """Clips by split and turn; the splits' folders may lie anywhere, for the archives nest them."""
    names = {name: split for split, name in _SPLITS.items()}
    clips: dict[tuple[str, str], Path] = {}
    for place, _, files in os.walk(folder):
        parts = Path(place).relative_to(folder).parts
        split = next((names[part] for part in reversed(parts) if part in names), None)
        if split is None:
            continue
        for file in files:
            stem, suffix = os.path.splitext(file)
            if suffix.lower() in _SUFFIXES:
                known = clips.get((split, stem))
                if known is None or known.suffix.lower() == ".mp4":
                    clips[split, stem] = Path(place, file)
    return clips
