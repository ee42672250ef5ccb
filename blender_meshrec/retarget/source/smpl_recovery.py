"""SMPL-family motions of others as Recoveries, which every writer and the add-on's scenes take."""

from pathlib import Path

import numpy as np

from ...core.array_types import FloatArray
from ...core.files.body_template import BodyTemplate
from ...core.kinematics import pose_joints
from ...core.messages import Message
from ...core.records import Recovery
from ...core.rotations import rotmat_from_rotvec, rotvec_from_rotmat
from .smpl import place_smpl
from .smpl_arrays import NUM_BODY_JOINTS, SmplArrays
from .smpl_file import read_smpl_arrays
from .smpl_up import AUTO_UP

# These files have no camera: a level one is assumed, 4 m away and 1 m high.
_DEFAULT_CAMERA_FROM_WORLD = np.array([[1.0, 0, 0, 0], [0, 0, -1, 1], [0, 1, 0, 4], [0, 0, 0, 1]])
_DEFAULT_INTRINSICS = np.array([[1000.0, 0, 640], [0, 1000, 360], [0, 0, 1]])
_DEFAULT_IMAGE_SIZE = np.array([1280, 720])
_NUM_SMPL_JOINTS = 24


def recovery_from_smpl(path: str | Path, template: BodyTemplate, up: str = AUTO_UP) -> tuple[Recovery, tuple[Message, ...]]:
    """Read an SMPL-family motion: full confidence, no lifted joints and no contacts, and a default camera.

    Args:
        template: the body; its joints beyond SMPL's are in the poses, too. up: the axis that is up, "z" or "y"; "auto" as the format says.

    Returns:
        the Recovery, and notes on what had to be assumed.

    Raises:
        InputError: no such file, it holds no motion, or its arrays do not fit together.
    """
    stored = read_smpl_arrays(Path(path))
    betas = _betas_of_body(stored, template)
    placed = place_smpl(stored, template, betas, up, Path(path).name)
    poses = _poses_of_body(stored, len(template.joint_names))
    poses[:, 0] = rotvec_from_rotmat(placed.world_from_file @ rotmat_from_rotvec(poses[:, 0]))
    return recovery_without_camera(template, betas, poses, placed.pelvis, placed.fps), placed.notes


def recovery_without_camera(
    template: BodyTemplate, betas: FloatArray, poses: FloatArray, pelvis: FloatArray, fps: float, contacts: FloatArray | None = None
) -> Recovery:
    """A Recovery of a motion that no camera saw: full confidence, no lifted joints, and a default camera.

    Args:
        betas: of the template's body. poses: (F,J,3) rad, z up, J at least 24. pelvis: (F,3) m. contacts: (F,4), none if None.
    """
    rest_joints, num_frames = template.rest_joints(betas), len(poses)
    offsets = np.tile(rest_joints - rest_joints[np.maximum(template.parents, 0)], (num_frames, 1, 1))
    offsets[:, 0] = pelvis
    joints = pose_joints(rotmat_from_rotvec(poses[:, : len(template.joint_names)]), offsets, template.parents)[0]
    return Recovery(
        poses=poses.reshape(num_frames, -1),
        trans=pelvis - rest_joints[0],
        betas=betas,
        gender=template.gender,
        surface_model_type=template.surface_model_type,
        mocap_framerate=fps,
        timestamps=np.arange(num_frames) / fps,
        visible=np.ones(num_frames, bool),
        joints=joints[:, template.smpl_joint_indices],
        confidence=np.ones((num_frames, _NUM_SMPL_JOINTS)),
        lifted_joints=np.zeros((num_frames, 17, 3)),
        contacts=np.zeros((num_frames, 4)) if contacts is None else contacts,
        camera_intrinsics=_DEFAULT_INTRINSICS,
        camera_from_world=np.tile(_DEFAULT_CAMERA_FROM_WORLD, (num_frames, 1, 1)),
        image_size=_DEFAULT_IMAGE_SIZE,
    )


def _poses_of_body(stored: SmplArrays, num_joints: int) -> FloatArray:
    """Rotation vectors (F,J,3) of the body's joints, J at least 24: with hands if body and file have the same ones, else without."""
    poses = np.zeros((len(stored.poses), max(num_joints, _NUM_SMPL_JOINTS), 3))
    has_hands = num_joints > _NUM_SMPL_JOINTS and stored.poses.shape[1] == 3 * num_joints
    num_posed = num_joints if has_hands else NUM_BODY_JOINTS
    poses[:, :num_posed] = stored.poses[:, : 3 * num_posed].reshape(len(poses), num_posed, 3)
    return poses


def _betas_of_body(stored: SmplArrays, template: BodyTemplate) -> FloatArray:
    """The file's betas in the number that the body has; zeros for the open body, whose shape space is another one than SMPL's."""
    betas = np.zeros(template.shapedirs.shape[-1])
    if template.surface_model_type != "open" and stored.betas is not None:
        given = stored.betas.ravel()[: len(betas)]
        betas[: len(given)] = given
    return betas
