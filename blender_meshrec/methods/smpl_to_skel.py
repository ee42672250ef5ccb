"""SMPL motion to SKEL's anatomical angles: the skins of two bodies laid onto each other, a whole clip at once.

Source: Keller et al. 2023, "From Skin to Skeleton", section 5, in the four stages and with the weights by which HSMR (Xia et
al. 2025) made its data: the root alone, on the torso; all but the upper limbs; all but the root; everything. Betas are copied:
both skins are made of the same shapes. Quality is told as PVE and maxPVE of every frame (HSMR, supplement S.2).

Deviations, ours:

* Angles begin where SMPL's own rotations put them (core/skel_inverse), where the published fit begins at zero.
* Every energy is a sum of squares and no frame needs another: each is solved by damped Gauss-Newton steps (Levenberg-Marquardt)
  of its own, all frames at once, instead of by one LBFGS over all.
* Limits are bounds of the fit, not penalties: a step ends at a limit, so that no frame can be beyond one.
* A thousand vertices, spread evenly over the skin, are fitted. What is reported is measured on all of them.
* In the last stage a vertex further off than about `OUTLIER_DISTANCE` counts for more than its square, since the largest
  distance is judged.
* `smooth`, off unless asked for, lets angles and place bend less over time, by how much each frame's energy minds.
* Frames whose skins are further apart than `FLAG_DISTANCE` anywhere are begun again from their neighbours and kept where that is better.
"""

from dataclasses import dataclass

import numpy as np
import torch

from ..bodies.least_squares import levenberg_marquardt, smooth_solution
from ..bodies.skel_jacobian import SkelJacobian, skin_with_joints
from ..core.conventions import WORLD_FROM_BODY
from ..core.errors import InputError
from ..core.farthest_point_sampling import farthest_point_sampling
from ..core.rotations import rotmat_from_rotvec
from ..core.skel.channels import world_from_upright_angles
from ..core.skel.inverse_kinematics import angles_from_smpl
from ..core.skel.vocabulary import DOF_JOINTS, DOF_LIMITS, DOF_NAMES, NUM_DOFS, SKEL_JOINTS, limit_excess

FLAG_DISTANCE = 0.06  # m; HSMR, supplement S.2
OUTLIER_DISTANCE = 0.04  # m
PROGRESS_FRAMES = 300  # frames fitted between two calls of on_progress
CHUNK_FRAMES = 32  # frames whose Jacobians are held at once: 20 MB
TRANSL_WEIGHT = 100.0  # rad^2 that a bend of the root's place by 1 m^2 counts for, where motion is steadied
MIN_REPAIR_GAIN = 1e-3  # m of maxPVE that a repair must gain
# Beyond its limits by less than this, a source counts as within them, rad: SMPL's hinges are not quite SKEL's.
LIMIT_TOLERANCE = np.radians(3.0)
# No limb of SMPL's lies in a shoulder blade: SKEL's angles there have no counterpart that could be out of limits.
_LIMITED_DOFS = np.array([dof for dof, name in enumerate(DOF_NAMES) if not name.startswith("scapula")])
_UPPER_LIMBS = tuple(bone for bone in SKEL_JOINTS if bone.split("_")[0] in ("scapula", "humerus", "ulna", "radius", "hand"))
_OTHER_BONES = tuple(bone for bone in SKEL_JOINTS if bone not in _UPPER_LIMBS)
_SCAPULAE = ("scapula_r", "scapula_l")
_TRANSL_COLUMNS = tuple(range(NUM_DOFS, NUM_DOFS + 3))  # where transl stands among what is solved for


def _dofs_of(bones):
    return tuple(dof for dof in range(NUM_DOFS) if SKEL_JOINTS[DOF_JOINTS[dof]] in bones)


@dataclass(frozen=True)
class Stage:
    """One stage of the fit.

    free_dofs: which of the 46 angles and 3 coordinates of the place move. bones: whose skin is fitted.
    skin_weight, joint_weight, pose_weight: weights of the mean squared distance (m^2) of vertices and of `fitted_joints`, and of
    the mean squared angle (rad^2) but the pelvis's.
    outlier_distance: distance in m from which a vertex counts for more than its square; infinite where none does.
    max_steps: at most so many.
    """

    free_dofs: tuple
    bones: tuple
    skin_weight: float
    joint_weight: float = 0.0
    pose_weight: float = 0.0
    fitted_joints: tuple = SKEL_JOINTS
    outlier_distance: float = np.inf
    max_steps: int = 5


