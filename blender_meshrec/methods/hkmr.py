"""HKMR: pose, shape and camera of one frame, regressed joint by joint along six kinematic chains; for people who are partly hidden.

Paper: Georgakis et al. 2020, "Hierarchical Kinematic Human Mesh Recovery", with the sizes of its supplement, section 1: the chains Q_c,
each an embedding psi and one layer a joint, inner and outer iterations, heads of shape and camera, and the VAE pose prior.

Of the supplement: psi has two fully connected units of 32; its input is the feature (2048 of ResNet50), the chain's own joints, the root
chain's and betas, 2070 for the root chain, 2076 for the head's, 2082 for the legs' and 2085 for the arms'. A forward pass corrects a
chain's joints from the root outwards, each conditioned on all its ancestors in the chain; a backward pass corrects them from the end
inwards, each conditioned on those below it. Four inner iterations alternate the two, three outer ones repeat chains, shape and camera.

Deviations, ours:

* The encoder is exchangeable: `Hkmr(ResNet50(), 2048)` is the one as printed. The one that is trained here sees 17 joints (h36m17) and
  a silhouette: it is the network of methods/hmr.py, from whose weights its training begins as the paper's begins from ImageNet's. Its
  feature has 669 numbers, 512 features and a first guess of 157: psi's inputs are 1379 shorter than printed. The iterations start from
  that guess; with other encoders from the rest pose of the mean body.
* The root's rotation is relative to a first one that is regressed as six numbers (Zhou et al. 2019): a rotation vector has no
  continuous answer for a person who turns all the way round. Its chain corrects it by a rotation vector as printed.
* The root's rotation is in the axes of a camera that looks straight at the person, as in methods/hmr.py.
* The supplement gives no inputs of the shape and camera heads: feature, pose and the answer that they correct.
* The backward pass has layers of its own, as it is conditioned on other joints. Dropout rates are ours.
* In use, the answers to a frame and to its mirror image are averaged.
* The prior's last layers, the latent mean and variance and the decoded pose, have no activation.

It uses no other frames.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, cast

import roma
import torch
from torch import nn
from torch.nn import functional

from ..bodies import network_file
from ..bodies.alignment import nearest_rotmats
from ..bodies.rotations import rotmats_from_columns
from ..bodies.window_regression import MIN_CONFIDENCE, SILHOUETTE_SIZE, WindowBodies, generate_mesh
from ..core.array_types import FloatArray
from ..core.records import GeneratedMesh, Observations
from ..core.skeletons import H36M17, SMPL_JOINTS, mirror_indices

WEIGHTS_FILE = "hkmr.safetensors"
NUM_JOINTS, NUM_BETAS, NUM_CAMERA_PARAMS = len(SMPL_JOINTS), 10, 3
# SMPL's joints of the six chains, from the root outwards.
CHAINS: Mapping[str, tuple[int, ...]] = {
    "root": (0, 3, 6, 9),
    "head": (12, 15),
    "left_leg": (1, 4, 7, 10),
    "right_leg": (2, 5, 8, 11),
    "left_arm": (13, 16, 18, 20, 22),
    "right_arm": (14, 17, 19, 21, 23),
}
EMBEDDING, HEAD_UNITS = 32, (512, 128)
INNER_ITERATIONS, OUTER_ITERATIONS = 4, 3
GUESS = 6 * NUM_JOINTS + NUM_BETAS + NUM_CAMERA_PARAMS  # numbers of our encoder's first guess
FEATURE_WIDTH = 512 + GUESS  # of our encoder; 2048 of ResNet50
POSE_VALUES, PRIOR_UNITS, LATENT = 3 * (NUM_JOINTS - 1), 512, 32
# A person upright and facing the camera, whose y axis points down.
FACING_CAMERA_COLUMNS = (1.0, 0.0, 0.0, 0.0, -1.0, 0.0)

_MIRROR_KEYPOINTS, _MIRROR_JOINTS = (mirror_indices(names).tolist() for names in (H36M17, SMPL_JOINTS))

# What a joint is conditioned on. "full": its ancestors in forward and those below it in backward passes, as the method is. The others are
# the paper's ablation: "forward", forward passes alone; "parent", forward passes conditioned on the parent alone.
Conditioning = Literal["full", "forward", "parent"]


@dataclass(frozen=True)
class HkmrConfig:
    """conditioning: of the joints. dropout: of psi and the heads, ours. inner, outer: iterations."""

    conditioning: Conditioning = "full"
    dropout: float = 0.02
    inner: int = INNER_ITERATIONS
    outer: int = OUTER_ITERATIONS


# ---- a chain ----------------------------------------------------------------------------------------------------------


def chain_input_width(name: str, feature_width: int) -> int:
    """The numbers that psi of a chain sees: feature, own joints, the root chain's (none of its own for the root chain) and betas."""
    others = 0 if name == "root" else 3 * len(CHAINS["root"])
    return feature_width + 3 * len(CHAINS[name]) + others + NUM_BETAS


