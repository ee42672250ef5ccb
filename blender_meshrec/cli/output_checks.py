"""Checks of a command's outputs before its work begins: can they be written, and do they overwrite an input?"""

import os
from argparse import Namespace
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..bridge.scene_process import find_scene_command
from ..core.errors import InputError
from ..core.files.output_file import check_writable
from ..core.files.temporary_folder import find_temporary_folder
from ..core.messages import Message
from ..core.option_choices import OUTPUT_SUFFIXES
from ..core.options import CHARACTER_OPTIONS, OPEN_MODEL, OPTIONS
from ..core.skeleton_choice import SKEL_METHODS
from ..retarget.character_path import split_character_path
from .camera_option import split_camera_path
from .outputs import needs_scene_process

DEFAULT_FORMATS = (".npz",)  # of outputs in a folder
_UNUSED_TEXT = "{option} does nothing without {needed}."
# Arguments that name one file to read.
_INPUT_ARGUMENTS = ("motion", "truth", "mapping", *(option.name for option in OPTIONS.values() if option.is_model_file))


def check_format(path: Path) -> None:
    """Raise InputError for a path whose suffix is not that of a format."""
    if path.suffix.lower() not in OUTPUT_SUFFIXES:
        raise InputError(
            "output-format-unknown",
            "{name} has no format this software writes.",
            "End the output's name in one of: {known}.",
            name=path.name,
            known=" ".join(OUTPUT_SUFFIXES),
        )


def check_outputs(paths: Sequence[Path], blender: str | None = None, protected: Iterable[Path] = (), with_character: bool = False) -> None:
    """Check that every output can be made and written.

    Args:
        blender: path of the Blender that makes scenes, or None. protected: files that are read, which no output may overwrite.
        with_character: whether the motion is retargeted to an artist's character.

    Raises:
        InputError: a format is unknown, an output is an input or another output, or there is no Blender for a scene.
        OutputError: a path cannot be written, or there is no folder for temporary files.
    """
    protected = list(protected)
    for path in paths:
        check_format(path)
        if _is_same_file(path, protected):
            raise InputError("output-is-input", "{path} is the input.", "Choose another name or folder for the output.", path=path)
        check_writable(path)
    names = [str(path).casefold() for path in paths]
    if doubled := [path for path, name in zip(paths, names) if names.count(name) > 1]:
        raise InputError(
            "outputs-collide",
            "Two inputs would be written to {doubled}.",
            "Rename one, or write them into two folders.",
            doubled=doubled[0],
        )
    if needs_scene_process(paths, blender, with_character):
        find_scene_command(blender)
        find_temporary_folder()


def check_report(report: str | None, protected: Iterable[Path], outputs: Iterable[Path] = ()) -> None:
    """Check that a report can be written, if there is one.

    Raises:
        InputError: it would overwrite a file in `protected` or an output. OutputError: it cannot be written.
    """
    if report is None:
        return
    path = Path(report)
    if _is_same_file(path, protected):
        raise InputError("report-is-input", "{path} is the input.", "Choose another name or folder for the report.", path=path)
    if any(os.path.abspath(path) == os.path.abspath(output) for output in outputs):
        raise InputError("report-is-output", "{path} is the output.", "Choose another name or folder for the report.", path=path)
    check_writable(path)


def unused_options(options: Namespace, outputs: Iterable[Path]) -> list[Message]:
    """Messages about options of `meshrec reconstruct` that were given and change nothing."""
    without_rig = [option for option in CHARACTER_OPTIONS if getattr(options, option.name) != option.default]
    flags = [option.argument.flag for option in without_rig if option.argument] + (["--mapping"] if options.mapping else [])
    unused = [Message("option-needs-another", _UNUSED_TEXT, option=flag, needed="--rig") for flag in flags if not options.rig]
    if options.skel_body != OPTIONS["skel_body"].default and options.skeleton != "skel" and options.method not in SKEL_METHODS:
        unused.append(Message("option-needs-another", _UNUSED_TEXT, option="--skel", needed="--skeleton skel"))
    unused += [*_unused_texture(options, outputs), *_unused_sensor(options), *_unused_without_camera(options)]
    if options.format != DEFAULT_FORMATS and str(options.output) in map(str, outputs):
        unused.append(
            Message("format-of-file-ignored", "--format does nothing: the output's own suffix is its format, unless it is a folder.")
        )
    return unused


def _unused_texture(options: Namespace, outputs: Iterable[Path]) -> list[Message]:
    """Messages about options of a texture that is not painted, or that no output has."""
    if not options.texture:
        is_given = options.texture_size != OPTIONS["texture_size"].default
        return [Message("option-needs-another", _UNUSED_TEXT, option="--texture-size", needed="--texture")] if is_given else []
    if options.rig and not any(path.suffix.lower() == ".npz" for path in outputs):
        return [Message("texture-of-own-character", "A character of your own keeps its own look: --texture does nothing.")]
    return []


def _unused_sensor(options: Namespace) -> list[Message]:
    """A message about a sensor's width that no focal length in millimetres needs."""
    if options.sensor is not None and (options.focal is None or options.focal.strip().lower().endswith("px")):
        return [Message("option-needs-another", _UNUSED_TEXT, option="--sensor", needed="--focal in millimetres")]
    return []


def _unused_without_camera(options: Namespace) -> list[Message]:
    """Messages about options of a known camera where there is none."""
    given = [OPTIONS[name].argument for name in ("camera_frame", "floor") if options.camera is None and getattr(options, name) is not None]
    return [Message("option-needs-another", _UNUSED_TEXT, option=argument.flag, needed="--camera") for argument in given if argument]


def input_files(options: Namespace) -> list[Path]:
    """The files that a command reads, which no output may overwrite."""
    named = [*getattr(options, "inputs", ()), *(getattr(options, name, None) for name in _INPUT_ARGUMENTS)]
    named += [path for name in ("betas", "known_contacts") for path in getattr(options, name, None) or ()]
    if getattr(options, "cameras", None) not in (None, "auto"):
        named.append(options.cameras)
    if getattr(options, "people_list", None) and os.path.isfile(options.people_list):
        named.append(options.people_list)
    if getattr(options, "camera", None):
        named.append(split_camera_path(options.camera)[0])
    if getattr(options, "rig", None):
        named.append(split_character_path(options.rig)[0])
    return [Path(name) for name in named if name and name != OPEN_MODEL]


def _is_same_file(path: Path, files: Iterable[Path]) -> bool:
    """Whether a path is one of some files, under any name; files that do not exist are ignored."""
    return os.path.exists(path) and any(path.samefile(file) for file in files if os.path.exists(file))
