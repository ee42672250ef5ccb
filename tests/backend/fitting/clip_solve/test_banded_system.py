"""The banded solver against a dense one."""

import numpy as np
import pytest

from blender_meshrec.backend.fitting.clip_solve.banded_system import BandedSystem, eliminate_frames
from tests.support.dense_system import dense_system

SIZE, CLIP = 5, 3  # unknowns of a frame and of the clip


def random_system(frames, seed=0):
    """Normal equations of random residuals, each of three frames in a row and the clip."""
    rng = np.random.default_rng(seed)
    system = BandedSystem(
        *(np.zeros((max(frames - step, 0), SIZE, SIZE)) for step in range(3)),
        arrow=np.zeros((frames, SIZE, CLIP)), gradient=rng.normal(size=(frames, SIZE)),
        corner=np.eye(CLIP), clip_gradient=rng.normal(size=CLIP),
    )  # fmt: skip
    for first in range(-2, frames):
        involved = [frame for frame in range(first, first + 3) if 0 <= frame < frames]
        rows = {frame: rng.normal(size=(4, SIZE)) for frame in involved}
        clip = rng.normal(size=(4, CLIP))
        for frame in involved:
            system.diagonal[frame] += rows[frame].T @ rows[frame]
            system.arrow[frame] += rows[frame].T @ clip
            for step, band in ((1, system.next), (2, system.after_next)):
                if frame + step in involved:
                    band[frame] += rows[frame].T @ rows[frame + step]
        system.corner[...] += clip.T @ clip
    return system


@pytest.mark.parametrize("damping", [0.0, 1e-3, 10.0])
@pytest.mark.parametrize("frames", [1, 2, 3, 4, 7, 8])
def test_the_banded_solution_is_the_dense_one(frames, damping):
    """Even and odd counts of frames, which are eliminated in pairs; damping scales the diagonal of the frames."""
    system = random_system(frames)
    matrix, gradient = dense_system(system)
    diagonal = np.arange(frames * SIZE)
    matrix[diagonal, diagonal] = matrix[diagonal, diagonal] * (1 + damping) + 1e-6
    expected = -np.linalg.solve(matrix, gradient)
    reduced = eliminate_frames(system, damping)
    clip_step = -np.linalg.solve(reduced.corner, reduced.gradient)
    np.testing.assert_allclose(clip_step, expected[frames * SIZE :], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(reduced.frame_steps(clip_step).ravel(), expected[: frames * SIZE], rtol=1e-6, atol=1e-8)


def test_what_remains_is_the_schur_complement():
    """For any step of the clip's unknowns the frames follow with their best."""
    system = random_system(5)
    matrix, gradient = dense_system(system)
    frames = slice(0, 5 * SIZE)
    clip_step = np.array([0.3, -0.2, 0.5])
    expected = -np.linalg.solve(matrix[frames, frames], gradient[frames] + matrix[frames, 5 * SIZE :] @ clip_step)
    np.testing.assert_allclose(eliminate_frames(system, 0.0).frame_steps(clip_step).ravel(), expected, rtol=1e-4, atol=1e-5)
