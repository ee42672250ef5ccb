"""Lifters tuned for PC-HMR: on the open body's joints, on clips or single frames, and serially on the generator's own 2D."""

import time

import numpy as np
import torch

from blender_meshrec.core.skeletons import H36M17, SMPL_JOINTS
from blender_meshrec.methods.hmr import project_weak_perspective
from blender_meshrec.methods.pc_hmr import BONES, initial_weights
from scripts.train.calibration.detector_noise import detect_keypoints, generator_inputs
from scripts.train.calibration.filmed_windows import film_joints, unpack_silhouettes
from scripts.train.calibration.mesh_and_pose_streams import lift_keypoints, scale_to_body
from scripts.train.optimisation import RunningMean, optimise

FRAMES = 81
WARM_UP = 100


def tune_lifter(experiment, clips, lifter, batch, steps, rate, serial, by_frame, varied, seed):
    """Tune a lifter with pose supervision, in place; gives the seconds it took.

    clips: `read_clips`. batch: windows of a step. serial: it sees the generator's joints in the picture (eq. 3). by_frame: it sees
    single frames. varied: poses that nobody took, too.
    """
    lifter.requires_grad_(True)
    weights = _weights(experiment.template)
    optimiser, begun, running = torch.optim.Adam(lifter.parameters(), lr=rate), time.perf_counter(), RunningMean()
    for step in range(steps):
        rng = np.random.default_rng([seed, 7, step])
        optimiser.param_groups[0]["lr"] = rate * min(1, (step + 1) / WARM_UP) * 0.5 * (1 + np.cos(np.pi * step / steps))
        points, true = _draw(rng, experiment, clips, batch, serial, varied)
        loss = ((scale_to_body(lift_keypoints(lifter, *points, by_frame), true, FRAMES) - true).norm(dim=-1) * weights).mean()
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
def restore_unit_scale(experiment, clips, lifter, seed):
    """Bring a tuned lifter's poses back to the unit of the bone-length sum, in place: `tune_lifter` scales them to size, and loses it."""
    points, _ = _draw(np.random.default_rng([seed, 8]), experiment, clips, 16, serial=False, varied=False)
    poses = lift_keypoints(lifter, *points)
    parents, children = (list(ends) for ends in zip(*BONES))
    total = (poses[:, children] - poses[:, parents]).norm(dim=-1).sum(1).median()
    lifter.out.weight /= total
    lifter.out.bias /= total


@torch.no_grad()
def _draw(rng, experiment, clips, batch, serial, varied):
    """Rays (W,F,17,2) and confidence (W,F,17), and true joints (W*F,17,3) about the hip."""
    pool = film_joints(rng, experiment.body, clips, batch, FRAMES, varied)
    points = detect_keypoints(rng, pool)
    betas = pool.betas[:, None].expand(-1, FRAMES, -1).flatten(0, 1)
    true = _joints(experiment.body, betas, pool.rotmats.flatten(0, 1))
    if serial:
        windows = pool.windows.flatten(0, 1)
        said = experiment.hmr(
            *(each.flatten(0, 1) for each in generator_inputs(rng, pool, *points, unpack_silhouettes(pool.silhouettes), none=1))
        )
        shown = project_weak_perspective(_joints(experiment.body, said.betas, said.rotmats), said.camera, windows)
        points = shown.unflatten(0, pool.transl.shape[:2]), torch.ones_like(points[1])
    return points, true


def _joints(body, betas, rotmats):
    """h36m17 (N,17,3) about the hip, the "nose" being the head's joint."""
    arguments = betas, rotmats[:, 0], rotmats[:, 1:]
    joints = body.h36m17(*arguments).clone()
    joints[:, H36M17.index("nose")] = body.joints(*arguments)[:, SMPL_JOINTS.index("head")]
    return joints - joints[:, :1]


def _weights(template):
    """How much each joint counts (17,): half alike, half by how much skin hangs on the bone that ends there."""
    share = torch.zeros(len(H36M17))
    skin = torch.as_tensor(initial_weights(template)[0].sum(0) / len(template.v_template), dtype=torch.float32)
    share[[child for _, child in BONES]] = skin
    return 0.5 + 0.5 * len(H36M17) * share
