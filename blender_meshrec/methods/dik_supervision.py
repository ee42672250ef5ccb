"""Skeleton2Mesh's "DIK as supervision": a network from a 3D skeleton to SMPL's rotations, trained on DIK's and on true ones.

Paper: Yu et al. 2021, "Skeleton2Mesh: Kinematics Prior Injected Unsupervised Human Mesh Recovery", supplementary material
section 3, "Usage of The DIK Module": a residual network maps a 3D skeleton to rotations and is trained on DIK's output, for
valid poses that are consistent over time. There is no figure.

What the paper leaves open, and what is ours:

* Residual blocks of temporal convolutions, so that a limb's twist is judged from the frames before and after: where the limb is
  straight, its joints do not show the twist, and DIK can only interpolate it (methods/dik.interpolate_twist).
* The input skeleton is in the axes of its own pelvis, as DIK rotates it, in units of its bones: heading and size do not matter.
* Trained on DIK's output and on the motion capture's own rotations (scripts/train/rotations.py).
* What joints do show is kept exactly: each limb's bones are swung onto their directions.
"""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
from torch import nn

from ..bodies import network_file
from ..bodies.alignment import swing_onto
from ..bodies.lbs import global_rotmats, local_rotmats, smpl_tree
from ..bodies.rotations import IDENTITY_COLUMNS, interpolate_rotmats, rotmats_from_columns
from ..core.array_types import FloatArray
from ..core.skeletons import SMPL_JOINTS

