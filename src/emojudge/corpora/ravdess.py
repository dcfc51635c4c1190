"""RAVDESS, the Ryerson Audio-Visual Database of Emotional Speech and Song: 24 actors, two sentences."""

import re
from pathlib import Path

from emojudge.corpora.reading import read_audio
from emojudge.emotions import Emotion
from emojudge.records import Transcript, Utterance

LAYOUT = "RAVDESS's Actor_12/03-01-05-02-01-02-12.wav: seven numbers of two digits"

_NAME = re.compile(
    r"0[1-3]-(?P<channel>0[12])-(?P<emotion>0[1-8])-(?P<intensity>0[12])-(?P<sentence>0[12])-0[12]"
    r"-(?P<actor>0[1-9]|1[0-9]|2[0-4])"
)
_SPEECH = "01"  # 02 is song
_EMOTIONS: dict[str, Emotion] = {
    "01": "neutral",
    "02": "neutral",  # calm
    "03": "happy",
    "04": "sad",
    "05": "angry",
    "06": "fear",
    "07": "disgust",
    "08": "surprise",
}
_LABELS = {"02": "calm"}
_INTENSITIES = {"01": "normal", "02": "strong"}
_SENTENCES = {"01": "Kids are talking by the door", "02": "Dogs are sitting by the door"}


def load(folder: Path) -> list[Utterance]:
    """Read RAVDESS: 1,440 spoken recordings of twelve women and twelve men, acted, in English.

    Source: Livingstone & Russo, "The Ryerson Audio-Visual Database of Emotional Speech and Song", PLoS ONE 13
    (2018); zenodo.org/records/1188976. Licence: CC BY-NC-SA 4.0, so not for models that are given away.

    Layout: `Actor_NN/MM-VC-EE-II-SS-RR-AA.wav`. Odd actors are men, even ones women. The transcript is the
    sentence SS, `intensity` what II says: 01 normal, 02 strong.

    Labels: 03 happy, 04 sad, 05 angry, 06 fear, 07 disgust, 08 surprise, 01 neutral; 02 is neutral too, with
    `calm` as its label. The song archive's recordings (VC 02) may lie beside: sung, they have no place here
    and no emotion. No contempt, and no official split.

    Raises:
        CorpusError: see `emojudge.corpora.reading.read_audio`.
    """
    return read_audio(folder, _utterance, LAYOUT)


def _utterance(path: Path) -> Utterance | None:
    match = _NAME.fullmatch(path.stem)
    if not match:
        return None
    return Utterance(
        id=f"ravdess:{path.stem}",
        audio=path,
        transcript=Transcript(text=_SENTENCES[match["sentence"]], source="ravdess", language="en"),
        speaker=f"ravdess:{match['actor']}",
        gender="male" if int(match["actor"]) % 2 else "female",
        language="en",
        emotion=_EMOTIONS[match["emotion"]] if match["channel"] == _SPEECH else None,
        label=_LABELS.get(match["emotion"]) if match["channel"] == _SPEECH else "song",
        intensity=_INTENSITIES[match["intensity"]],
    )
