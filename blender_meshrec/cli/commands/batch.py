"""`meshrec batch`: reconstructions one after another, from a list in JSON.

    [{"input": "a.mp4", "output": "a.fbx", "person": "all", "preset": "unreal"},
     {"input": ["b.mp4", "c.mp4"], "output": "shots", "format": "fbx,npz", "no-contacts": true}]

A job's keys are the long options of `meshrec reconstruct`. Paths are relative to the folder of the list.
"""

import json
import os
from argparse import Action, Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...core.errors import InputError
from ...core.files.input_file import read_json
from ...core.files.user_models import user_models
from ...core.option_choices import OUTPUT_SUFFIXES
from ...core.options import OPEN_MODEL, OPTIONS
from ..arguments import model_flags
from ..console import Console
from . import reconstruct

_PATH_KEYS = ("output", "report", "cache", "blender", "python", "rig", "mapping", "betas", "contacts")
_MODEL_KEYS = model_flags()
_REPEATED_KEYS = {option.argument.flag.lstrip("-") for option in OPTIONS.values() if option.argument and option.argument.is_repeated}
_BATCH_OPTIONS = ("-h", "--help", "--progress", "--debug")  # for all jobs together
_REMEDY = 'Write a list of jobs such as [{{"input": "a.mp4", "output": "a.fbx"}}]; other keys are the options of `meshrec reconstruct`.'


def run(options: Namespace, console: Console) -> int:
    """Check all jobs, then run each; returns the highest exit code."""
    jobs = [_parse_job(words, number) for number, words in enumerate(read_jobs(options.jobs), 1)]
    _check_files_differ(jobs)
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
        jobs = read_json(path, encoding="utf-8-sig")
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
    flags = _reconstruct_flags()
    for key, value in job.items():
        words += _option_words(key, value, number, folder, flags)
    return words


def _reconstruct_flags() -> dict[str, Action]:
    """The options of `meshrec reconstruct` that a job may have, by their long names without dashes."""
    from ..program import build_reconstruct_parser

    actions = build_reconstruct_parser()._actions
    return {word.removeprefix("--"): action for action in actions for word in action.option_strings if word not in _BATCH_OPTIONS}


def _option_words(key: str, value: Any, number: int, folder: Path, flags: Mapping[str, Action]) -> list[str]:
    """One option of a job as words of `meshrec reconstruct`.

    Raises:
        InputError: there is no such option, or it cannot have this value.
    """
    if key == "height" and isinstance(value, list):
        value = ",".join(map(str, value))  # one word
    switch = _switch(key, value, flags)
    if key not in flags and switch is None:
        raise InputError("job-option-unknown", "Job {number} has {key}, which is no option of a job.", _REMEDY, number=number, key=key)
    if value is None:
        return []
    if switch is None and _is_word_or_list(key, value):
        return [f"--{key}={_option_word(key, word, folder)}" for word in _as_list(value)]
    if switch is not None and isinstance(value, bool):
        return [f"--{switch}"] if value == (switch == key) else []
    raise InputError(
        "job-option-value-wrong",
        "Job {number} gives {key} the value {value}, which it cannot have.",
        "Give {key} what `meshrec reconstruct --{key}` takes." if switch is None else "Give {key} true or false.",
        number=number,
        key=key,
        value=json.dumps(value),
    )


def _switch(key: str, value: Any, flags: Mapping[str, Action]) -> str | None:
    """The flag without a value that a key means; "contacts" means --no-contacts, and with the path of a file the option --contacts."""
    is_file = key in flags and (isinstance(value, list) or (isinstance(value, str) and Path(value).suffix != ""))
    names = (key,) if is_file else (key, f"no-{key}")
    return next((name for name in names if name in flags and flags[name].nargs == 0), None)


def _is_word_or_list(key: str, value: object) -> bool:
    """Whether a value is a word or a number, or several of an option that may be repeated."""
    if isinstance(value, list):
        return key in _REPEATED_KEYS and bool(value) and all(isinstance(word, str) for word in value)
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _check_files_differ(jobs: Sequence[Namespace]) -> None:
    """Raise InputError if a job would replace the output file or the report of an earlier one."""
    seen: dict[str, int] = {}
    for number, job in enumerate(jobs, 1):
        files = [job.report] if job.report else []
        files += [job.output] if Path(job.output).suffix.lower() in OUTPUT_SUFFIXES else []
        for path in dict.fromkeys(os.path.abspath(path) for path in files):
            if path in seen and not os.path.isdir(path):
                raise InputError(
                    "jobs-collide",
                    "Jobs {first} and {second} would both write {path}.",
                    "Give each job an output and a report of its own.",
                    first=seen[path],
                    second=number,
                    path=path,
                )
            seen.setdefault(path, number)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _option_word(key: str, value: object, folder: Path) -> str:
    """An option's value as a word; paths are relative to the folder of the list."""
    is_path = key in _PATH_KEYS or (key in _MODEL_KEYS and not _is_model_name(str(value), folder))
    return str(folder / str(value)) if is_path else str(value)


def _is_model_name(model: str, folder: Path) -> bool:
    """Whether a body or SKEL file is given by name instead of a path relative to the folder."""
    return model == OPEN_MODEL or (model in user_models() and not os.path.exists(folder / model))
