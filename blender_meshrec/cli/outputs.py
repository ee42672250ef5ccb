"""Which files a command writes, and writing them: here where no Blender is needed, else by one."""

import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from ..bridge.maker_process import Casting, Made, MakeRequest, find_maker, make
from ..core.errors import InputError
from ..core.files.body_template import load_body
from ..core.files.bvh import write_bvh
from ..core.files.motion_npz import write_motion
from ..core.files.output_file import check_writable
from ..core.format_notes import carried
from ..core.motion import motion_from_recovery
from ..core.skel.file import load_skel
from ..retarget.character_path import split_object
from ..retarget.mapping.presets import read_preset
from .surfaces import lying_beside

FORMATS = (".blend", ".fbx", ".glb", ".usdc", ".bvh", ".npz")
PRESETS = ("blender", "unreal", "unity")
_WITHOUT_BLENDER = (".npz", ".bvh")
_READ = ("motion", "truth", "mapping", "body", "skel")  # options that name files


def check_format(path):
    """Refuse a path whose suffix names no format."""
    if path.suffix.lower() not in FORMATS:
        raise InputError(f"{path.name} has no format this software writes.", f"End the output's name in one of: {' '.join(FORMATS)}.")


def check_outputs(paths, blender=None, keep=(), cast=False):
    """Find out before the work whether every output can be written, and made at all.

    Args:
        keep: paths of files that are read, which no output may take the place of. cast: whether an artist's character is to perform.

    Raises:
        InputError: a format is not known, an output is an input or another output, or there is no Blender for a scene.
        OutputError: one cannot be written.
    """
    for path in paths:
        check_format(path)
        if _is_one_of(path, keep):
            raise InputError(f"{path} is the input.", "Choose another name or folder for the output.")
        check_writable(path)
    names = [str(path).casefold() for path in paths]
    if doubled := [path for path, name in zip(paths, names) if names.count(name) > 1]:
        raise InputError(f"Two inputs would be written to {doubled[0]}.", "Rename one, or write them into two folders.")
    if needs_maker(paths, blender, cast):
        find_maker(blender)


def check_report(report, keep, outputs=()):
    """Find out before the work whether a report can be written; None is none.

    Raises:
        InputError: it would take the place of a file in `keep`, or of an output. OutputError: it cannot be written.
    """
    if report is None:
        return
    path = Path(report)
    if _is_one_of(path, keep):
        raise InputError(f"{path} is the input.", "Choose another name or folder for the report.")
    if any(os.path.abspath(path) == os.path.abspath(output) for output in outputs):
        raise InputError(f"{path} is the output.", "Choose another name or folder for the report.")
    check_writable(path)


def files_read(options):
    """The files that a command's options name to be read: nothing may be written in their place."""
    named = [*getattr(options, "inputs", ()), *(getattr(options, name, None) for name in _READ)]
    if getattr(options, "rig", None):
        named.append(split_object(options.rig)[0])
    return [Path(name) for name in named if name and name != "open"]


def _is_one_of(path, files):
    """Whether a path is one of some files, by whatever name; those that are not there are passed over."""
    return os.path.exists(path) and any(path.samefile(file) for file in files if os.path.exists(file))


def needs_maker(paths, blender, cast=False):
    """Whether a Blender in a process of its own is needed."""
    return not _inside_blender(blender) and any(_is_scene(path, cast) for path in paths)


def _is_scene(path, cast):
    """Whether only a Blender can write a file. A .npz always is the performer's own motion."""
    return path.suffix.lower() not in (_WITHOUT_BLENDER if not cast else (".npz",))


def people_in(path, numbers, everybody):
    """What becomes of one output path with several people: (path, indices of people) pairs.

    Args:
        numbers: of the people, as the user counts them. everybody: whether all were asked for: then each has a file of
            their own, but for .blend, which holds them all.
    """
    if not everybody:
        return [(path, (0,))]
    if path.suffix.lower() == ".blend":
        return [(path, tuple(range(len(numbers))))]
    return [(path.with_name(f"{path.stem}.person{number}{path.suffix}"), (index,)) for index, number in enumerate(numbers)]