def correction_layer(inputs: int, outputs: int) -> nn.Linear:
    """A fully connected layer whose first corrections are small."""
    layer = nn.Linear(inputs, outputs)
    nn.init.normal_(layer.weight, std=1e-3)
    nn.init.zeros_(layer.bias)
    return layer


class Chain(nn.Module):
    """Q_c: corrects the rotation vectors of one chain's joints."""

    def __init__(self, name: str, feature_width: int, config: HkmrConfig) -> None:
        super().__init__()
        self.joints, self.config, self.feature_width = CHAINS[name], config, feature_width
        self.psi1 = nn.Linear(chain_input_width(name, feature_width), EMBEDDING)
        self.psi2 = nn.Linear(EMBEDDING, EMBEDDING)
        self.dropout = nn.Dropout(config.dropout)
        count = len(self.joints)
        above = [min(joint, 1) if config.conditioning == "parent" else joint for joint in range(count)]
        self.outwards = nn.ModuleList(correction_layer(EMBEDDING + 3 * known, 3) for known in above)
        if config.conditioning == "full":
            self.inwards = nn.ModuleList(correction_layer(EMBEDDING + 3 * (count - 1 - joint), 3) for joint in range(count))

    def embed_feature(self, feature: torch.Tensor) -> torch.Tensor:
        """The part of psi's first layer (B,32) that the feature (B,W) gives: it is the same in every iteration."""
        return functional.linear(feature, self.psi1.weight[:, : self.feature_width], self.psi1.bias)

    def embed(self, feature_part: torch.Tensor, *states: torch.Tensor) -> torch.Tensor:
        """psi: the embedding (B,32) of `embed_feature` and the other inputs in the order of `chain_input_width`."""
        rest = functional.linear(torch.cat(states, 1), self.psi1.weight[:, self.feature_width :])
        first = self.dropout(torch.relu(feature_part + rest))
        return self.dropout(torch.relu(self.psi2(first)))

    def pass_outwards(self, embedded: torch.Tensor, angles: torch.Tensor) -> torch.Tensor:
        """Correct angles (B,n,3) from the root outwards: each joint sees its ancestors' corrected angles."""
        corrected: list[torch.Tensor] = []
        for joint, layer in enumerate(self.outwards):
            known = corrected[-1:] if self.config.conditioning == "parent" else corrected
            corrected.append(angles[:, joint] + layer(torch.cat([embedded, *known], 1)))
        return torch.stack(corrected, 1)

    def pass_inwards(self, embedded: torch.Tensor, angles: torch.Tensor) -> torch.Tensor:
        """Correct angles (B,n,3) from the end inwards: each joint sees the corrected angles below it."""
        corrected: list[torch.Tensor] = []
        for joint in range(len(self.joints) - 1, -1, -1):
            corrected.insert(0, angles[:, joint] + self.inwards[joint](torch.cat([embedded, *corrected], 1)))
        return torch.stack(corrected, 1)

    def forward(self, feature_part: torch.Tensor, angles: torch.Tensor, root: torch.Tensor | None, betas: torch.Tensor) -> torch.Tensor:
        """The inner iterations on angles (B,n,3). root (B,4,3): the root chain's, or None for the root chain itself."""
        fixed = [betas] if root is None else [root.flatten(1), betas]
        for inner in range(self.config.inner):
            embedded = self.embed(feature_part, angles.flatten(1), *fixed)
            is_outwards = inner % 2 == 0 or self.config.conditioning != "full"
            angles = (self.pass_outwards if is_outwards else self.pass_inwards)(embedded, angles)
        return angles


