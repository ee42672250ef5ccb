"""PC-HMR: a mesh of the right shape in the wrong pose, corrected by an explicit 3D pose without a new fit of parameters.

Paper: Luan et al. 2021, "PC-HMR: Pose Calibration for 3D Human Mesh Recovery from 2D Images/Videos", section 3.3, equations 6-13
and figures 3 and 4, and figure 2 for its two frameworks.

What the paper leaves open, and what is ours:

* Bones: the 16 of h36m17. The mesh's joints are U times its vertices (eq. 2), with U of bodies/joint_projector.
* A is a softmax, so that its rows sum to 1: otherwise moving both poses would not move the mesh with them. It is initialised with
  the skinning weights, summed over the joints whose skin a bone moves. W is initialised with the position of a vertex along its
  bone at rest, clipped to 0 (the parent) to 1 (the child), as in the paper's figure 6 of trained weights.
* Eq. 6 divides by zero where two bones are parallel and is undefined where they are opposite: the same least rotation is made of
  two reflections (bodies/alignment.swing_onto), which needs no angle; bones shorter than a micrometre are not rotated.
* The mesh goes to the position of the target pose: no camera is part of this file.
* The lifter that is tuned together with A and W is a copy of Skeleton2Mesh's and ships beside them, for both frameworks: it
  is tuned to the open body's joints, as the original is to those of motion capture.
* In the pipeline (backend/fitting/mesh_calibration.py) the generator's pose gets the one shape that the clip's bone lengths and
  silhouettes give, and is smoothed over time: the generator treats every frame alone.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
import roma
import torch
from torch import nn

from ..bodies import network_file
from ..bodies.alignment import normalize_or, swing_onto
from ..bodies.tensors import TensorLike
from ..core.array_types import FloatArray
from ..core.errors import ModelError
from ..core.files.body_template import BodyTemplate
from ..core.records import Estimate, GeneratedMesh, Observations
from ..core.skeletons import H36M17, H36M17_PARENTS, h36m17_weights_from_names

WEIGHTS_FILE, LIFTER_WEIGHTS_FILE = "pc_hmr.safetensors", "pc_hmr_lifter.safetensors"

BONES = tuple((int(parent), child) for child, parent in enumerate(H36M17_PARENTS) if parent >= 0)
MIN_WEIGHT = 1e-5  # of the initial A: an exact zero could not be trained
CHUNK_VERTICES = 400_000  # calibrated at once, over all frames of a chunk: what a processor's cache holds
# The bones, by their children, that move the skin of each of a body's joints.
_BONES_OF_JOINT = {
    "pelvis": ("spine", "left_hip", "right_hip"), "spine1": ("spine",), "spine2": ("spine",), "spine3": ("thorax",),
    "neck": ("nose",), "head": ("head_top",), "jaw": ("head_top",), "left_eye": ("head_top",), "right_eye": ("head_top",),
    **{f"{side}_{joint}": (f"{side}_{child}",) for side in ("left", "right") for joint, child in (
        ("hip", "knee"), ("knee", "ankle"), ("ankle", "ankle"), ("foot", "ankle"), ("collar", "shoulder"),
        ("shoulder", "elbow"), ("elbow", "wrist"), ("wrist", "wrist"))},
}  # fmt: skip

# The roles that backend/registry.py names: observations, intrinsics (3,3) px, timestamps (F,) s, device.
Generator: TypeAlias = Callable[[Observations, FloatArray, FloatArray, torch.device], GeneratedMesh]
Estimator: TypeAlias = Callable[[Observations, FloatArray, FloatArray, torch.device], Estimate]


# ---- the two frameworks, figure 2 -------------------------------------------------------------------------------------


def parallel(generate: Generator, estimate: Estimator) -> Estimator:
    """Parallel PC-HMR, figure 2 (b): a stream of meshes beside a stream of poses.

    Returns:
        an estimator: its joints are the target pose, its body the mesh to be calibrated onto them.
    """

    def two_streams(observations: Observations, intrinsics: FloatArray, timestamps: FloatArray, device: torch.device) -> Estimate:
        generated = generate(observations, intrinsics, timestamps, device)
        return replace(estimate(observations, intrinsics, timestamps, device), body=generated.body)

    return two_streams


def serial(generate: Generator, estimate: Estimator) -> Estimator:
    """Serial PC-HMR, figure 2 (a): the mesh's own joints, projected by the mesh's own camera, are lifted. The picture is not used again.

    Returns:
        as `parallel`.
    """

    def autoencoding(observations: Observations, intrinsics: FloatArray, timestamps: FloatArray, device: torch.device) -> Estimate:
        generated = generate(observations, intrinsics, timestamps, device)
        visible = np.array(observations.visible)
        # Eq. 3: the generator has projected its joints. Eq. 4: they are lifted.
        keypoints = np.concatenate([generated.points, np.ones((len(visible), len(H36M17), 1))], -1) * visible[:, None, None]
        projected = Observations("h36m17", observations.boxes, keypoints, visible)
        return replace(estimate(projected, intrinsics, timestamps, device), body=generated.body)

    return autoencoding


# ---- the calibration module, section 3.3 ------------------------------------------------------------------------------


@dataclass(frozen=True)
class PoseTransformation:
    """From each bone of a pose to the same bone of another, in the paper's letters: psi (F,16,3,3), T (F,16,3) m, delta (F,16,3) m."""

    psi: torch.Tensor
    translation: torch.Tensor
    delta: torch.Tensor


