"""Fine-tuning of lifters for PC-HMR: on the open body's joints, on clips or single frames, or serially on the generator's 2D joints."""

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from blender_meshrec.bodies.smpl import Smpl
from blender_meshrec.core.files.body_template import BodyTemplate
from blender_meshrec.core.skeletons import H36M17, SMPL_JOINTS
from blender_meshrec.methods.hmr import project_weak_perspective
from blender_meshrec.methods.pc_hmr import BONES, initial_weights
from blender_meshrec.methods.skeleton2mesh import Lifter
from scripts.train.calibration.detector_noise import detect_keypoints, generator_inputs
from scripts.train.calibration.experiment import Experiment
from scripts.train.calibration.filmed_windows import MotionClip, film_joints, unpack_silhouettes
from scripts.train.calibration.mesh_and_pose_streams import lift_keypoints, scale_to_body
from scripts.train.optimisation import RunningMean, optimise

FRAMES = 81
WARM_UP = 100


class TuningPlan(NamedTuple):
    """One fine-tuning run.

    first: the plan whose result it starts from; None for Skeleton2Mesh's lifter. serial: the input is the generator's 2D joints (eq. 3).
    by_frame: the lifter sees single frames. varied: perturbed poses too. batch: windows of a step. rate: the highest learning rate.
    """

    first: str | None
    serial: bool
    by_frame: bool
    varied: bool
    batch: int
    steps: int
    rate: float


def tune_lifter(experiment: Experiment, clips: Sequence[MotionClip], lifter: Lifter, plan: TuningPlan, seed: int) -> float:
    """Fine-tune a lifter with pose supervision, in place; returns the seconds it took. clips: of `read_split_clips`."""
    _, serial, by_frame, varied, batch, steps, rate = plan
    lifter.requires_grad_(True)
    weights = _weights(experiment.template)
    optimiser, begun, running = torch.optim.Adam(lifter.parameters(), lr=rate), time.perf_counter(), RunningMean()
    for step in range(steps):
        rng = np.random.default_rng([seed, 7, step])
        optimiser.param_groups[0]["lr"] = rate * min(1, (step + 1) / WARM_UP) * 0.5 * (1 + np.cos(np.pi * step / steps))
        rays, confidence, true = _draw_batch(rng, experiment, clips, batch, serial, varied)
        loss = ((scale_to_body(lift_keypoints(lifter, rays, confidence, by_frame), true, FRAMES) - true).norm(dim=-1) * weights).mean()
        optimise(optimiser, loss, lifter)
        running.update({"loss": loss.item()})
        if (step + 1) % 100 == 0:
            kind = "serial" if serial else "parallel"
            print(
                f"lifter {kind} {by_frame=} step {step + 1} {1000 * running.values['loss']:.1f} mm, {time.perf_counter() - begun:.0f} s",
                flush=True,
            )
    lifter.requires_grad_(False)
    return time.perf_counter() - begun


@torch.no_grad()
def restore_unit_scale(experiment: Experiment, clips: Sequence[MotionClip], lifter: Lifter, seed: int) -> None:
    """Scale the last layer of a tuned lifter, in place, so that the sum of the bone lengths is one again.

    The loss of `tune_lifter` does not depend on the scale.
    """
    rays, confidence, _ = _draw_batch(np.random.default_rng([seed, 8]), experiment, clips, 16, serial=False, varied=False)
    poses = lift_keypoints(lifter, rays, confidence)
    parents, children = (list(ends) for ends in zip(*BONES))
    total = (poses[:, children] - poses[:, parents]).norm(dim=-1).sum(1).median()
    for parameter in lifter.out.parameters():
        parameter /= total


@torch.no_grad()
def _draw_batch(
    rng: np.random.Generator, experiment: Experiment, clips: Sequence[MotionClip], batch: int, serial: bool, varied: bool
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Rays (W,F,17,2), confidence (W,F,17), and true joints (W*F,17,3) m relative to the hip."""
    pool = film_joints(rng, experiment.body, clips, batch, FRAMES, varied)
    rays, confidence = detect_keypoints(rng, pool)
    betas = pool.betas[:, None].expand(-1, FRAMES, -1).flatten(0, 1)
    true = _joints(experiment.body, betas, pool.rotmats.flatten(0, 1))
    if serial:
        windows = pool.windows.flatten(0, 1)
        points, silhouettes = generator_inputs(rng, pool, rays, confidence, unpack_silhouettes(pool.silhouettes), none=1)
        output = experiment.hmr(points.flatten(0, 1), silhouettes.flatten(0, 1))
        projected = project_weak_perspective(_joints(experiment.body, output.betas, output.rotmats), output.camera, windows)
        rays, confidence = projected.unflatten(0, pool.transl.shape[:2]), torch.ones_like(confidence)
    return rays, confidence, true


def _joints(body: Smpl, betas: torch.Tensor, rotmats: torch.Tensor) -> torch.Tensor:
    """The joints h36m17 (N,17,3) m relative to the hip; "nose" is the head joint, as in motion capture."""
    arguments = betas, rotmats[:, 0], rotmats[:, 1:]
    joints = body.h36m17(*arguments).clone()
    joints[:, H36M17.index("nose")] = body.joints(*arguments)[:, SMPL_JOINTS.index("head")]
    return joints - joints[:, :1]


def _weights(template: BodyTemplate) -> torch.Tensor:
    """Loss weights of the joints (17,): one half equal, one half proportional to the skin of the bone that ends at the joint."""
    fraction = torch.zeros(len(H36M17))
    skin = torch.as_tensor(initial_weights(template)[0].sum(0) / len(template.v_template), dtype=torch.float32)
    fraction[[child for _, child in BONES]] = skin
    return 0.5 + 0.5 * len(H36M17) * fraction
