"""BVH export of a Motion without Blender: y up, facing +z, metres, one frame every 1/fps.

A joint's rest orientation in BVH is the identity, as in SMPL, so rotations need no conversion. Y up is what Blender's and most other
importers expect by default. Where bones stretch, joints that move relative to their parent have position channels too, which replace
the offset.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..array_types import BoolArray, FloatArray
from ..bone_stretching import aim_bones, joint_offsets
from ..bone_tails import bone_tails
from ..conventions import WORLD_FROM_BODY
from ..errors import InputError
from ..motion import resample_motion
from ..records import Motion
from ..rotations import rotmat_from_quat
from .output_file import atomic_write

_POSITIONS, _ROTATIONS = "Xposition Yposition Zposition", "Zrotation Xrotation Yrotation"
_MAX_RESAMPLED_FRAMES = 200_000  # or ten times the motion's own
_MIN_MOVE = 1e-5  # m; a joint that moves less relative to its parent needs no position channels


def write_bvh(path: str | Path, motion: Motion) -> None:
    """Write a Motion to `path` (.bvh). A variable frame rate is resampled to the nominal one, because BVH has only a constant rate.

    Raises:
        OutputError: the file cannot be written; the file appears whole or not at all. InputError: gaps in the timestamps are too long.
    """
    num_frames = int(np.floor(motion.timestamps[-1] * motion.fps + 1e-3)) + 1
    if num_frames > (limit := max(_MAX_RESAMPLED_FRAMES, 10 * len(motion))):
        raise InputError(
            "bvh-motion-too-long",
            "The motion spans {count} frames at its frame rate, and a BVH file would need all of them; the limit is {limit}.",
            "Remove the gaps in its timestamps, or choose another format.",
            count=num_frames,
            limit=limit,
        )
    motion = resample_motion(motion, np.arange(num_frames) / motion.fps)
    if motion.joints is not None:
        motion = aim_bones(motion)
    offsets, moving = _moving_offsets(motion)
    hierarchy = _Hierarchy(motion, bone_tails(motion), moving)
    hierarchy.add_joint(0, 0)
    header = ["HIERARCHY", *hierarchy.lines, "MOTION", f"Frames: {num_frames}", f"Frame Time: {1 / motion.fps:.9f}"]
    rotmat = WORLD_FROM_BODY.T @ rotmat_from_quat(motion.rotations[:, hierarchy.order]) @ WORLD_FROM_BODY
    angles = np.degrees(np.unwrap(euler_zxy_from_rotmat(rotmat), axis=0))
    channels: list[FloatArray] = []
    for index, joint in enumerate(hierarchy.order):
        channels += ([offsets[:, joint] @ WORLD_FROM_BODY] if moving[joint] else []) + [angles[:, index]]
    rows = np.concatenate(channels, 1)
    with atomic_write(path) as temporary, open(temporary, "w", encoding="ascii", newline="\n") as file:
        file.write("\n".join(header) + "\n")
        np.savetxt(file, rows, fmt="%.6f")


def _moving_offsets(motion: Motion) -> tuple[FloatArray, BoolArray]:
    """Offsets of joints from their parents, (F,J,3) m in the parents' axes, and which joints need positions, (J,): always the root."""
    rest_offsets = motion.rest_joints - motion.rest_joints[np.maximum(motion.parents, 0)]
    if motion.joints is None:
        offsets = np.tile(rest_offsets, (len(motion), 1, 1))
        offsets[:, 0] = motion.transl
    else:
        offsets = joint_offsets(motion)
    return offsets, (motion.parents < 0) | (np.abs(offsets - rest_offsets).max((0, 2)) > _MIN_MOVE)


@dataclass
class _Hierarchy:
    """The HIERARCHY section: its lines, and the joints in depth-first order, the order of the channels in MOTION.

    tails: (J,3) m. moving: (J,), joints with position channels.
    """

    motion: Motion
    tails: FloatArray
    moving: BoolArray
    lines: list[str] = field(default_factory=list)
    order: list[int] = field(default_factory=list)

    def add_joint(self, joint: int, depth: int) -> None:
        """Add a joint and its subtree."""
        self.order.append(joint)
        motion, parent = self.motion, self.motion.parents[joint]
        rest = motion.rest_joints @ WORLD_FROM_BODY
        offset = rest[joint] - rest[parent] if parent >= 0 else np.zeros(3)
        tab = "  " * depth
        self.lines += [f"{tab}{'JOINT' if depth else 'ROOT'} {motion.joint_names[joint]}", f"{tab}{{", f"{tab}  OFFSET {_numbers(offset)}"]
        self.lines.append(f"{tab}  CHANNELS {f'6 {_POSITIONS}' if self.moving[joint] else 3} {_ROTATIONS}")
        children = np.flatnonzero(motion.parents == joint)
        for child in children:
            self.add_joint(int(child), depth + 1)
        if not len(children):
            end = (self.tails[joint] - motion.rest_joints[joint]) @ WORLD_FROM_BODY
            self.lines += [f"{tab}  End Site", f"{tab}  {{", f"{tab}    OFFSET {_numbers(end)}", f"{tab}  }}"]
        self.lines.append(f"{tab}}}")


def _numbers(values: FloatArray) -> str:
    return " ".join(f"{value:.6f}" for value in values)


def euler_zxy_from_rotmat(rotmat: FloatArray) -> FloatArray:
    """Angles (..., 3) rad of R = Rz(a) Rx(b) Ry(c), (..., 3, 3); in gimbal lock (b = +-90 degrees) c is 0."""
    sine = np.clip(rotmat[..., 2, 1], -1, 1)
    locked = np.abs(sine) > 1 - 1e-12
    a = np.where(locked, np.arctan2(rotmat[..., 1, 0], rotmat[..., 0, 0]), np.arctan2(-rotmat[..., 0, 1], rotmat[..., 1, 1]))
    c = np.where(locked, 0.0, np.arctan2(-rotmat[..., 2, 0], rotmat[..., 2, 2]))
    return np.stack([a, np.arcsin(sine), c], -1)
