"""Motion capture as a truth to measure against: the joints that were captured, the body that moves so, its feet's contacts."""

from dataclasses import dataclass

import numpy as np

from blender_meshrec.backend.fitting.betas_fit import fit_betas, measure_lengths
from blender_meshrec.backend.fitting.leg_kinematics import pose_legs, soles_from_template
from blender_meshrec.core.contacts import detect_contacts
from blender_meshrec.core.conventions import WORLD_FROM_BODY
from blender_meshrec.core.rotations import rotvec_from_rotmat
from blender_meshrec.core.skeletons import H36M17
from scripts.train.data.contact_labels import align_to_ground
from scripts.train.data.motion_clips import clip_from_recording
from scripts.train.data.recordings import FPS, rotmats_from_quats


@dataclass(frozen=True)
class GroundTruth:
    """One recording in the world, z up, on the open body shaped like its performer.

    h36m17: (F,17,3) m, the captured joints. betas (B,), poses (F,72) rad and transl (F,3) m: the body. contacts: (F,4), as
    `detect_contacts` finds them in the true motion of its soles, each sole's ground being where it usually stands.
    """

    h36m17: np.ndarray
    betas: np.ndarray
    poses: np.ndarray
    transl: np.ndarray
    contacts: np.ndarray


def ground_truth_of(template, recording):
    """The Truth of a Recording on a BodyTemplate."""
    joints = clip_from_recording(recording).points()[:, : len(H36M17)].astype(float) @ WORLD_FROM_BODY.T
    betas = fit_betas(template, measure_lengths(joints, np.ones(joints.shape[:2])))
    turned = rotmats_from_quats(recording.quats)
    turned[:, 0] = WORLD_FROM_BODY @ turned[:, 0]
    rest = template.rest_joints(betas)
    hips = [H36M17.index("left_hip"), H36M17.index("right_hip")]
    # The body's hips where the performer's are.
    pelvis = joints[:, hips].mean(1) - (turned[:, 0] @ (rest[1:3].mean(0) - rest[0]))
    times = np.arange(len(joints)) / FPS
    soles = pose_legs(turned, pelvis, rest, soles_from_template(template, betas)).points
    poses = rotvec_from_rotmat(turned).reshape(len(joints), -1)
    return GroundTruth(joints, betas, poses, pelvis - rest[0], detect_contacts(align_to_ground(soles), times))
