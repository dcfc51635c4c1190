"""The judge: predictions of any recogniser in, verdicts out, in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from emojudge.errors import JudgeError
from emojudge.judge.answer import Reading, read
from emojudge.judge.asking import Asking
from emojudge.judge.case import Case, Given, seen, told_of, whole
from emojudge.judge.costs import Plan, Prices, Spending
from emojudge.judge.decision import Source, decide, keep
from emojudge.judge.evidence import Unheard
from emojudge.judge.examples import Choice, Examples
from emojudge.judge.exchange import Answer, Provider, Request, Usage
from emojudge.judge.gate import Gate
from emojudge.judge.ledger import Ledger, Row
from emojudge.judge.prompt import Example, Prompt
from emojudge.judge.providers import load_provider
from emojudge.judge.providers.openai import Chat
from emojudge.judge.redact import redact as redacted
from emojudge.judge.settings import Settings, overlaid, question_of
from emojudge.records import Evidence, Verdict

Item = TypeVar("Item")

ROWS = 200  # verdicts that are written at a time


class Judge:
    """A language model that confirms a prediction, corrects it, or abstains.

    Args:
        provider: a language model by name, such as "openai/MODEL" or "local:PATH" (see
            `emojudge.judge.providers`), or an object that can be asked.
        threshold: the confidence from which another label counts; the paper's is 0.8.
        gate: which predictions are sent at all, such as "conflict" (see `Gate`).
        prompt: a template by name or file (see `emojudge.judge.prompt`).
        confidence: which figure is meant by confidence: "stated" by the model, "likelihood" of the label's
            letter, or "agreement" of `samples` answers.
        examples: correct predictions to show, of a split that is not judged.
        settings: what tuning found, as in `judge.json`; the arguments above go before it.
        ledger: where requests and answers are kept, so that nothing is paid for twice; without one, in
            memory for as long as this judge lives.
        max_cost: US dollars that may be spent by this judge; what would go beyond is passed through.
        redact: mask names, numbers and addresses in what is sent (see `emojudge.judge.redact`).
        batch: ask by the provider's Batch API, at half the price and within a day (EmoJudge, section 2.4).

    Raises:
        JudgeError: settings that do not go together, an unknown prompt, a cost limit without a known price.

    >>> import emojudge
    >>> judge = emojudge.Judge("echo", threshold=0.8)
    """

    def __init__(
        self,
        provider: str | Provider,
        *,
        threshold: float | None = None,
        gate: str | Gate | None = None,
        prompt: str | Path | None = None,
        confidence: Source | None = None,
        samples: int | None = None,
        examples: Iterable[Example] | None = None,
        choice: Choice | None = None,
        settings: Settings | None = None,
        ledger: Ledger | Path | str | None = None,
        max_cost: float | None = None,
        redact: bool = False,
        batch: bool = False,
    ) -> None:
        self.settings = overlaid(
            settings or Settings(), threshold, gate, prompt, confidence, samples, examples, choice
        )
        self.provider = _loaded(provider)
        self.prompt = Prompt.load(self.settings.prompt, self.settings.template)
        self.question = question_of(self.settings, self.prompt, self.provider.name)
        if self.prompt.task == "attributes" and self.settings.decision.confidence == "likelihood":
            raise JudgeError(
                "confidence",
                found="likelihood, for attributes",
                expected="stated or agreement, as there is no letter",
            )
        pool = [_masked(example) for example in self.settings.examples] if redact else self.settings.examples
        self.examples = Examples(pool, self.settings.shown, self.settings.choice)
        self.ledger = ledger if isinstance(ledger, Ledger) else Ledger(ledger)
        self.spending = Spending(max_cost)
        self._prices = Prices(self.provider)
        self.redact = redact
        self.batch = batch
        self._run: int | None = None  # the ledger's, of single calls
        if batch and not isinstance(self.provider, Chat):
            raise JudgeError(
                self.provider.name, found="no Batch API", expected="openai/MODEL, or a server with one"
            )
        if batch and self.ledger.path is None:
            raise JudgeError(
                "batch",
                found="no ledger's file",
                expected="one, so that a batch is found again after a crash",
            )
        if max_cost is not None and self._prices.paid(Usage(1, 1)) is None:
            raise JudgeError(
                self.provider.name,
                found="a cost limit, and a model whose price is not known",
                expected="a model of known price",
                advice="Leave the limit out, and try a few utterances first.",
            )

    def __call__(self, item: Given) -> Verdict:
        """The verdict on one prediction.

        Raises:
            JudgeError: the utterance is one of the examples, or the gate needs to see all predictions.
        """
        if self.settings.gate.needs_all:
            raise JudgeError(
                f"gate {self.settings.gate}",
                found="one prediction",
                expected="many, of which a share is sent",
                advice="Use judge.refine(predictions), or tune the gate first.",
            )
        if self._run is None:
            self._run = self._begin()
        (verdict,) = self._refine([item], self._run)
        return verdict

    def refine(self, items: Iterable[Given]) -> Iterator[Verdict]:
        """Verdicts in the order of the predictions, as many, each as soon as those before it are there.

        Of an `Unheard` utterance the voice is measured when it is sent, and not where the gate keeps it back.

        Memory does not grow with their number, unless the gate is a share of all of them. Whoever stops early
        loses nothing: the answers that were under way are waited for and kept.

        Raises:
            JudgeError: an utterance that is one of the examples.
        """
        yield from self._refine(items, self._begin())

    def _begin(self) -> int:
        """A run of the ledger, with the settings; examples by their ids."""
        about = self.settings.model_dump(mode="json", exclude={"examples", "figures"})
        about |= {"examples": sorted(self.examples.ids), "prompt_hash": self.prompt.hash}
        return self.ledger.begin(self.provider.name, about)

    def _refine(self, items: Iterable[Given], run: int) -> Iterator[Verdict]:
        rows: list[Row] = []
        try:
            for case in self._cases(items, self.settings.gate):
                rows.append(self._decided(case))
                yield rows[-1][2]
                if len(rows) >= ROWS:
                    self.ledger.record(run, rows)
                    rows.clear()
        finally:
            self.ledger.record(run, rows)

    def alongside(
        self, items: Iterable[Item], evidence: Callable[[Item], Evidence | Unheard | None]
    ) -> Iterator[tuple[Item, Verdict | None]]:
        """Items of any kind with their verdicts, in order; those without evidence have none."""
        taken: deque[tuple[Item, bool]] = deque()

        def told() -> Iterator[Evidence | Unheard]:
            for item in items:
                known = evidence(item)
                taken.append((item, known is not None))
                if known is not None:
                    yield known

        for verdict in self.refine(told()):
            while not taken[0][1]:
                yield taken.popleft()[0], None
            yield taken.popleft()[0], verdict
        while taken:
            yield taken.popleft()[0], None

    def readings(self, items: Iterable[Given]) -> Iterator[Reading]:
        """What the model answers to every prediction, whatever the gate, and nothing decided: for tuning."""
        for case in self._cases(items, Gate()):
            yield Reading(fault=case.why) if case.answer is None else self._read(case.came())

    def cost_of(self, item: Given) -> float | None:
        """What the answers about an utterance have cost, US dollars; None where that is not known."""
        return self.ledger.cost(self.key_of(item))

    def key_of(self, item: Given) -> str:
        """The key by which the ledger knows the request about an utterance and its answers."""
        return self._request(whole(told_of(item))).key

    def plan(self, items: Iterable[Given]) -> Plan:
        """What `refine` would send and what that would cost at most, without sending anything."""
        plan = Plan()
        keys: set[str] = set()
        for told, sent in self._gated(items, self.settings.gate):
            if not sent or self.settings.judge == "off":
                plan.passed += 1
                continue
            request = self._request(whole(told))
            plan.first = plan.first or request
            if request.key in keys or self.ledger.answered(request.key) is not None:
                plan.known += 1
                continue
            keys.add(request.key)
            plan.sent += 1
            plan.add(self._prices.most(request))
        return plan

    # ------------------------------------------------------------------------------------------------- parts

    def _cases(self, items: Iterable[Given], gate: Gate) -> Iterator[Case]:
        """Every utterance in its order, once its answer is there; others are asked about meanwhile."""
        ahead = 4 * max(1, self.provider.concurrency)  # enough that no place is idle while one answer is slow
        waiting: deque[Case] = deque()
        gated = self._gated(items, gate)
        with Asking(self.provider, self.ledger, self.prompt.hash, self.spending, self._prices) as asking:
            if self.batch and self.settings.judge != "off":
                every = [(whole(told) if sent else told, sent) for told, sent in gated]
                asking.bring([self._request(seen(told)) for told, sent in every if sent])
                gated = iter(every)
            for told, sent in gated:
                waiting.append(self._case(told, sent, asking))
                while waiting and (len(waiting) > ahead or waiting[0].is_ready):
                    yield waiting.popleft()
            yield from waiting

    def _gated(self, items: Iterable[Given], gate: Gate) -> Iterator[tuple[Evidence | Unheard, bool]]:
        if gate.needs_all:
            every = [told_of(item) for item in items]
            yield from zip(every, map(bool, gate.mask([seen(told) for told in every])), strict=True)
        else:
            for told in map(told_of, items):
                yield told, gate.kind == "all" or bool(gate.mask([seen(told)])[0])

    def _case(self, told: Evidence | Unheard, sent: bool, asking: Asking) -> Case:
        if self.settings.judge == "off":
            why = self.settings.why_off or "its settings say so"
            return Case(seen(told), f"not sent: the judge is off, {why}")
        if not sent:
            return Case(seen(told), self.settings.gate.reason(seen(told)))
        evidence = whole(told)
        request = self._request(evidence)
        answer = asking.ask(request)
        return Case(evidence, answer) if isinstance(answer, str) else Case(evidence, "", request.key, answer)

    def _request(self, evidence: Evidence) -> Request:
        examples = self.examples.shown(evidence)
        return self.question.request(redacted(evidence) if self.redact else evidence, examples)

    def _read(self, answer: Answer) -> Reading:
        return read(answer, self.question)

    def _decided(self, case: Case) -> Row:
        if case.answer is None:
            return None, None, keep(case.evidence, "passed", case.why)
        answer = case.came()
        reading = self._read(answer)
        verdict = decide(
            case.evidence,
            reading,
            self.settings.decision,
            self.settings.scales,
            self.question.tells_threshold,
        )
        about = {
            "provider": self.provider.name,
            "model": answer.model or self.provider.model,
            "notes": tuple(f"not taken by the model: {name}" for name in answer.dropped),
        }
        return case.key, reading, verdict.model_copy(update=about)


def _masked(example: Example) -> Example:
    return example.model_copy(update={"evidence": redacted(example.evidence)})


def _loaded(provider: str | Provider) -> Provider:
    return load_provider(provider) if isinstance(provider, str) else provider
