"""SMPL motion to SKEL's anatomical angles: the skins of two bodies fitted to each other, a whole clip at once.

Source: Keller et al. 2023, "From Skin to Skeleton", section 5, in the four stages and with the weights by which HSMR (Xia et
al. 2025) made its training labels: the root alone, on the torso; all but the upper limbs; all but the root; everything. Betas are
copied: both skins have the same shape space. Quality is reported as PVE and maxPVE of every frame (HSMR, supplement S.2).

Deviations, ours:

* Angles start from SMPL's own rotations (core/skel/inverse_kinematics), where the published fit starts at zero.
* Every energy is a sum of squares and the frames are independent: each is solved by damped Gauss-Newton steps (Levenberg-Marquardt)
  of its own, all frames at once, instead of by one LBFGS over all.
* Limits are bounds of the fit, not penalties: a step ends at a limit, so that no frame exceeds one.
* A thousand vertices, spread evenly over the skin, are fitted. The reported distances are those of all vertices.
* In the last stage a vertex farther off than about `OUTLIER_DISTANCE` weighs more than its square, since the largest
  distance is what matters.
* `smooth`, off by default, reduces the accelerations of angles and position, each frame as far as its energy allows.
* Frames whose skins are farther apart than `FLAG_DISTANCE` anywhere are fitted again from HSMR's angles, where its network gave them,
  and from their neighbours, and replaced where that is better.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..bodies.least_squares import Linearization, levenberg_marquardt, smooth_solution
from ..bodies.skel import Skel, SkelOutput
from ..bodies.skel_jacobian import SkelJacobian, skin_with_joints
from ..bodies.smpl import Smpl
from ..core.array_types import ArrayLike, BoolArray, FloatArray, IntArray
from ..core.conventions import WORLD_FROM_BODY
from ..core.errors import InputError
from ..core.farthest_point_sampling import NUM_SAMPLES, farthest_point_sampling
from ..core.rotations import rotmat_from_rotvec
from ..core.skel.channels import upright_from_world_transl, world_from_upright_angles, world_from_upright_transl
from ..core.skel.inverse_kinematics import angles_from_smpl
from ..core.skel.vocabulary import DOF_JOINTS, DOF_LIMITS, DOF_NAMES, NUM_DOFS, SKEL_JOINTS, limit_excess
from ..core.time_series import interpolate_over_time

FLAG_DISTANCE = 0.06  # m; HSMR, supplement S.2
OUTLIER_DISTANCE = 0.04  # m
PROGRESS_FRAMES = 300  # frames fitted between two calls of on_progress
CHUNK_FRAMES = 32  # frames whose Jacobians are held at once: 20 MB
TRANSL_WEIGHT = 100.0  # rad^2 that a m^2 of the root's acceleration counts as, where motion is smoothed
MIN_REPAIR_GAIN = 1e-3  # m of maxPVE that a repair must gain
# A source that exceeds the limits by less than this counts as within them, rad: SMPL's hinges are not quite SKEL's.
LIMIT_TOLERANCE = np.radians(3.0)
# SMPL has no joint in the shoulder blades: SKEL's angles there have no counterpart that could exceed limits.
_LIMITED_DOFS = np.array([dof for dof, name in enumerate(DOF_NAMES) if not name.startswith("scapula")])
_UPPER_LIMBS = tuple(bone for bone in SKEL_JOINTS if bone.split("_")[0] in ("scapula", "humerus", "ulna", "radius", "hand"))
_OTHER_BONES = tuple(bone for bone in SKEL_JOINTS if bone not in _UPPER_LIMBS)
_SCAPULAE = ("scapula_r", "scapula_l")
# The unknowns of a frame: 46 angles, then transl.
_NUM_UNKNOWNS = NUM_DOFS + 3
_TRANSL_COLUMNS = tuple(range(NUM_DOFS, _NUM_UNKNOWNS))


def _dofs_of(bones: Sequence[str]) -> tuple[int, ...]:
    return tuple(dof for dof in range(NUM_DOFS) if SKEL_JOINTS[DOF_JOINTS[dof]] in bones)


@dataclass(frozen=True)
class Stage:
    """One stage of the fit.

    free_unknowns: which of the 46 angles and 3 coordinates of transl change. bones: whose skin is fitted.
    skin_weight, joint_weight, pose_weight: weights of the mean squared distance (m^2) of vertices and of `fitted_joints`, and of
    the mean squared angle (rad^2), the pelvis's excepted.
    outlier_distance: distance in m from which a vertex weighs more than its square; infinite for none.
    max_steps: per frame.
    """

    free_unknowns: tuple[int, ...]
    bones: tuple[str, ...]
    skin_weight: float
    joint_weight: float = 0.0
    pose_weight: float = 0.0
    fitted_joints: tuple[str, ...] = SKEL_JOINTS
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
class FitEffort:
    """How thorough a fit is. stages: of the fit. num_vertices: how many are fitted. repairs: whether frames that stay far off are
    fitted again from their neighbours, which only those of a motion have."""

    stages: tuple[Stage, ...] = STAGES
    num_vertices: int = NUM_SAMPLES
    repairs: bool = True


THOROUGH = FitEffort()
# For the labels of a training, single poses by the ten thousand: a third of the time, 0.5 mm farther off on average.
QUICK = FitEffort((*(replace(stage, max_steps=2) for stage in STAGES[:-1]), replace(STAGES[-1], max_steps=6)), 300, False)


@dataclass(frozen=True)
class SkelMotion:
    """A clip in SKEL: q (F,46) rad, skel_betas (B,), skel_trans (F,3) m, in the world of the SMPL motion.

    pve, max_pve: (F,) m, mean and largest distance of the two skins. within_limits: (F,), whether the source is within SKEL's
    limits; else it was clamped. flagged: (F,), skins still farther apart than FLAG_DISTANCE somewhere. repaired: (F,), fitted
    again from neighbours.
    """

    q: FloatArray
    skel_betas: FloatArray
    skel_trans: FloatArray
    pve: FloatArray
    max_pve: FloatArray
    within_limits: BoolArray
    flagged: BoolArray
    repaired: BoolArray


def convert_smpl_to_skel(
    body: Smpl,
    skel: Skel,
    poses: ArrayLike,
    betas: ArrayLike,
    trans: ArrayLike,
    smooth: float = 0.0,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    effort: FitEffort = THOROUGH,
    first_q: FloatArray | None = None,
) -> SkelMotion:
    """Convert an SMPL motion to SKEL.

    Args:
        skel: with the vertices of the body's skin. poses: (F,72) rad, or the body's own width. betas: (B,). trans: (F,3) m; as
            in motion files: z up, without another rotation.
        smooth: weight of the angles' accelerations from frame to frame, m^2 of mean squared skin distance per rad^2; 0 fits
            every frame independently, 1e-3 calms a noisy source.
        on_progress: called with the number of frames done and of all frames; an exception in it ends the work.
        effort: how thorough the fit is.
        first_q: (F,46) rad, angles that another method has found, HSMR's. Frames that they bring nearer to the source than SMPL's own
            rotations do start from them, and frames that stay far off are tried from them. Rows of zeros are unknown.

    Raises:
        InputError: the two bodies' skins are not the same mesh, or the motion is empty or not finite.
    """
    poses, trans, betas = (np.asarray(value, float) for value in (poses, trans, np.ravel(betas)))
    _check_inputs(body, skel, poses, betas, trans)
    source = _SmplSource(body, poses, betas, trans)
    bone_frames = skel.template.bone_frames(betas)
    start = angles_from_smpl(source.rotmats[:, body.template.smpl_joint_indices], bone_frames)
    fit = _SkelFit(source, skel, effort.num_vertices)
    rest_root = skel.template.rest_joints(betas)[0]
    transl = source.transl + source.rest_root - rest_root
    q = start.q.copy() if first_q is None else fit.nearer_start(start.q, first_q, transl)
    for first in range(0, len(q), PROGRESS_FRAMES):
        on_progress(first, len(q))
        rows = np.arange(first, min(first + PROGRESS_FRAMES, len(q)))
        q[rows], transl[rows] = fit.solve(rows, q[rows], transl[rows], effort.stages)
    pve, max_pve = fit.distances(q, transl, np.arange(len(q)))
    repaired = fit.repair(q, transl, pve, max_pve, first_q) if effort.repairs else np.zeros(len(q), bool)
    if smooth:
        q, transl = fit.smooth_clip(q, transl, smooth)
        pve, max_pve = fit.distances(q, transl, np.arange(len(q)))
    on_progress(len(q), len(q))
    return SkelMotion(
        q=world_from_upright_angles(q, bone_frames[0]),
        skel_betas=betas,
        skel_trans=world_from_upright_transl(transl, rest_root),
        pve=pve,
        max_pve=max_pve,
        within_limits=(limit_excess(start.unclamped)[:, _LIMITED_DOFS] < LIMIT_TOLERANCE).all(1),
        flagged=max_pve > FLAG_DISTANCE,
        repaired=repaired,
    )


class _SmplSource:
    """The SMPL motion, rotated to stand upright (y up): there the pelvis's angles are far from their singularity."""

    def __init__(self, body: Smpl, poses: FloatArray, betas: FloatArray, trans: FloatArray) -> None:
        self.body, self.betas = body, betas
        self.rotmats = rotmat_from_rotvec(poses[:, : 3 * body.num_joints].reshape(len(poses), -1, 3))
        self.rotmats[:, 0] = WORLD_FROM_BODY.T @ self.rotmats[:, 0]
        self.rest_root = body.template.rest_joints(betas)[0]
        self.transl = upright_from_world_transl(trans, self.rest_root)

    def vertices(self, rows: IntArray) -> torch.Tensor:
        """All vertices (F,V,3) m of some frames."""
        rotmats = self.rotmats[rows]
        return self.body(self.betas, rotmats[:, 0], rotmats[:, 1:], self.transl[rows])[1]


