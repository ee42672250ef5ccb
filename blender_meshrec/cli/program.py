"""The command line: one program for `meshrec ...` and `blender --command meshrec ...`. Commands are imported when they run.

Exit codes: 0 done; 1 a fault of ours; 2 bad usage or input that cannot be read; 3 nobody found; 4 a model or licensed file
is missing or damaged; 5 the output cannot be written; 130 cancelled. Several inputs: the highest code.
"""

import argparse
import errno
import importlib
import io
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from .. import __doc__ as package_description
from ..core.errors import CancelledError, InputError, MeshRecError
from ..core.option_choices import OUTPUT_SUFFIXES
from ..core.option_parsers import parse_fps, parse_non_negative
from ..core.options import CHARACTER_OPTIONS, OPTIONS
from ..core.version import version
from .arguments import (
    add_backend_argument,
    add_cache_arguments,
    add_option,
    add_options,
    join_words,
    parse_count,
    parse_formats,
    parse_output_path,
)
from .console import Console
from .interruption import interrupt_on_signals
from .output_checks import DEFAULT_FORMATS
from .people_arguments import add_people_arguments

_MOTION_HELP = "an .npz that reconstruct has written, or an SMPL motion of AMASS, WHAM, GVHMR, ROMP or 4D-Humans (.npz .pkl .pt)"
_CHARACTER_HELP = ".fbx .glb .gltf .vrm .blend; with #NAME one of the file's armatures"


def main(arguments: Sequence[str] | None = None, prog: str = "meshrec") -> int:
    """Run one command; returns its exit code.

    Args:
        arguments: the words after the program's name; sys.argv's by default.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name that the terminal cannot show must not end the job
    console = Console()
    try:
        options = build_parser(prog).parse_args(join_words(sys.argv[1:] if arguments is None else arguments))
    except MeshRecError as error:
        return console.fail(error)
    except SystemExit as exit_request:  # --help, --version
        return int(exit_request.code or 0)
    # Each command needs other parts of the package, so its module is imported when it runs.
    command = importlib.import_module(f".commands.{options.command}", __package__)
    with interrupt_on_signals() as interruption:
        console = Console(getattr(options, "progress", "bar"), options.debug, interruption)
        try:
            try:
                return int(command.run(options, console))
            except OSError as error:
                return console.fail(_explain_path_error(error))
            except Exception as error:  # noqa: BLE001 - the last place where an error can be reported in a sentence
                return console.fail(error)
        except KeyboardInterrupt:
            return console.fail(
                CancelledError("cancelled-between-inputs", "Cancelled.", "What was written before stays.")
                if console.num_finished
                else CancelledError()
            )


def _explain_path_error(error: OSError) -> Exception:
    """An InputError for a path that no file can have; other errors as they are."""
    if error.errno != errno.ENAMETOOLONG:
        return error
    return InputError("path-too-long", "The path {path} is longer than this system allows.", "Check the path.", path=error.filename)


_RECONSTRUCT_EXPLANATION = "turn footage of people into animated characters"


class Parser(argparse.ArgumentParser):
    """Raises InputError for wrong usage, so that it is reported as every other error."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        said = f"{message[:1].upper()}{message[1:]}"
        raise InputError("usage-wrong", "{said}.", "See `{program} --help`.", said=said, program=self.prog)


def build_reconstruct_parser() -> Parser:
    """The parser of the words after `meshrec reconstruct`."""
    command = Parser(prog="meshrec reconstruct", description=_RECONSTRUCT_EXPLANATION)
    _add_reconstruct_arguments(command)
    return command


def build_parser(prog: str = "meshrec") -> Parser:
    """The parser of every command."""
    top = Parser(prog=prog, description=package_description, epilog=f"Exit codes: {(__doc__ or '').partition('Exit codes: ')[2]}")
    top.add_argument("--version", action="version", version=f"{prog} {version()}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add_command(name: str, explanation: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=explanation, description=f"{explanation[:1].upper()}{explanation[1:]}.")
        command.add_argument("--debug", action="store_true", help="show tracebacks and the backend's details with errors")
        return command

    _add_reconstruct_arguments(add_command("reconstruct", _RECONSTRUCT_EXPLANATION))
    people = add_command("people", "find who is where in a clip, when, or merge, split, swap and name the people of a list")
    add_people_arguments(people)
    _add_progress_argument(people)
    _add_retarget_arguments(add_command("retarget", "let an artist's character perform a motion"))
    _add_map_arguments(add_command("map", "show which bone of a character is which part of a body, and save it as a mapping preset"))
    _add_convert_arguments(add_command("convert", "write a motion to another format"))
    evaluate = add_command("evaluate", "compare a motion with the true one of the same footage")
    evaluate.add_argument("motion", metavar="MOTION", help="motion .npz")
    evaluate.add_argument("truth", metavar="TRUTH", help="motion .npz of the same frames")
    evaluate.add_argument("--report", metavar="FILE.json", help="write the numbers there, too")
    _add_batch_arguments(add_command("batch", "reconstruct many clips, from a list or a folder, in one run that can be resumed"))
    models = add_command("models", "list the model files, check those that ship, or keep one of your own under a name")
    models.add_argument("action", choices=("list", "verify", "add"))
    models.add_argument(
        "file", nargs="?", metavar="FILE", help="add: an SMPL, SMPL-H, SMPL-X or SKEL file, or a released checkpoint; a copy is kept"
    )
    models.add_argument("--name", metavar="NAME", help="add: what --body or --skel is to call it; the file's own name by default")
    _add_setup_arguments(add_command("setup", "install the environment that the backend runs in"))
    doctor = add_command("doctor", "say what is installed, what is missing and where things are kept")
    doctor.add_argument("--blender", metavar="FILE", help="the Blender, or the Python with bpy, to look at")
    add_backend_argument(doctor)
    return top


def _add_reconstruct_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("inputs", nargs="+", metavar="INPUT", help="an image, a video, a folder of images, or 2D keypoints")
    _add_output_arguments(command, "the file to write, its suffix the format; with several inputs, or where it is a folder: the folder")
    _add_reconstruct_options(command)
    command.add_argument("--report", metavar="FILE.json", help="write quality, speed and warnings there; a list with several inputs")
    _add_progress_argument(command)


def _add_reconstruct_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--format", metavar="LIST", type=parse_formats, default=DEFAULT_FORMATS, help="formats in a folder: npz (default), fbx,npz, ..."
    )
    elsewhere = {"body", "preset", *(option.name for option in CHARACTER_OPTIONS)}
    add_options(command, (option for option in OPTIONS.values() if option.name not in elsewhere))
    _add_character_arguments(command)
    add_cache_arguments(command)
    add_backend_argument(command)


