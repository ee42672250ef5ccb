"""Train the network of methods/dik_supervision.py: rotations from 3D joints, supervised by DIK and by motion capture.

    .venv/bin/python -m scripts.train.rotations MOCAP --state STATE.pt [--steps 2500]     train, or continue from STATE.pt
    .venv/bin/python -m scripts.train.rotations MOCAP --state STATE.pt --export           write addon_models/rotations.*
    .venv/bin/python -m scripts.train.rotations MOCAP --evaluate WEIGHTS                   measure on the test subjects

MOCAP is a folder with cmu_smpl24_A.npz and cmu_smpl24_B.npz (CMU Graphics Lab Motion Capture Database on SMPL's kinematic tree). Windows
of motion pose the open body with random betas. The network's input is DIK of its joints with simulated errors of a lifter.
TEST_SUBJECTS of scripts/train/data/recordings.py are not used for training.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import roma
import torch

from blender_meshrec.bodies.lbs import forward_kinematics, global_rotmats, smpl_tree
from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.bodies.smpl import Smpl
from blender_meshrec.core.array_types import AnyArray, FloatArray
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.rotations import rotmat_from_quat
from blender_meshrec.core.skeletons import SMPL_JOINTS, h36m17_weights_from_names
from blender_meshrec.methods import dik
from blender_meshrec.methods.dik_supervision import RotationNetwork, apply_network_twists, joints_in_pelvis_frame, read_network
from scripts.train.checkpoint import Checkpoint
from scripts.train.command_line import require_state, training_parser
from scripts.train.data.recordings import TEST_SUBJECTS, mirror_rotmats, read_recordings
from scripts.train.optimisation import RunningMean, cosine_learning_rate, optimise, sum_losses
from scripts.train.weights_export import export_weights, write_metrics

WINDOW, BATCH = 64, 24  # frames, windows
LEARNING_RATE, WARM_UP_STEPS, EMA_DECAY = 1e-3, 100, 0.998
# Loss weights: true rotations, DIK's rotations (the paper's supervision), and changes of rotations from frame to frame.
TRUE_WEIGHT, DIK_WEIGHT, VELOCITY_WEIGHT = 1.0, 0.15, 4.0
MAX_ERROR = 0.035  # m, standard deviation of a lifter's error at wrists and ankles at the highest error level
ERROR_AUTOCORRELATION = 0.93  # of an error from frame to frame
SPEED_RANGE = (2 / 3, 3 / 2)
_NAMES = (*SMPL_JOINTS, "nose", "head_top")
_AT = {name: index for index, name in enumerate(SMPL_JOINTS)}
# Errors of the joints relative to those of wrists and ankles.
_ERROR = np.array(
    [1.0 if n.endswith(("wrist", "ankle", "hand", "foot")) else 0.7 if n.endswith(("knee", "elbow")) else 0.3 for n in SMPL_JOINTS]
)
UPPER_LIMBS = [_AT[f"{side}_{name}"] for side in ("left", "right") for name in ("hip", "shoulder")]
LOWER_LIMBS = [_AT[f"{side}_{name}"] for side in ("left", "right") for name in ("knee", "elbow")]
END_JOINTS = [_AT[name] for name in ("head", "left_wrist", "right_wrist", "left_ankle", "right_ankle")]


def main() -> None:
    parser = training_parser(__doc__, 2500, ("--state", "--export", "--evaluate"))
    settings = parser.parse_args()
    require_state(parser, settings)
    skeleton = NoisySkeleton()
    if settings.evaluate:
        print(json.dumps(evaluate(skeleton, read_network(settings.evaluate), read_rotation_clips(settings.mocap, True)), indent=2))
    elif settings.export:
        export(settings, skeleton)
    else:
        train(settings, skeleton)


def read_rotation_clips(folder: Path, testing: bool) -> list[AnyArray]:
    """The quats (F,24,4) of each valid piece of recordings: of the test subjects, or of all others."""
    pieces = [one.quats[piece] for one in read_recordings(folder) if one.testing == testing for piece in one.pieces()]
    return [quats for quats in pieces if len(quats) > 8]


class NoisySkeleton:
    """The open body's skeleton with random shapes and simulated lifter errors."""

    def __init__(self) -> None:
        self.template = load_body()
        self.tree = smpl_tree()
        self.weights = torch.as_tensor(h36m17_weights_from_names(_NAMES), dtype=torch.float32)

    def rest(self, rng: np.random.Generator) -> torch.Tensor:
        """The rest points of a random shape (26,3) m: joints, nose and head top."""
        vertices, joints = self.template.rest(np.clip(rng.normal(0, 1, 10), -3, 3))
        points = np.concatenate([joints, vertices[[self.template.landmarks[name] for name in _NAMES[-2:]]]])
        return torch.as_tensor(points, dtype=torch.float32)

    def estimate(self, rotmats: torch.Tensor, rest: torch.Tensor, errors: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The pipeline's estimate of true rotations from joints with errors.

        Args:
            rotmats: (F,24,3,3). rest: (F,26,3) m. errors: (F,26,3) m, added to the posed points.

        Returns:
            DIK's rotations (F,24,3,3), and the joints (F,24,3) m of forward kinematics with them.
        """
        joints, rotations = forward_kinematics(rotmats, rest[:, :24], self.tree)
        head = _AT["head"]
        on_head = (rotations[:, None, head] @ (rest[:, 24:] - rest[:, None, head])[..., None])[..., 0] + joints[:, None, head]
        points = torch.cat([joints, on_head], 1) + errors
        estimated, _ = dik.solve_dik(self.weights @ points, self.weights @ rest)
        return estimated, forward_kinematics(estimated, rest[:, :24], self.tree)[0]


def lifter_errors(rng: np.random.Generator, frames: int) -> torch.Tensor:
    """Simulated errors of a lifter (F,26,3) m: they drift, and are larger at the ends of limbs and along a random direction, the depth."""
    level = rng.random() * MAX_ERROR * np.append(_ERROR, [0.3, 0.3])[:, None]
    white = rng.normal(size=(frames, 26, 3)) * [0.6, 0.6, 1.0]
    drift = white.copy()
    for frame in range(1, frames):
        drift[frame] = ERROR_AUTOCORRELATION * drift[frame - 1] + (1 - ERROR_AUTOCORRELATION**2) ** 0.5 * white[frame]
    rotmat = rotmat_from_quat(rng.normal(size=4))
    return torch.as_tensor(level * drift @ rotmat, dtype=torch.float32)


class RotationWindows(NamedTuple):
    """Training windows: input joints (B,F,15,3), DIK's and the true local rotations (B,F,24,3,3), the root's in the pelvis's axes."""

    joints: torch.Tensor
    estimated: torch.Tensor
    true: torch.Tensor


def draw_windows(
    rng: np.random.Generator, skeleton: NoisySkeleton, clips: Sequence[AnyArray], probabilities: FloatArray, count: int
) -> RotationWindows:
    """Draw `count` windows of clips, with random speed, mirroring, shape and lifter errors."""
    local_windows: list[torch.Tensor] = []
    rest_windows: list[torch.Tensor] = []
    error_windows: list[torch.Tensor] = []
    for _ in range(count):
        quats = clips[rng.choice(len(clips), p=probabilities)]
        speed = np.exp(rng.uniform(*np.log(SPEED_RANGE)))
        length = min(int(WINDOW * speed) + 1, len(quats))
        first = rng.integers(len(quats) - length + 1)
        rows = first + np.minimum((np.arange(WINDOW) * speed).astype(int), length - 1)
        local_windows.append(local_rotations(quats[rows], rng.random() < 0.5))
        rest_windows.append(skeleton.rest(rng).expand(WINDOW, -1, -1))
        error_windows.append(lifter_errors(rng, WINDOW))
    rotmats, rest, errors = (torch.cat(windows) for windows in (local_windows, rest_windows, error_windows))
    estimated, joints = skeleton.estimate(rotmats, rest, errors)
    pelvis = estimated[:, 0]
    true = torch.cat([(pelvis.mT @ rotmats[:, 0])[:, None], rotmats[:, 1:]], 1)
    estimated_local = torch.cat([torch.eye(3).expand_as(pelvis)[:, None], estimated[:, 1:]], 1)
    in_pelvis = joints_in_pelvis_frame(joints, pelvis)
    return RotationWindows(*(each.unflatten(0, (count, WINDOW)) for each in (in_pelvis, estimated_local, true)))


def local_rotations(quats: AnyArray, mirror: bool = False) -> torch.Tensor:
    """Rotations (F,24,3,3) from quaternions (F,24,4) wxyz of any length; mirror: of the mirrored motion."""
    rotmats = rotmat_from_quat(quats.astype(float))
    return torch.as_tensor(mirror_rotmats(rotmats) if mirror else rotmats, dtype=torch.float32)


def train(settings: argparse.Namespace, skeleton: NoisySkeleton) -> None:
    """Train up to the given step; writes the checkpoint every 500 steps and at the end."""
    torch.manual_seed(settings.seed)
    clips = read_rotation_clips(settings.mocap, False)
    probabilities = np.array([len(clip) for clip in clips], float)
    probabilities /= probabilities.sum()
    network = RotationNetwork()
    mean = torch.optim.swa_utils.AveragedModel(network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(EMA_DECAY))
    optimiser = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=1e-3)
    state, running = Checkpoint(settings.state, network=network, mean=mean.module, optimiser=optimiser), RunningMean()
    mean.n_averaged.fill_(state.step)  # otherwise the first step after an interruption restarts the average
    for step in range(state.step, settings.steps):
        with torch.no_grad():
            joints, estimated, true = draw_windows(np.random.default_rng([settings.seed, step]), skeleton, clips, probabilities, BATCH)
        optimiser.param_groups[0]["lr"] = cosine_learning_rate(step, settings.steps, LEARNING_RATE, WARM_UP_STEPS)
        predicted = network(joints)
        terms = {
            "true": TRUE_WEIGHT * (predicted - true).flatten(-2).norm(dim=-1).mean(),
            "dik": DIK_WEIGHT * (predicted - estimated).flatten(-2).norm(dim=-1).mean(),
            "velocity": VELOCITY_WEIGHT * (predicted.diff(dim=1) - true.diff(dim=1)).flatten(-2).norm(dim=-1).mean(),
        }
        optimise(optimiser, sum_losses(terms.values()), network)
        mean.update_parameters(network)
        running.update({name: term.item() for name, term in terms.items()})
        if (step + 1) % 100 == 0:
            print(f"step {step + 1} {running.text()} seconds {state.seconds:.0f}", flush=True)
        if (step + 1) % 500 == 0 or step + 1 == settings.steps:
            state.save(step + 1)


