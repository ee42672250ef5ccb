"""HSMR's network: SKEL's anatomical angles of a person, from one picture by the released checkpoint, or from keypoints by ours.

Paper: Xia et al. 2025, "Reconstructing Humans with a Biomechanically Accurate Skeleton", section 3.2 and supplement S.3: HMR2.0's encoder
and decoder; the head gives SKEL's angles as rotations that a network can learn (bodies/skel_rotations.py). SKELify, its fit to keypoints,
is methods/hsmr.py.

The paper counts 88 outputs of the pose; the released layer has 24 * 6 = 144, of which 56 are not used. Both widths are read. Parameter
names are the checkpoint's (`backbone.`, `head.`), which users bring. The released head does not bound its angles, which may leave SKEL's
limits.

`KeypointHsmr`, which ships, is the paper's head at a size that two cores can train. Deviations, ours:

* Features come from 17 joints (h36m17) and a silhouette in a window around the person, not from a picture: any detector gives these
  for any footage. Its encoder is the mesh generator of methods/hmr.py with the weights of its own training, which stay as they are; the
  paper's is a vision transformer that starts from ViTPose's. The generator's features and its answer, SMPL's rotations, are what the
  decoder sees, and a linear layer's reading of that answer is what it corrects: the paper's decoder corrects a mean pose.
* Decoder: width 128 and 4 heads of 32; the paper's has width 1024 and 8 heads of 64. Six layers as there.
* Angles are clamped to SKEL's limits: none exceeds one. In training the loss of rotations sees them before that.
* The root's rotation is in the axes of a camera that looks straight at the person.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from ..bodies import network_file
from ..bodies.rotations import wrap_angle
from ..bodies.skel_rotations import RELEASED_WIDTH, WIDTH, angles_from_representation
from ..bodies.window_regression import MIN_CONFIDENCE, SILHOUETTE_SIZE
from ..core.array_types import FloatArray
from ..core.files.model_files import model_file
from ..core.skel.vocabulary import DOF_LIMITS
from ..core.skeletons import H36M17
from .image_networks.token_decoder import TokenDecoder
from .image_networks.vision_transformer import VisionTransformer

NUM_BETAS, NUM_CAMERA_PARAMS = 10, 3
SMPL_ANSWER = 24 * 6 + NUM_BETAS + NUM_CAMERA_PARAMS  # numbers of the encoder's answer
# The encoder's weights are those of methods/hmr.py, which lie in its file.
WEIGHTS_FILE, ENCODER_FILE, ENCODER_PREFIX = "hsmr.safetensors", "hmr.safetensors", "encoder."
SIDE_COLUMNS = 32  # px of the square crop on either side that the encoder does not see

# The 44 points of the paper's losses: 25 of OpenPose from SMPL's 24 joints and 21 vertices, then 19 that a regressor gives.
_SMPL_OF_SKEL = (0, 6, 1, 11, 7, 2, 11, 8, 3, 12, 10, 5, 12, 19, 14, 13, 20, 15, 21, 16, 23, 18, 23, 18)
_OPENPOSE_OF_POINTS = (24, 12, 17, 19, 21, 16, 18, 20, 0, 2, 5, 8, 1, 4, 7, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34)
# Vertices of SMPL's topology: nose, right and left eye, right and left ear; big toe, small toe and heel, left and right.
_FACE_AND_FEET = (332, 6260, 2800, 4071, 583, 3216, 3226, 3387, 6617, 6624, 6787)


class SkelRegression(NamedTuple):
    """q (B,46) rad, of core/skel/vocabulary.DOF_NAMES; betas (B,10); camera (B,3): scale and shift, see crop_camera."""

    q: torch.Tensor
    betas: torch.Tensor
    camera: torch.Tensor


class SkelHead(nn.Module):
    """The encoder's features (B,192,1280) to a SkelRegression.

    pose_width: 144, or the 88 of the paper. transformer: the decoder, by default of the released size.
    """

    init_poses: torch.Tensor
    init_betas: torch.Tensor
    init_cam: torch.Tensor

    def __init__(self, feature_width: int = 1280, pose_width: int = RELEASED_WIDTH, transformer: TokenDecoder | None = None) -> None:
        super().__init__()
        sizes = {"init_poses": pose_width, "init_betas": NUM_BETAS, "init_cam": NUM_CAMERA_PARAMS}
        for name, size in sizes.items():
            self.register_buffer(name, torch.zeros(1, size))
        self.transformer = transformer or TokenDecoder(feature_width)
        width = self.transformer.width
        self.poses_decoder, self.betas_decoder, self.cam_decoder = (nn.Linear(width, size) for size in sizes.values())

    def forward(self, features: torch.Tensor) -> SkelRegression:
        representation, betas, camera = self.decode(features)
        return SkelRegression(angles_from_representation(representation), betas, camera)

    def decode(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The representation of rotations (B,P), betas (B,10) and camera (B,3)."""
        token = self.transformer(features)
        return (
            self.poses_decoder(token) + self.init_poses,
            self.betas_decoder(token) + self.init_betas,
            self.cam_decoder(token) + self.init_cam,
        )


