"""The Ray engine: the same tasks on the nodes of a Ray cluster, each worker with a backend of its own that stays up.

Ray is not among this software's own dependencies: `pip install ray` into the environment that `meshrec` runs in, and on the nodes. This
software and all paths must be the same on every node, as on a shared disk.
"""

import contextlib
import importlib
import json
import os
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ...bridge import backend_process
from ...bridge.backend_location import PACKAGE_FOLDER
from ...bridge.messages import Progress
from ...core.errors import InputError, MeshRecError, NotSetUpError
from . import ray_node
from .engine import Event
from .outcome import failed
from .task import Task, task_to_json

MAX_ATTEMPTS = 4  # of one task, of which all but the last may end with their worker
_POLL_SECONDS = 0.5  # s


class RayEngine:
    """Workers on a Ray cluster.

    Args:
        folder: of the batch, on the same path on every node. address: of the cluster; None for one on this computer. cpus, gpus: that a
            worker occupies. num_workers: None for as many as the cluster has room for.

    Raises:
        NotSetUpError: Ray is not installed. InputError: no cluster answers at the address, or none of its nodes has room for a worker.
    """

    name = "ray"

    def __init__(
        self,
        folder: Path,
        address: str | None = None,
        cpus: float = 1.0,
        gpus: float = 0.0,
        num_workers: int | None = None,
    ) -> None:
        self._ray = _import_ray()
        self._was_connected = self._ray.is_initialized()
        self._connect(address)
        self._settings = {"folder": str(folder.absolute()), "launch_script": str(backend_process.LAUNCH_SCRIPT)}
        self._resources = {"num_cpus": cpus, "num_gpus": gpus}
        self.num_workers = num_workers or self._room(cpus, gpus)
        self._actors: dict[int, Any] = {}
        self._redirection = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._redirection.enter_context(contextlib.redirect_stdout(sys.stderr))  # where Ray prints of nodes and their errors
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._redirection.close()
        for actor in self._actors.values():
            self._ray.kill(actor)
        self._actors.clear()
        if not self._was_connected:
            self._ray.shutdown()

    def run(self, tasks: Sequence[Task]) -> Iterator[Event]:
        """Execute the tasks, as of Engine. A task whose worker dies is begun again on a new one."""
        waiting = deque((task, 1) for task in tasks)
        idle = deque(range(1, min(self.num_workers, len(tasks)) + 1))
        running: dict[Any, tuple[int, Task, int]] = {}
        while waiting or running:
            while waiting and idle:
                worker, (task, attempt) = idle.popleft(), waiting.popleft()
                if worker not in self._actors:
                    self._actors[worker] = self._start_worker()
                    yield from self._tell_of_worker(worker)
                running[self._actors[worker].execute.remote(json.dumps(task_to_json(task)))] = worker, task, attempt
                yield Event("begin", worker, task)
            ready, _others = self._ray.wait(list(running), timeout=_POLL_SECONDS)
            if not ready:
                yield from self._progress_of(running.values())
            for reference in ready:
                worker, task, attempt = running.pop(reference)
                event = self._end_of(reference, worker, task, attempt)
                if event.kind == "retry":
                    self._actors.pop(worker, None)
                    waiting.appendleft((task, attempt + 1))
                idle.append(worker)
                yield event

    def _end_of(self, reference: Any, worker: int, task: Task, attempt: int) -> Event:
        """The "end" event of a task that has ended, or "retry" where its worker has died."""
        errors = self._ray.exceptions
        try:
            return Event("end", worker, task, outcome=json.loads(self._ray.get(reference)))
        except (errors.RayActorError, errors.NodeDiedError, errors.OutOfMemoryError) as error:
            self._actors.pop(worker, None)
            if attempt < MAX_ATTEMPTS:
                return Event("retry", worker, task, facts={"reason": _first_line(error)})
            problem = "The worker died in each of {count} attempts: {reason}."
            remedy = "See Ray's log of that node, and give each worker more memory, or fewer workers to a node."
            lost = MeshRecError("batch-worker-died", problem, remedy, count=attempt, reason=_first_line(error))
            return Event("end", worker, task, outcome=failed(lost))
        except Exception as error:  # noqa: BLE001 - whatever a node raises, the other tasks must still run
            return Event("end", worker, task, outcome=failed(error))

    def _tell_of_worker(self, worker: int) -> Iterator[Event]:
        try:
            yield Event("worker", worker, facts=json.loads(self._ray.get(self._actors[worker].about.remote(), timeout=120)))
        except Exception as error:  # noqa: BLE001 - it may have died already, which its first task tells
            yield Event("worker", worker, facts={"problem": _first_line(error)})

    def _progress_of(self, running: Any) -> Iterator[Event]:
        """Where the tasks are, of the workers that answer at once."""
        asked = {self._actors[worker].progress.remote(): (worker, task) for worker, task, _attempt in running if worker in self._actors}
        answered, _others = self._ray.wait(list(asked), num_returns=len(asked), timeout=_POLL_SECONDS) if asked else ([], [])
        for reference in answered:
            worker, task = asked[reference]
            try:
                content = json.loads(self._ray.get(reference))
            except Exception:  # noqa: BLE001 - the worker has died; its task tells
                continue
            if content:
                yield Event("progress", worker, task, Progress(*content))

    def _start_worker(self) -> Any:
        self._ray.cloudpickle.register_pickle_by_value(ray_node)
        variables = {name: value for name, value in os.environ.items() if name.startswith("MESHREC_")}
        options = {**self._resources, "max_restarts": 0, "max_concurrency": 2, "runtime_env": {"env_vars": variables}}
        actor = self._ray.remote(ray_node.NodeWorker).options(**options)
        return actor.remote(str(PACKAGE_FOLDER), self._settings)

    def _connect(self, address: str | None) -> None:
        if self._was_connected:
            return
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent to anybody
        try:
            self._ray.init(address=address, include_dashboard=None if address else False, log_to_driver=False, logging_level="ERROR")
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise InputError(
                "ray-cluster-not-found",
                "No Ray cluster answers at {address}: {reason}.",
                "Start one with `ray start --head`, and give its address as --address.",
                address=address or "this computer",
                reason=_first_line(error),
            ) from error

    def _room(self, cpus: float, gpus: float) -> int:
        """The number of workers that the cluster's nodes have room for."""
        rooms = []
        for node in self._ray.nodes():
            has = node["Resources"] if node["Alive"] else {}
            rooms.append(min(int(has.get(name, 0) / each) for name, each in (("CPU", cpus), ("GPU", gpus)) if each))
        if not sum(rooms):
            raise InputError(
                "ray-cluster-too-small",
                "No node of the cluster has {cpus:g} cores and {gpus:g} graphics cards for a worker.",
                "Give smaller numbers as --cpus and --gpus, or add nodes.",
                cpus=cpus,
                gpus=gpus,
            )
        return sum(rooms)


def _import_ray() -> Any:
    try:
        ray = importlib.import_module("ray")
        importlib.import_module("ray.cloudpickle")
        return ray
    except ImportError as error:
        raise NotSetUpError(
            "ray-not-installed",
            "Ray is not installed where this command runs.",
            "Run `pip install ray` in its environment, or leave out --engine ray.",
        ) from error


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
