"""EmoBank: English sentences with valence, arousal and dominance."""

from pathlib import Path

from emojudge.corpora.reading import find_file, read_rows, rescaled
from emojudge.errors import CorpusError
from emojudge.records import Attributes, Transcript, Utterance

COLUMNS = ("id", "split", "V", "A", "D", "text")
SPLITS = frozenset({"train", "dev", "test"})
_LOW, _HIGH = 1.0, 5.0  # EmoBank's scale


def load(folder: Path) -> list[Utterance]:
    """Read EmoBank: 10,062 sentences of news, blogs, letters, fiction and more, in English; text only.

    Source: Buechel & Hahn, "EmoBank: Studying the Impact of Annotation Perspective and Representation Format
    on Dimensional Emotion Analysis", EACL 2017; github.com/JULIELab/EmoBank. Licence: CC BY-SA 4.0.

    Layout: `emobank.csv`, in the folder or its `corpus`, with id, split (train, dev, test), V, A, D and text.

    Labels: valence, arousal and dominance, the mean of readers' and writers' ratings on 1..5, become 1..7 by
    1 + (x - 1) · 6/4. There are no categories: `emotion` is None throughout.

    Raises:
        CorpusError: the file is missing, or a row is not as the release has it.
    """
    path = find_file(folder, ["emobank.csv", "corpus/emobank.csv"])
    return [_utterance(f"{path}:{line}", row) for line, row in read_rows(path)]


def _utterance(where: str, row: dict[str, str]) -> Utterance:
    if not set(COLUMNS) <= set(row):
        raise CorpusError(where, found=f"columns {list(row)}", expected=f"columns {list(COLUMNS)}")
    if row["split"] not in SPLITS:
        raise CorpusError(where, found=f"split {row['split']!r}", expected=f"one of {sorted(SPLITS)}")
    return Utterance(
        id=f"emobank:{row['id']}",
        transcript=Transcript(text=row["text"], source="emobank.csv", language="en"),
        language="en",
        split=row["split"],
        attributes=Attributes(
            valence=rescaled(where, "V", row["V"], _LOW, _HIGH),
            arousal=rescaled(where, "A", row["A"], _LOW, _HIGH),
            dominance=rescaled(where, "D", row["D"], _LOW, _HIGH),
        ),
    )
