"""HMR2.0: pose, shape and camera of a person from one picture, by a vision transformer. For the released checkpoint, which users bring.

Paper: Goel et al. 2023, "Humans in 4D: Reconstructing and Tracking Humans with Transformers", section 3: ViT-H, a transformer decoder with
one query token, three linear layers that add to the mean pose, shape and camera.

The checkpoint's parameter names are kept (`backbone.`, `smpl_head.`); its discriminator and SMPL buffers are not part of inference. Nothing
is trained here. Rotations of six numbers are two contiguous columns. The crop is image_networks/crops.transformer_crop.
"""

import torch
from torch import nn

from ..bodies.rotations import rotmats_from_columns
from .image_networks.smpl_regression import NUM_BETAS, NUM_CAMERA_PARAMS, NUM_JOINTS, SmplRegression
from .image_networks.token_decoder import WIDTH, TokenDecoder
from .image_networks.vision_transformer import VisionTransformer

CROP_SIZE = 256  # px, of which the encoder sees the 192 columns in the middle
SIDE_COLUMNS = 32


class SmplHead(nn.Module):
    """The encoder's features (B,192,1280) to an SmplRegression."""

    init_body_pose: torch.Tensor
    init_betas: torch.Tensor
    init_cam: torch.Tensor

    def __init__(self, feature_width: int = 1280) -> None:
        super().__init__()
        sizes = {"init_body_pose": 6 * NUM_JOINTS, "init_betas": NUM_BETAS, "init_cam": NUM_CAMERA_PARAMS}
        for name, size in sizes.items():
            self.register_buffer(name, torch.zeros(1, size))
        self.transformer = TokenDecoder(feature_width)
        self.decpose, self.decshape, self.deccam = (nn.Linear(WIDTH, size) for size in sizes.values())

    def forward(self, features: torch.Tensor) -> SmplRegression:
        token = self.transformer(features)
        columns = (self.decpose(token) + self.init_body_pose).unflatten(-1, (NUM_JOINTS, 2, 3))
        return SmplRegression(rotmats_from_columns(columns), self.decshape(token) + self.init_betas, self.deccam(token) + self.init_cam)


class Hmr2(nn.Module):
    """Normalised crops (B,3,256,256) to an SmplRegression."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = VisionTransformer()
        self.smpl_head = SmplHead()

    def forward(self, crops: torch.Tensor) -> SmplRegression:
        features = self.backbone(crops[..., SIDE_COLUMNS:-SIDE_COLUMNS])
        with torch.autocast(features.device.type, enabled=False):  # the head needs single precision, and costs little
            return self.smpl_head(features.float())
