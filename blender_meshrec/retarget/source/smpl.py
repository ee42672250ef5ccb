"""Other people's SMPL motions: AMASS and what is written like it, as performances on the open body's joints."""

import zipfile
from pathlib import Path

import numpy as np

from ...core.conventions import WORLD_FROM_BODY
from ...core.errors import InputError
from ...core.files.body_template import load_body
from ...core.records import Motion
from ...core.rotations import quat_from_rotmat, rotmat_from_rotvec
from .motion import performance_from_motion

_REMEDY = "Choose an .npz with SMPL's `poses` and `trans`, such as AMASS holds."
_RATE_KEYS = ("mocap_framerate", "mocap_frame_rate", "framerate", "fps")
_DEFAULT_RATE = 30.0
# How many of SMPL's 24 joints come first in poses of each width; with fingers the hands' joints are others.
_NUM_BODY_JOINTS = 22


def is_smpl_motion(path):
    """Whether an .npz holds an SMPL motion that is not of our own writing: `poses` and `trans`, and no `lifted_joints`."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.removesuffix(".npy") for name in archive.namelist()}
    except (OSError, zipfile.BadZipFile):
        return False
    return {"poses", "trans"} <= names and "lifted_joints" not in names


def performance_from_smpl(path, body="open"):
    """Read an SMPL motion of the AMASS kind.

    Args:
        path: an .npz with poses (F,66 or more) rad, trans (F,3) m, perhaps betas and a frame rate; z or y up. body: "open", or the
            SMPL-family file it was made with: then its betas and, where body and poses have them, its fingers count.

    Returns:
        a Performance without contacts: they are found from the motion.

    Raises:
        InputError: no such file, or its arrays do not fit together.
    """
    stored = read_smpl_arrays(Path(path))
    template = load_body(body)
    poses, trans = stored["poses"], stored["trans"]
    same = poses.shape[1] == 3 * len(template.joint_names)
    own = template.surface_model_type != "open"
    betas = stored["betas"].ravel()[: template.shapedirs.shape[-1]] if own and "betas" in stored else np.zeros(1)
    rest = template.rest_joints(betas)
    given = len(template.joint_names) if same else _NUM_BODY_JOINTS
    local = np.tile(np.eye(3), (len(poses), len(rest), 1, 1))
    local[:, :given] = rotmat_from_rotvec(poses[:, : 3 * given].reshape(len(poses), given, 3))
    turn = z_up_from_file(local[:, 0])
    rotations = WORLD_FROM_BODY @ local @ WORLD_FROM_BODY.T
    rotations[:, 0] = turn @ local[:, 0] @ WORLD_FROM_BODY.T
    fps = float(stored.get("rate", _DEFAULT_RATE))
    motion = Motion(
        skeleton=Path(path).stem,
        joint_names=template.joint_names,
        parents=template.parents,
        rest_joints=rest @ WORLD_FROM_BODY.T,
        rotations=quat_from_rotmat(rotations),
        transl=(trans + rest[0]) @ turn.T,
        fps=fps,
        timestamps=np.arange(len(poses)) / fps,
    )
    return performance_from_motion(motion, template, betas)


def read_smpl_arrays(path):
    """The arrays of an AMASS-like .npz by name: poses (F,66 or more) rad, trans (F,3) m, perhaps betas and rate. Raises InputError."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            stored = {key: np.asarray(archive[key], float) for key in ("poses", "trans", "betas") if key in archive.files}
            rate = next((archive[key] for key in _RATE_KEYS if key in archive.files), None)
    except FileNotFoundError as error:
        raise InputError("smpl-motion-not-found", "There is no file {path}.", "Check the path.", path=path) from error
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, KeyError, TypeError) as error:
        raise InputError("smpl-motion-unreadable", "{name} cannot be read as an SMPL motion.", _REMEDY, name=path) from error
    if missing := {"poses", "trans"} - set(stored):
        raise InputError("smpl-motion-incomplete", "{name} lacks {keys}.", _REMEDY, name=path.name, keys=" and ".join(sorted(missing)))
    poses, trans = stored["poses"], stored["trans"]
    if poses.ndim == 3 and poses.shape[2] == 3:
        poses = stored["poses"] = poses.reshape(len(poses), -1)
    if poses.ndim != 2 or poses.shape[1] < 3 * _NUM_BODY_JOINTS or poses.shape[1] % 3 or trans.shape != (len(poses), 3) or not len(poses):
        raise InputError(
            "smpl-motion-shapes-differ",
            "The poses and trans of {name} do not fit together: {poses} and {trans}.",
            _REMEDY,
            name=path.name,
            poses=str(poses.shape),
            trans=str(trans.shape),
        )
    if not (np.isfinite(poses).all() and np.isfinite(trans).all()):
        raise InputError("smpl-motion-not-finite", "{name} holds numbers that are not finite.", _REMEDY, name=path.name)
    if rate is not None and np.size(rate) == 1 and np.asarray(rate).dtype.kind in "iuf" and float(rate.reshape(-1)[0]) > 0:
        stored["rate"] = float(rate.reshape(-1)[0])
    return stored


def z_up_from_file(root):
    """The turn (3,3) from the file's world to z up, told by where the body's own y points in most frames, root (F,3,3)."""
    up = np.median(root[:, :, 1], axis=0)
    return WORLD_FROM_BODY if abs(up[1]) > abs(up[2]) else np.eye(3)
