"""Synthetic speech: sentences by espeak-ng's voices, which have accents and languages but no emotion."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from emojudge.errors import EmojudgeError
from emojudge.evaluation.stress.sentences import FRAMES, SENTIMENTS, Sentiment
from emojudge.records import Transcript, Utterance

PROGRAM = "espeak-ng"
VARIANTS = ("", "+f3")  # a man's and a woman's variant of each voice
WORDS_PER_MINUTE = "150"
ACCENTS: Mapping[str, str] = {  # of English: espeak-ng's voice by the name that results bear
    "American": "en-us",
    "British": "en-gb",
    "Caribbean": "en-029",
    "Lancashire": "en-gb-x-gbclan",
    "New York": "en-us-nyc",
    "Received Pronunciation": "en-gb-x-rp",
    "Scottish": "en-gb-scotland",
    "West Midlands": "en-gb-x-gbcwmd",
}


def by_sentiment(folder: Path, languages: Sequence[str] = tuple(FRAMES)) -> list[tuple[Sentiment, Utterance]]:
    """Every sentence of these languages by both voices as recordings in a folder, with its sentiment.

    Raises:
        EmojudgeError: espeak-ng is not installed, or fails.
    """
    return [
        (sentiment, _spoken(folder, f"{language}-{sentiment}-{number}", language, variant, text))
        for language in languages
        for sentiment in SENTIMENTS
        for number, text in enumerate(FRAMES[language].filled(sentiment))
        for variant in VARIANTS
    ]


def by_accent(folder: Path, accents: Mapping[str, str] = ACCENTS) -> list[tuple[str, Utterance]]:
    """The English sentences in every accent by both voices, with the accent's name; errors likewise."""
    texts = [text for sentiment in SENTIMENTS for text in FRAMES["en"].filled(sentiment)]
    return [
        (accent, _spoken(folder, f"{voice}-{number}", voice, variant, text))
        for accent, voice in accents.items()
        for number, text in enumerate(texts)
        for variant in VARIANTS
    ]


def _spoken(folder: Path, name: str, voice: str, variant: str, text: str) -> Utterance:
    program = shutil.which(PROGRAM)
    if program is None:
        raise EmojudgeError(
            PROGRAM,
            found="no such program",
            expected="it on the PATH",
            advice="Install the package espeak-ng.",
        )
    path = folder / f"{name}{variant}.wav"
    command = [program, "-v", f"{voice}{variant}", "-s", WORDS_PER_MINUTE, "-w", str(path), "--", text]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0 or not path.is_file():
        raise EmojudgeError(PROGRAM, found=done.stderr.strip(), expected="a recording of a sentence")
    language = voice[:2]
    return Utterance(
        id=path.stem,
        audio=path,
        transcript=Transcript(text=text, source=PROGRAM, language=language),
        language=language,
        speaker=f"{voice}{variant}",
    )
