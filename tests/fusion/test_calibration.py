"""Temperature scaling."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from emojudge.fusion.calibration import TEMPERATURES, fit_temperature, softmax

rows = hnp.arrays(np.float64, st.tuples(st.integers(1, 5), st.integers(2, 8)), elements=st.floats(-500, 500))


def drawn(temperature: float, items: int = 8000) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and labels drawn from their softmax at a temperature, which is then the right one."""
    generator = np.random.default_rng(1)
    logits = generator.normal(0, 4, (items, 8))
    chances = softmax(logits, temperature).astype(np.float64).cumsum(axis=1)
    return logits, (generator.random((items, 1)) > chances).sum(axis=1).clip(max=7)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.7, 4.0])
def test_a_known_temperature_is_recovered(temperature: float):
    assert fit_temperature(*drawn(temperature)) == pytest.approx(temperature, rel=0.06)


def test_scaled_logits_need_a_scaled_temperature():
    logits, labels = drawn(1.3, 3000)
    assert fit_temperature(3 * logits, labels) == pytest.approx(3 * fit_temperature(logits, labels), rel=0.02)


def test_weights_say_which_items_count():
    sure, sure_labels = drawn(0.6, 5000)
    unsure, unsure_labels = drawn(3.0, 500)
    both, labels = np.concatenate([sure, unsure]), np.concatenate([sure_labels, unsure_labels])
    only_sure = np.repeat([1.0, 0.0], [5000, 500])
    assert fit_temperature(both, labels, only_sure) == fit_temperature(sure, sure_labels)
    assert fit_temperature(both, labels, 1 - only_sure) == fit_temperature(unsure, unsure_labels)
    doubled = np.repeat([1.0, 2.0], [5000, 500])
    twice = np.concatenate([both, unsure]), np.concatenate([labels, unsure_labels])
    assert fit_temperature(both, labels, doubled) == fit_temperature(*twice)


def test_the_grid_is_fine_and_wide():
    assert TEMPERATURES[0] == pytest.approx(0.1)
    assert TEMPERATURES[-1] == pytest.approx(10)
    assert (TEMPERATURES[1:] / TEMPERATURES[:-1]).max() < 1.02
    assert fit_temperature(np.eye(3) * 100, np.arange(3)) == pytest.approx(
        0.1
    )  # never wrong: as sure as it gets
    assert fit_temperature(np.eye(3) * 100, np.array([1, 2, 0])) == pytest.approx(10)


@settings(max_examples=60, deadline=None)
@given(rows, st.floats(0.1, 10))
def test_softmax_sums_to_1_and_keeps_the_winner(logits: np.ndarray, temperature: float):
    scores = softmax(logits, temperature)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)
    won = scores[np.arange(len(scores)), logits.argmax(axis=1)]
    np.testing.assert_array_equal(won, scores.max(axis=1))


@settings(deadline=None)
@given(rows, st.floats(-100, 100))
def test_softmax_does_not_see_an_offset(logits: np.ndarray, offset: float):
    np.testing.assert_allclose(softmax(logits + offset), softmax(logits), atol=1e-5)


def test_softmax_of_one_item():
    np.testing.assert_allclose(softmax(np.log([1.0, 2.0, 5.0])), [0.125, 0.25, 0.625], atol=1e-6)
