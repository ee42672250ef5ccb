"""Fingerprints: of a task, to see that its clip, its options or this software have changed, and of the files that it has written."""

import hashlib
import json
import os
from argparse import Namespace
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from ...core.version import version
from ..people_option import people_file
from .task import Task

MAX_WHOLE_BYTES = 256 * 2**20  # larger files are represented by samples
NUM_SAMPLES, SAMPLE_BYTES = 64, 2**20
# What changes nothing in the files: where things are, and what is printed. Files among the options count by their content.
_WITHOUT_EFFECT = frozenset(
    ("inputs", "output", "report", "cache", "no_cache", "blender", "python", "progress", "debug", "command", "format", "people_list")
)


def task_fingerprint(task: Task) -> str:
    """A digest of a task's clip, options and this software's version; a clip that is missing has one, too."""
    people = people_file(getattr(task.options, "people_list", None), task.source)
    described = {
        "version": version(),
        "clip": [path_digest(Path(source)) for source in (task.source, *task.views)],
        "options": _options(task.options),
        "people": None if people is None else path_digest(Path(people)),
        "targets": [[sorted(path.suffix.lower() for path in target.paths), _options(target.options)] for target in task.targets],
    }
    return hashlib.sha256(json.dumps(described, sort_keys=True, default=str).encode("utf-8", "surrogateescape")).hexdigest()


def _options(options: Namespace) -> dict[str, Any]:
    """The options that have an effect; paths of files as digests, so that a folder may be moved."""
    return {name: _value(value) for name, value in vars(options).items() if name not in _WITHOUT_EFFECT}


def _value(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_value(item) for item in value]
    if not isinstance(value, str) or not (os.path.dirname(value) or os.path.splitext(value)[1]):
        return value
    file, _, part = value.rpartition("#") if "#" in value and not os.path.exists(value) else (value, "", "")
    return [path_digest(Path(file)), part] if os.path.exists(file) else value


def path_digest(path: Path) -> str:
    """A digest of a file's content, or of the names and contents of a folder's files; "missing" where there is none."""
    try:
        if path.is_dir():
            files = sorted(file for file in path.iterdir() if file.is_file())
            listed = "\0".join(f"{file.name}\0{path_digest(file)}" for file in files)
            return hashlib.sha256(listed.encode("utf-8", "surrogateescape")).hexdigest()
        state = path.stat()
        return _file_digest(os.fspath(path.absolute()), state.st_size, state.st_mtime_ns)
    except OSError:
        return "missing"


@lru_cache(maxsize=4096)
def _file_digest(path: str, size: int, _modified: int) -> str:
    """A digest of a file's size and content, of a large one of samples of it. Raises OSError."""
    digest = hashlib.sha256(str(size).encode())
    with open(path, "rb") as file:
        if size <= MAX_WHOLE_BYTES:
            while block := file.read(SAMPLE_BYTES):
                digest.update(block)
        else:
            for index in range(NUM_SAMPLES):
                file.seek((size - SAMPLE_BYTES) * index // (NUM_SAMPLES - 1))
                digest.update(file.read(SAMPLE_BYTES))
    return digest.hexdigest()


def describe_outputs(paths: Iterable[str | Path], folder: Path) -> list[dict[str, Any]]:
    """What the journal stores of written files: path relative to `folder` where it is inside, bytes and digest."""
    described: list[dict[str, Any]] = []
    for path in map(Path, paths):
        absolute = path.absolute()
        inside = absolute.is_relative_to(folder.absolute())
        shown = absolute.relative_to(folder.absolute()).as_posix() if inside else absolute.as_posix()
        described.append({"path": shown, "bytes": path.stat().st_size, "digest": path_digest(path)})
    return described


def changed_outputs(described: Iterable[dict[str, Any]], folder: Path) -> list[str]:
    """Of files that the journal describes, those that are missing or not as they were written; [] if all are."""
    return [entry["path"] for entry in described if path_digest(folder / entry["path"]) != entry["digest"]]
