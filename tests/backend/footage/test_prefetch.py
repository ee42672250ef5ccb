"""Reading ahead keeps order, errors and bounds."""

import threading
import time

import pytest

from blender_meshrec.backend.footage.prefetch import prefetch


def test_items_come_in_order_and_all():
    assert list(prefetch(iter(range(500)))) == list(range(500))


def test_an_error_comes_where_its_item_would():
    def broken():
        yield 1
        yield 2
        raise ValueError("third")

    seen = []
    with pytest.raises(ValueError, match="third"):
        for item in prefetch(broken()):
            seen.append(item)
    assert seen == [1, 2]


def test_no_more_is_read_than_fits():
    made = []
    reader = prefetch((made.append(i) or i for i in range(1000)), depth=3)
    next(reader)
    time.sleep(0.1)
    assert len(made) <= 1 + 3 + 1  # given, waiting, in hand
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
