"""Stages of a pipeline that work at the same time: each by a thread of its own, a bounded amount ahead."""

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")
PATIENCE = 0.1  # seconds after which a stage that nobody reads looks whether it should end


@dataclass(frozen=True)
class _Given(Generic[Item]):
    item: Item


@dataclass(frozen=True)
class _Ended:
    error: BaseException | None = None


def ahead(items: Iterable[Item], most: int) -> Generator[Item]:
    """The same items in the same order, made by a thread while those before are worked on.

    There is a gain where they are made outside of Python, as decoders and models work. An error is raised
    where its item would have come. Whoever stops early ends the thread, which closes `items`.

    Args:
        items: what the thread runs through; nobody else may.
        most: how many are made before they are asked for, at least 1.

    >>> list(ahead((number**2 for number in range(4)), 2))
    [0, 1, 4, 9]
    """
    waiting: queue.Queue[_Given[Item] | _Ended] = queue.Queue(most)
    stopped = threading.Event()

    def put(what: _Given[Item] | _Ended) -> bool:
        while not stopped.is_set():
            with suppress(queue.Full):
                waiting.put(what, timeout=PATIENCE)
                return True
        return False

    def run() -> None:
        error: BaseException | None = None
        try:
            for item in items:
                if not put(_Given(item)):
                    break
            if stopped.is_set() and isinstance(items, Generator):
                items.close()  # here, where it runs
        except BaseException as raised:  # whatever it is, it belongs to who asks
            error = raised
        put(_Ended(error))

    thread = threading.Thread(target=run, name="emojudge-ahead", daemon=True)
    thread.start()
    try:
        while isinstance(got := waiting.get(), _Given):
            yield got.item
        if got.error is not None:
            raise got.error
    finally:
        stopped.set()
        thread.join()


def mapped(
    work: Callable[[Item], Made], items: Iterable[Item], *, workers: int, most: int
) -> Generator[Made]:
    """What `work` makes of each item, in their order, by several threads, at most so many ahead.

    >>> list(mapped(abs, [-3, 1, -2], workers=2, most=2))
    [3, 1, 2]
    """
    waiting: deque[Future[Made]] = deque()
    pool = ThreadPoolExecutor(workers)
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) >= most:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
