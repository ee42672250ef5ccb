"""A character's motion as a Motion, for .bvh: its hips and the bones below them."""

import numpy as np

from ...core.array_types import ArrayLike, FloatArray
from ...core.records import Motion
from ...core.rotations import quat_from_rotmat
from ...retarget.rig import Performance, Rig
from ...retarget.solve.detached_bones import attach_detached_bones
from ..retargeting.retarget import RetargetPlan
from .rig_bones import descendant_rows, rest_heads_in_world


def motion_from_performance(performance: Performance) -> Motion:
    """A Performance as a Motion, in metres in the world."""
    hips = performance.mapping.slots["hips"][0]
    return _motion_of_rig(performance.rig, hips, performance.rotations, performance.heads, performance.fps, performance.timestamps)


def motion_from_plan(plan: RetargetPlan) -> Motion:
    """A RetargetPlan as a Motion of its rig, in metres in the world; feet that hang from elsewhere become children of the shins."""
    solving, motion = attach_detached_bones(plan.skeleton, plan.mapping), plan.skeleton_motion
    rig = solving.attached
    rotations = _world_rotation(rig) @ motion.rotmats[:, solving.order]
    heads = motion.heads[:, solving.order] @ rig.world[:3, :3].T + rig.world[:3, 3]
    return _motion_of_rig(rig, plan.mapping.slots["hips"][0], rotations, heads, motion.fps, motion.timestamps)


def _motion_of_rig(rig: Rig, hips: str, rotations: FloatArray, heads: FloatArray, fps: float, timestamps: FloatArray) -> Motion:
    """Bones' rotations (F,B,3,3) and heads (F,B,3) m in the world as a Motion."""
    rows = descendant_rows(rig, [rig.index(hips)])
    rest_rotations = _world_rotation(rig) @ rig.rest[rows, :3, :3]
    from_rest = rotations[:, rows] @ rest_rotations.swapaxes(-1, -2)
    parents = [-1, *(rows.index(rig.parents[row]) for row in rows[1:])]
    return Motion(
        skeleton="character",
        joint_names=tuple("_".join(rig.bones[row].split()) for row in rows),  # names in .bvh cannot have spaces
        parents=np.array(parents),
        rest_joints=rest_heads_in_world(rig, rows),
        rotations=local_quats(from_rest, parents),
        transl=heads[:, rows[0]],
        fps=fps,
        timestamps=timestamps,
    )


def local_quats(rotations: FloatArray, parents: ArrayLike) -> FloatArray:
    """Rotations (F,J,3,3) from rest in the world as quaternions (F,J,4) wxyz relative to the parent; parents (J,), -1 at the root."""
    local = [
        rotations[:, joint] if parent < 0 else rotations[:, parent].swapaxes(-1, -2) @ rotations[:, joint]
        for joint, parent in enumerate(np.asarray(parents).tolist())
    ]
    return quat_from_rotmat(np.stack(local, 1))


def _world_rotation(rig: Rig) -> FloatArray:
    """The rotation (3,3) of a rig's object."""
    return rig.world[:3, :3] / np.linalg.norm(rig.world[:3, :3], axis=0)
