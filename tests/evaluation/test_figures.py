"""Figures of sums are the metrics of the items, and so are those of a resample's sums."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emojudge.evaluation import figures, metrics, reliability

CLASSES = 5
seeds = st.integers(0, 2**16)
OF_CLASSES: list[tuple[figures.Figure, Callable[..., float]]] = [
    (figures.ACCURACY, metrics.accuracy),
    (figures.macro_f1(CLASSES), lambda t, p: metrics.macro_f1(t, p, CLASSES)),
    (figures.uar(CLASSES), lambda t, p: metrics.uar(t, p, CLASSES)),
    (figures.f1(CLASSES, 2), lambda t, p: metrics.f1_scores(t, p, CLASSES)[2]),
    (figures.recall(CLASSES, 1), lambda t, p: metrics.recall_of(metrics.confusion(t, p, CLASSES))[1]),
    (figures.precision(CLASSES, 1), lambda t, p: metrics.precision_of(metrics.confusion(t, p, CLASSES))[1]),
    (figures.macro_f1(CLASSES, [0, 3]), lambda t, p: metrics.f1_scores(t, p, CLASSES)[[0, 3]].mean()),
]
OF_NUMBERS: list[tuple[figures.Figure, Callable[..., float]]] = [
    (figures.ccc(), metrics.ccc),
    (figures.pearson(), metrics.pearson),
    (figures.MAE, metrics.mae),
]


@settings(max_examples=40, deadline=None)
@given(seeds, st.integers(1, 60))
def test_of_classes(seed: int, items: int):
    random = np.random.default_rng(seed)
    t, p = random.integers(CLASSES, size=(2, items))
    drawn = random.integers(items, size=items)
    for figure, metric in OF_CLASSES:
        assert figure(t, p) == pytest.approx(metric(t, p), abs=1e-12), figure.name
        resample = figure.value(figure.terms(t, p)[drawn].sum(axis=0))
        assert resample == pytest.approx(metric(t[drawn], p[drawn]), abs=1e-12), figure.name


@settings(max_examples=40, deadline=None)
@given(seeds, st.integers(2, 60))
def test_of_numbers(seed: int, items: int):
    random = np.random.default_rng(seed)
    t, p = random.normal(4, 1, size=(2, items)).round(2)
    drawn = random.integers(items, size=items)
    for figure, metric in OF_NUMBERS:
        assert figure(t, p) == pytest.approx(metric(t, p), abs=1e-9), figure.name
        resample = figure.value(figure.terms(t, p)[drawn].sum(axis=0))
        assert resample == pytest.approx(metric(t[drawn], p[drawn]), abs=1e-9), figure.name


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_of_scores(seed: int):
    random = np.random.default_rng(seed)
    scores, truth = random.dirichlet(np.ones(4), size=50), random.integers(4, size=50)
    assert figures.calibration_error(7)(truth, scores) == pytest.approx(
        reliability.expected_calibration_error(truth, scores, 7)
    )
    assert figures.BRIER(truth, scores) == pytest.approx(reliability.brier_score(truth, scores))


@pytest.mark.parametrize("constant", [0.0, 0.1, 4.0, -1e6, 1e9])
def test_constants_are_defined_as_in_the_metrics(constant: float):
    flat, varied = np.full(9, constant), np.linspace(1, 7, 9)
    for t, p in ((flat, flat), (flat, varied), (varied, flat), (flat, flat + 1)):
        assert figures.ccc()(t, p) == pytest.approx(metrics.ccc(t, p), abs=1e-9)
        assert figures.pearson()(t, p) == 0


def test_columns_have_their_own_figure_and_their_mean():
    random = np.random.default_rng(0)
    t, p = random.normal(size=(2, 40, 3))
    each = [figures.ccc(column)(t, p) for column in range(3)]
    assert figures.mean_ccc(3)(t, p) == pytest.approx(np.mean(each))
    assert each == pytest.approx([metrics.ccc(t[:, c], p[:, c]) for c in range(3)])


def test_what_does_not_go_together_is_refused():
    for figure in (figures.ACCURACY, figures.macro_f1(3), figures.ccc(), figures.MAE):
        with pytest.raises(ValueError, match="shape"):
            figure([0, 1, 2], [1])
    with pytest.raises(ValueError, match="class indices"):
        figures.uar(2)([0, 2], [0, 0])
