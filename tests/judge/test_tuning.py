"""Tuning: it finds a judge that helps, refuses one that does not, and never reports on what it tuned on."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

import emojudge
from emojudge.emotions import EMOTIONS, Emotion
from emojudge.errors import JudgeError
from emojudge.judge.answer import Reading
from emojudge.judge.decision import decide
from emojudge.judge.exchange import Request
from emojudge.judge.fitting import divide, fit_calibration
from emojudge.judge.gate import Gate
from emojudge.judge.outcomes import Emotions, Ratings
from emojudge.judge.settings import Settings
from emojudge.judge.tune import Candidate, tune
from emojudge.judge.tuning import Labelled, tune_judges
from emojudge.records import Attributes, Evidence

Make = Callable[..., Evidence]


def coin(text: str) -> float:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") / 2**32


def dataset(evidence: Make, items: int = 240, speakers: int = 12) -> list[Labelled]:
    """The recogniser is right on 60 %; its scores are lower where it is wrong."""
    made = []
    for i in range(items):
        truth: Emotion = EMOTIONS[i % 8]
        right = coin(f"recogniser {i}") < 0.6
        said = truth if right else EMOTIONS[(i + 3) % 8]
        other = EMOTIONS[(i + 3) % 8] if right else truth
        score = 0.3 + 0.5 * coin(f"score {i}") + (0.1 if right else 0.0)
        item = evidence(
            f"number {i} {truth}", said, score, id=str(i), conflict=not right or i % 5 == 0,
            audio_scores={said: 1.0}, text_scores={other: 1.0},
        )  # fmt: skip
        made.append(Labelled(item, truth, group=f"s{i % speakers}"))
    return made


def knowing(share: float, sure: int = 90, unsure: int = 60) -> Callable[[Request], str]:
    """Right on a share of the utterances, and surer then than when it is wrong, though with noise."""

    def rule(request: Request) -> str:
        lines = request.messages[1].content.splitlines()
        case = json.loads(next(after for line, after in pairwise(lines) if line.startswith("<data")))
        _, number, truth = case["transcript"].split()
        right = coin(f"model {number}") < share
        emotion = truth if right else EMOTIONS[(EMOTIONS.index(truth) + 1 + int(7 * coin(number))) % 8]
        confidence = (sure if right else unsure) - int(15 * coin(f"confidence {number}"))
        return json.dumps({"emotion": emotion, "confidence": confidence, "reason": ""})

    return rule


def test_a_judge_that_knows_more_is_switched_on(model: Any, evidence: Make) -> None:
    items = dataset(evidence)
    judge = emojudge.Judge(model(knowing(0.8)))
    report = tune_judges(items, [judge], resamples=300)
    assert report.settings.judge == "on"
    figures = report.settings.figures
    assert figures["difference"]["low"] > 0.05
    assert figures["changes"]["wrong_to_right"] > 5 * figures["changes"]["right_to_wrong"]
    assert figures["changes"]["mcnemar_p"] < 1e-6
    assert figures["conflict"]["macro_f1_after"] > figures["conflict"]["macro_f1_before"]
    assert sum(figures["conflict"]["sides"].values()) == figures["conflict"]["items"]
    assert report.lines[-1] == "refinement helps beyond noise: judge on"
    again = emojudge.Judge(model(knowing(0.8)), settings=report.settings)
    verdicts = list(again.refine(item.evidence for item in items))
    right = np.mean([v.emotion == item.emotion for v, item in zip(verdicts, items, strict=True)])
    assert right > 0.75


def test_a_judge_that_guesses_is_switched_off(model: Any, evidence: Make) -> None:
    report = tune_judges(dataset(evidence), [emojudge.Judge(model(knowing(0.125, 90, 90)))], resamples=300)
    assert report.settings.judge == "off"
    assert "does not help beyond noise" in report.lines[-1] or "does harm" in report.lines[-1]
    assert "refinement changed the metric by" in report.settings.why_off
    assert Settings.model_validate_json(report.settings.model_dump_json()) == report.settings


def test_what_cannot_be_tuned_is_not_asked(model: Any, evidence: Make) -> None:
    asked = model(knowing(0.8))
    items = [replace(item, group=f"speaker {n % 4}") for n, item in enumerate(dataset(evidence, 80))]
    with pytest.raises(JudgeError, match="4 groups; expected at least 5"):
        tune_judges(items, [emojudge.Judge(asked)])
    with pytest.raises(JudgeError, match="found 19 labelled utterances; expected at least 20"):
        tune_judges(items[:19], [emojudge.Judge(asked)])
    assert asked.asked == []


def test_wordings_are_compared(model: Any, evidence: Make) -> None:
    asked = model(knowing(0.8))
    judges = [emojudge.Judge(asked, prompt=name) for name in ("default", "second", "third")]
    report = tune_judges(dataset(evidence, 80), judges, folds=3, resamples=100)
    assert len(asked.asked) == 240
    (spread,) = (line for line in report.lines if line.startswith("spread over 3 wordings"))
    assert "standard deviation" in spread
    assert {c["prompt"] for c in report.settings.figures["candidates"]} == {"default", "second", "third"}


def test_the_better_of_two_models_is_chosen(model: Any, evidence: Make) -> None:
    poor, good = model(knowing(0.2)), model(knowing(0.9))
    good.name = "good/model"
    judges = [emojudge.Judge(poor), emojudge.Judge(good)]
    assert tune_judges(dataset(evidence), judges, resamples=100).settings.provider == "good/model"


def test_what_is_reported_was_not_tuned_on(evidence: Make) -> None:
    """Answers without any relation to the labels: chosen and measured on the same items they seem to help."""
    items = dataset(evidence, 160)
    random = np.random.default_rng(5)
    gains = []
    for _ in range(6):
        readings = [
            Reading(emotion=EMOTIONS[random.integers(8)], stated=float(random.random())) for _ in items
        ]
        outcomes = Emotions(
            [i.evidence for i in items], [i.emotion for i in items if i.emotion], readings, "stated"
        )
        gains.append(
            tune(outcomes.evidences, [Candidate("m", "p", outcomes)], folds=4, resamples=50).difference.gain
        )
    assert np.mean(gains) < 0.005


def test_no_speaker_is_on_both_sides(evidence: Make) -> None:
    groups = np.arange(120) % 10
    truth = np.arange(120) % 8
    splits = divide(truth, groups, 5, 0)
    assert sorted(np.concatenate([test for _, test in splits])) == list(range(120))
    assert all(not set(groups[train]) & set(groups[test]) for train, test in splits)
    with pytest.raises(JudgeError, match="found 2 groups"):
        divide(truth, np.arange(120) % 2, 5, 0)


def test_tuned_arrays_are_what_single_verdicts_are(model: Any, evidence: Make) -> None:
    items = dataset(evidence, 60)
    for source in ("stated", "likelihood"):
        readings = list(emojudge.Judge(model(knowing(0.7))).readings(i.evidence for i in items))
        if source == "likelihood":
            random = np.random.default_rng(1)
            shares = random.dirichlet(np.ones(8), len(items))
            readings = [
                replace(r, emotion=EMOTIONS[int(p.argmax())], likelihood=float(p.max()),
                        distribution=dict(zip(EMOTIONS, map(float, p), strict=True)))
                for r, p in zip(readings, shares, strict=True)
            ]  # fmt: skip
        readings[3] = type(readings[3])(fault="malformed")
        readings[4] = type(readings[4])()
        evidences = [i.evidence for i in items]
        outcomes = Emotions(evidences, [i.emotion for i in items if i.emotion], readings, source)
        rows = np.arange(len(items))
        for decision in outcomes.decisions():
            fitted = outcomes.fitted(decision, rows)
            together = [EMOTIONS[i] for i in outcomes.after(fitted, rows)]
            alone = [decide(e, r, fitted).emotion for e, r in zip(evidences, readings, strict=True)]
            assert together == alone, fitted


def test_calibrations_are_scikit_learns(evidence: Make) -> None:
    random = np.random.default_rng(0)
    confidence = random.random(500)
    right = random.random(500) < confidence**2
    isotonic = fit_calibration("isotonic", confidence, right)
    grid = np.linspace(0, 1, 50)
    theirs = IsotonicRegression(out_of_bounds="clip").fit(confidence, right).predict(grid)
    assert isotonic(grid) == pytest.approx(theirs)
    platt = fit_calibration("platt", confidence, right)
    assert np.mean(np.abs(platt(confidence) - confidence**2)) < 0.1
    backwards = fit_calibration("platt", 1 - confidence, right)
    assert np.ptp(backwards(grid)) == 0  # more confidence is no reason to believe less
    few = fit_calibration("isotonic", confidence[:5], np.array([True, True, True, False, True]))
    assert few(grid) == pytest.approx(5 / 7)


def test_attributes_are_tuned_by_ccc(model: Any, evidence: Make) -> None:
    """The recogniser shrinks valence to the middle; the model knows its step."""
    items = []
    for i in range(120):
        true = 1 + 6 * coin(f"v{i}")
        labels = Attributes(valence=true, arousal=4.0 + coin(f"a{i}"), dominance=4.0 + coin(f"d{i}"))
        seen = labels.model_copy(update={"valence": 4 + 0.2 * (true - 4)})
        items.append(
            Labelled(
                evidence(f"number {i} {true}", id=str(i), attributes=seen),
                attributes=labels,
                group=f"s{i % 9}",
            )
        )

    def rule(request: Request) -> str:
        content = request.messages[1].content
        true = float(content.split("number ")[1].split('"')[0].split()[1])
        step = ("very low", "low", "moderate", "high", "very high")[min(4, int((true - 1) / 1.2))]
        return json.dumps(
            {"valence": step, "arousal": "NA", "dominance": "NA", "confidence": 80, "reason": ""}
        )

    judge = emojudge.Judge(model(rule), prompt="attributes")
    report = tune_judges(items, [judge], folds=4, resamples=200, gates=[Gate()])
    assert report.settings.judge == "on"
    valence = report.settings.figures["attributes"]["valence"]
    assert valence["after"] > valence["before"] + 0.2
    assert report.settings.figures["attributes"]["arousal"]["after"] == pytest.approx(
        report.settings.figures["attributes"]["arousal"]["before"]
    )
    assert any(line.startswith("CCC of valence") for line in report.lines)
    outcomes = Ratings(
        [i.evidence for i in items], [i.attributes for i in items if i.attributes], [], "stated"
    )
    assert outcomes.figure(outcomes.truth, outcomes.truth) == pytest.approx(1)


def test_too_few_items_are_refused(model: Any, evidence: Make) -> None:
    judge = emojudge.Judge(model(knowing(0.8)))
    with pytest.raises(JudgeError, match="found 8 labelled utterances"):
        tune_judges(dataset(evidence, 8), [judge])
    with pytest.raises(JudgeError, match="expected one task"):
        tune_judges(dataset(evidence), [judge, emojudge.Judge(model(knowing(0.8)), prompt="attributes")])
