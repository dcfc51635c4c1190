"""The judge at its face: predictions in, verdicts out."""

import json
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import emojudge
from emojudge.emotions import EMOTIONS
from emojudge.errors import JudgeError
from emojudge.judge.evidence import Unheard
from emojudge.judge.exchange import Answer, Request
from emojudge.judge.ledger import Ledger
from emojudge.judge.settings import Settings
from emojudge.records import Evidence, Measure

Make = Callable[..., Evidence]


def says(emotion: str, confidence: int = 90) -> Callable[[Request], str]:
    return lambda request: json.dumps({"emotion": emotion, "confidence": confidence, "reason": "because"})


def test_a_confident_answer_changes_the_label(model: Any, evidence: Make) -> None:
    verdict = emojudge.Judge(model(says("contempt")), threshold=0.8)(evidence())
    assert (verdict.status, verdict.emotion, verdict.before) == ("changed", "contempt", "happy")
    assert (verdict.changed, verdict.proposed, verdict.confidence, verdict.reason) == (
        True,
        "contempt",
        0.9,
        "because",
    )
    assert (verdict.provider, verdict.model) == ("test/model", "model-1-0613")
    assert sum(verdict.scores.values()) == pytest.approx(1)
    assert verdict.scores["contempt"] == pytest.approx(0.9) == max(verdict.scores.values())


def test_an_unsure_answer_changes_nothing_and_is_told(model: Any, evidence: Make) -> None:
    verdict = emojudge.Judge(model(says("contempt", 60)), threshold=0.8)(evidence())
    assert (verdict.status, verdict.emotion, verdict.proposed) == ("abstained", "happy", "contempt")
    assert verdict.reason == "proposed contempt, confidence 60% under 80%: because"
    assert verdict.scores == evidence().scores


@pytest.mark.parametrize(
    ("said", "status", "reason"),
    [
        ('{"emotion": "happy", "confidence": 99}', "confirmed", ""),
        ('{"emotion": "NA", "confidence": 10, "reason": "unclear"}', "abstained", "NA: unclear"),
        ("I cannot say.", "failed", "refused"),
        ("hm", "failed", "not one of the labels: 'hm'"),
        ("", "failed", "empty answer"),
        ('{"emotion": "sad"}', "abstained", "proposed sad, the answer has no confidence, 80% were needed"),
    ],
)
def test_other_answers_keep_the_label(
    model: Any, evidence: Make, said: str, status: str, reason: str
) -> None:
    verdict = emojudge.Judge(model(lambda request: said))(evidence())
    assert (verdict.status, verdict.reason, verdict.emotion, verdict.changed) == (
        status,
        reason,
        "happy",
        False,
    )


def test_the_papers_prompt_needs_no_number(model: Any, evidence: Make) -> None:
    judge = emojudge.Judge(model(lambda request: "contempt"), prompt="paper", threshold=0.7)
    verdict = judge(evidence())
    assert (verdict.status, verdict.emotion, verdict.confidence) == ("changed", "contempt", None)
    (request,) = judge.provider.asked
    assert "Respond with NA if your confidence is under 70%" in request.messages[0].content
    assert request.sampling.temperature == 0.3


def test_what_the_gate_keeps_back_is_never_sent(model: Any, evidence: Make) -> None:
    asked = model(says("sad"))
    judge = emojudge.Judge(asked, gate="conflict")
    items = [evidence(id="a", conflict=True), evidence(id="b", conflict=False), evidence(id="c")]
    verdicts = list(judge.refine(items))
    assert [v.status for v in verdicts] == ["changed", "passed", "passed"]
    assert [v.scores for v in verdicts[1:]] == [item.scores for item in items[1:]]
    assert verdicts[1].reason == "not sent: voice and words agree"
    assert "only one of voice and words" in verdicts[2].reason
    assert len(asked.asked) == 1


