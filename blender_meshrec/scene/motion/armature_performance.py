"""The motion of an animated armature of the scene as a Performance, which other characters can be retargeted to."""

import bpy
import numpy as np

from ...core.array_types import FloatArray
from ...core.body_contacts import CONTACT_PARTS, SOLE_PARTS
from ...retarget.mapping.map_bones import fit_mapping, map_bones
from ...retarget.rig import SIDES, BoneMapping, Performance, Rig
from ..character.rig_checks import check_rig
from ..character.rig_reader import read_rig
from ..context import active_scene, armature_data, pose_bones
from ..corrections.contact_channels import has_contact_channels, read_contacts
from ..takes.played_take import timeline_shift
from ..temporary_state import changed_attributes
from ..unit_scale import metres_per_unit
from .isolated_playback import bone_matrices, check_frame_range, isolated_scene
from .keyframes import scene_fps

_POSITION_TOLERANCE = 1e-3  # as a fraction of the rig's size
_MIN_ALIGNMENT_COSINE = 0.999  # of the angle between parallel bones


def performance_from_armature(armature_object: bpy.types.Object, first: int, last: int, mapping: BoneMapping | None = None) -> Performance:
    """Play an armature of the current scene, in Pose Position, and record its bones, constraints and drivers included.

    Args:
        armature_object: the source. first, last: whole frames of the scene, both included. mapping: found automatically if None.

    Returns:
        A Performance of last - first + 1 frames at the scene's rate; its contacts are those of the armature's contact channels, None
        without such channels.

    Raises:
        InputError: the armature cannot be read, is not a humanoid, or there are no frames.
    """
    check_frame_range(first, last)
    check_rig(armature_object)
    whole_rig = read_rig(armature_object)
    mapping, _notes = fit_mapping(whole_rig, mapping or map_bones(whole_rig))
    rig, recorded_bones = _mapped_bones(whole_rig, mapping)
    bones = pose_bones(armature_object)
    rows = [bones.find(name) for name in recorded_bones]
    matrices = np.empty((last - first + 1, len(rig), 4, 4))
    in_pose_position = changed_attributes(armature_data(armature_object), pose_position="POSE")
    with in_pose_position, isolated_scene(armature_object) as evaluate_frame:
        for frame in range(first, last + 1):
            matrices[frame - first] = bone_matrices(armature_object.evaluated_get(evaluate_frame(frame)), rows)
    matrices[..., :3, 3] *= metres_per_unit(armature_object)
    # A recorded bone may have other axes than the mapped one: apply the rotation between the two at rest.
    recorded_rest = np.array([whole_rig.rest[whole_rig.index(name), :3, :3] for name in recorded_bones])
    rotations = orthonormal_rotations(matrices[..., :3, :3]) @ (recorded_rest.swapaxes(1, 2) @ rig.rest[:, :3, :3])
    fps = scene_fps(active_scene())
    frames = np.arange(first, last + 1) - timeline_shift(armature_object)
    contacts = read_contacts(armature_object, frames) if has_contact_channels(armature_object) else None
    return Performance(
        rig,
        mapping,
        rotations,
        matrices[..., :3, 3],
        fps,
        np.arange(len(matrices)) / fps,
        contacts=None if contacts is None else contacts[:, : len(SOLE_PARTS)].astype(float),
        hand_contacts=None if contacts is None else contacts[:, [CONTACT_PARTS.index(f"{side}_hand") for side in SIDES]].astype(float),
    )


def _mapped_bones(rig: Rig, mapping: BoneMapping) -> tuple[Rig, tuple[str, ...]]:
    """The mapped bones alone as a Rig, and for each the name of the bone that is recorded for it.

    For a mapped control it is the deforming bone: an FK control does not follow the character while the rig is on IK.
    """
    mapped = set(mapping.bones)
    rows = [row for row, name in enumerate(rig.bones) if name in mapped]
    parents = []
    for row in rows:
        parent = rig.parents[row]
        while parent >= 0 and parent not in rows:
            parent = rig.parents[parent]
        parents.append(rows.index(parent) if parent >= 0 else -1)
    names = tuple(rig.bones[row] for row in rows)
    mapped_rig = Rig(rig.name, names, np.array(parents, np.int64), rig.rest[rows], rig.lengths[rows], rig.world)
    if mapping.controls is None:
        return mapped_rig, names
    return mapped_rig, tuple(rig.bones[find_deform_bone(rig, row)] for row in rows)


def find_deform_bone(rig: Rig, control: int) -> int:
    """The row of the deforming bone with the head and direction of a control; the control's own row if there is none."""
    heads, along = rig.rest[:, :3, 3], rig.rest[:, :3, 1]
    is_near = np.linalg.norm(heads - heads[control], axis=1) < _POSITION_TOLERANCE * np.ptp(heads, axis=0).max()
    found = np.flatnonzero(is_near & rig.deform & (along @ along[control] > _MIN_ALIGNMENT_COSINE))
    return int(found[0]) if len(found) else control


def orthonormal_rotations(matrices: FloatArray) -> FloatArray:
    """The rotations (...,3,3) of matrices that may also scale: the y axis keeps its direction, x is made perpendicular to it."""
    y = matrices[..., 1] / np.linalg.norm(matrices[..., 1], axis=-1, keepdims=True)
    z = np.cross(matrices[..., 0], y)
    z /= np.linalg.norm(z, axis=-1, keepdims=True)
    return np.stack([np.cross(y, z), y, z], -1)
