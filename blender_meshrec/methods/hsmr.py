"""SKELify: SKEL's angles fitted to 2D keypoints, single images and clips.

Paper: Xia et al. 2025, "Reconstructing Humans with a Biomechanically Accurate Skeleton" (HSMR), main section 3.3 and supplement
S.3.1: E = sum_i c_i rho(pi(X_i) - x_i), eq. 2, with the Geman-McClure rho, + E_shape(betas) + E_pose(q), minimised by LBFGS with a
strong Wolfe line search; a fit is accepted only where the 2D error decreases. The paper's network is methods/hsmr_network.py.

Deviations and choices, ours:

* Confidences are weights as they are, as in the paper; its released code squares them.
* Pixels are measured in hundredths of the torso, so that rho's 100 is one torso.
* Angles are bounded, q = middle + half the range * sin(u), beside the paper's prior on limits: no joint can exceed them.
* A clip is fitted at once. `SMOOTH_WEIGHT` penalises accelerations of angles and position, `ANCHOR_WEIGHT` the distance of a
  refinement from its start: 2D keypoints alone do not determine the depth of a limb.
* A refinement's shape prior is centred on the betas it starts from, not on the mean body.
* Twelve limb joints are fitted: the only ones on which all detectors and SKEL agree.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..bodies.skel import Skel
from ..core.array_types import ArrayLike, BoolArray, FloatArray
from ..core.cameras import points_on_rays, rays_from_pixels
from ..core.skel.vocabulary import DOF_LIMITS, SKEL_JOINTS, clamp_to_limits, dof_index
from ..core.skeletons import LIMB_JOINTS

GEMAN_MCCLURE_SIGMA = 100.0  # hundredths of the torso
# Weights of the paper for the refinement of a given pose (reprojection 1, shape, angles), and its outer steps.
SHAPE_WEIGHT, ANGLE_WEIGHT, REFINE_STEPS = 5.0**2, (4.78 * 0.17) ** 2, 10
# Weights of the released code for a fit from nothing: first the camera, that is the root's rotation and position, on the torso;
# then four stages of shape and angle weights.
CAMERA_DEPTH_WEIGHT, CAMERA_REPROJECTION_WEIGHT = 100.0, 1.78
STAGE_WEIGHTS = ((100.0, 404.0), (50.0, 404.0), (10.0, 57.4), (5.0, 4.78))
STAGE_STEPS = 30
SMOOTH_WEIGHT, ANCHOR_WEIGHT = 2000.0, 1000.0  # per rad^2. Ours
TRANSL_WEIGHT = 25.0  # rad^2 that a m^2 of transl counts as. Ours
_SKEL_BONES = {"shoulder": "humerus", "elbow": "ulna", "wrist": "hand", "hip": "femur", "knee": "tibia", "ankle": "talus"}
SKEL_LIMB_JOINTS = [SKEL_JOINTS.index(f"{_SKEL_BONES[name.split('_')[1]]}_{name[0]}") for name in LIMB_JOINTS]
_TORSO = [row for row, name in enumerate(LIMB_JOINTS) if name.split("_")[1] in ("shoulder", "hip")]
_SHOULDERS, _HIPS = ([LIMB_JOINTS.index(f"{side}_{joint}") for side in ("left", "right")] for joint in ("shoulder", "hip"))
# The start of a fit from nothing: hanging arms and nearly straight knees.
_STANDING_ANGLES = {"shoulder_r_x": 1.2, "shoulder_l_x": -1.2, "knee_angle_r": 0.1, "knee_angle_l": 0.1}


@dataclass(frozen=True)
class SkelifyResult:
    """A fit: q (F,46) rad, betas (B,), transl (F,3) m.

    error, error_before: (F,) px, mean over the limb joints, weighted by confidence. improved: (F,), frames whose 2D error
    decreased; the others are as they were given.
    """

    q: FloatArray
    betas: FloatArray
    transl: FloatArray
    error: FloatArray
    error_before: FloatArray
    improved: BoolArray


def skelify(
    skel: Skel,
    keypoints: ArrayLike,
    keypoint_names: Sequence[str],
    intrinsics: ArrayLike,
    camera_from_body: ArrayLike,
    q: FloatArray | None = None,
    betas: FloatArray | None = None,
    transl: FloatArray | None = None,
    smooth_weight: float = SMOOTH_WEIGHT,
) -> SkelifyResult:
    """Fit SKEL to the 2D keypoints of one person.

    Args:
        keypoints: (F,K,3) px and confidence. keypoint_names: their K names, LIMB_JOINTS among them.
        intrinsics: (3,3) px. camera_from_body: (4,4) or (F,4,4), from the axes of q and transl (y up) to the camera's.
        q (F,46) rad, betas (B,), transl (F,3) m: the start; the fit is from nothing if one of them is None.
        smooth_weight: weight of the accelerations, 0 for none.

    Returns:
        a SkelifyResult. From nothing, every frame counts as improved.
    """
    observed = np.asarray(keypoints, float)[:, [list(keypoint_names).index(name) for name in LIMB_JOINTS]]
    camera = np.broadcast_to(np.asarray(camera_from_body, float), (len(observed), 4, 4))
    given = None if q is None or betas is None or transl is None else (q, betas, transl)
    q, betas, transl = given or _initial_guess(skel, observed, np.asarray(intrinsics, float), camera)
    fit = _SkelifyFit(skel, observed, intrinsics, camera, q, betas, transl, smooth_weight)
    before = fit.error(q, betas, transl)
    if given is None:
        fit.fit_camera()
        for shape_weight, angle_weight in STAGE_WEIGHTS:
            fit.fit_stage(shape_weight, angle_weight, STAGE_STEPS, anchor_weight=0.0)
    else:
        for _ in range(REFINE_STEPS):
            fit.fit_stage(SHAPE_WEIGHT, ANGLE_WEIGHT, 20, anchor_weight=ANCHOR_WEIGHT)
    fitted_q, fitted_betas, fitted_transl = fit.result()
    after = fit.error(fitted_q, fitted_betas, fitted_transl)
    improved = np.ones(len(observed), bool) if given is None else after < before
    return SkelifyResult(
        q=np.where(improved[:, None], fitted_q, q),
        betas=fitted_betas,
        transl=np.where(improved[:, None], fitted_transl, transl),
        error=np.where(improved, after, before),
        error_before=before,
        improved=improved,
    )


def _initial_guess(
    skel: Skel, observed: FloatArray, intrinsics: FloatArray, camera: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """q, betas, transl of a person who stands upright at the observed torso, and faces the camera or turns their back."""
    frames = len(observed)
    q = np.zeros((frames, len(DOF_LIMITS)))
    for name, value in _STANDING_ANGLES.items():
        q[:, dof_index(name)] = value
    q = clamp_to_limits(q)
    betas = np.zeros(skel.template.shapedirs.shape[-1])
    rest = skel.template.rest_joints(betas)[SKEL_LIMB_JOINTS]
    shoulders, hips = observed[:, _SHOULDERS], observed[:, _HIPS]
    # A person whose left shoulder is on the picture's left turns their back.
    turned_away = shoulders[:, 0, 0] < shoulders[:, 1, 0]
    facing = np.where(camera[:, 2, 2] < 0, 0.0, np.pi)  # the heading towards the camera
    q[:, 2] = facing + np.where(turned_away, np.pi, 0.0)
    torso = np.linalg.norm(shoulders[..., :2].mean(1) - hips[..., :2].mean(1), axis=-1)
    length = np.linalg.norm(rest[_SHOULDERS].mean(0) - rest[_HIPS].mean(0))
    depth = intrinsics[1, 1] * length / np.maximum(torso, 1.0)
    in_camera = points_on_rays(rays_from_pixels(observed[:, _TORSO, :2].mean(1), intrinsics), depth)
    in_body = np.einsum("fba,fb->fa", camera[:, :3, :3], in_camera - camera[:, :3, 3])
    return q, betas, in_body - rest[_TORSO].mean(0)


class _SkelifyFit:
    """One clip's energy and the present values of its unknowns: unbounded angles u, betas, transl."""

    def __init__(
        self,
        skel: Skel,
        observed: FloatArray,
        intrinsics: ArrayLike,
        camera: FloatArray,
        q: FloatArray,
        betas: FloatArray,
        transl: FloatArray,
        smooth: float,
    ) -> None:
        self.skel, self.smooth = skel, smooth
        new = skel.J_template.new_tensor
        self.observed, self.confidence = new(observed[..., :2]), new(np.clip(observed[..., 2], 0, 1))
        self.intrinsics, self.camera = new(np.asarray(intrinsics)), new(np.array(camera))
        torso = np.linalg.norm(observed[:, _SHOULDERS, :2].mean(1) - observed[:, _HIPS, :2].mean(1), axis=-1)
        # One scale for the clip: a torso filmed from above is short, and its pixels shall not weigh more.
        self.pixel = 100.0 / max(float(np.quantile(torso, 0.9)), 1.0)
        low, high = np.where(np.isfinite(DOF_LIMITS), DOF_LIMITS, [-1.0, 1.0]).T
        self.low, self.high = new(low), new(high)
        self.limited = torch.as_tensor(np.isfinite(DOF_LIMITS[:, 0]), device=skel.device)
        start = new(np.asarray(q))
        middle, half = (self.low + self.high) / 2, (self.high - self.low) / 2
        self.u = torch.where(self.limited, torch.asin(((start - middle) / half).clamp(-0.995, 0.995)), start)
        self.betas, self.transl = new(np.asarray(betas)), new(np.asarray(transl))
        self.start = start, self.betas.clone(), self.transl.clone()

    def angles(self, u: torch.Tensor) -> torch.Tensor:
        """Angles q (F,46) rad within their limits, of unbounded u (F,46); the pelvis's have no limits."""
        return torch.where(self.limited, (self.low + self.high) / 2 + (self.high - self.low) / 2 * torch.sin(u), u)

    def residuals(self, q: torch.Tensor, betas: torch.Tensor, transl: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """pi(X_i) - x_i, projected minus observed limb joints, (F,12,2) px, and the joints' depths (F,12) m."""
        joints = self.skel.joints(q, betas, transl)[:, SKEL_LIMB_JOINTS]
        joints = joints @ self.camera[:, :3, :3].transpose(1, 2) + self.camera[:, None, :3, 3]
        projected = joints @ self.intrinsics.T
        depth = projected[..., 2:].clamp_min(0.1)
        return projected[..., :2] / depth - self.observed, depth[..., 0]

    def reprojection(
        self, q: torch.Tensor, betas: torch.Tensor, transl: torch.Tensor, joints: list[int] | slice = slice(None)
    ) -> torch.Tensor:
        """Eq. 2, the mean over frames. Geman-McClure: rho(r) = s^2 r^2 / (s^2 + r^2)."""
        squared = (self.pixel * self.residuals(q, betas, transl)[0][:, joints]).square().sum(-1)
        return (self.confidence[:, joints] * GEMAN_MCCLURE_SIGMA**2 * squared / (GEMAN_MCCLURE_SIGMA**2 + squared)).sum(-1).mean()

    def limit_prior(self, q: torch.Tensor) -> torch.Tensor:
        """E_pose of the paper: exp(low - x)^2 + exp(x - high)^2, the mean over the limited angles and frames."""
        x = q[:, self.limited]
        return (torch.exp(2 * (self.low[self.limited] - x)) + torch.exp(2 * (x - self.high[self.limited]))).mean()

    def fit_camera(self) -> None:
        """Fit the root's rotation and position to the torso; its depth is held near the start's."""
        root, transl = self.u[:, :3].clone().requires_grad_(), self.transl.clone().requires_grad_()
        with torch.no_grad():
            start_depth = self.residuals(self.angles(self.u), self.betas, self.transl)[1][:, _TORSO].mean(1)

        def energy() -> torch.Tensor:
            q = torch.cat([root, self.angles(self.u)[:, 3:]], 1)
            depth = self.residuals(q, self.betas, transl)[1][:, _TORSO].mean(1)
            return (
                CAMERA_REPROJECTION_WEIGHT * self.reprojection(q, self.betas, transl, _TORSO)
                + CAMERA_DEPTH_WEIGHT * (depth - start_depth).square().mean()
            )

        _minimize_lbfgs([root, transl], energy, STAGE_STEPS)
        self.u = torch.cat([root.detach(), self.u[:, 3:]], 1)
        self.transl = transl.detach()

    def fit_stage(self, shape_weight: float, angle_weight: float, steps: int, anchor_weight: float) -> None:
        """One stage over all unknowns: E_kp2D + E_shape + E_pose, and our anchor and smoothness."""
        u, betas, transl = (value.clone().requires_grad_() for value in (self.u, self.betas, self.transl))
        start_q, start_betas, start_transl = self.start
        mean_betas = start_betas if anchor_weight else 0

        def energy() -> torch.Tensor:
            q = self.angles(u)
            total = (
                self.reprojection(q, betas, transl)
                + shape_weight * (betas - mean_betas).square().sum()
                + angle_weight * self.limit_prior(q)
            )
            if anchor_weight:
                from_start = (q - start_q).square().sum(-1) + TRANSL_WEIGHT * (transl - start_transl).square().sum(-1)
                total = total + anchor_weight * from_start.mean()
            if self.smooth and len(q) > 2:
                total = total + self.smooth * (_squared_accelerations(q) + TRANSL_WEIGHT * _squared_accelerations(transl)) / len(q)
            return total

        _minimize_lbfgs([u, betas, transl], energy, steps)
        self.u, self.betas, self.transl = u.detach(), betas.detach(), transl.detach()

    def result(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """q, betas, transl as numpy."""
        return _to_numpy(self.angles(self.u)), _to_numpy(self.betas), _to_numpy(self.transl)

    @torch.no_grad()
    def error(self, q: FloatArray, betas: FloatArray, transl: FloatArray) -> FloatArray:
        """2D error of each frame, (F,) px: the mean over joints, weighted by confidence; 0 where nothing is observed."""
        new = self.observed.new_tensor
        distance = self.residuals(new(np.asarray(q)), new(np.asarray(betas)), new(np.asarray(transl)))[0].norm(dim=-1)
        weights = self.confidence
        return _to_numpy((weights * distance).sum(1) / weights.sum(1).clamp_min(1e-6))


def _to_numpy(values: torch.Tensor) -> FloatArray:
    return values.detach().cpu().numpy().astype(float)


def _minimize_lbfgs(parameters: list[torch.Tensor], energy: Callable[[], torch.Tensor], steps: int) -> None:
    """LBFGS with a strong Wolfe line search; the parameters are changed in place."""
    optimiser = torch.optim.LBFGS(parameters, lr=1, max_iter=steps, history_size=12, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        value = energy()
        value.backward()
        return value

    optimiser.step(closure)


def _squared_accelerations(values: torch.Tensor) -> torch.Tensor:
    """The sum of squared second differences over time of values (F,C)."""
    return (values[2:] - 2 * values[1:-1] + values[:-2]).square().sum()