@torch.no_grad()
def evaluate(skeleton: NoisySkeleton, network: RotationNetwork, clips: Sequence[AnyArray], seed: int = 5) -> dict[str, dict[str, float]]:
    """Rotation errors, MPVE and jitter, mean over the test clips.

    Of DIK with interpolated twists, and of the network's twists on top of it; from true joints, and from joints with a lifter's errors.
    """
    body = make_body(skeleton.template)
    report: dict[str, dict[str, float]] = {}
    for label, noisy in (("true joints", False), ("a lifter's joints", True)):
        rows = []
        for number, quats in enumerate(clips):
            rng = np.random.default_rng([seed, number])
            true, rest = local_rotations(quats), skeleton.rest(rng)
            errors = lifter_errors(rng, len(true))
            estimated, joints = skeleton.estimate(true, rest.expand(len(true), -1, -1), errors if noisy else 0 * errors)
            estimated = dik.interpolate_twist(estimated, skeleton.weights @ rest)
            refined = apply_network_twists(estimated, joints, rest[:24], network=network)
            rows.append([measure_rotations(body, rotmats, true) for rotmats in (estimated, refined)])
        for name, values in zip(("DIK", "network"), np.mean(rows, 0)):
            columns = ("upper_limbs_deg", "lower_limbs_deg", "ends_deg", "mpve_mm", "tremble")
            report[f"{label}, {name}"] = {column: round(float(value), 2) for column, value in zip(columns, values)}
    return report


