"""The crops of a person that the released networks were trained on, cut as their reference implementations cut them.

A crop is a square around the person's box, resized to the network's input. What differs, and matters to a network:

* `smoothed_crop` (HMR2.0): bilinear resampling at the exact square; a picture that shrinks by more than 2.2 is blurred before.
* `whole_pixel_crop` (HSMR): whole pixels, resized bilinearly without a blur.
* `stretched_crop` (SPIN, DecoMR): whole pixels, the contrast stretched from the crop's least to its greatest value, as scipy's former
  `imresize` did, then resized with an antialiasing bilinear filter.

Beyond the picture everything is black. Pixels of a box are given as detectors give them, with the first pixel's corner at (0, 0).
"""

import cv2
import numpy as np
import torch

from ...core.array_types import FloatArray, ImageArray

# Mean and standard deviation of ImageNet's pictures, RGB, 0..1.
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
TRANSFORMER_ASPECT = (192, 256)  # width : height of the part of its crop that a vision transformer sees
BLUR_FROM = 1.1  # of half the factor by which a picture shrinks
RESNET_BOX_SCALE = 1.2  # of a box around keypoints to the crop


def normalised_crops(crops: ImageArray, device: torch.device | str = "cpu") -> torch.Tensor:
    """Crops (N,S,S,3) RGB, 0..255, as a network's input (N,3,S,S)."""
    values = torch.as_tensor(np.ascontiguousarray(crops)).to(device=device, dtype=torch.float32).permute(0, 3, 1, 2) / 255
    mean, std = (values.new_tensor(numbers)[:, None, None] for numbers in (MEAN, STD))
    return (values - mean) / std


# --- squares around boxes ---------------------------------------------------------------------------------------------


def transformer_square(box: FloatArray) -> FloatArray:
    """Centre and side (3,) px of HMR2.0's and HSMR's crop of a box (4,): the longer side once it is made 192 : 256."""
    left, top, right, bottom = np.asarray(box, float)
    width, height = right - left, bottom - top
    aspect = TRANSFORMER_ASPECT[0] / TRANSFORMER_ASPECT[1]
    return np.array([(left + right) / 2, (top + bottom) / 2, max(width, height, width / aspect, height * aspect)])


def resnet_square(box: FloatArray, scale: float = RESNET_BOX_SCALE) -> FloatArray:
    """Centre and side (3,) px of SPIN's and DecoMR's crop of a box (4,) around keypoints: its longer side, scaled."""
    left, top, right, bottom = np.asarray(box, float)
    # In the reference's unit of 200 px: the last bit decides which pixel a whole number becomes.
    return np.array([(left + right) / 2, (top + bottom) / 2, 200 * (max(right - left, bottom - top) / 200 * scale)])


# --- crops ------------------------------------------------------------------------------------------------------------


def smoothed_crop(image: ImageArray, square: FloatArray, size: int = 256) -> FloatArray:
    """HMR2.0's crop (size,size,3) of a picture (H,W,3): values 0..255, whole numbers where it was not blurred."""
    x, y, side = np.asarray(square, float)
    shrinking = side / size / 2
    source, corner = image, np.zeros(2)
    if shrinking > BLUR_FROM:
        source, corner = _blurred_part(image, square, sigma=(shrinking - 1) / 2)
    scale = size / side
    matrix = np.array([[scale, 0, size / 2 - scale * (x - corner[0])], [0, scale, size / 2 - scale * (y - corner[1])]])
    crop = cv2.warpAffine(source, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(crop, np.float64)


def _blurred_part(image: ImageArray, square: FloatArray, sigma: float) -> tuple[FloatArray, FloatArray]:
    """The part of a picture that a square needs, blurred as the whole would be, and its corner (2,) px; edges are extended."""
    radius = int(4 * sigma + 0.5)
    centre, half = np.asarray(square[:2], float), square[2] / 2 + 2
    height, width = image.shape[:2]
    low = np.floor(centre - half).astype(int) - radius
    high = np.ceil(centre + half).astype(int) + radius
    low, high = np.clip(low, 0, [width - 1, height - 1]), np.clip(high, 1, [width, height])
    high = np.maximum(high, low + 1)
    # In double precision, in which OpenCV resamples to 1/32 of a pixel, as the reference does.
    part = np.ascontiguousarray(image[low[1] : high[1], low[0] : high[0]], dtype=np.float64)
    kernel = (2 * radius + 1, 2 * radius + 1)
    blurred = cv2.GaussianBlur(part, kernel, sigma, sigmaY=sigma, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(blurred, np.float64), low.astype(float)


def whole_pixel_crop(image: ImageArray, square: FloatArray, size: int = 256) -> ImageArray:
    """HSMR's crop (size,size,3) uint8 of a picture (H,W,3)."""
    x, y, side = np.asarray(square, float)
    corners = np.array([x - side / 2, y - side / 2, x + side / 2, y + side / 2])
    left, top, right, bottom = np.trunc(corners).astype(int)
    cut = _cut_out(image, left, top, max(right, left + 1), max(bottom, top + 1))
    return np.asarray(cv2.resize(cut, (size, size)), np.uint8)


def stretched_crop(image: ImageArray, square: FloatArray, size: int = 224) -> ImageArray:
    """SPIN's and DecoMR's crop (size,size,3) uint8 of a picture (H,W,3)."""
    left, top = _pixel_of_place(0, square, size)
    right, bottom = _pixel_of_place(size, square, size)
    cut = _cut_out(image, left, top, max(right, left + 1), max(bottom, top + 1)).astype(float)
    low, high = cut.min(), cut.max()
    stretched = ((cut - low) * (255 / ((high - low) or 1)) + 0.5).clip(0, 255).astype(np.uint8)
    values = torch.as_tensor(stretched).permute(2, 0, 1)[None]
    resized = torch.nn.functional.interpolate(values, (size, size), mode="bilinear", antialias=True, align_corners=False)
    return resized[0].permute(1, 2, 0).numpy()


def _pixel_of_place(place: int, square: FloatArray, size: int) -> tuple[int, int]:
    """The picture's pixel of a place on the crop's diagonal, truncated.

    By the inverse of the matrix from picture to crop, as in the reference: the last bit decides which pixel a whole number becomes.
    """
    x, y, side = np.asarray(square, float)
    crop_from_picture = np.array([[size / side, 0, size * (-x / side + 0.5)], [0, size / side, size * (-y / side + 0.5)], [0, 0, 1]])
    column, row, _one = (np.linalg.inv(crop_from_picture) @ [place, place, 1.0]).astype(int)
    return int(column), int(row)


def _cut_out(image: ImageArray, left: int, top: int, right: int, bottom: int) -> ImageArray:
    """A rectangle of a picture, black where it lies beyond it."""
    cut = np.zeros((bottom - top, right - left, image.shape[2]), image.dtype)
    height, width = image.shape[:2]
    rows, columns = slice(max(top, 0), min(bottom, height)), slice(max(left, 0), min(right, width))
    if rows.start < rows.stop and columns.start < columns.stop:
        cut[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = image[rows, columns]
    return cut
