"""SKELify: SKEL's angles fitted to 2D keypoints, single images and clips.

Paper: Xia et al. 2025, "Reconstructing Humans with a Biomechanically Accurate Skeleton" (HSMR), main section 3.3 and supplement
S.3.1: E = sum_i c_i rho(pi(X_i) - x_i), eq. 2, with the Geman-McClure rho, + E_shape(betas) + E_pose(q), minimised by LBFGS with a
strong Wolfe line search; a fit is kept only where the 2D error falls. The network of the paper is not part of this file: its
trained weights are not free, and none are trained here.

Deviations and choices, ours:

* Confidences count as they are, as the paper has it; its released code squares them.
* Pixels are counted in hundredths of the torso, so that rho's 100 is one torso.
* Angles are bounded, q = middle + half the range * sin(u), besides the paper's prior on limits: no joint can leave them.
* A clip is fitted at once. `SMOOTH_WEIGHT` weighs how angles and place bend over time, `ANCHOR_WEIGHT` how far a refinement goes
  from where it began: 2D points alone do not hold the depth of a limb.
  Its shape prior is about the betas it was given, not about the mean body.
* Twelve limb joints are fitted: the only ones that every detector and SKEL agree on.
"""

from dataclasses import dataclass

import numpy as np
import torch

from ..core.cameras import points_on_rays, rays_from_pixels
from ..core.skel.vocabulary import DOF_LIMITS, SKEL_JOINTS, clamp_to_limits, dof_index
from ..core.skeletons import LIMB_JOINTS

GEMAN_MCCLURE_SIGMA = 100.0  # hundredths of the torso
# Weights of the paper: reprojection, shape and angles when a given pose is refined, and its steps.
SHAPE_WEIGHT, ANGLE_WEIGHT, REFINE_STEPS = 5.0**2, (4.78 * 0.17) ** 2, 10
# From nothing: first the camera, that is root and place, on the torso; then four stages of shape and angle weights.
CAMERA_DEPTH_WEIGHT, CAMERA_REPROJECTION_WEIGHT = 100.0, 1.78
STAGE_WEIGHTS = ((100.0, 404.0), (50.0, 404.0), (10.0, 57.4), (5.0, 4.78))
STAGE_STEPS = 30
SMOOTH_WEIGHT, ANCHOR_WEIGHT = 2000.0, 1000.0  # per rad^2
TRANSL_WEIGHT = 25.0  # rad^2 that a m^2 of the root's place counts as
_SKEL_BONES = {"shoulder": "humerus", "elbow": "ulna", "wrist": "hand", "hip": "femur", "knee": "tibia", "ankle": "talus"}
SKEL_LIMB_JOINTS = [SKEL_JOINTS.index(f"{_SKEL_BONES[name.split('_')[1]]}_{name[0]}") for name in LIMB_JOINTS]
_TORSO = [row for row, name in enumerate(LIMB_JOINTS) if name.split("_")[1] in ("shoulder", "hip")]
_SHOULDERS, _HIPS = ([LIMB_JOINTS.index(f"{side}_{joint}") for side in ("left", "right")] for joint in ("shoulder", "hip"))
# Arms hang and knees are nearly straight: where a fit from nothing begins.
_STANDING_ANGLES = {"shoulder_r_x": 1.2, "shoulder_l_x": -1.2, "knee_angle_r": 0.1, "knee_angle_l": 0.1}


@dataclass(frozen=True)
class SkelifyResult:
    """A fit: q (F,46) rad, betas (B,), transl (F,3) m. error, error_before: (F,) px, mean over the limb joints, weighted by confidence.

    kept: (F,), frames whose 2D error fell; the others are as they were given.
    """

    q: np.ndarray
    betas: np.ndarray
    transl: np.ndarray
    error: np.ndarray
    error_before: np.ndarray
    kept: np.ndarray


