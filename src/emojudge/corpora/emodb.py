"""EMO-DB, the Berlin Database of Emotional Speech: ten German actors, ten sentences."""

import re
from pathlib import Path
from typing import Literal

from emojudge.corpora.reading import read_audio
from emojudge.emotions import Emotion
from emojudge.records import Transcript, Utterance

LAYOUT = "EMO-DB's wav/03a01Fa.wav: speaker, sentence, emotion, version"

_NAME = re.compile(r"(?P<speaker>\d\d)(?P<text>[ab]\d\d)(?P<emotion>[A-Z])(?P<version>[a-z]?)", re.ASCII)
_EMOTIONS: dict[str, Emotion | None] = {  # letters of the German words
    "W": "angry",  # Wut
    "L": None,  # Langeweile, boredom
    "E": "disgust",  # Ekel
    "A": "fear",  # Angst
    "F": "happy",  # Freude
    "T": "sad",  # Trauer
    "N": "neutral",
}
_GENDERS: dict[str, Literal["female", "male"]] = {
    "03": "male",
    "08": "female",
    "09": "female",
    "10": "male",
    "11": "male",
    "12": "male",
    "13": "female",
    "14": "female",
    "15": "male",
    "16": "female",
}
_SENTENCES = {
    "a01": "Der Lappen liegt auf dem Eisschrank.",
    "a02": "Das will sie am Mittwoch abgeben.",
    "a04": "Heute abend könnte ich es ihm sagen.",
    "a05": "Das schwarze Stück Papier befindet sich da oben neben dem Holzstück.",
    "a07": "In sieben Stunden wird es soweit sein.",
    "b01": "Was sind denn das für Tüten, die da unter dem Tisch stehen?",
    "b02": "Sie haben es gerade hochgetragen und jetzt gehen sie wieder runter.",
    "b03": "An den Wochenenden bin ich jetzt immer nach Hause gefahren und habe Agnes besucht.",
    "b09": "Ich will das eben wegbringen und dann mit Karl was trinken gehen.",
    "b10": "Die wird auf dem Platz sein, wo wir sie immer hinlegen.",
}


def load(folder: Path) -> list[Utterance]:
    """Read EMO-DB: 535 recordings of five women and five men, acted, in German.

    Source: Burkhardt, Paeschke, Rolfes, Sendlmeier, Weiss, "A database of German emotional speech",
    Interspeech 2005; emodb.bilderbar.info. Licence: CC0.

    Layout: `wav/SSTTTEv.wav` with speaker, sentence code, letter of the emotion and, where there is more than
    one take, its letter. The transcript is the sentence that the code stands for.

    Labels: W angry, E disgust, A fear, F happy, T sad, N neutral. L, boredom, has no place in the eight: its
    81 recordings have no emotion. No surprise, no contempt, and no official split: fold by speaker.

    Raises:
        CorpusError: see `emojudge.corpora.reading.read_audio`.
    """
    return read_audio(folder, _utterance, LAYOUT)


def _utterance(path: Path) -> Utterance | None:
    match = _NAME.fullmatch(path.stem)
    if not match or match["speaker"] not in _GENDERS or match["text"] not in _SENTENCES:
        return None
    if match["emotion"] not in _EMOTIONS:
        return None
    return Utterance(
        id=f"emodb:{path.stem}",
        audio=path,
        transcript=Transcript(text=_SENTENCES[match["text"]], source="emodb", language="de"),
        speaker=f"emodb:{match['speaker']}",
        gender=_GENDERS[match["speaker"]],
        language="de",
        emotion=_EMOTIONS[match["emotion"]],
        label="boredom" if match["emotion"] == "L" else None,
    )
