"""Skeleton2Mesh's "DIK as supervision": a network that gives an SMPL skeleton's rotations directly, learnt from DIK's and true ones.

Paper: Yu et al. 2021, "Skeleton2Mesh: Kinematics Prior Injected Unsupervised Human Mesh Recovery", supplementary: a residual
network maps a 3D skeleton to rotations and is trained on what DIK makes of it, for valid poses that are steady over time.

What the paper leaves open, and what is ours:

* Residual blocks of temporal convolutions, so that a limb's twist is judged by what it does before and after: where it is straight,
  its joints do not show it, and DIK can only carry it over (methods/dik.interpolate_twist).
* The skeleton is seen from its own pelvis, as DIK turns it, in units of its bones: which way somebody faces is no matter.
* Trained on DIK's output and on the motion capture's own rotations (scripts/train/rotations.py).
* What joints do show stays exactly: each limb's bones are swung onto where they were.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
import roma
import torch
from torch import nn

from ..bodies.alignment import swing_onto
from ..bodies.network_file import load_weights, read_weights
from ..core.files.model_files import model_file
from ..core.skeletons import SMPL_JOINTS, SMPL_PARENTS

WEIGHTS_FILE = "rotations.safetensors"
# What is seen: joints that every estimate of a body knows.
INPUT_JOINTS = ("left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle", "spine3", "neck", "left_shoulder",
        "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "head")  # fmt: skip
LIMBS = (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist"))
TOTAL_BONE_LENGTH = 3.5  # m: lengths are counted in this share of the bones' sum
CHUNK_FRAMES = 2048  # frames at once
_INPUT_INDICES = [SMPL_JOINTS.index(name) for name in INPUT_JOINTS]


@dataclass(frozen=True)
class RotationConfig:
    """Sizes of the network; `dilations` gives one block each, in frames."""

    width: int = 256
    dilations: tuple = (1, 2, 4, 8)

    @property
    def receptive_radius(self):
        """Frames on either side that a frame's result depends on."""
        return 1 + sum(self.dilations)


class RotationNetwork(nn.Module):
    """Joints (B,F,15,3), of `joints_in_pelvis_frame`, to local rotations (B,F,24,3,3), the root's in the pelvis's axes."""

    def __init__(self, config=None):
        super().__init__()
        self.config = config = config or RotationConfig()
        self.enter = nn.Conv1d(3 * len(INPUT_JOINTS), config.width, 3, padding=1)
        self.blocks = nn.ModuleList(_Block(config.width, dilation) for dilation in config.dilations)
        self.leave = nn.Conv1d(config.width, 6 * len(SMPL_JOINTS), 1)
        nn.init.normal_(self.leave.weight, std=1e-3)
        with torch.no_grad():
            self.leave.bias.copy_(torch.tensor([1.0, 0, 0, 0, 1, 0]).repeat(len(SMPL_JOINTS)))

    def forward(self, joints):
        features = self.enter(joints.flatten(2).transpose(1, 2))
        for block in self.blocks:
            features = block(features)
        six = self.leave(features).transpose(1, 2).unflatten(2, (len(SMPL_JOINTS), 2, 3))
        return roma.special_gramschmidt(six.mT)


class _Block(nn.Module):
    """Two convolutions and a skip, each frame normalised by itself."""

    def __init__(self, width, dilation):
        super().__init__()
        self.wide, self.narrow = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation), nn.Conv1d(width, width, 1)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))

    def forward(self, features):
        inner = features
        for norm, layer in zip(self.norms, (self.wide, self.narrow)):
            inner = layer(torch.relu(norm(inner.transpose(1, 2)).transpose(1, 2)))
        return features + inner


def joints_in_pelvis_frame(joints, pelvis):
    """What the network sees (...,15,3) of joints (...,24,3) m: about the root, in the axes of pelvis (...,3,3), without size."""
    about = (joints[..., _INPUT_INDICES, :] - joints[..., :1, :]) @ pelvis
    parents = torch.as_tensor(SMPL_PARENTS[1:].copy(), device=joints.device)
    total = (joints[..., 1:, :] - joints[..., parents, :]).norm(dim=-1).sum(-1)
    return about * (TOTAL_BONE_LENGTH / total.clamp_min(1e-3))[..., None, None]


