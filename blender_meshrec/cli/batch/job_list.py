"""Reading a list of jobs: either jobs one by one, or clips, options and targets of which every combination is made.

    [{"input": "a.mp4", "output": "a.fbx", "person": "all", "preset": "unreal"},
     {"input": ["b.mp4", "c.mp4"], "output": "shots", "format": "fbx,npz", "no-contacts": true}]

    {"clips": ["takes", {"input": "b.mp4", "name": "solo", "height": 182}],
     "options": [{"name": "draft", "quality": "draft"}, {"name": "best", "quality": "best"}],
     "targets": [{"name": "hero", "rig": "hero.blend#Hero", "preset": "unreal", "format": "fbx"}, {"format": "npz"}],
     "folder": "out", "names": "{folder}/{clip}_{options}_{target}.{format}"}

The options are the long ones of `meshrec reconstruct`. Paths are relative to the folder of the list.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...core.errors import InputError
from ...core.files.input_file import MAX_JSON_BYTES, refuse_special_file
from ...core.options import CHARACTER_OPTIONS, SCENE_OPTIONS
from .job_words import as_list, check_doubled, job_words, reconstruct_flags
from .located_json import LocatedDict, parse_located_json
from .mistakes import LIST_REMEDY, Mistakes, Place, require
from .names import check_template

TABLE_FIELDS = ("clips", "options", "targets", "folder", "names", "report")
# What a target may choose: the character, the scene and the file. The rest is of the clip, which is seen once for all targets.
TARGET_FLAGS = frozenset(
    [option.argument.flag.lstrip("-") for option in (*SCENE_OPTIONS, *CHARACTER_OPTIONS) if option.argument]
    + [flag.lstrip("-") for option in SCENE_OPTIONS if option.argument for flag in option.argument.other_flags]
    + ["rig", "mapping", "format", "blender"]
)
_OF_TABLE = frozenset(("output", "report"))  # which a table says once


@dataclass(frozen=True)
class ListJob:
    """A job of a list. words: of `meshrec reconstruct`, its inputs and output included. place: of the job."""

    words: list[str]
    place: Place


@dataclass(frozen=True)
class Choice:
    """One of the alternatives of a table: a clip, a set of options or a target. inputs: of a clip; name: "" where none is given."""

    name: str
    words: list[str]
    place: Place
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True)
class JobTable:
    """Every clip is made with every set of options for every target. folder: of the outputs. names, report: templates, or None."""

    clips: list[Choice]
    options: list[Choice]
    targets: list[Choice]
    folder: str
    names: str | None = None
    report: str | None = None


def read_job_list(path: str | Path) -> list[ListJob] | JobTable:
    """The content of a list of jobs.

    Raises:
        InputError: the file cannot be read. JobListError: it has mistakes.
    """
    content = _read(path)
    folder = Path(path).absolute().parent
    if isinstance(content, dict):
        return _read_table(content, folder)
    if not isinstance(content, list) or not content:
        raise InputError("job-list-malformed", "{path} is not a list of jobs.", LIST_REMEDY, path=path)
    mistakes = Mistakes()
    jobs: list[ListJob] = []
    for index, job in enumerate(content):
        with mistakes.collected():
            place = Place("", 1).inside(content, index, f"Job {index + 1}")
            require(isinstance(job, dict), place, "job-not-object", "{who} is not an object with an input and an output.")
            jobs.append(ListJob(_job_arguments(job, place, folder), place))
    mistakes.check()
    return jobs


def _read(path: str | Path) -> Any:
    """The content of a JSON file, as of located_json.py."""
    try:
        refuse_special_file(path)
        with open(path, "rb") as file:
            content = file.read(MAX_JSON_BYTES + 1)
    except OSError as error:
        raise InputError(
            "job-list-unreadable", "{path} cannot be read: {reason}.", "Check the path.", path=path, reason=error.strerror
        ) from error
    if len(content) > MAX_JSON_BYTES:
        problem = "{name} is larger than {limit:.0f} MB, the limit for such a file."
        raise InputError("json-too-large", problem, "Choose another file, or split it.", name=path, limit=MAX_JSON_BYTES / 2**20)
    try:
        return parse_located_json(content.decode("utf-8-sig"))
    except ValueError as error:
        raise InputError("job-list-not-json", "{path} is not JSON: {reason}.", LIST_REMEDY, path=path, reason=error) from error


def _job_arguments(job: Mapping[str, Any], place: Place, folder: Path) -> list[str]:
    """A job of a list as words of `meshrec reconstruct`."""
    check_doubled(job, place)
    for key in ("input", "output"):
        require(key in job, place, "job-incomplete", "{who} has no {what}.", what=key)
    inputs = _inputs(job, place, folder)
    options = LocatedDict((key, value) for key, value in job.items() if key != "input")
    options.lines = getattr(job, "lines", {})
    return ["reconstruct", *inputs, *job_words(options, place, folder)]


def _inputs(job: Mapping[str, Any], place: Place, folder: Path) -> list[str]:
    """The paths of an object's input, a path or a list of paths."""
    inputs = as_list(job["input"])
    is_right = bool(inputs) and all(isinstance(source, str) and source for source in inputs)
    problem = "{who} has an input that is neither a path nor a list of paths."
    require(is_right, place.inside(job, "input"), "job-input-malformed", problem)
    return [str(folder / source) for source in inputs]