def transform_bones(joints: torch.Tensor, target: torch.Tensor, self_rotation: torch.Tensor | None = None) -> PoseTransformation:
    """The non-rigid transformation of every bone, eq. 6-10.

    Args:
        joints, target: (F,17,3) m. self_rotation: (F,16) rad, an additional rotation of each bone about itself, or None: the
            paper's "extra self-rotation", which it leaves out because it gains nothing.

    Returns:
        a PoseTransformation: a parent goes to psi parent + T, its child to psi child + T + delta.
    """
    parents, children = (list(ends) for ends in zip(*BONES))
    bone, target_bone = (points[:, children] - points[:, parents] for points in (joints, target))
    # A bone without length gets the other's direction: it is not rotated.
    direction = normalize_or(bone, normalize_or(target_bone, torch.tensor([0.0, 0, 1]).to(joints)))
    target_direction = normalize_or(target_bone, direction)
    identity = torch.eye(3).to(joints).expand(*direction.shape, 3)
    psi = swing_onto(identity, direction, target_direction)  # eq. 6, 7
    if self_rotation is not None:
        psi = roma.rotvec_to_rotmat(target_direction * self_rotation[..., None]) @ psi
    translation = target[:, parents] - (psi @ joints[:, parents, :, None])[..., 0]  # eq. 8
    delta = target[:, children] - (psi @ joints[:, children, :, None])[..., 0] - translation  # eq. 9, 10
    return PoseTransformation(psi, translation, delta)


