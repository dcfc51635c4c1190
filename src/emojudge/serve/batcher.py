"""Utterances of all clients in batches: no batch waits to be filled; who comes meanwhile shares the next."""

import asyncio
import contextlib
import math
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from emojudge.recognizer import Input, Recognizer
from emojudge.records import Failure, Prediction
from emojudge.serve.metrics import Metrics
from emojudge.serve.problems import Problem

AHEAD = 1  # batches that wait for a thread, which would wait for the event loop instead
MOST = 8  # utterances in a batch: more would make those behind it wait longer than they gain
QUEUE_SECONDS = 1_800.0  # of audio that is held decoded, 115 MB
FIRST_GUESS = 0.25  # seconds for an utterance, before any was timed
SMOOTHING = 0.1  # the share of the newest batch in the seconds that an utterance takes

Result = Prediction | Failure


@dataclass
class _Waiting:
    item: Input
    result: "asyncio.Future[Result]"


class Batcher:
    """Runs a recogniser's batches on `workers` threads; at most `capacity` utterances are in it at a time.

    The recogniser should have one thread of its own: two batches side by side then use two cores better than
    one batch on both.
    """

    def __init__(self, recognizer: Recognizer, workers: int, capacity: int, metrics: Metrics) -> None:
        self.recognizer = recognizer
        self.capacity = capacity
        self._metrics = metrics
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="emojudge-batch")
        self._workers = workers
        self._free = workers + AHEAD  # batches that may be given to the threads
        self._waiting: deque[_Waiting] = deque()
        self._places = 0
        self._audio_seconds = 0.0
        self._each = FIRST_GUESS

    @property
    def places(self) -> int:
        """Utterances that are decoded, waiting or worked on."""
        return self._places

    def retry_after(self, count: int) -> int:
        """Seconds until there should be room for `count` more."""
        over = max(self._places + count - self.capacity, 1)
        return max(1, math.ceil(over * self._each / self._workers))

    def check_room(self, count: int = 1) -> None:
        """Raises a Problem, 429, where there is no room for `count` more."""
        if self._places + count > self.capacity or self._audio_seconds > QUEUE_SECONDS:
            raise Problem(
                429,
                found=f"{self._places} recordings in the queue",
                expected=f"at most {self.capacity}",
                advice="Try again after the seconds in Retry-After.",
                headers={"Retry-After": str(self.retry_after(count))},
            )

    @contextlib.contextmanager
    def room(self, count: int) -> Iterator[None]:
        """Places for `count` utterances, from before they are decoded until they are answered.

        Raises:
            Problem: 429 where there is no room, 413 where there never will be.
        """
        if count > self.capacity:
            raise Problem(
                413, found=f"{count} recordings", expected=f"at most {self.capacity} in one request"
            )
        self.check_room(count)
        self._places += count
        self._metrics.queue.set(self._places)
        try:
            yield
        finally:
            self._places -= count
            self._metrics.queue.set(self._places)

    async def predict(self, items: Sequence[Input]) -> list[Result]:
        """Predictions or failures in the order of the utterances, for which there has to be `room`."""
        loop = asyncio.get_running_loop()
        seconds = sum(item[1].seconds for item in items if isinstance(item, tuple))
        waiting = [_Waiting(item, loop.create_future()) for item in items]
        self._waiting += waiting
        self._audio_seconds += seconds
        try:
            self._dispatch()
            return [await one.result for one in waiting]
        finally:
            self._audio_seconds -= seconds

    def close(self) -> None:
        """End the threads when they have done what they are at."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _dispatch(self) -> None:
        while self._free and self._waiting:
            share = math.ceil(len(self._waiting) / self._free)
            batch = [self._waiting.popleft() for _ in range(min(MOST, share))]
            batch = [one for one in batch if not one.result.done()]  # somebody hung up
            if not batch:
                continue
            self._free -= 1
            self._metrics.batches.observe(len(batch))
            task = asyncio.get_running_loop().run_in_executor(
                self._pool, self._run, [one.item for one in batch]
            )
            task.add_done_callback(lambda done, batch=batch: self._finished(done, batch))  # type: ignore[misc]

    def _finished(self, done: "asyncio.Future[list[Result | BaseException]]", batch: list[_Waiting]) -> None:
        self._free += 1
        error = done.exception()
        results = done.result() if error is None else [error] * len(batch)
        for one, result in zip(batch, results, strict=True):
            if one.result.done():
                continue
            if isinstance(result, BaseException):
                one.result.set_exception(result)
            else:
                self._metrics.predictions.labels("failed" if isinstance(result, Failure) else "done").inc()
                one.result.set_result(result)
        self._dispatch()

    def _run(self, items: list[Input]) -> "list[Result | BaseException]":
        """The batch; where it fails as a whole, each by itself, so that nobody pays for another's."""
        began = time.perf_counter()
        results: list[Result | BaseException] = []
        try:
            results += self.recognizer.predict(items)
        except Exception as error:
            if len(items) == 1:
                return [error]
            results = [self._run([item])[0] for item in items]
        took = (time.perf_counter() - began) / len(items)
        self._each += SMOOTHING * (took - self._each)
        return results