# --- clips x options x targets ----------------------------------------------------------------------------------------


def _read_table(content: Mapping[str, Any], folder: Path) -> JobTable:
    mistakes, top = Mistakes(), Place("", 1)
    with mistakes.collected():
        check_doubled(content, top)
    for key in content:
        with mistakes.collected():
            known = ", ".join(TABLE_FIELDS)
            problem = "{who} has {key}, which is none of its fields."
            require(key in TABLE_FIELDS, top.inside(content, key), "job-table-field-unknown", problem, "Its fields are {known}.",
                    key=key, known=known)  # fmt: skip
    clips = _clips(content, top, folder, mistakes)
    shared = frozenset(reconstruct_flags()) - _OF_TABLE
    options = _choices(content, "options", shared - {"rig", "mapping"}, folder, mistakes)
    targets = _choices(content, "targets", TARGET_FLAGS, folder, mistakes)
    texts = {key: _text(content, key, top, mistakes) for key in ("folder", "names", "report")}
    for key in ("names", "report"):
        with mistakes.collected():
            _check_template_at(key, texts[key], top.inside(content, key))
    mistakes.check()
    return JobTable(clips, options, targets, str(folder / (texts["folder"] or ".")), texts["names"], texts["report"])


def _check_template_at(key: str, template: str | None, place: Place) -> None:
    if template is None:
        return
    try:
        check_template(template if key == "names" else f"{template}.{{format}}")
    except InputError as error:
        raise place.error(f"job-{key}-wrong", "{problem}", error.remedy, problem=error.problem.rstrip(".")) from error


def _text(content: Mapping[str, Any], key: str, top: Place, mistakes: Mistakes) -> str | None:
    """A field that is a text, or None."""
    value = content.get(key)
    with mistakes.collected():
        is_right = value is None or (isinstance(value, str) and value != "")
        require(is_right, top.inside(content, key), "job-table-not-text", "{key} is not a text.", key=key)
    return value if isinstance(value, str) else None


def _clips(content: Mapping[str, Any], top: Place, folder: Path, mistakes: Mistakes) -> list[Choice]:
    clips = content.get("clips")
    with mistakes.collected():
        problem = "{who} has no clips: a list of paths, or of objects with an input."
        require(isinstance(clips, list) and bool(clips), top.inside(content, "clips"), "job-table-without-clips", problem)
    found: list[Choice] = []
    known = frozenset(reconstruct_flags()) - _OF_TABLE - TARGET_FLAGS
    for index, clip in enumerate(clips if isinstance(clips, list) else ()):
        place = top.inside(content, "clips").inside(clips, index, f"Clip {index + 1}")
        with mistakes.collected():
            if isinstance(clip, str):
                found.append(Choice("", [], place, (str(folder / clip),)))
                continue
            require(
                isinstance(clip, dict) and "input" in clip,
                place,
                "job-clip-malformed",
                "{who} is neither a path nor an object with an input.",
            )
            inputs = tuple(_inputs(clip, place, folder))
            found.append(_choice(clip, place, folder, known, inputs))
    return found


def _choices(content: Mapping[str, Any], key: str, known: frozenset[str], folder: Path, mistakes: Mistakes) -> list[Choice]:
    """The alternatives of "options" or "targets": one object, or a list of them; one without any by default."""
    top = Place("", 1).inside(content, key)
    entries = content.get(key)
    if entries is None:
        return [Choice("", [], top)]
    found: list[Choice] = []
    if not isinstance(entries, dict) and not (isinstance(entries, list) and entries):
        problem = "{key} is neither an object nor a list of objects."
        mistakes.found.append(top.error("job-table-not-objects", problem, LIST_REMEDY, key=key))
        return found
    for index, entry in enumerate(as_list(entries)):
        place = top.inside(entries, index) if isinstance(entries, list) else top
        with mistakes.collected():
            require(isinstance(entry, dict), place, "job-table-not-object", "{field} is not an object.", field=place.field)
            found.append(_choice(entry, place, folder, known))
    return found


def _choice(entry: Mapping[str, Any], place: Place, folder: Path, known: frozenset[str], inputs: Sequence[str] = ()) -> Choice:
    check_doubled(entry, place)
    name = entry.get("name", "")
    require(isinstance(name, str), place.inside(entry, "name"), "job-name-not-text", "{who} has a name that is not a text.")
    options = LocatedDict((key, value) for key, value in entry.items() if key not in ("input", "name"))
    options.lines = getattr(entry, "lines", {})
    who = place.who if place.who != "The list" else place.field
    words = job_words(options, Place(place.field, place.line, who), folder, known)
    return Choice(name, words, place, tuple(map(os.fspath, inputs)))
