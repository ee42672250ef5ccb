"""What an engine is: it executes tasks on this computer or on many, and tells what happens as a stream of events."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol, Self

from ...bridge.messages import Progress
from .outcome import Outcome
from .task import Task


@dataclass(frozen=True)
class Event:
    """Something that happened.

    kind: "worker" (one is there), "begin", "progress", "retry" or "end" of a task. worker: its number, from 1. task: the task, None of a
    worker. outcome: of "end". facts: of "worker", and the reason of "retry".
    """

    kind: str
    worker: int
    task: Task | None = None
    progress: Progress | None = None
    outcome: Outcome | None = None
    facts: dict[str, Any] = field(default_factory=dict)


class Engine(Protocol):
    """A way to execute tasks. As a context manager it ends its processes, at once, when it is left."""

    name: str
    num_workers: int

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...

    def run(self, tasks: Sequence[Task]) -> Iterator[Event]:
        """Execute the tasks, which are begun in their order; each ends in one "end" event."""
        ...
