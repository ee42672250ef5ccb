"""What an animated armature of the scene does, as a Performance that other characters can be given."""

import bpy
import numpy as np

from ..core.errors import InputError
from ..retarget.mapping.map_bones import map_bones
from ..retarget.rig import Performance, Rig
from .isolated_playback import isolated_scene
from .rig_checks import check_rig
from .rig_reader import read_rig

_POSITION_TOLERANCE = 1e-3  # of the rig's size
_MIN_ALIGNMENT_COSINE = 0.999  # cosine between bones that lie along each other


def performance_from_armature(armature_object, first, last, mapping=None):
    """Play an armature of the current scene and take down where its bones go, constraints and drivers included.

    Args:
        armature_object: the source. first, last: whole frames of the scene, both included. mapping: a BoneMapping, found by itself
            where it is None.

    Returns:
        A Performance of last - first + 1 frames at the scene's rate, without contacts.

    Raises:
        InputError: the armature cannot be read, is no humanoid, or there are no frames.
    """
    if last < first:
        raise InputError(
            "frames-reversed", "There are no frames from {first} to {last}.", "Choose a last frame after the first.", first=first, last=last
        )
    check_rig(armature_object)
    whole = read_rig(armature_object)
    mapping = mapping or map_bones(whole)
    rig, shown = _mapped_bones(whole, mapping)
    bones = armature_object.pose.bones
    rows = [bones.find(name) for name in shown]
    flat = np.empty(16 * len(bones), np.float32)
    matrices = np.empty((last - first + 1, len(rig), 4, 4))
    with isolated_scene(armature_object) as at:
        for frame in range(first, last + 1):
            posed = armature_object.evaluated_get(at(frame))
            posed.pose.bones.foreach_get("matrix", flat)
            pose = flat.reshape(len(bones), 4, 4)[rows].swapaxes(1, 2)
            matrices[frame - first] = np.array(posed.matrix_world) @ pose
    # What shows a bone may lie in other axes than the bone: the rotation between them at rest goes along.
    own = np.array([whole.rest[whole.index(name), :3, :3] for name in shown])
    rotations = _orthonormal_rotations(matrices[..., :3, :3]) @ (own.swapaxes(1, 2) @ rig.rest[:, :3, :3])
    render = bpy.context.scene.render
    fps = render.fps / render.fps_base
    timestamps = np.arange(len(matrices)) / fps
    return Performance(rig, mapping, rotations, matrices[..., :3, 3], fps, timestamps)


def _mapped_bones(rig, mapping):
    """The mapped bones alone as a Rig, and for each the name of the bone that shows where it goes.

    An animator's controls are not where the character is while the rig is on IK; the bones that carry skin are.
    """
    rows = [row for row, name in enumerate(rig.bones) if name in set(mapping.bones)]
    parents = []
    for row in rows:
        parent = rig.parents[row]
        while parent >= 0 and parent not in rows:
            parent = rig.parents[parent]
        parents.append(rows.index(parent) if parent >= 0 else -1)
    chosen = Rig(rig.name, [rig.bones[row] for row in rows], parents, rig.rest[rows], rig.lengths[rows], rig.world)
    if mapping.controls is None:
        return chosen, chosen.bones
    return chosen, [rig.bones[_find_deform_bone(rig, row)] for row in rows]


def _find_deform_bone(rig, control):
    """The deforming bone that begins where a control does and lies along it; the control itself where there is none."""
    heads, along = rig.rest[:, :3, 3], rig.rest[:, :3, 1]
    near = np.linalg.norm(heads - heads[control], axis=1) < _POSITION_TOLERANCE * np.ptp(heads, axis=0).max()
    same = np.flatnonzero(near & rig.deform & (along @ along[control] > _MIN_ALIGNMENT_COSINE))
    return int(same[0]) if len(same) else control


def _orthonormal_rotations(matrices):
    """The rotations (...,3,3) of matrices that may also scale: y as it is, x square to it."""
    y = matrices[..., 1] / np.linalg.norm(matrices[..., 1], axis=-1, keepdims=True)
    z = np.cross(matrices[..., 0], y)
    z /= np.linalg.norm(z, axis=-1, keepdims=True)
    return np.stack([np.cross(y, z), y, z], -1)
