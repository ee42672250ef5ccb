"""Reads the motion-capture files as recordings, and defines the test and validation subjects.

CMU motion capture on SMPL's kinematic tree: y up, metres, 30 frames a second. The README beside the files says how they were made.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from blender_meshrec.core.array_types import AnyArray, BoolArray, FloatArray, IntArray
from blender_meshrec.core.rotations import rotmat_from_quat
from blender_meshrec.core.skeletons import SMPL_JOINTS, SMPL_PARENTS, mirror_indices

CREDIT = "The data used in this project was obtained from mocap.cs.cmu.edu. The database was created with funding from NSF EIA-0196217."
FPS = 30.0
# No network is trained on these. The performers of the "act8" clips are unknown and may be among them; these clips are training data only.
TEST_SUBJECTS = ("02", "38", "daz_13")
# For trainings that stop at the smallest validation error; other networks are trained on these subjects too.
VALIDATION_SUBJECTS = ("16", "35", "daz_salsa")
# The lifter is not trained on these either: its spreads are calibrated on them.
CALIBRATION_SUBJECTS = ("11", "17", "93", "105", "120")

# The Daz conversion rests with forearms bent by 17 degrees, and its file stores them straight: against exact recordings of the same
# trials (94_01 to 94_16) its forearms are off by 20 degrees, and by 6 with this direction. Test performers stay as stored, so that
# errors compare with earlier ones: those of daz_13 include 8 cm at the wrists that are the file's.
_DAZ_FOREARM = np.array([0.94, -0.165, -0.296])
_FOREARMS = {SMPL_JOINTS.index("left_wrist"): 1, SMPL_JOINTS.index("right_wrist"): -1}
# Clips that are copies of exact recordings, which are better where they are there.
_COPIES = {
    **{f"act_basketball_signal_{one}": other for one, other in (("1", "29_02"), ("2", "29_07"))},
    **{"act_directing_traffic_4": "14_24", "act_washwindow_1": "14_12", "act_running_1": "16_35", "act_running_2": "16_36"},
    **{f"daz_indian_{trial}": f"94_{trial}" for trial in ("04", "06", "07", "08", "13", "14", "15")},
    **{f"daz_14_{trial}": f"14_{trial}" for trial in ("07", "08")},
}

_MIRROR_JOINTS = mirror_indices(SMPL_JOINTS)
_FLIP = np.array([-1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Recording:
    """One clip of one performer, F frames.

    quats: (F,24,4) int16, wxyz times 32767: local rotations, see `rotmats_from_quats`. trans: (F,3) float32, m, position of the pelvis.
    valid: (F,) bool, False where the capture is known to be wrong. offsets: (24,3) float32, m, from each joint's parent, at rest.
    extra: (6,3) float32, m, offsets of head top, toe tips, finger tips and the neck's base from joints 15, 10, 11, 22, 23 and 12.
    """

    name: str
    subject: str
    text: str
    quats: IntArray
    trans: FloatArray
    valid: BoolArray
    offsets: FloatArray
    extra: FloatArray

    @property
    def testing(self) -> bool:
        """Whether the recording belongs to a test subject."""
        return self.subject in TEST_SUBJECTS

    def rest_joints(self) -> FloatArray:
        """The skeleton's joints at rest (24,3) m, the pelvis at the origin."""
        joints = np.zeros((24, 3))
        for joint in range(1, 24):
            joints[joint] = joints[SMPL_PARENTS[joint]] + self.offsets[joint]
        return joints

    def pieces(self) -> list[slice]:
        """The runs of consecutive valid frames."""
        good = np.flatnonzero(self.valid)
        runs = np.split(good, np.flatnonzero(np.diff(good) > 1) + 1)
        return [slice(run[0], run[-1] + 1) for run in runs if len(run)]


def read_recordings(folder: Path) -> list[Recording]:
    """All Recordings of a folder's cmu_smpl24_*.npz files, in the order of the files, without copies.

    Raises:
        FileNotFoundError: the folder has no such file.
    """
    recordings: list[Recording] = []
    paths = sorted(folder.glob("cmu_smpl24_*.npz"))
    if not paths:
        raise FileNotFoundError(f"the folder {folder} holds no cmu_smpl24_*.npz")
    for path in paths:
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files}
        for index, skeleton in enumerate(arrays["clip_skeleton"]):
            rows = slice(*arrays["clip_start"][index : index + 2])
            name, subject, text = (str(arrays[f"clip_{key}"][index]) for key in ("name", "subject", "text"))
            quats, trans, valid = (arrays[key][rows] for key in ("quat", "trans", "valid"))
            offsets, extra = arrays["skel_offsets"][skeleton], arrays["skel_extra"][skeleton]
            if subject.startswith("daz_") and subject not in TEST_SUBJECTS:
                offsets = _bend_forearms(offsets)
            recordings.append(Recording(name, subject, text, quats, trans, valid, offsets, extra))
    names = {recording.name for recording in recordings}
    return [recording for recording in recordings if _COPIES.get(recording.name) not in names]


def _bend_forearms(offsets: FloatArray) -> FloatArray:
    """Offsets (24,3) m with the forearms in the direction in which the Daz skeleton rests."""
    bent = offsets.copy()
    for joint, side in _FOREARMS.items():
        bent[joint] = np.linalg.norm(offsets[joint]) * _DAZ_FOREARM / np.linalg.norm(_DAZ_FOREARM) * [side, 1, 1]
    return bent


def rotmats_from_quats(quats: AnyArray) -> FloatArray:
    """Rotations (...,3,3) from a Recording's quats (...,4)."""
    quats = quats.astype(float)
    return rotmat_from_quat(quats / np.linalg.norm(quats, axis=-1, keepdims=True))


def mirror_rotmats(rotmats: FloatArray) -> FloatArray:
    """Local rotations (...,24,3,3) of the mirrored motion: left and right are exchanged."""
    return rotmats[..., _MIRROR_JOINTS, :, :] * _FLIP[:, None] * _FLIP
