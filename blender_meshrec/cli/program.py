"""The command line: one program for `meshrec ...` and `blender --command meshrec ...`. Nothing heavy is imported here.

Exit codes: 0 done; 1 a fault of ours; 2 bad usage or input that cannot be read; 3 nobody found; 4 a model or licensed file
is missing or damaged; 5 the output cannot be written; 130 cancelled. Several inputs: the highest code.
"""

import argparse
import contextlib
import importlib
import signal
import sys
import threading

from .. import __doc__ as package_description
from ..core.catalog import DEFAULT_REFINERS, catalog_entries
from ..core.errors import CancelledError, InputError
from ..core.version import version
from .console import Console
from .outputs import FORMATS, PRESETS

SKELETONS = ("smpl", "skel")
ROOTS = ("hips", "root", "in_place")
DRIVES = ("fk", "ik", "both")
SURFACES = ("skinned", "exact")
DEVICES = ("auto", "cpu", "cuda", "mps")


def main(arguments=None, prog="meshrec"):
    """Run one command; returns its exit code.

    Args:
        arguments: the words after the program's name; sys.argv's by default.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a name that the terminal cannot show must not end the job
    console = Console()
    try:
        options = build_parser(prog).parse_args(arguments)
    except InputError as error:
        return console.fail(error)
    except SystemExit as shown:  # --help, --version
        return int(shown.code or 0)
    # A command's code is loaded when it runs: each needs other parts of the package.
    command = importlib.import_module(f".commands.{options.command}", __package__)
    with interrupt_on_signals() as interruption:
        console = Console(getattr(options, "progress", "bar"), options.debug, interruption)
        try:
            try:
                return int(command.run(options, console))
            except Exception as error:  # noqa: BLE001 - the last place where an error can become a sentence
                return console.fail(error)
        except KeyboardInterrupt:
            return console.fail(
                CancelledError("cancelled-between-inputs", "Cancelled.", "What was written before stays.")
                if console.finished
                else CancelledError()
            )


@contextlib.contextmanager
def interrupt_on_signals():
    """Let SIGTERM and a closed terminal end a command as Ctrl-C does: by KeyboardInterrupt, once, so that cleaning up is not disturbed.

    Gives an Event that tells whether it happened.
    """
    interruption = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return

    def interrupt(_number, _frame):
        if not interruption.is_set():
            interruption.set()
            raise KeyboardInterrupt

    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    # What is ignored stays so: that is how `nohup` works.
    before = {number: handler for number, handler in before.items() if handler != signal.SIG_IGN}
    try:
        for number in before:
            signal.signal(number, interrupt)
        yield interruption
    finally:
        for number, handler in before.items():
            # None: a handler that was not set from Python, which Python cannot bring back.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


class Parser(argparse.ArgumentParser):
    """Tells of bad usage as every other error is told."""

    def __init__(self, **settings):
        super().__init__(allow_abbrev=False, **settings)

    def error(self, message):
        said = f"{message[:1].upper()}{message[1:]}"
        raise InputError("usage-wrong", "{said}.", "See `{program} --help`.", said=said, program=self.prog)


def build_parser(prog="meshrec"):
    """The parser of every command."""
    top = Parser(prog=prog, description=package_description, epilog=f"Exit codes: {__doc__.partition('Exit codes: ')[2]}")
    top.add_argument("--version", action="version", version=f"{prog} {version()}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name, explanation):
        command = commands.add_parser(name, help=explanation, description=f"{explanation[:1].upper()}{explanation[1:]}.")
        command.add_argument("--debug", action="store_true", help="show tracebacks and the backend's details with errors")
        return command

    _add_reconstruct_arguments(add("reconstruct", "turn footage of people into animated characters"))
    _add_retarget_arguments(add("retarget", "let an artist's character perform a motion"))
    _add_convert_arguments(add("convert", "write a motion that was reconstructed to another format"))
    evaluate = add("evaluate", "compare a motion with the true one of the same footage")
    evaluate.add_argument("motion", metavar="MOTION", help="motion .npz")
    evaluate.add_argument("truth", metavar="TRUTH", help="motion .npz of the same frames")
    evaluate.add_argument("--report", metavar="FILE.json", help="write the numbers there, too")
    batch = add("batch", "run reconstructions one after another")
    batch.add_argument("jobs", metavar="JOBS.json", help='a list: [{"input": "a.mp4", "output": "a.fbx", "person": "all"}, ...]')
    _add_progress_argument(batch)
    models = add("models", "list the model files, check those that ship, or keep one of your own under a name")
    models.add_argument("action", choices=("list", "verify", "add"))
    models.add_argument("file", nargs="?", metavar="FILE", help="add: an SMPL, SMPL-H, SMPL-X or SKEL file; a copy is kept")
    models.add_argument("--name", metavar="NAME", help="add: what --body or --skel is to call it; the file's own name by default")
    setup = add("setup", "install the environment that the backend runs in")
    setup.add_argument("--offline", metavar="DIR", help="take the packages from a bundle made by `build.py package --offline`")
    setup.add_argument("--device", choices=DEVICES, default="auto", help="what the backend is to compute on")
    setup.add_argument("--python", metavar="FILE", help="the Python 3.11, 3.12 or 3.13 to make it with; found by default")
    setup.add_argument("--anew", action="store_true", help="throw away what is there first")
    setup.add_argument("--remove", action="store_true", help="remove the environment instead")
    _add_progress_argument(setup)
    doctor = add("doctor", "say what is installed, what is missing and where things are kept")
    doctor.add_argument("--blender", metavar="FILE", help="the Blender, or the Python with bpy, to look at")
    doctor.add_argument("--python", metavar="FILE", help="the Python of the backend's environment")
    return top


def _add_reconstruct_arguments(command):
    command.add_argument("inputs", nargs="+", metavar="INPUT", help="an image, a video, a folder of images, or 2D keypoints")
    _add_output_arguments(command, "the file to write, its suffix the format; with several inputs, or where it is a folder: the folder")
    command.add_argument(
        "--format", metavar="LIST", type=parse_formats, default=(".npz",), help="formats in a folder: npz (default), fbx,npz, ..."
    )
    command.add_argument(
        "--person", type=parse_person, default="largest", metavar="largest|all|N", help="who; N counts from 1, the largest first"
    )
    command.add_argument("--frames", type=parse_frame_range, metavar="A:B", help="range of frames, counted from 0, without B")
    command.add_argument("--fps", type=parse_fps, help="resample the motion to this rate; for a folder of images: their rate")
    _add_skeleton_arguments(command)
    command.add_argument(
        "--detector", choices=("auto", *_catalog_names("detector")), default="auto", metavar="NAME", help=_catalog_help("detector")
    )
    command.add_argument(
        "--method", choices=("auto", *_catalog_names("estimator")), default="auto", metavar="NAME", help=_catalog_help("estimator")
    )
    command.add_argument(
        "--refine",
        choices=(*_catalog_names("refiner"), "none"),
        action="append",
        metavar="NAME",
        help=f"once or more, {' and '.join(DEFAULT_REFINERS)} by default, or none. {_catalog_help('refiner')}",
    )
    command.add_argument("--device", choices=DEVICES, default="auto", help="what to compute on")
    command.add_argument(
        "--smoothing", type=parse_non_negative, default=1.0, metavar="S", help="strength of smoothing; 1 is usual, 0 is off"
    )
    command.add_argument("--no-contacts", action="store_true", help="do not keep feet where they touch the ground")
    command.add_argument("--no-upright", action="store_true", help="leave the world as the camera stands")
    _add_calibration_arguments(command)
    _add_character_arguments(command)
    command.add_argument("--cache", metavar="DIR", help="where to keep what was seen, for a second run; the user's cache by default")
    command.add_argument("--no-cache", action="store_true", help="look at everything anew and keep nothing")
    command.add_argument("--python", metavar="FILE", help="the Python of the backend's environment")
    command.add_argument("--report", metavar="FILE.json", help="write quality, speed and warnings there; a list with several inputs")
    _add_progress_argument(command)


def _add_retarget_arguments(command):
    command.add_argument("motion", metavar="MOTION", help="motion .npz that reconstruct has written, any AMASS .npz, or a .bvh")
    _add_output_arguments(command, "the file to write; its suffix is the format")
    _add_character_arguments(command, required=True)
    command.add_argument("--fps", dest="timeline_fps", type=parse_fps, help="resample the motion to this rate; the motion's own by default")
    command.add_argument("--report", metavar="FILE.json", help="write quality and warnings there")


def _add_character_arguments(command, required=False):
    """An artist's character and how it is to perform."""
    explanation = "the character that is to perform: .fbx .glb .gltf .vrm .blend; with #NAME one of the file's armatures"
    command.add_argument("--rig", required=required, metavar="FILE[#NAME]", help=explanation)
    command.add_argument("--mapping", metavar="PRESET.json", help="a mapping preset that says which bone is what; found by itself without")
    roots = "what carries the movement: the hips, the bone for root motion, or nothing, which keeps the character in its place"
    command.add_argument("--root", choices=ROOTS, default="hips", help=roots)
    command.add_argument("--drive", choices=DRIVES, default="both", help="which controls of a control rig are keyed")
    command.add_argument("--hands", action="store_true", help="keep hands where the performer's were, as far as the arms reach")
    command.add_argument("--no-foot-ik", action="store_true", help="turn the legs as the performer's and let feet go where that leads")


