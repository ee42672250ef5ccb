"""SKEL's angles back to SMPL motion: SMPL's skin laid onto SKEL's, all frames at once.

Source: Keller et al. 2023, "From Skin to Skeleton", section 5, run the other way; ours. Every SMPL joint begins with the
rotation of the SKEL bone that lies in it. Damped Gauss-Newton steps then turn all joints until the skins meet: SMPL's
shoulder blades do not glide, and its spine bends at three joints where SKEL's bends along arcs. Betas are copied.
"""

from dataclasses import dataclass

import numpy as np
import roma
import torch

from ..bodies.lbs import forward_kinematics, pose_blend_shapes, skin_vertices
from ..bodies.least_squares import levenberg_marquardt
from ..core.errors import InputError
from ..core.farthest_point_sampling import farthest_point_sampling
from ..core.rotations import rotvec_from_rotmat
from ..core.skel.vocabulary import SKEL_JOINTS
from ..core.skeletons import SMPL_JOINTS

MAX_STEPS = 12
CHUNK_FRAMES = 32  # frames fitted at once
# How much turns away from where SKEL's bones lie count, m^2 of mean squared distance of skin a rad^2: enough to hold what skin does not.
ROTATION_PRIOR_WEIGHT = 1e-6
# Which SKEL bone each SMPL joint turns with; between two of them where there are two.
_SIDED_BONES = {"hip": "femur", "knee": "tibia", "ankle": "calcn", "foot": "toes", "collar": "scapula", "shoulder": "humerus",
          "elbow": "ulna", "wrist": "hand", "hand": "hand"}  # fmt: skip
_MIDDLE_BONES = {"pelvis": ("pelvis",), "spine1": ("lumbar_body",), "spine2": ("lumbar_body", "thorax"), "spine3": ("thorax",),
           "neck": ("thorax", "head"), "head": ("head",)}  # fmt: skip


def _skel_bones_of(name):
    side, _, joint = name.partition("_")
    return _MIDDLE_BONES.get(name) or (f"{_SIDED_BONES[joint]}_{side[0]}",)


_SKEL_BONES = np.array([[SKEL_JOINTS.index(_skel_bones_of(name)[place]) for place in (0, -1)] for name in SMPL_JOINTS])


@dataclass(frozen=True)
class SmplMotion:
    """A clip in SMPL: poses (F,72) rad, betas (B,), trans (F,3) m, in the world of the angles; pve, max_pve (F,) m, as `Conversion`'s."""

    poses: np.ndarray
    betas: np.ndarray
    trans: np.ndarray
    pve: np.ndarray
    max_pve: np.ndarray


def convert_skel_to_smpl(skel, body, q, skel_betas, skel_trans, on_progress=lambda done, total: None):
    """Convert SKEL's angles to an SMPL motion.

    Args:
        skel: a Skel. body: a Smpl of 24 joints whose skin has the same vertices. q: (F,46) rad. skel_betas: (B,). skel_trans: (F,3) m.
        on_progress: called with frames done and frames in all; what it raises ends the work.

    Returns:
        an SmplMotion.

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
    q, skel_trans, betas = (np.asarray(each, float) for each in (q, skel_trans, np.ravel(skel_betas)))
    poses, trans, pve, max_pve = [], [], [], []
    fit = _SmplFit(skel, body, betas)
    for start in range(0, len(q), CHUNK_FRAMES):
        on_progress(start, len(q))
        found = fit.solve(q[start : start + CHUNK_FRAMES], skel_trans[start : start + CHUNK_FRAMES])
        for whole, part in zip((poses, trans, pve, max_pve), found):
            whole.append(part)
    on_progress(len(q), len(q))
    poses, trans, pve, max_pve = (np.concatenate(part) for part in (poses, trans, pve, max_pve))
    return SmplMotion(poses, betas, trans, pve, max_pve)


class _SmplFit:
    """SMPL's skin of one shape laid onto SKEL's. Unknown of a frame (F,24*9+3): local rotations, then the root's place in m."""

    def __init__(self, skel, body, betas):
        self.skel, self.body, self.betas = skel, body, betas
        rows = farthest_point_sampling(body.template.v_template)
        self.rows = torch.as_tensor(rows, device=body.device)
        shape = body.v_template.new_tensor(betas)
        self.rest = body.rest_joints(shape[None])
        self.points = (body.v_template + body.shapedirs[..., : len(betas)] @ shape)[self.rows]
        self.posedirs = None if body.posedirs is None else body.posedirs[self.rows]
        self.weights = body.lbs_weights[self.rows]
        below = np.eye(len(SMPL_JOINTS))
        for joint in range(len(SMPL_JOINTS) - 1, 0, -1):
            below[body.template.parents[joint]] += below[joint]
        self.below = shape.new_tensor(below)

    @torch.no_grad()
    def solve(self, q, place):
        """Poses (F,72), trans (F,3), PVE and maxPVE (F,) of q (F,46) and place (F,3)."""
        posed = self.skel(q, self.betas, place)
        wanted = posed.vertices
        turned = halfway_rotmats(posed.rotations[:, _SKEL_BONES[:, 0]], posed.rotations[:, _SKEL_BONES[:, 1]])
        local = turned.clone()
        above = self.body.tree.parents[1:]
        local[:, 1:] = turned[:, above].mT @ turned[:, 1:]
        x = torch.cat([local.flatten(1), posed.joints[:, 0] - self.rest[0, 0]], 1)
        x = levenberg_marquardt(_SkinProblem(self, wanted[:, self.rows], local), x, MAX_STEPS)
        local, trans = _split_unknowns(x)
        local = roma.special_procrustes(local)  # rounding errors of many products
        apart = (self.body(self.betas, local[:, 0], local[:, 1:], trans)[1] - wanted).norm(dim=-1)
        poses = rotvec_from_rotmat(local.double().cpu().numpy()).reshape(len(local), -1)
        return poses, *(found.double().cpu().numpy() for found in (trans, apart.mean(1), apart.amax(1)))

    def pose(self, local):
        """Joints (F,24,3), global rotations (F,24,3,3) and points at rest (F,P,3) and posed (F,P,3) about the root's place."""
        joints, rotations = forward_kinematics(local, self.rest, self.body.tree)
        points = self.points.expand(len(local), -1, -1)
        if self.posedirs is not None:
            points = points + pose_blend_shapes(local, self.posedirs)
        return joints, rotations, points, skin_vertices(points, self.weights, joints, rotations, self.rest)


