"""Real speech in the layout of MSP-Podcast, so that whatever reads MSP-Podcast runs end to end without it.

    python -m benchmarks as_msp --corpora DIR --output DIR [--names emodb emogator ravdess] [--most 200]

The recordings and their emotions are real, those of every folder of DIR that has a `manifest.csv` (see
`emojudge.corpora.table`). The crowd is not: five raters are made up around each label, and their ratings of
valence, arousal and dominance around the label's mean in the literature. Clips without words, such as vocal
bursts, are given a line of GoEmotions with the same emotion, where DIR has `goemotions`. Whatever is measured
on it says that the path works, not how well anything recognises emotions. The hidden labels of Test3 go into
a file beside the folder, to score with.
"""

import argparse
import csv
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from emojudge.corpora import load_corpus
from emojudge.corpora.splits import holdout, position
from emojudge.emotions import COORDINATES, EMOTIONS, SCALE_MAX, SCALE_MIDDLE, SCALE_MIN, Emotion
from emojudge.errors import CorpusError
from emojudge.records import Utterance
from tests.corpora.msp_layout import RELEASES, Clip, Vote, write_release

SHARES = {"Development": 0.2, "Test1": 0.1, "Test2": 0.1, "Test3": 0.15}  # of each corpus's speakers
SEED = 0
OTHERS = 0.2  # as many clips without an emotion as this share of those with one
RATERS = 5
LINES = {"Train": "train", "Development": "dev"}  # GoEmotions' splits; its test is for all tests


def run(arguments: argparse.Namespace) -> None:
    """Write the copy, and say what is in it on stderr."""
    if arguments.corpora is None or arguments.output is None:
        raise SystemExit("as_msp needs --corpora and --output")
    if arguments.release not in RELEASES:
        raise SystemExit(f"--release: {arguments.release!r} is not one of {', '.join(RELEASES)}")
    names = arguments.names or sorted(p.parent.name for p in arguments.corpora.glob("*/manifest.csv"))
    shares = {k: v for k, v in SHARES.items() if k not in RELEASES[arguments.release].dropped}
    parts: dict[str, list[Utterance]] = defaultdict(list)
    for name in names:
        for split, items in holdout(_voices(arguments.corpora / name, name), shares, SEED).items():
            parts["Train" if split == "train" else split] += items
    lines = _lines(arguments.corpora / "goemotions" / "original")
    clips: list[Clip] = []
    for split, items in parts.items():
        chosen = _chosen(items, arguments.most, even=split == "Test3")
        clips += [_clip(u, split, number, lines) for number, u in enumerate(chosen, start=1)]
    write_release(arguments.output, arguments.release, clips)
    hidden = [clip for clip in clips if clip.split in RELEASES[arguments.release].hidden]
    _write_hidden(arguments.output.with_name(f"{arguments.output.name}_test3_labels.csv"), hidden)
    for split, count in Counter(clip.split for clip in clips).items():
        print(f"{split}: {count} clips", file=sys.stderr)


def _voices(folder: Path, name: str) -> list[Utterance]:
    """A corpus's recordings, with ids and speakers that no other corpus has."""
    return [
        u.model_copy(update={"id": f"{name}/{u.id}", "speaker": f"{name}/{u.speaker}"})
        for u in load_corpus("table", folder)
        if u.audio is not None and u.speaker is not None
    ]


def _lines(folder: Path) -> dict[str, list[Utterance]]:
    """GoEmotions' lines with one emotion by split; nothing where it is not there."""
    lines: dict[str, list[Utterance]] = defaultdict(list)
    try:
        read = load_corpus("goemotions", folder)
    except CorpusError as error:
        print(f"clips without words stay so: {error}", file=sys.stderr)
        return lines
    for utterance in read:
        if utterance.emotion is not None:
            lines[utterance.split or ""].append(utterance)
    return lines


def _chosen(items: Iterable[Utterance], most: int | None, *, even: bool) -> list[Utterance]:
    """At most so many of each emotion, as many of each where `even`, in an order that says nothing."""
    groups: dict[Emotion | None, list[Utterance]] = defaultdict(list)
    for utterance in sorted(items, key=lambda u: position(u.id, SEED)):
        groups[utterance.emotion].append(utterance)
    others = groups.pop(None, [])
    size = max(map(len, groups.values()), default=0)
    size = min(size, most or size, *(map(len, groups.values()) if even else [size]))
    chosen = [u for group in groups.values() for u in group[:size]]
    chosen += [] if even else others[: round(OTHERS * len(chosen))]
    return sorted(chosen, key=lambda u: position(u.id, SEED + 1))


def _clip(utterance: Utterance, split: str, number: int, lines: dict[str, list[Utterance]]) -> Clip:
    speaker = 1 + int(10**8 * position(utterance.speaker or ""))
    show = f"{1 + sorted(('Train', *SHARES)).index(split):04d}"
    name = f"test3_{number:04d}" if split == "Test3" else f"{show}_{number:04d}"
    assert utterance.audio is not None
    return Clip(
        name=f"MSP-PODCAST_{name}",
        samples=utterance.audio,
        split=split,
        speaker=str(speaker),
        gender=(utterance.gender or "Unknown").capitalize(),
        votes=_votes(utterance),
        transcript=utterance.transcript.text if utterance.transcript else _line(utterance, split, lines),
    )


def _line(utterance: Utterance, split: str, lines: dict[str, list[Utterance]]) -> str | None:
    """A line of the same emotion, or of any where the lines have none of it."""
    there = lines.get(LINES.get(split, "test"), [])
    alike = [line for line in there if line.emotion == utterance.emotion] or there
    drawn = alike[int(position(utterance.id, SEED) * len(alike))] if alike else None
    return drawn.transcript.text if drawn and drawn.transcript else None


def _votes(utterance: Utterance) -> tuple[Vote, ...]:
    """Five raters: most for the label; for a clip without one, most for something else, or no majority."""
    draw = np.random.default_rng(int(2**53 * position(utterance.id, SEED)))
    if utterance.emotion is None:
        centre = np.full(3, SCALE_MIDDLE)
        named = ["Other-else"] * 3 + ["Neutral", "Happy"]
        if draw.random() < 0.5:
            named = ["Neutral", "Neutral", "Happy", "Happy", "Other-else"]
    else:
        centre = COORDINATES[EMOTIONS.index(utterance.emotion)]
        near = np.argsort(np.linalg.norm(COORDINATES - centre, axis=1))[1:4]  # what it is taken for
        agree = int(draw.integers(3, RATERS + 1))
        named = [utterance.emotion.capitalize()] * agree
        named += [EMOTIONS[i].capitalize() for i in draw.choice(near, RATERS - agree, replace=False)]
    ratings = np.clip(np.rint(draw.normal(centre, 0.8, (RATERS, 3))), SCALE_MIN, SCALE_MAX)
    return tuple(
        Vote(
            name, (name,) if name.isalpha() else (), valence=valence, activation=arousal, dominance=dominance
        )
        for name, (valence, arousal, dominance) in zip(named, ratings.tolist(), strict=True)
    )


def _write_hidden(path: Path, clips: list[Clip]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("FileName", "EmoClass", "EmoAct", "EmoVal", "EmoDom"))
        for clip in clips:
            means = [clip.mean(name) for name in ("activation", "valence", "dominance")]
            writer.writerow((clip.file, clip.consensus, *means))
