"""Train HSMR's network on keypoints and silhouettes (methods/hsmr_network.KeypointHsmr); frozen at the smallest validation error.

    .venv/bin/python -m scripts.train.hsmr MOCAP --state STATE.pt [--steps 2500]     train, or continue from STATE.pt
    .venv/bin/python -m scripts.train.hsmr MOCAP --state STATE.pt --export           write addon_models/hsmr.*

MOCAP is a folder with cmu_smpl24_A.npz and cmu_smpl24_B.npz (CMU Graphics Lab Motion Capture Database on SMPL's kinematic tree). The frames
are those of scripts/train/hmr.py, drawn once and stored beside STATE.pt; so are their labels (scripts/train/data/skel_labels.py), of
the first --labelled windows. All frames have the joints' 2D and 3D; of those without a label, SKELify makes one every 230 steps for
those seen last (scripts/train/hsmr_refinement.py).

Deviations from the paper's training, for two cores: the encoder is trained already (scripts/train/hmr.py) and stays as it is; the learning
rate is 1e-3 with a cosine, not 1e-5, since the head starts from nothing; batch 128; refinement begins after a fifth of the steps, not after
5000 of 160,000, and fits 256 samples, not 18,000; the keypoints are 15, not 44, and their losses 44/15 times heavier. Labels that come from
motion capture are not refined: they are better than what 2D joints tell.
"""

import argparse
import math
from pathlib import Path

import numpy as np
import torch

from blender_meshrec.bodies.network_file import read_weights
from blender_meshrec.bodies.skel_rotations import representation_from_angles, rotmats_from_representation
from blender_meshrec.core.files.model_files import model_file
from blender_meshrec.core.metrics import pa_mpjpe
from blender_meshrec.core.skeletons import H36M17
from blender_meshrec.methods.hsmr_network import ENCODER_PREFIX, KeypointHsmr, SkelRegression, limited_angles
from scripts.train.calibration.filmed_windows import SUBJECT_SPLITS
from scripts.train.checkpoint import Checkpoint
from scripts.train.command_line import training_parser
from scripts.train.data.skel_labels import SkelLabels, load_labels
from scripts.train.data.skel_samples import Batch, SampleIndex, SkelBody, SkelSamples, project
from scripts.train.hmr import FRAMES, load_windows
from scripts.train.hsmr_refinement import LIMBS, refine_labels
from scripts.train.optimisation import RunningMean, cosine_learning_rate, optimise, sum_losses
from scripts.train.weights_export import export_best

BATCH, LEARNING_RATE, WARM_UP_STEPS = 128, 1e-3, 100
LABELLED_FRACTION = 0.25  # of a batch at least; ours
RIDGE = 1e-4  # of the start's regression
RIGID = [row for row, name in enumerate(H36M17) if name not in ("spine", "thorax")]  # joints that are points on bones
POINT_FACTOR = 44 / len(RIGID)  # the paper sums over 44 keypoints
LOSS_WEIGHTS = {"kp3d": 0.05 * POINT_FACTOR, "kp2d": 0.01 * POINT_FACTOR, "orient": 0.002, "body": 0.001, "betas": 0.0005}
WARM_UP_PARTS, REFINED_SAMPLES = 5, 256  # refinement begins after a fifth of the steps
VALIDATION_INTERVAL = 100  # steps between two validations


def main() -> None:
    parser = training_parser(__doc__, 2500, ("--state", "--export"), changes={"--state": {"required": True}})
    parser.add_argument("--labelled", type=int, default=150, help="windows with a label")
    parser.add_argument("--only-2d", type=int, default=0, help="of these the windows with 2D joints alone; for the ablation")
    parser.add_argument("--refine-every", type=int, default=230, help="steps between two refinements of labels; 0 for none")
    parser.add_argument("--pools", type=Path, help="STATE.pt of another run, whose frames and labels are used")
    settings = parser.parse_args()
    settings.pools = settings.pools or settings.state
    torch.set_num_threads(1)
    if settings.export:
        export(settings)
    else:
        train(settings)


