"""A motion instead of footage: SMPL motion files, ours and others', to be said in SKEL's angles, or angles in SMPL's rotations."""

import zipfile
from pathlib import Path

import numpy as np

from ..bodies.make_body import make_body
from ..bridge.messages import Progress, Result
from ..core.errors import InputError
from ..core.files.body_template import load_body
from ..core.files.motion_npz import read_motion
from ..core.records import Recovery
from ..core.rotations import rotmat_from_rotvec, rotvec_from_rotmat
from ..retarget.source.smpl import is_smpl_motion, read_smpl_arrays, z_up_from_file
from .devices import choose_device
from .refiners.skel_conversion import convert_to_skel, convert_to_smpl, load_skel_body

_LEVEL_CAMERA_FROM_WORLD = np.array([[1.0, 0, 0, 0], [0, 0, -1, 1], [0, 1, 0, 4], [0, 0, 0, 1]])  # a camera 4 m away, 1 m high


def is_motion_file(source):
    """Whether a source is a motion .npz rather than footage or keypoints."""
    try:
        with zipfile.ZipFile(source) as archive:
            return {"poses.npy", "trans.npy"} <= set(archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


def recover_motion(request, on_progress=lambda progress: None):
    """What `pipeline.recover` does of footage, of a motion: its Recovery in SKEL's angles, or their angles as SMPL's poses.

    Raises:
        MeshRecError as `pipeline.recover`; InputError where the motion has no angles to convert.
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

    def counted(done, total):
        on_progress(Progress("Convert to SKEL" if request.skeleton == "skel" else "Convert to SMPL", done, total))

    recovery, report, warnings = (convert_to_skel if request.skeleton == "skel" else convert_to_smpl)(recovery, body, skel, counted)
    return Result((recovery,), (1,), {"input": request.source, "people": [{"person": 1, request.skeleton: report}], "warnings": warnings})


def read_amass_motion(path, body):
    """An AMASS-like file as a Recovery: what it does not say is left level, seen by nobody and touching nothing."""
    template = body.template
    stored = read_smpl_arrays(Path(path))
    count = len(stored["poses"])
    poses = np.zeros((count, 24, 3))
    poses[:, :22] = stored["poses"][:, :66].reshape(count, 22, 3)
    root = rotmat_from_rotvec(poses[:, 0])
    turn = z_up_from_file(root)
    poses[:, 0] = rotvec_from_rotmat(turn @ root)
    # Another body's betas mean another shape.
    known = template.surface_model_type != "open" and "betas" in stored
    betas = np.zeros(template.shapedirs.shape[-1])
    if known:
        given = stored["betas"].ravel()[: len(betas)]
        betas[: len(given)] = given
    rest = template.rest_joints(betas)[0]
    trans = (stored["trans"] + rest) @ turn.T - rest
    fps = float(stored.get("rate", 30.0))
    return Recovery(
        poses=poses.reshape(count, 72),
        trans=trans,
        betas=betas,
        gender=template.gender,
        surface_model_type=template.surface_model_type,
        mocap_framerate=fps,
        timestamps=np.arange(count) / fps,
        visible=np.ones(count, bool),
        joints=body.joints(betas, poses[:, 0], poses[:, 1:].reshape(count, -1), trans)[:, template.smpl_joint_indices].cpu().numpy(),
        confidence=np.ones((count, 24)),
        lifted_joints=np.zeros((count, 17, 3)),
        contacts=np.zeros((count, 4)),
        camera_intrinsics=[[1000.0, 0, 640], [0, 1000, 360], [0, 0, 1]],
        camera_from_world=np.tile(_LEVEL_CAMERA_FROM_WORLD, (count, 1, 1)),
        image_size=(1280, 720),
    )