def skelify(skel, keypoints, keypoint_names, intrinsics, camera_from_body, q=None, betas=None, transl=None, smooth_weight=SMOOTH_WEIGHT):
    """Fit SKEL to the 2D keypoints of one person.

    Args:
        skel: a Skel. keypoints: (F,K,3) px and confidence. keypoint_names: their K names, LIMB_JOINTS among them.
        intrinsics: (3,3) px. camera_from_body: (4,4) or (F,4,4), from the axes that q and transl are meant in (y up) to the camera's.
        q (F,46) rad, betas (B,), transl (F,3) m: where to begin; from nothing where q is None.
        smooth_weight: weight of steadiness over time, 0 for none.

    Returns:
        a Skelified. From nothing, every frame counts as kept.
    """
    seen = np.asarray(keypoints, float)[:, [list(keypoint_names).index(name) for name in LIMB_JOINTS]]
    camera = np.broadcast_to(np.asarray(camera_from_body, float), (len(seen), 4, 4))
    from_nothing = q is None
    if from_nothing:
        q, betas, transl = _initial_guess(skel, seen, np.asarray(intrinsics, float), camera)
    fit = _SkelifyFit(skel, seen, intrinsics, camera, q, betas, transl, smooth_weight)
    before = fit.error(q, betas, transl)
    if from_nothing:
        fit.fit_camera()
        for shape, angle in STAGE_WEIGHTS:
            fit.fit_stage(shape, angle, STAGE_STEPS, anchor_weight=0.0)
    else:
        for _ in range(REFINE_STEPS):
            fit.fit_stage(SHAPE_WEIGHT, ANGLE_WEIGHT, 20, anchor_weight=ANCHOR_WEIGHT)
    found, found_betas, found_transl = fit.result()
    after = fit.error(found, found_betas, found_transl)
    kept = np.ones(len(seen), bool) if from_nothing else after < before
    return SkelifyResult(
        q=np.where(kept[:, None], found, q),
        betas=found_betas,
        transl=np.where(kept[:, None], found_transl, transl),
        error=np.where(kept, after, before),
        error_before=before,
        kept=kept,
    )


def _initial_guess(skel, seen, intrinsics, camera):
    """A person who stands upright where the torso is seen, and faces the camera or turns their back: q, betas, transl."""
    frames = len(seen)
    q = np.zeros((frames, len(DOF_LIMITS)))
    for name, value in _STANDING_ANGLES.items():
        q[:, dof_index(name)] = value
    q = clamp_to_limits(q)
    betas = np.zeros(skel.template.shapedirs.shape[-1])
    rest = skel.template.rest_joints(betas)[SKEL_LIMB_JOINTS]
    shoulders, hips = seen[:, _SHOULDERS], seen[:, _HIPS]
    # A left shoulder on the picture's right belongs to somebody who looks this way.
    away = shoulders[:, 0, 0] < shoulders[:, 1, 0]
    facing = np.where(camera[:, 2, 2] < 0, 0.0, np.pi)  # the heading that looks into the camera
    q[:, 2] = facing + np.where(away, np.pi, 0.0)
    torso = np.linalg.norm(shoulders[..., :2].mean(1) - hips[..., :2].mean(1), axis=-1)
    length = np.linalg.norm(rest[_SHOULDERS].mean(0) - rest[_HIPS].mean(0))
    depth = intrinsics[1, 1] * length / np.maximum(torso, 1.0)
    at = points_on_rays(rays_from_pixels(seen[:, _TORSO, :2].mean(1), intrinsics), depth)
    in_body = np.einsum("fba,fb->fa", camera[:, :3, :3], at - camera[:, :3, 3])
    return q, betas, in_body - rest[_TORSO].mean(0)


