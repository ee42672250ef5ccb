"""The paper's unsupervised training of a lifter: 2D poses alone, no 3D joint is ever shown to it.

Paper: Skeleton2Mesh, supplement section 1 (after Chen et al. 2019): lift, turn by a random rotation, project, lift again,
turn back. What was lifted twice must agree, what comes back must project to where it began, and a discriminator must not tell
the turned projections from real poses. Network and discriminator are the paper's: five and two residual blocks of kernel 1, the
discriminator without batch normalisation.

Choices the paper leaves open, ours: depths are lifted, each joint staying on its ray; the distance of the camera follows from
the size of the 2D pose, so that projection is perspective; weights of the losses; width 256 and 256 poses a step, for a CPU.

Two additions, ours, both facts of anatomy, in the paper's own words a kinematics prior. Seen from one view, a pose and its image
mirrored in depth are the same 2D pose to the last pixel, and runs ended in either: knees that bend backwards are penalised. And
bones have two sides alike, and much the same proportions in everybody, whatever these are: what differs within a batch is penalised.
"""

import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from blender_meshrec.core.metrics import pa_mpjpe
from blender_meshrec.core.skeletons import H36M17, H36M17_PARENTS, limb_indices
from blender_meshrec.methods.skeleton2mesh import H36M17_MIRROR, TOTAL_BONE_LENGTH, rotation_to_optical_axis
from scripts.train.data.camera_views import SET_NAMES, film_bodies, film_clip
from scripts.train.data.motion_augmentation import WindowSampler
from scripts.train.optimisation import optimise

JOINTS = len(H36M17)
H36M = SET_NAMES.index("h36m17")
WIDTH, BATCH, LEARNING_RATE = 256, 256, 4e-4
DECAY_FRACTION = 0.4  # the last share of the steps, over which the rate falls to zero
EMA_DECAY = 0.998  # of the lifter's weights: adversaries chase each other, their mean is steadier than either
NUM_POSES = 100_000  # 2D poses that are drawn from
MAX_ELEVATION, MAX_ROLL = np.pi / 9, np.pi / 18
DISCRIMINATOR_NOISE = 0.04  # of the pose's size: noise on all that the judge sees, lest it wins by what no eye would find
# Weights: adversary, reprojection, agreement of what is lifted twice, knees.
ADVERSARIAL_WEIGHT, REPROJECTION_WEIGHT, CONSISTENCY_WEIGHT, KNEE_WEIGHT = 1.0, 10.0, 1.0, 1.0
PROPORTION_WEIGHT = 2.0  # of a recipe that has it
_NEAREST = 0.3  # of the camera's distance: nothing comes closer
_PARENTS = torch.tensor(H36M17_PARENTS)
_OPPOSITE_BONE = [joint - 1 for joint in H36M17_MIRROR[1:]]  # of the bone that ends in a joint, the one on the other side
_HIPS = [H36M17.index("left_hip"), H36M17.index("right_hip")]
_LEGS = [[H36M17.index(f"{side}_{joint}") for joint in ("hip", "knee", "ankle")] for side in ("left", "right")]


@dataclass(frozen=True)
class Recipe:
    """The adversarial loss, "least squares" or "bce", the largest azimuth, rad, and whether proportions count (not in the paper)."""

    adversary: str = "least squares"
    azimuth: float = 7 * np.pi / 9
    proportions: bool = True


# The rows of the paper's table 1.
ABLATION = tuple(Recipe(*row, proportions=False) for row in (("bce", np.pi), ("least squares", np.pi), ("least squares", 7 * np.pi / 9)))


class ResidualNetwork(nn.Module):
    """The paper's residual blocks on 2D poses (B,34): one Res1, then Res2; linear layers are its convolutions of kernel 1."""

    def __init__(self, outputs, blocks, norm):
        super().__init__()
        self.enter = _layer(2 * JOINTS, norm)
        self.main = nn.ModuleList(nn.Sequential(_layer(WIDTH, norm), _layer(WIDTH, norm)) for _ in range(blocks))
        self.skip = nn.ModuleList(nn.Linear(2 * JOINTS + WIDTH * (block > 0), WIDTH) for block in range(blocks))
        self.out = nn.Linear(WIDTH, outputs)

    def forward(self, points):
        features = self.main[0](self.enter(points)) + self.skip[0](points)
        for main, skip in zip(self.main[1:], self.skip[1:]):
            features = main(features) + skip(torch.cat([features, points], -1))
        return self.out(features)