# ---- the network ------------------------------------------------------------------------------------------------------


class PointsAndSilhouette(nn.Module):
    """Our encoder: points (B,17,3), x and y in half windows and confidence, and silhouettes (B,S,S), to features (B,669).

    It is the network of methods/hmr.py, parameter for parameter: its 512 features, and its answer as a first guess: rotations as six
    numbers, betas and camera.
    """

    CHANNELS, WIDTH, ITERATIONS = (16, 32, 64, 128), 512, 3
    first: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 1
        for channels in self.CHANNELS:
            layers += [nn.Conv2d(inputs, channels, 3, 2, 1), nn.BatchNorm2d(channels), nn.ReLU()]
            inputs = channels
        width = self.WIDTH
        self.silhouette = nn.Sequential(*layers, nn.Flatten(), nn.Linear(inputs * (SILHOUETTE_SIZE // 16) ** 2, width // 2), nn.ReLU())
        self.points = nn.Sequential(nn.Linear(3 * len(H36M17), width), nn.ReLU(), nn.Linear(width, width // 2), nn.ReLU())
        self.regressor = nn.Sequential(
            nn.Linear(width + GUESS, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, GUESS)
        )
        self.register_buffer("first", torch.zeros(GUESS))

    def forward(self, points: torch.Tensor, silhouettes: torch.Tensor) -> torch.Tensor:
        is_confident = (points[..., 2:] >= MIN_CONFIDENCE).to(points)
        inputs = torch.cat([points[..., :2] * is_confident, is_confident], -1).flatten(1)
        features = torch.cat([self.points(inputs), self.silhouette(silhouettes[:, None])], 1)
        guess = self.first.expand(len(features), -1)
        for _ in range(self.ITERATIONS):
            guess = guess + self.regressor(torch.cat([features, guess], 1))
        return torch.cat([features, guess], 1)

    @staticmethod
    def start(feature: torch.Tensor) -> "HkmrPose":
        """The first guess of features (B,669)."""
        columns, betas, camera = feature[:, -GUESS:].split([6 * NUM_JOINTS, NUM_BETAS, NUM_CAMERA_PARAMS], 1)
        rotmats = rotmats_from_columns(columns.unflatten(1, (NUM_JOINTS, 2, 3)))
        angles = torch.cat([torch.zeros_like(rotmats[:, :1, 0]), roma.rotmat_to_rotvec(rotmats[:, 1:])], 1)
        return HkmrPose(angles, rotmats[:, 0], betas, camera)


class MeanStart(nn.Module):
    """Where the iterations start with any other encoder: the rest pose of the mean body, its root turned as the feature says."""

    def __init__(self, feature_width: int) -> None:
        super().__init__()
        self.root = correction_layer(feature_width, 6)
        self.root.bias.data = torch.tensor(FACING_CAMERA_COLUMNS)

    def forward(self, feature: torch.Tensor) -> "HkmrPose":
        count = len(feature)
        root = rotmats_from_columns(self.root(feature).unflatten(1, (2, 3)))
        camera = feature.new_tensor([1.0, 0.0, 0.0]).expand(count, -1)
        return HkmrPose(feature.new_zeros(count, NUM_JOINTS, 3), root, feature.new_zeros(count, NUM_BETAS), camera)


class HkmrPose(NamedTuple):
    """angles (B,24,3) rad, rotation vectors, the root's relative to first_root (B,3,3); betas (B,10), camera (B,3) as WindowBodies'."""

    angles: torch.Tensor
    first_root: torch.Tensor
    betas: torch.Tensor
    camera: torch.Tensor

    def bodies(self) -> WindowBodies:
        """The rotations as matrices."""
        rotmats = roma.rotvec_to_rotmat(self.angles)
        root = self.first_root @ rotmats[:, 0]
        return WindowBodies(torch.cat([root[:, None], rotmats[:, 1:]], 1), self.betas, self.camera)


class Hkmr(nn.Module):
    """An encoder's input to WindowBodies; encoder: a module whose features are (B, feature_width)."""

    def __init__(self, encoder: nn.Module | None = None, feature_width: int = FEATURE_WIDTH, config: HkmrConfig | None = None) -> None:
        super().__init__()
        self.config = config or HkmrConfig()
        self.encoder = encoder or PointsAndSilhouette()
        self.chains = nn.ModuleDict({name: Chain(name, feature_width, self.config) for name in CHAINS})
        self.start = self.encoder.start if isinstance(self.encoder, PointsAndSilhouette) else MeanStart(feature_width)
        pose = feature_width + 3 * NUM_JOINTS
        self.shape = self._head(pose + NUM_BETAS, NUM_BETAS)
        self.camera = self._head(pose + NUM_CAMERA_PARAMS, NUM_CAMERA_PARAMS)

    def _head(self, inputs: int, outputs: int) -> nn.Sequential:
        """Three fully connected units of 512, 128 and `outputs`."""
        first, second = HEAD_UNITS
        hidden = (nn.Linear(inputs, first), nn.ReLU(), nn.Dropout(self.config.dropout), nn.Linear(first, second), nn.ReLU())
        return nn.Sequential(*hidden, nn.Dropout(self.config.dropout), correction_layer(second, outputs))

    def chain(self, name: str) -> Chain:
        """The chain of one of CHAINS."""
        return cast(Chain, self.chains[name])

    def forward(self, *seen: torch.Tensor) -> WindowBodies:
        return self.regress(self.encoder(*seen)).bodies()

    def regress(self, feature: torch.Tensor) -> HkmrPose:
        """The outer iterations on features (B,W): chains, the root's first, then shape and camera."""
        first, first_root, betas, camera = self.start(feature)
        angles = {name: first[:, list(joints)] for name, joints in CHAINS.items()}
        parts = {name: self.chain(name).embed_feature(feature) for name in CHAINS}
        for _ in range(self.config.outer):
            for name in CHAINS:
                root = None if name == "root" else angles["root"]
                angles[name] = self.chain(name)(parts[name], angles[name], root, betas)
            pose = in_joint_order(angles)
            betas = betas + self.shape(torch.cat([feature, pose.flatten(1), betas], 1))
            camera = camera + self.camera(torch.cat([feature, pose.flatten(1), camera], 1))
        return HkmrPose(in_joint_order(angles), first_root, betas, camera)


def in_joint_order(angles: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Angles (B,24,3) in SMPL's order of those of the chains, (B,n,3) each."""
    order = torch.tensor([joint for joints in CHAINS.values() for joint in joints])
    return torch.cat([angles[name] for name in CHAINS], 1)[:, order.argsort()]


# ---- the pose prior ---------------------------------------------------------------------------------------------------


class PosePrior(nn.Module):
    """The VAE of the pose without the root, 69 rotation vector values in rad: 69-512-32-512-69."""

    def __init__(self, dropout: float = 0.1) -> None:
        super().__init__()

        def unit(inputs: int) -> nn.Sequential:
            return nn.Sequential(nn.Linear(inputs, PRIOR_UNITS), nn.BatchNorm1d(PRIOR_UNITS), nn.LeakyReLU(), nn.Dropout(dropout))

        self.encoder = unit(POSE_VALUES)
        self.mean, self.log_variance = nn.Linear(PRIOR_UNITS, LATENT), nn.Linear(PRIOR_UNITS, LATENT)
        self.decoder = nn.Sequential(unit(LATENT), nn.Linear(PRIOR_UNITS, POSE_VALUES))

    def encode(self, pose: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and logarithm of the variance, (B,32) each, of the latent distribution of poses (B,69)."""
        hidden = self.encoder(pose)
        return self.mean(hidden), self.log_variance(hidden)

    def forward(self, pose: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Poses (B,69) decoded from a sample of their latent distribution (from its mean in evaluation), and `kl_divergence` (B,)."""
        mean, log_variance = self.encode(pose)
        latent = mean + torch.randn_like(mean) * (log_variance / 2).exp() if self.training else mean
        return self.decoder(latent), kl_divergence(mean, log_variance)

    def improbability(self, pose: torch.Tensor) -> torch.Tensor:
        """L_KL (B,) of poses (B,69): how far their latent distributions lie from the normal one of motion capture."""
        return kl_divergence(*self.encode(pose))


def kl_divergence(mean: torch.Tensor, log_variance: torch.Tensor) -> torch.Tensor:
    """KL divergences (B,) of normal distributions (B,32) from the standard one. Source: Kingma and Welling 2014, appendix B."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)


# ---- inference --------------------------------------------------------------------------------------------------------


class MirrorAverage(nn.Module):
    """The mean of a network's answers to what our encoder sees and to its mirror image; rotations by the nearest to their mean."""

    def __init__(self, network: Hkmr) -> None:
        super().__init__()
        self.network = network

    def forward(self, points: torch.Tensor, silhouettes: torch.Tensor) -> WindowBodies:
        mirrored_points = points[:, _MIRROR_KEYPOINTS] * points.new_tensor([-1.0, 1.0, 1.0])
        found = self.network(torch.cat([points, mirrored_points]), torch.cat([silhouettes, silhouettes.flip(-1)]))
        (rotmats, other_rotmats), (betas, other_betas), (camera, other_camera) = (each.chunk(2) for each in found)
        flip = points.new_tensor([-1.0, 1.0, 1.0])
        other_rotmats = other_rotmats[:, _MIRROR_JOINTS] * flip[:, None] * flip
        other_camera = other_camera * points.new_tensor([1.0, -1.0, 1.0])
        return WindowBodies(nearest_rotmats(rotmats + other_rotmats), (betas + other_betas) / 2, (camera + other_camera) / 2)


@torch.inference_mode()
def generate(observations: Observations, intrinsics: FloatArray, timestamps: FloatArray, device: torch.device) -> GeneratedMesh:
    """The mesh of every frame, each independent of the others.

    Args:
        observations: one person of F frames, any keypoint set. intrinsics: (3,3) px. timestamps: (F,) s, not used.

    Returns:
        a GeneratedMesh in camera axes, the hip in the origin. Rows without the person are undefined.

    Raises:
        ModelError: the weights are missing or damaged.
    """
    return generate_mesh(MirrorAverage(load_hkmr(str(device))), observations, intrinsics, device)


def load_hkmr(device: str = "cpu") -> Hkmr:
    """The generator with the weights that ship. Raises ModelError."""
    return network_file.load_network(read_hkmr, WEIGHTS_FILE, device)


def read_hkmr(path: Path | str) -> Hkmr:
    """The generator with the weights of a file. Raises ModelError."""
    return network_file.load_weights(Hkmr(), network_file.read_weights(path), path, "a mesh generator")


def read_prior(path: Path | str) -> PosePrior:
    """The pose prior with the weights of a file. Raises ModelError."""
    return network_file.load_weights(PosePrior(), network_file.read_weights(path), path, "a pose prior")