def _add_skeleton_arguments(command):
    explanation = "SMPL's joints, or SKEL's bones and anatomical angles with their limits"
    command.add_argument("--skeleton", choices=SKELETONS, default="smpl", help=explanation)
    command.add_argument(
        "--skel",
        default="open",
        type=parse_model,
        metavar="open|FILE|NAME",
        help="the open SKEL body, your SKEL file, or the name you gave it",
    )


def _add_convert_arguments(command):
    command.add_argument("motion", metavar="MOTION", help="motion .npz that reconstruct has written; with --skeleton skel any AMASS .npz")
    _add_skeleton_arguments(command)
    command.add_argument("--from-skel", action="store_true", help="first make the SMPL poses anew, from the motion's SKEL angles")
    command.add_argument("--python", metavar="FILE", help="the Python of the backend's environment")
    _add_calibration_arguments(command)
    _add_output_arguments(command, "the file to write; its suffix is the format")


def _add_output_arguments(command, explanation):
    command.add_argument(
        "-o", "--output", required=True, type=parse_output_path, metavar="OUT", help=f"{explanation} ({' '.join(FORMATS)})"
    )
    command.add_argument(
        "--body",
        default="open",
        type=parse_model,
        metavar="open|FILE|NAME",
        help="the open body, your SMPL, SMPL-H or SMPL-X file, or the name you gave it",
    )
    command.add_argument("--preset", choices=PRESETS, default="blender", help="the axes of an .fbx")
    command.add_argument("--blender", metavar="FILE", help="the Blender, or the Python with bpy, that makes scenes")