def _add_batch_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "jobs", metavar="JOBS", help="a list of jobs in JSON (docs/batches.md), or a folder of clips, with the options of `reconstruct`"
    )
    own = len(command._actions)
    _add_output_arguments(command, "the folder to write into, and of the journal and the summary", "FOLDER", required=False)
    _add_reconstruct_options(command)
    for action in command._actions[own:]:
        if action.dest != "output":
            action.default = argparse.SUPPRESS  # what is not given is each job's own
    _add_progress_argument(command)
    command.add_argument(
        "--name", metavar="TEMPLATE", help="names in the folder, of {clip} {file} {folder} {options} {target} {number}; ends in .{format}"
    )
    command.add_argument("--workers", type=parse_count, metavar="N", help="clips at a time; by cores and graphics memory by default")
    command.add_argument("--engine", choices=("local", "ray"), default="local", help="this computer, or the nodes of a Ray cluster")
    command.add_argument("--address", metavar="ADDRESS", help="of the Ray cluster; one on this computer by default")
    command.add_argument("--cpus", type=parse_non_negative, default=1.0, metavar="N", help="of Ray: cores that a worker occupies")
    command.add_argument("--gpus", type=parse_non_negative, default=0.0, metavar="N", help="of Ray: graphics cards that a worker occupies")
    command.add_argument("--again", action="store_true", help="do all clips, also those that are done")
    command.add_argument("--dry-run", action="store_true", help="list what would be made, and write nothing")


def _add_retarget_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("motion", metavar="MOTION", help=f"a motion: {_MOTION_HELP}, or a .bvh")
    add_option(command, OPTIONS["up"])
    _add_output_arguments(command, "the file to write; its suffix is the format")
    _add_character_arguments(command, required=True)
    command.add_argument("--fps", dest="timeline_fps", type=parse_fps, help="resample the motion to this rate; the motion's own by default")
    command.add_argument("--report", metavar="FILE.json", help="write quality and warnings there")


def _add_convert_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("motion", metavar="MOTION", help=f"a motion: {_MOTION_HELP}, or a .bvh")
    add_option(command, OPTIONS["up"])
    add_options(command, (OPTIONS[name] for name in ("skeleton", "skel_body")))
    command.add_argument("--from-skel", action="store_true", help="first make the SMPL poses anew, from the motion's SKEL angles")
    add_backend_argument(command)
    add_options(command, (OPTIONS[name] for name in ("stretch", "surface", "smplh", "pose_shapes", "with_camera")))
    _add_output_arguments(command, "the file to write; its suffix is the format")


def _add_map_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("rig", metavar="RIG[#NAME]", help=_CHARACTER_HELP)
    command.add_argument("-o", "--output", type=parse_output_path, metavar="PRESET.json", help="save the mapping there, for --mapping")
    command.add_argument("--blender", metavar="FILE", help="the Blender, or the Python with bpy, that reads the character")


def _add_setup_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("--offline", metavar="DIR", help="take the packages from a bundle made by `build.py package --offline`")
    add_option(command, OPTIONS["device"], "what the backend is to compute on")
    command.add_argument("--python", metavar="FILE", help="the Python 3.11, 3.12 or 3.13 to make it with; found by default")
    command.add_argument("--anew", action="store_true", help="throw away what is there first")
    command.add_argument("--remove", action="store_true", help="remove the environment instead")
    _add_progress_argument(command)


def _add_output_arguments(command: argparse.ArgumentParser, explanation: str, metavar: str = "OUT", required: bool = True) -> None:
    suffixes = f" ({' '.join(OUTPUT_SUFFIXES)})" if metavar == "OUT" else ""
    command.add_argument("-o", "--output", required=required, type=parse_output_path, metavar=metavar, help=f"{explanation}{suffixes}")
    add_options(command, (OPTIONS[name] for name in ("body", "preset")))
    command.add_argument("--blender", metavar="FILE", help="the Blender, or the Python with bpy, that makes scenes")


def _add_character_arguments(command: argparse.ArgumentParser, required: bool = False) -> None:
    """The artist's character, and the options of retargeting to it."""
    command.add_argument("--rig", required=required, metavar="FILE[#NAME]", help=f"the character that is to perform: {_CHARACTER_HELP}")
    command.add_argument("--mapping", metavar="PRESET.json", help="a mapping preset that says which bone is what; found by itself without")
    add_options(command, CHARACTER_OPTIONS)


def _add_progress_argument(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--progress", choices=("bar", "json", "none"), default="bar", help="json: a line for each event on standard output"
    )
