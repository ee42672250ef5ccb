"""The open body performing a Motion: its vertices for the renderer, and the recordings' joints on it as the truth."""

from dataclasses import dataclass

import numpy as np
import torch

from blender_meshrec.bodies.lbs import forward_kinematics, pose_blend_shapes, skin_vertices
from blender_meshrec.bodies.smpl import Smpl
from blender_meshrec.core.array_types import FloatArray
from blender_meshrec.core.skeletons import H36M17, LIMB_JOINTS, SMPL_JOINTS
from scripts.train.data.filmed_bodies.motion import Motion

# Points of the recordings' skeleton that the body lacks, as mixtures of its joints and landmarks. With these the heights of all of them
# above the middle of the hips, in torso lengths at rest, are the recordings' mean ones (thorax 1.07, head joint 1.26, its end 1.49)
# to 0.01: in motion capture the head joint is lower in the neck, and the head bone ends below the crown.
_MIXTURES = {
    "hip": {"left_hip": 0.5, "right_hip": 0.5},
    "thorax": {"neck": 0.5, "left_shoulder": 0.25, "right_shoulder": 0.25},
    "spine": {"left_hip": 0.25, "right_hip": 0.25, "neck": 0.25, "left_shoulder": 0.125, "right_shoulder": 0.125},
    "nose": {"head": 0.62, "neck": 0.38},
    "head_top": {"head": 0.445, "crown": 0.555},
    **{joint: {joint: 1.0} for joint in LIMB_JOINTS},
}
_POINTS = (*SMPL_JOINTS, "crown")
_WEIGHTS = np.array([[_MIXTURES[joint].get(point, 0.0) for point in _POINTS] for joint in H36M17])


@dataclass(frozen=True)
class Performance:
    """A Motion on a body, y up, metres: vertices (F,V,3), skinned from the given rest shape; joints (F,17,3), h36m17 of the recordings."""

    vertices: FloatArray
    joints: FloatArray


def perform(body: Smpl, motion: Motion, betas: FloatArray, clothing: FloatArray) -> Performance:
    """Pose a body.

    Args:
        betas: (B,). clothing: (V,3) m, displacements of the rest vertices by clothes; joints and crown ignore them.

    The pelvis moves along the recording's path, scaled by the length of the legs, so that the feet reach the floor.
    """
    template = body.template
    shape = torch.as_tensor(betas, dtype=torch.float32)[None]
    rotmats = torch.as_tensor(motion.rotmats, dtype=torch.float32)
    rest_joints, bare = body.rest_joints(shape), torch.as_tensor(template.rest_vertices(betas), dtype=torch.float32)
    rest = rest_joints[0].numpy()
    left = [SMPL_JOINTS.index(f"left_{name}") for name in ("hip", "knee", "ankle")]
    legs = float(np.linalg.norm(np.diff(rest[left], axis=0), axis=1).sum())
    transl = torch.as_tensor(motion.transl * legs / motion.leg_length, dtype=torch.float32)[:, None] - rest_joints[:, :1]
    with torch.inference_mode():
        joints, rotations = forward_kinematics(rotmats, rest_joints, body.tree)
        clothed = (bare + torch.as_tensor(clothing, dtype=torch.float32))[None]
        if body.posedirs is not None:
            clothed = clothed + pose_blend_shapes(rotmats, body.posedirs)
        vertices = skin_vertices(clothed, body.lbs_weights, joints, rotations, rest_joints) + transl
        head = SMPL_JOINTS.index("head")
        crown_offset = bare[template.landmarks["head_top"]] - rest_joints[0, head]
        crown = joints[:, head] + (rotations[:, head] @ crown_offset)
        points = torch.cat([joints, crown[:, None]], 1) + transl
    return Performance(vertices.numpy(), np.einsum("jp,fpc->fjc", _WEIGHTS, points.numpy().astype(float)))
