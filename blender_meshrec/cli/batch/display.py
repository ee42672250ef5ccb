"""Progress of a batch: for people a bar for all clips and a line for each worker, for machines a line of JSON an event.

docs/batches.md lists the events.
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...bridge.messages import Progress
from ..console import Console, format_progress_bar
from .outcome import Outcome, is_done
from .task import Task

_BAR_WIDTH = 24  # characters
_MIN_DRAW_SECONDS = 0.1
_MIN_EVENT_SECONDS = 0.5  # between two "progress" events of one worker within a stage


@dataclass
class _Running:
    """What a worker does. begun: when its stage began, time.monotonic; told: when its last event was."""

    task: Task
    progress: Progress | None = None
    begun: float = 0.0
    told: float = 0.0


class BatchDisplay:
    """Shows a batch on a Console.

    Args:
        tasks: those that are run. num_before: of the plan's other tasks, which were done before.

    Results are printed in the order of the tasks, however many workers there are; events in JSON as they happen.
    """

    def __init__(self, console: Console, tasks: Sequence[Task], num_before: int) -> None:
        self._console, self._tasks, self._num_before = console, list(tasks), num_before
        self._outcomes: dict[int, Outcome] = {}
        self._num_printed = 0
        self._begun = time.monotonic()
        self._running: dict[int, _Running] = {}
        self._drawn = 0.0

    def worker(self, number: int, facts: dict[str, Any]) -> None:
        """A worker is there."""
        self._console.event("worker", worker=number, **facts)

    def begin(self, worker: int, task: Task) -> None:
        """A worker begins a task."""
        self._running[worker] = _Running(task, begun=time.monotonic())
        self._console.event("begin", clip=task.name, input=task.source, number=task.number, worker=worker)
        self._draw()

    def progress(self, worker: int, task: Task, progress: Progress) -> None:
        """A task goes on; that of the clip which a worker only writes does not replace that of the next one."""
        entry = self._running.get(worker)
        if entry is None or entry.task is not task:
            return
        now = time.monotonic()
        is_new = entry.progress is None or entry.progress.stage != progress.stage
        if is_new:
            entry.begun = now
        entry.progress = progress
        if is_new or now - entry.told >= _MIN_EVENT_SECONDS or 0 < progress.total <= progress.done:
            entry.told = now
            self._console.event(
                "progress", input=task.source, stage=progress.stage, done=progress.done, total=progress.total, unit=progress.unit,
                clip=task.name, worker=worker,
            )  # fmt: skip
        if now - self._drawn >= _MIN_DRAW_SECONDS:
            self._draw()

    def retry(self, worker: int, task: Task, reason: str) -> None:
        """A task is begun again."""
        self._console.event("retry", clip=task.name, input=task.source, worker=worker, reason=reason)
        if not self._console.is_json:
            self._console.warn(f"{task.name} is tried again: {reason}")

    def end(self, worker: int, task: Task, outcome: Outcome) -> None:
        """A task has ended."""
        entry = self._running.get(worker)
        if entry is not None and entry.task is task:
            del self._running[worker]
        self._outcomes[task.number] = outcome
        if self._console.is_json:
            self._tell(task, outcome)
            self._console.event("overall", **self.counts(), seconds_left=self.seconds_left())
        else:
            self._print_in_order()
        self._draw()

    def finish(self) -> None:
        """Print what waits for the results of tasks that never ended, and clear the bars."""
        self._console.draw_block([])
        if not self._console.is_json:
            for task in self._tasks[self._num_printed :]:
                if task.number in self._outcomes:
                    self._tell(task, self._outcomes[task.number])
            self._num_printed = len(self._tasks)

    def counts(self) -> dict[str, int]:
        """Clips done, done before, failed, and all."""
        done = sum(map(is_done, self._outcomes.values()))
        total = self._num_before + len(self._tasks)
        return {"done": done, "failed": len(self._outcomes) - done, "done_before": self._num_before, "total": total}

    def seconds_left(self) -> float | None:
        """How long the rest will take, s, if it takes as long as what was done; None at the beginning."""
        ended = len(self._outcomes)
        if not ended:
            return None
        return round((time.monotonic() - self._begun) / ended * (len(self._tasks) - ended), 1)

    def _print_in_order(self) -> None:
        while self._num_printed < len(self._tasks) and self._tasks[self._num_printed].number in self._outcomes:
            task = self._tasks[self._num_printed]
            self._tell(task, self._outcomes[task.number])
            self._num_printed += 1

    def _tell(self, task: Task, outcome: Outcome) -> None:
        """Print one result."""
        report = outcome.get("report") or {}
        if is_done(outcome):
            for warning in report.get("warnings", ()):
                self._console.warn(warning if self._console.is_json else f"{task.name}: {warning}", task.source)
            self._console.done(task.source, report.get("outputs", ()))
        else:
            self._console.fail_with(outcome, task.source)

    def _draw(self) -> None:
        self._drawn = time.monotonic()
        counts = self.counts()
        ended, total = counts["done"] + counts["failed"] + self._num_before, counts["total"]
        line = f"{ended}/{total} clips [{'#' * round(ended / max(total, 1) * _BAR_WIDTH):.<{_BAR_WIDTH}}]"
        line += f", {counts['failed']} failed" if counts["failed"] else ""
        left = self.seconds_left()
        line += "" if left is None else f", {format_seconds(left)} left"
        self._console.draw_block([line, *(self._worker_line(worker) for worker in sorted(self._running))], sys.stderr)

    def _worker_line(self, worker: int) -> str:
        entry = self._running[worker]
        seconds = time.monotonic() - entry.begun
        doing = "" if entry.progress is None else f": {format_progress_bar(entry.progress, seconds)}"
        return f"  {worker}  {entry.task.name}{doing}"


def format_seconds(seconds: float) -> str:
    """A time as hours, minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
