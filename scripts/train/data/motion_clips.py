"""Motion capture as vectors from point to point, which bodies of other proportions are rebuilt from. y up, metres."""

from dataclasses import dataclass

import numpy as np

from blender_meshrec.core.kinematics import pose_joints
from blender_meshrec.core.skeletons import H36M17, H36M17_PARENTS, SMPL_PARENTS
from scripts.train.data.recordings import TEST_SUBJECTS, read_recordings, rotmats_from_quats

# Points that detectors see besides the joints of h36m17, and the joint each is fixed to.
FACE = ("face", "left_ear", "right_ear", "crown")
FEET = ("left_big_toe", "right_big_toe", "left_heel", "right_heel")
NODES = (*H36M17, *FACE, *FEET)
_HEAD = H36M17.index("nose")  # in motion capture the joint "nose" is the head joint, inside the head
_ANKLES = tuple(H36M17.index(side + "_ankle") for side in ("left", "right"))
PARENTS = np.array([*H36M17_PARENTS, *[_HEAD] * len(FACE), *_ANKLES, *_ANKLES])
# Frames of the body, as three more vectors each: columns are its left, up and front.
AXES = ("pelvis", "thorax", "head")

# Where a face is, from the head joint in the head's axes (left, up, front), and heels from ankles in the foot's, metres.
_FACE_OFFSETS = {"face": (0, 0.06, 0.11), "left_ear": (0.075, 0.07, 0.01), "right_ear": (-0.075, 0.07, 0.01), "crown": (0, 0.2, 0.0)}
_HEEL_OFFSET = (0, -0.06, -0.05)


@dataclass(frozen=True)
class Clip:
    """One recording: hip (F,3) m; vectors (F,25,3) m, to each of NODES from its parent (zero for the hip);
    axes (F,3,3,3), AXES as matrices; valid (F,)."""

    name: str
    subject: str
    text: str
    hip: np.ndarray
    vectors: np.ndarray
    axes: np.ndarray
    valid: np.ndarray

    def points(self):
        """NODES in the world, (F,25,3) m."""
        return points_from_vectors(self.hip, self.vectors)


def points_from_vectors(hip, vectors):
    """Points (...,25,3) of the hip (...,3) and vectors (...,25,3)."""
    points = np.empty_like(vectors)
    points[..., 0, :] = hip
    for node in range(1, len(NODES)):
        points[..., node, :] = points[..., PARENTS[node], :] + vectors[..., node, :]
    return points


def read_clips(folder):
    """All recordings of a folder as Clips."""
    return [clip_from_recording(recording) for recording in read_recordings(folder)]


def split_by_subject(clips):
    """(to train on, to test on), by subject."""
    return [c for c in clips if c.subject not in TEST_SUBJECTS], [c for c in clips if c.subject in TEST_SUBJECTS]


def clip_from_recording(recording):
    """A Recording as a Clip."""
    offsets, extra = recording.offsets.astype(float), recording.extra.astype(float)
    joint_offsets = np.tile(offsets, (len(recording.trans), 1, 1))
    joint_offsets[:, 0] = recording.trans
    joints, turned = pose_joints(rotmats_from_quats(recording.quats), joint_offsets, SMPL_PARENTS)

    def fixed(joint, offset):
        return joints[:, joint] + turned[:, joint] @ np.asarray(offset, float)

    hip, thorax, head_top = (joints[:, 1] + joints[:, 2]) / 2, fixed(12, extra[5]), fixed(15, extra[0])
    nodes = {
        **{"hip": hip, "thorax": thorax, "spine": (hip + thorax) / 2, "nose": joints[:, 15], "head_top": head_top},
        **{
            f"{side}_{joint}": joints[:, at + (side == "right")]
            for side in ("left", "right")
            for joint, at in {"hip": 1, "knee": 4, "ankle": 7, "shoulder": 16, "elbow": 18, "wrist": 20}.items()
        },
        **{point: fixed(15, offset) for point, offset in _FACE_OFFSETS.items()},
        **{"left_big_toe": fixed(10, extra[1]), "right_big_toe": fixed(11, extra[2])},
        **{"left_heel": fixed(7, _HEEL_OFFSET), "right_heel": fixed(8, _HEEL_OFFSET)},
    }
    points = np.stack([nodes[name] for name in NODES], 1)
    vectors = points - points[:, np.maximum(PARENTS, 0)]
    small = (array.astype(np.float32) for array in (hip, vectors, turned[:, [0, 9, 15]]))
    return Clip(recording.name, recording.subject, recording.text, *small, recording.valid)
