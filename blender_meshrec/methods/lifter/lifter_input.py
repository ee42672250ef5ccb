"""What the lifting network sees: POINTS of one person as lines of sight, relative to the torso and in units of the person's size."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional

from ...bodies.alignment import rotation_to_optical_axis
from ...bodies.tensors import to_tensor
from ...core.array_types import ArrayLike, FloatArray
from ...core.records import Observations
from ...core.skeletons import H36M17, H36M17_PARENTS, KEYPOINT_SETS, h36m17_weights, mirror_indices, mix_keypoints

POINTS = (*H36M17, "left_ear", "right_ear", "left_big_toe", "right_big_toe", "left_heel", "right_heel")
# Joints of h36m17 that may be mixed from others. head_top may not: ears carry more information than a head_top mixed from them.
AVERAGED_POINTS = ("hip", "thorax", "spine")
MIN_CONFIDENCE = 0.3  # confidence from which a keypoint is used
OUTPUT_SCALE = 0.1  # of the bone-length sum: the spread of joints, so that the network's own numbers are near 1
# Ours: the motion-capture performers have a mean bone-length sum of 2.32 statures.
STATURE = 1.70  # m
TOTAL_BONE_LENGTH = 2.32 * STATURE
NUM_CHANNELS = 3 * len(POINTS) + 8 + 3 * len(H36M17) + 1  # of an encoded frame: of points, of the whole, of a detector's own joints
VIEW_WINDOW, SIZE_WINDOW = 5, 81  # frames over which the viewing direction and the size are averaged

_TORSO = [POINTS.index(p) for p in ("left_shoulder", "right_shoulder", "left_hip", "right_hip")]
MIRROR: list[int] = mirror_indices(POINTS).tolist()
H36M17_MIRROR = MIRROR[: len(H36M17)]
PARENTS: list[int] = np.asarray(H36M17_PARENTS).tolist()
# Joints whose distances measure the person's size.
SIZE_JOINTS = [H36M17.index(p) for p in H36M17 if p not in ("hip", "spine", "thorax", "head_top")]


@lru_cache
def point_weights(keypoint_set: str) -> FloatArray:
    """Linear map from a keypoint set to POINTS, (23,K); rows of zeros where the set has no such point."""
    names = KEYPOINT_SETS[keypoint_set].index
    weights = np.zeros((len(POINTS), len(names)))
    for row, point in enumerate(POINTS):
        if point in names:
            weights[row, names[point]] = 1
        elif point in AVERAGED_POINTS:
            weights[row] = h36m17_weights(keypoint_set)[H36M17.index(point)]
    return weights


def input_points(keypoints: ArrayLike, keypoint_set: str) -> FloatArray:
    """Keypoints (F,K,3) as POINTS (F,23,3); what the set lacks has confidence 0, a mixture the lowest of its parts."""
    return mix_keypoints(keypoints, point_weights(keypoint_set))


class PersonInView(NamedTuple):
    """usable: (B,F,P), 1 for the points that count. centre: (B,F,2), the torso's, and view: (B,F,2), its mean over some frames, as rays.
    size: (B,F,1), root mean square distance of joints from the centre about the view, over many frames."""

    usable: torch.Tensor
    centre: torch.Tensor
    view: torch.Tensor
    size: torch.Tensor


def person_in_view(rays: torch.Tensor, confidence: torch.Tensor) -> PersonInView:
    """Where a person is, and how large, from rays (B,F,23,2) and confidence (B,F,23) of POINTS."""
    usable = (confidence >= MIN_CONFIDENCE).to(rays)
    centre = _torso_centre(rays, usable)
    view = moving_average(centre, VIEW_WINDOW)
    offset = turned_points(view, rays) - turned_points(view, centre[:, :, None])
    spread, count = _squared_spread(offset, usable)
    size = _root_mean_square(moving_average(spread, SIZE_WINDOW), moving_average(count, SIZE_WINDOW))
    return PersonInView(usable, centre, view, size)


def turned_points(view: torch.Tensor, rays: torch.Tensor) -> torch.Tensor:
    """Rays (B,F,P,2) as a camera sees them whose optical axis is the view (B,F,2)."""
    directions = torch.cat([rays, torch.ones_like(rays[..., :1])], -1) @ rotation_to_optical_axis(view).transpose(-1, -2)
    return directions[..., :2] / directions[..., 2:].clamp_min(0.05)


def rays_of_turned(view: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """The rays (B,F,P,2) of `turned_points` (B,F,P,2)."""
    directions = torch.cat([points, torch.ones_like(points[..., :1])], -1) @ rotation_to_optical_axis(view)
    return directions[..., :2] / directions[..., 2:].clamp_min(0.05)


def encode_keypoints(
    rays: torch.Tensor, confidence: torch.Tensor, detected: torch.Tensor, own_3d: torch.Tensor | None = None
) -> tuple[torch.Tensor, PersonInView]:
    """The lifter's input from 2D keypoints.

    Args:
        rays: (B,F,23,2), x/z and y/z of POINTS. confidence: (B,F,23). detected: (B,), 0 for h36m17, 1 for a detector's sets.
        own_3d: (B,F,17,3) m, the detector's own joints relative to the hip, z along the line of sight, zero where it has none.

    Returns:
        encoded (B,F,C), about the view and in units of the size of the PersonInView.
    """
    person = person_in_view(rays, confidence)
    usable, size = person.usable, person.size
    offset = turned_points(person.view, rays) - turned_points(person.view, person.centre[:, :, None])
    frame_size = _root_mean_square(*_squared_spread(offset, usable))
    present = (usable.sum(-1, keepdim=True) > 0).to(rays)
    displacement = (person.centre - moving_average(person.centre, SIZE_WINDOW)) / size
    of_whole = [
        person.view,
        size.log() + 2,
        (frame_size / size).log().clamp(-2, 2),
        displacement.clamp(-5, 5),
        present,
        detected[:, None, None].expand_as(present).to(rays),
    ]
    coordinates = (offset / size[..., None]).clamp(-5, 5) * usable[..., None]
    of_points = torch.cat([coordinates, (confidence * usable)[..., None]], -1).flatten(2)
    # Frames without a single point are all zero, as are those added to fill a token.
    return torch.cat([of_points, *of_whole, *_encode_own_3d(rays, own_3d)], -1) * present, person


def _encode_own_3d(rays: torch.Tensor, own_3d: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
    """A detector's own joints (B,F,51) in units of OUTPUT_SCALE of their bone-length sum, and whether (B,F,1) a frame has them."""
    if own_3d is None:
        own_3d = rays.new_zeros(*rays.shape[:2], len(H36M17), 3)
    has_own = (own_3d.abs().sum((-1, -2)) > 0).to(rays)[..., None]
    length = (own_3d[..., 1:, :] - own_3d[..., PARENTS[1:], :]).norm(dim=-1).sum(-1, keepdim=True)
    length = moving_average(length, SIZE_WINDOW) / moving_average(has_own, SIZE_WINDOW).clamp_min(1e-6)
    joints = own_3d / (OUTPUT_SCALE * length.clamp_min(0.1))[..., None]
    return joints.clamp(-5, 5).flatten(2), has_own


