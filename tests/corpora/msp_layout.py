"""Small corpora in the layout of each release of MSP-Podcast: nobody needs the licence to run the tests.

`write_release(folder, release, clips)` writes the files of a release as they are published; `clips()` makes a
few clips of noise with raters. `python -m benchmarks as_msp` writes real speech with the same function.
"""

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from emojudge.audio.decode import decode
from emojudge.emotions import EMOTIONS, LETTERS

RATE = 16_000  # Hz, of every release's recordings
NAMES = {letter: emotion.capitalize() for letter, emotion in LETTERS.items()}  # as raters' primary emotions
COLUMNS = ("FileName", "EmoClass", "EmoAct", "EmoVal", "EmoDom", "SpkrID", "Gender", "Split_Set")


@dataclass(frozen=True)
class Vote:
    """What one rater said."""

    primary: str = "Neutral"
    secondary: tuple[str, ...] = ("Neutral",)
    activation: float = 4.0
    valence: float = 4.0
    dominance: float = 4.0


@dataclass(frozen=True)
class Clip:
    """One recording with its labels; `split` in the words of the challenge: Train, Development, Test1 ..."""

    name: str  # MSP-PODCAST_0001_0008, without a suffix
    samples: NDArray[np.float32] | Path  # (samples,), mono at RATE; or any recording, decoded when written
    split: str = "Train"
    speaker: str = "Unknown"
    gender: str = "Unknown"
    votes: tuple[Vote, ...] = ()
    transcript: str | None = "yes"

    @property
    def file(self) -> str:
        return f"{self.name}.wav"

    def sound(self) -> NDArray[np.float32]:
        return decode(self.samples).samples if isinstance(self.samples, Path) else self.samples

    @property
    def consensus(self) -> str:
        """The letter of the plurality: O for others, X for none."""
        letters = {name: letter for letter, name in NAMES.items()}
        (first, most), *rest = Counter(letters.get(vote.primary, "O") for vote in self.votes).most_common()
        return "X" if rest and rest[0][1] == most else first

    def mean(self, attribute: str) -> float:
        return float(np.mean([getattr(vote, attribute) for vote in self.votes]))


@dataclass(frozen=True)
class Layout:
    """How a release names things, and in which shapes it keeps them."""

    labels: str = "Labels"
    audio: str = "Audios"
    consensus: str = "labels_consensus"
    development: str = "Development"
    detailed: str = "text"  # one of DETAILED
    rater_column: str = "WorkerID"
    partitions: str = "Partitions.txt"
    hidden: tuple[str, ...] = ()  # splits without labels, speakers, transcripts, alignments
    dropped: tuple[str, ...] = ()  # splits that are not in the release at all
    alignments: bool = True
    missing: tuple[str, ...] = ()  # recordings that the labels have and the release does not


_OLD = Layout(
    labels="Labels", consensus="labels_concensus", development="Validation",
    partitions="Partitions.txt", dropped=("Test3",), alignments=False,
)  # fmt: skip
RELEASES: dict[str, Layout] = {
    "1.6": replace(_OLD, labels="label", audio="Audio", detailed="fields", rater_column="Workers"),
    "1.7": _OLD,
    "1.8": _OLD,
    "1.9": replace(_OLD, labels="labels"),
    "1.10": replace(_OLD, consensus="labels_consensus"),
    "1.11": Layout(development="Validation", hidden=("Test3",)),
    "1.12": Layout(hidden=("Test3",)),
    "challenge": Layout(hidden=("Test3",), dropped=("Test1", "Test2"), partitions="Partition.txt"),
    "2.0": Layout(detailed="fields", hidden=("Test3",), missing=("MSP-PODCAST_1909_1017",)),
}


def clips(splits: Sequence[str] = ("Train", "Development", "Test1", "Test3"), each: int = 10) -> list[Clip]:
    """`each` clips of every split: the eight emotions in turn, then O, then X; three speakers a split."""
    made = []
    for number, split in enumerate(splits):
        for index in range(each):
            name = f"test3_{index + 1:04d}" if split == "Test3" else f"{number + 1:04d}_{index + 1:04d}"
            made.append(
                Clip(
                    name=f"MSP-PODCAST_{name}",
                    samples=noise(0.3 + 0.1 * (index % 3), seed=100 * number + index),
                    split=split,
                    speaker="Unknown" if index == each - 1 else str(10 * number + index % 3),
                    gender="Unknown" if index == each - 1 else ("Female", "Male", "Female")[index % 3],
                    votes=votes(index % 10),
                    transcript=f"line {index}, they said",
                )
            )
    return made


