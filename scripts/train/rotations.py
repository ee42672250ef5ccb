"""Train the network of methods/dik_supervision.py: rotations from a 3D skeleton, after DIK's and after the motion capture's own.

    .venv/bin/python -m scripts.train.rotations MOCAP --state STATE.pt [--steps 2500]     train, or go on from STATE.pt
    .venv/bin/python -m scripts.train.rotations MOCAP --state STATE.pt --export           write addon_models/rotations.*
    .venv/bin/python -m scripts.train.rotations MOCAP --evaluate WEIGHTS                   measure on the test subjects

MOCAP is a folder with cmu_smpl24_A.npz and cmu_smpl24_B.npz (CMU Graphics Lab Motion Capture Database on SMPL's tree). Windows of
motion are played on the open body with random betas; what is seen are its joints with the errors of a lifter, and DIK of these.
Subjects in scripts/train/data/recordings.py's TEST_SUBJECTS are never trained on.
"""

import json

import numpy as np
import roma
import torch

from blender_meshrec.bodies.lbs import forward_kinematics, global_rotmats, smpl_tree
from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.rotations import rotmat_from_quat
from blender_meshrec.core.skeletons import SMPL_JOINTS, h36m17_weights_from_names
from blender_meshrec.methods import dik
from blender_meshrec.methods.dik_supervision import RotationNetwork, apply_network_twists, joints_in_pelvis_frame, read_network
from scripts.train.checkpoint import Checkpoint
from scripts.train.command_line import require_state, training_parser
from scripts.train.data.recordings import TEST_SUBJECTS, mirror_rotmats, read_recordings
from scripts.train.optimisation import RunningMean, cosine_learning_rate, optimise
from scripts.train.weights_export import export_weights, write_metrics

WINDOW, BATCH = 64, 24  # frames, windows
LEARNING_RATE, WARM_UP_STEPS, EMA_DECAY = 1e-3, 100, 0.998
# What counts: true rotations, DIK's (the paper's supervision), and how rotations change from frame to frame.
TRUE_WEIGHT, DIK_WEIGHT, VELOCITY_WEIGHT = 1.0, 0.15, 4.0
MAX_ERROR = 0.035  # m: a lifter's error at wrists and ankles, one standard deviation at the worst level
ERROR_AUTOCORRELATION = 0.93  # of an error from frame to frame
SPEED_RANGE = (2 / 3, 3 / 2)
_NAMES = (*SMPL_JOINTS, "nose", "head_top")
_AT = {name: index for index, name in enumerate(SMPL_JOINTS)}
# How much of a lifter's worst error each joint has.
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
    stage = NoisySkeleton()
    if settings.evaluate:
        print(json.dumps(evaluate(stage, read_network(settings.evaluate), read_rotation_clips(settings.mocap, True)), indent=2))
    elif settings.export:
        export(settings, stage)
    else:
        train(settings, stage)


def read_rotation_clips(folder, testing):
    """The quats (F,24,4) of each unbroken piece of recordings: of the test subjects, or of all others."""
    pieces = [one.quats[piece] for one in read_recordings(folder) if one.testing == testing for piece in one.pieces()]
    return [quats for quats in pieces if len(quats) > 8]


