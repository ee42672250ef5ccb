"""The paper's unsupervised training of a lifter, from 2D poses without any 3D joints.

Paper: Skeleton2Mesh, supplement section 1 (after Chen et al. 2019). A pose is lifted, rotated randomly, projected, lifted again and
rotated back. The two lifted poses must agree, the pose that was rotated back must project to the input, and a discriminator must not
distinguish the projections of rotated poses from real poses. Network and discriminator are the paper's: five and two residual blocks of
kernel size 1, the discriminator without batch normalisation.

Choices that the paper leaves open, ours: the network predicts depths, so each joint stays on its ray; the camera's distance follows from
the size of the 2D pose, so the projection is perspective; the weights of the losses; width 256 and 256 poses per step, for a CPU.

Additions, ours, in the paper's words a kinematics prior. A pose and its mirror image in depth have the same projection,
and runs converged to either: the loss penalises knees that bend backwards. Left and right bones have equal lengths, and people
have similar proportions: the loss penalises differences of proportions within a batch.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from blender_meshrec.bodies.alignment import rotation_to_optical_axis
from blender_meshrec.bodies.tensors import TensorLike
from blender_meshrec.core.metrics import pa_mpjpe
from blender_meshrec.core.skeletons import H36M17, H36M17_PARENTS, limb_indices
from blender_meshrec.methods.lifter.lifter_input import H36M17_MIRROR, TOTAL_BONE_LENGTH
from scripts.train.data.camera_views import SET_NAMES, film_bodies, film_clip
from scripts.train.data.motion_augmentation import WindowSampler
from scripts.train.data.motion_clips import Clip
from scripts.train.optimisation import optimise, sum_losses

JOINTS = len(H36M17)
H36M = SET_NAMES.index("h36m17")
WIDTH, BATCH, LEARNING_RATE = 256, 256, 4e-4
DECAY_FRACTION = 0.4  # of the steps, at the end: the rate falls to zero
EMA_DECAY = 0.998  # of the lifter's weights: the average varies less than the weights of adversarial training
NUM_POSES = 100_000  # 2D poses in the training set
MAX_ELEVATION, MAX_ROLL = np.pi / 9, np.pi / 18  # rad
DISCRIMINATOR_NOISE = 0.04  # of the pose's size: noise on the discriminator's inputs, so that it ignores details below the noise
ADVERSARIAL_WEIGHT, REPROJECTION_WEIGHT, CONSISTENCY_WEIGHT, KNEE_WEIGHT = 1.0, 10.0, 1.0, 1.0
PROPORTION_WEIGHT = 2.0  # in recipes with the proportion prior
_NEAREST = 0.3  # of the camera's distance: the smallest depth
_PARENTS = torch.tensor(H36M17_PARENTS)
_OPPOSITE_BONE = [joint - 1 for joint in H36M17_MIRROR[1:]]  # for the bone that ends at a joint
_HIPS = [H36M17.index("left_hip"), H36M17.index("right_hip")]
_LEGS = [[H36M17.index(f"{side}_{joint}") for joint in ("hip", "knee", "ankle")] for side in ("left", "right")]


@dataclass(frozen=True)
class Recipe:
    """The adversarial loss, "least squares" or "bce"; the largest azimuth, rad; and whether to use the proportion prior (ours)."""

    adversary: str = "least squares"
    azimuth: float = 7 * np.pi / 9
    proportions: bool = True


# The rows of the paper's table 1.
ABLATION = tuple(Recipe(*row, proportions=False) for row in (("bce", np.pi), ("least squares", np.pi), ("least squares", 7 * np.pi / 9)))


class ResidualNetwork(nn.Module):
    """The paper's residual blocks on 2D poses (B,34): one Res1, then Res2; linear layers are its convolutions of kernel size 1."""

    def __init__(self, outputs: int, blocks: int, norm: bool) -> None:
        super().__init__()
        self.enter = _layer(2 * JOINTS, norm)
        self.main = nn.ModuleList(nn.Sequential(_layer(WIDTH, norm), _layer(WIDTH, norm)) for _ in range(blocks))
        self.skip = nn.ModuleList(nn.Linear(2 * JOINTS + WIDTH * (block > 0), WIDTH) for block in range(blocks))
        self.out = nn.Linear(WIDTH, outputs)

    def forward(self, points: torch.Tensor) -> torch.Tensor:
        features = self.main[0](self.enter(points)) + self.skip[0](points)
        for main, skip in zip(self.main[1:], self.skip[1:]):
            features = main(features) + skip(torch.cat([features, points], -1))
        return self.out(features)