def _layer(inputs, norm):
    if norm:
        return nn.Sequential(nn.Linear(inputs, WIDTH, bias=False), nn.BatchNorm1d(WIDTH), nn.ReLU())
    return nn.Sequential(nn.Linear(inputs, WIDTH), nn.LeakyReLU(0.2))


def train_unsupervised(clips, recipe, steps, seed, device="cpu", log=print):
    """Train a lifter of single 2D poses; returns the mean network and the seconds it took."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    poses, distances = (each.to(device) for each in draw_poses(rng, clips, NUM_POSES))
    lifter, judge = ResidualNetwork(JOINTS, 5, norm=True).to(device), ResidualNetwork(1, 2, norm=False).to(device)
    optimisers = [torch.optim.Adam(network.parameters(), lr=LEARNING_RATE, betas=(0.5, 0.99)) for network in (lifter, judge)]
    mean = torch.optim.swa_utils.AveragedModel(lifter, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(EMA_DECAY), use_buffers=True)
    begun, running = time.perf_counter(), np.zeros(5)
    for step in range(steps):
        for optimiser in optimisers:
            optimiser.param_groups[0]["lr"] = LEARNING_RATE * min(1, (steps - step) / (DECAY_FRACTION * steps))
        rows, others = torch.as_tensor(rng.integers(len(poses), size=(2, BATCH)), device=device)
        losses, turned = _lifter_losses(lifter, judge, poses[rows], distances[rows], recipe)
        optimise(optimisers[0], sum(losses), lifter)
        mean.update_parameters(lifter)
        optimise(optimisers[1], _discriminator_loss(judge, poses[others], turned.detach(), recipe), judge)
        running += [loss.item() for loss in losses]
        if (step + 1) % 500 == 0:
            named = zip(("adversary", "reprojection", "agreement", "knees", "proportions"), running / 500)
            log(f"step {step + 1} " + " ".join(f"{name} {value:.4f}" for name, value in named))
            running[:] = 0
    return mean.module.eval(), time.perf_counter() - begun


def _lifter_losses(lifter, judge, poses, distances, recipe):
    """The weighted losses of the lifter, and the turned projections (B,17,2) that the judge is shown."""
    joints = lift_poses(lifter, poses, distances)
    turn = random_rotations(len(poses), recipe.azimuth, poses.device)
    turned = joints @ turn.transpose(-1, -2)
    seen = project(turned, distances)
    again = lift_poses(lifter, seen, distances)
    back = project(again @ turn, distances)
    verdict = judge(add_noise(seen))
    adversary = functional.binary_cross_entropy_with_logits(verdict, torch.ones_like(verdict))
    if recipe.adversary == "least squares":
        adversary = (verdict - 1).square().mean()
    agreement = (again - turned).square().sum(-1).mean()
    reprojection = (back - poses).square().sum(-1).mean()
    losses = (
        ADVERSARIAL_WEIGHT * adversary,
        REPROJECTION_WEIGHT * reprojection,
        CONSISTENCY_WEIGHT * agreement,
        KNEE_WEIGHT * knee_hyperextension(joints),
    )
    return (*losses, PROPORTION_WEIGHT * recipe.proportions * bone_proportion_variance(joints)), seen


def _discriminator_loss(judge, real, made, recipe):
    real, made = judge(add_noise(real)), judge(add_noise(made))
    if recipe.adversary == "least squares":
        return (real - 1).square().mean() + made.square().mean()
    loss = functional.binary_cross_entropy_with_logits
    return loss(real, torch.ones_like(real)) + loss(made, torch.zeros_like(made))


def add_noise(poses):
    """Poses (B,17,2) with noise, (B,34)."""
    return (poses + DISCRIMINATOR_NOISE * torch.randn_like(poses)).flatten(1)


def lift_poses(lifter, poses, distances):
    """Poses (B,17,2) about the hip, seen from distances (B,1), as joints (B,17,3); lengths are in units of the pose's size."""
    depth = lifter(poses.flatten(1))
    depth = depth - depth[:, :1]
    return torch.cat([poses * (1 + depth / distances).clamp_min(_NEAREST)[..., None], depth[..., None]], -1)


def lift_with_mirror(lifter, poses, distances):
    """`lift_poses` of poses and of their mirror images, averaged."""
    flip = torch.tensor([-1.0, 1.0, 1.0]).to(poses)
    mirror = lift_poses(lifter, poses[:, H36M17_MIRROR] * flip[:2], distances)[:, H36M17_MIRROR] * flip
    return 0.5 * (lift_poses(lifter, poses, distances) + mirror)


