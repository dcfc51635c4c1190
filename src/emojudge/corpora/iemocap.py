"""IEMOCAP: ten actors in pairs, scripted scenes and improvisations."""

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from emojudge.corpora.reading import find_folder, read_text, rescaled, some
from emojudge.emotions import ATTRIBUTES, EMOTIONS, Emotion
from emojudge.errors import CorpusError
from emojudge.records import Attributes, Transcript, Utterance

LAYOUT = "IEMOCAP's Session1/dialog/EmoEvaluation/Ses01F_impro01.txt, for sessions 1 to 5"

_TURN = re.compile(
    r"\[(?P<start>\d+\.?\d*) - \d+\.?\d*\]\t(?P<id>Ses(?P<session>0[1-5])[FM]_\w+_(?P<sex>[FM])\d+)"
    r"\t(?P<code>[a-z]{3})\t\[(?P<ratings>[^]]*)\]"
)
_RATER = re.compile(r"C-E\d+:\s*(?P<labels>[^(]*)")  # C-F and C-M are the actors' own opinions
_LINE = re.compile(r"(?P<id>Ses0[1-5][FM]_\w+_[FM]\d+)\s*\[[\d.]+\s*-\s*[\d.]+\]:\s*(?P<text>.*)")
_CODES: dict[str, tuple[Emotion | None, str | None]] = {
    "ang": ("angry", None),
    "sad": ("sad", None),
    "hap": ("happy", None),
    "exc": ("happy", "excited"),
    "sur": ("surprise", None),
    "fea": ("fear", None),
    "dis": ("disgust", None),
    "neu": ("neutral", None),
    "fru": (None, "frustrated"),
    "oth": (None, "other"),
    "xxx": (None, "no agreement"),
}
_LOW, _HIGH = 1.0, 5.0  # IEMOCAP's scale of attributes

logger = logging.getLogger(__name__)


def load(folder: Path) -> list[Utterance]:
    """Read IEMOCAP: 10,039 turns of five women and five men, acted, in English.

    Source: Busso, Bulut, Lee, Kazemzadeh, Mower, Kim, Chang, Lee, Narayanan, "IEMOCAP: Interactive Emotional
    Dyadic Motion Capture Database", Language Resources and Evaluation 42 (2008); by licence from the SAIL lab
    of the University of Southern California.

    Layout: `SessionN/dialog/EmoEvaluation/*.txt`, `SessionN/dialog/transcriptions/*.txt` and
    `SessionN/sentences/wav/DIALOGUE/TURN.wav`; a copy of some sessions, or without audio, is read as well. A
    turn's `recording` is its dialogue, its `position` the second in which it begins.

    Labels: the code of each turn. `exc` is happy, as most work on this corpus takes it, and its `label` says
    "excited"; `fru`, `oth` and `xxx` have no emotion: "frustrated", "other", "no agreement". `votes` is the
    distribution over the eight of the raters other than the actors; a rater of several labels is shared among
    them, and `other_votes` is the share without a place in the eight. Valence, arousal and dominance on 1..5
    become 1..7 by 1 + (x - 1) · 6/4; the few turns with a rating out of range have none. No contempt.

    Splits: session1 to session5, of two speakers each, for leaving one session out.

    Raises:
        CorpusError: no session, or a line of a turn that is not as the release has it.
    """
    sessions = [folder / f"Session{number}" for number in range(1, 6)]
    there = [session for session in sessions if session.is_dir()]
    if not there:
        found = "no session" if folder.is_dir() else "no such folder"
        raise CorpusError(folder, found=found, expected=LAYOUT, advice="Name the folder that holds Session1.")
    return [utterance for session in there for utterance in _session(session)]


def _session(session: Path) -> Iterator[Utterance]:
    recordings = {
        path.stem: path for path in sorted(session.glob("sentences/wav/*/*.wav")) if path.name[0] != "."
    }
    lines = dict(_lines(session / "dialog" / "transcriptions"))
    evaluations = find_folder(session, ["dialog/EmoEvaluation"])
    silent, unrated = [], []
    for path in sorted(evaluations.glob("Ses*.txt")):
        for block in read_text(path).replace("\r\n", "\n").split("\n\n"):
            if (utterance := _utterance(path, block.strip(), recordings, lines)) is None:
                continue
            if utterance.audio is None:
                silent.append(utterance.id)
            if utterance.attributes is None:
                unrated.append(utterance.id)
            yield utterance
    if silent:
        logger.warning("%s: %d turns without a recording: %s", session, len(silent), some(silent))
    if unrated:
        logger.warning("%s: %d turns with a rating out of 1..5: %s", session, len(unrated), some(unrated))


def _utterance(
    path: Path, block: str, recordings: dict[str, Path], lines: dict[str, str]
) -> Utterance | None:
    """The turn that a block of an evaluation file is about; None for what is no turn."""
    head = block.split("\n", 1)[0]
    match = _TURN.match(head)
    if match is None:
        if head.startswith("["):
            raise CorpusError(
                path, found=repr(head[:80]), expected="[START - END], turn, code, [V, A, D]; tabs"
            )
        return None
    if match["code"] not in _CODES:
        raise CorpusError(path, found=f"code {match['code']!r}", expected=", ".join(_CODES))
    emotion, label = _CODES[match["code"]]
    votes, others = _votes(block)
    gender: Literal["female", "male"] = "female" if match["sex"] == "F" else "male"
    text = lines.get(match["id"])
    return Utterance(
        id=f"iemocap:{match['id']}",
        audio=recordings.get(match["id"]),
        transcript=Transcript(text=text, source="IEMOCAP", language="en") if text else None,
        speaker=f"iemocap:{match['session']}{match['sex']}",
        gender=gender,
        language="en",
        split=f"session{int(match['session'])}",
        emotion=emotion,
        label=label,
        votes=votes,
        other_votes=others,
        attributes=_attributes(str(path), match["ratings"]),
        recording=f"iemocap:{path.stem}",
        position=float(match["start"]),
    )


def _votes(block: str) -> tuple[dict[Emotion, float] | None, float | None]:
    """Votes over the eight, and the share of those without a place in them."""
    shares: dict[Emotion | None, float] = {}
    raters = _RATER.findall(block)
    for labels in raters:
        named = [name.strip().lower()[:3] for name in labels.split(";") if name.strip()]
        for name in named:
            emotion = _CODES.get(name, (None, None))[0]
            shares[emotion] = shares.get(emotion, 0.0) + 1.0 / len(named)
    total = sum(shares.values())
    if not total:
        return None, None
    others = shares.pop(None, 0.0)
    if total - others < 1e-9:
        return None, 1.0
    return {e: shares[e] / (total - others) for e in EMOTIONS if e in shares}, others / total


def _attributes(where: str, ratings: str) -> Attributes | None:
    try:
        values = [rescaled(where, "ratings", text.strip(), _LOW, _HIGH) for text in ratings.split(",")]
    except CorpusError:
        return None
    return (
        Attributes(**dict(zip(ATTRIBUTES, values, strict=True))) if len(values) == len(ATTRIBUTES) else None
    )


def _lines(folder: Path) -> Iterator[tuple[str, str]]:
    """Turn and words of every line of the transcriptions; remarks and sounds are passed over."""
    for path in sorted(folder.glob("Ses*.txt")):
        for line in read_text(path).splitlines():
            if match := _LINE.match(line):
                yield match["id"], match["text"].strip()
