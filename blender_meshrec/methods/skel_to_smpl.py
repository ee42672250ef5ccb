"""SKEL's angles back to SMPL motion: SMPL's skin fitted to SKEL's, all frames at once.

Source: Keller et al. 2023, "From Skin to Skeleton", section 5, in the opposite direction; ours. Every SMPL joint starts with the
rotation of the SKEL bone at its place. Damped Gauss-Newton steps then rotate all joints until the skins agree: SMPL's shoulder
blades do not glide, and its spine bends at three joints where SKEL's bends along arcs. Betas are copied.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import roma
import torch

from ..bodies.alignment import nearest_rotmats
from ..bodies.lbs import descendant_matrix, forward_kinematics, global_rotmats, local_rotmats, pose_blend_shapes, skin_vertices, smpl_tree
from ..bodies.least_squares import Linearization, levenberg_marquardt
from ..bodies.rotations import interpolate_rotmats
from ..bodies.skel import Skel
from ..bodies.smpl import Smpl
from ..core.array_types import ArrayLike, FloatArray
from ..core.errors import InputError
from ..core.farthest_point_sampling import farthest_point_sampling
from ..core.rotations import rotvec_from_rotmat
from ..core.skel.vocabulary import SKEL_JOINTS
from ..core.skeletons import SMPL_JOINTS

MAX_STEPS = 12
CHUNK_FRAMES = 32  # frames fitted at once
# Penalty on rotations away from the start, m^2 of mean squared skin distance per rad^2: holds what the skin leaves open.
ROTATION_PRIOR_WEIGHT = 1e-6
# The SKEL bones that give each SMPL joint its first rotation; halfway between the two where there are two.
_SIDED_BONES = {"hip": "femur", "knee": "tibia", "ankle": "calcn", "foot": "toes", "collar": "scapula", "shoulder": "humerus",
          "elbow": "ulna", "wrist": "hand", "hand": "hand"}  # fmt: skip
_MIDDLE_BONES = {"pelvis": ("pelvis",), "spine1": ("lumbar_body",), "spine2": ("lumbar_body", "thorax"), "spine3": ("thorax",),
           "neck": ("thorax", "head"), "head": ("head",)}  # fmt: skip


def _skel_bones_of(name: str) -> tuple[str, ...]:
    side, _, joint = name.partition("_")
    return _MIDDLE_BONES.get(name) or (f"{_SIDED_BONES[joint]}_{side[0]}",)


# (24,2): the first and the last SKEL bone of each SMPL joint.
_SKEL_BONES = np.array([[SKEL_JOINTS.index(_skel_bones_of(name)[end]) for end in (0, -1)] for name in SMPL_JOINTS])


@dataclass(frozen=True)
class SmplMotion:
    """A clip in SMPL: poses (F,72) rad, betas (B,), trans (F,3) m, in the world of the SKEL angles.

    pve, max_pve: (F,) m, mean and largest distance of the two skins.
    """

    poses: FloatArray
    betas: FloatArray
    trans: FloatArray
    pve: FloatArray
    max_pve: FloatArray


def convert_skel_to_smpl(
    skel: Skel,
    body: Smpl,
    q: ArrayLike,
    skel_betas: ArrayLike,
    skel_trans: ArrayLike,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> SmplMotion:
    """Convert SKEL's angles to an SMPL motion.

    Args:
        body: of 24 joints, and with the vertices of SKEL's skin. q: (F,46) rad. skel_betas: (B,). skel_trans: (F,3) m.
        on_progress: called with the number of frames done and of all frames; an exception in it ends the work.

    Raises:
        InputError: the two bodies' skins are not the same mesh, or the body has hands or a face of its own.
    """
    if body.num_joints != len(SMPL_JOINTS) or len(skel.skin.v_template) != len(body.v_template):
        raise InputError(
            "skel-and-body-skins-differ",
            "The SKEL body {skel} and the body {body} have different skins.",
            "Use the open SKEL body with the open body, and your own SKEL file with your own SMPL file.",
            skel=skel.template.name,
            body=body.template.name,
        )
    angles, transl, betas = (np.asarray(value, float) for value in (q, skel_trans, np.ravel(skel_betas)))
    fit = _SmplFit(skel, body, betas)
    chunks: list[tuple[FloatArray, FloatArray, FloatArray, FloatArray]] = []
    for start in range(0, len(angles), CHUNK_FRAMES):
        on_progress(start, len(angles))
        chunks.append(fit.solve(angles[start : start + CHUNK_FRAMES], transl[start : start + CHUNK_FRAMES]))
    on_progress(len(angles), len(angles))
    poses, trans, pve, max_pve = (np.concatenate(parts) for parts in zip(*chunks))
    return SmplMotion(poses, betas, trans, pve, max_pve)


def smpl_rotmats_of_bones(rotations: torch.Tensor) -> torch.Tensor:
    """SMPL's local rotations (F,24,3,3), each joint's that of the SKEL bone at its place.

    rotations: (F,24,3,3), of SKEL's bones from rest, in the body's axes.
    """
    halfway = interpolate_rotmats(rotations[:, _SKEL_BONES[:, 0]], rotations[:, _SKEL_BONES[:, 1]], 0.5)
    return local_rotmats(halfway, smpl_tree(rotations.device))


class _SmplFit:
    """SMPL's skin of one shape fitted to SKEL's. Unknowns of the frames x (F,24*9+3): local rotations, then transl in m."""

    def __init__(self, skel: Skel, body: Smpl, betas: FloatArray) -> None:
        self.skel, self.body, self.betas = skel, body, betas
        self.vertices = torch.as_tensor(farthest_point_sampling(body.template.v_template), device=body.device)
        skin, shape = body.skin, body.v_template.new_tensor(betas)
        self.rest_joints = body.rest_joints(shape[None])
        self.points = (skin.v_template + skin.shapedirs[..., : len(betas)] @ shape)[self.vertices]
        self.posedirs = None if skin.posedirs is None else skin.posedirs[self.vertices]
        self.weights = skin.lbs_weights[self.vertices]
        self.descendants = shape.new_tensor(descendant_matrix(body.template.parents))

    @torch.no_grad()
    def solve(self, q: FloatArray, transl: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Poses (F,72), trans (F,3), PVE and maxPVE (F,) of q (F,46) and transl (F,3)."""
        posed = self.skel(q, self.betas, transl)
        target = posed.vertices
        start = smpl_rotmats_of_bones(posed.rotations)
        x = torch.cat([start.flatten(1), posed.joints[:, 0] - self.rest_joints[0, 0]], 1)
        x = levenberg_marquardt(_SkinProblem(self, target[:, self.vertices], start), x, MAX_STEPS)
        local, trans = _split_unknowns(x)
        local = nearest_rotmats(local)  # removes the rounding errors of many products
        distance = (self.body(self.betas, local[:, 0], local[:, 1:], trans)[1] - target).norm(dim=-1)
        poses = rotvec_from_rotmat(local.cpu().double().numpy()).reshape(len(local), -1)
        trans, pve, max_pve = (value.cpu().double().numpy() for value in (trans, distance.mean(1), distance.amax(1)))
        return poses, trans, pve, max_pve

    def pose(self, local: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Joints (F,24,3), global rotations (F,24,3,3), and points at rest (F,P,3) and posed (F,P,3), without transl."""
        joints, rotations = forward_kinematics(local, self.rest_joints, self.body.tree)
        points = self.points.expand(len(local), -1, -1)
        if self.posedirs is not None:
            points = points + pose_blend_shapes(local, self.posedirs)
        return joints, rotations, points, skin_vertices(points, self.weights, joints, rotations, self.rest_joints)


class _SkinProblem:
    """Mean squared distance of the skins, and a penalty on rotations away from the start: a LeastSquaresProblem.

    target: (F,P,3) m, points of SKEL's skin. start: (F,24,3,3), local rotations.
    """

    def __init__(self, fit: _SmplFit, target: torch.Tensor, start: torch.Tensor) -> None:
        self.fit, self.target, self.start = fit, target, start

    def apply_step(self, x: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
        """Turn every joint about the world's axes, with all its descendants, by (n,24*3) rad, and move the root by (n,3) m."""
        local, transl = _split_unknowns(x)
        tree = self.fit.body.tree
        step_rotmats = roma.rotvec_to_rotmat(step[:, :-3].unflatten(1, (-1, 3)))
        parents = global_rotmats(local, tree)[:, tree.parents]
        parents[:, 0] = torch.eye(3).to(parents)
        return torch.cat([(parents.mT @ step_rotmats @ parents @ local).flatten(1), transl + step[:, -3:]], 1)

    def energy(self, x: torch.Tensor, frames: torch.Tensor) -> torch.Tensor:
        """(n,) of x (n,24*9+3)."""
        local, transl = _split_unknowns(x)
        distance = self.fit.pose(local)[3] + transl[:, None] - self.target[frames]
        from_start = self._rotation_from_start(local, frames)
        return (distance.square().sum(-1).mean(1) + ROTATION_PRIOR_WEIGHT * from_start.square().sum((1, 2))).double()

    def linearize(self, x: torch.Tensor, frames: torch.Tensor) -> Linearization:
        """Energy (n,), half its gradient (n,75) and the Gauss-Newton approximation of half its second derivative (n,75,75)."""
        local, transl = _split_unknowns(x)
        joints, rotations, points, posed = self.fit.pose(local)
        distance = posed + transl[:, None] - self.target[frames]
        scale = len(self.fit.vertices) ** 0.5
        columns = self._jacobian(joints, rotations, points) / scale
        residuals = distance.mT.flatten(1) / scale
        from_start = self._rotation_from_start(local, frames)
        gradient = (columns @ residuals[..., None])[..., 0]
        gradient[:, :-3] += ROTATION_PRIOR_WEIGHT * from_start.flatten(1)
        curvature = columns @ columns.mT
        curvature[:, range(72), range(72)] += ROTATION_PRIOR_WEIGHT
        value = distance.square().sum(-1).mean(1) + ROTATION_PRIOR_WEIGHT * from_start.square().sum((1, 2))
        return value.double(), gradient.double(), curvature.double()

    def _jacobian(self, joints: torch.Tensor, rotations: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
        """Derivatives (n,75,3P) of the posed points by the step, pose blend shapes left out.

        Each point as each joint transforms it, summed over the descendants: it turns about joint m with the lever S - W p
        (bodies/skel_jacobian).
        """
        fit = self.fit
        transformed = rotations @ (points[:, None] - fit.rest_joints[:, :, None]).mT + joints[..., None]
        levers = torch.einsum("mj,pj,fjcp->fmcp", fit.descendants, fit.weights, transformed)
        levers -= (fit.descendants @ fit.weights.T)[:, None] * joints[..., None]
        columns = levers.new_zeros(len(joints), len(SMPL_JOINTS), 3, 3, len(fit.vertices))
        for axis in range(3):
            columns[:, :, axis, (axis + 1) % 3] = -levers[:, :, (axis + 2) % 3]
            columns[:, :, axis, (axis + 2) % 3] = levers[:, :, (axis + 1) % 3]
        of_transl = torch.eye(3).to(levers)[None, :, :, None].expand(len(joints), 3, 3, len(fit.vertices))
        return torch.cat([columns.flatten(1, 2), of_transl], 1).flatten(2)

    def _rotation_from_start(self, local: torch.Tensor, frames: torch.Tensor) -> torch.Tensor:
        """The rotation of each joint since the start, (n,24,3) rad about the world's axes."""
        rotations, start = (global_rotmats(rotmats, self.fit.body.tree) for rotmats in (local, self.start[frames]))
        return roma.rotmat_to_rotvec(rotations @ start.mT)


def _split_unknowns(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Local rotations (n,24,3,3) and transl (n,3) m."""
    return x[:, :-3].unflatten(1, (-1, 3, 3)), x[:, -3:]