# Weights and order are the published ones; `max_steps` and `outlier_distance` are ours.
STAGES = (
    Stage((0, 1, 2, *_TRANSL_COLUMNS), ("pelvis", "lumbar_body", "thorax"), 300.0, max_steps=3),
    Stage((*_dofs_of(_OTHER_BONES), *_TRANSL_COLUMNS), _OTHER_BONES, 600.0, 500.0, 1e-4, _OTHER_BONES),
    Stage(tuple(range(3, NUM_DOFS)), SKEL_JOINTS, 600.0, 1000.0, 1e-4),
    Stage((*range(NUM_DOFS), *_TRANSL_COLUMNS), SKEL_JOINTS, 600.0, 1000.0, 1e-4, _SCAPULAE, OUTLIER_DISTANCE, 40),
)


@dataclass(frozen=True)
class SkelMotion:
    """A clip in SKEL: q (F,46) rad, skel_betas (B,), skel_trans (F,3) m, in the world of the motion that was converted.

    pve, max_pve: (F,) m, mean and largest distance of the two skins. within_limits: (F,), whether the source keeps to SKEL's
    limits; else it was clamped. flagged: (F,), skins still further apart than FLAG_DISTANCE somewhere. repaired: (F,), begun again
    from neighbours.
    """

    q: np.ndarray
    skel_betas: np.ndarray
    skel_trans: np.ndarray
    pve: np.ndarray
    max_pve: np.ndarray
    within_limits: np.ndarray
    flagged: np.ndarray
    repaired: np.ndarray


def convert_smpl_to_skel(body, skel, poses, betas, trans, smooth=0.0, on_progress=lambda done, total: None):
    """Convert an SMPL motion to SKEL.

    Args:
        body: a Smpl. skel: a Skel whose skin has the same vertices. poses: (F,72) rad, or the body's own width. betas: (B,). trans:
            (F,3) m; as motion files have them: z up, no further rotation.
        smooth: m^2 of mean squared distance of skin that each rad^2 counts for by which the angles bend over time, from frame to
            frame; 0 fits every frame by itself, 1e-3 calms a trembling source.
        on_progress: called with frames done and frames in all; what it raises ends the work.

    Returns:
        a Conversion.

    Raises:
        InputError: the two bodies' skins are not the same mesh, or the motion is empty or not finite.
    """
    poses, trans, betas = (np.asarray(each, float) for each in (poses, trans, np.ravel(betas)))
    _check_inputs(body, skel, poses, betas, trans)
    source = _SmplSource(body, poses, betas, trans)
    frames = skel.template.bone_frames(betas)
    laid = angles_from_smpl(source.rotations[:, body.template.smpl_joint_indices], frames)
    fit = _SkelFit(source, skel)
    rest = skel.template.rest_joints(betas)[0]
    q, place = laid.q.copy(), source.place + source.root - rest
    for start in range(0, len(q), PROGRESS_FRAMES):
        on_progress(start, len(q))
        rows = np.arange(start, min(start + PROGRESS_FRAMES, len(q)))
        q[rows], place[rows] = fit.solve(rows, q[rows], place[rows])
    pve, max_pve = fit.distances(q, place, np.arange(len(q)))
    repaired = fit.repair(q, place, pve, max_pve)
    if smooth:
        q, place = fit.smooth_clip(q, place, smooth)
        pve, max_pve = fit.distances(q, place, np.arange(len(q)))
    on_progress(len(q), len(q))
    return SkelMotion(
        q=world_from_upright_angles(q, frames[0]),
        skel_betas=betas,
        skel_trans=(place + rest) @ WORLD_FROM_BODY.T - rest,
        pve=pve,
        max_pve=max_pve,
        within_limits=(limit_excess(laid.unclamped)[:, _LIMITED_DOFS] < LIMIT_TOLERANCE).all(1),
        flagged=max_pve > FLAG_DISTANCE,
        repaired=repaired,
    )


class _SmplSource:
    """The SMPL motion, turned to stand up: there the pelvis's angles are far from their pole."""

    def __init__(self, body, poses, betas, trans):
        self.body, self.betas = body, betas
        self.rotations = rotmat_from_rotvec(poses[:, : 3 * body.num_joints].reshape(len(poses), -1, 3))
        self.rotations[:, 0] = WORLD_FROM_BODY.T @ self.rotations[:, 0]
        self.root = body.template.rest_joints(betas)[0]
        self.place = (trans + self.root) @ WORLD_FROM_BODY - self.root

    def skin(self, rows):
        """All vertices (F,V,3) m of some frames."""
        rotations = self.rotations[rows]
        return self.body(self.betas, rotations[:, 0], rotations[:, 1:], self.place[rows])[1]


