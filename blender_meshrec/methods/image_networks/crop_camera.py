"""The weak-perspective camera of a crop, as a perspective camera of the crop and of the whole picture.

A network gives (s, x, y): a scale and a shift. A point (X, Y, Z) m appears at s (X + x), s (Y + y), in half crops from the crop's centre.
Source: Kanazawa et al. 2018 (HMR), section 3.1; the conversions of SPIN and of HMR2.0, "Humans in 4D".
"""

import torch

FOCAL_LENGTH = 5000.0  # px of a crop: nearly parallel lines of sight
_TINY = 1e-9


def crop_translation(camera: torch.Tensor, size: int, focal: float = FOCAL_LENGTH) -> torch.Tensor:
    """The position (B,3) m of a body before a crop's perspective camera. camera: (B,3). size: px, a side of the crop."""
    scale, x, y = camera.unbind(-1)
    return torch.stack([x, y, 2 * focal / (size * scale + _TINY)], -1)


def full_translation(
    camera: torch.Tensor, squares: torch.Tensor, image_size: tuple[float, float], focal: float = FOCAL_LENGTH
) -> torch.Tensor:
    """The position (B,3) m of a body before the picture's perspective camera.

    Args:
        camera: (B,3). squares: (B,3) px, centres and sides of the crops. image_size: (width, height) px.
        focal: px of the picture; HSMR keeps FOCAL_LENGTH, HMR2.0 has `hmr2_focal_length`.
    """
    scale, x, y = camera.unbind(-1)
    column, row, side = squares.unbind(-1)
    width, height = image_size
    size = side * scale + _TINY
    return torch.stack([x + 2 * (column - width / 2) / size, y + 2 * (row - height / 2) / size, 2 * focal / size], -1)


def hmr2_focal_length(image_size: tuple[float, float], crop_size: int = 256) -> float:
    """The focal length, px, with which HMR2.0 shows its bodies in a picture of (width, height) px."""
    return FOCAL_LENGTH / crop_size * max(image_size)


def project_weakly(points: torch.Tensor, camera: torch.Tensor, squares: torch.Tensor) -> torch.Tensor:
    """Pixels (B,J,2) of points (B,J,3) m by a crop's own camera (B,3); squares: (B,3) px."""
    shifted = camera[:, None, :1] * (points[..., :2] + camera[:, None, 1:])
    return squares[:, None, :2] + shifted * squares[:, None, 2:] / 2
