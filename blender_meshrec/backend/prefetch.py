"""Reading ahead: one thread reads items while another works on those already read."""

import queue
import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True)
class _End:
    """Marks the end of the items; error: the exception that ended them, or None."""

    error: BaseException | None = None


def prefetch(items: Iterator[Item], depth: int = 4) -> Generator[Item, None, None]:
    """Give the items of an iterator, read up to `depth` items ahead in a thread of its own.

    An error of the iterator is raised where its item would have come. Closing this generator stops the thread.
    """
    waiting: queue.Queue[Item | _End] = queue.Queue(depth)
    stop = threading.Event()

    def put(entry: Item | _End) -> None:
        while not stop.is_set():
            try:
                return waiting.put(entry, timeout=0.2)
            except queue.Full:
                continue

    def read() -> None:
        end = _End()
        try:
            for item in items:
                put(item)
                if stop.is_set():
                    return
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits for the items
            end = _End(error)
        finally:
            if isinstance(items, Generator):
                items.close()
        put(end)

    reader = threading.Thread(target=read, name="read ahead", daemon=True)
    reader.start()
    try:
        while True:
            entry = waiting.get()
            if isinstance(entry, _End):
                if entry.error is not None:
                    raise entry.error
                return
            yield entry
    finally:
        stop.set()
        reader.join()
