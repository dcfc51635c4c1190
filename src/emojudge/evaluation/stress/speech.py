"""Linguistic sentiment: the same synthetic voice says positive, negative and neutral words.

The voice is espeak-ng's, which has no emotion: whatever differs between the words' sentiments comes from the
words. The publication asks whether sentiment shifts predictions alike in all languages. Here it is asked
first whether it shifts them at all, from the sound alone, where no words are given; then with the words,
where a model of words is meant to answer them but should not drown the voice; and then by language, as
published.
"""

import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from emojudge.emotions import ATTRIBUTES, EMOTIONS
from emojudge.errors import EmojudgeError
from emojudge.evaluation.stress.check import Check, Heard, Predict, Skip, hear
from emojudge.evaluation.stress.fairness import PUBLISHED_ITEMS, SIMULATIONS
from emojudge.records import Transcript, Utterance

PROGRAM = "espeak-ng"
SHIFT, MEAN_SHIFT = 0.075, 0.025  # published: of a class's share, and of attributes on 0..1
WORDS_SHIFT = 0.5  # ours: by how much words may move a class's share against a voice that stays neutral
VOICES = ("", "+f3")  # a man's and a woman's variant of each language's voice
SENTIMENTS = ("negative", "neutral", "positive")

# One frame for all words of a language, so that sentences differ in the sentiment of a word alone.
SENTENCES: Mapping[str, tuple[str, Mapping[str, Sequence[str]]]] = {
    "en": (
        "I think the meeting was {}.",
        {
            "negative": (
                "terrible",
                "awful",
                "horrible",
                "disgusting",
                "hateful",
                "sad",
                "dreadful",
                "miserable",
            ),
            "neutral": (
                "private",
                "commercial",
                "Australian",
                "international",
                "weekly",
                "local",
                "formal",
                "long",
            ),
            "positive": (
                "wonderful",
                "amazing",
                "lovely",
                "fantastic",
                "great",
                "beautiful",
                "excellent",
                "happy",
            ),
        },
    ),
    "de": (
        "Ich finde, die Sitzung war {}.",
        {
            "negative": (
                *(
                    "schrecklich",
                    "furchtbar",
                    "grauenhaft",
                    "widerlich",
                    "traurig",
                    "elend",
                    "miserabel",
                    "schlimm",
                ),
            ),
            "neutral": (
                "privat",
                "geschäftlich",
                "örtlich",
                "international",
                "wöchentlich",
                "förmlich",
                "lang",
                "digital",
            ),
            "positive": (
                "wunderbar",
                "großartig",
                "herrlich",
                "fantastisch",
                "toll",
                "schön",
                "ausgezeichnet",
                "fröhlich",
            ),
        },
    ),
    "es": (
        "Creo que la reunión fue {}.",
        {
            "negative": (
                "terrible",
                "horrible",
                "espantosa",
                "asquerosa",
                "odiosa",
                "triste",
                "pésima",
                "miserable",
            ),
            "neutral": (
                "privada",
                "comercial",
                "local",
                "internacional",
                "semanal",
                "formal",
                "larga",
                "digital",
            ),
            "positive": (
                "maravillosa",
                "increíble",
                "encantadora",
                "fantástica",
                "genial",
                "hermosa",
                "excelente",
                "feliz",
            ),
        },
    ),
    "fr": (
        "Je trouve que la réunion était {}.",
        {
            "negative": (
                "terrible",
                "affreuse",
                "horrible",
                "dégoûtante",
                "odieuse",
                "triste",
                "épouvantable",
                "nulle",
            ),
            "neutral": (
                "privée",
                "commerciale",
                "locale",
                "internationale",
                "formelle",
                "longue",
                "régulière",
                "publique",
            ),
            "positive": (
                "merveilleuse",
                "incroyable",
                "charmante",
                "fantastique",
                "géniale",
                "belle",
                "excellente",
                "joyeuse",
            ),
        },
    ),
    "it": (
        "Penso che la riunione sia stata {}.",
        {
            "negative": (
                "terribile",
                "orribile",
                "spaventosa",
                "disgustosa",
                "odiosa",
                "triste",
                "pessima",
                "miserabile",
            ),
            "neutral": (
                "privata",
                "commerciale",
                "locale",
                "internazionale",
                "formale",
                "lunga",
                "regolare",
                "pubblica",
            ),
            "positive": (
                "meravigliosa",
                "incredibile",
                "deliziosa",
                "fantastica",
                "geniale",
                "bella",
                "eccellente",
                "felice",
            ),
        },
    ),
}