class NoisySkeleton:
    """The open body's skeleton: plays rotations on random shapes, and errs as a lifter does."""

    def __init__(self):
        self.template = load_body()
        self.tree = smpl_tree()
        self.weights = torch.as_tensor(h36m17_weights_from_names(_NAMES), dtype=torch.float32)

    def rest(self, rng):
        """A random shape at rest, (26,3) m: joints, nose and head top."""
        vertices, joints = self.template.rest(np.clip(rng.normal(0, 1, 10), -3, 3))
        places = np.concatenate([joints, vertices[[self.template.landmarks[name] for name in _NAMES[-2:]]]])
        return torch.as_tensor(places, dtype=torch.float32)

    def seen(self, rotmats, rest, errors):
        """What estimates make of true rotations.

        Args:
            rotmats: (F,24,3,3). rest: (F,26,3) m. errors: (F,26,3) m, of the joints that are estimated.

        Returns:
            DIK's rotations (F,24,3,3), and the joints (F,24,3) m these pose.
        """
        joints, turned = forward_kinematics(rotmats, rest[:, :24], self.tree)
        head = _AT["head"]
        on_head = (turned[:, None, head] @ (rest[:, 24:] - rest[:, None, head])[..., None])[..., 0] + joints[:, None, head]
        points = torch.cat([joints, on_head], 1) + errors
        estimated, _ = dik.solve_dik(self.weights @ points, self.weights @ rest)
        return estimated, forward_kinematics(estimated, rest[:, :24], self.tree)[0]


def lifter_errors(rng, frames):
    """A lifter's errors (F,26,3) m: they drift, and are larger at the ends of limbs and along one direction, the depth."""
    level = rng.random() * MAX_ERROR * np.append(_ERROR, [0.3, 0.3])[:, None]
    white = rng.normal(size=(frames, 26, 3)) * [0.6, 0.6, 1.0]
    drift = white.copy()
    for frame in range(1, frames):
        drift[frame] = ERROR_AUTOCORRELATION * drift[frame - 1] + (1 - ERROR_AUTOCORRELATION**2) ** 0.5 * white[frame]
    turn = rotmat_from_quat(rng.normal(size=4))
    return torch.as_tensor(level * drift @ turn, dtype=torch.float32)


def draw_windows(rng, stage, clips, chances, count):
    """Windows: what is seen (B,F,15,3), DIK's local rotations and the true ones (B,F,24,3,3), the root's in the pelvis's axes."""
    rotmats, rests, off = [], [], []
    for _ in range(count):
        quats = clips[rng.choice(len(clips), p=chances)]
        speed = np.exp(rng.uniform(*np.log(SPEED_RANGE)))
        length = min(int(WINDOW * speed) + 1, len(quats))
        first = rng.integers(len(quats) - length + 1)
        rotmats.append(local_rotations(quats[first + np.minimum((np.arange(WINDOW) * speed).astype(int), length - 1)], rng.random() < 0.5))
        rests.append(stage.rest(rng).expand(WINDOW, -1, -1))
        off.append(lifter_errors(rng, WINDOW))
    rotmats, rests, off = (torch.cat(each) for each in (rotmats, rests, off))
    estimated, joints = stage.seen(rotmats, rests, off)
    pelvis = estimated[:, 0]
    true = torch.cat([(pelvis.mT @ rotmats[:, 0])[:, None], rotmats[:, 1:]], 1)
    own = torch.cat([torch.eye(3).expand_as(pelvis)[:, None], estimated[:, 1:]], 1)
    return (each.unflatten(0, (count, WINDOW)) for each in (joints_in_pelvis_frame(joints, pelvis), own, true))


def local_rotations(quats, mirror=False):
    """(F,24,3,3) of quaternions (F,24,4) wxyz of any length, of the mirrored motion where asked for."""
    rotmats = rotmat_from_quat(quats.astype(float))
    return torch.as_tensor(mirror_rotmats(rotmats) if mirror else rotmats, dtype=torch.float32)


