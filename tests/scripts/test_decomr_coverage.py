"""How far a regressed mesh covers a person: wholly where the mask is its own outline, less where it is moved or turned."""

import cv2
import numpy as np
import torch

from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.core.crop_regression import CropRegression
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.records import Observations
from blender_meshrec.core.silhouettes import MASK_SIZE, Silhouettes
from scripts.evaluate.decomr_coverage import coverage_alone

SQUARE = np.array([300.0, 200.0, 240.0])  # px, of the crop
MASK_SQUARE = np.array([310.0, 190.0, 260.0])
CAMERA = np.array([1.0, 0.05, -0.1])


def outline(scale: float = 1.0) -> np.ndarray:
    """The mask of the open body that faces the camera, filled triangle by triangle."""
    body = make_body(load_body())
    rotmats = torch.diag(torch.tensor([1.0, -1, -1])).expand(1, 3, 3)
    joints, vertices = body(torch.zeros(10), rotmats, torch.eye(3).expand(1, 23, 3, 3))
    vertices = (vertices - (joints[:, 1:2] + joints[:, 2:3]) / 2)[0, :, :2].numpy()
    pixels = SQUARE[:2] + (scale * CAMERA[0] * vertices + CAMERA[1:]) * SQUARE[2] / 2
    cells = (pixels - MASK_SQUARE[:2] + MASK_SQUARE[2] / 2) * MASK_SIZE / MASK_SQUARE[2]
    fine = np.zeros((8 * MASK_SIZE, 8 * MASK_SIZE), np.uint8)
    for triangle in body.faces:
        cv2.fillConvexPoly(fine, np.round(8 * cells[triangle]).astype(np.int32), 1)
    return fine[4::8, 4::8] > 0


def observed(mask: np.ndarray, camera: np.ndarray = CAMERA) -> Observations:
    """A frame with a mask, and a regression of the body that faces the camera."""
    rotmats = np.tile(np.eye(3), (1, 24, 1, 1))
    rotmats[0, 0] = np.diag([1, -1, -1])
    yes = np.ones(1, bool)
    rows = CropRegression(np.zeros((1, 17, 3)), rotmats, np.zeros((1, 10)), camera[None], SQUARE[None], yes, yes).to_rows()
    silhouettes = Silhouettes(np.array([0]), MASK_SQUARE[None], mask[None])
    return Observations("h36m17", np.ones((1, 4)), np.ones((1, 17, 3)), yes, silhouettes=silhouettes, regression=rows)


def test_a_mesh_covers_its_own_outline():
    assert coverage_alone(observed(outline()))[0] > 0.93


def test_a_mesh_beside_or_smaller_covers_less():
    assert coverage_alone(observed(outline(), CAMERA + [0, 0.3, 0]))[0] < 0.6
    assert 0.3 < coverage_alone(observed(outline(0.8)))[0] < 0.7