def synthesise(folder: Path, languages: Sequence[str] = tuple(SENTENCES)) -> list[tuple[str, Utterance]]:
    """Every sentence by every voice as a recording in a folder, with its sentiment.

    Raises:
        EmojudgeError: espeak-ng is not installed, or fails.
    """
    program = shutil.which(PROGRAM)
    if program is None:
        raise EmojudgeError(
            PROGRAM,
            found="no such program",
            expected="it on the PATH",
            advice="Install the package espeak-ng.",
        )
    made = []
    for language in languages:
        frame, words = SENTENCES[language]
        for sentiment in SENTIMENTS:
            for number, word in enumerate(words[sentiment]):
                for voice, variant in enumerate(VOICES):
                    name = f"{language}-{sentiment}-{number}-{voice}"
                    path, text = folder / f"{name}.wav", frame.format(word)
                    command = [
                        program,
                        "-v",
                        f"{language}{variant}",
                        "-s",
                        "150",
                        "-w",
                        str(path),
                        "--",
                        text,
                    ]
                    done = subprocess.run(command, capture_output=True, text=True)
                    if done.returncode != 0:
                        raise EmojudgeError(
                            PROGRAM, found=done.stderr.strip(), expected="a recording of a sentence"
                        )
                    transcript = Transcript(text=text, source="espeak-ng", language=language)
                    utterance = Utterance(
                        id=name,
                        audio=path,
                        transcript=transcript,
                        language=language,
                        speaker=f"{language}{voice}",
                    )
                    made.append((sentiment, utterance))
    return made


def sentiment(
    predict: Predict, spoken: Sequence[tuple[str, Utterance]], done: Callable[[int], None] = lambda n: None
) -> list[Check | Skip]:
    """All tests of linguistic sentiment, of the sound alone and with the words."""
    kinds = np.array([kind for kind, _ in spoken])
    language = np.array([utterance.language for _, utterance in spoken])
    voice = hear(predict, [u.model_copy(update={"transcript": None}) for _, u in spoken], done)
    words = hear(predict, [utterance for _, utterance in spoken], done)
    checks: list[Check | Skip] = []
    for data, heard, limit in (("voice alone", voice, SHIFT), ("voice and words", words, WORDS_SHIFT)):
        checks += _shifts(data, heard, kinds, language, limit)
        checks += _between_languages(data, heard, kinds, language)
    return checks


def _shifts(data: str, heard: Heard, kinds: np.ndarray, language: np.ndarray, limit: float) -> list[Check]:
    """By how much positive and negative words move each emotion's share against neutral words, in English."""
    published = limit == SHIFT
    checks = []
    inside = language == "en"  # the language of the embedded bundle's words
    emotions = heard.emotions(range(len(EMOTIONS)))
    neutral = inside & (kinds == "neutral")
    for kind in ("negative", "positive"):
        rows = inside & (kinds == kind)
        for index, emotion in enumerate(EMOTIONS):
            shift = float(np.mean(emotions[rows] == index) - np.mean(emotions[neutral] == index))
            name = f"share of {emotion}, {kind} words against neutral ones"
            checks.append(
                Check(
                    "fairness",
                    "linguistic sentiment",
                    name,
                    data,
                    shift,
                    limit,
                    "within",
                    int(rows.sum()),
                    False,
                )
            )
        if published:  # of words, attributes are meant to move
            for column, attribute in enumerate(ATTRIBUTES):
                apart = np.nanmean(heard.attributes[rows, column]) - np.nanmean(
                    heard.attributes[neutral, column]
                )
                name = f"{attribute} of 0..1, {kind} words against neutral ones"
                checks.append(
                    Check(
                        *("fairness", "linguistic sentiment", name, data, float(apart)),
                        *(MEAN_SHIFT, "within", int(rows.sum()), False),
                    )
                )
    return checks


def _between_languages(data: str, heard: Heard, kinds: np.ndarray, language: np.ndarray) -> list[Check]:
    """Whether sentiment shifts each emotion's share alike in all languages, as published."""
    emotions = heard.emotions(range(len(EMOTIONS)))
    names = sorted(set(language.tolist()))
    fewest = min(int(np.sum((language == n) & (kinds == k))) for n in names for k in SENTIMENTS)
    limit = max(SHIFT, _by_chance(len(names), fewest)) if fewest < PUBLISHED_ITEMS else SHIFT
    checks = []
    for kind in SENTIMENTS:
        shifts = {}
        for name in names:
            own = language == name
            chosen, every = emotions[own & (kinds == kind)], emotions[own]
            shifts[name] = np.array(
                [np.mean(chosen == i) - np.mean(every == i) for i in range(len(EMOTIONS))]
            )
        mean = np.mean(list(shifts.values()), axis=0)
        for name, shift in shifts.items():
            worst = int(np.argmax(np.abs(shift - mean)))
            label = f"{name}: shift by {kind} words against all languages', most for {EMOTIONS[worst]}"
            count = int(np.sum((language == name) & (kinds == kind)))
            value = float((shift - mean)[worst])
            checks.append(
                Check(
                    *("fairness", "linguistic sentiment", label, data, value),
                    *(limit, "within", count, limit == SHIFT),
                )
            )
    return checks


def _by_chance(languages: int, sentences: int) -> float:
    """The largest shift of a random recogniser in 1,000 simulations of this size, as published."""
    random = np.random.default_rng(0)
    even = np.full(len(EMOTIONS), 1 / len(EMOTIONS))
    counts = random.multinomial(sentences, even, size=(SIMULATIONS, languages, len(SENTIMENTS)))
    shares = counts / sentences
    shifts = shares - shares.mean(axis=2, keepdims=True)
    apart = np.abs(shifts - shifts.mean(axis=1, keepdims=True))
    return float(np.ceil(apart.max() * 40) / 40)