class _SkelFit:
    """SKEL's skin laid onto a source's. Angles (F,46) rad and places (F,3) m are numpy outside, one tensor (F,49) within."""

    def __init__(self, source, skel):
        self.source, self.skel = source, skel
        template = skel.template
        self.vertices = farthest_point_sampling(template.v_template)
        self.skin = skin_with_joints(skel, source.betas, skel.subset(self.vertices))
        self.jacobian = SkelJacobian(skel, source.betas, self.skin)
        self.owner = np.array(SKEL_JOINTS)[template.lbs_weights[self.vertices].argmax(1)]
        self.J_regressor_osim = self._tensor(template.J_regressor_osim)
        self.low, self.high = (
            torch.cat([self._tensor(each), self._tensor([side * np.inf] * 3)]) for each, side in zip(DOF_LIMITS.T, (-1, 1))
        )

    def solve(self, rows, q, place, stages=STAGES):
        """Run the stages on some frames (indices) from these q and place; gives new ones."""
        with torch.no_grad():
            targets = self._targets(rows)
            x = torch.cat([self._tensor(q), self._tensor(place)], 1)
            for stage in stages:
                x = self._stage(stage, x, targets)
        x = x.cpu().numpy().astype(float)
        return np.clip(x[:, :NUM_DOFS], *DOF_LIMITS.T), x[:, NUM_DOFS:]

    @torch.no_grad()
    def distances(self, q, place, rows):
        """Mean and largest distance of the two whole skins at some frames (indices), (F,) m each."""
        mean, most = [], []
        for start in range(0, len(rows), CHUNK_FRAMES):
            part = slice(start, start + CHUNK_FRAMES)
            ours = self.skel(q[part], self.source.betas, place[part]).vertices
            apart = (ours - self.source.skin(rows[part])).norm(dim=-1)
            mean.append(apart.mean(1))
            most.append(apart.amax(1))
        return (torch.cat(found).cpu().numpy().astype(float) for found in (mean, most))

    def repair(self, q, place, pve, max_pve):
        """Begin flagged frames again from the frames around them, in place; which were bettered, (F,)."""
        repaired = np.zeros(len(q), bool)
        good = np.flatnonzero(max_pve <= FLAG_DISTANCE)
        rows = np.flatnonzero(max_pve > FLAG_DISTANCE)
        if len(good) and len(rows):
            begun = np.stack([np.interp(rows, good, column[good]) for column in np.concatenate([q, place], 1).T], 1)
            tried, tried_place = self.solve(rows, begun[:, :NUM_DOFS], begun[:, NUM_DOFS:], STAGES[-1:])
            mean, most = self.distances(tried, tried_place, rows)
            better = most < max_pve[rows] - MIN_REPAIR_GAIN
            kept = rows[better]
            q[kept], place[kept], pve[kept], max_pve[kept] = tried[better], tried_place[better], mean[better], most[better]
            repaired[kept] = True
        return repaired

    def _targets(self, rows):
        points = []
        for start in range(0, len(rows), CHUNK_FRAMES):
            skin = self.source.skin(rows[start : start + CHUNK_FRAMES])
            points.append(torch.cat([skin[:, self.vertices], self.J_regressor_osim @ skin], 1))
        return torch.cat(points)

    def _stage(self, stage, x, targets):
        """Damped Gauss-Newton steps within the limits."""
        free = torch.zeros(NUM_DOFS + 3, dtype=torch.bool, device=x.device)
        free[list(stage.free_dofs)] = True

        def blocked(x, gradient):
            return ((x <= self.low) & (gradient > 0)) | ((x >= self.high) & (gradient < 0)) | ~free

        return levenberg_marquardt(_StageEnergy(self, stage, targets), x, stage.max_steps, blocked)

    def smooth_clip(self, q, place, smooth):
        """Angles (F,46) rad and places (F,3) m of a whole clip that bend less over time, by how much `smooth` says, within the limits."""
        x = torch.cat([self._tensor(q), self._tensor(place)], 1)
        curvatures = []
        for start in range(0, len(x), PROGRESS_FRAMES):
            rows = np.arange(start, min(start + PROGRESS_FRAMES, len(x)))
            energy = _StageEnergy(self, STAGES[-1], self._targets(rows))
            curvatures.append(energy.linearize(x[rows], torch.arange(len(rows), device=x.device))[2])
        weights = torch.full((NUM_DOFS + 3,), smooth * STAGES[-1].skin_weight, dtype=torch.float64)
        weights[NUM_DOFS:] *= TRANSL_WEIGHT
        x = smooth_solution(x, torch.cat(curvatures), weights.to(x.device)).cpu().numpy()
        return np.clip(x[:, :NUM_DOFS], *DOF_LIMITS.T), x[:, NUM_DOFS:]

    def _tensor(self, value):
        return self.skel.J_template.new_tensor(np.asarray(value))


