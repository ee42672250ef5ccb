"""A task of a batch: one clip with one set of options, which the models see once, and the files that are made of it."""

import hashlib
from argparse import Namespace
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...core.errors import MeshRecError


@dataclass(frozen=True)
class Target:
    """Files that are made with the same settings. options: of `meshrec reconstruct`, of which those of scenes and characters count."""

    paths: tuple[Path, ...]
    options: Namespace


@dataclass(frozen=True)
class Task:
    """One clip with one set of options.

    number: from 1, in the order of the plan. name: for people. source: path of the clip. options: of `meshrec reconstruct`. key: identity
    in the journal. job: number of the list's job that it belongs to. problem: why it cannot be run, or None.
    """

    number: int
    name: str
    source: str
    options: Namespace
    targets: tuple[Target, ...]
    key: str = ""
    job: int = 1
    problem: MeshRecError | None = None

    @property
    def views(self) -> tuple[str, ...]:
        """The paths of further views of the same scene."""
        return tuple(self.options.inputs[1:]) if self.options.cameras else ()

    @property
    def paths(self) -> list[Path]:
        """The paths of all its files; with several people, each stands for one file a person."""
        return [path for target in self.targets for path in target.paths]


def key_of_paths(paths: Iterable[Path], folder: Path) -> str:
    """The identity of a task in the journal of a folder: no two tasks write the same files."""
    absolute = sorted(_relative(path, folder) for path in paths)
    return hashlib.sha256("\0".join(absolute).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _relative(path: Path, folder: Path) -> str:
    try:
        return path.absolute().relative_to(folder.absolute()).as_posix()
    except ValueError:
        return path.absolute().as_posix()


def task_to_json(task: Task) -> dict[str, Any]:
    """What another process needs to execute a task."""
    return {
        "number": task.number,
        "name": task.name,
        "source": task.source,
        "options": vars(task.options),
        "targets": [{"paths": [str(path) for path in target.paths], "options": vars(target.options)} for target in task.targets],
    }


def task_from_json(content: dict[str, Any]) -> Task:
    """The inverse of `task_to_json`."""
    targets = tuple(Target(tuple(map(Path, entry["paths"])), _namespace(entry["options"])) for entry in content["targets"])
    return Task(content["number"], content["name"], content["source"], _namespace(content["options"]), targets)


def _namespace(options: dict[str, Any]) -> Namespace:
    """Options from JSON, whose lists are tuples here."""
    return Namespace(**{name: tuple(value) if isinstance(value, list) else value for name, value in options.items()})
