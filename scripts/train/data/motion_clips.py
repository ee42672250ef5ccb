"""Motion capture as vectors between joints, so that bodies of other proportions can be rebuilt from it. y up, metres."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from blender_meshrec.core.array_types import ArrayLike, BoolArray, FloatArray
from blender_meshrec.core.kinematics import pose_joints
from blender_meshrec.core.skeletons import H36M17, H36M17_PARENTS, SMPL_PARENTS
from scripts.train.data.recordings import TEST_SUBJECTS, Recording, read_recordings, rotmats_from_quats

# Points that detectors find besides the joints of h36m17; each is fixed to a joint.
FACE = ("face", "left_ear", "right_ear", "crown")
FEET = ("left_big_toe", "right_big_toe", "left_heel", "right_heel")
NODES = (*H36M17, *FACE, *FEET)
_HEAD = H36M17.index("nose")  # in motion capture the joint "nose" is the head joint, inside the head
_ANKLES = tuple(H36M17.index(side + "_ankle") for side in ("left", "right"))
PARENTS = np.array([*H36M17_PARENTS, *[_HEAD] * len(FACE), *_ANKLES, *_ANKLES])
# Body parts with axes: columns are left, up and front.
AXES = ("pelvis", "thorax", "head")

# Offsets of face points from the head joint in the head's axes (left, up, front), and of heels from ankles in the foot's axes, metres.
_FACE_OFFSETS = {"face": (0, 0.06, 0.11), "left_ear": (0.075, 0.07, 0.01), "right_ear": (-0.075, 0.07, 0.01), "crown": (0, 0.2, 0.0)}
_HEEL_OFFSET = (0, -0.06, -0.05)


@dataclass(frozen=True)
class Clip:
    """One recording.

    hip: (F,3) m. vectors: (F,25,3) m, to each of NODES from its parent (zero for the hip). axes: (F,3,3,3), rotation matrices of AXES.
    valid: (F,).
    """

    name: str
    subject: str
    text: str
    hip: FloatArray
    vectors: FloatArray
    axes: FloatArray
    valid: BoolArray

    def points(self) -> FloatArray:
        """NODES in the world, (F,25,3) m."""
        return points_from_vectors(self.hip, self.vectors)


def points_from_vectors(hip: FloatArray, vectors: FloatArray) -> FloatArray:
    """Points (...,25,3) from the hip (...,3) and vectors (...,25,3)."""
    points = np.empty_like(vectors)
    points[..., 0, :] = hip
    for node in range(1, len(NODES)):
        points[..., node, :] = points[..., PARENTS[node], :] + vectors[..., node, :]
    return points


def read_clips(folder: Path) -> list[Clip]:
    """All recordings of a folder as Clips."""
    return [clip_from_recording(recording) for recording in read_recordings(folder)]


def split_by_subject(clips: Sequence[Clip]) -> tuple[list[Clip], list[Clip]]:
    """The training clips and the test clips, split by subject."""
    return [c for c in clips if c.subject not in TEST_SUBJECTS], [c for c in clips if c.subject in TEST_SUBJECTS]


def clip_from_recording(recording: Recording) -> Clip:
    """A Recording as a Clip."""
    offsets, extra = recording.offsets.astype(float), recording.extra.astype(float)
    joint_offsets = np.tile(offsets, (len(recording.trans), 1, 1))
    joint_offsets[:, 0] = recording.trans
    joints, rotations = pose_joints(rotmats_from_quats(recording.quats), joint_offsets, SMPL_PARENTS)

    def at_offset(joint: int, offset: ArrayLike) -> FloatArray:
        """A point (F,3) m fixed to a joint at an offset in its axes."""
        return joints[:, joint] + rotations[:, joint] @ np.asarray(offset, float)

    hip, thorax, head_top = (joints[:, 1] + joints[:, 2]) / 2, at_offset(12, extra[5]), at_offset(15, extra[0])
    nodes = {
        **{"hip": hip, "thorax": thorax, "spine": (hip + thorax) / 2, "nose": joints[:, 15], "head_top": head_top},
        **{
            f"{side}_{joint}": joints[:, at + (side == "right")]
            for side in ("left", "right")
            for joint, at in {"hip": 1, "knee": 4, "ankle": 7, "shoulder": 16, "elbow": 18, "wrist": 20}.items()
        },
        **{point: at_offset(15, offset) for point, offset in _FACE_OFFSETS.items()},
        **{"left_big_toe": at_offset(10, extra[1]), "right_big_toe": at_offset(11, extra[2])},
        **{"left_heel": at_offset(7, _HEEL_OFFSET), "right_heel": at_offset(8, _HEEL_OFFSET)},
    }
    points = np.stack([nodes[name] for name in NODES], 1)
    vectors = points - points[:, np.maximum(PARENTS, 0)]
    hip32, vectors32, axes32 = (array.astype(np.float32) for array in (hip, vectors, rotations[:, [0, 9, 15]]))
    return Clip(recording.name, recording.subject, recording.text, hip32, vectors32, axes32, recording.valid)