class _StageEnergy:
    """What one stage makes small, of angles and places x (n,49) at frames `rows` of the targets."""

    def __init__(self, fit, stage, targets):
        self.fit, self.outlier_distance, self.targets = fit, stage.outlier_distance, targets
        seen = np.isin(fit.owner, stage.bones)
        joints = np.isin(SKEL_JOINTS, stage.fitted_joints)
        weights = np.concatenate([stage.skin_weight * seen / seen.sum(), stage.joint_weight * joints / 24])
        self.weights = fit._tensor(weights)
        self.pose = fit._tensor(np.r_[np.zeros(3), np.full(NUM_DOFS - 3, stage.pose_weight / NUM_DOFS), np.zeros(3)])
        self.vertices = fit._tensor(np.arange(len(weights)) < len(seen))

    def apply_step(self, x, step):
        """x (n,49) after a step (n,49), held at the limits."""
        return torch.minimum(torch.maximum(x + step, self.fit.low), self.fit.high)

    def energy(self, x, rows):
        """The energy (n,) of x (n,49) at some frames."""
        found = []
        for start in range(0, len(x), 8 * CHUNK_FRAMES):
            part = slice(start, start + 8 * CHUNK_FRAMES)
            squared = self._apart(self._posed(x[part]), rows[part]).square().sum(-1)
            beyond = self._beyond(squared)
            found.append((self.weights * squared * (1 + beyond)).sum(1) + (self.pose * x[part].square()).sum(1))
        return torch.cat(found).double()

    def linearize(self, x, rows):
        """Energy (n,), half its gradient (n,49) and Gauss-Newton's half second derivative (n,49,49), of x (n,49) at some frames."""
        found = []
        for start in range(0, len(rows), CHUNK_FRAMES):
            part = slice(start, start + CHUNK_FRAMES)
            found.append(self._expansion(x[part], rows[part]))
        return tuple(torch.cat(each) for each in zip(*found))

    def _expansion(self, x, rows):
        posed = self._posed(x)
        apart = self._apart(posed, rows)
        squared = apart.square().sum(-1)
        beyond = self._beyond(squared)
        columns = self.fit.jacobian(x[:, :NUM_DOFS], posed)
        # rho(u) = u + u^4 / worst^6: rho' = 1 + 4 beyond weighs all of a vertex's residual, rho' + 2 u rho'' = 1 + 28 beyond its length.
        across = (self.weights * (1 + 4 * beyond)).sqrt()
        columns *= across[:, None, None]
        residuals = across[..., None] * apart
        if np.isfinite(self.outlier_distance):
            along = ((1 + 28 * beyond) / (1 + 4 * beyond)).sqrt()[..., None]
            towards = (apart / squared.clamp_min(1e-12).sqrt()[..., None]).transpose(1, 2)
            lengthwise = torch.einsum("fdcv,fcv->fdv", columns, towards)
            columns.addcmul_(((along - 1).transpose(1, 2) * towards)[:, None], lengthwise[:, :, None])
            residuals = residuals / along
        columns = columns.flatten(2)
        value = (self.weights * squared * (1 + beyond)).sum(1) + (self.pose * x.square()).sum(1)
        gradient = (columns @ residuals.transpose(1, 2).flatten(1)[..., None])[..., 0] + self.pose * x
        curvature = columns @ columns.transpose(1, 2) + torch.diag(self.pose)
        return value.double(), gradient.double(), curvature.double()

    def _beyond(self, squared):
        return (squared / self.outlier_distance**2) ** 3 * self.vertices

    def _posed(self, x):
        fit = self.fit
        return fit.skel(x[:, :NUM_DOFS], fit.source.betas, x[:, NUM_DOFS:], skin=fit.skin)

    def _apart(self, posed, rows):
        return posed.vertices - self.targets[rows]


def _check_inputs(body, skel, poses, betas, trans):
    if len(skel.skin.v_template) != len(body.v_template):
        raise InputError(
            "body-and-skel-skins-differ",
            "The body {body} and the SKEL body {skel} have different skins.",
            "Use the open body with the open SKEL body, and your own SMPL file with your own SKEL file.",
            body=body.template.name,
            skel=skel.template.name,
        )
    if not len(poses) or not all(np.isfinite(each).all() for each in (poses, betas, trans)):
        raise InputError(
            "motion-not-finite", "The motion to convert is empty or has values that are not finite.", "Choose a motion file that is whole."
        )
