"""Predictions on their way past a judge: what it is told of each, and what became of them in the end."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from emojudge.cli.messages import count, say

if TYPE_CHECKING:
    from emojudge.bundle.format import Bundle
    from emojudge.judge.costs import Plan
    from emojudge.judge.evidence import Unheard
    from emojudge.judge.judging import Judge
    from emojudge.records import Evidence, Failure, Prediction, Turn, Utterance


class Evidences:
    """Makes evidence of predictions; what the voice would add and cannot is said once."""

    def __init__(self, bundle: "Bundle | None") -> None:
        from emojudge.judge.bins import bins_of

        self.bins = None if bundle is None else bins_of(bundle)
        self._told = False

    def of(
        self,
        prediction: "Prediction",
        utterance: "Utterance | None",
        audio: bool = True,
        turns: "Sequence[Turn]" = (),
    ) -> "Evidence | Unheard":
        """The evidence on a prediction; its voice, if it is to have one, comes when it is asked for."""
        from emojudge.judge.evidence import evidence_of

        silent = utterance and utterance.model_copy(update={"audio": None})
        told = evidence_of(prediction, silent, turns=turns)
        return self.heard_later(told, utterance) if audio else told

    def heard_later(self, told: "Evidence", utterance: "Utterance | None") -> "Evidence | Unheard":
        """Evidence whose voice is measured when it is asked for, if there is a recording."""
        from emojudge.judge.evidence import Unheard

        if utterance is None or utterance.audio is None:
            return told
        return Unheard(told, partial(self._heard, told, utterance))

    def _heard(self, told: "Evidence", utterance: "Utterance") -> "Evidence":
        from emojudge.errors import EmojudgeError, MissingExtraError
        from emojudge.judge.evidence import add_voice

        try:
            return add_voice(told, utterance, bins=self.bins)
        except MissingExtraError as error:
            if not self._told:
                say(f"voices are not described: {error}")
            self._told = True
        except EmojudgeError as error:
            say(f"{told.id}: the voice is not described: {error}")
        return told


class Said:
    """The turns of recordings as they come, and which of them an utterance follows."""

    def __init__(self) -> None:
        self._turns: dict[str, list[tuple[float, Turn]]] = {}

    def before(self, prediction: "Prediction", utterance: "Utterance | None") -> "list[Turn]":
        """The last turns before this one, which is remembered for those that follow."""
        from emojudge.judge.evidence import TURNS
        from emojudge.records import Turn

        if utterance is None or utterance.recording is None:
            return []
        turns = self._turns.setdefault(utterance.recording, [])
        at = len(turns) if utterance.position is None else utterance.position
        earlier = [turn for position, turn in turns if position < at][-TURNS:]
        words = prediction.transcript or utterance.transcript
        if words is not None and words.text.strip():
            turns.append((at, Turn(speaker=utterance.speaker, text=words.text)))
            turns.sort(key=lambda pair: pair[0])
        return earlier


def judged(
    results: "Iterable[Prediction | Failure]",
    judge: "Judge",
    utterances: "Iterable[Utterance]",
    bundle: "Bundle | None",
) -> "Iterator[Prediction | Failure]":
    """Predictions with their verdicts, failures as they are, in order; says at the end what became."""
    from emojudge.records import Prediction

    known = {utterance.id: utterance for utterance in utterances}
    evidences, said = Evidences(bundle), Said()

    def evidence(result: "Prediction | Failure") -> "Evidence | Unheard | None":
        if not isinstance(result, Prediction):
            return None
        utterance = known.get(result.id)
        return evidences.of(result, utterance, turns=said.before(result, utterance))

    counts: Counter[str] = Counter()
    for result, verdict in judge.alongside(results, evidence):
        if verdict is not None and isinstance(result, Prediction):
            counts[verdict.status] += 1
            yield result.model_copy(update={"verdict": verdict})
        else:
            yield result
    say(summary(counts, judge))


def summary(verdicts: Mapping[str, int], judge: "Judge") -> str:
    """One line of what became of the predictions, and what it cost."""
    words = {
        "changed": "changed",
        "confirmed": "confirmed",
        "abstained": "abstained",
        "passed": "not sent",
        "failed": "failed",
    }
    parts = [f"{verdicts[status]} {words[status]}" for status in words if verdicts.get(status)]
    spent = judge.spending.spent
    cost = f"; ${spent:.4f} spent" if spent else ""
    return f"judged by {judge.provider.name}: {', '.join(parts) or 'nothing'}{cost}"


def plan_lines(plan: "Plan", judge: "Judge") -> Iterator[str]:
    """What a dry run says."""
    yield f"{count(plan.sent, 'request')} would be sent to {judge.provider.name}"
    yield f"{plan.known} more are in the ledger already, or are the same; {plan.passed} would not be sent"
    tokens = f"{plan.prompt} tokens of prompts, at most {plan.completion} of answers"
    dollars = "price not known" if plan.dollars is None else f"at most ${plan.dollars:.4f}"
    yield f"{tokens}: {dollars}"
    if plan.first is not None:
        yield "the first request:"
        for message in plan.first.messages:
            yield f"[{message.role}]"
            yield from message.content.splitlines()
