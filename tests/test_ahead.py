"""A stage ahead gives what its items give, no more than it may, and ends with whoever reads it."""

import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emojudge.ahead import ahead


@settings(deadline=None, max_examples=50)
@given(items=st.lists(st.integers()), most=st.integers(1, 5), stages=st.integers(1, 3))
def test_the_same_items_in_the_same_order(items: list[int], most: int, stages: int):
    through = iter(items)
    for _ in range(stages):
        through = ahead(through, most)
    assert list(through) == items


def test_no_more_than_it_may_are_made_ahead():
    made: list[int] = []

    def endless() -> Iterator[int]:
        while True:
            made.append(len(made))
            yield made[-1]

    reading = ahead(endless(), 3)
    assert next(reading) == 0
    time.sleep(0.3)
    assert len(made) == 1 + 3 + 1  # given, waiting, and one in hand
    reading.close()


def test_stages_work_at_the_same_time():
    both = threading.Barrier(2, timeout=10)

    def first() -> Iterator[int]:
        yield 0
        both.wait()  # until the reader works on that one
        yield 1

    reading = ahead(first(), 1)
    assert next(reading) == 0
    both.wait()
    assert list(reading) == [1]


def test_an_error_comes_in_its_place():
    def failing() -> Iterator[int]:
        yield 1
        raise KeyError("two")

    reading = ahead(failing(), 5)
    assert next(reading) == 1
    with pytest.raises(KeyError, match="two"):
        next(reading)


def test_who_stops_early_ends_the_thread_and_closes_what_it_ran_through():
    closed = threading.Event()

    def endless() -> Iterator[int]:
        try:
            while True:
                yield 0
        finally:
            closed.set()

    before = set(threading.enumerate())
    reading = ahead(ahead(endless(), 1), 1)
    next(reading)
    reading.close()
    assert closed.wait(5)
    assert set(threading.enumerate()) <= before
