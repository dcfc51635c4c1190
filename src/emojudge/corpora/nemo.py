"""nEMO: nine Polish actors, ninety sentences."""

import logging
import re
from functools import partial
from pathlib import Path

from emojudge.corpora.reading import read_audio, read_rows, some
from emojudge.emotions import Emotion
from emojudge.errors import CorpusError
from emojudge.records import Transcript, Utterance

LAYOUT = "nEMO's samples/WR0_surprised_64.wav: speaker, emotion, sentence; and data.tsv"

_NAME = re.compile(r"(?P<speaker>[A-Z]{2}\d)_(?P<emotion>[a-z]+)_(?P<sentence>\d+)", re.ASCII)
_EMOTIONS: dict[str, Emotion] = {
    "anger": "angry",
    "fear": "fear",
    "happiness": "happy",
    "neutral": "neutral",
    "sadness": "sad",
    "surprised": "surprise",
}
_WOMEN, _MEN = {"EB0", "IC0", "KD0", "MK0"}, {"KS0", "MP0", "SM0", "TP0", "WR0"}

logger = logging.getLogger(__name__)


def load(folder: Path) -> list[Utterance]:
    """Read nEMO: 4,481 recordings of four women and five men, acted, in Polish.

    Source: Christop, "nEMO: Dataset of Emotional Speech in Polish", LREC-COLING 2024;
    github.com/amu-cai/nEMO. Licence: CC BY-NC-SA 4.0, so not for models that are given away.

    Layout: `samples/SPEAKER_EMOTION_SENTENCE.wav`, and `data.tsv` with file_id, emotion, raw_text,
    normalized_text, speaker_id, gender, age. Transcripts are its `raw_text`; a copy without `data.tsv` is
    read, with a warning, without transcripts.

    Labels: anger, fear, happiness, neutral, sadness, surprised; all have a place in the eight. No disgust, no
    contempt, and no official split.

    Raises:
        CorpusError: see `emojudge.corpora.reading.read_audio`; or `data.tsv` and the audio are not of one
            release.
    """
    listing = folder / "data.tsv"
    sentences = _sentences(listing) if listing.is_file() else None
    utterances = read_audio(folder, partial(_utterance, sentences), LAYOUT)
    if sentences is None:
        logger.warning("%s: no data.tsv, so nEMO is read without transcripts", folder)
        return utterances
    present = {utterance.id for utterance in utterances}
    missing = [stem for stem in sentences if f"nemo:{stem}" not in present]
    unlisted = [utterance.id for utterance in utterances if utterance.transcript is None]
    if missing or unlisted:
        raise CorpusError(
            listing,
            found=f"{len(missing)} rows without audio ({some(missing)}), "
            f"{len(unlisted)} recordings without a row ({some(unlisted)})",
            expected="a row for every recording",
            advice="Copy the corpus again, samples and data.tsv together.",
        )
    return utterances


def _sentences(listing: Path) -> dict[str, str]:
    """What is said in a recording, by its name without suffix."""
    sentences: dict[str, str] = {}
    for line, row in read_rows(listing, delimiter="\t"):
        if "file_id" not in row or "raw_text" not in row:
            raise CorpusError(
                f"{listing}:{line}", found=f"columns {list(row)}", expected="file_id and raw_text among them"
            )
        sentences[Path(row["file_id"].strip()).stem] = row["raw_text"].strip()
    return sentences


def _utterance(sentences: dict[str, str] | None, path: Path) -> Utterance | None:
    match = _NAME.fullmatch(path.stem)
    if not match or match["emotion"] not in _EMOTIONS or match["speaker"] not in _WOMEN | _MEN:
        return None
    text = (sentences or {}).get(path.stem)
    return Utterance(
        id=f"nemo:{path.stem}",
        audio=path,
        transcript=None if text is None else Transcript(text=text, source="data.tsv", language="pl"),
        speaker=f"nemo:{match['speaker']}",
        gender="female" if match["speaker"] in _WOMEN else "male",
        language="pl",
        emotion=_EMOTIONS[match["emotion"]],
    )