def test_a_budget_takes_the_likeliest_mistakes(model: Any, evidence: Make) -> None:
    judge = emojudge.Judge(model(says("sad")), gate="budget:20%")
    items = [evidence(str(i), score=0.3 + 0.06 * i) for i in range(10)]
    assert [v.status for v in judge.refine(items)] == ["changed"] * 2 + ["passed"] * 8
    with pytest.raises(JudgeError, match="many, of which a share is sent"):
        judge(items[0])


def test_order_is_kept_with_many_at_once(model: Any, evidence: Make) -> None:
    def slow_first(request: Request) -> str:
        time.sleep(0.05 if '"say 0 ' in request.messages[1].content else 0.001)
        return says("sad")(request)

    asked = model(slow_first, concurrency=8)
    items = [evidence(f"say {i} times", id=str(i)) for i in range(100)]
    verdicts = list(emojudge.Judge(asked).refine(iter(items)))
    assert [v.id for v in verdicts] == [item.id for item in items]
    assert len(asked.asked) == 100


def test_the_same_question_is_asked_once(model: Any, evidence: Make) -> None:
    started = threading.Event()

    def slow(request: Request) -> str:
        started.wait(0.05)
        return says("sad")(request)

    for concurrency in (1, 4):
        asked = model(slow, concurrency)
        verdicts = list(emojudge.Judge(asked).refine([evidence("Yes.", id=str(i)) for i in range(6)]))
        assert [v.id for v in verdicts] == [str(i) for i in range(6)]
        assert len(asked.asked) == 1


def test_a_second_run_asks_nothing(model: Any, evidence: Make, tmp_path: Path) -> None:
    items = [evidence(str(i)) for i in range(5)]
    first, again, other = model(says("sad")), model(says("angry")), model(says("fear"))
    one = list(emojudge.Judge(first, ledger=tmp_path / "l.sqlite").refine(items))
    two = list(emojudge.Judge(again, ledger=tmp_path / "l.sqlite").refine(items))
    assert (len(first.asked), len(again.asked)) == (5, 0)
    assert one == two
    list(emojudge.Judge(other, ledger=tmp_path / "l.sqlite", prompt="second").refine(items))
    assert len(other.asked) == 5  # another prompt is another question


def test_errors_are_verdicts_and_are_asked_again(model: Any, evidence: Make, tmp_path: Path) -> None:
    failing = model(lambda request: Answer(request.key, error="HTTP 500: overloaded", transient=True))
    (verdict,) = emojudge.Judge(failing, ledger=tmp_path / "l.sqlite").refine([evidence()])
    assert (verdict.status, verdict.reason) == ("failed", "error: HTTP 500: overloaded")
    (verdict,) = emojudge.Judge(model(says("sad")), ledger=tmp_path / "l.sqlite").refine([evidence()])
    assert verdict.status == "changed"


def test_a_provider_that_only_fails_is_left_alone(model: Any, evidence: Make) -> None:
    failing = model(lambda request: Answer(request.key, error="HTTP 401: no such key"))
    verdicts = list(emojudge.Judge(failing).refine([evidence(str(i)) for i in range(50)]))
    assert len(failing.asked) == 20
    assert [v.status for v in verdicts] == ["failed"] * 20 + ["passed"] * 30
    assert "HTTP 401" in verdicts[-1].reason


def test_stopping_early_keeps_what_was_under_way(model: Any, evidence: Make, tmp_path: Path) -> None:
    asked = model(says("sad"), concurrency=4)
    verdicts = emojudge.Judge(asked, ledger=tmp_path / "l.sqlite").refine(
        evidence(str(i)) for i in range(1000)
    )
    next(verdicts)
    verdicts.close()  # type: ignore[attr-defined]
    assert 1 <= len(asked.asked) < 100
    with Ledger(tmp_path / "l.sqlite") as ledger:
        assert ledger.totals()["answers"] == len(asked.asked)


def test_a_cost_limit_holds(model: Any, evidence: Make) -> None:
    from emojudge.judge.providers import load_provider

    with pytest.raises(JudgeError, match="whose price is not known"):
        emojudge.Judge(model(says("sad")), max_cost=1.0)
    assert (
        emojudge.Judge(load_provider("echo"), max_cost=0.0)(evidence()).status != "passed"
    )  # it costs nothing


