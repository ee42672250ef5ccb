"""The options of a job in JSON as words of `meshrec reconstruct`; paths are relative to the folder of the list."""

import json
from argparse import Action
from collections.abc import Container, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ...core.files.user_models import user_models
from ...core.options import OPEN_MODEL, OPTIONS
from ..arguments import model_flags
from .located_json import LocatedDict
from .mistakes import LIST_REMEDY, Mistakes, Place

_PATH_KEYS = ("output", "report", "cache", "blender", "python", "rig", "mapping", "betas", "contacts", "camera", "cameras", "people")
_MODEL_KEYS = model_flags()
_REPEATED_KEYS = {option.argument.flag.lstrip("-") for option in OPTIONS.values() if option.argument and option.argument.is_repeated}
_BATCH_OPTIONS = ("-h", "--help", "--progress", "--debug")  # for all jobs together


@cache
def reconstruct_flags() -> Mapping[str, Action]:
    """The options of `meshrec reconstruct` that a job may have, by their long names without dashes."""
    from ..program import build_reconstruct_parser

    actions = build_reconstruct_parser()._actions
    return {word.removeprefix("--"): action for action in actions for word in action.option_strings if word not in _BATCH_OPTIONS}


def job_words(job: Mapping[str, Any], place: Place, folder: Path, known: Container[str] | None = None) -> list[str]:
    """The options of an object as words.

    Args:
        job: option by name. place: of the object. folder: to which paths are relative. known: the options that it may have; all of
            `reconstruct` by default.

    Raises:
        JobListError: one or more cannot be what they are.
    """
    words: list[str] = []
    mistakes = Mistakes()
    for key, value in job.items():
        with mistakes.collected():
            words += _option_words(key.replace("_", "-"), value, place.inside(job, key), folder, known)
    mistakes.check()
    return words


def check_doubled(job: object, place: Place) -> None:
    """Raise InputError for an object that gives a field twice, of which JSON would keep the last."""
    if isinstance(job, LocatedDict) and job.doubled:
        key = job.doubled[0]
        raise place.inside(job, key).error("job-field-twice", "{who} gives {key} more than once.", "Give each field once.", key=key)


def _option_words(key: str, value: Any, place: Place, folder: Path, known: Container[str] | None) -> list[str]:
    """One option as words. Raises InputError: there is no such option here, or it cannot have this value."""
    flags = reconstruct_flags()
    if key == "height" and isinstance(value, list):
        value = ",".join(map(str, value))  # one word
    switch = _switch(key, value, flags)
    if not _is_known(key, switch, flags if known is None else known):
        raise place.error("job-option-unknown", "{who} has {key}, which is no option of a job.", LIST_REMEDY, key=key)
    if value is None:
        return []
    if switch is None and _is_word_or_list(key, value):
        return [f"--{key}={_option_word(key, word, folder)}" for word in as_list(value)]
    if switch is not None and isinstance(value, bool):
        return [f"--{switch}"] if value == (switch == key) else []
    raise place.error(
        "job-option-value-wrong",
        "{who} gives {key} the value {value}, which it cannot have.",
        "Give {key} what `meshrec reconstruct --{key}` takes." if switch is None else "Give {key} true or false.",
        key=key,
        value=json.dumps(value),
    )


def _is_known(key: str, switch: str | None, known: Container[str]) -> bool:
    """Whether an option may be given, by its name or by that of its switch."""
    return key in known or (switch is not None and switch in known)


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


def as_list(value: Any) -> list[Any]:
    """A list as it is, and anything else as a list of it."""
    return value if isinstance(value, list) else [value]


def _option_word(key: str, value: object, folder: Path) -> str:
    """An option's value as a word; paths are relative to the folder of the list."""
    is_path = key in _PATH_KEYS or (key in _MODEL_KEYS and not _is_model_name(str(value), folder))
    return str(folder / str(value)) if is_path else str(value)


def _is_model_name(model: str, folder: Path) -> bool:
    """Whether a body or SKEL file is given by name instead of a path relative to the folder."""
    return model == OPEN_MODEL or (model in user_models() and not (folder / model).exists())
