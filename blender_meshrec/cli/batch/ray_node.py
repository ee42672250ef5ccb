"""The part of the Ray engine that runs on the nodes: it finds this software by its folder, and has no other import of it.

Ray sends this module by value, because the add-on has another name inside Blender than on the nodes.
"""

import importlib
import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any

PACKAGE_NAME = "blender_meshrec"


def import_package(package_folder: str) -> None:
    """Make the package importable under PACKAGE_NAME, whatever its folder is called."""
    if PACKAGE_NAME in sys.modules:
        return
    init = Path(package_folder) / "__init__.py"
    spec = importlib.util.spec_from_file_location(PACKAGE_NAME, init, submodule_search_locations=[package_folder])
    if spec is None or spec.loader is None or not init.is_file():
        raise ImportError(f"{package_folder} is not on this node: it must be at the same path on all of them")
    package = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE_NAME] = package
    spec.loader.exec_module(package)


class NodeWorker:
    """A worker on a node, with a backend that stays up; what goes in and out is JSON.

    Args:
        package_folder: of this software on the nodes. settings: folder of the batch, and launch_script of the backend.
    """

    def __init__(self, package_folder: str, settings: dict[str, Any]) -> None:
        import_package(package_folder)
        execution = importlib.import_module(f"{PACKAGE_NAME}.cli.batch.execute")
        sessions = importlib.import_module(f"{PACKAGE_NAME}.bridge.backend_session")
        self._execution, self._tasks = execution, importlib.import_module(f"{PACKAGE_NAME}.cli.batch.task")
        self._folder = Path(settings["folder"])
        self._models = execution.Models(sessions.BackendSession(launch_script=settings["launch_script"]))
        self._progress: list[Any] = []

    def about(self) -> str:
        """The process of this worker, and its computer."""
        import platform

        return json.dumps({"node": platform.node(), "pid": os.getpid()})

    def execute(self, task: str) -> str:
        """Execute a task; returns its Outcome."""

        def note(progress: Any) -> None:
            self._progress = [progress.stage, progress.done, progress.total, progress.unit]

        outcome = self._execution.execute(self._tasks.task_from_json(json.loads(task)), self._models, self._folder, note)
        self._progress = []
        return json.dumps(outcome)

    def progress(self) -> str:
        """The stage, done, total and unit of the task that runs; [] if none does."""
        return json.dumps(self._progress)
