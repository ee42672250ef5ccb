"""BVH files of a Motion: y up, facing +z, metres, one frame every 1/fps; no Blender needed.

A joint's rest frame in BVH is the identity, as in SMPL, so rotations go over as they are. Y up is what Blender's and
most other importers expect by default. Where bones stretch, the joints they move have positions beside their rotations: where
they lie from their parent, in place of the offset.
"""

import numpy as np

from ..bone_stretching import aim_bones, joint_offsets
from ..bone_tails import bone_tails
from ..conventions import WORLD_FROM_BODY
from ..motion import resample_motion
from ..rotations import rotmat_from_quat
from .output_file import atomic_write

_POSITIONS, _ROTATIONS = "Xposition Yposition Zposition", "Zrotation Xrotation Yrotation"
_MIN_MOVE = 1e-5  # m; a joint that moves less from its place at rest needs no position


def write_bvh(path, motion):
    """Write a Motion to `path` (.bvh). Raises OutputError; the file appears whole or not at all.

    A variable rate is resampled to the clip's nominal one, because BVH knows only that.
    """
    frames = int(np.floor(motion.timestamps[-1] * motion.fps + 1e-3)) + 1
    motion = resample_motion(motion, np.arange(frames) / motion.fps)
    if motion.joints is not None:
        motion = aim_bones(motion)
    places, moving = _joint_offsets(motion)
    order, lines = [], ["HIERARCHY"]
    _write_joint(lines, order, motion, bone_tails(motion), moving, 0, 0)
    lines += ["MOTION", f"Frames: {frames}", f"Frame Time: {1 / motion.fps:.9f}"]
    rotmat = WORLD_FROM_BODY.T @ rotmat_from_quat(motion.rotations[:, order]) @ WORLD_FROM_BODY
    angles = np.degrees(np.unwrap(euler_zxy_from_rotmat(rotmat), axis=0))
    channels = []
    for index, joint in enumerate(order):
        channels += ([places[:, joint] @ WORLD_FROM_BODY] if moving[joint] else []) + [angles[:, index]]
    rows = np.concatenate(channels, 1)
    with atomic_write(path) as temporary, open(temporary, "w", encoding="ascii", newline="\n") as file:
        file.write("\n".join(lines) + "\n")
        np.savetxt(file, rows, fmt="%.6f")


def _joint_offsets(motion):
    """Where joints lie from their parents, (F,J,3) m in the parents' axes, and which of them move, (J,): the root always."""
    at_rest = motion.rest_joints - motion.rest_joints[np.maximum(motion.parents, 0)]
    if motion.joints is None:
        places = np.tile(at_rest, (len(motion), 1, 1))
        places[:, 0] = motion.transl
    else:
        places = joint_offsets(motion)
    return places, (motion.parents < 0) | (np.abs(places - at_rest).max((0, 2)) > _MIN_MOVE)


def _write_joint(lines, order, motion, tails, moving, joint, depth):
    """A joint and its subtree, depth first: the order in which BVH lists its channels."""
    order.append(joint)
    parent = motion.parents[joint]
    rest = motion.rest_joints @ WORLD_FROM_BODY
    offset = rest[joint] - rest[parent] if parent >= 0 else np.zeros(3)
    tab = "  " * depth
    lines += [f"{tab}{'JOINT' if depth else 'ROOT'} {motion.joint_names[joint]}", f"{tab}{{", f"{tab}  OFFSET {_numbers(offset)}"]
    lines.append(f"{tab}  CHANNELS {f'6 {_POSITIONS}' if moving[joint] else 3} {_ROTATIONS}")
    children = np.flatnonzero(motion.parents == joint)
    for child in children:
        _write_joint(lines, order, motion, tails, moving, child, depth + 1)
    if not len(children):
        end = (tails[joint] - motion.rest_joints[joint]) @ WORLD_FROM_BODY
        lines += [f"{tab}  End Site", f"{tab}  {{", f"{tab}    OFFSET {_numbers(end)}", f"{tab}  }}"]
    lines.append(f"{tab}}}")


def _numbers(values):
    return " ".join(f"{value:.6f}" for value in values)


def euler_zxy_from_rotmat(rotmat):
    """Angles (..., 3) rad of R = Rz(a) Rx(b) Ry(c), (..., 3, 3); where b is a right angle c is taken as 0."""
    sine = np.clip(rotmat[..., 2, 1], -1, 1)
    locked = np.abs(sine) > 1 - 1e-12
    a = np.where(locked, np.arctan2(rotmat[..., 1, 0], rotmat[..., 0, 0]), np.arctan2(-rotmat[..., 0, 1], rotmat[..., 1, 1]))
    c = np.where(locked, 0.0, np.arctan2(-rotmat[..., 2, 0], rotmat[..., 2, 2]))
    return np.stack([a, np.arcsin(sine), c], -1)
