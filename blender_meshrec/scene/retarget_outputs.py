"""From performances and a character's file to files of that character performing, without a window."""

import bpy
import numpy as np

from ..core.files.bvh import write_bvh
from ..core.records import Motion
from ..core.rotations import quat_from_rotmat
from ..retarget.character_path import split_character_path
from ..retarget.mapping.presets import read_preset
from ..retarget.rig import RetargetOptions
from ..retarget.source.files import read_performance
from .export import CharacterGroup, export_assembly
from .keyframes import set_timeline
from .retarget import retarget_armature
from .rig_file import load_character, unhide_character


def retarget_files(motions, outputs, body, preset, rig, options=None, mapping=None):
    """Read motions and let the character of a file perform them: `write_retargeted` from files to files.

    Args:
        motions: (name, path) pairs: .npz or .bvh. body: of our own motions, "open" or a file. options: of RetargetOptions,
            by name. mapping: path of a mapping preset, or None.

    Returns:
        as `write_retargeted`.
    """
    chosen = RetargetOptions(**(options or {}))
    preset_mapping = read_preset(mapping).mapping if mapping else None
    performances = [(name, read_performance(path, body)) for name, path in motions]
    return write_retargeted(performances, outputs, rig, preset, chosen, preset_mapping)


def write_retargeted(performances, outputs, rig, preset="blender", options=None, mapping=None):
    """Write each output: the character of `rig` as each of the output's people performs; the open file is thrown away.

    Args:
        performances: (name, Performance) of one clip's people. outputs: Output objects of scene/outputs.py; a .blend holds all
            its people, other formats the first. rig: FILE or FILE#object. mapping: a BoneMapping, or None to find it.

    Returns:
        quality, a dict for each output's path, and sentences about what did not go as planned.

    Raises:
        InputError, OutputError: as `load_character`, `retarget_armature` and `export_assembly` do.
    """
    if not bpy.app.background:
        raise RuntimeError("write_retargeted empties the open file and is for Blender without a window")
    path, name = split_character_path(rig)
    quality, notes = {}, []
    for output in outputs:
        chosen = [performances[index] for index in output.people]
        made = _write_output(chosen, output, path, name, preset, options or RetargetOptions(), mapping)
        quality[str(output.path)] = dict(made[0].quality)
        notes += [note for result in made for note in result.notes]
    return quality, list(dict.fromkeys(notes))


def _write_output(performances, output, path, name, preset, options, mapping):
    # Not read_factory_settings: that would switch off every add-on, this one included.
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    characters = []
    for _ in performances:
        characters.append(load_character(path, name, characters[0] if characters else None))
        unhide_character(characters[-1])
    made = [
        retarget_armature(character.armature, performance, mapping, options, take, character.humanoid)
        for character, (take, performance) in zip(characters, performances)
    ]
    set_timeline(bpy.context.scene, made[0].fps, max(result.last_frame for result in made))
    if output.path.suffix.lower() == ".bvh":
        write_bvh(output.path, motion_from_plan(made[0].plan))
        return made
    meshes = tuple(mesh for character in characters for mesh in character.meshes)
    controls = any(result.mapping.controls is not None for result in made)
    export_assembly(output.path, CharacterGroup(tuple(c.armature for c in characters), meshes, controls), preset, output.home)
    return made


def motion_from_plan(plan):
    """A RetargetPlan as a Motion of its rig, in metres in the world: hips and all that hangs from them."""
    rig, moves = plan.skeleton, plan.skeleton_motion
    hips = rig.index(plan.mapping.slots["hips"][0])
    rows = [hips]
    for row in range(hips + 1, len(rig)):
        if rig.parents[row] in rows:
            rows.append(row)
    turn = rig.world[:3, :3] / np.linalg.norm(rig.world[:3, :3], axis=0)
    away = turn @ (moves.rotmats[:, rows] @ rig.rest[rows, :3, :3].swapaxes(-1, -2)) @ turn.T
    parents = [rows.index(rig.parents[row]) if row != hips else -1 for row in rows]
    local = np.stack([away[:, i] if p < 0 else away[:, p].swapaxes(-1, -2) @ away[:, i] for i, p in enumerate(parents)], 1)
    return Motion(
        skeleton="character",
        joint_names=tuple("_".join(rig.bones[row].split()) for row in rows),  # BVH's words end at spaces
        parents=parents,
        rest_joints=rig.rest[rows, :3, 3] @ rig.world[:3, :3].T + rig.world[:3, 3],
        rotations=quat_from_rotmat(local),
        transl=moves.heads[:, hips] @ rig.world[:3, :3].T + rig.world[:3, 3],
        fps=moves.fps,
        timestamps=moves.timestamps,
    )
