"""Exact surfaces on their way: where the backend writes them, and beside which outputs they come to lie.

A surface lies beside NAME.blend or NAME.npz as NAME.pc2; several people in one .blend have NAME.personN.pc2.
"""

import contextlib
import shutil
import tempfile
from pathlib import Path

from ..bridge.messages import calibrates
from ..core.errors import InputError
from ..core.files.output_file import whole_file
from ..core.files.point_cache import SUFFIX
from ..core.format_notes import SURFACE_KEEPERS

_ONLY = "The exact surface is of the method pc-hmr alone."


def check_reconstruct(options, paths):
    """Refuse the exact surface where the method, the skeleton or what is to be written at `paths` has none. Raises InputError."""
    if options.surface == "exact" and options.rig and not any(path.suffix.lower() == ".npz" for path in paths):
        raise InputError("A character of your own has no exact surface.", "Write an .npz as well, or give --surface skinned.")
    if options.surface == "exact" and not calibrates(options.method):
        raise InputError(_ONLY, "Give --method pc-hmr, or --surface skinned.")
    check_skeleton(options)


def check_skeleton(options):
    """Refuse the exact surface for SKEL's skin, which is another mesh. Raises InputError."""
    if options.surface == "exact" and options.skeleton == "skel":
        raise InputError("SKEL's skin has no exact surface.", "Give --skeleton smpl, or --surface skinned.")


@contextlib.contextmanager
def scratch_prefix(options):
    """A path prefix for the backend to write surfaces to, for a while; None where none are asked for."""
    if options.surface != "exact":
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="meshrec-") as folder:
        yield str(Path(folder).resolve() / "surface")


def written(prefix, numbers, recoveries):
    """The surfaces that the backend wrote for people of these numbers; () where none were asked for. Raises InputError: there are none."""
    if prefix is None:
        return ()
    paths = [Path(f"{prefix}.person{number}{SUFFIX}") for number in numbers]
    if not all(path.is_file() and recovery.calibrated_joints is not None for path, recovery in zip(paths, recoveries)):
        raise InputError(_ONLY, "Give --method pc-hmr, or --surface skinned.")
    return tuple(paths)


def of_motion(options, recovery):
    """The surfaces of a motion file's person, () where none are asked for. Raises InputError: the motion has none."""
    if options.surface != "exact":
        return ()
    if recovery.calibrated_joints is None:
        raise InputError(f"{options.motion} has no calibrated surface.", "Reconstruct with --method pc-hmr, or give --surface skinned.")
    path = Path(options.motion).with_suffix(SUFFIX)
    if not path.is_file():
        raise InputError(f"There is no exact surface {path}.", "Reconstruct with --surface exact: it is written beside the .npz.")
    return (path,)


def beside(path, numbers):
    """Where the surfaces of the people of one output lie, one path a person; () beside an output that keeps none."""
    if path.suffix.lower() not in SURFACE_KEEPERS:
        return ()
    if len(numbers) == 1:
        return (path.with_suffix(SUFFIX),)
    return tuple(path.with_name(f"{path.stem}.person{number}{SUFFIX}") for number in numbers)


@contextlib.contextmanager
def lying_beside(outputs, numbers, surfaces):
    """Copy surfaces beside the outputs that keep them; they appear, whole, when the block ends well.

    Args:
        outputs: (path, indices of people) pairs. numbers: of the people. surfaces: a path a person, or ().

    Gives where they will lie: a tuple of paths for each output, as `beside` has it.

    Raises:
        OutputError: there is no room, or the folder cannot be written.
    """
    places = [beside(path, [numbers[index] for index in indices]) if surfaces else () for path, indices in outputs]
    with contextlib.ExitStack() as stack:
        sources = {place: surfaces[index] for (_, indices), there in zip(outputs, places) for index, place in zip(indices, there)}
        for place, source in sources.items():
            if not (place.exists() and place.samefile(source)):
                shutil.copyfile(source, stack.enter_context(whole_file(place)))
        yield places
