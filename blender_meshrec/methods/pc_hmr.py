"""PC-HMR: a mesh of the right shape in the wrong pose, corrected by an explicit 3D pose without fitting parameters anew.

Paper: Luan et al. 2021, "PC-HMR: Pose Calibration for 3D Human Mesh Recovery from 2D Images/Videos", section 3.3, equations 6-13,
and figure 2 for its two frameworks.

What the paper leaves open, and what is ours:

* Bones: the 16 of h36m17. The mesh's joints are U times its vertices (eq. 2), with U of bodies/joint_projector.
* A is a softmax, so that its rows sum to 1: otherwise moving both poses would not move the mesh with them. It begins as the
  skinning weights, summed over the joints that a bone carries; W begins as how far along its bone a vertex lies at rest, held
  between 0 (the parent) and 1 (the child), which is what the paper's figure of trained weights shows.
* Eq. 6 divides by zero where two bones are parallel and is undefined where they are opposite: the same least turn is made of two
  reflections (bodies/alignment.swing), which needs no angle; bones shorter than a micrometre do not turn.
* The mesh goes to the place of the target pose: no camera is part of this file.
* The lifter that is tuned together with A and W is a copy of Skeleton2Mesh's and ships beside them, for both frameworks: it
  knows the open body's joints, as the original knows those of motion capture.
* In the pipeline (backend/fitting/mesh_calibration.py) the generator's pose takes the one shape that the clip's bone lengths and
  silhouettes tell, and is steadied over time: the generator judges every frame by itself.
"""

from dataclasses import dataclass, replace

import numpy as np
import roma
import torch
from torch import nn

from ..bodies.alignment import normalize_or, swing_onto
from ..bodies.network_file import read_weights
from ..core.errors import ModelError
from ..core.files.model_files import model_file
from ..core.records import Observations
from ..core.skeletons import H36M17, H36M17_PARENTS, h36m17_weights_from_names

WEIGHTS_FILE, LIFTER_WEIGHTS_FILE = "pc_hmr.safetensors", "pc_hmr_lifter.safetensors"

BONES = tuple((int(parent), child) for child, parent in enumerate(H36M17_PARENTS) if parent >= 0)
MIN_WEIGHT = 1e-5  # of A at the beginning: what is exactly zero could not be learnt
CHUNK_VERTICES = 400_000  # calibrated at once, over all frames of a piece: what a processor's cache holds
# Which bones, by their children, carry the skin of each of a body's joints.
_BONES_OF_JOINT = {
    "pelvis": ("spine", "left_hip", "right_hip"), "spine1": ("spine",), "spine2": ("spine",), "spine3": ("thorax",),
    "neck": ("nose",), "head": ("head_top",), "jaw": ("head_top",), "left_eye": ("head_top",), "right_eye": ("head_top",),
    **{f"{side}_{joint}": (f"{side}_{child}",) for side in ("left", "right") for joint, child in (
        ("hip", "knee"), ("knee", "ankle"), ("ankle", "ankle"), ("foot", "ankle"), ("collar", "shoulder"),
        ("shoulder", "elbow"), ("elbow", "wrist"), ("wrist", "wrist"))},
}  # fmt: skip


# ---- the two frameworks, figure 2 ---------------------------------------------------------------------------------------


def parallel(generate, estimate):
    """Parallel PC-HMR: a stream of meshes beside a stream of poses.

    Args:
        generate: a mesh generator, estimate: a pose estimator, of the roles that backend/registry.py names.

    Returns:
        an estimator: its joints are the target pose, its body the mesh to be calibrated onto them.
    """

    def two_streams(observations, intrinsics, timestamps, device):
        generated = generate(observations, intrinsics, timestamps, device)
        return replace(estimate(observations, intrinsics, timestamps, device), body=generated.body)

    return two_streams


def serial(generate, estimate):
    """Serial PC-HMR: the mesh's own joints, seen by the mesh's own camera (eq. 3), are what is lifted (eq. 4).

    Args and returns: as `parallel`. What the picture showed is not looked at again.
    """

    def autoencoding(observations, intrinsics, timestamps, device):
        generated = generate(observations, intrinsics, timestamps, device)
        visible = np.array(observations.visible)
        keypoints = np.concatenate([generated.points, np.ones((len(visible), len(H36M17), 1))], -1) * visible[:, None, None]
        shown = Observations("h36m17", observations.boxes, keypoints, visible)
        return replace(estimate(shown, intrinsics, timestamps, device), body=generated.body)

    return autoencoding


# ---- the calibration module, section 3.3 ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class PoseTransformation:
    """From each bone of a pose to the same of another, F frames: psi (F,16,3,3), translation (F,16,3) m, delta (F,16,3) m."""

    psi: torch.Tensor
    translation: torch.Tensor
    delta: torch.Tensor


