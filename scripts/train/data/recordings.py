"""The motion-capture files as arrays, recording by recording, and which performers are kept to test on.

CMU motion capture on SMPL's tree: y up, metres, 30 frames a second. The files' own README says how they were made.
"""

from dataclasses import dataclass

import numpy as np

from blender_meshrec.core.rotations import rotmat_from_quat
from blender_meshrec.core.skeletons import SMPL_JOINTS, SMPL_PARENTS, mirror_indices

CREDIT = "The data used in this project was obtained from mocap.cs.cmu.edu. The database was created with funding from NSF EIA-0196217."
FPS = 30.0
# Nothing is ever trained on these. The performers of "act8" clips are unknown, perhaps one of these: they are only trained on.
TEST_SUBJECTS = ("02", "38", "daz_13")
# Of what is trained until a validation optimum; other networks learn from these too.
VALIDATION_SUBJECTS = ("16", "35", "daz_salsa")

_MIRROR_JOINTS = mirror_indices(SMPL_JOINTS)
_FLIP = np.array([-1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Recording:
    """One clip of one performer, F frames.

    quats: (F,24,4) int16, wxyz times 32767: local rotations, see `rotmats_from_quats`. trans: (F,3) float32, m, where the pelvis is.
    valid: (F,) bool, False where the capture is known to be wrong. offsets: (24,3) float32, m, joints from their parents at rest.
    extra: (6,3) float32, m, of head top, toe tips, finger tips and the neck's base from joints 15, 10, 11, 22, 23 and 12.
    """

    name: str
    subject: str
    text: str
    quats: np.ndarray
    trans: np.ndarray
    valid: np.ndarray
    offsets: np.ndarray
    extra: np.ndarray

    @property
    def testing(self):
        return self.subject in TEST_SUBJECTS

    def rest_joints(self):
        """The skeleton's joints at rest (24,3) m, the pelvis at the origin."""
        joints = np.zeros((24, 3))
        for joint in range(1, 24):
            joints[joint] = joints[SMPL_PARENTS[joint]] + self.offsets[joint]
        return joints

    def pieces(self):
        """Slices, the unbroken runs of valid frames."""
        good = np.flatnonzero(self.valid)
        runs = np.split(good, np.flatnonzero(np.diff(good) > 1) + 1)
        return [slice(run[0], run[-1] + 1) for run in runs if len(run)]


def read_recordings(folder):
    """Every Recording of a folder's cmu_smpl24_*.npz, file by file in the order they have there.

    Raises:
        FileNotFoundError: there is none.
    """
    recordings, paths = [], sorted(folder.glob("cmu_smpl24_*.npz"))
    if not paths:
        raise FileNotFoundError(f"the folder {folder} holds no cmu_smpl24_*.npz")
    for path in paths:
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files}
        for index, skeleton in enumerate(arrays["clip_skeleton"]):
            rows = slice(*arrays["clip_start"][index : index + 2])
            names = (str(arrays[f"clip_{key}"][index]) for key in ("name", "subject", "text"))
            frames = (arrays[key][rows] for key in ("quat", "trans", "valid"))
            recordings.append(Recording(*names, *frames, arrays["skel_offsets"][skeleton], arrays["skel_extra"][skeleton]))
    return recordings


def rotmats_from_quats(quats):
    """Rotations (...,3,3) of a Recording's quats (...,4)."""
    quats = quats.astype(float)
    return rotmat_from_quat(quats / np.linalg.norm(quats, axis=-1, keepdims=True))


def mirror_rotmats(rotmats):
    """Local rotations (...,24,3,3) of the motion in a mirror: left and right change places."""
    return rotmats[..., _MIRROR_JOINTS, :, :] * _FLIP[:, None] * _FLIP
