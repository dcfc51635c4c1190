"""EmoGator: vocal bursts, without words, by 357 contributors."""

import re
from pathlib import Path

from emojudge.corpora.reading import finer, read_audio
from emojudge.emotions import Emotion
from emojudge.records import Utterance

LAYOUT = "EmoGator's data/mp3/000001-02-1.mp3: contributor, category 01..30, instance 1..3"

_NAME = re.compile(r"(?P<contributor>\d{6})-(?P<category>\d\d)-(?P<instance>[123])", re.ASCII)
_CATEGORIES: tuple[tuple[str, Emotion | None], ...] = (  # 01..30 in the file names
    ("Adoration", None),
    ("Amusement", "happy"),
    ("Anger", "angry"),
    ("Awe", None),
    ("Confusion", None),
    ("Contempt", "contempt"),
    ("Contentment", None),
    ("Desire", None),
    ("Disappointment", None),
    ("Disgust", "disgust"),
    ("Distress", None),
    ("Ecstasy", "happy"),
    ("Elation", "happy"),
    ("Embarrassment", None),
    ("Fear", "fear"),
    ("Guilt", None),
    ("Interest", None),
    ("Neutral", "neutral"),
    ("Pain", None),
    ("Pride", None),
    ("Realization", None),
    ("Relief", None),
    ("Romantic Love", None),
    ("Sadness", "sad"),
    ("Serenity", None),
    ("Shame", None),
    ("Surprise (Negative)", "surprise"),
    ("Surprise (Positive)", "surprise"),
    ("Sympathy", None),
    ("Triumph", None),
)


def load(folder: Path) -> list[Utterance]:
    """Read EmoGator: 32,130 vocal bursts, laughs, sighs, screams, recorded at home.

    Source: Buhl, "EmoGator: A New Open Source Vocal Burst Dataset with Baseline Machine Learning
    Classification Methodologies", arXiv:2301.00508; github.com/fredbuhl/EmoGator. Licence: Apache-2.0.

    Layout: `data/mp3/NNNNNN-EE-I.mp3` with contributor, category and instance; a copy of some categories or
    contributors is read as well. No words, hence no transcript and no language; sexes are not published.

    Labels: Anger, Contempt, Disgust, Fear, Neutral and Sadness are ours; both kinds of Surprise are surprise;
    Amusement, Ecstasy and Elation, the outright joyful ones, are happy. The other 19 categories name finer
    states (awe, guilt, pain, relief ...) without a place in the eight and have no emotion. `label` has the
    category wherever it says more than the emotion. No official split: split by contributor, for the bursts
    of one are alike.

    Raises:
        CorpusError: see `emojudge.corpora.reading.read_audio`.
    """
    return read_audio(folder, _utterance, LAYOUT)


def _utterance(path: Path) -> Utterance | None:
    match = _NAME.fullmatch(path.stem)
    if not match or not 1 <= int(match["category"]) <= len(_CATEGORIES):
        return None
    category, emotion = _CATEGORIES[int(match["category"]) - 1]
    return Utterance(
        id=f"emogator:{path.stem}",
        audio=path,
        speaker=f"emogator:{match['contributor']}",
        emotion=emotion,
        label=finer(category.lower()),
    )