def new_network(seed: int, samples: SkelSamples) -> KeypointHsmr:
    """A network whose encoder has the weights of the mesh generator HMR, and whose start is the linear map of its answers to labels."""
    torch.manual_seed(seed)
    network = KeypointHsmr()
    generator = read_weights(model_file("hmr.safetensors"))
    network.encoder.load_state_dict({name: generator.get(name, value) for name, value in network.encoder.state_dict().items()})
    network.encoder.requires_grad_(False)
    fit_start(network, samples)
    return network


@torch.no_grad()
def fit_start(network: KeypointHsmr, samples: SkelSamples) -> None:
    """Set the layer `to_start` to the ridge regression from the encoder's answers to the representation of the labels."""
    mirrored, frames = samples.is_labelled.nonzero().T
    batch = samples.draw(np.random.default_rng(0), SampleIndex(frames, mirrored))
    answers = network.eval().encoder(batch.points, batch.silhouettes)[1].double()
    target = representation_from_angles(batch.q).double()
    mean, centre = answers.mean(0), target.mean(0)
    known = answers - mean
    normal = known.T @ known / len(known) + RIDGE * torch.eye(known.shape[1], dtype=torch.float64)
    weight = torch.linalg.solve(normal, known.T @ (target - centre) / len(known)).T
    network.to_start.weight.copy_(weight)
    network.to_start.bias.copy_(centre - weight @ mean)


def in_training(network: KeypointHsmr) -> KeypointHsmr:
    """The network in training mode, its encoder in evaluation mode."""
    network.train().encoder.eval()
    return network


def compute_losses(network: KeypointHsmr, body: SkelBody, batch: Batch, only_2d: torch.Tensor) -> dict[str, torch.Tensor]:
    """The terms of the loss, means over samples of sums over joints and numbers, as in HMR2.0's code. only_2d: (B,)."""
    representation, betas, camera = network.decode(batch.points, batch.silhouettes)
    joints = body.quick_joints17(limited_angles(representation), betas)
    has_3d, is_labelled = (~only_2d).float(), batch.is_labelled.float()
    with torch.no_grad():  # of frames with 2D alone, the joints of a label that SKELify has made
        true_joints = torch.where(only_2d[:, None, None], body.quick_joints17(batch.q, batch.betas), batch.joints)
    rotations = rotmats_from_representation(representation) - rotmats_from_representation(representation_from_angles(batch.q))
    squared = rotations.square().sum((-1, -2))
    has_betas = torch.maximum(has_3d, is_labelled)
    return {
        "kp3d": ((joints - true_joints)[:, RIGID].abs().sum((1, 2)) * torch.maximum(has_3d, is_labelled)).mean(),
        # A window is one unit wide, as a crop is in the paper's losses.
        "kp2d": ((project(joints, camera) - batch.positions) / 2)[:, RIGID].abs().sum((1, 2)).mean(),
        "orient": (squared[:, 0] * is_labelled).mean(),
        "body": (squared[:, 1:].sum(1) * is_labelled).mean(),
        "betas": ((betas - batch.betas).square().sum(1) * has_betas).mean(),
    }


def train(settings: argparse.Namespace) -> None:
    """Train up to the given step; writes the checkpoint at every validation."""
    pool = load_windows(settings, "training", settings.pools)
    body = SkelBody()
    labels = load_labels(settings.pools.with_suffix(".labels.pt"), pool, settings.labelled, FRAMES)
    if settings.only_2d:
        pool = pool.select(torch.arange(settings.labelled * FRAMES))
    samples = SkelSamples(pool, labels, body)
    samples.forget_3d(torch.arange(settings.only_2d * FRAMES))
    validating = load_windows(settings, "validation", settings.pools)
    validation = SkelSamples(validating, SkelLabels(torch.zeros(2, 0, 46), torch.zeros(2, 0)), body)
    network = new_network(settings.seed, samples)
    optimiser = torch.optim.AdamW([each for each in network.parameters() if each.requires_grad], lr=LEARNING_RATE, weight_decay=1e-4)
    state, running = Checkpoint(settings.state, network=network, optimiser=optimiser), RunningMean()
    best = state.others.get("best", (math.inf, 0, None))
    if not state.step:
        print(f"start: validation {validate(network, body, validation):.1f} mm", flush=True)
    samples.restore(state.others.get("dictionary"))
    for step in range(state.step, settings.steps):
        optimiser.param_groups[0]["lr"] = cosine_learning_rate(step, settings.steps, LEARNING_RATE, WARM_UP_STEPS)
        running.update(train_step(in_training(network), optimiser, body, samples, [settings.seed, step]))
        if settings.refine_every and step >= settings.steps // WARM_UP_PARTS and step % settings.refine_every == 0:
            report = refine_labels(network, samples, body, unlabelled_samples(samples, np.random.default_rng([settings.seed, step])))
            print(f"step {step} refinement: {report}", flush=True)
        if (step + 1) % VALIDATION_INTERVAL == 0 or step + 1 == settings.steps:
            error = validate(network, body, validation)
            if error < best[0]:
                best = error, step + 1, {name: value.clone() for name, value in network.state_dict().items()}
            print(f"step {step + 1} {running.text()} | validation {error:.1f} mm, {state.seconds:.0f} s", flush=True)
            state.save(step + 1, best=best, dictionary=samples.dictionary())


