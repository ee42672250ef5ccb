"""Which files a command writes, and writing them: here where no Blender is needed, else by one."""

import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from ..bridge.scene_process import RetargetTarget, SceneRequest, SceneResult, find_scene_command, run_scene_process
from ..core.errors import InputError
from ..core.files.body_template import load_body
from ..core.files.bvh import write_bvh
from ..core.files.motion_npz import write_motion
from ..core.files.output_file import check_writable
from ..core.format_notes import format_notes
from ..core.motion import motion_from_recovery
from ..core.skel.template import load_skel
from ..retarget.character_path import split_character_path
from ..retarget.mapping.presets import read_preset
from .surfaces import copied_surfaces

FORMATS = (".blend", ".fbx", ".glb", ".usdc", ".bvh", ".npz")
PRESETS = ("blender", "unreal", "unity")
_WITHOUT_BLENDER = (".npz", ".bvh")
_INPUT_OPTIONS = ("motion", "truth", "mapping", "body", "skel")  # options that name files


def check_format(path):
    """Refuse a path whose suffix names no format."""
    if path.suffix.lower() not in FORMATS:
        raise InputError(
            "output-format-unknown",
            "{name} has no format this software writes.",
            "End the output's name in one of: {known}.",
            name=path.name,
            known=" ".join(FORMATS),
        )


def check_outputs(paths, blender=None, protected=(), with_character=False):
    """Find out before the work whether every output can be written, and made at all.

    Args:
        protected: paths of files that are read, which no output may take the place of.
        with_character: whether an artist's character is to perform.

    Raises:
        InputError: a format is not known, an output is an input or another output, or there is no Blender for a scene.
        OutputError: one cannot be written.
    """
    for path in paths:
        check_format(path)
        if _is_any_of(path, protected):
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


def check_report(report, protected, outputs=()):
    """Find out before the work whether a report can be written; None is none.

    Raises:
        InputError: it would take the place of a file in `protected`, or of an output. OutputError: it cannot be written.
    """
    if report is None:
        return
    path = Path(report)
    if _is_any_of(path, protected):
        raise InputError("report-is-input", "{path} is the input.", "Choose another name or folder for the report.", path=path)
    if any(os.path.abspath(path) == os.path.abspath(output) for output in outputs):
        raise InputError("report-is-output", "{path} is the output.", "Choose another name or folder for the report.", path=path)
    check_writable(path)


def input_files(options):
    """The files that a command's options name to be read: nothing may be written in their place."""
    named = [*getattr(options, "inputs", ()), *(getattr(options, name, None) for name in _INPUT_OPTIONS)]
    if getattr(options, "rig", None):
        named.append(split_character_path(options.rig)[0])
    return [Path(name) for name in named if name and name != "open"]


def _is_any_of(path, files):
    """Whether a path is one of some files, by whatever name; those that are not there are passed over."""
    return os.path.exists(path) and any(path.samefile(file) for file in files if os.path.exists(file))


def needs_scene_process(paths, blender, with_character=False):
    """Whether a Blender in a process of its own is needed."""
    return not _inside_blender(blender) and any(_needs_blender(path, with_character) for path in paths)


def _needs_blender(path, with_character):
    """Whether only a Blender can write a file. A .npz always is the performer's own motion."""
    return path.suffix.lower() not in (_WITHOUT_BLENDER if not with_character else (".npz",))


def outputs_per_person(path, numbers, all_people):
    """What becomes of one output path with several people: (path, indices of people) pairs.

    Args:
        numbers: of the people, as the user counts them. all_people: whether all were asked for: then each has a file of
            their own, but for .blend, which holds them all.
    """
    if not all_people:
        return [(path, (0,))]
    if path.suffix.lower() == ".blend":
        return [(path, tuple(range(len(numbers))))]
    return [(path.with_name(f"{path.stem}.person{number}{path.suffix}"), (index,)) for index, number in enumerate(numbers)]


def retarget_target_from_options(options):
    """The RetargetTarget that a command's options come down to; None without --rig.

    Raises:
        InputError: the character's file or the mapping preset cannot be read.
    """
    if not options.rig:
        return None
    split_character_path(options.rig)
    if options.mapping:
        read_preset(options.mapping)
    chosen = {"root": options.root, "feet": not options.no_foot_ik, "hands": options.hands, "drive": options.drive}
    if getattr(options, "timeline_fps", None):
        chosen["fps"] = options.timeline_fps
    return RetargetTarget(options.rig, chosen, options.mapping)


