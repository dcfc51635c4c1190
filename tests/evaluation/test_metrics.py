"""Metrics against scikit-learn and by their properties."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from emojudge.evaluation.metrics import (
    accuracy,
    ccc,
    confusion,
    f1_scores,
    macro_f1,
    mae,
    pearson,
    precision_of,
    recall_of,
    uar,
)

CLASSES = 8
pairs = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), min_size=1, max_size=60)
values = st.floats(-7, 7, allow_subnormal=False)
columns = st.integers(2, 30).flatmap(
    lambda n: st.tuples(
        hnp.arrays(np.float64, n, elements=values), hnp.arrays(np.float64, n, elements=values)
    )
)


@settings(max_examples=60, deadline=None)
@given(pairs)
def test_as_scikit_learn(items: list[tuple[int, int]]):
    sklearn = pytest.importorskip("sklearn.metrics", reason="needs the extra 'train'")
    truth, predicted = zip(*items, strict=True)
    labels = range(CLASSES)
    counts = confusion(truth, predicted, CLASSES)
    np.testing.assert_array_equal(counts, sklearn.confusion_matrix(truth, predicted, labels=labels))
    precision, recall, f1, _ = sklearn.precision_recall_fscore_support(
        truth, predicted, labels=labels, zero_division=0
    )
    np.testing.assert_allclose(precision_of(counts), precision, atol=1e-12)
    np.testing.assert_allclose(recall_of(counts), recall, atol=1e-12)
    np.testing.assert_allclose(f1_scores(truth, predicted, CLASSES), f1, atol=1e-12)
    expected = sklearn.f1_score(truth, predicted, labels=labels, average="macro", zero_division=0)
    assert macro_f1(truth, predicted, CLASSES) == pytest.approx(expected)
    assert accuracy(truth, predicted) == pytest.approx(sklearn.accuracy_score(truth, predicted))
    recalls = sklearn.recall_score(
        truth, predicted, labels=sorted(set(truth)), average="macro", zero_division=0
    )
    assert uar(truth, predicted, CLASSES) == pytest.approx(recalls)


@settings(max_examples=40, deadline=None)
@given(pairs)
def test_as_audmetric(items: list[tuple[int, int]]):
    audmetric = pytest.importorskip("audmetric", reason="needs the extra 'dev'")
    truth, predicted = map(list, zip(*items, strict=True))
    labels = list(range(CLASSES))
    per_class = audmetric.fscore_per_class(truth, predicted, labels=labels, zero_division=0)
    np.testing.assert_allclose(f1_scores(truth, predicted, CLASSES), list(per_class.values()), atol=1e-12)
    expected = audmetric.unweighted_average_fscore(truth, predicted, labels=labels, zero_division=0)
    assert macro_f1(truth, predicted, CLASSES) == pytest.approx(expected)
    assert accuracy(truth, predicted) == pytest.approx(audmetric.accuracy(truth, predicted))
    # audmetric counts a class without a true item as recall 0: the same where no such class is named.
    there = sorted(set(truth))
    if set(predicted) <= set(there):
        assert uar(truth, predicted, CLASSES) == pytest.approx(
            audmetric.unweighted_average_recall(truth, predicted, labels=there)
        )


@settings(max_examples=25, deadline=None)
@given(pairs)
def test_as_torchmetrics(items: list[tuple[int, int]]):
    torch = pytest.importorskip("torch", reason="needs the extra 'train'")
    metrics = pytest.importorskip("torchmetrics.functional.classification", reason="needs the extra 'dev'")
    truth, predicted = (torch.tensor(column) for column in zip(*items, strict=True))
    counts = metrics.multiclass_confusion_matrix(predicted, truth, CLASSES)
    np.testing.assert_array_equal(confusion(truth, predicted, CLASSES), counts)
    per_class = metrics.multiclass_f1_score(predicted, truth, CLASSES, average="none")
    np.testing.assert_allclose(f1_scores(truth, predicted, CLASSES), per_class, atol=1e-6)


@settings(deadline=None)
@given(pairs, st.randoms(use_true_random=False))
def test_order_and_names_of_classes_do_not_matter(items: list[tuple[int, int]], random):
    truth, predicted = zip(*items, strict=True)
    shuffled = random.sample(items, len(items))
    names = random.sample(range(CLASSES), CLASSES)
    renamed = zip(*[(names[t], names[p]) for t, p in shuffled], strict=True)
    again_truth, again_predicted = renamed
    for metric in (macro_f1, uar):
        assert metric(again_truth, again_predicted, CLASSES) == pytest.approx(
            metric(truth, predicted, CLASSES)
        )
        assert 0 <= metric(truth, predicted, CLASSES) <= 1
    assert uar(truth, truth, CLASSES) == 1
    assert macro_f1(truth, truth, CLASSES) == pytest.approx(len(set(truth)) / CLASSES)


def test_a_class_that_is_missing_is_not_forgiven():
    assert macro_f1([0, 1], [0, 1], 2) == 1
    assert macro_f1([0, 1], [0, 1], 8) == 0.25
    assert uar([0, 1], [0, 1], 8) == 1


def by_definition(t: np.ndarray, p: np.ndarray) -> float:
    """2 ρ σ_t σ_p over σ_t² + σ_p² + (μ_t - μ_p)², moments of the population."""
    rho = np.corrcoef(t, p)[0, 1]
    return 2 * rho * t.std() * p.std() / (t.var() + p.var() + (t.mean() - p.mean()) ** 2)


@settings(deadline=None)
@given(columns)
def test_ccc_is_its_definition(pair: tuple[np.ndarray, np.ndarray]):
    t, p = pair
    value = ccc(t, p)
    assert -1 - 1e-9 <= value <= 1 + 1e-9
    assert ccc(p, t) == pytest.approx(value)
    if t.std() > 1e-3 and p.std() > 1e-3:
        assert value == pytest.approx(by_definition(t, p), abs=1e-6)


@settings(deadline=None)
@given(columns, st.floats(-3, 3), st.floats(0.1, 3))
def test_ccc_keeps_its_value_when_both_are_moved(
    pair: tuple[np.ndarray, np.ndarray], offset: float, scale: float
):
    t, p = pair
    if t.std() > 1e-3 or p.std() > 1e-3:
        assert ccc(offset + scale * t, offset + scale * p) == pytest.approx(ccc(t, p), abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(columns)
def test_numbers_as_audmetric_and_scipy(pair: tuple[np.ndarray, np.ndarray]):
    audmetric = pytest.importorskip("audmetric", reason="needs the extra 'dev'")
    t, p = pair
    assert mae(t, p) == pytest.approx(audmetric.mean_absolute_error(t, p))
    if t.std() > 1e-3 and p.std() > 1e-3:  # below, rounding decides
        assert ccc(t, p) == pytest.approx(audmetric.concordance_cc(t, p), abs=1e-9)
        assert pearson(t, p) == pytest.approx(stats.pearsonr(t, p).statistic, abs=1e-9)


def test_where_libraries_are_not_right():
    """Why CCC is not taken from them: as soon as one is, this fails and the docstring is out of date."""
    audmetric = pytest.importorskip("audmetric", reason="needs the extra 'dev'")
    torch = pytest.importorskip("torch", reason="needs the extra 'train'")
    functional = pytest.importorskip("torchmetrics.functional", reason="needs the extra 'dev'")
    flat = [4.0] * 9
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert np.isnan(audmetric.concordance_cc(flat, flat))
        assert np.isnan(functional.concordance_corrcoef(torch.tensor(flat), torch.tensor(flat)))
    assert ccc(flat, flat) == 1
    t, p = [1.0, 2.0, 4.0, 7.0], [1.0, 3.0, 3.0, 6.0]
    theirs = float(functional.concordance_corrcoef(torch.tensor(p).double(), torch.tensor(t).double()))
    assert theirs - ccc(t, p) > 1e-3
    assert ccc(t, p) == pytest.approx(audmetric.concordance_cc(t, p))
    kept = functional.classification.multiclass_f1_score(
        torch.tensor([0, 1, 1]), torch.tensor([0, 0, 1]), 3, average="macro"
    )
    assert float(kept) == pytest.approx(2 / 3)  # the third class is forgiven
    assert macro_f1([0, 0, 1], [0, 1, 1], 3) == pytest.approx(4 / 9)


def test_pearson_forgives_scale_and_is_defined_for_constants():
    t = np.array([1.0, 2.0, 4.0, 7.0])
    assert pearson(t, 100 - 3 * t) == pytest.approx(-1)
    assert pearson(t, np.full(4, 0.1)) == pearson(np.full(4, 0.1), t) == 0
    assert mae(t, t + 0.5) == pytest.approx(0.5)


def test_ccc_punishes_what_correlation_forgives():
    t = np.array([1.0, 2.0, 4.0, 7.0])
    assert ccc(t, t) == 1
    assert ccc(t, -t + 2 * t.mean()) == pytest.approx(-1)
    assert 0 < ccc(t, t + 3) < 1
    assert 0 < ccc(t, 0.3 * t) < 1


@pytest.mark.parametrize("constant", [0.0, 0.1, 4.0, -1e6])
def test_ccc_of_constants(constant: float):
    varied = np.linspace(1, 7, 9)
    flat = np.full(9, constant)
    assert ccc(varied, flat) == pytest.approx(0, abs=1e-9)
    assert ccc(flat, varied) == pytest.approx(0, abs=1e-9)
    assert ccc(flat, flat) == 1
    assert ccc(flat, flat + 1) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: macro_f1([0, 1, 1], [1], 2),  # numpy would repeat the one
        lambda: uar([0], [0, 1], 2),
        lambda: ccc([1.0, 2.0, 3.0], [1.0]),
        lambda: ccc([[1.0, 2.0]], [[1.0, 2.0]]),
        lambda: ccc([], []),
        lambda: confusion([], [], 2),
        lambda: confusion([0, -1], [0, 0], 2),  # -1 would count as the last class
        lambda: confusion([0, 2], [0, 0], 2),
        lambda: mae([1.0, 2.0], [1.0]),
        lambda: pearson([], []),
    ],
)
def test_what_does_not_go_together_is_refused(wrong):
    with pytest.raises(ValueError, match=r"shape|class indices"):
        wrong()
