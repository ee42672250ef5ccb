"""Reads FBX files of CMU motions through Blender, in a process of its own.

They are bakes of Hahne's BVH conversion. Their rest pose is its T-pose, whose angles are the same for all performers.
"""

import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from blender_meshrec.core.array_types import AnyArray, FloatArray
from scripts.train.data.raw_motion.asf_amc import euler_rotmat
from scripts.train.data.raw_motion.cmu_bvh import JOINT_OF_BONE, restore_lost_bones
from scripts.train.data.raw_motion.cmu_skeleton import BONE_PARENTS, METRES, CmuMotion
from scripts.train.data.raw_motion.sources import Source, unpack

_SCRIPT = Path(__file__).with_name("fbx_poses.py")
# The T-pose relative to the zero pose: each bone's axis, and the angle in degrees relative to its parent.
_T_POSE = {
    "lfemur": ("z", -21.0), "rfemur": ("z", 21.0), "lowerneck": ("x", -16.0), "upperneck": ("x", 21.0), "head": ("x", 11.0),
    "lhumerus": ("z", -8.0), "rhumerus": ("z", 8.0),
}  # fmt: skip
_TIPS = ("head", "ltoes", "rtoes", "lfingers", "rfingers")  # their ends are bones of their own, "..._end"


def read_fbx_files(sources: Sequence[Source], blender_python: Path) -> dict[Source, dict[str, AnyArray]]:
    """The arrays of fbx_poses.py for each file. blender_python: a Python that has bpy.

    Raises:
        CalledProcessError: Blender cannot read a file.
    """
    found: dict[Source, dict[str, AnyArray]] = {}
    with tempfile.TemporaryDirectory() as folder:
        pairs = [(Path(folder) / f"{number}.fbx", Path(folder) / f"{number}.npz") for number in range(len(sources))]
        for source, (path, _) in zip(sources, pairs, strict=True):
            path.write_bytes(unpack(source.path))
        files = [str(path) for pair in pairs for path in pair]
        subprocess.run([str(blender_python), str(_SCRIPT), *files], check=True, stdout=subprocess.DEVNULL)
        for source, (_, poses) in zip(sources, pairs, strict=True):
            with np.load(poses) as arrays:
                found[source] = {name: arrays[name] for name in arrays.files}
    return found


def motion_from_poses(poses: Mapping[str, AnyArray], fps: float) -> CmuMotion:
    """The motion of the arrays that fbx_poses.py writes, without the first frame, which is the T-pose."""
    rows = {str(name): row for row, name in enumerate(poses["names"])}
    missing = {joint for joint in JOINT_OF_BONE.values() if joint not in rows}
    if missing:
        raise ValueError(f"the skeleton lacks {', '.join(sorted(missing))}")
    heads = {bone: poses["heads"][rows[joint]] * METRES for bone, joint in JOINT_OF_BONE.items()}
    turns: dict[str, FloatArray] = {"root": np.eye(3)}
    offsets: dict[str, FloatArray] = {}
    for bone, parent in BONE_PARENTS.items():
        axis, angle = _T_POSE.get(bone, ("x", 0.0))
        turns[bone] = turns[parent] @ euler_rotmat(np.array([angle]), axis)
        offsets[parent] = turns[parent].T @ (heads[bone] - heads[parent])
    for bone in _TIPS:
        end = poses["heads"][rows[JOINT_OF_BONE[bone] + "_end"]] * METRES
        offsets[bone] = turns[bone].T @ (end - heads[bone])
    rotmats: dict[str, FloatArray] = {}
    for bone, joint in JOINT_OF_BONE.items():
        rest, posed = poses["axes"][rows[joint]], poses["rotations"][1:, rows[joint]]
        rotmats[bone] = posed @ rest.T @ turns[bone]
    return CmuMotion(restore_lost_bones(offsets), poses["positions"][1:, rows["Hips"]] * METRES, rotmats, fps)
