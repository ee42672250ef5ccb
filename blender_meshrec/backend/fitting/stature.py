"""How tall a body stands, and bodies of a given stature."""

import numpy as np

from ...core.array_types import FloatArray
from ...core.files.body_template import BodyTemplate

_ITERATIONS = 10  # the highest and the lowest vertex change with the betas


def stature(template: BodyTemplate, betas: FloatArray) -> float:
    """How tall a body stands at rest, m, without shoes."""
    return float(np.ptp(template.rest_vertices(betas)[:, 1]))


def stature_and_gradient(template: BodyTemplate, betas: FloatArray) -> tuple[float, FloatArray]:
    """The stature, m, and its derivatives (B,) by betas (B,)."""
    heights = template.rest_vertices(betas)[:, 1]
    top, bottom = heights.argmax(), heights.argmin()
    return float(heights[top] - heights[bottom]), (template.shapedirs[top, 1] - template.shapedirs[bottom, 1])[: len(betas)].astype(float)


def betas_of_stature(template: BodyTemplate, betas: FloatArray, height: float) -> FloatArray:
    """The betas (B,) nearest to others with which a body is `height` m tall."""
    betas = np.asarray(betas, float)
    for _ in range(_ITERATIONS):
        current, gradient = stature_and_gradient(template, betas)
        betas = betas + gradient * (height - current) / (gradient @ gradient)
    return betas


def oddness(template: BodyTemplate, betas: FloatArray) -> float:
    """How odd a body's proportions are: the largest of its betas, without what only makes it as small as a child."""
    average = stature(template, np.zeros(len(betas)))
    same_size = betas_of_stature(template, betas, average) if stature(template, betas) < average else betas
    return float(min(np.abs(betas).max(), np.abs(same_size).max()))
