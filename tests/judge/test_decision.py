"""Gate and decision: who is asked, and what an answer changes."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from emojudge.emotions import EMOTIONS
from emojudge.errors import JudgeError
from emojudge.judge.answer import Reading
from emojudge.judge.decision import Calibration, Decision, decide, spread
from emojudge.judge.gate import Gate, risks
from emojudge.records import Evidence

Make = Callable[..., Evidence]
SCORES = np.array([[0.5, 0.4, 0.1, 0, 0, 0, 0, 0], [0.9, 0.1, 0, 0, 0, 0, 0, 0], [0.125] * 8])
CONFLICTS = np.array([False, True, False])

positive = arrays(np.float64, 8, elements=st.floats(1e-6, 1)).map(lambda a: a / a.sum())
confidences = st.floats(0, 1)
emotions = st.sampled_from(EMOTIONS)


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("all", [True, True, True]),
        ("conflict", [False, True, False]),
        ("uncertain", [True, False, True]),
        ("margin:0.05", [False, False, True]),
        ("entropy:0.4", [True, False, True]),
        ("entropy:0.9", [False, False, True]),
        ("budget:34%", [False, False, True]),
        ("budget:1", [True, True, True]),
        ("budget:0", [False, False, False]),
    ],
)
def test_gates(text: str, sent: list[bool]) -> None:
    assert Gate.parse(text).sends(SCORES, CONFLICTS).tolist() == sent


def test_a_tuned_budget_decides_one_at_a_time() -> None:
    random = np.random.default_rng(0)
    scores = random.dirichlet(np.ones(8), 1000)
    conflicts = random.random(1000) < 0.3
    gate = Gate.parse("budget:25%").tuned(scores, conflicts)
    assert not gate.needs_all
    alone = [bool(gate.sends(scores[i : i + 1], conflicts[i : i + 1])[0]) for i in range(1000)]
    assert sum(alone) == 250
    assert risks(scores, conflicts)[alone].min() >= risks(scores, conflicts)[~np.array(alone)].max()


@pytest.mark.parametrize(
    "text", ["some", "all:0.2", "budget:-1", "budget:200%", "entropy:x", "", "margin:nan"]
)
def test_gates_that_are_none(text: str) -> None:
    with pytest.raises(JudgeError, match="expected all, conflict, uncertain"):
        Gate.parse(text)


@settings(deadline=None)
@given(positive, emotions, emotions, confidences, st.floats(0, 1), st.sampled_from(["override", "mix"]))
def test_verdicts_are_consistent(
    scores: np.ndarray, before: str, answered: str, confidence: float, parameter: float, kind: str
) -> None:
    evidence = Evidence(id="u", emotion=before, scores=dict(zip(EMOTIONS, scores.tolist(), strict=True)))
    decision = Decision(kind=kind, threshold=parameter, weight=parameter)
    verdict = decide(evidence, Reading(emotion=answered, stated=confidence), decision)
    assert verdict.changed == (verdict.emotion != before) == (verdict.status == "changed")
    assert sum(verdict.scores.values()) == pytest.approx(1, abs=1e-6)
    if verdict.status == "changed":
        assert verdict.scores[verdict.emotion] == max(verdict.scores.values())
    if kind == "override":
        assert verdict.changed == (answered != before and confidence >= parameter)
        assert verdict.status in (("confirmed",) if answered == before else ("changed", "abstained"))


@settings(deadline=None)
@given(positive, emotions, confidences)
def test_na_and_faults_keep_everything(scores: np.ndarray, before: str, confidence: float) -> None:
    evidence = Evidence(id="u", emotion=before, scores=dict(zip(EMOTIONS, scores.tolist(), strict=True)))
    for decision in (Decision(threshold=0), Decision(kind="mix", weight=1)):
        for reading in (Reading(stated=confidence), Reading(fault="empty answer")):
            verdict = decide(evidence, reading, decision)
            assert (verdict.emotion, verdict.scores, verdict.changed) == (before, evidence.scores, False)


def test_a_mix_of_all_or_nothing() -> None:
    scores, before, proposed = SCORES[:1], np.array([0]), np.array([1])
    told = spread(proposed, np.array([0.6]))
    assert Decision(kind="mix", weight=0).apply(scores, before, proposed, told[:, 1], told)[0].tolist() == [0]
    labels, after = Decision(kind="mix", weight=1).apply(scores, before, proposed, told[:, 1], told)
    assert labels.tolist() == [1]
    assert after[0] == pytest.approx(told[0])


def test_calibrations() -> None:
    platt = Calibration(kind="platt", slope=0.5, intercept=-1.0)
    assert platt(np.array([0.5])) == pytest.approx(1 / (1 + np.e))
    decision = Decision(threshold=0.5, calibration=platt)
    assert decision.confidence_of(Reading(stated=0.99)) == pytest.approx(0.785, abs=0.01)
    assert decision.confidence_of(Reading(agreement=0.99)) is None


def test_what_a_model_says_on_average_is_divided_out() -> None:
    prior = dict.fromkeys(EMOTIONS, 0.05) | {"happy": 0.65}
    reading = Reading(
        emotion="happy",
        likelihood=0.5,
        distribution=dict.fromkeys(EMOTIONS, 0.05) | {"happy": 0.5, "sad": 0.2},
    )
    evidence = Evidence(id="u", emotion="fear", scores=dict.fromkeys(EMOTIONS, 0.125))
    assert decide(evidence, reading, Decision(confidence="likelihood", threshold=0.1)).emotion == "happy"
    assert (
        decide(evidence, reading, Decision(confidence="likelihood", threshold=0.1, prior=prior)).emotion
        == "sad"
    )


def test_scores_that_disagree_with_the_label_are_no_reason_to_change_it() -> None:
    evidence = Evidence(
        id="u", emotion="fear", scores=dict.fromkeys(EMOTIONS, 0.0) | {"sad": 0.7, "fear": 0.3}
    )
    verdict = decide(evidence, Reading(emotion="fear", stated=1.0), Decision(kind="mix"))
    assert (verdict.emotion, verdict.status) == ("fear", "confirmed")
