"""The whole-clip solve's equations of one person as one dense matrix: slow and obvious, to test the banded solver against."""

import numpy as np

from blender_meshrec.backend.fitting.clip_solve.banded_system import BandedSystem
from blender_meshrec.core.array_types import FloatArray


def dense_system(system: BandedSystem) -> tuple[FloatArray, FloatArray]:
    """Matrix (N,N) and gradient (N,) of all unknowns: frame by frame, then the clip's."""
    frames, size = system.gradient.shape
    clip = len(system.clip_gradient)
    matrix = np.zeros((frames * size + clip, frames * size + clip))
    for step, band in enumerate((system.diagonal, system.next, system.after_next)):
        for frame, block in enumerate(band):
            here, there = (slice(size * t, size * (t + 1)) for t in (frame, frame + step))
            matrix[here, there] = block
            matrix[there, here] = block.T
    arrow = system.arrow.reshape(-1, clip)
    matrix[: frames * size, frames * size :] = arrow
    matrix[frames * size :, : frames * size] = arrow.T
    matrix[frames * size :, frames * size :] = system.corner
    return matrix, np.concatenate([system.gradient.ravel(), system.clip_gradient])