class HsmrNetwork(nn.Module):
    """Normalised crops (B,3,256,256) to a SkelRegression."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = VisionTransformer()
        self.head = SkelHead()

    def forward(self, crops: torch.Tensor) -> SkelRegression:
        features = self.backbone(crops[..., SIDE_COLUMNS:-SIDE_COLUMNS])
        with torch.autocast(features.device.type, enabled=False):  # the head needs single precision, and costs little
            return self.head(features.float())


# ---- the network that ships --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class KeypointHsmrConfig:
    """Sizes: channels of the silhouette's first layer, units of features and iterations, which are the generator's; tokens that the decoder
    sees, and their width; the decoder's width, layers, heads and hidden units; numbers of the pose."""

    channels: int = 16
    features: int = 512
    iterations: int = 3
    tokens: int = 8
    token_width: int = 128
    width: int = 128
    depth: int = 6
    num_heads: int = 4
    hidden: int = 256
    pose_width: int = WIDTH


class KeypointEncoder(nn.Module):
    """Points (B,17,3), x and y in half windows and confidence, and silhouettes (B,S,S), to features (B,D) and SMPL's pose (B,157).

    Its layers are those of methods/hmr.Hmr by name and size, its answer the same: 24 rotations of six numbers, betas and camera.
    """

    first: torch.Tensor

    def __init__(self, config: KeypointHsmrConfig) -> None:
        super().__init__()
        width, self.iterations = config.features, config.iterations
        layers: list[nn.Module] = []
        inputs = 1
        for channels in (config.channels * factor for factor in (1, 2, 4, 8)):
            layers += [nn.Conv2d(inputs, channels, 3, 2, 1), nn.BatchNorm2d(channels), nn.ReLU()]
            inputs = channels
        self.silhouette = nn.Sequential(*layers, nn.Flatten(), nn.Linear(inputs * (SILHOUETTE_SIZE // 16) ** 2, width // 2), nn.ReLU())
        self.points = nn.Sequential(nn.Linear(3 * len(H36M17), width), nn.ReLU(), nn.Linear(width, width // 2), nn.ReLU())
        fc1, fc2, fc3 = nn.Linear(width + SMPL_ANSWER, width), nn.Linear(width, width), nn.Linear(width, SMPL_ANSWER)
        self.regressor = nn.Sequential(fc1, nn.ReLU(), fc2, nn.ReLU(), fc3)
        self.register_buffer("first", torch.zeros(SMPL_ANSWER))

    def forward(self, points: torch.Tensor, silhouettes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        is_confident = (points[..., 2:] >= MIN_CONFIDENCE).to(points)
        inputs = torch.cat([points[..., :2] * is_confident, is_confident], -1).flatten(1)
        features = torch.cat([self.points(inputs), self._silhouette_features(silhouettes)], 1)
        answer = self.first.expand(len(features), -1)
        for _ in range(self.iterations):
            answer = answer + self.regressor(torch.cat([features, answer], 1))
        return features, answer

    def _silhouette_features(self, silhouettes: torch.Tensor) -> torch.Tensor:
        """Features (B,D/2); those of an empty silhouette are computed once."""
        is_shown = silhouettes.flatten(1).any(1)
        features = self.silhouette(silhouettes.new_zeros(1, 1, *silhouettes.shape[1:])).expand(len(silhouettes), -1)
        if is_shown.any():
            features = features.clone()
            features[is_shown] = self.silhouette(silhouettes[is_shown, None])
        return features


class KeypointHsmr(nn.Module):
    """Points (B,17,3) and silhouettes (B,S,S), see KeypointEncoder, to a SkelRegression whose angles are within SKEL's limits.

    camera: as methods/hmr.py has it, half windows per metre and the hip's position in half windows from the centre.
    """

    def __init__(self, config: KeypointHsmrConfig | None = None) -> None:
        super().__init__()
        config = config or KeypointHsmrConfig()
        self.tokens, head_width = config.tokens, config.width // config.num_heads
        self.encoder = KeypointEncoder(config)
        self.to_tokens = nn.Linear(config.features + SMPL_ANSWER, config.tokens * config.token_width)
        self.to_start = nn.Linear(SMPL_ANSWER, config.pose_width)
        decoder = TokenDecoder(config.token_width, config.width, config.depth, config.num_heads, head_width, config.hidden)
        self.head = SkelHead(config.token_width, config.pose_width, decoder)
        for layer in (self.head.poses_decoder, self.head.betas_decoder, self.head.cam_decoder):
            nn.init.normal_(layer.weight, std=1e-3)
            nn.init.zeros_(layer.bias)

    def decode(self, points: torch.Tensor, silhouettes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The representation of rotations (B,P), betas (B,10) and camera (B,3)."""
        with torch.no_grad():  # the encoder is not trained with the head
            features, answer = self.encoder(points, silhouettes)
        tokens = self.to_tokens(torch.cat([features, answer], 1)).unflatten(1, (self.tokens, -1))
        pose, betas, camera = self.head.decode(tokens)
        start_betas, start_camera = answer[:, -NUM_BETAS - NUM_CAMERA_PARAMS :].split([NUM_BETAS, NUM_CAMERA_PARAMS], 1)
        return self.to_start(answer) + pose, start_betas + betas, start_camera + camera

    def forward(self, points: torch.Tensor, silhouettes: torch.Tensor) -> SkelRegression:
        representation, betas, camera = self.decode(points, silhouettes)
        return SkelRegression(limited_angles(representation), betas, camera)


_MIDDLES = np.where(np.isfinite(DOF_LIMITS), DOF_LIMITS, 0.0).mean(1)


def limited_angles(representation: torch.Tensor) -> torch.Tensor:
    """Angles q (B,46) rad within SKEL's limits, of a representation (B,88 or 144): each clamped to its limits.

    Of the two solutions for a joint with three angles the one with a middle angle within +-90 degrees is taken: no limit lies beyond.
    """
    middle = representation.new_tensor(_MIDDLES)
    q = middle + wrap_angle(angles_from_representation(representation) - middle)
    low, high = representation.new_tensor(DOF_LIMITS).T
    return torch.minimum(torch.maximum(q, low), high)


def load_keypoint_hsmr(device: str = "cpu") -> KeypointHsmr:
    """The network with the weights that ship. Raises ModelError."""
    return network_file.load_network(read_keypoint_hsmr, WEIGHTS_FILE, device)


def read_keypoint_hsmr(path: Path | str) -> KeypointHsmr:
    """The network with the weights of a file, and those of its encoder from HMR's. Raises ModelError."""
    weights = network_file.read_weights(path)
    encoder = network_file.read_weights(model_file(ENCODER_FILE))
    all_weights = {**weights, **{f"{ENCODER_PREFIX}{name}": value for name, value in encoder.items()}}
    return network_file.load_weights(KeypointHsmr(), all_weights, path, "HSMR's network")


# ---- the points of the paper's losses ----------------------------------------------------------------------------------


def joints44(
    skel_joints: torch.Tensor, vertices: torch.Tensor, extra_regressor: FloatArray, smpl_regressor: FloatArray | None = None
) -> torch.Tensor:
    """The 44 points (B,44,3) that HSMR compares with annotations: OpenPose's 25, and 19 of a regressor.

    Args:
        skel_joints: (B,24,3), of SKEL. vertices: (B,6890,3), of its skin.
        extra_regressor: (19,6890), of the last 19. smpl_regressor: (24,6890), which gives SMPL's joints from the skin, as the released
            configuration has it; without one they are the SKEL joints at about the same places.
    """
    if smpl_regressor is None:
        joints = skel_joints[:, list(_SMPL_OF_SKEL)]
    else:
        joints = _regress(smpl_regressor, vertices)
    # The ten finger tips, which come last, are in neither set.
    points = torch.cat([joints, vertices[:, list(_FACE_AND_FEET)]], 1)
    return torch.cat([points[:, list(_OPENPOSE_OF_POINTS)], _regress(extra_regressor, vertices)], 1)


def _regress(regressor: FloatArray, vertices: torch.Tensor) -> torch.Tensor:
    """Points (B,J,3) of a regressor (J,V) and vertices (B,V,3)."""
    # In double precision: the sums are over thousands of vertices, and cost nothing.
    return (torch.as_tensor(np.asarray(regressor, float), device=vertices.device) @ vertices.double()).to(vertices)
