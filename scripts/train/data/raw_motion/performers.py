"""Performers' skeletons: a stand-in for one that is missing, and the test performers', of whom no clip may become training data."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from blender_meshrec.core.array_types import FloatArray
from scripts.train.data.raw_motion.asf_amc import CAPTURE_FPS, AsfSkeleton, pose_skeleton, read_asf
from scripts.train.data.raw_motion.cmu_bvh import read_packed_bvh
from scripts.train.data.raw_motion.cmu_skeleton import CmuMotion
from scripts.train.data.raw_motion.smpl_mapping import JOINT
from scripts.train.data.raw_motion.sources import TEST_PERFORMERS, unpack
from scripts.train.data.recordings import read_recordings

TOE_HEIGHT = 0.035  # m, of the toe base of a foot that stands; the mean over performers whose skeletons are known
SAME_PERFORMER = 0.01  # mean relative difference of bone lengths; other performers differ by 0.025 and more
_LIMBS = {"femur": "knee", "tibia": "ankle", "foot": "foot", "clavicle": "shoulder", "humerus": "elbow"}


def assume_skeleton(motions: Iterable[Mapping[str, FloatArray]], skeleton_files: Sequence[Path]) -> AsfSkeleton:
    """A skeleton for motions of one performer that come without: of those in the files, the most similar in size, scaled.

    The scale puts the lower foot on the floor. CMU's zero pose is the same for all performers, so that rotations stay exact.
    """
    motions = list(motions)
    found: list[tuple[float, float, AsfSkeleton]] = []
    for path in skeleton_files:
        skeleton = read_asf(unpack(path).decode("utf-8", errors="replace"))
        scales: list[FloatArray] = []
        for values in motions:
            posed = pose_skeleton(skeleton, values, CAPTURE_FPS)
            ends = posed.bone_ends()
            lowest = np.minimum(ends["lfoot"][:, 1], ends["rfoot"][:, 1])
            scales.append((posed.root[:, 1] - TOE_HEIGHT) / (posed.root[:, 1] - lowest))
        scale = float(np.median(np.concatenate(scales)))
        found.append((abs(np.log(scale)), scale, skeleton))
    _, scale, skeleton = min(found, key=lambda entry: entry[0])
    bones = {name: replace(bone, offset=bone.offset * scale) for name, bone in skeleton.bones.items()}
    return replace(skeleton, bones=bones)


def bone_lengths(motion: CmuMotion) -> FloatArray:
    """Lengths (10,) m of limb bones, by which performers are told apart."""
    return np.array([np.linalg.norm(motion.offsets[side + bone]) for bone in _LIMBS for side in "lr"])


def read_test_skeletons(raw: Path) -> dict[str, FloatArray]:
    """The bone lengths of each test performer whose skeleton is at hand: in a converted file beside `raw`, or in a BVH file in it."""
    skeletons: dict[str, FloatArray] = {}
    if any(raw.parent.glob("cmu_smpl24_*.npz")):
        for recording in read_recordings(raw.parent):
            if recording.subject in TEST_PERFORMERS:
                lengths = np.linalg.norm(recording.offsets, axis=-1)
                skeletons[recording.subject] = np.array(
                    [lengths[JOINT[f"{side}_{name}"]] for name in _LIMBS.values() for side in ("left", "right")]
                )
    for path in sorted(raw.glob("cmu_bvh_leonardo/*.bvh*")):
        if path.name.split("_")[0] in TEST_PERFORMERS:
            skeletons[path.name.split("_")[0]] = bone_lengths(read_packed_bvh(path, CAPTURE_FPS))
    return skeletons


def resembles_performer(motion: CmuMotion, skeletons: Mapping[str, FloatArray]) -> str:
    """The name of the performer whose bones are as long as a motion's, or ""."""
    lengths = bone_lengths(motion)
    for name, known in skeletons.items():
        if np.abs(lengths / known - 1).mean() < SAME_PERFORMER:
            return name
    return ""
