"""Ground truth from motion capture: the captured joints, the body with the same motion, and the contacts of its feet."""

from dataclasses import dataclass

import numpy as np

from blender_meshrec.backend.fitting.betas_fit import fit_betas, measure_lengths
from blender_meshrec.core.array_types import FloatArray
from blender_meshrec.core.contacts import detect_contacts
from blender_meshrec.core.conventions import WORLD_FROM_BODY
from blender_meshrec.core.files.body_template import BodyTemplate
from blender_meshrec.core.foot_planting.leg_kinematics import pose_legs, soles_from_template
from blender_meshrec.core.rotations import rotmat_from_rotvec, rotvec_from_rotmat
from blender_meshrec.core.skeletons import H36M17
from scripts.train.data.contact_labels import align_to_ground
from scripts.train.data.motion_clips import clip_from_recording
from scripts.train.data.recordings import FPS, Recording, rotmats_from_quats


@dataclass(frozen=True)
class GroundTruth:
    """One recording in the world, z up, on the open body shaped like its performer.

    h36m17: (F,17,3) m, the captured joints. betas (B,), poses (F,72) rad and transl (F,3) m: the body. contacts: (F,4), from
    `detect_contacts` on the true motion of the body's soles; the ground below each sole point is the height that it usually has.
    """

    h36m17: FloatArray
    betas: FloatArray
    poses: FloatArray
    transl: FloatArray
    contacts: FloatArray


def ground_truth_of(template: BodyTemplate, recording: Recording) -> GroundTruth:
    """The GroundTruth of a Recording on a BodyTemplate."""
    joints = clip_from_recording(recording).points()[:, : len(H36M17)].astype(float) @ WORLD_FROM_BODY.T
    betas = fit_betas(template, measure_lengths(joints, np.ones(joints.shape[:2])))
    rotmats = rotmats_from_quats(recording.quats)
    rotmats[:, 0] = WORLD_FROM_BODY @ rotmats[:, 0]
    rest = template.rest_joints(betas)
    hips = [H36M17.index("left_hip"), H36M17.index("right_hip")]
    # Place the body's hips at the performer's.
    pelvis = joints[:, hips].mean(1) - (rotmats[:, 0] @ (rest[1:3].mean(0) - rest[0]))
    times = np.arange(len(joints)) / FPS
    poses, transl = rotvec_from_rotmat(rotmats).reshape(len(joints), -1), pelvis - rest[0]
    contacts = detect_contacts(align_to_ground(soles_of(template, betas, poses, transl)), times)
    return GroundTruth(joints, betas, poses, transl, contacts)


def soles_of(template: BodyTemplate, betas: FloatArray, poses: FloatArray, transl: FloatArray) -> FloatArray:
    """The soles' contact points (F,4,3) m of a body's motion: left heel, left toe, right heel, right toe.

    Args:
        betas: (B,). poses: (F,3J) rad, root first. transl: (F,3) m.
    """
    rest = template.rest_joints(betas)
    rotmats = rotmat_from_rotvec(poses.astype(float).reshape(len(poses), -1, 3))
    return pose_legs(rotmats, transl + rest[0], rest, soles_from_template(template, betas)).points