class _SkelifyFit:
    """One clip's energy and where its descent stands: free numbers of the angles, betas, places."""

    def __init__(self, skel, seen, intrinsics, camera, q, betas, transl, smooth):
        self.skel, self.smooth = skel, smooth
        new = skel.J_template.new_tensor
        self.seen, self.confidence = new(seen[..., :2]), new(np.clip(seen[..., 2], 0, 1))
        self.intrinsics, self.camera = new(np.asarray(intrinsics)), new(np.array(camera))
        torso = np.linalg.norm(seen[:, _SHOULDERS, :2].mean(1) - seen[:, _HIPS, :2].mean(1), axis=-1)
        # One scale for the clip: a torso seen from above is short, and its pixels are not worth more.
        self.pixel = 100.0 / max(float(np.quantile(torso, 0.9)), 1.0)
        low, high = np.where(np.isfinite(DOF_LIMITS), DOF_LIMITS, [-1.0, 1.0]).T
        self.low, self.high = new(low), new(high)
        self.limited = torch.as_tensor(np.isfinite(DOF_LIMITS[:, 0]), device=skel.device)
        q = new(np.asarray(q))
        middle, half = (self.low + self.high) / 2, (self.high - self.low) / 2
        self.free = torch.where(self.limited, torch.asin(((q - middle) / half).clamp(-0.995, 0.995)), q)
        self.betas, self.transl = new(np.asarray(betas)), new(np.asarray(transl))
        self.begun = q, self.betas.clone(), self.transl.clone()

    def angles(self, free):
        """Angles (F,46) within their limits, of numbers that may be anything; the pelvis's are free."""
        return torch.where(self.limited, (self.low + self.high) / 2 + (self.high - self.low) / 2 * torch.sin(free), free)

    def residuals(self, q, betas, transl):
        """Where joints are seen too far from, (F,12,2) px, and their depths (F,12) m."""
        joints = self.skel.joints(q, betas, transl)[:, SKEL_LIMB_JOINTS]
        joints = joints @ self.camera[:, :3, :3].transpose(1, 2) + self.camera[:, None, :3, 3]
        projected = joints @ self.intrinsics.T
        depth = projected[..., 2:].clamp_min(0.1)
        return projected[..., :2] / depth - self.seen, depth[..., 0]

    def reprojection(self, q, betas, transl, rows=slice(None)):
        """Eq. 2, the mean over frames. Geman-McClure: rho(r) = s^2 r^2 / (s^2 + r^2)."""
        squared = (self.pixel * self.residuals(q, betas, transl)[0][:, rows]).square().sum(-1)
        return (self.confidence[:, rows] * GEMAN_MCCLURE_SIGMA**2 * squared / (GEMAN_MCCLURE_SIGMA**2 + squared)).sum(-1).mean()

    def fit_camera(self):
        """Root and place alone, on the torso; its depth is held near the guess."""
        root, place = self.free[:, :3].clone().requires_grad_(), self.transl.clone().requires_grad_()
        with torch.no_grad():
            guessed = self.residuals(self.angles(self.free), self.betas, self.transl)[1][:, _TORSO].mean(1)

        def energy():
            q = torch.cat([root, self.angles(self.free)[:, 3:]], 1)
            depth = self.residuals(q, self.betas, place)[1][:, _TORSO].mean(1)
            return (
                CAMERA_REPROJECTION_WEIGHT * self.reprojection(q, self.betas, place, _TORSO)
                + CAMERA_DEPTH_WEIGHT * (depth - guessed).square().mean()
            )

        _minimize_lbfgs([root, place], energy, STAGE_STEPS)
        self.free = torch.cat([root.detach(), self.free[:, 3:]], 1)
        self.transl = place.detach()

    def fit_stage(self, shape_weight, angle_weight, steps, anchor_weight):
        """One stage over everything."""
        free, betas, place = (each.clone().requires_grad_() for each in (self.free, self.betas, self.transl))

        def energy():
            q = self.angles(free)
            begun, shaped, at = self.begun
            usual = shaped if anchor_weight else 0
            energy = self.reprojection(q, betas, place) + shape_weight * (betas - usual).square().sum() + angle_weight * self.limit_prior(q)
            if anchor_weight:
                energy = energy + anchor_weight * ((q - begun).square().sum(-1) + TRANSL_WEIGHT * (place - at).square().sum(-1)).mean()
            if self.smooth and len(q) > 2:
                energy = energy + self.smooth * (_squared_accelerations(q) + TRANSL_WEIGHT * _squared_accelerations(place)) / len(q)
            return energy

        _minimize_lbfgs([free, betas, place], energy, steps)
        self.free, self.betas, self.transl = free.detach(), betas.detach(), place.detach()

    def limit_prior(self, q):
        """E_pose of the paper: exp(low - x)^2 + exp(x - high)^2, the mean over the limited angles and frames."""
        x = q[:, self.limited]
        return (torch.exp(2 * (self.low[self.limited] - x)) + torch.exp(2 * (x - self.high[self.limited]))).mean()

    def result(self):
        """q, betas, transl as numpy."""
        return tuple(each.detach().cpu().numpy().astype(float) for each in (self.angles(self.free), self.betas, self.transl))

    @torch.no_grad()
    def error(self, q, betas, transl):
        """2D error of each frame, (F,) px: the mean over joints, weighted by confidence; 0 where nothing is seen."""
        new = self.seen.new_tensor
        distance = self.residuals(new(np.asarray(q)), new(np.asarray(betas)), new(np.asarray(transl)))[0].norm(dim=-1)
        weights = self.confidence
        return ((weights * distance).sum(1) / weights.sum(1).clamp_min(1e-6)).cpu().numpy().astype(float)


def _minimize_lbfgs(parameters, energy, steps):
    optimiser = torch.optim.LBFGS(parameters, lr=1, max_iter=steps, history_size=12, line_search_fn="strong_wolfe")

    def closure():
        optimiser.zero_grad()
        value = energy()
        value.backward()
        return value

    optimiser.step(closure)


def _squared_accelerations(values):
    """How much values (F,C) bend over time: the sum of squared second differences."""
    return (values[2:] - 2 * values[1:-1] + values[:-2]).square().sum()