class Calibration(nn.Module):
    """The learnable module of section 3.3: vertices follow the bones of one pose to those of another.

    Args:
        A: (V,16), its initial value, rows sum to 1. W: (V,16), its initial value. Both from `initial_weights` or from a file.
    """

    def __init__(self, A: TensorLike, W: TensorLike) -> None:
        super().__init__()
        weights = torch.as_tensor(A, dtype=torch.float32).clamp_min(MIN_WEIGHT)
        self.logits = nn.Parameter(weights.log())
        self.W = nn.Parameter(torch.as_tensor(W, dtype=torch.float32).clone())

    @property
    def A(self) -> torch.Tensor:
        """(V,16), rows sum to 1."""
        return self.logits.softmax(-1)

    def forward(
        self,
        vertices: torch.Tensor,
        joints: torch.Tensor,
        target: torch.Tensor,
        nonrigid: bool = True,
        self_rotation: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Calibrate meshes, eq. 12-13.

        Args:
            vertices: (F,V,3) m. joints: (F,17,3) m, the mesh's own. target: (F,17,3) m. nonrigid: with the term W delta.
            self_rotation: as of `transform_bones`.

        Returns:
            (F,V,3) m, at the target's position.
        """
        # Transposed, so that the long axis is the innermost: five times as fast.
        A, AW = self.A.T.contiguous(), (self.A * self.W).T.contiguous()
        bones = transform_bones(joints, target, self_rotation)
        transforms, delta = torch.cat([bones.psi.flatten(2), bones.translation], 2).mT, bones.delta.mT
        chunk = max(CHUNK_VERTICES // vertices.shape[1], 1)
        chunks = []
        for rows in (slice(start, start + chunk) for start in range(0, len(vertices), chunk)):
            # sum_i A_i (psi_i v + T_i + W_i delta_i) = (sum A psi) v + sum A T + sum A W delta
            blended = transforms[rows] @ A
            result = (blended[:, :9].unflatten(1, (3, 3)) * vertices[rows].mT[:, None]).sum(2) + blended[:, 9:]
            chunks.append((result + delta[rows] @ AW if nonrigid else result).mT)
        return torch.cat(chunks)


def initial_weights(template: BodyTemplate) -> tuple[FloatArray, FloatArray]:
    """A (V,16) and W (V,16) of a BodyTemplate before any training."""
    weights = np.zeros((len(template.v_template), len(BONES)))
    children = [H36M17[child] for _, child in BONES]
    for joint, name in enumerate(template.joint_names):
        bones = _bones_of_joint(name)
        for bone in bones:
            weights[:, children.index(bone)] += template.lbs_weights[:, joint] / len(bones)
    rest = _rest_joints(template)
    along_bone = np.empty_like(weights)
    for column, (parent, child) in enumerate(BONES):
        vector = rest[child] - rest[parent]
        along_bone[:, column] = np.clip((template.v_template - rest[parent]) @ vector / (vector @ vector), 0, 1)
    return weights / weights.sum(1, keepdims=True), along_bone


def _bones_of_joint(joint: str) -> tuple[str, ...]:
    if joint in _BONES_OF_JOINT:
        return _BONES_OF_JOINT[joint]
    return (f"{joint.split('_')[0]}_wrist",)  # hands and fingers


def _rest_joints(template: BodyTemplate) -> FloatArray:
    """h36m17's joints (17,3) m of the template at rest."""
    names = (*template.joint_names, "nose", "head_top")
    points = np.concatenate([template.J_template, template.v_template[[template.landmarks[name] for name in names[-2:]]]])
    return h36m17_weights_from_names(names) @ points


def load_calibration(template: BodyTemplate, device: torch.device | str = "cpu") -> Calibration:
    """The Calibration of a body: trained A and W for the body they were trained on, the initial ones for any other.

    Raises:
        ModelError: the weights that ship are missing or damaged.
    """
    if template.surface_model_type != "open":
        return Calibration(*initial_weights(template)).requires_grad_(False).to(device)
    calibration = network_file.load_network(read_calibration, WEIGHTS_FILE, str(device))
    if len(calibration.W) != len(template.v_template):
        raise _wrong_body_error()
    return calibration


def read_calibration(path: Path | str) -> Calibration:
    """The Calibration of a file that `scripts/train/pc_hmr.py` wrote. Raises ModelError."""
    A, W = map(network_file.read_weights(path).get, ("A", "W"))
    if A is None or W is None or A.shape != W.shape or A.shape[1:] != (len(BONES),):
        raise _wrong_body_error()
    return Calibration(A, W).requires_grad_(False)


def _wrong_body_error() -> ModelError:
    return ModelError(
        "pc-hmr-weights-of-another-body",
        "The model file {weights_file} is of another body.",
        "Install the add-on again from its zip.",
        weights_file=WEIGHTS_FILE,
    )