def _layer(inputs: int, norm: bool) -> nn.Sequential:
    """A linear layer with its activation; norm: with batch normalisation."""
    if norm:
        return nn.Sequential(nn.Linear(inputs, WIDTH, bias=False), nn.BatchNorm1d(WIDTH), nn.ReLU())
    return nn.Sequential(nn.Linear(inputs, WIDTH), nn.LeakyReLU(0.2))


def train_unsupervised(
    clips: Sequence[Clip],
    recipe: Recipe,
    steps: int,
    seed: int,
    device: torch.device | str = "cpu",
    log: Callable[[str], object] = print,
) -> tuple[nn.Module, float]:
    """Train a lifter of single 2D poses; returns the network with averaged weights and the seconds it took."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    poses, distances = (each.to(device) for each in draw_poses(rng, clips, NUM_POSES))
    lifter, discriminator = ResidualNetwork(JOINTS, 5, norm=True).to(device), ResidualNetwork(1, 2, norm=False).to(device)
    optimisers = [torch.optim.Adam(network.parameters(), lr=LEARNING_RATE, betas=(0.5, 0.99)) for network in (lifter, discriminator)]
    mean = torch.optim.swa_utils.AveragedModel(lifter, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(EMA_DECAY), use_buffers=True)
    begun, running = time.perf_counter(), np.zeros(5)
    for step in range(steps):
        for optimiser in optimisers:
            optimiser.param_groups[0]["lr"] = LEARNING_RATE * min(1, (steps - step) / (DECAY_FRACTION * steps))
        rows, others = torch.as_tensor(rng.integers(len(poses), size=(2, BATCH)), device=device)
        losses, projections = _lifter_losses(lifter, discriminator, poses[rows], distances[rows], recipe)
        optimise(optimisers[0], sum_losses(losses), lifter)
        mean.update_parameters(lifter)
        optimise(optimisers[1], _discriminator_loss(discriminator, poses[others], projections.detach(), recipe), discriminator)
        running += [loss.item() for loss in losses]
        if (step + 1) % 500 == 0:
            named = zip(("adversary", "reprojection", "consistency", "knees", "proportions"), running / 500)
            log(f"step {step + 1} " + " ".join(f"{name} {value:.4f}" for name, value in named))
            running[:] = 0
    return mean.module.eval(), time.perf_counter() - begun


def _lifter_losses(
    lifter: nn.Module, discriminator: nn.Module, poses: torch.Tensor, distances: torch.Tensor, recipe: Recipe
) -> tuple[tuple[torch.Tensor, ...], torch.Tensor]:
    """The weighted losses of the lifter, and the projections of rotated poses (B,17,2), the discriminator's generated input."""
    joints = lift_poses(lifter, poses, distances)
    rotmats = random_rotations(len(poses), recipe.azimuth, poses.device)
    rotated = joints @ rotmats.transpose(-1, -2)
    projections = project(rotated, distances)
    lifted_again = lift_poses(lifter, projections, distances)
    projected_back = project(lifted_again @ rotmats, distances)
    verdict = discriminator(add_noise(projections))
    adversary = functional.binary_cross_entropy_with_logits(verdict, torch.ones_like(verdict))
    if recipe.adversary == "least squares":
        adversary = (verdict - 1).square().mean()
    consistency = (lifted_again - rotated).square().sum(-1).mean()
    reprojection = (projected_back - poses).square().sum(-1).mean()
    losses = (
        ADVERSARIAL_WEIGHT * adversary,
        REPROJECTION_WEIGHT * reprojection,
        CONSISTENCY_WEIGHT * consistency,
        KNEE_WEIGHT * knee_hyperextension(joints),
        PROPORTION_WEIGHT * recipe.proportions * bone_proportion_variance(joints),
    )
    return losses, projections