WEIGHTS_FILE = "rotations.safetensors"
# The network's input: joints that every estimate of a body has.
INPUT_JOINTS = ("left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle", "spine3", "neck", "left_shoulder",
        "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "head")  # fmt: skip
LIMBS = (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist"))
TIPS = {"ankle": "foot", "wrist": "hand"}
# The joints whose rotations other observations may give; `end_confidence` is in this order.
END_JOINTS = ("head", "left_wrist", "right_wrist", "left_ankle", "right_ankle")
TOTAL_BONE_LENGTH = 3.5  # m: skeletons are scaled to this sum of bone lengths
CHUNK_FRAMES = 2048  # frames at once
_INDEX = {name: index for index, name in enumerate(SMPL_JOINTS)}
_INPUT_INDICES = [_INDEX[name] for name in INPUT_JOINTS]


# ---- the network ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RotationConfig:
    """Sizes of the network; `dilations` gives one block each, in frames."""

    width: int = 256
    dilations: tuple[int, ...] = (1, 2, 4, 8)

    @property
    def receptive_radius(self) -> int:
        """Frames on either side that a frame's result depends on."""
        return 1 + sum(self.dilations)


class RotationNetwork(nn.Module):
    """Joints (B,F,15,3), of `joints_in_pelvis_frame`, to local rotations (B,F,24,3,3), the root's in the pelvis's axes."""

    def __init__(self, config: RotationConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or RotationConfig()
        self.enter = nn.Conv1d(3 * len(INPUT_JOINTS), config.width, 3, padding=1)
        self.blocks = nn.ModuleList(_Block(config.width, dilation) for dilation in config.dilations)
        self.leave = nn.Conv1d(config.width, 6 * len(SMPL_JOINTS), 1)
        nn.init.normal_(self.leave.weight, std=1e-3)
        self.leave.bias = nn.Parameter(torch.tensor(IDENTITY_COLUMNS).repeat(len(SMPL_JOINTS)))

    def forward(self, joints: torch.Tensor) -> torch.Tensor:
        features = self.enter(joints.flatten(2).transpose(1, 2))
        for block in self.blocks:
            features = block(features)
        columns = self.leave(features).transpose(1, 2).unflatten(2, (len(SMPL_JOINTS), 2, 3))
        return rotmats_from_columns(columns)


class _Block(nn.Module):
    """Two convolutions and a shortcut; features are normalised in each frame."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.wide, self.narrow = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation), nn.Conv1d(width, width, 1)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        inner = features
        for norm, layer in zip(self.norms, (self.wide, self.narrow)):
            inner = layer(torch.relu(norm(inner.transpose(1, 2)).transpose(1, 2)))
        return features + inner


def joints_in_pelvis_frame(joints: torch.Tensor, pelvis: torch.Tensor) -> torch.Tensor:
    """The network's input (...,15,3) from joints (...,24,3) m: relative to the root, in the axes of pelvis (...,3,3), at unit size."""
    relative = (joints[..., _INPUT_INDICES, :] - joints[..., :1, :]) @ pelvis
    parents = smpl_tree(joints.device).parents[1:]
    total = (joints[..., 1:, :] - joints[..., parents, :]).norm(dim=-1).sum(-1)
    return relative * (TOTAL_BONE_LENGTH / total.clamp_min(1e-3))[..., None, None]


# ---- inference --------------------------------------------------------------------------------------------------------


@torch.inference_mode()
def apply_network_twists(
    rotmats: torch.Tensor,
    joints: torch.Tensor,
    rest_joints: torch.Tensor,
    end_confidence: FloatArray | torch.Tensor | None = None,
    network: RotationNetwork | None = None,
) -> torch.Tensor:
    """Replace the twist of limbs, and the rotations of ends that are not observed, by the network's; joints stay in place.

    Args:
        rotmats: (F,24,3,3), local, of DIK. joints: (F,24,3) m, of `rest_joints` (24,3) m in this pose.
        end_confidence: (F,5) 0..1, how far the rotations of END_JOINTS come from keypoints of their own; None: not at all.
        network: the one that ships when None.

    Returns:
        (F,24,3,3), local.
    """
    network = load_network(str(rotmats.device)) if network is None else network
    tree = smpl_tree(rotmats.device)
    predicted = _run_in_chunks(network, joints_in_pelvis_frame(joints, rotmats[:, 0]))
    predicted_global = global_rotmats(torch.cat([rotmats[:, :1], predicted[:, 1:]], 1), tree)
    observed_global = global_rotmats(rotmats, tree)
    confidence = rotmats.new_zeros(len(rotmats), len(END_JOINTS)) if end_confidence is None else torch.as_tensor(end_confidence).to(rotmats)
    rotations = dict(zip(SMPL_JOINTS, observed_global.unbind(1)))
    for side in ("left", "right"):
        for limb in LIMBS:
            upper, middle, end = (f"{side}_{name}" for name in limb)
            for name, child in pairwise((upper, middle, end)):
                rest = torch.nn.functional.normalize(rest_joints[_INDEX[child]] - rest_joints[_INDEX[name]], dim=-1)
                rest = rest.expand(len(rotmats), 3)
                direction = (observed_global[:, _INDEX[name]] @ rest[..., None])[..., 0]
                rotations[name] = swing_onto(predicted_global[:, _INDEX[name]], rest, direction)
            tip, known = f"{side}_{TIPS[limb[-1]]}", confidence[:, END_JOINTS.index(end)]
            rotations[end] = interpolate_rotmats(rotations[middle] @ predicted[:, _INDEX[end]], rotations[end], known)
            rotations[tip] = rotations[end] @ interpolate_rotmats(predicted[:, _INDEX[tip]], rotmats[:, _INDEX[tip]], known)
    return local_rotmats(torch.stack([rotations[name] for name in SMPL_JOINTS], 1), tree)


def _run_in_chunks(network: RotationNetwork, joints: torch.Tensor) -> torch.Tensor:
    """The network over a clip of any length, (F,24,3,3), in bounded memory: in chunks that overlap by its receptive radius."""
    radius = network.config.receptive_radius
    chunks = []
    for start in range(0, len(joints), CHUNK_FRAMES):
        first = max(start - radius, 0)
        chunks.append(network(joints[None, first : start + CHUNK_FRAMES + radius])[0, start - first : start - first + CHUNK_FRAMES])
    return torch.cat(chunks)


def load_network(device: str = "cpu") -> RotationNetwork:
    """The network with the weights that ship. Raises ModelError."""
    return network_file.load_network(read_network, WEIGHTS_FILE, device)


def read_network(path: Path | str) -> RotationNetwork:
    """The network with the weights of a file. Raises ModelError."""
    return network_file.load_weights(RotationNetwork(), network_file.read_weights(path), path, "a network of rotations")