def votes(kind: int) -> tuple[Vote, ...]:
    """Five raters: three for emotion `kind`, 0 to 7; three others for 8; two and two for 9."""
    if kind == 9:
        first = [Vote("Angry", ("Annoyed",), 5, 2, 5)] * 2 + [Vote("Sad", ("Depressed",), 3, 2, 3)] * 2
        return (*first, Vote("Other-tired, so tired", (), 2, 3, 3))
    primary = EMOTIONS[kind].capitalize() if kind < 8 else "Other-bored"
    return (
        *[Vote(primary, ("Concerned", "Dissapointed"), 5, 3, 4)] * 3,
        Vote("Neutral" if primary != "Neutral" else "Happy", (), 4, 4, 4),
        Vote("Other-a: b", ("Confused", "Other-hm"), 3, 5, 4),
    )


def noise(seconds: float, seed: int = 0) -> NDArray[np.float32]:
    """Noise `(samples,)` that no two seeds share."""
    samples = np.random.default_rng(seed).normal(scale=0.1, size=int(seconds * RATE))
    return samples.astype(np.float32)


def write_release(folder: Path, release: str, items: Iterable[Clip], *, as_json: bool = False) -> Path:
    """Write clips in the layout of a release: 1.6 to 1.12, `challenge` or `2.0`; the folder comes back.

    Args:
        folder: is made; what is there under the same names is written over.
        release: a key of RELEASES.
        items: the clips; those of splits that the release does not have are left out.
        as_json: labels as JSON instead of CSV.
    """
    layout = RELEASES[release]
    kept = [clip for clip in items if clip.split not in layout.dropped]
    labelled = [clip for clip in kept if clip.split not in layout.hidden]
    for name in (layout.labels, layout.audio, "Transcripts"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for clip in kept:
        if clip.name not in layout.missing:
            soundfile.write(folder / layout.audio / clip.file, clip.sound(), RATE, subtype="PCM_16")
    for clip in labelled:
        if clip.transcript is not None:
            text = folder / "Transcripts" / f"{clip.name}.txt"
            text.write_text(clip.transcript + "\n", encoding="utf-8")
    if layout.alignments:
        _write_alignments(folder / "ForceAligned", folder / layout.audio, labelled)
    _write_partitions(folder / layout.partitions, layout, kept)
    _write_speakers(folder / "Speaker_ids.txt", labelled)
    labels = folder / layout.labels
    _write_labels_txt(labels / "labels.txt", labelled)
    if as_json:
        _write_json(labels, layout, labelled)
    else:
        _write_consensus(labels / f"{layout.consensus}.csv", layout, labelled)
        DETAILED[layout.detailed](labels / "labels_detailed.csv", layout, labelled)
    return folder


def _split(layout: Layout, clip: Clip) -> str:
    return layout.development if clip.split == "Development" else clip.split


def _row(layout: Layout, clip: Clip) -> dict[str, str]:
    means = [str(clip.mean(name)) for name in ("activation", "valence", "dominance")]
    values = [clip.file, clip.consensus, *means, clip.speaker, clip.gender, _split(layout, clip)]
    return dict(zip(COLUMNS, values, strict=True))


def _write_consensus(path: Path, layout: Layout, items: list[Clip]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(_row(layout, clip) for clip in items)


def _raters(items: list[Clip]) -> Iterable[tuple[Clip, str, Vote]]:
    for number, clip in enumerate(items):
        for index, vote in enumerate(clip.votes):
            yield clip, f"WORKER{(7 * number + index) % 97:08d}", vote


def _write_text(path: Path, layout: Layout, items: list[Clip]) -> None:
    """1.7 to 1.12 and the challenge: all in one text, without secondary emotions where there are none."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("FileName", "EmoDetail"))
        for clip, rater, vote in _raters(items):
            writer.writerow((clip.file, f"{rater}; {_said(vote, skip_empty=True)}"))


def _write_fields(path: Path, layout: Layout, items: list[Clip]) -> None:
    """1.6 and 2.0: a column each."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        columns = ("EmoClass_Major", "EmoClass_Second", "EmoAct", "EmoVal", "EmoDom")
        writer.writerow(("FileName", layout.rater_column, *columns))
        for clip, rater, vote in _raters(items):
            secondary = ",".join(vote.secondary)
            writer.writerow(
                (clip.file, rater, vote.primary, secondary, vote.activation, vote.valence, vote.dominance)
            )


DETAILED: dict[str, Callable[[Path, Layout, list[Clip]], None]] = {
    "text": _write_text,
    "fields": _write_fields,
}


def _said(vote: Vote, skip_empty: bool) -> str:
    secondary = [] if skip_empty and not vote.secondary else [",".join(vote.secondary)]
    ratings = (("A", vote.activation), ("V", vote.valence), ("D", vote.dominance))
    return "; ".join([vote.primary, *secondary, *(f"{axis}:{value:.6f}" for axis, value in ratings)]) + ";"


def _write_json(labels: Path, layout: Layout, items: list[Clip]) -> None:
    consensus = {
        clip.file: {k: v for k, v in _row(layout, clip).items() if k != "FileName"} for clip in items
    }
    (labels / f"{layout.consensus}.json").write_text(json.dumps(consensus), encoding="utf-8")
    detailed: dict[str, dict[str, dict[str, str]]] = {}
    for clip, rater, vote in _raters(items):
        detailed.setdefault(clip.file, {})[rater] = {
            "EmoClass_Major": vote.primary,
            "EmoClass_Second": ",".join(vote.secondary),
            "EmoAct": str(vote.activation),
            "EmoDom": str(vote.dominance),
            "EmoVal": str(vote.valence),
        }
    (labels / "labels_detailed.json").write_text(json.dumps(detailed), encoding="utf-8")


def _write_labels_txt(path: Path, items: list[Clip]) -> None:
    blocks: dict[str, list[str]] = {}
    for clip, rater, vote in _raters(items):
        means = (("A", "activation"), ("V", "valence"), ("D", "dominance"))
        ratings = "; ".join(f"{axis}:{clip.mean(name):.6f}" for axis, name in means)
        block = blocks.setdefault(clip.file, [f"{clip.file}; {clip.consensus}; {ratings};"])
        block.append(f"{rater}; {_said(vote, skip_empty=False)}")
    text = "\n\n".join("\n".join(lines) for lines in blocks.values())
    path.write_text(text + "\n\n", encoding="utf-8")


def _write_partitions(path: Path, layout: Layout, items: list[Clip]) -> None:
    path.write_text("".join(f"{_split(layout, clip)}; {clip.file}\n" for clip in items), encoding="utf-8")


def _write_speakers(path: Path, items: list[Clip]) -> None:
    genders = {clip.speaker: clip.gender for clip in items if clip.speaker != "Unknown"}
    lines = [f"Speaker_{speaker}; {gender}\n" for speaker, gender in sorted(genders.items())]
    path.write_text("".join([*lines, *(f"{c.file}; {c.speaker}\n" for c in items)]), encoding="utf-8")


def _write_alignments(folder: Path, audio: Path, items: list[Clip]) -> None:
    """Words at equal distances over the clip, after a tenth of it in silence, in Praat's long format."""
    folder.mkdir(exist_ok=True)
    for clip in items:
        words = (clip.transcript or "").split()
        if not (audio / clip.file).exists():
            continue
        seconds = soundfile.info(str(audio / clip.file)).duration
        edges = np.linspace(0.1 * seconds, seconds, len(words) + 1)
        stretches = [(0.0, edges[0], ""), *zip(edges, edges[1:], words, strict=False)]
        tiers = [_tier(1, "words", stretches, seconds), _tier(2, "phones", [(0.0, seconds, "sil")], seconds)]
        head = f'File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0 \nxmax = {seconds} \n'
        text = head + "tiers? <exists> \nsize = 2 \nitem []: \n" + "".join(tiers)
        (folder / f"{clip.name}.TextGrid").write_text(text, encoding="utf-8")


def _tier(number: int, name: str, stretches: list[tuple[float, float, str]], seconds: float) -> str:
    lines = [
        f'    item [{number}]:\n        class = "IntervalTier" \n        name = "{name}" \n'
        f"        xmin = 0 \n        xmax = {seconds} \n        intervals: size = {len(stretches)} \n"
    ]
    for index, (start, end, word) in enumerate(stretches, start=1):
        text = word.replace('"', '""')
        lines.append(
            f"        intervals [{index}]:\n            xmin = {start} \n            xmax = {end} \n"
            f'            text = "{text}" \n'
        )
    return "".join(lines)
