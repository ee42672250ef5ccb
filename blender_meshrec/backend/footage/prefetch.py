"""Reading in one thread while another works on what was read."""

import queue
import threading

_END = object()


def prefetch(items, depth=4):
    """Give what an iterator gives, read up to `depth` items ahead in a thread of its own.

    An error of the iterator is raised where its item would have come. Closing this generator stops the thread.
    """
    waiting = queue.Queue(depth)
    stop = threading.Event()

    def put(item):
        while not stop.is_set():
            try:
                return waiting.put(item, timeout=0.2)
            except queue.Full:
                continue

    def read():
        failure = None
        try:
            for item in items:
                put((item, None))
                if stop.is_set():
                    return
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits for the items
            failure = error
        finally:
            if hasattr(items, "close"):
                items.close()
        put((_END, failure))

    reader = threading.Thread(target=read, name="read ahead", daemon=True)
    reader.start()
    try:
        while True:
            item, failure = waiting.get()
            if failure is not None:
                raise failure
            if item is _END:
                return
            yield item
    finally:
        stop.set()
        reader.join()
