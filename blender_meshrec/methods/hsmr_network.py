"""HSMR's network: SKEL's anatomical angles of a person from one picture. For the released checkpoint, which users bring.

Paper: Xia et al. 2025, "Reconstructing Humans with a Biomechanically Accurate Skeleton", section 3.2 and supplement S.3: HMR2.0's encoder
and decoder; the head gives SKEL's angles as rotations that a network can learn (bodies/skel_rotations.py). SKELify, its fit to keypoints,
is methods/hsmr.py.

The paper counts 88 outputs of the pose; the released layer has 24 * 6 = 144, of which 56 are not used. Both widths are read. Parameter
names are the checkpoint's (`backbone.`, `head.`); nothing is trained here.

The released head does not bound its angles, which may leave SKEL's limits.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from ..bodies.skel_rotations import RELEASED_WIDTH, angles_from_representation
from ..core.array_types import FloatArray
from .image_networks.token_decoder import WIDTH, TokenDecoder
from .image_networks.vision_transformer import VisionTransformer

NUM_BETAS, NUM_CAMERA_PARAMS = 10, 3
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
    """The encoder's features (B,192,1280) to a SkelRegression. pose_width: 144, or the 88 of the paper."""

    init_poses: torch.Tensor
    init_betas: torch.Tensor
    init_cam: torch.Tensor

    def __init__(self, feature_width: int = 1280, pose_width: int = RELEASED_WIDTH) -> None:
        super().__init__()
        sizes = {"init_poses": pose_width, "init_betas": NUM_BETAS, "init_cam": NUM_CAMERA_PARAMS}
        for name, size in sizes.items():
            self.register_buffer(name, torch.zeros(1, size))
        self.transformer = TokenDecoder(feature_width)
        self.poses_decoder, self.betas_decoder, self.cam_decoder = (nn.Linear(WIDTH, size) for size in sizes.values())

    def forward(self, features: torch.Tensor) -> SkelRegression:
        token = self.transformer(features)
        q = angles_from_representation(self.poses_decoder(token) + self.init_poses)
        return SkelRegression(q, self.betas_decoder(token) + self.init_betas, self.cam_decoder(token) + self.init_cam)


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
    return torch.einsum("jv,bvc->bjc", vertices.new_tensor(np.asarray(regressor)), vertices)
