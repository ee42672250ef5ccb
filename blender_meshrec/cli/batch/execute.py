"""Executing one task: the models see its clip once, and every target is made of what they found."""

import base64
import contextlib
import sys
import threading
import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...bridge.backend_session import BackendSession
from ...bridge.messages import Progress, Result
from ...core.errors import CancelledError, MeshRecError
from .. import surfaces
from ..commands.reconstruct import build_request, finite_or_none, write_results
from .fingerprint import describe_outputs
from .outcome import Outcome, failed
from .task import Task

OnProgress = Callable[[Progress], None]
# A backend that was ended by others, most often for lack of memory while a neighbour worked: the clip is tried once more.
_TRIED_AGAIN = ("backend-killed-by-system", "backend-ended-from-outside", "backend-crashed")


class Models:
    """A backend that stays up, for the tasks of one worker; `lock` is held by the task that uses it."""

    def __init__(self, session: BackendSession) -> None:
        self.session = session
        self.lock = threading.Lock()

    def recover(self, task: Task, surface_prefix: str | None, on_progress: OnProgress, on_retry: Callable[[str], None]) -> Result:
        """What the models find in a task's clip. Raises MeshRecError."""
        request = build_request(task.source, task.options, surface_prefix)
        self.session.use_python(task.options.python)
        try:
            return self.session.run(request, on_progress)
        except MeshRecError as error:
            if error.name not in _TRIED_AGAIN:
                raise
            on_retry(str(error.problem))
        return self.session.run(request, on_progress)


def execute(
    task: Task,
    models: Models,
    folder: Path,
    on_progress: OnProgress = lambda progress: None,
    on_retry: Callable[[str], None] = lambda reason: None,
    release: Callable[[], None] = lambda: None,
) -> Outcome:
    """Execute a task; its files appear whole or not at all.

    Args:
        folder: of the batch, to which the outcome's paths are relative. release: called when the models are no longer needed.

    Raises:
        CancelledError: the backend was cancelled. Any other error is an Outcome.
    """
    start = time.perf_counter()
    try:
        with contextlib.ExitStack() as stack:
            stack.callback(release)
            prefix = stack.enter_context(surfaces.scratch_prefix(task.options))
            result = models.recover(task, prefix, on_progress, on_retry)
            memory = models.session.memory_bytes()
            release()
            report = _write(task, result, prefix, on_progress)
        outcome = _outcome(report, result, folder)
    except CancelledError:
        raise
    except Exception as error:  # noqa: BLE001 - the other tasks must still run
        outcome, memory = failed(error), models.session.memory_bytes()
        outcome["details"] = "\n".join(getattr(error, "__notes__", ()))
    outcome["seconds"] = round(time.perf_counter() - start, 3)
    outcome["memory_mb"] = None if memory is None else round(memory / 1e6, 1)
    return outcome


def _write(task: Task, result: Result, prefix: str | None, on_progress: OnProgress) -> dict[str, Any]:
    """Write the files of every target; returns the report of them all."""
    report: dict[str, Any] = result.report
    for target in task.targets:
        options = Namespace(**{**vars(task.options), **vars(target.options)})
        options.blender = options.blender or _this_blender()
        report = write_results(task.source, target.paths, options, result, report, prefix, on_progress)
    return report


def _this_blender() -> str | None:
    """The program of the Blender that this process is, None if it is none: several threads write at once, and bpy is for one."""
    bpy = sys.modules.get("bpy")
    return (bpy.app.binary_path or sys.executable) if bpy is not None else None


def _outcome(report: dict[str, Any], result: Result, folder: Path) -> Outcome:
    picture = None if result.picture is None else base64.b64encode(result.picture.tobytes()).decode("ascii")
    return {
        "status": "done",
        "exit_code": 0,
        "outputs": describe_outputs(report["outputs"], folder),
        "report": finite_or_none(report),
        "picture": picture,
    }
