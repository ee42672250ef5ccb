"""Input that is a motion instead of footage: SMPL motions to be converted to SKEL's angles, or SKEL's angles to SMPL rotations."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..bodies.make_body import make_body
from ..bodies.smpl import Smpl
from ..bridge.messages import Progress, ReconstructRequest, Result
from ..core.array_types import FloatArray
from ..core.errors import InputError
from ..core.files.body_template import BodyTemplate, load_body
from ..core.files.motion_npz import read_motion
from ..core.records import Recovery
from ..core.rotations import rotmat_from_rotvec, rotvec_from_rotmat
from ..retarget.source.smpl import SmplArrays, is_smpl_motion, read_smpl_arrays, z_up_from_file
from .devices import choose_device
from .refiners.skel_conversion import convert_to_skel, convert_to_smpl, load_skel_body

DEFAULT_MOTION_FPS = 30.0
# AMASS files have no camera: a level one is assumed, 4 m away and 1 m high.
_DEFAULT_CAMERA_FROM_WORLD = np.array([[1.0, 0, 0, 0], [0, 0, -1, 1], [0, 1, 0, 4], [0, 0, 0, 1]])
_DEFAULT_INTRINSICS = np.array([[1000.0, 0, 640], [0, 1000, 360], [0, 0, 1]])
_DEFAULT_IMAGE_SIZE = np.array([1280, 720])


def is_motion_file(source: str) -> bool:
    """Whether a source is a motion .npz rather than footage or keypoints."""
    try:
        with zipfile.ZipFile(source) as archive:
            return {"poses.npy", "trans.npy"} <= set(archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


def recover_motion(request: ReconstructRequest, on_progress: Callable[[Progress], None] = lambda progress: None) -> Result:
    """The counterpart of `pipeline.recover` for a motion file: its Recovery in SKEL's angles, or their angles as SMPL poses.

    Raises:
        MeshRecError as `pipeline.recover`; InputError if the motion has no angles to convert.
    """
    device = choose_device(request.device)
    body = make_body(load_body(request.body), device)
    recovery = read_motion(request.source) if not is_smpl_motion(request.source) else read_amass_motion(request.source, body)
    name = Path(request.source).name
    if request.skeleton != "skel" and recovery.q is None:
        raise InputError(
            "motion-without-skel-angles",
            "{name} is a motion without SKEL's angles, not footage.",
            "Convert or retarget it as it is.",
            name=name,
        )
    skel = load_skel_body(request.skel_body, device)

    def report_progress(done: int, total: int) -> None:
        on_progress(Progress("Convert to SKEL" if request.skeleton == "skel" else "Convert to SMPL", done, total))

    convert = convert_to_skel if request.skeleton == "skel" else convert_to_smpl
    recovery, report, warnings = convert(recovery, body, skel, report_progress)
    return Result((recovery,), (1,), {"input": request.source, "people": [{"person": 1, request.skeleton: report}], "warnings": warnings})


def read_amass_motion(path: str, body: Smpl) -> Recovery:
    """An AMASS-like file as a Recovery, with a default camera, full confidence, no lifted joints and no contacts."""
    template = body.template
    stored = read_smpl_arrays(Path(path))
    num_frames = len(stored.poses)
    poses = np.zeros((num_frames, 24, 3))
    poses[:, :22] = stored.poses[:, :66].reshape(num_frames, 22, 3)
    global_orient = rotmat_from_rotvec(poses[:, 0])
    world_from_file = z_up_from_file(global_orient)
    poses[:, 0] = rotvec_from_rotmat(world_from_file @ global_orient)
    betas = _compatible_betas(stored, template)
    rest_pelvis = template.rest_joints(betas)[0]
    trans = (stored.trans + rest_pelvis) @ world_from_file.T - rest_pelvis
    fps = DEFAULT_MOTION_FPS if stored.fps is None else stored.fps
    joints = body.joints(betas, poses[:, 0], poses[:, 1:].reshape(num_frames, -1), trans)
    return Recovery(
        poses=poses.reshape(num_frames, 72),
        trans=trans,
        betas=betas,
        gender=template.gender,
        surface_model_type=template.surface_model_type,
        mocap_framerate=fps,
        timestamps=np.arange(num_frames) / fps,
        visible=np.ones(num_frames, bool),
        joints=joints[:, template.smpl_joint_indices].cpu().numpy(),
        confidence=np.ones((num_frames, 24)),
        lifted_joints=np.zeros((num_frames, 17, 3)),
        contacts=np.zeros((num_frames, 4)),
        camera_intrinsics=_DEFAULT_INTRINSICS,
        camera_from_world=np.tile(_DEFAULT_CAMERA_FROM_WORLD, (num_frames, 1, 1)),
        image_size=_DEFAULT_IMAGE_SIZE,
    )


def _compatible_betas(stored: SmplArrays, template: BodyTemplate) -> FloatArray:
    """The file's betas in the number that the body has; zeros for the open body, whose shape space is another one than SMPL's."""
    betas = np.zeros(template.shapedirs.shape[-1])
    if template.surface_model_type != "open" and stored.betas is not None:
        given = stored.betas.ravel()[: len(betas)]
        betas[: len(given)] = given
    return betas