@torch.inference_mode()
def apply_network_twists(rotmats, joints, rest_joints, end_confidence=None, network=None):
    """Turn limbs about themselves, and ends that nothing shows, as the network has them; every joint stays where it is.

    Args:
        rotmats: (F,24,3,3), local, of DIK. joints: (F,24,3) m, as they pose `rest_joints` (24,3) m.
        end_confidence: (F,5) 0..1, how far head, left and right hand, left and right foot are turned by points of their own; None: nowhere.
        network: the one that ships when None.

    Returns:
        (F,24,3,3), local.
    """
    network = load_network(str(rotmats.device)) if network is None else network
    pelvis = rotmats[:, 0]
    local = _run_in_chunks(network, joints_in_pelvis_frame(joints, pelvis))
    given, own = _global_rotmats(torch.cat([rotmats[:, :1], local[:, 1:]], 1)), _global_rotmats(rotmats)
    at = {name: index for index, name in enumerate(SMPL_JOINTS)}
    turned = {name: own[:, index] for name, index in at.items()}
    known = np.zeros((len(rotmats), 5)) if end_confidence is None else end_confidence
    known = dict(zip(("head", "left_wrist", "right_wrist", "left_ankle", "right_ankle"), torch.as_tensor(known).to(rotmats).T))
    for side in ("left", "right"):
        for upper, middle, end in LIMBS:
            names = [f"{side}_{name}" for name in (upper, middle, end)]
            for name, below in pairwise(names):
                rest = torch.nn.functional.normalize(rest_joints[at[below]] - rest_joints[at[name]], dim=-1)
                rest = rest.expand(len(rotmats), 3)
                turned[name] = swing_onto(given[:, at[name]], rest, (own[:, at[name]] @ rest[..., None])[..., 0])
            end, tip = names[-1], {"ankle": "foot", "wrist": "hand"}[end]
            follows = turned[names[1]] @ local[:, at[end]]
            turned[end] = _slerp(follows, own[:, at[end]], known[end])
            tip_local = _slerp(local[:, at[f"{side}_{tip}"]], rotmats[:, at[f"{side}_{tip}"]], known[end])
            turned[f"{side}_{tip}"] = turned[end] @ tip_local
    stacked = torch.stack([turned[name] for name in SMPL_JOINTS], 1)
    parents = torch.as_tensor(SMPL_PARENTS[1:].copy(), device=rotmats.device)
    return torch.cat([stacked[:, :1], stacked[:, parents].mT @ stacked[:, 1:]], 1)


def _slerp(first, second, share):
    """Rotations (F,3,3) that have gone a share (F,) of the way from the first to the second."""
    return first @ roma.rotvec_to_rotmat(share[:, None] * roma.rotmat_to_rotvec(first.mT @ second))


def _run_in_chunks(network, seen):
    """The network over a clip of any length in flat memory: pieces that overlap by its reach, (F,24,3,3)."""
    reach, parts = network.config.receptive_radius, []
    for start in range(0, len(seen), CHUNK_FRAMES):
        first = max(start - reach, 0)
        parts.append(network(seen[None, first : start + CHUNK_FRAMES + reach])[0, start - first : start - first + CHUNK_FRAMES])
    return torch.cat(parts)


def _global_rotmats(rotmats):
    """Global rotations (F,24,3,3) of local ones."""
    turned = [rotmats[:, 0]]
    for joint in range(1, len(SMPL_JOINTS)):
        turned.append(turned[SMPL_PARENTS[joint]] @ rotmats[:, joint])
    return torch.stack(turned, 1)


@lru_cache(maxsize=2)
def load_network(device="cpu"):
    """The network with the weights that ship; read once a device. Raises ModelError."""
    return read_network(model_file(WEIGHTS_FILE)).to(device)


def read_network(path):
    """The network with the weights of a file. Raises ModelError."""
    return load_weights(RotationNetwork(), read_weights(path), path, "a network of rotations")
