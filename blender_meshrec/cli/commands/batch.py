"""`meshrec batch`: reconstructions one after another, from a list in JSON.

    [{"input": "a.mp4", "output": "a.fbx", "person": "all", "preset": "unreal"},
     {"input": ["b.mp4", "c.mp4"], "output": "shots", "format": "fbx,npz", "no-contacts": true}]

A job's keys are the long options of `meshrec reconstruct`. Paths start from the folder that the list is in.
"""

import json
from pathlib import Path

from ...core.errors import InputError
from ...core.files.user_models import user_models
from . import reconstruct

_PATH_OPTIONS = ("output", "report", "cache", "blender", "python", "rig", "mapping")
_MODEL_OPTIONS = ("body", "skel")  # "open", a path, or a name
_REMEDY = 'Write a list of jobs such as [{{"input": "a.mp4", "output": "a.fbx"}}]; other keys are the options of `meshrec reconstruct`.'


def run(options, console):
    """Check every job, then run each; the highest exit code of them all."""
    jobs = [_parse_job(words, number) for number, words in enumerate(read_jobs(options.jobs), 1)]
    codes = []
    for number, job in enumerate(jobs, 1):
        try:
            codes.append(reconstruct.run(job, console))
        except Exception as error:  # noqa: BLE001 - the jobs after this one are to have their turn
            codes.append(console.fail(error, f"Job {number}"))
    return max(codes)


def read_jobs(path):
    """The list as command lines. Raises InputError where it is not one."""
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


def _parse_job(words, number):
    from ..program import build_parser

    try:
        return build_parser().parse_args(words)
    except InputError as error:
        problem = f"{error.problem[:1].lower()}{error.problem[1:]}"
        raise InputError("job-options-wrong", "Job {number}: {problem}", error.remedy, number=number, problem=problem) from error


def _job_arguments(job, number, folder):
    """A job as the words of `meshrec reconstruct`."""
    job = {key.replace("_", "-"): value for key, value in job.items()}
    if not {"input", "output"} <= job.keys():
        raise InputError(
            "job-incomplete", "Job {number} has no {what}.", _REMEDY, number=number, what="input" if "input" not in job else "output"
        )
    inputs = job.pop("input")
    words = ["reconstruct", *(str(folder / str(source)) for source in (inputs if isinstance(inputs, list) else [inputs]))]
    for key, value in job.items():
        for one in value if isinstance(value, list) else [value]:
            if one is True:
                words.append(f"--{key}")
            elif one is not False and one is not None:
                is_path = key in _PATH_OPTIONS or (key in _MODEL_OPTIONS and not _is_model_name(str(one), folder))
                words.append(f"--{key}={folder / str(one) if is_path else one}")
    return words


def _is_model_name(model, folder):
    """Whether a body or SKEL file is called by a name rather than by its path from the folder."""
    return model == "open" or (model in user_models() and not (folder / model).exists())
