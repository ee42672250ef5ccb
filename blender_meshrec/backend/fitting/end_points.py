"""The keypoints that a detector finds on feet, hands and face, for the rotations that joints cannot show."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ...core.array_types import FloatArray
from ...core.cameras import points_on_rays, rays_from_pixels
from ...core.records import Observations
from ...core.skeletons import H36M17, KEYPOINT_SETS
from ...methods.blazepose import KEYPOINT_SET, line_of_sight, rotation_from_optical_axis
from .camera_space import CameraSpaceJoints
from .smoothing import smooth_positions


@dataclass(frozen=True)
class EndPoints:
    """Named points beside the joints, as a detector finds them.

    names: (K). positions: (F,K,3) m in the axes of the joints, about any origin, or None. confidence: (F,K) 0..1.
    rays: (F,K,2), where the points are in the image as x/z and y/z, or None.
    """

    names: tuple[str, ...]
    positions: FloatArray | None
    confidence: FloatArray
    rays: FloatArray | None = None

    def has_points(self, *names: str) -> bool:
        """Whether all of `names` are among the points."""
        return all(name in self.names for name in names)

    def select(self, values: FloatArray, names: Sequence[str], like: torch.Tensor) -> torch.Tensor:
        """The rows of `names` (N) of values (F,K, ...), one of the fields: (F,N, ...), of the type and device of `like`."""
        return torch.as_tensor(np.array(values[:, [self.names.index(name) for name in names]])).to(like)


def locate_end_points(
    observations: Observations, camera_joints: CameraSpaceJoints, intrinsics: FloatArray, timestamps: FloatArray, smoothing: float
) -> EndPoints:
    """Find the detector's points in front of the camera.

    Each is put on its line of sight, at the depth relative to the hip that the detector gives it: the image determines a foot's or
    a hand's direction where it can, and the detector's guess only the rest.

    Args:
        observations: one person of F frames. intrinsics: (3,3) px. timestamps: (F,) s. smoothing: strength, as for the joints.

    Returns:
        EndPoints in camera axes; without positions where the detector gives no points in metres.
    """
    names = KEYPOINT_SETS[observations.keypoint_set].points
    confidence = observations.keypoints[..., 2] * observations.visible[:, None]
    rays = rays_from_pixels(observations.keypoints[..., :2], intrinsics)
    smooth_rays = smooth_positions(rays, timestamps, smoothing, confidence)
    if observations.keypoints_3d is None or observations.keypoint_set != KEYPOINT_SET:
        return EndPoints(names, None, confidence, smooth_rays)
    # The same rotation to the line of sight that the joints of these landmarks get.
    rotation = rotation_from_optical_axis(line_of_sight(observations.keypoints, intrinsics))
    depth = np.einsum("fb,fkb->fk", rotation[:, 2], observations.keypoints_3d.astype(float))
    depth += camera_joints.joints[:, H36M17.index("hip"), 2][:, None]
    positions = smooth_positions(points_on_rays(rays, depth), timestamps, smoothing, confidence)
    return EndPoints(names, positions, confidence, smooth_rays)
