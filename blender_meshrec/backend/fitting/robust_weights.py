"""Weights of residuals by robust loss functions, for least squares that is solved again with new weights."""

import numpy as np

from ...core.array_types import FloatArray


def cauchy_weight(residual: FloatArray, scale: float | FloatArray) -> FloatArray:
    """1 at zero, a half at `scale`; far residuals pull less the farther they are (Cauchy's loss)."""
    return 1 / (1 + np.square(residual / scale))


def geman_mcclure_weight(residual: FloatArray, scale: float | FloatArray) -> FloatArray:
    """1 at zero, a quarter at `scale`; far residuals hardly pull at all. Source: Geman and McClure 1987."""
    return cauchy_weight(residual, scale) ** 2
