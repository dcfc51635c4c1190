"""Tables of predictions, a row an utterance, as `emojudge submit` and `emojudge judge` read them."""

import csv
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from emojudge.challenge.scoring import Values, known
from emojudge.emotions import ATTRIBUTES, EMOTIONS
from emojudge.files import whole
from emojudge.fusion.calibration import softmax
from emojudge.recipe import Task
from emojudge.records import Utterance


def write_predictions(
    path: Path, items: Sequence[Utterance], values: Values, task: Task, parts: Mapping[str, Values]
) -> None:
    """The predictions of a split; of utterances without one, why.

    Args:
        values: logits `(items, 8)`, or attributes on 1..7 `(items, 3)`.
        parts: logits by modality, `audio` and `text`, of what was fused: a judge may ask where they differ.
    """
    names = [f"score_{e}" for e in EMOTIONS] if task == "emotion" else list(ATTRIBUTES)
    opinions = {f"{kind}_score_{e}": None for kind in parts for e in EMOTIONS} if task == "emotion" else {}
    columns = ["id", "file", "emotion", *names, *opinions, "transcript", "speaker", "gender", "error"]
    there = known(values)
    rows = []
    for at, utterance in enumerate(items):
        row: dict[str, object] = {
            "id": utterance.id,
            "file": os.path.relpath(utterance.audio, path.parent) if utterance.audio else None,
            "transcript": utterance.transcript.text if utterance.transcript else None,
            "speaker": utterance.speaker,
            "gender": utterance.gender,
        }
        if not there[at]:
            row["error"] = "no recording or no words"
        elif task == "emotion":
            row |= {"emotion": EMOTIONS[int(values[at].argmax())], **_scores("score", values, at)}
            for kind, part in parts.items():
                row |= _scores(f"{kind}_score", part, at)
        else:
            row |= dict(zip(names, values[at].tolist(), strict=True))
        rows.append(row)
    write_rows(path, columns, rows)


def write_rows(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """A CSV file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


def _scores(name: str, logits: Values, at: int) -> dict[str, object]:
    return {f"{name}_{e}": s for e, s in zip(EMOTIONS, softmax(logits[at][None])[0].tolist(), strict=True)}
