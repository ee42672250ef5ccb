"""Exact surfaces on their way: where the backend writes them, and beside which outputs they come to lie.

A surface lies beside NAME.blend or NAME.npz as NAME.pc2; several people in one .blend have NAME.personN.pc2.
"""

import contextlib
import shutil
import tempfile
from pathlib import Path

from ..bridge.messages import is_calibrated_method
from ..core.errors import InputError
from ..core.files.output_file import atomic_write
from ..core.files.point_cache import SUFFIX
from ..core.format_notes import SURFACE_FORMATS

_UNSUPPORTED_METHOD = "The exact surface is of the method pc-hmr alone."


def check_reconstruct_options(options, paths):
    """Refuse the exact surface where the method, the skeleton or what is to be written at `paths` has none. Raises InputError."""
    if options.surface == "exact" and options.rig and not any(path.suffix.lower() == ".npz" for path in paths):
        raise InputError(
            "surface-of-own-character", "A character of your own has no exact surface.", "Write an .npz as well, or give --surface skinned."
        )
    if options.surface == "exact" and not is_calibrated_method(options.method):
        raise InputError("surface-needs-pc-hmr", _UNSUPPORTED_METHOD, "Give --method pc-hmr, or --surface skinned.")
    check_skeleton_option(options)


def check_skeleton_option(options):
    """Refuse the exact surface for SKEL's skin, which is another mesh. Raises InputError."""
    if options.surface == "exact" and options.skeleton == "skel":
        raise InputError("surface-of-skel", "SKEL's skin has no exact surface.", "Give --skeleton smpl, or --surface skinned.")


@contextlib.contextmanager
def scratch_prefix(options):
    """A path prefix for the backend to write surfaces to, for a while; None where none are asked for."""
    if options.surface != "exact":
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="meshrec-") as folder:
        yield str(Path(folder).resolve() / "surface")


def find_written_surfaces(prefix, numbers, recoveries):
    """The surfaces that the backend wrote for people of these numbers; () where none were asked for. Raises InputError: there are none."""
    if prefix is None:
        return ()
    paths = [Path(f"{prefix}.person{number}{SUFFIX}") for number in numbers]
    if not all(path.is_file() and recovery.calibrated_joints is not None for path, recovery in zip(paths, recoveries)):
        raise InputError("surface-needs-pc-hmr", _UNSUPPORTED_METHOD, "Give --method pc-hmr, or --surface skinned.")
    return tuple(paths)


def find_motion_surfaces(options, recovery):
    """The surfaces of a motion file's person, () where none are asked for. Raises InputError: the motion has none."""
    if options.surface != "exact":
        return ()
    if recovery.calibrated_joints is None:
        raise InputError(
            "motion-without-surface",
            "{motion} has no calibrated surface.",
            "Reconstruct with --method pc-hmr, or give --surface skinned.",
            motion=options.motion,
        )
    path = Path(options.motion).with_suffix(SUFFIX)
    if not path.is_file():
        raise InputError(
            "surface-file-not-found",
            "There is no exact surface {path}.",
            "Reconstruct with --surface exact: it is written beside the .npz.",
            path=path,
        )
    return (path,)


def surface_paths(path, numbers):
    """Where the surfaces of the people of one output lie, one path a person; () beside an output that keeps none."""
    if path.suffix.lower() not in SURFACE_FORMATS:
        return ()
    if len(numbers) == 1:
        return (path.with_suffix(SUFFIX),)
    return tuple(path.with_name(f"{path.stem}.person{number}{SUFFIX}") for number in numbers)


@contextlib.contextmanager
def copied_surfaces(outputs, numbers, surfaces):
    """Copy surfaces beside the outputs that keep them; they appear, whole, when the block ends well.

    Args:
        outputs: (path, indices of people) pairs. numbers: of the people. surfaces: a path a person, or ().

    Gives where they will lie: a tuple of paths for each output, as `surface_paths` has it.

    Raises:
        OutputError: there is no room, or the folder cannot be written.
    """
    places = [surface_paths(path, [numbers[index] for index in indices]) if surfaces else () for path, indices in outputs]
    with contextlib.ExitStack() as stack:
        sources = {place: surfaces[index] for (_, indices), there in zip(outputs, places) for index, place in zip(indices, there)}
        for place, source in sources.items():
            if not (place.exists() and place.samefile(source)):
                shutil.copyfile(source, stack.enter_context(atomic_write(place)))
        yield places
