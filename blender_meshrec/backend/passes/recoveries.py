"""Each person's motion as the motion file stores it, and what is made of it: SKEL's angles, PC-HMR's mesh, another frame rate."""

from pathlib import Path

import numpy as np

from ...core.cameras import transform_points
from ...core.foot_planting.leg_kinematics import LEG_JOINTS
from ...core.records import Recovery
from ...core.resampling import resample_recovery
from ..clip import Clip
from ..fitting.body_params import with_posed_joints
from ..fitting.mesh_calibration import MeshCalibrator, mesh_in_world, target_joints
from ..moving_camera import camera_from_world
from ..refiners.skel_conversion import convert_to_skel
from ..registry import refiners_of_stage
from .posed import body_in_world


def make_recoveries(clip: Clip) -> None:
    """Each person's motion as the motion file stores it."""
    frames, template = clip.frames, clip.template
    for person in clip.people:
        visible = person.observations.visible
        recovery = Recovery(
            poses=person.locked.poses,
            trans=person.locked.transl,
            betas=person.locked.betas,
            gender=template.gender,
            surface_model_type=person.locked.model,
            mocap_framerate=frames.fps,
            timestamps=frames.timestamps,
            visible=visible,
            joints=np.zeros((len(frames), 24, 3)),
            confidence=np.clip(person.fit.confidence, 0, 1) * visible[:, None],
            lifted_joints=transform_points(clip.world_from_camera[None], person.camera_space.joints + clip.places[:, None]),
            contacts=person.contacts,
            joint_sigma=person.sigma,
            free_legs=person.free.poses.reshape(len(frames), -1, 3)[:, LEG_JOINTS.ravel()],
            camera_intrinsics=clip.intrinsics,
            camera_zoom=clip.zoom,
            camera_distortion=clip.distortion if clip.distortion_source else None,
            scene_frame=1 if clip.known_key is None else clip.known_key,
            camera_from_world=camera_from_world(clip),
            image_size=np.array(frames.size),
            footage=str(Path(frames.source).absolute()),
            footage_rotation=frames.rotation,
            footage_mirrored=frames.is_mirrored,
            footage_speed=frames.speed,
            first_frame=frames.first,
        )
        person.recovery = with_posed_joints(clip.body, recovery)


def wants_skel(clip: Clip) -> bool:
    """Whether the motion is to be converted to SKEL's angles."""
    return clip.skel is not None


def convert_people_to_skel(clip: Clip) -> None:
    """SMPL motion to SKEL's angles."""
    for person in clip.people:
        q = person.estimate.q
        first_q = None if q is None or len(q) != len(person.recovery) else np.asarray(q, float)
        person.recovery, person.skel_report, warnings = convert_to_skel(
            person.recovery, clip.body, clip.require_skel(), clip.stages.count, first_q
        )
        clip.warnings += warnings


def refine_skel(clip: Clip) -> None:
    """Improve SKEL's angles by the requested refiners; each is a stage of its own."""
    for name, refine in refiners_of_stage("skel", clip.refiners).items():
        with clip.stages(name):
            for person in clip.people:
                person.skel_report = {**(person.skel_report or {}), name: refine(person, clip)}


def has_generated_meshes(clip: Clip) -> bool:
    """Whether the estimator has generated meshes (PC-HMR)."""
    return clip.people[0].estimate.body is not None


def bring_generated_meshes_to_world(clip: Clip) -> None:
    """PC-HMR: each generated mesh smoothed and rotated into the world, with the target pose as its lifted joints."""
    for person in clip.people:
        if person.estimate.body is None:
            continue
        root = clip.template.rest_joints(person.start.betas)[0]
        start = body_in_world(person.start, root, clip)
        target = target_joints(clip.body, person.recovery.lifted_joints, start, person.locked)
        person.generated = mesh_in_world(
            person.recovery, person.estimate.body, target, clip.request.smoothing, clip.world_from_camera[:3, :3]
        )


def is_resampled(clip: Clip) -> bool:
    """Whether another frame rate is requested."""
    return bool(clip.request.fps)


def resample_people(clip: Clip) -> None:
    """Motion at the requested frame rate, or else the footage's."""
    fps = clip.request.fps or clip.frames.fps
    cuts = [int(clip.looked_at.rows[row]) for row in clip.breaks]
    for person in clip.people:
        person.recovery = with_posed_joints(clip.body, resample_recovery(person.recovery, fps, cuts))
        if person.generated is not None:
            person.generated = resample_recovery(person.generated, fps, cuts)


def calibrate_meshes(clip: Clip) -> None:
    """PC-HMR: the generated mesh calibrated onto the target pose."""
    calibrate = MeshCalibrator(clip.body, clip.device)
    for person in clip.people:
        if person.generated is None:
            continue
        surface = Path(f"{clip.request.surface}.person{person.number}.pc2") if clip.request.surface else None
        person.recovery, person.refined["calibration"] = calibrate(person.recovery, person.generated, surface)
