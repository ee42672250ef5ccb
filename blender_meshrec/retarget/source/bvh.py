"""BVH files as performances: any order of channels, any unit, y or z up, and rest poses that no person could stand in."""

from pathlib import Path

import numpy as np

from ...core.array_types import FloatArray
from ...core.axis_rotations import rotation_about_axis, rotation_between, transpose, unit_vector
from ...core.conventions import WORLD_FROM_BODY
from ...core.kinematics import pose_joints
from ..mapping.map_bones import map_bones
from ..rig import SIDES, Performance, Rig
from .bvh_file import BvhSkeleton, read_bvh

# Lengths of units, m: metre, centimetre, inch, millimetre, and the unit of the CMU motion capture library.
_UNIT_LENGTHS = (1.0, 0.01, 0.0254, 0.001, 0.0254 / 0.45)
_USUAL_LEG_LENGTH = 0.85  # m
_MIN_LEG_RATIO, _MAX_LEG_RATIO = 0.5, 1.6  # of the leg length to the usual one; beyond them the unit is unknown
# A rest pose is upright if thighs and shins point down the spine at least this much: cosine of 60 degrees.
_MIN_UPRIGHT_COSINE = 0.5


def performance_from_bvh(path: Path | str) -> Performance:
    """Read a BVH file.

    Returns:
        a Performance without contacts, which are detected from the motion. World: z up, metres of a person of usual size.

    Raises:
        InputError: no BVH file, damaged, or its skeleton is no person's.
    """
    path = Path(path)
    bvh = read_bvh(path)
    skeleton = bvh.skeleton
    heads, rotations = pose_joints(*_local_transforms(skeleton, bvh.values), skeleton.parents)
    identity = np.tile(np.eye(3), (len(skeleton.parents), 1, 1))
    rest_rotations, rest_heads = identity, pose_joints(identity, skeleton.offsets, skeleton.parents)[0]
    # Names identify the parts in any rest pose; identification by shape needs an upright one.
    mapping = map_bones(_build_rig(path.stem, skeleton, rest_rotations, rest_heads, skeleton.tails))
    joint_of_name = {name: joint for joint, name in enumerate(skeleton.joint_names)}
    joint_of_slot = {slot: joint_of_name[bones[0]] for slot, bones in mapping.slots.items()}
    if _uprightness(rest_heads[None], joint_of_slot)[0] < _MIN_UPRIGHT_COSINE:
        # The frame in which the body is most upright serves as the rest pose.
        frame = int(np.argmax(_uprightness(heads, joint_of_slot)))
        rest_rotations, rest_heads = rotations[frame], heads[frame] - heads[frame, 0] + rest_heads[0]
    world_from_file = _world_from_file(rest_heads, joint_of_slot)
    scale = _metres_per_unit(rest_heads, joint_of_slot)
    rest_rotations, rest_heads = world_from_file @ rest_rotations, scale * rest_heads @ world_from_file.T
    rig = _build_rig(path.stem, skeleton, rest_rotations, rest_heads, scale * skeleton.tails)
    joint_from_bone = transpose(rest_rotations) @ rig.rest[:, :3, :3]  # bones have their own axes, y along the bone
    return Performance(
        rig=rig,
        mapping=mapping,
        rotations=world_from_file @ rotations @ joint_from_bone,
        heads=scale * heads @ world_from_file.T,
        fps=bvh.fps,
        timestamps=np.arange(len(heads)) * bvh.frame_time,
        notes=bvh.notes,
    )


def _local_transforms(skeleton: BvhSkeleton, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Rotations (F,J,3,3) and positions (F,J,3) relative to the parent. Rotations are multiplied in the order of the channels."""
    rotations = np.tile(np.eye(3), (len(values), len(skeleton.channels), 1, 1))
    positions = np.tile(skeleton.offsets, (len(values), 1, 1))
    columns = iter(values.T)
    for joint, channels in enumerate(skeleton.channels):
        for channel in channels:
            axis, column = "XYZ".index(channel[0]), next(columns)
            if channel.endswith("position"):
                positions[:, joint, axis] = column
            else:
                rotations[:, joint] = rotations[:, joint] @ rotation_about_axis(np.eye(3)[axis], np.radians(column))
    return rotations, positions


def _build_rig(name: str, skeleton: BvhSkeleton, rotations: FloatArray, heads: FloatArray, tails: FloatArray) -> Rig:
    """A Rig at rest with bones along their tails (J,3), which are given in the joints' own axes, `rotations` (J,3,3)."""
    directions = np.einsum("jab,jb->ja", rotations, tails)
    lengths = np.linalg.norm(directions, axis=1)
    usual_length = np.median(lengths[lengths > 0]) if (lengths > 0).any() else 1.0
    directions = np.where(lengths[:, None] > 0, directions, [0.0, usual_length, 0.0])
    rest = np.tile(np.eye(4), (len(heads), 1, 1))
    rest[:, :3, :3] = rotation_between([0.0, 1.0, 0.0], directions)
    rest[:, :3, 3] = heads
    return Rig(name, skeleton.joint_names, skeleton.parents, rest, np.linalg.norm(directions, axis=1))


def _trunk_vectors(heads: FloatArray, joint_of_slot: dict[str, int]) -> FloatArray:
    """The vectors from the middle of the hip joints to the head, (F,3)."""
    return heads[:, joint_of_slot["head"]] - heads[:, [joint_of_slot[f"{side}_upper_leg"] for side in SIDES]].mean(1)


def _uprightness(heads: FloatArray, joint_of_slot: dict[str, int]) -> FloatArray:
    """How much thighs and shins point away from the head, (F,): 1 for a person who stands upright."""
    up = unit_vector(_trunk_vectors(heads, joint_of_slot))
    cosines = []
    for side in SIDES:
        for part, next_part in (("upper_leg", "lower_leg"), ("lower_leg", "foot")):
            if f"{side}_{next_part}" in joint_of_slot:
                start, end = joint_of_slot[f"{side}_{part}"], joint_of_slot[f"{side}_{next_part}"]
                cosines.append(-(unit_vector(heads[:, end] - heads[:, start]) * up).sum(1))
    return np.min(cosines, axis=0)


def _world_from_file(rest_heads: FloatArray, joint_of_slot: dict[str, int]) -> FloatArray:
    """The rotation (3,3) from the file's axes to z up; the file's y is up unless the rest pose stands along z."""
    up = unit_vector(_trunk_vectors(rest_heads[None], joint_of_slot))[0]
    return np.eye(3) if abs(up[2]) > abs(up[1]) else WORLD_FROM_BODY


def _metres_per_unit(rest_heads: FloatArray, joint_of_slot: dict[str, int]) -> float:
    """The unit that makes the legs' length the most usual; if none does, the scale that gives them the usual length."""
    thighs = [rest_heads[joint_of_slot[f"{side}_lower_leg"]] - rest_heads[joint_of_slot[f"{side}_upper_leg"]] for side in SIDES]
    leg_length = max(float(np.mean([np.linalg.norm(thigh) * 2 for thigh in thighs])), 1e-9)
    unit_length = min(_UNIT_LENGTHS, key=lambda length: abs(np.log(leg_length * length / _USUAL_LEG_LENGTH)))
    is_usual = _MIN_LEG_RATIO < leg_length * unit_length / _USUAL_LEG_LENGTH < _MAX_LEG_RATIO
    return unit_length if is_usual else _USUAL_LEG_LENGTH / leg_length
