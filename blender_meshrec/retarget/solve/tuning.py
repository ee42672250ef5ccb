"""An artist's corrections of a retargeting: bones turned further, parts that follow less, and the path moved, turned and scaled."""

from dataclasses import replace

import numpy as np

from ...core.array_types import BoolArray, FloatArray
from ...core.axis_rotations import right_multiply, rotation_about_axis
from ...core.rotations import quat_from_rotmat, rotmat_from_quat, rotmat_from_rotvec, slerp
from ..rig import INFLUENCE_PARTS, SIDES, Performance, RetargetTuning
from .forward_kinematics import BoneArrays
from .rest_pose import RestPose

_MIN_PLANTED_INFLUENCE = 0.5  # legs that follow less plant no feet


def turned_performance(performance: Performance, heading: float) -> Performance:
    """A performance turned by `heading` rad about the vertical axis through the origin."""
    if not heading:
        return performance
    turn = rotation_about_axis(np.array([0.0, 0.0, 1.0]), heading)
    return replace(
        performance,
        rotations=turn @ performance.rotations,
        heads=performance.heads @ turn.T,
        soles=None if performance.soles is None else performance.soles @ turn.T,
    )


def path_shift(path: FloatArray, tuning: RetargetTuning) -> FloatArray:
    """The movement (F,3) m of a path (F,3) m: scaled about the origin over the floor, then offset."""
    return path * [tuning.path_scale - 1, tuning.path_scale - 1, 0.0] + np.asarray(tuning.path_offset)


def planted_sides(contacts: BoolArray, tuning: RetargetTuning) -> BoolArray:
    """Contacts (F,4) without those of legs that hardly follow the performer."""
    follows = [tuning.influence(f"{side}_leg") >= _MIN_PLANTED_INFLUENCE for side in SIDES]
    return contacts & np.repeat(follows, 2)


def tune_rotations(rest: RestPose, bone_rotations: BoneArrays, tuning: RetargetTuning) -> None:
    """Apply influences and offsets to rotations, bone -> (F,3,3), in place: a bone is changed as its parent's child, and its own follow."""
    if not tuning.turns_bones:
        return
    influence_of_bone = {
        bone: tuning.influence(part) for part, slots in INFLUENCE_PARTS.items() for slot in slots for bone in rest.slots.get(slot, ())
    }
    solved = dict(bone_rotations)
    for bone in sorted(bone_rotations):  # parents come first
        above = next((ancestor for ancestor in rest.chain_to_root(bone)[1:] if ancestor in solved), None)
        local = solved[bone] if above is None else np.swapaxes(solved[above], -1, -2) @ solved[bone]
        influence = influence_of_bone.get(bone, 1.0)
        if influence < 1:
            at_rest = rest.rotations[bone] if above is None else rest.rotations[above].T @ rest.rotations[bone]
            local = _blend(at_rest, local, influence)
        turned = local if above is None else bone_rotations[above] @ local
        offset = tuning.offsets.get(rest.rig.bones[bone])
        bone_rotations[bone] = turned if offset is None else right_multiply(turned, rotmat_from_rotvec(offset))


def _blend(first: FloatArray, second: FloatArray, weight: float) -> FloatArray:
    """From rotation (3,3) at weight 0 to (F,3,3) at 1."""
    quats = quat_from_rotmat(second)
    return rotmat_from_quat(slerp(np.broadcast_to(quat_from_rotmat(first), quats.shape), quats, np.full(len(quats), weight)))
