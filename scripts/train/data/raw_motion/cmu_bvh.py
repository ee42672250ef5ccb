"""Reads BVH files of the CMU library: Hahne's conversion for MotionBuilder, whose joints are the starts of the CMU skeleton's bones."""

import tempfile
from pathlib import Path

import numpy as np

from blender_meshrec.core.array_types import FloatArray
from blender_meshrec.core.axis_rotations import rotation_about_axis
from blender_meshrec.core.kinematics import global_rotmats
from blender_meshrec.retarget.source.bvh_file import BvhMotion, BvhSkeleton, read_bvh
from scripts.train.data.raw_motion.cmu_skeleton import BONE_PARENTS, METRES, CmuMotion
from scripts.train.data.raw_motion.sources import unpack

_SIDES = {"l": "Left", "r": "Right"}
# The joint where each bone starts.
JOINT_OF_BONE: dict[str, str] = {
    "root": "Hips", "lowerback": "LowerBack", "upperback": "Spine", "thorax": "Spine1", "lowerneck": "Neck", "upperneck": "Neck1",
    "head": "Head",
    **{f"{side}hipjoint": f"{side.upper()}HipJoint" for side in _SIDES},
    **{side + bone: word + joint for side, word in _SIDES.items() for bone, joint in {
        "femur": "UpLeg", "tibia": "Leg", "foot": "Foot", "toes": "ToeBase", "clavicle": "Shoulder", "humerus": "Arm",
        "radius": "ForeArm", "wrist": "Hand", "hand": "FingerBase", "fingers": "HandIndex1"}.items()},
}  # fmt: skip


def read_cmu_bvh(path: Path, fps: float) -> CmuMotion:
    """Read a motion. The first frame is left out: it is the conversion's T-pose.

    Args:
        fps: frames a second, which the file may state wrongly where frames were left out.

    Raises:
        InputError: the file cannot be read. ValueError: it has other joints.
    """
    bvh = read_bvh(path)
    missing = {joint for joint in JOINT_OF_BONE.values() if joint not in bvh.skeleton.joint_names}
    if missing:
        raise ValueError(f"the skeleton lacks {', '.join(sorted(missing))}")
    root, rotations = bvh_rotmats(bvh)
    turns = {bone: rotations[1:, bvh.skeleton.joint_names.index(joint)] for bone, joint in JOINT_OF_BONE.items()}
    offsets = restore_lost_bones(_offsets(bvh.skeleton))
    return CmuMotion(offsets, root[1:] * METRES, turns, fps)


def read_packed_bvh(path: Path, fps: float) -> CmuMotion:
    """Read a motion from a file that may be packed (.xz); see `read_cmu_bvh`."""
    with tempfile.TemporaryDirectory() as folder:
        unpacked = Path(folder) / path.name.removesuffix(".xz")
        unpacked.write_bytes(unpack(path))
        return read_cmu_bvh(unpacked, fps)


def bvh_rotmats(bvh: BvhMotion) -> tuple[FloatArray, FloatArray]:
    """The root's position (F,3) in file units and the global rotations (F,J,3,3) of a BVH file."""
    joints = len(bvh.skeleton.parents)
    rotations = np.tile(np.eye(3), (len(bvh.values), joints, 1, 1))
    root = np.zeros((len(bvh.values), 3))
    columns = iter(bvh.values.T)
    for joint, channels in enumerate(bvh.skeleton.channels):
        for channel, column in zip(channels, columns, strict=False):
            axis = "XYZ".index(channel[0])
            if channel.endswith("rotation"):
                rotations[:, joint] = rotations[:, joint] @ rotation_about_axis(np.eye(3)[axis], np.radians(column))
            elif joint == 0:
                root[:, axis] = column
    return root, global_rotmats(rotations, bvh.skeleton.parents)


def _offsets(skeleton: BvhSkeleton) -> dict[str, FloatArray]:
    """The bones' offsets (3,) m: where the next joint is, or the joint's tail at the ends of limbs."""
    joints = {name: index for index, name in enumerate(skeleton.joint_names)}
    offsets: dict[str, FloatArray] = {}
    for bone, parent in BONE_PARENTS.items():
        if parent != "root":
            offsets[parent] = skeleton.offsets[joints[JOINT_OF_BONE[bone]]] * METRES
    for bone in ("head", "ltoes", "rtoes", "lfingers", "rfingers"):
        offsets[bone] = skeleton.tails[joints[JOINT_OF_BONE[bone]]] * METRES
    return offsets


def restore_lost_bones(offsets: dict[str, FloatArray]) -> dict[str, FloatArray]:
    """The offsets with those that the conversion loses: it gives the bones `thorax` and `wrist` no length.

    The thorax goes on from the two bones below; the wrist's bone is half as long as the radius in all skeletons of the library.
    """
    lower, upper = offsets["lowerback"], offsets["upperback"]
    return offsets | {"thorax": upper + (upper - lower) / 2} | {f"{side}wrist": offsets[f"{side}radius"] / 2 for side in "lr"}