class _SkelFit:
    """SKEL's skin fitted to a source's. Angles (F,46) rad and transl (F,3) m are numpy outside, one tensor x (F,49) within."""

    def __init__(self, source: _SmplSource, skel: Skel, num_vertices: int) -> None:
        self.source, self.skel = source, skel
        template = skel.template
        self.vertices = farthest_point_sampling(template.v_template, num_vertices)
        self.skin = skin_with_joints(skel, source.betas, skel.subset(self.vertices))
        self.jacobian = SkelJacobian(skel, source.betas, self.skin)
        self.bone_of_vertex = np.array(SKEL_JOINTS)[template.lbs_weights[self.vertices].argmax(1)]
        self.J_regressor_osim = self.tensor(template.J_regressor_osim)
        low, high = DOF_LIMITS.T
        self.low, self.high = self.tensor(np.r_[low, [-np.inf] * 3]), self.tensor(np.r_[high, [np.inf] * 3])

    def solve(self, rows: IntArray, q: FloatArray, transl: FloatArray, stages: Sequence[Stage]) -> tuple[FloatArray, FloatArray]:
        """q and transl of some frames (indices) after the stages, from these q and transl."""
        with torch.no_grad():
            targets = self._targets(rows)
            x = torch.cat([self.tensor(q), self.tensor(transl)], 1)
            for stage in stages:
                x = self._run_stage(stage, x, targets)
        return _split_unknowns(x)

    def nearer_start(self, q: FloatArray, other: FloatArray, transl: FloatArray) -> FloatArray:
        """Angles q (F,46) rad, or the others below the pelvis, whichever's fitted skin is nearer to the source's. transl: (F,3) m."""
        other = np.concatenate([q[:, :3], np.clip(other[:, 3:], *DOF_LIMITS[3:].T)], 1) * other.any(1, keepdims=True)
        rows = np.arange(len(q))
        is_nearer = self.distances(other, transl, rows)[0] < self.distances(q, transl, rows)[0]
        return np.where((is_nearer & other.any(1))[:, None], other, q)

    @torch.no_grad()
    def distances(self, q: FloatArray, transl: FloatArray, rows: IntArray) -> tuple[FloatArray, FloatArray]:
        """Mean and largest distance of the two whole skins at some frames (indices), (F,) m each."""
        mean: list[torch.Tensor] = []
        largest: list[torch.Tensor] = []
        for part in _chunks(len(rows), CHUNK_FRAMES):
            vertices = self.skel.vertices(q[part], self.source.betas, transl[part])
            distance = (vertices - self.source.vertices(rows[part])).norm(dim=-1)
            mean.append(distance.mean(1))
            largest.append(distance.amax(1))
        return _to_numpy(torch.cat(mean)), _to_numpy(torch.cat(largest))

    def repair(
        self, q: FloatArray, transl: FloatArray, pve: FloatArray, max_pve: FloatArray, first_q: FloatArray | None = None
    ) -> BoolArray:
        """Fit flagged frames again from first_q (F,46) and from the frames around them, in place; returns which were improved, (F,)."""
        repaired = np.zeros(len(q), bool)
        found = q, transl, pve, max_pve
        if first_q is not None:
            rows = np.flatnonzero((max_pve > FLAG_DISTANCE) & first_q.any(1))
            start = np.concatenate([q[rows, :3], np.clip(first_q[rows, 3:], *DOF_LIMITS[3:].T)], 1)
            repaired[self._improve(rows, start, transl[rows], STAGES[1:], found)] = True
        good = np.flatnonzero(max_pve <= FLAG_DISTANCE)
        rows = np.flatnonzero(max_pve > FLAG_DISTANCE)
        if len(good):
            between = interpolate_over_time(rows, good.astype(float), np.concatenate([q, transl], 1)[good])
            repaired[self._improve(rows, between[:, :NUM_DOFS], between[:, NUM_DOFS:], STAGES[-1:], found)] = True
        return repaired

    def _improve(
        self, rows: IntArray, q: FloatArray, transl: FloatArray, stages: Sequence[Stage], found: tuple[FloatArray, ...]
    ) -> IntArray:
        """Fit some frames from q and transl; where maxPVE falls, replace what was found: q, transl, pve and max_pve of all frames.

        Returns the rows that were improved.
        """
        if not len(rows):
            return rows
        new_q, new_transl = self.solve(rows, q, transl, stages)
        new = new_q, new_transl, *self.distances(new_q, new_transl, rows)
        better = new[3] < found[3][rows] - MIN_REPAIR_GAIN
        for old, value in zip(found, new):
            old[rows[better]] = value[better]
        return rows[better]

    def smooth_clip(self, q: FloatArray, transl: FloatArray, smooth: float) -> tuple[FloatArray, FloatArray]:
        """Angles (F,46) rad and transl (F,3) m of a whole clip with accelerations weighted by `smooth`, within the limits."""
        x = torch.cat([self.tensor(q), self.tensor(transl)], 1)
        curvatures = []
        for part in _chunks(len(x), PROGRESS_FRAMES):
            rows = np.arange(part.start, part.stop)
            energy = _StageEnergy(self, STAGES[-1], self._targets(rows))
            curvatures.append(energy.linearize(x[part], torch.arange(len(rows), device=x.device))[2])
        weights = torch.full((_NUM_UNKNOWNS,), smooth * STAGES[-1].skin_weight, dtype=torch.float64)
        weights[NUM_DOFS:] *= TRANSL_WEIGHT
        return _split_unknowns(smooth_solution(x, torch.cat(curvatures), weights.to(x.device)))

    def tensor(self, value: ArrayLike) -> torch.Tensor:
        """`value` in the body's precision and on its device."""
        return self.skel.J_template.new_tensor(np.asarray(value))

    def _targets(self, rows: IntArray) -> torch.Tensor:
        """Where the fitted vertices and the 24 joints of SKEL are on the source's skin, (F,P,3) m."""
        points = []
        for part in _chunks(len(rows), CHUNK_FRAMES):
            vertices = self.source.vertices(rows[part])
            points.append(torch.cat([vertices[:, self.vertices], self.J_regressor_osim @ vertices], 1))
        return torch.cat(points)

    def _run_stage(self, stage: Stage, x: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Damped Gauss-Newton steps within the limits."""
        free = torch.zeros(_NUM_UNKNOWNS, dtype=torch.bool, device=x.device)
        free[list(stage.free_unknowns)] = True

        def blocked(x: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
            return ((x <= self.low) & (gradient > 0)) | ((x >= self.high) & (gradient < 0)) | ~free

        return levenberg_marquardt(_StageEnergy(self, stage, targets), x, stage.max_steps, blocked)


class _StageEnergy:
    """The energy of one stage, a LeastSquaresProblem: of x (n,49), angles and transl, at frames (n,) of the targets.

    With u a vertex's squared distance over the squared outlier distance, it counts as rho(u) = u + u^4 = u (1 + excess).
    """

    def __init__(self, fit: _SkelFit, stage: Stage, targets: torch.Tensor) -> None:
        self.fit, self.outlier_distance, self.targets = fit, stage.outlier_distance, targets
        on_bones = np.isin(fit.bone_of_vertex, stage.bones)
        joints = np.isin(SKEL_JOINTS, stage.fitted_joints)
        weights = np.concatenate([stage.skin_weight * on_bones / on_bones.sum(), stage.joint_weight * joints / 24])
        self.weights = fit.tensor(weights)
        self.pose_weights = fit.tensor(np.r_[np.zeros(3), np.full(NUM_DOFS - 3, stage.pose_weight / NUM_DOFS), np.zeros(3)])
        self.is_vertex = fit.tensor(np.arange(len(weights)) < len(on_bones))

    def apply_step(self, x: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
        """x (n,49) after a step (n,49), clamped to the limits."""
        return torch.minimum(torch.maximum(x + step, self.fit.low), self.fit.high)

    def energy(self, x: torch.Tensor, frames: torch.Tensor) -> torch.Tensor:
        """The energy (n,)."""
        values = []
        for part in _chunks(len(x), 8 * CHUNK_FRAMES):
            _, residuals = self._pose(x[part], frames[part])
            values.append(self._value(x[part], residuals.square().sum(-1)))
        return torch.cat(values).double()

    def linearize(self, x: torch.Tensor, frames: torch.Tensor) -> Linearization:
        """Energy (n,), half its gradient (n,49) and the Gauss-Newton approximation of half its second derivative (n,49,49)."""
        parts = [self._linearize_chunk(x[part], frames[part]) for part in _chunks(len(frames), CHUNK_FRAMES)]
        values, gradients, curvatures = (torch.cat(each) for each in zip(*parts))
        return values, gradients, curvatures

    def _linearize_chunk(self, x: torch.Tensor, frames: torch.Tensor) -> Linearization:
        posed, residuals = self._pose(x, frames)
        squared = residuals.square().sum(-1)
        columns, residuals_scaled = self._weigh_by_rho(self.fit.jacobian(x[:, :NUM_DOFS], posed), residuals, squared)
        columns = columns.flatten(2)
        gradient = (columns @ residuals_scaled.transpose(1, 2).flatten(1)[..., None])[..., 0] + self.pose_weights * x
        curvature = columns @ columns.transpose(1, 2) + torch.diag(self.pose_weights)
        return self._value(x, squared).double(), gradient.double(), curvature.double()

    def _weigh_by_rho(self, columns: torch.Tensor, residuals: torch.Tensor, squared: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The Jacobian's columns (n,49,3,P), changed in place, and residuals (n,P,3) m, whose least squares have rho's derivatives.

        rho' = 1 + 4 excess weighs all of a residual, rho' + 2 u rho'' = 1 + 28 excess the change of its length.
        """
        excess = self._excess(squared)
        scale = (self.weights * (1 + 4 * excess)).sqrt()
        columns *= scale[:, None, None]
        residuals_scaled = scale[..., None] * residuals
        if np.isfinite(self.outlier_distance):
            length_scale = ((1 + 28 * excess) / (1 + 4 * excess)).sqrt()[..., None]
            direction = (residuals / squared.clamp_min(1e-12).sqrt()[..., None]).transpose(1, 2)
            lengthwise = torch.einsum("fdcv,fcv->fdv", columns, direction)
            columns.addcmul_(((length_scale - 1).transpose(1, 2) * direction)[:, None], lengthwise[:, :, None])
            residuals_scaled = residuals_scaled / length_scale
        return columns, residuals_scaled

    def _value(self, x: torch.Tensor, squared: torch.Tensor) -> torch.Tensor:
        return (self.weights * squared * (1 + self._excess(squared))).sum(1) + (self.pose_weights * x.square()).sum(1)

    def _excess(self, squared: torch.Tensor) -> torch.Tensor:
        """u^3 of each vertex, 0 of joints."""
        return (squared / self.outlier_distance**2) ** 3 * self.is_vertex

    def _pose(self, x: torch.Tensor, frames: torch.Tensor) -> tuple[SkelOutput, torch.Tensor]:
        """The posed body, and its fitted vertices and joints minus their targets, (n,P,3) m."""
        fit = self.fit
        posed = fit.skel(x[:, :NUM_DOFS], fit.source.betas, x[:, NUM_DOFS:], skin=fit.skin)
        return posed, posed.vertices - self.targets[frames]


def _chunks(count: int, size: int) -> Iterable[slice]:
    """Slices of at most `size` that cover range(count)."""
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


def _split_unknowns(x: torch.Tensor) -> tuple[FloatArray, FloatArray]:
    """Angles (F,46) rad within their limits and transl (F,3) m, of x (F,49)."""
    values = _to_numpy(x)
    return np.clip(values[:, :NUM_DOFS], *DOF_LIMITS.T), values[:, NUM_DOFS:]


def _to_numpy(values: torch.Tensor) -> FloatArray:
    return values.cpu().numpy().astype(float)


def _check_inputs(body: Smpl, skel: Skel, poses: FloatArray, betas: FloatArray, trans: FloatArray) -> None:
    if len(skel.skin.v_template) != len(body.v_template):
        raise InputError(
            "body-and-skel-skins-differ",
            "The body {body} and the SKEL body {skel} have different skins.",
            "Use the open body with the open SKEL body, and your own SMPL file with your own SKEL file.",
            body=body.template.name,
            skel=skel.template.name,
        )
    if not len(poses) or not all(np.isfinite(value).all() for value in (poses, betas, trans)):
        raise InputError(
            "motion-not-finite", "The motion to convert is empty or has values that are not finite.", "Choose a motion file that is whole."
        )