def train_step(
    network: KeypointHsmr, optimiser: torch.optim.Optimizer, body: SkelBody, samples: SkelSamples, seed: list[int]
) -> dict[str, float]:
    """One step on random samples; returns the terms of the loss."""
    rng = np.random.default_rng([*seed, 3])
    index = draw_index(samples, rng)
    terms = compute_losses(network, body, samples.draw(rng, index), samples.only_2d[index.frames])
    optimise(optimiser, sum_losses(LOSS_WEIGHTS[name] * term for name, term in terms.items()), network, 1.0)
    return {name: term.item() for name, term in terms.items()}


def draw_index(samples: SkelSamples, rng: np.random.Generator) -> SampleIndex:
    """Random samples of a batch, every other one mirrored, and LABELLED_FRACTION of them with a label."""
    frames, mirrored = rng.integers(len(samples.pool.betas), size=BATCH), rng.integers(2, size=BATCH)
    labelled = samples.is_labelled.nonzero().numpy()
    count = int(LABELLED_FRACTION * BATCH)
    mirrored[:count], frames[:count] = labelled[rng.integers(len(labelled), size=count)].T
    return SampleIndex(torch.as_tensor(frames), torch.as_tensor(mirrored))


def unlabelled_samples(samples: SkelSamples, rng: np.random.Generator) -> SampleIndex:
    """Samples whose labels SKELify may better: those of which motion capture gives none."""
    mirrored, frames = (~samples.is_labelled | samples.error.isfinite() | samples.only_2d).nonzero().T
    chosen = torch.as_tensor(rng.integers(len(frames), size=REFINED_SAMPLES))
    return SampleIndex(frames[chosen], mirrored[chosen])


@torch.no_grad()
def validate(network: KeypointHsmr, body: SkelBody, samples: SkelSamples) -> float:
    """Mean PA-MPJPE of the limb joints, mm, of the samples as they are."""
    rng, network = np.random.default_rng(0), network.eval()
    found, true = list[torch.Tensor](), list[torch.Tensor]()
    for frames in torch.arange(len(samples.pool.betas)).split(BATCH):
        batch = samples.draw(rng, SampleIndex(frames, torch.zeros_like(frames)))
        output: SkelRegression = network(batch.points, batch.silhouettes)
        found.append(body.joints17(output.q, output.betas)[:, LIMBS])
        true.append(batch.joints[:, LIMBS])
    return pa_mpjpe(torch.cat(found).double().numpy(), torch.cat(true).double().numpy())


def export(settings: argparse.Namespace) -> None:
    """Write the network with the smallest validation error as fp16, and the metrics file."""

    def numbers(error: float) -> dict[str, object]:
        return {
            "labelled_windows": settings.labelled,
            "validation_subjects": SUBJECT_SPLITS["validation"],
            "test_subjects": SUBJECT_SPLITS["test"],
            "validation_pa_mpjpe_mm": round(error, 1),
        }

    export_best("hsmr", settings.state, settings.seed, numbers, left_out=ENCODER_PREFIX)


if __name__ == "__main__":
    main()