def train(settings, stage):
    torch.manual_seed(settings.seed)
    clips = read_rotation_clips(settings.mocap, False)
    chances = np.array([len(clip) for clip in clips], float)
    chances /= chances.sum()
    network = RotationNetwork()
    mean = torch.optim.swa_utils.AveragedModel(network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(EMA_DECAY))
    optimiser = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=1e-3)
    state, running = Checkpoint(settings.state, network=network, mean=mean.module, optimiser=optimiser), RunningMean()
    mean.n_averaged.fill_(state.step)  # or the first step after an interruption would begin the mean anew
    for step in range(state.step, settings.steps):
        with torch.no_grad():
            seen, own, true = draw_windows(np.random.default_rng([settings.seed, step]), stage, clips, chances, BATCH)
        optimiser.param_groups[0]["lr"] = cosine_learning_rate(step, settings.steps, LEARNING_RATE, WARM_UP_STEPS)
        said = network(seen)
        apart = (said - true).flatten(-2).norm(dim=-1).mean()
        parts = {
            "true": TRUE_WEIGHT * apart,
            "dik": DIK_WEIGHT * (said - own).flatten(-2).norm(dim=-1).mean(),
            "steady": VELOCITY_WEIGHT * (said.diff(dim=1) - true.diff(dim=1)).flatten(-2).norm(dim=-1).mean(),
        }
        optimise(optimiser, sum(parts.values()), network)
        mean.update_parameters(network)
        running.update({name: part.item() for name, part in parts.items()})
        if (step + 1) % 100 == 0:
            print(f"step {step + 1} {running.text()} seconds {state.seconds:.0f}", flush=True)
        if (step + 1) % 500 == 0 or step + 1 == settings.steps:
            state.save(step + 1)


@torch.no_grad()
def evaluate(stage, network, clips, seed=5):
    """Degrees, mean over frames of the test clips, of DIK with carried twists and of the network on top of it; true and erring joints."""
    body, report = make_body(stage.template), {}
    for label, noisy in (("true joints", False), ("a lifter's joints", True)):
        rows = []
        for number, quats in enumerate(clips):
            rng = np.random.default_rng([seed, number])
            true, rest = local_rotations(quats), stage.rest(rng)
            rests, off = rest.expand(len(true), -1, -1), lifter_errors(rng, len(true))
            estimated, joints = stage.seen(true, rests, off if noisy else 0 * off)
            estimated = dik.interpolate_twist(estimated, stage.weights @ rest)
            bettered = apply_network_twists(estimated, joints, rest[:24], network=network)
            vertices = [body(np.zeros(10), each[:, 0], each[:, 1:])[1] for each in (true, estimated, bettered)]
            truth = stack_global_rotations(true)
            row = []
            for each, skin in zip((estimated, bettered), vertices[1:]):
                angle = torch.rad2deg(roma.rotmat_geodesic_distance(stack_global_rotations(each), truth))
                tremble = (stack_global_rotations(each).diff(2, dim=0) - truth.diff(2, dim=0)).flatten(-2).norm(dim=-1)
                groups = [angle[:, group].mean().item() for group in (UPPER_LIMBS, LOWER_LIMBS, END_JOINTS)]
                row.append(
                    [
                        *groups,
                        1000 * (skin - vertices[0]).norm(dim=-1).mean().item(),
                        100 * tremble[:, UPPER_LIMBS + LOWER_LIMBS].mean().item(),
                    ]
                )
            rows.append(row)
        for name, values in zip(("DIK", "network"), np.mean(rows, 0)):
            columns = ("upper_limbs_deg", "lower_limbs_deg", "ends_deg", "mpve_mm", "tremble")
            report[f"{label}, {name}"] = {column: round(float(value), 2) for column, value in zip(columns, values)}
    return report


def stack_global_rotations(rotmats):
    return global_rotmats(rotmats, smpl_tree(rotmats.device))


def export(settings, stage):
    """Write the averaged weights as fp16, and how good they are."""
    state = torch.load(settings.state, weights_only=True)
    path = export_weights("rotations", state["mean"], settings.seed)
    numbers = {
        "steps": state["step"],
        "windows": f"{BATCH} of {WINDOW} frames",
        "training_hours": round(state["seconds"] / 3600, 2),
        "test_subjects": sorted(TEST_SUBJECTS),
        **evaluate(stage, read_network(path), read_rotation_clips(settings.mocap, True)),
    }
    write_metrics("rotations", settings.seed, numbers)


if __name__ == "__main__":
    main()