def test_settings_that_are_off_send_nothing(model: Any, evidence: Make) -> None:
    asked = model(says("sad"))
    settings = Settings(judge="off", why_off="it did not help on 500 utterances")
    (verdict,) = emojudge.Judge(asked, settings=settings).refine([evidence()])
    assert (verdict.status, asked.asked) == ("passed", [])
    assert "it did not help on 500 utterances" in verdict.reason


def test_agreement_of_samples(model: Any, evidence: Make) -> None:
    texts = tuple(f'{{"emotion": "{e}", "confidence": 99}}' for e in ("sad", "sad", "sad", "sad", "fear"))
    asked = model(lambda request: Answer(request.key, texts))
    verdict = emojudge.Judge(asked, confidence="agreement", threshold=0.75)(evidence())
    assert asked.asked[0].sampling.samples == 5
    assert (verdict.status, verdict.confidence) == ("changed", 0.8)


def test_likelihood_of_letters(model: Any, evidence: Make) -> None:
    logprobs = {"S": -0.1, "N": -2.4}
    asked = model(lambda request: Answer(request.key, ("S",), letter_logprobs=logprobs))
    verdict = emojudge.Judge(asked, confidence="likelihood", threshold=0.85)(evidence())
    assert asked.asked[0].sampling.label_logprobs
    assert (verdict.status, verdict.emotion) == ("changed", "sad")
    assert verdict.confidence == pytest.approx(0.909, abs=0.001)


def test_mixing_weighs_scores_and_answer(model: Any, evidence: Make) -> None:
    settings = Settings(decision={"kind": "mix", "weight": 0.5})  # type: ignore[arg-type]
    judge = emojudge.Judge(model(says("sad", 85)), settings=settings)
    sure, unsure = judge.refine([evidence("a", score=0.95), evidence("b", score=0.4)])
    assert (sure.status, sure.emotion) == ("abstained", "happy")
    assert (unsure.status, unsure.emotion) == ("changed", "sad")
    expected = {e: (unsure_score(e) * (0.85 if e == "sad" else 0.15 / 7)) ** 0.5 for e in EMOTIONS}
    total = sum(expected.values())
    assert unsure.scores == pytest.approx({e: v / total for e, v in expected.items()}, rel=1e-4)


def unsure_score(emotion: str) -> float:
    return 0.4 if emotion == "happy" else 0.6 / 7


def test_attributes_move_towards_the_answered_step(model: Any, evidence: Make) -> None:
    said = {
        "valence": "very low",
        "arousal": "moderate",
        "dominance": "NA",
        "confidence": 90,
        "reason": "cold",
    }
    settings = Settings(prompt="attributes", decision={"weight": 0.5})  # type: ignore[arg-type]
    judge = emojudge.Judge(model(lambda request: json.dumps(said)), settings=settings)
    verdict = judge(evidence())
    assert (verdict.status, verdict.emotion) == ("changed", "happy")
    assert verdict.attributes is not None
    assert verdict.attributes.model_dump() == pytest.approx(
        {"valence": 2.8, "arousal": 4.0, "dominance": 4.0}
    )
    assert verdict.reason == "valence moderate → very low: cold"
    said["confidence"] = 50
    assert (
        emojudge.Judge(model(lambda request: json.dumps(said)), settings=settings)(evidence()).status
        == "abstained"
    )


def test_a_plan_sends_nothing(model: Any, evidence: Make) -> None:
    asked = model(says("sad"))
    judge = emojudge.Judge(asked, gate="margin:0.5")
    items = [evidence("a", score=0.5), evidence("a", score=0.5, id="again"), evidence("b", score=0.9)]
    plan = judge.plan(items)
    assert (plan.sent, plan.known, plan.passed, asked.asked) == (1, 1, 1, [])
    assert plan.first is not None
    list(judge.refine(items))
    assert judge.plan(items).sent == 0


