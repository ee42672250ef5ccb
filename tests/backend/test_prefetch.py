"""Reading ahead keeps the order, raises errors in place, and is bounded."""

import threading
import time

import pytest

from blender_meshrec.backend.prefetch import prefetch


def test_all_items_come_in_order():
    assert list(prefetch(iter(range(500)))) == list(range(500))


def test_an_error_is_raised_in_place_of_its_item():
    def broken():
        yield 1
        yield 2
        raise ValueError("third")

    received = []
    with pytest.raises(ValueError, match="third"):
        for item in prefetch(broken()):
            received.append(item)
    assert received == [1, 2]


def test_reading_ahead_is_limited_by_the_depth():
    made = []
    reader = prefetch((made.append(i) or i for i in range(1000)), depth=3)
    next(reader)
    time.sleep(0.1)
    assert len(made) <= 1 + 3 + 1  # given, in the queue, held by the thread
    reader.close()


def test_closing_stops_the_thread_and_the_source():
    closed = []

    def endless():
        try:
            while True:
                yield 0
        finally:
            closed.append(True)

    before = threading.active_count()
    reader = prefetch(endless())
    next(reader)
    reader.close()
    assert closed == [True] and threading.active_count() == before
