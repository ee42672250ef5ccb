"""Bodies that a network regresses, frame by frame, in a square window around a person, from 17 keypoints and a silhouette.

The windows and what a network sees in them, its weak-perspective camera, and a clip's mesh made of its answers. Ours. B frames; rays are
x/z and y/z in camera axes (OpenCV).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import roma
import torch
from torch import nn

from ..core.array_types import FloatArray
from ..core.cameras import rays_from_pixels
from ..core.files.body_template import load_body
from ..core.records import BodyParams, GeneratedMesh, Observations
from ..core.silhouettes import BOX_MARGIN
from ..core.skeletons import to_h36m17
from .alignment import rotation_to_optical_axis
from .make_body import make_body
from .tensors import to_tensor

SILHOUETTE_SIZE = 48  # px, a side of the silhouette's window
CHUNK_FRAMES = 1024  # frames regressed at once
MIN_CONFIDENCE = 0.3  # confidence from which a keypoint is used


class WindowBodies(NamedTuple):
    """rotmats (B,24,3,3), local, the root's in the axes of the camera that looks straight at the person; betas (B,10);
    camera (B,3): the scale s, half windows per metre, and the hip's position t in half windows from the centre."""

    rotmats: torch.Tensor
    betas: torch.Tensor
    camera: torch.Tensor


# Points (B,17,3), x and y in half windows and confidence, and silhouettes (B,S,S), to WindowBodies.
WindowNetwork = Callable[[torch.Tensor, torch.Tensor], WindowBodies]


def project_weak_perspective(joints: torch.Tensor, camera: torch.Tensor, windows: torch.Tensor) -> torch.Tensor:
    """Rays (B,J,2) of joints (B,J,3) m relative to the hip in the axes of the camera that looks straight at the person.

    Source: HMR eq. 1 and PC-HMR eq. 3, x = s X + t.
    """
    position = camera[:, None, 1:] + camera[:, None, :1] * joints[..., :2]
    return windows[:, None, :2] + (position + 1) / 2 * windows[:, None, 2:]


def windows_around(rays: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """Square windows (B,4), left, top, width, height as rays, around the `valid` (B,J) of rays (B,J,2); around all where none is."""
    valid = valid | ~valid.any(1, keepdim=True)
    low = rays.masked_fill(~valid[..., None], torch.inf).amin(1)
    high = rays.masked_fill(~valid[..., None], -torch.inf).amax(1)
    side = (high - low).amax(1, keepdim=True).clamp_min(1e-3) * BOX_MARGIN
    return torch.cat([(low + high) / 2 - side / 2, side.expand(-1, 2)], 1)


def window_coordinates(rays: torch.Tensor, windows: torch.Tensor) -> torch.Tensor:
    """Rays (B,J,2) in half windows from the centres of windows (B,4)."""
    return 2 * (rays - windows[:, None, :2]) / windows[:, None, 2:] - 1


def window_rotation_to_axis(windows: torch.Tensor) -> torch.Tensor:
    """(B,3,3): the least rotation that turns the line of sight to the centres of windows (B,4) onto the z axis."""
    return rotation_to_optical_axis(windows[:, :2] + windows[:, 2:] / 2)


def crop_silhouettes(observations: Observations, windows: torch.Tensor, intrinsics: FloatArray) -> torch.Tensor:
    """Silhouettes (B,S,S) in windows (B,4) where all visible frames have one; else all are empty."""
    known = observations.silhouettes
    crops = windows.new_zeros(len(windows), SILHOUETTE_SIZE, SILHOUETTE_SIZE)
    if known is None or not observations.visible.any() or not np.isin(np.flatnonzero(observations.visible), known.rows).all():
        return crops
    rows = torch.as_tensor(np.array(known.rows), device=windows.device)
    squares, masks = (to_tensor(value, windows.dtype, windows.device) for value in (known.squares, known.masks))
    focal = windows.new_tensor([intrinsics[0, 0], intrinsics[1, 1]])
    principal_point = windows.new_tensor([intrinsics[0, 2], intrinsics[1, 2]])
    step = (torch.arange(SILHOUETTE_SIZE).to(windows) + 0.5) / SILHOUETTE_SIZE
    grid = torch.stack(torch.meshgrid(step, step, indexing="xy"), -1)  # (S,S,2), fractions of a window
    pixels = (windows[rows, None, None, :2] + grid * windows[rows, None, None, 2:]) * focal + principal_point
    positions = 2 * (pixels - squares[:, None, None, :2]) / squares[:, None, None, 2:]
    crops[rows] = nn.functional.grid_sample(masks[:, None], positions, align_corners=False)[:, 0].round()
    return crops


def window_inputs(
    observations: Observations, intrinsics: FloatArray, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Windows (F,4), points (F,17,3) in them and silhouettes (F,S,S) of a person, any keypoint set; intrinsics (3,3) px."""
    keypoints = to_h36m17(observations.keypoints, observations.keypoint_set)
    rays = to_tensor(rays_from_pixels(keypoints[..., :2], intrinsics), device=device)
    confidence = to_tensor(keypoints[..., 2] * observations.visible[:, None], device=device)
    windows = windows_around(rays, confidence >= MIN_CONFIDENCE)
    points = torch.cat([window_coordinates(rays, windows), confidence[..., None]], -1)
    return windows, points, crop_silhouettes(observations, windows, intrinsics)


def generate_mesh(network: WindowNetwork, observations: Observations, intrinsics: FloatArray, device: torch.device) -> GeneratedMesh:
    """The mesh of every frame, each independent of the others.

    Args:
        network: the generator's. observations: one person of F frames, any keypoint set. intrinsics: (3,3) px.

    Returns:
        a GeneratedMesh in camera axes, the hip in the origin. Rows without the person are undefined.
    """
    windows, points, silhouettes = window_inputs(observations, intrinsics, device)
    output = _run_in_chunks(network, points, silhouettes)
    visible = torch.as_tensor(np.array(observations.visible), device=device)
    betas = (output.betas[visible] if visible.any() else output.betas).mean(0)
    return _mesh_from_output(output, betas, windows, np.asarray(intrinsics, float))


def _run_in_chunks(network: WindowNetwork, points: torch.Tensor, silhouettes: torch.Tensor) -> WindowBodies:
    """The network over any number of frames in bounded memory."""
    chunks = [slice(start, start + CHUNK_FRAMES) for start in range(0, len(points), CHUNK_FRAMES)]
    outputs = [network(points[rows], silhouettes[rows]) for rows in chunks]
    return WindowBodies(*(torch.cat(parts) for parts in zip(*outputs)))


def _mesh_from_output(output: WindowBodies, betas: torch.Tensor, windows: torch.Tensor, intrinsics: FloatArray) -> GeneratedMesh:
    """The network's answers with one shape betas (10,) in camera axes, and its joints projected into the picture."""
    body = make_body(load_body(), betas.device)
    joints = body.h36m17(betas, output.rotmats[:, 0], output.rotmats[:, 1:])
    rays = project_weak_perspective(joints - joints[:, :1], output.camera, windows)
    pixels = torch.cat([rays, torch.ones_like(rays[..., :1])], -1).cpu().double().numpy() @ intrinsics.T
    root = window_rotation_to_axis(windows).mT @ output.rotmats[:, 0]
    poses = roma.rotmat_to_rotvec(torch.cat([root[:, None], output.rotmats[:, 1:]], 1)).cpu().numpy()
    params = BodyParams("open", betas.cpu().numpy(), poses[:, 0], poses[:, 1:].reshape(len(poses), -1), np.zeros((len(poses), 3)))
    return GeneratedMesh(body=params, points=pixels[..., :2])