def _discriminator_loss(discriminator: nn.Module, real: torch.Tensor, generated: torch.Tensor, recipe: Recipe) -> torch.Tensor:
    """The adversarial loss of the discriminator on real and generated poses (B,17,2)."""
    real_verdict, generated_verdict = discriminator(add_noise(real)), discriminator(add_noise(generated))
    if recipe.adversary == "least squares":
        return (real_verdict - 1).square().mean() + generated_verdict.square().mean()
    loss = functional.binary_cross_entropy_with_logits
    return loss(real_verdict, torch.ones_like(real_verdict)) + loss(generated_verdict, torch.zeros_like(generated_verdict))


def add_noise(poses: torch.Tensor) -> torch.Tensor:
    """Poses (B,17,2) with noise, flattened to (B,34)."""
    return (poses + DISCRIMINATOR_NOISE * torch.randn_like(poses)).flatten(1)


def lift_poses(lifter: nn.Module, poses: torch.Tensor, distances: torch.Tensor) -> torch.Tensor:
    """Lift poses (B,17,2) relative to the hip to joints (B,17,3); camera distances (B,1) and lengths are in units of the pose's size."""
    depth = lifter(poses.flatten(1))
    depth = depth - depth[:, :1]
    return torch.cat([poses * (1 + depth / distances).clamp_min(_NEAREST)[..., None], depth[..., None]], -1)


def lift_with_mirror(lifter: nn.Module, poses: torch.Tensor, distances: torch.Tensor) -> torch.Tensor:
    """The average of `lift_poses` over poses and their mirror images."""
    flip = torch.tensor([-1.0, 1.0, 1.0]).to(poses)
    mirror = lift_poses(lifter, poses[:, H36M17_MIRROR] * flip[:2], distances)[:, H36M17_MIRROR] * flip
    return 0.5 * (lift_poses(lifter, poses, distances) + mirror)


def project(joints: torch.Tensor, distances: torch.Tensor) -> torch.Tensor:
    """Project joints (B,17,3) relative to the hip to poses (B,17,2), from camera distances (B,1)."""
    return joints[..., :2] / (1 + joints[..., 2:] / distances[..., None]).clamp_min(_NEAREST)


def random_rotations(count: int, azimuth: float, device: torch.device | str) -> torch.Tensor:
    """Rotations (B,3,3) about y, then x, then z, with angles uniform in their ranges; azimuth: largest angle about y, rad."""
    angles = (2 * torch.rand(3, count, device=device) - 1) * torch.tensor([[azimuth], [MAX_ELEVATION], [MAX_ROLL]], device=device)
    return _axis_rotations(2, angles[2]) @ _axis_rotations(0, angles[1]) @ _axis_rotations(1, angles[0])


def _axis_rotations(axis: int, angle: torch.Tensor) -> torch.Tensor:
    """Rotations (B,3,3) about a coordinate axis by angles (B,) rad."""
    one, two = (axis + 1) % 3, (axis + 2) % 3
    matrix = torch.zeros(len(angle), 3, 3, device=angle.device)
    matrix[:, axis, axis] = 1
    matrix[:, one, one] = matrix[:, two, two] = angle.cos()
    matrix[:, two, one], matrix[:, one, two] = angle.sin(), -angle.sin()
    return matrix


