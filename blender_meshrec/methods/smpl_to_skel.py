"""SMPL motion to SKEL's anatomical angles: the skins of two bodies laid onto each other, a whole clip at once; and back.

Source: Keller et al. 2023, "From Skin to Skeleton", section 5, in the four stages by which HSMR (Xia et al. 2025) made its
data: the root alone, on the torso; all but the upper limbs; all but the root; everything. Betas are copied: both skins are made
of the same shapes.

Deviations, ours:

* Angles begin where SMPL's own rotations put them (core/skel_inverse): within a centimetre on the mean, where the published
  fit begins at zero and needs ten times the steps.
* Angles are bounded rather than penalised, q = middle + half the range * sin(u): no frame can leave the limits. What they
  would have been without limits tells which frames the source itself leaves them.
* A thousand vertices, spread evenly over the skin, are fitted. What is reported is measured on all of them.
* `smooth` weighs how angles and place bend over time, so that frames do not tremble against each other.
* Frames whose skins are further apart than `FLAGGED` anywhere are begun again from their neighbours and kept where that is better.
"""

from dataclasses import dataclass

import numpy as np
import torch

from ..core.conventions import WORLD_FROM_BODY
from ..core.errors import InputError
from ..core.rotations import rotmat_from_rotvec
from ..core.skel import DOF_JOINTS, DOF_NAMES, LIMITS, SKEL_JOINTS, limit_excess
from ..core.skel_channels import upright_place, world_angles, world_place
from ..core.skel_inverse import angles_of_smpl

FLAGGED = 0.06  # m; HSMR, supplement S.2
VERTICES = 1000  # that are fitted
SMOOTH = 1e-4  # m^2 of skin for each rad^2 that angles bend over time from frame to frame
PLACE = 100.0  # rad^2 for each m^2 that the root's place bends
PIECE, OVERLAP = 600, 30  # frames fitted together, and shared with the piece before
NEIGHBOURS = 15  # frames on either side that a flagged frame is begun again from
# Beyond its limits by less than this, a source counts as within them, rad: SMPL's hinges are not quite SKEL's.
SLACK = np.radians(3.0)
_UPPER = tuple(bone for bone in SKEL_JOINTS if bone.split("_")[0] in ("scapula", "humerus", "ulna", "radius", "hand"))
_TORSO = ("pelvis", "lumbar_body", "thorax")
_ALL = tuple(range(len(DOF_NAMES)))
_UPPER_DOFS = tuple(dof for dof in _ALL if SKEL_JOINTS[DOF_JOINTS[dof]] in _UPPER)
# No limb of SMPL's lies in a shoulder blade: SKEL's angles there have no counterpart that could be out of limits.
_COMPARED = np.array([dof for dof, name in enumerate(DOF_NAMES) if not name.startswith("scapula")])


@dataclass(frozen=True)
class Stage:
    """One stage of the fit: which angles move, whether the root's place does, the bones whose skin is fitted, the most steps."""

    dofs: tuple
    place: bool
    bones: tuple
    steps: int


STAGES = (
    Stage((0, 1, 2), True, _TORSO, 15),
    Stage(tuple(dof for dof in _ALL if dof not in _UPPER_DOFS), True, tuple(b for b in SKEL_JOINTS if b not in _UPPER), 25),
    Stage(_ALL[3:], False, SKEL_JOINTS, 25),
    Stage(_ALL, True, SKEL_JOINTS, 80),
)