def _add_calibration_arguments(command):
    explanation = "of a calibrated motion: bones keep their lengths, in the nearest pose to where the joints were calibrated"
    command.add_argument("--no-stretch", action="store_true", help=explanation)
    explanation = "of a calibrated motion: the skin that bones move, or also the exact surface, as NAME.pc2 beside a .blend or an .npz"
    command.add_argument("--surface", choices=SURFACES, default="skinned", help=explanation)


def _add_progress_argument(command):
    command.add_argument(
        "--progress", choices=("bar", "json", "none"), default="bar", help="json: a line for each event on standard output"
    )


def parse_model(source):
    """A body's or SKEL file's path, of what a user calls it."""
    if source == "open":
        return source
    from ..core.files.user_models import resolve_model_path  # numpy: not for --help

    return resolve_model_path(source)


def _catalog_names(role):
    return tuple(entry.name for entry in catalog_entries(role))


def _catalog_help(role):
    return "; ".join(f"{entry.name}: {entry.explanation}" for entry in catalog_entries(role)).replace("%", "%%") or "there is none yet"


# --- what words mean; argparse shows the errors' text -----------------------------------------------------------------


def parse_person(word):
    """`largest`, `all`, or a number from 1, as a request has it."""
    if word in ("largest", "all") or (word.isascii() and word.isdigit() and int(word) >= 1):
        return word
    raise argparse.ArgumentTypeError(f"{word} is neither largest nor all nor a number from 1")


def parse_frame_range(word):
    """(first, end) of `A:B`; A may be left out, and B too: to the end."""
    first, colon, end = word.partition(":")
    try:
        if not colon:
            raise ValueError
        pair = (int(first or 0), int(end) if end else None)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{word} is not a range such as 0:100") from None
    if pair[0] < 0 or (pair[1] is not None and pair[1] <= pair[0]):
        raise argparse.ArgumentTypeError(f"the range {word} is empty")
    return pair


def parse_output_path(word):
    """The path of an output."""
    if word:
        return word
    raise argparse.ArgumentTypeError("it has no name")


def parse_fps(word):
    """Frames per second: a number, or a fraction such as 24000/1001."""
    above, _, below = word.partition("/")
    with contextlib.suppress(ValueError, ZeroDivisionError):
        value = float(above) / float(below or 1)
        if 0 < value <= 1000:
            return value
    raise argparse.ArgumentTypeError(f"{word} is not a number of frames per second")


def parse_non_negative(word):
    """A number from 0."""
    with contextlib.suppress(ValueError):
        if 0 <= float(word) < float("inf"):
            return float(word)
    raise argparse.ArgumentTypeError(f"{word} is not a number from 0")


def parse_formats(word):
    """Suffixes of a list such as `fbx,npz`."""
    suffixes = tuple(dict.fromkeys(f".{name.strip().lower().removeprefix('.')}" for name in word.split(",")))
    if unknown := [suffix for suffix in suffixes if suffix not in FORMATS]:
        raise argparse.ArgumentTypeError(f"there is no format {unknown[0]}; choose from {' '.join(FORMATS)}")
    return suffixes