def knee_hyperextension(joints: torch.Tensor) -> torch.Tensor:
    """The amount that knees bend backwards: the component of thigh x shin that points from the left hip to the right hip."""
    across = functional.normalize(joints[:, _HIPS[0]] - joints[:, _HIPS[1]] + 1e-6, dim=-1)
    backward = []
    for hip, knee, ankle in _LEGS:
        bend = torch.linalg.cross(joints[:, knee] - joints[:, hip], joints[:, ankle] - joints[:, knee], dim=-1)
        backward.append(torch.relu(-(bend * across).sum(-1)).mean())
    return sum_losses(backward)


def bone_proportion_variance(joints: torch.Tensor) -> torch.Tensor:
    """Differences of the log bone proportions of joints (B,17,3): variance between bodies, and squared differences between the sides."""
    lengths = (joints[:, 1:] - joints[:, _PARENTS[1:]]).square().sum(-1).add(1e-4).sqrt()
    proportions = (lengths / lengths.sum(1, keepdim=True)).log()
    return proportions.var(0).mean() + (proportions - proportions[:, _OPPOSITE_BONE]).square().mean()


def normalise_rays(rays: TensorLike) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Normalise rays (...,17,2) to the optical axis and to size 1.

    Returns poses (...,17,2) relative to the hip, camera distances (...,1) in units of the pose's size, and the applied rotations (...,3,3).
    """
    rays = torch.as_tensor(rays)
    rotmats = rotation_to_optical_axis(rays[..., 0, :])
    directions = torch.cat([rays, torch.ones_like(rays[..., :1])], -1) @ rotmats.transpose(-1, -2)
    poses = directions[..., :2] / directions[..., 2:]
    poses = poses - poses[..., :1, :]
    size = poses[..., 1:, :].square().sum(-1).mean(-1).sqrt()
    return poses / size[..., None, None], 1 / size[..., None], rotmats


def draw_poses(rng: np.random.Generator, clips: Sequence[Clip], count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """About `count` 2D poses (N,17,2) and their camera distances (N,1), of augmented motion from random cameras without noise."""
    windows, frames, batch = WindowSampler(clips, 9), 3, 256
    poses: list[torch.Tensor] = []
    distances: list[torch.Tensor] = []
    for _ in range(count // (batch * frames)):
        views = film_bodies(rng, *windows.draw(rng, batch), sets=[H36M] * batch, noisy=False)
        every = slice(None, None, 9 // frames + 1)
        window_poses, window_distances, _rotmats = normalise_rays(views.rays[:, every, :JOINTS])
        valid = torch.as_tensor(views.valid[:, every])
        poses.append(window_poses[valid])
        distances.append(window_distances[valid])
    return torch.cat(poses), torch.cat(distances)


@torch.no_grad()
def evaluate_unsupervised(
    lifter: nn.Module, clips: Sequence[Clip], cameras: int = 4, seed: int = 7, device: torch.device | str = "cpu"
) -> dict[str, float]:
    """PA-MPJPE over the twelve limb joints, mm, on the same clips and cameras as the supervised lifter's clean row."""
    limbs = limb_indices(H36M17)
    by_clip: list[float] = []
    for number, clip in enumerate(clips):
        views = film_clip(np.random.default_rng([seed, number]), clip, "h36m17", cameras, noisy=False)
        errors: list[float] = []
        for camera in range(cameras):
            poses, distances, rotmats = (each.to(device) for each in normalise_rays(views.rays[camera, :, :JOINTS]))
            joints = (lift_with_mirror(lifter, poses, distances) @ rotmats).cpu().numpy()
            valid = views.valid[camera]
            errors.append(pa_mpjpe(joints[valid][:, limbs], TOTAL_BONE_LENGTH * views.joints[camera][valid][:, limbs]))
        by_clip.append(float(np.mean(errors)))
    walking = [error for error, clip in zip(by_clip, clips) if "walk" in clip.text]
    return {"all": round(float(np.mean(by_clip)), 2), "walking": round(float(np.mean(walking)), 2)}
