"""Performances from SMPL motions written by others: AMASS files and files like them, on the open body's joints."""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...core.array_types import AnyArray, FloatArray
from ...core.conventions import WORLD_FROM_BODY
from ...core.errors import InputError
from ...core.files.body_template import BodyTemplate, load_body
from ...core.records import Motion
from ...core.rotations import quat_from_rotmat, rotmat_from_rotvec
from ..rig import Performance
from .motion import performance_from_motion

_REMEDY = "Choose an .npz with SMPL's `poses` and `trans`, such as AMASS holds."
_FPS_KEYS = ("mocap_framerate", "mocap_frame_rate", "framerate", "fps")
_DEFAULT_FPS = 30.0
# The joints that SMPL, SMPL-H and SMPL-X have in common; the others are hands.
_NUM_BODY_JOINTS = 22


@dataclass(frozen=True)
class SmplArrays:
    """The content of an AMASS-like file. poses: (F,D) rad, D >= 66. trans: (F,3) m. betas and fps: None if the file has none."""

    poses: FloatArray
    trans: FloatArray
    betas: FloatArray | None
    fps: float | None


def is_smpl_motion(path: Path | str) -> bool:
    """Whether a file is an .npz of an SMPL motion that this add-on did not write: `poses` and `trans`, and no `lifted_joints`."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.removesuffix(".npy") for name in archive.namelist()}
    except (OSError, zipfile.BadZipFile):
        return False
    return {"poses", "trans"} <= names and "lifted_joints" not in names


def performance_from_smpl(path: Path | str, body: str | Path = "open") -> Performance:
    """Read an SMPL motion of the AMASS kind.

    Args:
        path: an .npz with poses (F,66 or more) rad, trans (F,3) m, optionally betas and a frame rate; z or y up. body: "open", or the
            SMPL-family file that the motion was made with: then its betas and, if body and poses have them, its fingers are used.

    Returns:
        a Performance without contacts, which are detected from the motion.

    Raises:
        InputError: no such file, or its arrays do not fit together.
    """
    stored = read_smpl_arrays(Path(path))
    template = load_body(body)
    betas = _compatible_betas(stored, template)
    rest_joints = template.rest_joints(betas)
    local_rotmats = _local_rotmats(stored.poses, len(template.joint_names))
    world_from_file = z_up_from_file(local_rotmats[:, 0])
    rotmats = WORLD_FROM_BODY @ local_rotmats @ WORLD_FROM_BODY.T
    rotmats[:, 0] = world_from_file @ local_rotmats[:, 0] @ WORLD_FROM_BODY.T
    fps = _DEFAULT_FPS if stored.fps is None else stored.fps
    motion = Motion(
        skeleton=Path(path).stem,
        joint_names=template.joint_names,
        parents=template.parents,
        rest_joints=rest_joints @ WORLD_FROM_BODY.T,
        rotations=quat_from_rotmat(rotmats),
        transl=(stored.trans + rest_joints[0]) @ world_from_file.T,
        fps=fps,
        timestamps=np.arange(len(stored.poses)) / fps,
    )
    return performance_from_motion(motion, template, betas)


def _compatible_betas(stored: SmplArrays, template: BodyTemplate) -> FloatArray:
    """The file's betas, at most as many as the body has; zero for the open body, whose shape space is not SMPL's."""
    if template.surface_model_type == "open" or stored.betas is None:
        return np.zeros(1)
    return stored.betas.ravel()[: template.shapedirs.shape[-1]]


def _local_rotmats(poses: FloatArray, num_joints: int) -> FloatArray:
    """Rotations (F,J,3,3) relative to the parents: of all joints if the poses are of as many, else of the body without hands."""
    num_posed = num_joints if poses.shape[1] == 3 * num_joints else _NUM_BODY_JOINTS
    rotmats = np.tile(np.eye(3), (len(poses), num_joints, 1, 1))
    rotmats[:, :num_posed] = rotmat_from_rotvec(poses[:, : 3 * num_posed].reshape(len(poses), num_posed, 3))
    return rotmats


def z_up_from_file(global_orient: FloatArray) -> FloatArray:
    """The rotation (3,3) from the file's world to z up, by where the body's own y axis points in most frames.

    global_orient: (F,3,3).
    """
    up = np.median(global_orient[:, :, 1], axis=0)
    return WORLD_FROM_BODY if abs(up[1]) > abs(up[2]) else np.eye(3)


# --- reading the file ----------------------------------------------------------------------------------------------------


def read_smpl_arrays(path: Path) -> SmplArrays:
    """Read the arrays of an AMASS-like .npz.

    Raises:
        InputError: no such file, or its arrays do not fit together.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {key: np.asarray(archive[key], float) for key in ("poses", "trans", "betas") if key in archive.files}
            fps = _parse_fps(next((archive[key] for key in _FPS_KEYS if key in archive.files), None))
    except FileNotFoundError as error:
        raise InputError("smpl-motion-not-found", "There is no file {path}.", "Check the path.", path=path) from error
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, KeyError, TypeError) as error:
        raise InputError("smpl-motion-unreadable", "{name} cannot be read as an SMPL motion.", _REMEDY, name=path) from error
    if missing := {"poses", "trans"} - set(arrays):
        raise InputError("smpl-motion-incomplete", "{name} lacks {keys}.", _REMEDY, name=path.name, keys=" and ".join(sorted(missing)))
    poses, trans = arrays["poses"], arrays["trans"]
    if poses.ndim == 3 and poses.shape[2] == 3:
        poses = poses.reshape(len(poses), -1)
    if not _do_shapes_match(poses, trans):
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
    return SmplArrays(poses, trans, arrays.get("betas"), fps)


def _do_shapes_match(poses: FloatArray, trans: FloatArray) -> bool:
    """Whether poses and trans are of the same frames, at least one, and the poses of whole joints, at least the body's."""
    if poses.ndim != 2 or not len(poses) or trans.shape != (len(poses), 3):
        return False
    return poses.shape[1] >= 3 * _NUM_BODY_JOINTS and poses.shape[1] % 3 == 0


def _parse_fps(stored: AnyArray | None) -> float | None:
    """A frame rate as the file stores it; None if it is no positive number."""
    if stored is None or np.size(stored) != 1 or np.asarray(stored).dtype.kind not in "iuf":
        return None
    fps = float(stored.reshape(-1)[0])
    return fps if fps > 0 else None
