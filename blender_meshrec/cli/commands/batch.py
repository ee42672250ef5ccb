"""`meshrec batch`: reconstructions one after another, from a list in JSON.

    [{"input": "a.mp4", "output": "a.fbx", "person": "all", "preset": "unreal"},
     {"input": ["b.mp4", "c.mp4"], "output": "shots", "format": "fbx,npz", "no-contacts": true}]

A job's keys are the long options of `meshrec reconstruct`. Paths are relative to the folder of the list.
"""

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

from ...core.errors import InputError
from ...core.files.user_models import user_models
from ...core.options import OPEN_MODEL
from ..arguments import model_flags
from ..console import Console
from . import reconstruct

_PATH_KEYS = ("output", "report", "cache", "blender", "python", "rig", "mapping")
_MODEL_KEYS = model_flags()
_REMEDY = 'Write a list of jobs such as [{{"input": "a.mp4", "output": "a.fbx"}}]; other keys are the options of `meshrec reconstruct`.'


def run(options: Namespace, console: Console) -> int:
    """Check all jobs, then run each; returns the highest exit code."""
    jobs = [_parse_job(words, number) for number, words in enumerate(read_jobs(options.jobs), 1)]
    codes: list[int] = []
    for number, job in enumerate(jobs, 1):
        try:
            codes.append(reconstruct.run(job, console))
        except Exception as error:  # noqa: BLE001 - the remaining jobs must still run
            codes.append(console.fail(error, f"Job {number}"))
    return max(codes)


def read_jobs(path: str | Path) -> list[list[str]]:
    """The jobs of a list as words of the command line.

    Raises:
        InputError: the file cannot be read or is not a list of jobs.
    """
    try:
        jobs = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(
            "job-list-unreadable", "{path} cannot be read: {reason}.", "Check the path.", path=path, reason=error.strerror
        ) from error
    except ValueError as error:
        raise InputError("job-list-not-json", "{path} is not JSON: {reason}.", _REMEDY, path=path, reason=error) from error
    if not isinstance(jobs, list) or not jobs or not all(isinstance(job, dict) for job in jobs):
        raise InputError("job-list-malformed", "{path} is not a list of jobs.", _REMEDY, path=path)
    return [_job_arguments(job, number, Path(path).absolute().parent) for number, job in enumerate(jobs, 1)]


def _parse_job(words: list[str], number: int) -> Namespace:
    from ..program import build_parser

    try:
        return build_parser().parse_args(words)
    except InputError as error:
        problem = f"{error.problem[:1].lower()}{error.problem[1:]}"
        raise InputError("job-options-wrong", "Job {number}: {problem}", error.remedy, number=number, problem=problem) from error


def _job_arguments(job: dict[str, Any], number: int, folder: Path) -> list[str]:
    """A job as words of `meshrec reconstruct`."""
    job = {key.replace("_", "-"): value for key, value in job.items()}
    if not {"input", "output"} <= job.keys():
        raise InputError(
            "job-incomplete", "Job {number} has no {what}.", _REMEDY, number=number, what="input" if "input" not in job else "output"
        )
    words = ["reconstruct", *(str(folder / str(source)) for source in _as_list(job.pop("input")))]
    for key, values in job.items():
        for value in _as_list(values):
            if value is True:
                words.append(f"--{key}")
            elif value is not False and value is not None:
                words.append(f"--{key}={_option_word(key, value, folder)}")
    return words


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _option_word(key: str, value: object, folder: Path) -> str:
    """An option's value as a word; paths are relative to the folder of the list."""
    is_path = key in _PATH_KEYS or (key in _MODEL_KEYS and not _is_model_name(str(value), folder))
    return str(folder / str(value)) if is_path else str(value)


def _is_model_name(model: str, folder: Path) -> bool:
    """Whether a body or SKEL file is given by name instead of a path relative to the folder."""
    return model == OPEN_MODEL or (model in user_models() and not (folder / model).exists())