class _SkinProblem:
    """Mean squared distance of skins, and how far joints have turned from where they began: for `levenberg_marquardt`."""

    def __init__(self, fit, wanted, begun):
        self.fit, self.wanted, self.begun = fit, wanted, begun

    def apply_step(self, x, step):
        """Turn every joint about the world's axes, with all that hangs from it, by (n,24*3) rad, and move the root by (n,3) m."""
        local, place = _split_unknowns(x)
        turned = forward_kinematics(local, self.fit.rest, self.fit.body.tree)[1]
        turns = roma.rotvec_to_rotmat(step[:, :-3].unflatten(1, (-1, 3)))
        above = turned[:, self.fit.body.tree.parents]
        above[:, 0] = torch.eye(3).to(above)
        return torch.cat([(above.mT @ turns @ above @ local).flatten(1), place + step[:, -3:]], 1)

    def energy(self, x, frames):
        """(n,) of x (n,24*9+3)."""
        local, place = _split_unknowns(x)
        apart = self.fit.pose(local)[3] + place[:, None] - self.wanted[frames]
        return (
            apart.square().sum(-1).mean(1) + ROTATION_PRIOR_WEIGHT * self._rotation_from_start(local, frames).square().sum((1, 2))
        ).double()

    def linearize(self, x, frames):
        """Energy (n,), half its gradient (n,75) and Gauss-Newton's half second derivative (n,75,75)."""
        fit = self.fit
        local, place = _split_unknowns(x)
        joints, rotations, points, posed = fit.pose(local)
        apart = posed + place[:, None] - self.wanted[frames]
        # Each point as each joint carries it, summed over the joints below: it turns about joint m as S - W p (bodies/skel_jacobian).
        carried = rotations @ (points[:, None] - fit.rest[:, :, None]).mT + joints[..., None]
        levers = torch.einsum("mj,pj,fjcp->fmcp", fit.below, fit.weights, carried)
        levers -= (fit.below @ fit.weights.T)[:, None] * joints[..., None]
        columns = levers.new_zeros(len(x), len(SMPL_JOINTS), 3, 3, len(fit.rows))
        for axis in range(3):
            columns[:, :, axis, (axis + 1) % 3] = -levers[:, :, (axis + 2) % 3]
            columns[:, :, axis, (axis + 2) % 3] = levers[:, :, (axis + 1) % 3]
        shifts = torch.eye(3).to(levers)[None, :, :, None].expand(len(x), 3, 3, len(fit.rows))
        columns = torch.cat([columns.flatten(1, 2), shifts], 1).flatten(2) / len(fit.rows) ** 0.5
        residuals = apart.mT.flatten(1) / len(fit.rows) ** 0.5
        away = self._rotation_from_start(local, frames)
        gradient = (columns @ residuals[..., None])[..., 0]
        gradient[:, :-3] += ROTATION_PRIOR_WEIGHT * away.flatten(1)
        curvature = columns @ columns.mT
        curvature[:, range(72), range(72)] += ROTATION_PRIOR_WEIGHT
        value = apart.square().sum(-1).mean(1) + ROTATION_PRIOR_WEIGHT * away.square().sum((1, 2))
        return value.double(), gradient.double(), curvature.double()

    def _rotation_from_start(self, local, frames):
        """How far each joint has turned from where it began, (n,24,3) rad about the world's axes."""
        turned, begun = (forward_kinematics(each, self.fit.rest, self.fit.body.tree)[1] for each in (local, self.begun[frames]))
        return roma.rotmat_to_rotvec(turned @ begun.mT)


def halfway_rotmats(first, second):
    """The rotations half way from first to second (...,3,3)."""
    return first @ roma.rotvec_to_rotmat(0.5 * roma.rotmat_to_rotvec(first.mT @ second))


def _split_unknowns(x):
    return x[:, :-3].unflatten(1, (-1, 3, 3)), x[:, -3:]
