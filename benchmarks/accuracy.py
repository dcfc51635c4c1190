"""How well the bundle recognises emotions in corpora that it was not trained on, voice and words apart."""

import argparse
import hashlib
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emojudge.bundle.format import Bundle
from emojudge.bundle.sessions import AcousticSession
from emojudge.corpora import load_corpus
from emojudge.corpora.splits import holdout
from emojudge.emotions import ATTRIBUTES, EMOTIONS, scores_in_order
from emojudge.evaluation.metrics import ccc, confusion, macro_f1, uar
from emojudge.evaluation.reliability import expected_calibration_error
from emojudge.recognizer import Adapt, Recognizer
from emojudge.records import Failure, Prediction, Utterance

Scores = NDArray[np.float32]


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Every accuracy figure of docs/results.md."""
    recognizer = Recognizer(Bundle.open(arguments.bundle))
    recognizer._acoustic = _Remembering(recognizer.bundle)
    corpora = arguments.corpora
    figures: dict[str, Any] = {}
    for name in ("ravdess", "nemo"):
        items = _voices(load_corpus(name, corpora / name))
        for adapt in (None, "collection", "speaker"):
            figures[f"{name}{'_' + adapt if adapt else ''}"] = _voice(recognizer, items, adapt)
    figures["emogator"] = _voice(recognizer, _voices(_unseen_contributors(recognizer, corpora)), None)
    figures["emogator_collection"] = _voice(
        recognizer, _voices(_unseen_contributors(recognizer, corpora)), "collection"
    )
    figures["goemotions"] = _goemotions(
        recognizer, load_corpus("goemotions", corpora / "goemotions/original")
    )
    figures["emobank"] = _emobank(recognizer, load_corpus("emobank", corpora / "emobank"))
    for name, values in figures.items():
        print(name, {k: v for k, v in values.items() if k != "confusion"}, file=sys.stderr)
    return figures


class _Remembering(AcousticSession):
    """Encodes a waveform once, though each collection is judged several times."""

    def __init__(self, bundle: Bundle) -> None:
        super().__init__(bundle)
        self._known: dict[bytes, NDArray[np.float32]] = {}

    def embed(self, waveforms: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        keys = [hashlib.sha256(waveform.tobytes()).digest() for waveform in waveforms]
        new = {k: w for k, w in zip(keys, waveforms, strict=True) if k not in self._known}
        if new:
            self._known |= dict(zip(new, super().embed(list(new.values())), strict=True))
        return np.stack([self._known[key] for key in keys])


def _voices(utterances: Iterable[Utterance]) -> list[Utterance]:
    """Labelled recordings without their words: the voice alone is tested."""
    return [u.model_copy(update={"transcript": None}) for u in utterances if u.emotion]


def _unseen_contributors(recognizer: Recognizer, corpora: Any) -> list[Utterance]:
    """The contributors that the bundle's own recipe put into `test`."""
    recipe = recognizer.bundle.manifest.provenance["audio"]["recipe"]
    source = next(source for source in recipe["data"] if source["corpus"] == "emogator")
    utterances = load_corpus("emogator", corpora / "emogator")
    return holdout(utterances, source["holdout"], source.get("holdout_seed", 0))["test"]


def _voice(recognizer: Recognizer, utterances: list[Utterance], adapt: Adapt | None) -> dict[str, Any]:
    predictions = _predict(recognizer, utterances, adapt)
    truth = np.array([EMOTIONS.index(u.emotion) for u in utterances if u.emotion])
    scores = np.stack([scores_in_order(p.scores) for p in predictions])
    present = np.unique(truth)
    among = present[scores[:, present].argmax(axis=1)]  # the most likely of the corpus's own classes
    return {
        "items": len(truth),
        "classes": len(present),
        "uar": round(uar(truth, among, len(EMOTIONS)), 4),
        "uar_open": round(uar(truth, scores.argmax(axis=1), len(EMOTIONS)), 4),
        "ece": round(expected_calibration_error(truth, scores), 4),
        "accuracy_open": round(float(np.mean(scores.argmax(axis=1) == truth)), 4),
        "confidence": round(float(scores.max(axis=1).mean()), 4),
        "confusion": confusion(truth, scores.argmax(axis=1), len(EMOTIONS)).tolist(),
    }


def _goemotions(recognizer: Recognizer, utterances: list[Utterance]) -> dict[str, Any]:
    """Ekman's six and neutral, several labels per line: the threshold is chosen on dev, used on test."""
    figures: dict[str, Any] = {}
    threshold = 0.0
    for split in ("dev", "test"):
        items = [u for u in utterances if u.split == split and (u.emotion or u.votes)]
        scores = np.stack([scores_in_order(p.scores) for p in _predict(recognizer, items, None)])
        labels = np.array([[_has(u, e) for e in EMOTIONS] for u in items])
        seven = [i for i, e in enumerate(EMOTIONS) if e != "contempt"]
        scores, labels = scores[:, seven], labels[:, seven]
        if split == "dev":
            grid = np.arange(0.1, 0.6, 0.01)
            threshold = float(max(grid, key=lambda t: _multi_label_f1(labels, scores, t)))
            continue
        single = labels.sum(axis=1) == 1
        figures = {
            "items": len(items),
            "threshold": round(threshold, 2),
            "macro_f1": round(_multi_label_f1(labels, scores, threshold), 4),
            "macro_f1_single": round(
                macro_f1(labels[single].argmax(axis=1), scores[single].argmax(axis=1), len(seven)), 4
            ),
        }
    return figures


def _has(utterance: Utterance, emotion: Any) -> bool:
    return utterance.emotion == emotion or bool(utterance.votes and utterance.votes.get(emotion))


def _multi_label_f1(labels: NDArray[np.bool_], scores: Scores, threshold: float) -> float:
    """Mean of the classes' F1, where a line has every class that reaches the threshold, and its best one."""
    chosen = scores >= threshold
    chosen[np.arange(len(scores)), scores.argmax(axis=1)] = True
    hits = (chosen & labels).sum(axis=0)
    return float(np.mean(2 * hits / np.maximum(1, chosen.sum(axis=0) + labels.sum(axis=0))))


def _emobank(recognizer: Recognizer, utterances: list[Utterance]) -> dict[str, Any]:
    items = [u for u in utterances if u.split == "test" and u.attributes]
    predictions = _predict(recognizer, items, None)
    figures: dict[str, Any] = {"items": len(items)}
    for name in ATTRIBUTES:
        truth = [getattr(u.attributes, name) for u in items]
        figures[f"ccc_{name}"] = round(ccc(truth, [getattr(p.attributes, name) for p in predictions]), 4)
    return figures


def _predict(recognizer: Recognizer, utterances: list[Utterance], adapt: Adapt | None) -> list[Prediction]:
    predictions = []
    for result in recognizer.predict(utterances, adapt_to=adapt):
        if isinstance(result, Failure):
            raise SystemExit(f"{result.id}: {result.error}")
        predictions.append(result)
    return predictions
