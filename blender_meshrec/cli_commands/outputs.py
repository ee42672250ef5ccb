"""Which files a command writes, and writing them: here where no Blender is needed, else by one."""

import sys
import tempfile
from pathlib import Path

from ..bridge.making import MakeRequest, find_maker, make
from ..core.body_template import load_body
from ..core.bvh import write_bvh
from ..core.errors import InputError
from ..core.motion import motion_from_recovery
from ..core.motion_file import write_motion
from ..core.output_file import check_writable

FORMATS = (".blend", ".fbx", ".glb", ".usdc", ".bvh", ".npz")
PRESETS = ("blender", "unreal", "unity")
_WITHOUT_BLENDER = (".npz", ".bvh")


def check_format(path):
    """Refuse a path whose suffix names no format."""
    if path.suffix.lower() not in FORMATS:
        raise InputError(f"{path.name} has no format this software writes.", f"End the output's name in one of: {' '.join(FORMATS)}.")


def check_outputs(paths, blender=None, keep=()):
    """Find out before the work whether every output can be written, and made at all.

    Args:
        keep: paths of inputs, which no output may take the place of.

    Raises:
        InputError: a format is not known, an output is an input or another output, or there is no Blender for a scene.
        OutputError: one cannot be written.
    """
    for path in paths:
        check_format(path)
        if path.exists() and any(path.samefile(source) for source in keep):
            raise InputError(f"{path} is the input.", "Choose another name or folder for the output.")
        check_writable(path)
    names = [str(path).casefold() for path in paths]
    if doubled := [path for path, name in zip(paths, names) if names.count(name) > 1]:
        raise InputError(f"Two inputs would be written to {doubled[0]}.", "Rename one, or write them into two folders.")
    if needs_maker(paths, blender):
        find_maker(blender)


def needs_maker(paths, blender):
    """Whether a Blender in a process of its own is needed."""
    return not _inside_blender(blender) and any(path.suffix.lower() not in _WITHOUT_BLENDER for path in paths)


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


def write_outputs(recoveries, numbers, outputs, name, body="open", preset="blender", blender=None):
    """Write every output; each file appears whole or not at all.

    Args:
        recoveries: of one clip's people. numbers: theirs. outputs: (path, indices into recoveries) pairs. name: the clip's.

    Returns:
        Sentences about what could not be carried over.

    Raises:
        MeshRecError: OutputError, ModelError, InputError as their names say.
    """
    plain = [output for output in outputs if output[0].suffix.lower() in _WITHOUT_BLENDER]
    scenes = [output for output in outputs if output not in plain]
    notes = []
    if scenes:
        people = [(f"{name} person{number}", recovery) for number, recovery in zip(numbers, recoveries)]
        write = _make_here if _inside_blender(blender) else _have_made
        notes = write(people, scenes, name, body, preset, blender)
    for path, (index,) in plain:
        recovery = recoveries[index]
        if path.suffix.lower() == ".npz":
            write_motion(path, recovery)
        else:
            template = load_body(body)
            rest_joints = template.rest_joints(recovery.betas)
            write_bvh(path, motion_from_recovery(recovery, rest_joints, template.joint_names, template.parents))
    return list(notes)


def _inside_blender(blender):
    """Whether this process is a Blender's, and no other was asked for."""
    return blender is None and "bpy" in sys.modules


def _make_here(people, outputs, name, body, preset, _blender):
    from ..scene import outputs as scene_outputs
    from ..scene.assemble import Person

    template = load_body(body)
    made = [Person(person, recovery, template) for person, recovery in people]
    return scene_outputs.write_outputs(made, [scene_outputs.Output(path, indices) for path, indices in outputs], name, preset)


def _have_made(people, outputs, name, body, preset, blender):
    with tempfile.TemporaryDirectory(prefix="meshrec-") as scratch:
        motions = []
        for index, (person, recovery) in enumerate(people):
            motions.append((person, Path(scratch) / f"{index}.npz"))
            write_motion(motions[-1][1], recovery)
        return make(MakeRequest(name, tuple(motions), tuple(outputs), body, preset), blender)
