"""The local engine: workers on this computer, each with a backend that stays up.

A worker has two threads in turns: while one writes the files of its clip, which may take a Blender, the other has the models look at
the next one. The backend decodes frames ahead while its models look at the last ones (backend/prefetch.py).
"""

import itertools
import queue
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from ...bridge.backend_session import BackendSession
from ...bridge.messages import Progress
from ...bridge.scene_process import end_scene_processes
from ...core.errors import CancelledError
from .engine import Event
from .execute import Models, execute
from .outcome import failed
from .task import Task
from .worker_count import CARDS_VARIABLE

THREADS_PER_WORKER = 2
_POLL_SECONDS = 0.2  # s; on Windows, Ctrl-C does not interrupt a wait without a timeout
_END_SECONDS = 5.0  # s


class LocalEngine:
    """Workers on this computer.

    Args:
        folder: of the batch. cards: indices of the graphics cards among which the workers are shared out.
    """

    name = "local"

    def __init__(self, num_workers: int, folder: Path, cards: Sequence[str] = ()) -> None:
        self.num_workers, self._folder = num_workers, folder
        environs = [{CARDS_VARIABLE: cards[index % len(cards)]} if len(cards) > 1 else {} for index in range(num_workers)]
        self._models = [Models(BackendSession(environ=environ)) for environ in environs]
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()  # None: a thread has ended
        self._threads: list[threading.Thread] = []
        self._is_stopped = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._is_stopped.set()
        for models in self._models:
            models.session.cancel()
        if any(thread.is_alive() for thread in self._threads):
            end_scene_processes()
        for thread in self._threads:
            thread.join(_END_SECONDS)
        for models in self._models:
            models.session.close()

    def run(self, tasks: Sequence[Task]) -> Iterator[Event]:
        """Execute the tasks, as of Engine."""
        waiting = _Waiting(tasks)
        for number, models in enumerate(self._models, 1):
            for _ in range(THREADS_PER_WORKER):
                thread = threading.Thread(target=self._work, args=(number, models, waiting), daemon=True)
                self._threads.append(thread)
                thread.start()
        ended = 0
        while ended < len(self._threads):
            try:
                event = self._events.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                continue
            if event is None:
                ended += 1
            else:
                yield event

    def _work(self, number: int, models: Models, waiting: "_Waiting") -> None:
        """One of a worker's threads."""
        try:
            while not self._is_stopped.is_set():
                models.lock.acquire()
                release = _Once(models.lock)
                try:
                    task = waiting.next()
                    if task is None or self._is_stopped.is_set():
                        return
                    self._execute(number, models, task, release)
                finally:
                    release()
        finally:
            self._events.put(None)

    def _execute(self, number: int, models: Models, task: Task, release: "_Once") -> None:
        self._events.put(Event("begin", number, task))

        def on_progress(progress: Progress) -> None:
            self._events.put(Event("progress", number, task, progress))

        def on_retry(reason: str) -> None:
            self._events.put(Event("retry", number, task, facts={"reason": reason}))

        try:
            outcome = execute(task, models, self._folder, on_progress, on_retry, release)
        except CancelledError:
            return
        except BaseException as error:  # noqa: BLE001 - every task has an end
            outcome = failed(error if isinstance(error, Exception) else RuntimeError(repr(error)))
        if not self._is_stopped.is_set():
            self._events.put(Event("end", number, task, outcome=outcome))


class _Waiting:
    """The tasks that nobody has begun, in order."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._tasks = itertools.chain(tasks)
        self._lock = threading.Lock()

    def next(self) -> Task | None:
        with self._lock:
            return next(self._tasks, None)


class _Once:
    """Releases a lock the first time it is called."""

    def __init__(self, lock: threading.Lock) -> None:
        self._lock: threading.Lock | None = lock

    def __call__(self) -> None:
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release()