def write_outputs(
    recoveries,
    numbers,
    outputs,
    name,
    body="open",
    preset="blender",
    blender=None,
    retarget_target=None,
    skel=None,
    stretch=True,
    surfaces=(),
):
    """Write every output; each file appears whole or not at all.

    Args:
        recoveries: of one clip's people. numbers: theirs. outputs: (path, indices into recoveries) pairs. name: the clip's.
        retarget_target: a RetargetTarget where an artist's character is to perform.
        skel: "open" or a SKEL file where scenes are to have SKEL's skeleton; None for SMPL's.
        stretch: let the bones of calibrated people stretch. surfaces: the point cache of each person's exact surface, to lie beside the
            outputs that keep it; or ().

    Returns:
        A SceneResult.

    Raises:
        MeshRecError: OutputError, ModelError, InputError as their names say.
    """
    scenes = [output for output in outputs if _needs_blender(output[0], retarget_target is not None)]
    made = SceneResult()
    name = utf8_name(name)
    people = [(f"{name} person{number}", recovery) for number, recovery in zip(numbers, recoveries)]
    keepers = [output for output in outputs if retarget_target is None or output not in scenes]
    with copied_surfaces(keepers, numbers, surfaces) as places:
        if scenes:
            surface_targets = tuple(places[keepers.index(output)] if output in keepers else () for output in scenes)
            request = SceneRequest(name, (), tuple(scenes), body, preset, retarget_target, skel, stretch, tuple(surfaces), surface_targets)
            made = (
                _write_scenes_here(people, request)
                if retarget_target is None and _inside_blender(blender)
                else _write_scenes_in_child(people, request, blender)
            )
        told = []
        for path, (index,) in (output for output in outputs if output not in scenes):
            called, recovery = people[index]
            if path.suffix.lower() == ".npz":
                write_motion(path, recovery)
            else:
                _write_bvh(path, recovery, load_body(body), stretch)
            stretched = stretch and recovery.calibrated_joints is not None
            told += format_notes(path.suffix.lower(), called, stretched, bool(surfaces), anatomy=skel is not None)
    placed = dict.fromkeys(place for there in places for place in there)
    return replace(made, notes=(*made.notes, *told), surfaces=tuple(placed))


def utf8_name(name):
    """A file's name as Blender can take it, which keeps no bytes that are not UTF-8."""
    return name.encode("utf-8", "replace").decode("utf-8")


def _write_bvh(path, recovery, template, stretch):
    motion = motion_from_recovery(recovery, template.rest_joints(recovery.betas), template.joint_names, template.parents)
    write_bvh(path, motion if stretch else replace(motion, joints=None))


def _inside_blender(blender):
    """Whether this process is a Blender's, and no other was asked for."""
    return blender is None and "bpy" in sys.modules


def _write_scenes_here(people, request):
    from ..scene import outputs as scene_outputs
    from ..scene.assemble import Person

    template, bones = load_body(request.body), request.skel and load_skel(request.skel)
    surfaces = request.surfaces or [None] * len(people)
    made = [Person(person, recovery, template, bones, surface) for (person, recovery), surface in zip(people, surfaces)]
    wanted = [scene_outputs.Output(path, indices, None, lying) for (path, indices), lying in zip(request.outputs, request.surface_paths)]
    return SceneResult(tuple(scene_outputs.write_outputs(made, wanted, request.name, request.preset, request.stretch)))


def _write_scenes_in_child(people, request, blender):
    with tempfile.TemporaryDirectory(prefix="meshrec-") as scratch:
        motions = []
        for index, (person, recovery) in enumerate(people):
            motions.append((person, Path(scratch) / f"{index}.npz"))
            write_motion(motions[-1][1], recovery)
        return make_scenes(replace(request, people=tuple(motions)), blender)


def make_scenes(request, blender=None):
    """Carry out a SceneRequest in this process where it is a Blender's and the request is for a character, else in a child."""
    if request.retarget_target is None or not _inside_blender(blender):
        return run_scene_process(request, blender)
    from ..scene import outputs as scene_outputs
    from ..scene import retarget_outputs

    wanted = [scene_outputs.Output(path, indices) for path, indices in request.outputs]
    target = request.retarget_target
    quality, notes = retarget_outputs.retarget_files(
        request.people, wanted, request.body, request.preset, target.rig, target.options, target.mapping
    )
    return SceneResult(tuple(notes), quality)
