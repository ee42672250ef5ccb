"""The plan of a batch: its tasks, in order, and where they are written."""

import os
import re
from argparse import Namespace
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from glob import glob, has_magic
from pathlib import Path

from ...core.errors import InputError, MeshRecError, OutputError
from ...core.files.natural_order import natural_key
from ..arguments import join_words
from ..commands.reconstruct import assign_outputs, output_stem
from ..output_checks import DEFAULT_FORMATS, check_format, check_report, input_files
from ..outputs import retarget_target_from_options
from .footage_folder import FoundClip, find_clips, is_clip_folder
from .job_list import Choice, JobTable, ListJob, read_job_list
from .mistakes import Mistakes, Place
from .names import check_template, clean_name, default_template, output_name
from .task import Target, Task, key_of_paths

_CHARACTER_FORMATS = (".fbx",)  # of characters where no format is given: an .npz would hold the performer
_ANY_CLIP = ("clip", "--output=folder")  # words that a job needs, where only its options are looked at
# The field of a job that an error is about, by a part of its name.
_FIELDS_OF_ERRORS = {"character": "rig", "mapping": "mapping", "input-given": "input", "report": "report", "output": "output"}
_FLAG_IN_ERROR = re.compile(r"--([\w-]+)")


@dataclass(frozen=True)
class ReportFile:
    """A report to write: of one task, or a list of those of several. keys: of the tasks."""

    path: Path
    keys: tuple[str, ...]
    is_list: bool


@dataclass(frozen=True)
class Plan:
    """The tasks of a batch. folder: of the journal and the summary. ignored: files of a folder that are no clips."""

    tasks: tuple[Task, ...]
    folder: Path
    ignored: tuple[Path, ...] = ()
    reports: tuple[ReportFile, ...] = ()


def make_plan(jobs: str, output: str | None, names: str | None, given: Namespace) -> Plan:
    """The plan of a list of jobs, or of a folder of clips.

    Args:
        jobs: path of a list or of a folder. output: the folder of the outputs, or None for what a list says. names: the template, or None
            likewise. given: the options of `reconstruct` on the command line, which count where a job says nothing else.

    Raises:
        InputError: the list or the folder cannot be read. JobListError: the list has mistakes.
    """
    if os.path.isdir(jobs):
        if output is None:
            raise InputError("batch-without-output", "The folder {folder} needs a folder to write into.", "Give it as -o.", folder=jobs)
        place = Place("", 1)
        empty = [Choice("", [], place)]
        return _plan_table(JobTable([Choice("", [], place, (jobs,))], empty, empty, output, names), given, is_folder=True)
    content = read_job_list(jobs)
    if isinstance(content, JobTable):
        return _plan_table(replace(content, folder=output or content.folder, names=names or content.names), given)
    if names is not None:
        raise InputError("batch-names-unused", "--name does nothing for jobs with outputs of their own.", "Leave it out.")
    return _plan_list(content, given, output, Path(jobs).absolute().parent)


# --- a list of jobs ---------------------------------------------------------------------------------------------------


def _plan_list(jobs: Sequence[ListJob], given: Namespace, output: str | None, home: Path) -> Plan:
    mistakes = Mistakes()
    parsed: list[tuple[Namespace, dict[str, list[Path]]]] = []
    for job in jobs:
        with mistakes.collected():
            options = _parse(job.words[1:], given, job.place)
            with _as_mistake(job.place):
                retarget_target_from_options(options)
                parsed.append((options, _outputs_of_job(options)))
    mistakes.check()
    _check_files_differ(parsed)
    outputs = [path for _options, paths_by_input in parsed for paths in paths_by_input.values() for path in paths]
    folder = Path(output) if output else _common_folder(outputs, home)
    tasks: list[Task] = []
    reports: list[ReportFile] = []
    for number, (options, paths_by_input) in enumerate(parsed, 1):
        begin = len(tasks)
        for source, paths in paths_by_input.items():
            target = Target(tuple(paths), options)
            tasks.append(Task(len(tasks) + 1, output_stem(source), source, options, (target,), key_of_paths(paths, folder), number))
        if options.report:
            keys = tuple(task.key for task in tasks[begin:])
            reports.append(ReportFile(Path(options.report), keys, is_list=len(keys) > 1))
    return Plan(tuple(_with_own_names(tasks)), folder, (), tuple(reports))


def _outputs_of_job(options: Namespace) -> dict[str, list[Path]]:
    """The paths to write, by input; several views of one scene are one input. Raises InputError."""
    if len(set(options.inputs)) < len(options.inputs):
        raise InputError("input-given-twice", "An input is given twice.", "Give each input once.")
    assigned = assign_outputs(options.inputs[:1] if options.cameras else options.inputs, Path(options.output), options.format)
    outputs = [path for paths in assigned.values() for path in paths]
    for path in outputs:
        check_format(path)
    with suppress(OutputError):  # where it cannot be written, that is told when it is
        check_report(options.report, input_files(options), outputs)
    return assigned


