"""Motion capture as vectors from point to point, which bodies of other proportions are rebuilt from.

Reads the files described in their own README: CMU motion capture on the SMPL-24 tree, y up, 30 frames per second.
"""

from dataclasses import dataclass

import numpy as np

from blender_meshrec.core.rotations import rotmat_from_quat
from blender_meshrec.core.skeletons import H36M17, H36M17_PARENTS, SMPL_PARENTS

# Of no training clip. The performers of "act8" clips are unknown; they are only trained on.
CREDIT = "The data used in this project was obtained from mocap.cs.cmu.edu. The database was created with funding from NSF EIA-0196217."
TEST_SUBJECTS = ("02", "38", "daz_13")

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
_FACE_AT = {"face": (0, 0.06, 0.11), "left_ear": (0.075, 0.07, 0.01), "right_ear": (-0.075, 0.07, 0.01), "crown": (0, 0.2, 0.0)}
_HEEL_AT = (0, -0.06, -0.05)


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
        return rebuild(self.hip, self.vectors)


def rebuild(hip, vectors):
    """Points (...,25,3) of the hip (...,3) and vectors (...,25,3)."""
    points = np.empty_like(vectors)
    points[..., 0, :] = hip
    for node in range(1, len(NODES)):
        points[..., node, :] = points[..., PARENTS[node], :] + vectors[..., node, :]
    return points


def read_clips(folder):
    """All clips of the folder's cmu_smpl24_*.npz."""
    clips = []
    for path in sorted(folder.glob("cmu_smpl24_*.npz")):
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files}
        clips += [_clip(arrays, index) for index in range(len(arrays["clip_name"]))]
    return clips


def split(clips):
    """(to train on, to test on), by subject."""
    return [c for c in clips if c.subject not in TEST_SUBJECTS], [c for c in clips if c.subject in TEST_SUBJECTS]


def _clip(arrays, index):
    rows = slice(arrays["clip_start"][index], arrays["clip_start"][index + 1])
    quats = arrays["quat"][rows] * float(arrays["quat_scale"])
    local = rotmat_from_quat(quats / np.linalg.norm(quats, axis=-1, keepdims=True))
    skeleton = arrays["clip_skeleton"][index]
    offsets, extra = (arrays[name][skeleton].astype(float) for name in ("skel_offsets", "skel_extra"))
    joints, turned = _forward(local, arrays["trans"][rows].astype(float), offsets)

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
        **{point: fixed(15, offset) for point, offset in _FACE_AT.items()},
        **{"left_big_toe": fixed(10, extra[1]), "right_big_toe": fixed(11, extra[2])},
        **{"left_heel": fixed(7, _HEEL_AT), "right_heel": fixed(8, _HEEL_AT)},
    }
    points = np.stack([nodes[name] for name in NODES], 1)
    vectors = points - points[:, np.maximum(PARENTS, 0)]
    names = (str(arrays[key][index]) for key in ("clip_name", "clip_subject", "clip_text"))
    small = (array.astype(np.float32) for array in (hip, vectors, turned[:, [0, 9, 15]]))
    return Clip(*names, *small, arrays["valid"][rows].copy())


def _forward(local, transl, offsets):
    """Joints (F,24,3) and their rotations in the world (F,24,3,3) of rotations relative to the parent."""
    turned, joints = local.copy(), np.repeat(transl[:, None], 24, 1)
    for joint in range(1, 24):
        parent = SMPL_PARENTS[joint]
        joints[:, joint] = joints[:, parent] + turned[:, parent] @ offsets[joint]
        turned[:, joint] = turned[:, parent] @ local[:, joint]
    return joints, turned
