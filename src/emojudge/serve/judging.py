"""The judge behind the server: one thread asks it, and not too many wait."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from emojudge.audio.decode import Audio
from emojudge.bundle.format import Bundle
from emojudge.errors import MissingExtraError
from emojudge.judge.bins import bins_of
from emojudge.judge.evidence import Unheard, add_voice, evidence_of
from emojudge.judge.judging import Judge
from emojudge.records import Evidence, Prediction, Verdict
from emojudge.serve.metrics import Metrics
from emojudge.serve.problems import Problem

WAITING = 64  # predictions
RETRY = "5"  # seconds; a language model takes what it takes

Given = tuple[Prediction, Audio | None]


class Judging:
    """Asks the judge, if the server was started with one."""

    def __init__(self, judge: Judge | None, bundle: Bundle, metrics: Metrics) -> None:
        self.judge = judge
        self._bins = None if judge is None else bins_of(bundle)
        self._metrics = metrics
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="emojudge-judge")
        self._waiting = 0

    def check(self) -> Judge:
        """The judge. Raises a Problem, 409, where there is none or its gate needs to see everything."""
        if self.judge is None:
            raise Problem(
                409,
                found="a server without a judge",
                expected="one",
                advice="Start it with --judge NAME.",
            )
        if self.judge.settings.gate.needs_all:
            raise Problem(
                409,
                found=f"a judge whose gate {self.judge.settings.gate} sends a share of all predictions",
                expected="a gate that decides on each by itself",
                advice="Start the server with settings of another gate.",
            )
        return self.judge

    async def verdicts(self, given: Sequence[Given]) -> list[Verdict]:
        """A verdict on each prediction, told of the voice where its audio is there.

        Raises:
            Problem: 409 without a judge, 429 where too many wait for it.
            JudgeError: the judge cannot be asked.
        """
        judge = self.check()
        if self._waiting + len(given) > WAITING:
            raise Problem(
                429,
                found=f"{self._waiting} predictions before the judge",
                expected=f"at most {WAITING}",
                advice="Try again after the seconds in Retry-After.",
                headers={"Retry-After": RETRY},
            )
        self._waiting += len(given)
        try:
            evidence = [self._evidence(*pair) for pair in given]
            verdicts = await asyncio.get_running_loop().run_in_executor(
                self._pool, lambda: list(judge.refine(evidence))
            )
        finally:
            self._waiting -= len(given)
        for verdict in verdicts:
            self.count(verdict)
        return verdicts

    def count(self, verdict: Verdict) -> None:
        """Note in the metrics what the judge did."""
        self._metrics.verdicts.labels(verdict.status).inc()

    def close(self) -> None:
        """End when the questions under way are answered."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _evidence(self, prediction: Prediction, audio: Audio | None) -> Evidence | Unheard:
        told = evidence_of(prediction)
        return told if audio is None else Unheard(told, partial(self._heard, told, audio))

    def _heard(self, told: Evidence, audio: Audio) -> Evidence:
        try:
            return add_voice(told, audio=audio, bins=self._bins)
        except MissingExtraError:  # without a pitch tracker the voice is not described
            return told