def _check_files_differ(jobs: Sequence[tuple[Namespace, dict[str, list[Path]]]]) -> None:
    """Raise InputError if a job would replace the output file or the report of an earlier one."""
    seen: dict[str, int] = {}
    for number, (options, paths_by_input) in enumerate(jobs, 1):
        files = [str(path) for paths in paths_by_input.values() for path in paths] + ([options.report] if options.report else [])
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


def _common_folder(paths: Sequence[Path], home: Path) -> Path:
    """The folder that holds all outputs, or the list's own where only the whole disk does."""
    try:
        common = Path(os.path.commonpath([path.absolute().parent for path in paths]))
    except ValueError:  # on two drives
        return home
    return home if common == Path(common.anchor) else common


def _with_own_names(tasks: Sequence[Task]) -> list[Task]:
    """The tasks with names that differ: with the output's name where several are of one clip's name."""
    counted = Counter(task.name for task in tasks)
    named = [replace(task, name=task.paths[0].stem) if counted[task.name] > 1 else task for task in tasks]
    counted = Counter(task.name for task in named)
    return [replace(task, name=f"{task.name} ({task.number})") if counted[task.name] > 1 else task for task in named]


# --- clips x options x targets ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _TableClip:
    """A clip of a table, with the choice that it comes from. name: that stands for {clip}. views: further ones of the same scene."""

    found: FoundClip
    choice: Choice
    name: str
    views: tuple[str, ...] = ()


def _plan_table(table: JobTable, given: Namespace, is_folder: bool = False) -> Plan:
    folder = Path(table.folder)
    _check_choices(table, given)
    ignored: list[Path] = []
    clips = [clip for choice in table.clips for clip in _expand(choice, table, given, ignored, is_folder)]
    template = table.names
    if template is None:
        template = default_template(len(table.options) > 1, len(table.targets) > 1)
        clips = _tell_apart(clips)
    else:
        check_template(template)
    tasks: list[Task] = []
    reports: list[ReportFile] = []
    for clip in clips:
        for variant in table.options:
            task = _table_task(table, clip, variant, template, given, len(tasks) + 1)
            tasks.append(task)
            if table.report:
                name = output_name(f"{table.report}.{{format}}", _fields(clip, variant, "", "json", len(tasks)))
                path = folder / (name.with_suffix("") if name.stem.lower().endswith(".json") else name)
                reports.append(ReportFile(path, (task.key,), is_list=False))
    _check_paths_differ(tasks, reports)
    return Plan(tuple(_with_own_names(tasks)), folder, tuple(ignored), tuple(reports))


def _check_choices(table: JobTable, given: Namespace) -> None:
    """Raise JobListError for options that `meshrec reconstruct` refuses, and for characters that cannot be read."""
    mistakes = Mistakes()
    for choice in (*table.clips, *table.options):
        with mistakes.collected():
            _parse([*_ANY_CLIP, *choice.words], given, choice.place)
    for choice in table.targets:
        with mistakes.collected():
            options = _parse([*_ANY_CLIP, *choice.words], given, choice.place)
            with _as_mistake(choice.place):
                retarget_target_from_options(options)
    mistakes.check()


def _expand(choice: Choice, table: JobTable, given: Namespace, ignored: list[Path], is_folder: bool) -> list[_TableClip]:
    """The clips of a table's clip, which may be a folder, a pattern or several views. Raises InputError: there is none."""
    variants = [_parse([*_ANY_CLIP, *variant.words, *choice.words], given, choice.place) for variant in table.options]
    if len(choice.inputs) > 1 and any(options.cameras for options in variants):
        found, views = [FoundClip(Path(choice.inputs[0]))], choice.inputs[1:]
    else:
        found = [clip for source in choice.inputs for clip in _find(source, Path(table.folder), ignored, is_folder)]
        views = ()
    if not found:
        raise InputError("batch-without-clips", "There is no clip in {folder}.", "Check the path.", folder=", ".join(choice.inputs))
    clips: list[_TableClip] = []
    for index, clip in enumerate(found, 1):
        own = f"{choice.name}{index:0{len(str(len(found)))}}" if len(found) > 1 else choice.name
        clips.append(_TableClip(clip, choice, own if choice.name else output_stem(os.fspath(clip.path)), views))
    return clips


