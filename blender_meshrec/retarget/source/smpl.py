"""Performances from SMPL motions written by others, on the open body's joints or those of a body file."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...core.array_types import FloatArray
from ...core.conventions import WORLD_FROM_BODY
from ...core.files.body_template import BodyTemplate, load_body
from ...core.kinematics import pose_joints
from ...core.messages import Message
from ...core.records import Motion
from ...core.rotations import quat_from_rotmat, rotmat_from_rotvec
from ..rig import Performance
from .motion import performance_from_motion
from .smpl_arrays import DEFAULT_FPS, NUM_BODY_JOINTS, SmplArrays
from .smpl_file import is_smpl_motion as is_smpl_motion
from .smpl_file import read_smpl_arrays
from .smpl_up import AUTO_UP, WORLD_FROM_FILE, choose_up


@dataclass(frozen=True)
class PlacedSmpl:
    """An SMPL-family motion and its place in the world.

    local_rotmats: (F,J,3,3) of the body's joints relative to their parents, the root's in the file's axes. world_from_file: (3,3).
    pelvis: (F,3) m in the world. fps: frames per second. notes: what had to be assumed.
    """

    local_rotmats: FloatArray
    world_from_file: FloatArray
    pelvis: FloatArray
    fps: float
    notes: tuple[Message, ...]


def performance_from_smpl(path: Path | str, body: str | Path = "open", up: str = AUTO_UP) -> Performance:
    """Read an SMPL-family motion.

    Args:
        path: a file in one of the layouts of `smpl_layouts`. body: "open", or the SMPL-family file that the motion was made with: then
            its betas and, if body and poses have them, its fingers are used. up: the axis that is up, "z" or "y"; "auto" as the format
            says.

    Returns:
        a Performance without contacts, which are detected from the motion.

    Raises:
        InputError: no such file, it holds no motion, or its arrays do not fit together.
    """
    stored, template = read_smpl_arrays(Path(path)), load_body(body)
    betas = _compatible_betas(stored, template)
    placed = place_smpl(stored, template, betas, up, Path(path).name)
    rotmats = WORLD_FROM_BODY @ placed.local_rotmats @ WORLD_FROM_BODY.T
    rotmats[:, 0] = placed.world_from_file @ placed.local_rotmats[:, 0] @ WORLD_FROM_BODY.T
    motion = Motion(
        skeleton=Path(path).stem,
        joint_names=template.joint_names,
        parents=template.parents,
        rest_joints=template.rest_joints(betas) @ WORLD_FROM_BODY.T,
        rotations=quat_from_rotmat(rotmats),
        transl=placed.pelvis,
        fps=placed.fps,
        timestamps=np.arange(len(stored.poses)) / placed.fps,
    )
    return replace(performance_from_motion(motion, template, betas), notes=placed.notes)


def place_smpl(stored: SmplArrays, template: BodyTemplate, betas: FloatArray, up: str, name: str) -> PlacedSmpl:
    """Turn an SMPL-family motion into the world, z up; a motion whose format has no floor is put on the plane z = 0.

    Args:
        betas: of the template's body. up: "z", "y" or "auto". name: of the file, for notes.
    """
    rest_joints = template.rest_joints(betas)
    local_rotmats = _local_rotmats(stored.poses, len(template.joint_names))
    offsets = np.tile(rest_joints - rest_joints[np.maximum(template.parents, 0)], (len(stored.poses), 1, 1))
    offsets[:, 0] = stored.trans + rest_joints[0]
    joints = pose_joints(local_rotmats, offsets, template.parents)[0][:, :NUM_BODY_JOINTS]
    axis, notes = choose_up(stored, joints, up, name)
    world_from_file = WORLD_FROM_FILE[axis]
    pelvis = (stored.trans + rest_joints[0]) @ world_from_file.T
    if not stored.is_grounded:
        sole_drop = rest_joints[:, 1].min() - template.rest_vertices(betas)[:, 1].min()
        pelvis = pelvis - [*pelvis[0, :2], np.median((joints @ world_from_file.T)[..., 2].min(1)) - sole_drop]
    fps = DEFAULT_FPS if stored.fps is None else stored.fps
    return PlacedSmpl(local_rotmats, world_from_file, pelvis, fps, (*stored.notes, *notes))


def _compatible_betas(stored: SmplArrays, template: BodyTemplate) -> FloatArray:
    """The file's betas, at most as many as the body has; zero for the open body, whose shape space is not SMPL's."""
    if template.surface_model_type == "open" or stored.betas is None:
        return np.zeros(1)
    return stored.betas.ravel()[: template.shapedirs.shape[-1]]


def _local_rotmats(poses: FloatArray, num_joints: int) -> FloatArray:
    """Rotations (F,J,3,3) relative to the parents: of all joints if the poses are of as many, else of the body without hands."""
    num_posed = num_joints if poses.shape[1] == 3 * num_joints else NUM_BODY_JOINTS
    rotmats = np.tile(np.eye(3), (len(poses), num_joints, 1, 1))
    rotmats[:, :num_posed] = rotmat_from_rotvec(poses[:, : 3 * num_posed].reshape(len(poses), num_posed, 3))
    return rotmats
