"""Files of exact surfaces: where the backend writes them, and their copies beside the outputs.

Beside NAME.blend or NAME.npz, a surface is called NAME.pc2; of several people in one .blend, NAME.personN.pc2.
"""

import contextlib
import shutil
from argparse import Namespace
from collections.abc import Generator, Iterable, Sequence
from pathlib import Path

from ..bridge.messages import is_calibrated_method
from ..bridge.scene_process import OutputPeople
from ..core.errors import InputError
from ..core.files.output_file import atomic_write
from ..core.files.point_cache import SUFFIX
from ..core.files.temporary_folder import scratch_folder
from ..core.format_notes import SURFACE_FORMATS
from ..core.records import Recovery

_UNSUPPORTED_METHOD = "The exact surface is of the method pc-hmr alone."


def check_reconstruct_options(options: Namespace, paths: Iterable[Path]) -> None:
    """Check that the method, the skeleton and the outputs at `paths` support the exact surface, if it is chosen.

    Raises:
        InputError: one does not.
    """
    if options.surface == "exact" and options.rig and not any(path.suffix.lower() == ".npz" for path in paths):
        raise InputError(
            "surface-of-own-character", "A character of your own has no exact surface.", "Write an .npz as well, or give --surface skinned."
        )
    if options.surface == "exact" and not is_calibrated_method(options.method):
        raise InputError("surface-needs-pc-hmr", _UNSUPPORTED_METHOD, "Give --method pc-hmr, or --surface skinned.")
    check_skeleton_option(options)


def check_skeleton_option(options: Namespace) -> None:
    """Raise InputError for the exact surface of SKEL, whose skin is another mesh."""
    if options.surface == "exact" and options.skeleton == "skel":
        raise InputError("surface-of-skel", "SKEL's skin has no exact surface.", "Give --skeleton smpl, or --surface skinned.")


@contextlib.contextmanager
def scratch_prefix(options: Namespace) -> Generator[str | None, None, None]:
    """Yield a temporary path prefix for the backend to write surfaces to; None where the exact surface is not chosen."""
    if options.surface != "exact":
        yield None
        return
    with scratch_folder() as folder:
        yield str(folder / "surface")


def find_written_surfaces(prefix: str | None, numbers: Sequence[int], recoveries: Sequence[Recovery]) -> tuple[Path, ...]:
    """The surfaces that the backend wrote for people of these numbers; () without a prefix.

    Raises:
        InputError: there are none.
    """
    if prefix is None:
        return ()
    paths = [Path(f"{prefix}.person{number}{SUFFIX}") for number in numbers]
    if not all(path.is_file() and recovery.calibrated_joints is not None for path, recovery in zip(paths, recoveries)):
        raise InputError("surface-needs-pc-hmr", _UNSUPPORTED_METHOD, "Give --method pc-hmr, or --surface skinned.")
    return tuple(paths)


def find_motion_surfaces(options: Namespace, recovery: Recovery) -> tuple[Path, ...]:
    """The surface of a motion file's person, as a tuple; () where the exact surface is not chosen.

    Raises:
        InputError: the motion has none.
    """
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


def surface_paths(path: Path, numbers: Sequence[int]) -> tuple[Path, ...]:
    """The paths of the surfaces of one output's people, one each; () for a format without surfaces."""
    if path.suffix.lower() not in SURFACE_FORMATS:
        return ()
    if len(numbers) == 1:
        return (path.with_suffix(SUFFIX),)
    return tuple(path.with_name(f"{path.stem}.person{number}{SUFFIX}") for number in numbers)


@contextlib.contextmanager
def copied_surfaces(
    outputs: Sequence[OutputPeople], numbers: Sequence[int], surfaces: Sequence[Path]
) -> Generator[dict[Path, tuple[Path, ...]], None, None]:
    """Copy surfaces beside the outputs whose format has them; the copies appear, whole, when the block succeeds.

    Args:
        numbers: of the people. surfaces: one path for each person, or ().

    Yields the paths of the copies by output path.

    Raises:
        OutputError: the disk is full, or the folder cannot be written.
    """
    copies: dict[Path, tuple[Path, ...]] = {}
    with contextlib.ExitStack() as stack:
        sources: dict[Path, Path] = {}
        for path, indices in outputs:
            copies[path] = surface_paths(path, [numbers[index] for index in indices]) if surfaces else ()
            sources.update({copy: surfaces[index] for index, copy in zip(indices, copies[path])})
        for copy, source in sources.items():
            if not (copy.exists() and copy.samefile(source)):
                shutil.copyfile(source, stack.enter_context(atomic_write(copy)))
        yield copies
