"""Train methods/decomr_small.py on rendered crops of the open body; it is frozen at the smallest validation error.

    .venv/bin/python -m scripts.train.decomr MOCAP --state STATE.pt [--steps 6000]     train, or continue from STATE.pt
    .venv/bin/python -m scripts.train.decomr MOCAP --state STATE.pt --export           write addon_models/decomr.*

MOCAP is a folder with cmu_smpl24_A.npz and cmu_smpl24_B.npz (CMU Graphics Lab Motion Capture Database on SMPL's kinematic tree). Crops are
rendered once, at the first start, into folders beside STATE.pt (500 MB, 3 minutes of one core); noise of the joints is drawn anew in every
step. Two stages, as in the paper: CNet alone, then both networks. scripts/train/data/recordings.py holds the validation and test subjects.
"""

import argparse
import math
from pathlib import Path

import numpy as np
import torch

from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.bodies.open_body_uv import open_body_uv
from blender_meshrec.bodies.uv_map import UvLayout, vertices_from_map
from blender_meshrec.core.array_types import AnyArray, FloatArray
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.skeletons import H36M17, mirror_indices
from blender_meshrec.methods.decomr_small import Crops, DecomrSmall, StartPose
from blender_meshrec.methods.hkmr import MirrorAverage, load_hkmr
from blender_meshrec.methods.image_networks.crops import normalised_crops
from scripts.train.checkpoint import Checkpoint, update_ema
from scripts.train.command_line import training_parser
from scripts.train.data.corresponding_crops import CropArrays, CropFilm, film_crops, open_crops
from scripts.train.data.filmed_bodies.motion import PARTS, MotionDrawer
from scripts.train.data.recordings import TEST_SUBJECTS, VALIDATION_SUBJECTS, read_recordings
from scripts.train.decomr_losses import LOSS_WEIGHTS, DecomrLosses, Truth
from scripts.train.optimisation import RunningMean, cosine_learning_rate, optimise, sum_losses
from scripts.train.weights_export import export_best

BATCH, LEARNING_RATE, WARM_UP_STEPS, KEEP = 16, 2e-3, 100, 0.995
FIRST_STAGE = 200  # steps of CNet alone
CROPS = {"train": 6000, "validation": 300, "test": 300}
VALIDATION_INTERVAL = 250  # steps between two validations
CPU = torch.device("cpu")
# The detector's noise: standard deviations in half crops at the highest level; fractions of points that are missing or far off, and of
# crops whose left and right are exchanged; points outside the picture that the detector guesses all the same.
MAX_SIGMA, END_FACTOR, MISSING, FAR_OFF, FAR_SIGMA, MIRRORED, GUESSED = 0.025, 1.6, 0.04, 0.02, 0.12, 0.01, 0.25
_ENDS = np.array([END_FACTOR if name.endswith(("wrist", "ankle")) else 1.0 for name in H36M17])
_MIRROR = mirror_indices(H36M17)


def main() -> None:
    parser = training_parser(__doc__, 6000, ("--state", "--export"), changes={"--state": {"required": True}})
    settings = parser.parse_args()
    if settings.export:
        export(settings)
    else:
        train(settings)


def load_crops(mocap: Path, state: Path, seed: int, part: str) -> CropArrays:
    """The crops of a part, of PARTS, rendered at the first call beside `state`."""
    folder = crops_folder(state, part)
    if not (folder / "done").exists():
        film = CropFilm(MotionDrawer(read_recordings(mocap), part))
        film_crops(film, (seed, PARTS.index(part)), CROPS[part], folder, with_vertices=part != "train")
        (folder / "done").touch()
    return open_crops(folder)


def crops_folder(state: Path, part: str) -> Path:
    """The folder of the crops of a part beside a checkpoint."""
    return state.with_suffix(f".{part}")


def detect(rng: np.random.Generator, points: AnyArray) -> FloatArray:
    """Points (B,17,3) as a detector reports them: noisy, some missing or far off, in some crops left and right exchanged."""
    count = len(points)
    places, inside = points[..., :2].astype(float), points[..., 2] > 0.5
    level = rng.random((count, 1, 1)) * MAX_SIGMA * _ENDS[:, None]
    far = (rng.random((count, 17, 1)) < FAR_OFF) * FAR_SIGMA
    places = places + rng.normal(size=places.shape) * (level + far)
    mirrored = rng.random(count) < MIRRORED
    places[mirrored], inside[mirrored] = places[mirrored][:, _MIRROR], inside[mirrored][:, _MIRROR]
    known = (rng.random((count, 17)) >= MISSING) & (inside | (rng.random((count, 17)) < GUESSED))
    return np.concatenate([places, known[..., None]], -1).astype(np.float32)