def casting_of(options):
    """The Casting that a command's options come down to; None without --rig.

    Raises:
        InputError: the character's file or the mapping preset cannot be read.
    """
    if not options.rig:
        return None
    split_object(options.rig)
    if options.mapping:
        read_preset(options.mapping)
    chosen = {"root": options.root, "feet": not options.no_foot_ik, "hands": options.hands, "drive": options.drive}
    if getattr(options, "timeline_fps", None):
        chosen["fps"] = options.timeline_fps
    return Casting(options.rig, chosen, options.mapping)


def write_outputs(
    recoveries, numbers, outputs, name, body="open", preset="blender", blender=None, casting=None, skel=None, stretch=True, surfaces=()
):
    """Write every output; each file appears whole or not at all.

    Args:
        recoveries: of one clip's people. numbers: theirs. outputs: (path, indices into recoveries) pairs. name: the clip's.
        casting: a Casting where an artist's character is to perform. skel: "open" or a SKEL file where scenes are to have SKEL's
            skeleton; None for SMPL's.
        stretch: let the bones of calibrated people stretch. surfaces: the point cache of each person's exact surface, to lie beside the
            outputs that keep it; or ().

    Returns:
        A Made.

    Raises:
        MeshRecError: OutputError, ModelError, InputError as their names say.
    """
    scenes = [output for output in outputs if _is_scene(output[0], casting is not None)]
    made = Made()
    name = writable(name)
    people = [(f"{name} person{number}", recovery) for number, recovery in zip(numbers, recoveries)]
    keepers = [output for output in outputs if casting is None or output not in scenes]
    with lying_beside(keepers, numbers, surfaces) as places:
        if scenes:
            lying = tuple(places[keepers.index(output)] if output in keepers else () for output in scenes)
            request = MakeRequest(name, (), tuple(scenes), body, preset, casting, skel, stretch, tuple(surfaces), lying)
            made = _make_here(people, request) if casting is None and _inside_blender(blender) else _have_made(people, request, blender)
        told = []
        for path, (index,) in (output for output in outputs if output not in scenes):
            called, recovery = people[index]
            if path.suffix.lower() == ".npz":
                write_motion(path, recovery)
            else:
                _write_bvh(path, recovery, load_body(body), stretch)
            stretched = stretch and recovery.calibrated_joints is not None
            told += carried(path.suffix.lower(), called, stretched, bool(surfaces), anatomy=skel is not None)
    placed = dict.fromkeys(place for there in places for place in there)
    return replace(made, notes=(*made.notes, *told), surfaces=tuple(placed))


def writable(name):
    """A file's name as Blender can take it, which keeps no bytes that are not UTF-8."""
    return name.encode("utf-8", "replace").decode("utf-8")


def _write_bvh(path, recovery, template, stretch):
    motion = motion_from_recovery(recovery, template.rest_joints(recovery.betas), template.joint_names, template.parents)
    write_bvh(path, motion if stretch else replace(motion, joints=None))


def _inside_blender(blender):
    """Whether this process is a Blender's, and no other was asked for."""
    return blender is None and "bpy" in sys.modules


def _make_here(people, request):
    from ..scene import outputs as scene_outputs
    from ..scene.assemble import Person

    template, bones = load_body(request.body), request.skel and load_skel(request.skel)
    surfaces = request.surfaces or [None] * len(people)
    made = [Person(person, recovery, template, bones, surface) for (person, recovery), surface in zip(people, surfaces)]
    wanted = [scene_outputs.Output(path, indices, None, lying) for (path, indices), lying in zip(request.outputs, request.lying)]
    return Made(tuple(scene_outputs.write_outputs(made, wanted, request.name, request.preset, request.stretch)))


def _have_made(people, request, blender):
    with tempfile.TemporaryDirectory(prefix="meshrec-") as scratch:
        motions = []
        for index, (person, recovery) in enumerate(people):
            motions.append((person, Path(scratch) / f"{index}.npz"))
            write_motion(motions[-1][1], recovery)
        return make_scenes(replace(request, people=tuple(motions)), blender)


def make_scenes(request, blender=None):
    """Carry out a MakeRequest in this process where it is a Blender's and the request is for a character, else in a child."""
    if request.casting is None or not _inside_blender(blender):
        return make(request, blender)
    from ..scene import outputs as scene_outputs
    from ..scene import retarget_outputs

    wanted = [scene_outputs.Output(path, indices) for path, indices in request.outputs]
    casting = request.casting
    quality, notes = retarget_outputs.cast(
        request.people, wanted, request.body, request.preset, casting.rig, casting.options, casting.mapping
    )
    return Made(tuple(notes), quality)