def _find(source: str, folder: Path, ignored: list[Path], is_folder: bool) -> list[FoundClip]:
    """The clips that a path of the list stands for: a file, a folder that is a clip, the clips of a folder, or a pattern's."""
    if not os.path.exists(source) and has_magic(source):
        return [FoundClip(Path(path)) for path in sorted(glob(source, recursive=True), key=natural_key)]
    if not os.path.isdir(source) or (not is_folder and is_clip_folder(Path(source))):
        return [FoundClip(Path(source))]
    try:
        content = find_clips(Path(source), {folder.absolute()} if folder.absolute() != Path(source).absolute() else _written(folder))
    except OSError as error:
        raise InputError(
            "batch-folder-unreadable", "{folder} cannot be read: {reason}.", "Check the path.", folder=source, reason=error.strerror
        ) from error
    ignored += content.ignored
    return list(content.clips)


def _written(folder: Path) -> set[Path]:
    """The files that earlier runs have written into a folder."""
    from .journal import read_ended

    return {(folder / entry["path"]).absolute() for event in read_ended(folder).values() for entry in event["outputs"]}


def _tell_apart(clips: Sequence[_TableClip]) -> list[_TableClip]:
    """The clips with names that differ inside their folders: walk.mp4 and walk.mov become walk_mp4 and walk_mov."""
    counted = Counter((clip.found.folder, clip.name.casefold()) for clip in clips)
    return [
        replace(clip, name=f"{clip.name}_{clip.found.path.suffix.lstrip('.')}".rstrip("_"))
        if counted[clip.found.folder, clip.name.casefold()] > 1
        else clip
        for clip in clips
    ]


def _table_task(table: JobTable, clip: _TableClip, variant: Choice, template: str, given: Namespace, number: int) -> Task:
    source, folder = os.path.abspath(clip.found.path), Path(table.folder)
    targets: list[Target] = []
    for target in table.targets:
        words = [source, *clip.views, f"--output={folder}", *variant.words, *clip.choice.words, *target.words]
        options = _parse(words, given, target.place)
        formats = _CHARACTER_FORMATS if options.format is DEFAULT_FORMATS and options.rig else options.format
        names = [output_name(template, _fields(clip, variant, target.name, suffix.lstrip("."), number)) for suffix in formats]
        targets.append(Target(tuple(folder / name for name in names), options))
    paths = [path for target in targets for path in target.paths]
    name = "_".join(filter(None, ("/".join(filter(None, (clip.found.folder, clip.name))), variant.name)))
    return Task(number, name, source, targets[0].options, tuple(targets), key_of_paths(paths, folder), number)


def _fields(clip: _TableClip, variant: Choice, target: str, suffix: str, number: int) -> dict[str, str]:
    """The values of a template's fields."""
    folder = "/".join(clean_name(part) for part in clip.found.folder.split("/"))
    values = {"clip": clip.name, "file": clip.found.path.name, "folder": folder, "format": suffix, "number": f"{number:04}"}
    return {**values, "options": variant.name, "target": target}


def _check_paths_differ(tasks: Sequence[Task], reports: Sequence[ReportFile]) -> None:
    """Raise InputError if two outputs have one path."""
    paths = [path for task in tasks for path in task.paths] + [report.path for report in reports]
    counted = Counter(str(path).casefold() for path in paths)
    for path in paths:
        if counted[str(path).casefold()] > 1:
            raise InputError(
                "batch-names-collide",
                "{count} outputs would be written to {path}.",
                'Tell them apart in the names: give options and targets a name, and use {fields} in --name or "names".',
                count=counted[str(path).casefold()],
                path=path,
                fields="{clip}, {file}, {folder}, {options}, {target}, {number}",
            )


# --- options ----------------------------------------------------------------------------------------------------------


def _parse(words: Sequence[str], given: Namespace, place: Place) -> Namespace:
    """The options of `meshrec reconstruct`. Raises InputError, which names the place."""
    from ..program import build_reconstruct_parser

    try:
        return build_reconstruct_parser().parse_args(join_words(words), Namespace(**vars(given)))
    except InputError as error:
        flag = _FLAG_IN_ERROR.search(error.problem)
        raise _located(error, place, flag[1] if flag else "") from error


def _located(error: MeshRecError, place: Place, key: str = "") -> MeshRecError:
    """The error with its place in the list, if it is of one."""
    if place.content is None:
        return error
    problem = f"{error.problem[:1].lower()}{error.problem[1:]}".rstrip(".")
    who = place.who if place.who != "The list" else place.field
    return replace(place.of_option(key), who=who).error("job-options-wrong", "{who}: {problem}", error.remedy, problem=problem)


@contextmanager
def _as_mistake(place: Place) -> Generator[None, None, None]:
    """Give an InputError of the block its place in the list."""
    try:
        yield
    except InputError as error:
        field = next((field for part, field in _FIELDS_OF_ERRORS.items() if part in error.name), "")
        raise _located(error, place, field) from error
