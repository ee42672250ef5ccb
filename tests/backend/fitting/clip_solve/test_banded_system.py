"""The banded solver against a dense one."""

from dataclasses import dataclass

import numpy as np
import pytest

from blender_meshrec.backend.fitting.clip_solve.banded_system import Elimination, eliminate_frames
from blender_meshrec.backend.fitting.clip_solve.normal_equations import BandedEquations
from tests.support.dense_system import dense_system

SIZE, CLIP = 5, 3  # unknowns of a frame and of the clip


@dataclass(frozen=True)
class RandomEquations:
    """The equations of a few frames, by chunks."""

    whole: BandedEquations
    chunk_frames: int = 128
    is_held: bool = True

    @property
    def num_frames(self):
        return len(self.whole.gradient)

    def chunk(self, index):
        rows = slice(index * self.chunk_frames, (index + 1) * self.chunk_frames)
        part = {name: getattr(self.whole, name)[rows] for name in ("diagonal", "next", "after_next", "arrow", "gradient")}
        share = 1.0 if index == 0 else 0.0
        return BandedEquations(**part, corner=share * self.whole.corner, clip_gradient=share * self.whole.clip_gradient)


def random_system(frames, seed=0, **kind):
    """Normal equations of random residuals, each of three frames in a row and the clip."""
    rng = np.random.default_rng(seed)
    system = BandedEquations(
        *(np.zeros((frames, SIZE, SIZE)) for _ in range(3)),
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
    return RandomEquations(system, **kind)


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


@pytest.mark.parametrize("is_held", [True, False])
@pytest.mark.parametrize("frames", [5, 6, 7, 8, 9])
def test_chunks_change_nothing(frames, is_held):
    """Factors that are made again on the way back are those of the way forward."""
    whole, chunked = (eliminate_frames(random_system(frames, chunk_frames=size, is_held=is_held), 1e-3) for size in (128, 2))
    for name in ("corner", "gradient", "solution"):
        np.testing.assert_allclose(getattr(chunked, name), getattr(whole, name), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("chunk_frames", [2, 4, 128])
def test_the_inverses_diagonal_is_that_of_a_dense_inverse(chunk_frames):
    system = random_system(7, chunk_frames=chunk_frames)
    matrix = dense_system(system)[0][: 7 * SIZE, : 7 * SIZE] + 1e-6 * np.eye(7 * SIZE)
    dense = np.linalg.inv(matrix).reshape(7, SIZE, 7, SIZE)
    for start, blocks in Elimination(system, 0.0).inverse_diagonal():
        for frame, block in enumerate(blocks, start):
            np.testing.assert_allclose(block, dense[frame, :, frame], rtol=1e-6, atol=1e-9)


def test_equations_without_a_minimum_raise():
    system = random_system(4)
    system.whole.diagonal[2] *= -1
    with pytest.raises(np.linalg.LinAlgError):
        eliminate_frames(system, 0.0)