def transform_bones(joints, target, self_rotation=None):
    """The non-rigid transformation of every bone, eq. 6-10.

    Args:
        joints, target: (F,17,3) m. self_rotation: (F,16) rad, how far each bone turns about itself besides, or None: the paper's "extra
            self-rotation", which it leaves out for it gains nothing.

    Returns:
        a PoseTransformation: a parent goes to psi parent + translation, its child to psi child + translation + delta.
    """
    parents, children = (list(ends) for ends in zip(*BONES))
    bone, wanted = (points[:, children] - points[:, parents] for points in (joints, target))
    # A bone without a length points where the other does: it does not turn.
    start = normalize_or(bone, normalize_or(wanted, torch.tensor([0.0, 0, 1]).to(joints)))
    along = normalize_or(wanted, start)
    identity = torch.eye(3).to(joints).expand(*start.shape, 3)
    psi = swing_onto(identity, start, along)
    if self_rotation is not None:
        psi = roma.rotvec_to_rotmat(along * self_rotation[..., None]) @ psi
    translation = target[:, parents] - (psi @ joints[:, parents, :, None])[..., 0]
    delta = target[:, children] - (psi @ joints[:, children, :, None])[..., 0] - translation
    return PoseTransformation(psi, translation, delta)


class Calibration(nn.Module):
    """The learnable module of section 3.3: vertices follow the bones of one pose to those of another.

    Args:
        weights (V,16): A at first, rows sum to 1. share (V,16): W at first. Both of `initial_weights`, or of a file.
    """

    def __init__(self, weights, share):
        super().__init__()
        weights = torch.as_tensor(weights, dtype=torch.float32).clamp_min(MIN_WEIGHT)
        self.logits = nn.Parameter(weights.log())
        self.W = nn.Parameter(torch.as_tensor(share, dtype=torch.float32).clone())

    @property
    def A(self):
        """(V,16), rows sum to 1."""
        return self.logits.softmax(-1)

    def forward(self, vertices, joints, target, nonrigid=True, self_rotation=None):
        """Calibrate meshes, eq. 12-13.

        Args:
            vertices: (F,V,3) m. joints: (F,17,3) m, the mesh's own. target: (F,17,3) m. nonrigid: with the term W delta. self_rotation: as
                `transform_bones` takes it.

        Returns:
            (F,V,3) m, about the target's place.
        """
        # Transposed, so that the long axis is the innermost: five times as fast.
        weights, shares = self.A.T.contiguous(), (self.A * self.W).T.contiguous()
        moved = transform_bones(joints, target, self_rotation)
        turned, delta = torch.cat([moved.psi.flatten(2), moved.translation], 2).mT, moved.delta.mT
        chunk = max(CHUNK_VERTICES // vertices.shape[1], 1)
        parts = []
        for rows in (slice(start, start + chunk) for start in range(0, len(vertices), chunk)):
            # sum_i A_i (psi_i v + T_i + W_i delta_i) = (sum A psi) v + sum A T + sum A W delta
            blended = turned[rows] @ weights
            result = (blended[:, :9].unflatten(1, (3, 3)) * vertices[rows].mT[:, None]).sum(2) + blended[:, 9:]
            parts.append((result + delta[rows] @ shares if nonrigid else result).mT)
        return torch.cat(parts)


def initial_weights(template):
    """A (V,16) and W (V,16) of a BodyTemplate before any training."""
    weights = np.zeros((len(template.v_template), len(BONES)))
    children = [H36M17[child] for _, child in BONES]
    for joint, name in enumerate(template.joint_names):
        carriers = _bones_of_joint(name)
        for carrier in carriers:
            weights[:, children.index(carrier)] += template.lbs_weights[:, joint] / len(carriers)
    rest = _rest_joints(template)
    share = np.empty_like(weights)
    for column, (parent, child) in enumerate(BONES):
        bone = rest[child] - rest[parent]
        share[:, column] = np.clip((template.v_template - rest[parent]) @ bone / (bone @ bone), 0, 1)
    return weights / weights.sum(1, keepdims=True), share


def _bones_of_joint(joint):
    if joint in _BONES_OF_JOINT:
        return _BONES_OF_JOINT[joint]
    return (f"{joint.split('_')[0]}_wrist",)  # hands and fingers


def _rest_joints(template):
    points = (*template.joint_names, "nose", "head_top")
    places = np.concatenate([template.J_template, template.v_template[[template.landmarks[name] for name in points[-2:]]]])
    return h36m17_weights_from_names(points) @ places


def load_calibration(template, device="cpu"):
    """The Calibration of a body: trained A and W where they were trained on this body, the untrained ones on any other.

    Raises:
        ModelError: the weights that ship are missing or damaged.
    """
    if template.surface_model_type != "open":
        return Calibration(*initial_weights(template)).requires_grad_(False).to(device)
    weights, share = map(read_weights(model_file(WEIGHTS_FILE)).get, ("A", "W"))
    if weights is None or share is None or weights.shape != (len(template.v_template), len(BONES)) or share.shape != weights.shape:
        raise ModelError(
            "pc-hmr-weights-of-another-body",
            "The model file {weights_file} is of another body.",
            "Install the add-on again from its zip.",
            weights_file=WEIGHTS_FILE,
        )
    return Calibration(weights, share).requires_grad_(False).to(device)
