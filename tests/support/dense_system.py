"""The whole-clip solve's equations of one person as one dense matrix: slow and obvious, to test the banded solver against."""

import numpy as np

from blender_meshrec.backend.fitting.clip_solve.normal_equations import NormalEquations, num_chunks
from blender_meshrec.core.array_types import FloatArray


def dense_system(system: NormalEquations) -> tuple[FloatArray, FloatArray]:
    """Matrix (N,N) and gradient (N,) of all unknowns: frame by frame, then the clip's."""
    chunks = [system.chunk(index) for index in range(num_chunks(system))]
    size, clip = chunks[0].arrow.shape[1:]
    frames = system.num_frames * size
    matrix, gradient = np.zeros((frames + clip, frames + clip)), np.zeros(frames + clip)
    for index, chunk in enumerate(chunks):
        start = index * system.chunk_frames
        for step, band in enumerate((chunk.diagonal, chunk.next, chunk.after_next)):
            for frame, block in enumerate(band[: system.num_frames - start - step], start):
                here, there = (slice(size * t, size * (t + 1)) for t in (frame, frame + step))
                matrix[here, there] = block
                matrix[there, here] = block.T
        rows = slice(size * start, size * (start + len(chunk.gradient)))
        matrix[rows, frames:] = chunk.arrow.reshape(-1, clip)
        matrix[frames:, rows] = matrix[rows, frames:].T
        matrix[frames:, frames:] += chunk.corner
        gradient[rows] = chunk.gradient.ravel()
        gradient[frames:] += chunk.clip_gradient
    return matrix, gradient