def test_predictions_of_the_recogniser_are_taken_as_they_are(model: Any) -> None:
    recognizer = emojudge.load(asr="none")
    import numpy as np

    prediction = recognizer(np.zeros(16_000, dtype=np.float32), rate=16_000, transcript="I am so happy!")
    verdict = emojudge.Judge(model(says("neutral")))(prediction)
    assert (verdict.id, verdict.before, verdict.emotion) == (prediction.id, prediction.emotion, "neutral")


def test_bad_settings_are_told(model: Any) -> None:
    for keywords in ({"threshold": 2}, {"gate": "sometimes"}, {"prompt": "defaut"}, {"samples": 0}):
        with pytest.raises(JudgeError):
            emojudge.Judge(model(says("sad")), **keywords)
    with pytest.raises(JudgeError, match="Did you mean 'default'"):
        emojudge.Judge(model(says("sad")), prompt="defaut")


def test_a_refused_key_ends_the_asking_at_once(model: Any, evidence: Make) -> None:
    refused = model(lambda request: Answer(request.key, error="HTTP 401: no", extra={"status": "401"}))
    verdicts = list(emojudge.Judge(refused).refine([evidence(str(i)) for i in range(5)]))
    assert (len(refused.asked), [v.status for v in verdicts]) == (1, ["failed", *["passed"] * 4])


def test_masking_reaches_the_examples(model: Any, evidence: Make) -> None:
    pytest.importorskip("faker", reason="needs the extra 'redact'")
    from emojudge.judge.prompt import Example

    shown = Example(evidence=evidence("Ring me at 555 98765.", id="e"), emotion="happy")
    judge = emojudge.Judge(model(says("sad")), examples=[shown], redact=True)
    judge(evidence("I said 555 12345."))
    sent = "".join(message.content for message in judge.provider.asked[0].messages)
    assert sent.count("[number]") == 2
    assert "98765" not in sent
    assert "12345" not in sent


def test_single_calls_are_one_run(model: Any, evidence: Make) -> None:
    judge = emojudge.Judge(model(says("sad")))
    for i in range(3):
        judge(evidence(str(i)))
    assert [run["verdicts"] for run in judge.ledger.runs()] == [{"changed": 3}]


def test_a_voice_is_measured_only_of_what_is_sent(model: Any, evidence: Make) -> None:
    heard: list[str] = []

    def voiced(told: Evidence) -> Evidence:
        heard.append(told.id)
        return told.model_copy(update={"measures": {"duration": Measure(value=2.0, unit="s")}})

    items = [evidence(str(i), id=str(i), score=0.2 if i == 3 else 0.95) for i in range(6)]
    asked = model(says("sad"))
    judge = emojudge.Judge(asked, gate="uncertain")
    unheard = [Unheard(item, partial(voiced, item)) for item in items]
    verdicts = list(judge.refine(unheard))
    assert [v.status == "passed" for v in verdicts] == [i != 3 for i in range(6)]
    assert heard == ["3"]
    assert "Duration 2.0 s" in asked.asked[0].messages[-1].content
    share = emojudge.Judge(model(says("sad")), gate="budget:0.2").refine(unheard)
    assert [verdict.emotion for verdict in share] == [verdict.emotion for verdict in verdicts]
    assert heard == ["3", "3"]


@pytest.mark.parametrize("concurrency", [1, 3])
def test_a_provider_that_raises_loses_one_answer_only(model: Any, evidence: Make, concurrency: int) -> None:
    def burst(request: Request) -> str:
        return says("sad")(request) if "kaputt" not in request.messages[-1].content else {}["nothing"]

    items = [evidence(text) for text in ("no", "kaputt", "two")]
    verdicts = list(emojudge.Judge(model(burst, concurrency)).refine(items))
    assert [verdict.status for verdict in verdicts] == ["changed", "failed", "changed"]
    assert "test/model failed: KeyError('nothing')" in verdicts[1].reason
