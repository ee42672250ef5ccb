"""SPIN: pose, shape and camera of a person from one picture, corrected three times. For the released checkpoint, which users bring.

Paper: Kolotouros et al. 2019, "Learning to Reconstruct 3D Human Pose and Shape via Model-fitting in the Loop", section 3.2: the regressor
of HMR (Kanazawa et al. 2018) on ResNet50's features, with rotations of six numbers.

Parameter names are the checkpoint's (under its key `model`). Nothing is trained here. The six numbers of a rotation are two interleaved
columns, a 3x2 matrix row by row. Between the layers of the regressor there is no activation. The crop is crops.resnet_crop.
"""

import torch
from torch import nn

from ..bodies.rotations import rotmats_from_columns
from .image_networks.resnet50 import FEATURE_WIDTH, ResNet50
from .image_networks.smpl_regression import NUM_BETAS, NUM_CAMERA_PARAMS, NUM_JOINTS, SmplRegression

WIDTH, ITERATIONS = 1024, 3


class Spin(ResNet50):
    """Normalised crops (B,3,224,224) to an SmplRegression."""

    init_pose: torch.Tensor
    init_shape: torch.Tensor
    init_cam: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        sizes = {"init_pose": 6 * NUM_JOINTS, "init_shape": NUM_BETAS, "init_cam": NUM_CAMERA_PARAMS}
        for name, size in sizes.items():
            self.register_buffer(name, torch.zeros(1, size))
        self.fc1, self.fc2 = nn.Linear(FEATURE_WIDTH + sum(sizes.values()), WIDTH), nn.Linear(WIDTH, WIDTH)
        self.decpose, self.decshape, self.deccam = (nn.Linear(WIDTH, size) for size in sizes.values())

    def forward(self, images: torch.Tensor) -> SmplRegression:  # pyrefly: ignore[bad-override]
        features = super().forward(images)
        with torch.autocast(features.device.type, enabled=False):  # the regressor needs single precision, and costs little
            return self.regress(features.float())

    def regress(self, features: torch.Tensor) -> SmplRegression:
        """An SmplRegression of features (B,2048)."""
        pose, betas, camera = (start.expand(len(features), -1) for start in (self.init_pose, self.init_shape, self.init_cam))
        for _ in range(ITERATIONS):
            found = self.fc2(self.fc1(torch.cat([features, pose, betas, camera], 1)))
            pose, betas, camera = pose + self.decpose(found), betas + self.decshape(found), camera + self.deccam(found)
        columns = pose.unflatten(-1, (NUM_JOINTS, 3, 2)).mT
        return SmplRegression(rotmats_from_columns(columns), betas, camera)