def measure_rotations(body: Smpl, rotmats: torch.Tensor, true: torch.Tensor) -> list[float]:
    """Errors of local rotations (F,24,3,3) against the true ones, means over frames.

    The rotation errors of upper limbs, lower limbs and end joints, degrees; MPVE, mm; and the error of the limbs' second differences, in
    hundredths of the norm of a rotation matrix.
    """
    rotations, true_rotations = (global_rotmats(each, smpl_tree(each.device)) for each in (rotmats, true))
    angle = torch.rad2deg(roma.rotmat_geodesic_distance(rotations, true_rotations))
    vertices, true_vertices = (body(np.zeros(10), each[:, 0], each[:, 1:])[1] for each in (rotmats, true))
    jitter = (rotations.diff(2, dim=0) - true_rotations.diff(2, dim=0)).flatten(-2).norm(dim=-1)
    return [
        *(angle[:, joints].mean().item() for joints in (UPPER_LIMBS, LOWER_LIMBS, END_JOINTS)),
        1000 * (vertices - true_vertices).norm(dim=-1).mean().item(),
        100 * jitter[:, UPPER_LIMBS + LOWER_LIMBS].mean().item(),
    ]


def export(settings: argparse.Namespace, skeleton: NoisySkeleton) -> None:
    """Write the averaged weights as fp16, and the metrics file."""
    state = torch.load(settings.state, weights_only=True)
    path = export_weights("rotations", state["mean"], settings.seed)
    numbers = {
        "steps": state["step"],
        "windows": f"{BATCH} of {WINDOW} frames",
        "training_hours": round(state["seconds"] / 3600, 2),
        "test_subjects": sorted(TEST_SUBJECTS),
        **evaluate(skeleton, read_network(path), read_rotation_clips(settings.mocap, True)),
    }
    write_metrics("rotations", settings.seed, numbers)


if __name__ == "__main__":
    main()