@dataclass(frozen=True)
class Conversion:
    """A clip in SKEL: q (F,46) rad, skel_betas (B,), skel_trans (F,3) m, in the world of the motion that was converted.

    pve, max_pve: (F,) m, mean and largest distance of the two skins. within_limits: (F,), whether the source keeps to SKEL's
    limits; else it was clamped. flagged: (F,), skins still further apart than FLAGGED somewhere. repaired: (F,), begun again
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


def convert(body, skel, poses, betas, trans, smooth=SMOOTH, on_progress=lambda done, total: None):
    """Convert an SMPL motion to SKEL.

    Args:
        body: a Smpl. skel: a Skel whose skin has the same vertices. poses: (F,72) rad, or wider. betas: (B,). trans: (F,3) m; as
            motion files have them: z up, no further rotation.
        smooth: weight of steadiness over time; 0 fits every frame by itself.
        on_progress: called with frames done and frames in all; what it raises ends the work.

    Returns:
        a Conversion.

    Raises:
        InputError: the two bodies' skins are not the same mesh.
    """
    if len(skel.skin.v_template) != len(body.v_template):
        problem = f"The body {body.template.name} and the SKEL body {skel.template.name} have different skins."
        raise InputError(problem, "Use the open body with the open SKEL body, and your own SMPL file with your own SKEL file.")
    poses, trans, betas = (np.asarray(each, float) for each in (poses, trans, betas))
    rotations = rotmat_from_rotvec(poses[:, :72].reshape(len(poses), 24, 3))
    # Fitted standing up, where the pelvis's angles are far from their pole.
    rotations[:, 0] = WORLD_FROM_BODY.T @ rotations[:, 0]
    root = body.rest_joints(body.v_template.new_tensor(betas)[None])[0, 0].cpu().numpy().astype(float)
    place = upright_place(trans, root)
    frames = skel.template.bone_frames(betas)
    laid = angles_of_smpl(rotations, frames)
    fit = _Fit(body, skel, betas, rotations, place, smooth)
    q, skel_place = laid.q.copy(), place + root - skel.template.rest_joints(betas)[0]
    for piece in _pieces(len(poses)):
        on_progress(piece.start, len(poses))
        _blend(q, skel_place, piece, *fit.stages(piece, q[piece], skel_place[piece]))
    pve, max_pve = fit.distances(q, skel_place)
    repaired = fit.repair(q, skel_place, pve, max_pve)
    on_progress(len(poses), len(poses))
    rest = skel.template.rest_joints(betas)[0]
    return Conversion(
        q=world_angles(q, frames[0]),
        skel_betas=betas,
        skel_trans=world_place(skel_place, rest),
        pve=pve,
        max_pve=max_pve,
        within_limits=(limit_excess(laid.unlimited)[:, _COMPARED] < SLACK).all(1),
        flagged=max_pve > FLAGGED,
        repaired=repaired,
    )


def spread_evenly(vertices, count):
    """Indices of so many vertices (V,3), each as far as can be from those before it."""
    chosen, distance = [0], np.full(len(vertices), np.inf)
    for _ in range(min(count, len(vertices)) - 1):
        distance = np.minimum(distance, np.linalg.norm(vertices - vertices[chosen[-1]], axis=1))
        chosen.append(int(distance.argmax()))
    return np.array(chosen)


class _Fit:
    """Skins of one clip in SMPL (the target) and in SKEL, standing up; angles (F,46) rad and places (F,3) m are numpy."""

    def __init__(self, body, skel, betas, rotations, place, smooth):
        self.body, self.skel, self.betas, self.smooth = body, skel, betas, smooth
        self.rotations, self.place = rotations, place
        self.vertices = spread_evenly(skel.template.v_template, VERTICES)
        self.owner = np.array(SKEL_JOINTS)[skel.template.lbs_weights[self.vertices].argmax(1)]
        low, high = np.where(np.isfinite(LIMITS), LIMITS, [-1.0, 1.0]).T
        self.middle, self.half = (skel.J_template.new_tensor(each) for each in ((low + high) / 2, (high - low) / 2))
        self.limited = torch.as_tensor(np.isfinite(LIMITS[:, 0]), device=skel.device)

    def stages(self, rows, q, place, stages=STAGES, smooth=None):
        """Run the stages on some frames (a slice or indices); gives their q and place."""
        targets = self._target(rows)
        q = self._tensor(q)
        free = torch.where(self.limited, torch.asin(((q - self.middle) / self.half).clamp(-0.995, 0.995)), q)
        place = self._tensor(place)
        for stage in stages:
            free, place = self._stage(stage, free, place, targets, self.smooth if smooth is None else smooth)
        return self._angles(free).cpu().numpy().astype(float), place.cpu().numpy().astype(float)

    def _stage(self, stage, free, place, targets, smooth):
        seen = np.flatnonzero(np.isin(self.owner, stage.bones))
        skin, wanted = self.skel.subset(self.vertices[seen]), targets[:, seen]
        columns = torch.tensor(stage.dofs, device=free.device)
        moving = free[:, columns].clone().requires_grad_()
        moved = place.clone().requires_grad_(stage.place)
        optimiser = torch.optim.LBFGS(
            [moving, moved] if stage.place else [moving],
            max_iter=stage.steps,
            history_size=12,
            tolerance_change=1e-7,
            line_search_fn="strong_wolfe",
        )

        def closure():
            optimiser.zero_grad()
            q = self._angles(free.index_copy(1, columns, moving))
            vertices = self.skel(q, self.betas, moved, skin=skin).vertices
            loss = (vertices - wanted).square().sum(-1).mean(1).sum()
            if smooth and len(q) > 2:
                loss = loss + smooth * (_bends(q) + PLACE * _bends(moved))
            loss = 1000 * loss / len(q)
            loss.backward()
            return loss

        optimiser.step(closure)
        return free.index_copy(1, columns, moving.detach()), moved.detach()

    def _angles(self, free):
        """Angles (F,46) within their limits, of numbers that may be anything; the pelvis's are free."""
        return torch.where(self.limited, self.middle + self.half * torch.sin(free), free)

    @torch.no_grad()
    def distances(self, q, place, rows=None):
        """Mean and largest distance of the two whole skins, (F,) m each."""
        rows = np.arange(len(q)) if rows is None else rows
        mean, most = np.empty(len(rows)), np.empty(len(rows))
        for start in range(0, len(rows), 64):
            part = rows[start : start + 64]
            ours = self.skel(q[start : start + 64], self.betas, place[start : start + 64]).vertices
            apart = (ours - self._skin(part)).norm(dim=-1)
            mean[start : start + 64], most[start : start + 64] = apart.mean(1).cpu(), apart.max(1).values.cpu()
        return mean, most

    def repair(self, q, place, pve, max_pve):
        """Begin flagged frames again from the frames around them, in place; which were bettered, (F,)."""
        flagged, good = np.flatnonzero(max_pve > FLAGGED), np.flatnonzero(max_pve <= FLAGGED)
        repaired = np.zeros(len(q), bool)
        if not len(flagged) or not len(good):
            return repaired
        near = np.abs(flagged[:, None] - good).min(1) <= NEIGHBOURS
        rows = flagged[near]
        if not len(rows):
            return repaired
        begun = np.stack([np.interp(rows, good, q[good, dof]) for dof in _ALL], 1)
        at = np.stack([np.interp(rows, good, place[good, axis]) for axis in range(3)], 1)
        tried, tried_at = self.stages(rows, begun, at, STAGES[-1:], smooth=0.0)
        mean, most = self.distances(tried, tried_at, rows)
        better = most < max_pve[rows]
        kept = rows[better]
        q[kept], place[kept], pve[kept], max_pve[kept] = tried[better], tried_at[better], mean[better], most[better]
        repaired[kept] = True
        return repaired

    @torch.no_grad()
    def _target(self, rows):
        """The fitted vertices of SMPL's skin, (F,1000,3) m, at some frames."""
        rows = np.arange(len(self.place))[rows]
        return torch.cat([self._skin(rows[start : start + 64])[:, self.vertices] for start in range(0, len(rows), 64)])

    def _skin(self, rows):
        rotations = self.rotations[rows]
        return self.body(self.betas, rotations[:, 0], rotations[:, 1:], self.place[rows])[1]

    def _tensor(self, value):
        return self.middle.new_tensor(value)


def _bends(values):
    """How much values (F,C) bend over time: the sum of squared second differences."""
    return (values[2:] - 2 * values[1:-1] + values[:-2]).square().sum()


def _pieces(frames):
    """Slices that cover a clip, each sharing OVERLAP frames with the one before."""
    starts = range(0, max(frames - OVERLAP, 1), PIECE - OVERLAP)
    return [slice(start, min(start + PIECE, frames)) for start in starts]


def _blend(q, place, piece, new_q, new_place):
    """Write a fitted piece into the clip; the frames shared with the piece before change over smoothly."""
    share = np.ones(len(new_q))
    if piece.start:
        share[:OVERLAP] = np.linspace(0, 1, OVERLAP + 2)[1:-1][: len(share)]
    for whole, new in ((q, new_q), (place, new_place)):
        whole[piece] += share[:, None] * (new - whole[piece])