def project(joints, distances):
    """Joints (B,17,3) about the hip as poses (B,17,2), seen from distances (B,1)."""
    return joints[..., :2] / (1 + joints[..., 2:] / distances[..., None]).clamp_min(_NEAREST)


def random_rotations(count, azimuth, device):
    """Rotations (B,3,3): about y, then x, then z, each angle uniform in its range."""
    angles = (2 * torch.rand(3, count, device=device) - 1) * torch.tensor([[azimuth], [MAX_ELEVATION], [MAX_ROLL]], device=device)
    return _about(2, angles[2]) @ _about(0, angles[1]) @ _about(1, angles[0])


def _about(axis, angle):
    one, two = (axis + 1) % 3, (axis + 2) % 3
    matrix = torch.zeros(len(angle), 3, 3, device=angle.device)
    matrix[:, axis, axis] = 1
    matrix[:, one, one] = matrix[:, two, two] = angle.cos()
    matrix[:, two, one], matrix[:, one, two] = angle.sin(), -angle.sin()
    return matrix


def knee_hyperextension(joints):
    """How far knees bend the wrong way: the part of thigh x shin that points from the left hip to the right one."""
    across = functional.normalize(joints[:, _HIPS[0]] - joints[:, _HIPS[1]] + 1e-6, dim=-1)
    wrong = 0
    for hip, knee, ankle in _LEGS:
        bend = torch.linalg.cross(joints[:, knee] - joints[:, hip], joints[:, ankle] - joints[:, knee], dim=-1)
        wrong = wrong + torch.relu(-(bend * across).sum(-1)).mean()
    return wrong


def bone_proportion_variance(joints):
    """How much bones of joints (B,17,3) differ, as shares of a body's bones: between sides, and from body to body."""
    lengths = (joints[:, 1:] - joints[:, _PARENTS[1:]]).square().sum(-1).add(1e-4).sqrt()
    shares = (lengths / lengths.sum(1, keepdim=True)).log()
    return shares.var(0).mean() + (shares - shares[:, _OPPOSITE_BONE]).square().mean()


def normalise_rays(rays):
    """Rays (..., 17, 2) as poses about the hip, of size 1, the camera's distance in that size, and the rotation to undo, (...,3,3)."""
    rays = torch.as_tensor(rays)
    turn = rotation_to_optical_axis(rays[..., 0, :])
    directions = torch.cat([rays, torch.ones_like(rays[..., :1])], -1) @ turn.transpose(-1, -2)
    poses = directions[..., :2] / directions[..., 2:]
    poses = poses - poses[..., :1, :]
    size = poses[..., 1:, :].square().sum(-1).mean(-1).sqrt()
    return poses / size[..., None, None], 1 / size[..., None], turn


def draw_poses(rng, clips, count):
    """About so many 2D poses (N,17,2) with their distances (N,1), of varied motion seen by random cameras without noise."""
    windows, frames, batch = WindowSampler(clips, 9), 3, 256
    poses, distances = [], []
    for _ in range(count // (batch * frames)):
        views = film_bodies(rng, *windows.draw(rng, batch), sets=[H36M] * batch, noisy=False)
        every = slice(None, None, 9 // frames + 1)
        seen, far, _turn = normalise_rays(views.rays[:, every, :JOINTS])
        valid = torch.as_tensor(views.valid[:, every])
        poses.append(seen[valid])
        distances.append(far[valid])
    return torch.cat(poses), torch.cat(distances)


@torch.no_grad()
def evaluate_unsupervised(lifter, clips, cameras=4, seed=7, device="cpu"):
    """PA-MPJPE over the twelve limb joints, mm, on the same clips and cameras as the supervised lifter's clean row."""
    limbs, by_clip = limb_indices(H36M17), []
    for number, clip in enumerate(clips):
        views = film_clip(np.random.default_rng([seed, number]), clip, "h36m17", cameras, noisy=False)
        errors = []
        for camera in range(cameras):
            poses, distances, turn = (each.to(device) for each in normalise_rays(views.rays[camera, :, :JOINTS]))
            joints = (lift_with_mirror(lifter, poses, distances) @ turn).cpu().numpy()
            valid = views.valid[camera]
            errors.append(pa_mpjpe(joints[valid][:, limbs], TOTAL_BONE_LENGTH * views.joints[camera][valid][:, limbs]))
        by_clip.append(float(np.mean(errors)))
    walks = [error for error, clip in zip(by_clip, clips) if "walk" in clip.text]
    return {"all": round(float(np.mean(by_clip)), 2), "walking": round(float(np.mean(walks)), 2)}