def make_batch(rng: np.random.Generator, pool: CropArrays, rows: AnyArray, start: StartPose) -> tuple[Crops, Truth]:
    """What the network sees of some crops, and what is true."""
    rows = np.sort(rows)
    images = pool.images[rows].astype(np.float32)
    low, high = images.min((1, 2, 3), keepdims=True), images.max((1, 2, 3), keepdims=True)
    stretched = (images - low) * (255 / np.maximum(high - low, 1))  # as crops.stretched_crop
    crops = start.crops(normalised_crops(stretched, CPU), torch.as_tensor(detect(rng, pool.points[rows])))
    iuv = torch.as_tensor(pool.iuv[rows]).permute(0, 3, 1, 2).float() / 255
    maps, joints = (torch.as_tensor(np.asarray(values[rows], np.float32)) for values in (pool.maps, pool.joints))
    return crops, Truth(iuv, torch.tensor(pool.points[rows][..., :2]), maps, joints)


def new_network() -> DecomrSmall:
    """An untrained network."""
    network = DecomrSmall()
    for parameter in network.parameters():
        if parameter.dim() == 4:  # convolutions are faster so
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return network


def train_step(
    network: DecomrSmall, losses: DecomrLosses, batch: tuple[Crops, Truth], weights: dict[str, float], alone: bool
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """The loss of a batch and its terms. alone: CNet's only."""
    crops, truth = batch
    if alone:
        terms = losses.correspondence(network.correspondence(crops), truth)
    else:
        terms = losses(network(crops), truth)
    return sum_losses(weights[name] * term for name, term in terms.items()), terms


def train(settings: argparse.Namespace) -> None:
    """Train up to the given step; writes the checkpoint at every validation."""
    torch.manual_seed(settings.seed)
    training, validating = (load_crops(settings.mocap, settings.state, settings.seed, part) for part in ("train", "validation"))
    layout = open_body_uv()
    losses = DecomrLosses(make_body(load_body()), layout)
    network, mean, start = new_network(), new_network(), StartPose(MirrorAverage(load_hkmr()))
    mean.load_state_dict(network.state_dict())
    optimiser = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=1e-3)
    state, running = Checkpoint(settings.state, network=network, mean=mean, optimiser=optimiser), RunningMean()
    best = state.others.get("best", (math.inf, 0, None))
    for step in range(state.step, settings.steps):
        rng = np.random.default_rng([settings.seed, 2, step])
        optimiser.param_groups[0]["lr"] = cosine_learning_rate(step, settings.steps, LEARNING_RATE, WARM_UP_STEPS)
        batch = make_batch(rng, training, rng.choice(len(training.images), BATCH, replace=False), start)
        loss, terms = train_step(network.train(), losses, batch, LOSS_WEIGHTS, step < FIRST_STAGE)
        optimise(optimiser, loss, network, 5.0)
        update_ema(mean, network, min(KEEP, (step + 1) / (step + 10)))
        if step == FIRST_STAGE:
            running = RunningMean()
        running.update({name: term.item() for name, term in terms.items()})
        if (step + 1) % VALIDATION_INTERVAL == 0 or step + 1 == settings.steps:
            error = float(vertex_errors(mean, validating, crops_folder(settings.state, "validation"), layout, start).mean())
            if error < best[0]:
                best = error, step + 1, {name: value.clone() for name, value in mean.state_dict().items()}
            print(f"step {step + 1} {running.text()} | validation {1000 * error:.1f} mm, {state.seconds:.0f} s", flush=True)
            state.save(step + 1, best=best)


@torch.no_grad()
def vertex_errors(network: DecomrSmall, pool: CropArrays, folder: Path, layout: UvLayout, start: StartPose, seed: int = 0) -> torch.Tensor:
    """The mean error (N,) m of each crop's vertices relative to the hip, joints detected with noise."""
    network.eval()
    vertices = np.load(folder / "vertices.npy", mmap_mode="r")
    errors = []
    for rows in np.array_split(np.arange(len(pool.images)), -(-len(pool.images) // BATCH)):
        crops, _truth = make_batch(np.random.default_rng([seed, int(rows[0])]), pool, rows, start)
        found = vertices_from_map(network(crops).location_map, layout)
        errors.append((found - torch.as_tensor(vertices[rows].astype(np.float32))).norm(dim=-1).mean(1))
    return torch.cat(errors)


def export(settings: argparse.Namespace) -> None:
    """Write the network with the smallest validation error as fp16, and the metrics file."""

    def numbers(error: float) -> dict[str, object]:
        return {
            "training_crops": CROPS["train"],
            "validation_subjects": VALIDATION_SUBJECTS,
            "test_subjects": TEST_SUBJECTS,
            "validation_vertex_error_mm": round(1000 * error, 1),
        }

    export_best("decomr", settings.state, settings.seed, numbers)


if __name__ == "__main__":
    main()
