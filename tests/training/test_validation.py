"""The figures of a validation split, against scikit-learn's."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch", reason="needs the extra 'train'")

from sklearn.metrics import balanced_accuracy_score, f1_score

from emojudge.evaluation.metrics import ccc
from emojudge.training.validation import validation_metrics


@settings(max_examples=40, deadline=None)
@given(
    labels=st.lists(st.integers(0, 7), min_size=2, max_size=40),
    seed=st.integers(0, 99),
    unknown=st.integers(0, 3),
)
def test_validation_metrics_are_scikit_learns(labels: list[int], seed: int, unknown: int):
    generator = np.random.default_rng(seed)
    emotions = np.eye(8, dtype=np.float32)[[*labels, *[0] * unknown]]
    emotions[len(labels) :] = 0
    attributes = generator.uniform(-1, 1, (len(emotions), 3)).astype(np.float32)
    attributes[::2] = np.nan
    data = SimpleNamespace(emotions=emotions, attributes=attributes)
    outputs = generator.normal(size=(len(emotions), 11)).astype(np.float32)
    figures = validation_metrics(outputs, data, ("emotion", "attributes"))
    predicted = outputs[: len(labels), :8].argmax(axis=1)
    present = np.unique(labels)
    expected = f1_score(labels, predicted, labels=present, average="macro", zero_division=0)
    assert figures["macro_f1"] == pytest.approx(expected)
    recall = [np.mean(predicted[np.array(labels) == c] == c) for c in present]
    assert figures["uar"] == pytest.approx(np.mean(recall))
    if set(predicted) <= set(labels):
        assert figures["uar"] == pytest.approx(balanced_accuracy_score(labels, predicted))
    rated = attributes[1::2]
    for column, name in enumerate(("valence", "arousal", "dominance")):
        assert figures[f"ccc_{name}"] == pytest.approx(ccc(rated[:, column], outputs[1::2, 8 + column]))


def test_the_emotion_of_votes_is_the_one_with_the_most():
    emotions = np.zeros((4, 8), dtype=np.float32)
    emotions[0, :3] = [0.2, 0.5, 0.3]
    emotions[1, :2] = 0.5  # two with as many: none
    emotions[2, 3] = 1.0
    data = SimpleNamespace(emotions=emotions, attributes=np.full((4, 3), np.nan, dtype=np.float32))
    outputs = np.eye(8, dtype=np.float32)[[1, 7, 3, 7]]
    figures = validation_metrics(outputs, data, ("emotion",))
    assert figures == {"macro_f1": pytest.approx(1.0), "uar": pytest.approx(1.0)}
