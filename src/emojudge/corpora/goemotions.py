"""GoEmotions: Reddit comments with 27 emotions, neutral, or both."""

import re
from pathlib import Path

from emojudge.corpora.reading import find_file, finer, read_fields, read_text, target
from emojudge.emotions import Emotion
from emojudge.errors import CorpusError
from emojudge.records import Transcript, Utterance

SPLITS = ("train", "dev", "test")

# The release's ekman_mapping.json; its six groups are labels themselves in the Ekman version.
_GROUPS: dict[Emotion, str] = {
    "angry": "anger annoyance disapproval",
    "disgust": "disgust",
    "fear": "fear nervousness",
    "happy": "joy amusement approval excitement gratitude love optimism relief pride admiration desire "
    "caring",
    "sad": "sadness disappointment embarrassment grief remorse",
    "surprise": "surprise realization confusion curiosity",
    "neutral": "neutral",
}
_EMOTIONS: dict[str, Emotion] = {
    label: emotion for emotion, labels in _GROUPS.items() for label in labels.split()
}
_QUOTED = re.compile(r'"(?:[^"]|"")*"')


def load(folder: Path) -> list[Utterance]:
    """Read GoEmotions, 54,263 comments (43,410 train, 5,426 dev, 5,427 test), in English; text only.

    Source: Demszky et al., "GoEmotions: A Dataset of Fine-Grained Emotions", ACL 2020;
    github.com/google-research/google-research/tree/master/goemotions. Licence: Apache-2.0, the data CC BY
    4.0.

    Layout: `train.tsv`, `dev.tsv` and `test.tsv` in the folder or its `data` or `original`: text,
    comma-separated label numbers, comment id. `emotions.txt` or `labels.txt` beside them names the labels by
    number: the original 28, or the seven of the Ekman version. Names, religions and the like are masked in
    the release: `[NAME]`.

    Labels: the release's mapping to Ekman's six, and neutral, so that all have a place in the eight (none is
    contempt). The distinct emotions of a comment share its `votes`; `emotion` is set where one remains, and
    `label` is the comment's own where there is a single one that says more, such as admiration.

    Raises:
        CorpusError: a file is missing, or a line or label is not as the release has it.
    """
    places = ("", "data/", "original/", "data/original/")
    home = find_file(folder, [f"{place}train.tsv" for place in places]).parent
    labels = _labels(find_file(home, ["emotions.txt", "labels.txt"]))
    return [
        utterance for split in SPLITS for utterance in _read(find_file(home, [f"{split}.tsv"]), split, labels)
    ]


def _labels(path: Path) -> dict[str, str]:
    """The label of each number, as the number is written."""
    names = read_text(path).split()
    unknown = [name for name in names if name not in _EMOTIONS]
    if unknown or not names:
        raise CorpusError(
            path,
            found=f"the labels {unknown}",
            expected="the 28 of GoEmotions, or the 7 of its Ekman version",
        )
    return {str(number): name for number, name in enumerate(names)}


def _read(path: Path, split: str, labels: dict[str, str]) -> list[Utterance]:
    utterances = []
    for line, fields in read_fields(path):
        numbers = fields[1].split(",") if len(fields) == 3 else []
        if not numbers or not all(number in labels for number in numbers):
            raise CorpusError(
                f"{path}:{line}",
                found=repr("\t".join(fields)[-60:]),
                expected=f"text, label numbers below {len(labels)} and comment id, with tabs between",
            )
        emotion, votes = target(_EMOTIONS[labels[number]] for number in numbers)
        utterances.append(
            Utterance(
                id=f"goemotions:{fields[2]}",
                transcript=Transcript(text=_unquote(fields[0]), source=path.name, language="en"),
                language="en",
                split=split,
                emotion=emotion,
                label=finer(labels[numbers[0]]) if len(numbers) == 1 else None,
                votes=votes,
            )
        )
    return utterances


def _unquote(text: str) -> str:
    """Undo the quoting of a spreadsheet, which the release has wherever a comment contains quotation marks.

    >>> _unquote('"He said ""no""."'), _unquote('"No!" he said')
    ('He said "no".', '"No!" he said')
    """
    if '""' in text[1:-1] and _QUOTED.fullmatch(text):
        return text[1:-1].replace('""', '"')
    return text
