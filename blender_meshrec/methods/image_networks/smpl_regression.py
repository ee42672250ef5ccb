"""What HMR2.0 and SPIN regress of a crop."""

from typing import NamedTuple

import torch

NUM_JOINTS, NUM_BETAS, NUM_CAMERA_PARAMS = 24, 10, 3


class SmplRegression(NamedTuple):
    """rotmats (B,24,3,3), local, the root's in the crop's camera axes; betas (B,10); camera (B,3): scale and shift, see crop_camera."""

    rotmats: torch.Tensor
    betas: torch.Tensor
    camera: torch.Tensor