def _root_mean_square(spread: torch.Tensor, count: torch.Tensor) -> torch.Tensor:
    return (spread / count.clamp_min(1e-6)).sqrt().clamp_min(1e-4)


def _torso_centre(rays: torch.Tensor, usable: torch.Tensor) -> torch.Tensor:
    """The torso's centre (B,F,2): of its usable points, else of any usable point, else of the frames around, else of all frames."""
    weight = 0.02 * usable
    weight[..., _TORSO] = usable[..., _TORSO]
    total = weight.sum(-1, keepdim=True)
    ray = (weight[..., None] * rays).sum(-2)
    total_around, total_of_clip = moving_average(total, SIZE_WINDOW), total.mean(1, keepdim=True)
    ray = ray + 1e-3 * moving_average(ray, SIZE_WINDOW) + 1e-6 * ray.mean(1, keepdim=True)
    return ray / (total + 1e-3 * total_around + 1e-6 * total_of_clip).clamp_min(1e-9)


def _squared_spread(offset: torch.Tensor, usable: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Sum of squared distances from the torso's centre over the usable SIZE_JOINTS, and their number: (B,F,1) each."""
    usable = usable[..., SIZE_JOINTS]
    return (offset[..., SIZE_JOINTS, :].square().sum(-1) * usable).sum(-1, keepdim=True), usable.sum(-1, keepdim=True)


def moving_average(values: torch.Tensor, frames: int) -> torch.Tensor:
    """Running mean of (B,F,C) over an odd number of frames; at the ends over those that exist."""
    return functional.avg_pool1d(values.transpose(1, 2), frames, 1, frames // 2, count_include_pad=False).transpose(1, 2)


def mirror_points(rays: torch.Tensor, confidence: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """POINTS as in a mirror: x negated, left and right exchanged."""
    flip = torch.tensor([-1.0, 1.0]).to(rays)
    return rays[..., MIRROR, :] * flip, confidence[..., MIRROR]


def mirror_joints(joints: torch.Tensor) -> torch.Tensor:
    """Joints (...,17,3) in camera axes, as in a mirror."""
    return joints[..., H36M17_MIRROR, :] * torch.tensor([-1.0, 1.0, 1.0]).to(joints)


def with_mirror_image(rays: torch.Tensor, confidence: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Rays (2,F,23,2) and confidence (2,F,23) of one clip and of its mirror image."""
    mirrored_rays, mirrored_confidence = mirror_points(rays, confidence)
    return torch.cat([rays, mirrored_rays]), torch.cat([confidence, mirrored_confidence])


def own_joints(observations: Observations) -> FloatArray | None:
    """The detector's own 3D as h36m17 joints (F,17,3) m relative to the hip, zero without the person; None if it has none."""
    if observations.keypoints_3d is None:
        return None
    joints = np.einsum("jk,fkc->fjc", h36m17_weights(observations.keypoint_set), observations.keypoints_3d.astype(float))
    return (joints - joints[:, :1]) * observations.visible[:, None, None]


def to_tensors(points: FloatArray, device: torch.device | str) -> tuple[torch.Tensor, torch.Tensor]:
    """Rays (1,F,P,2) and confidence (1,F,P) of points (F,P,3)."""
    values = to_tensor(points, device=device)[None]
    return values[..., :2], values[..., 2]
