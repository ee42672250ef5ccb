"""How sure the solve is: its covariance against a dense inverse, and what makes it unsure."""

from dataclasses import replace

import numpy as np
import pytest

from blender_meshrec.backend.fitting.clip_solve.body_points import FRAME_UNKNOWNS, NUM_JOINTS
from blender_meshrec.backend.fitting.clip_solve.equations import Equations
from blender_meshrec.backend.fitting.clip_solve.normal_equations import ProjectedEquations
from blender_meshrec.backend.fitting.clip_solve.solve_clip import solve_clip
from blender_meshrec.backend.fitting.clip_solve.uncertainty import SMALLEST_PRECISION, certainty, joint_sigmas
from blender_meshrec.backend.fitting.clip_solve.weights import PRIOR_FRAMES
from blender_meshrec.core.skeletons import H36M17
from tests.backend.fitting.clip_solve.test_residuals import FRAMES, RESIDUALS, WORLD, made, still  # noqa: F401 - a fixture
from tests.support.dense_system import dense_system
from tests.support.made_up_clips import AT, squat, wrong_start


@pytest.fixture(scope="module")
def system(still):  # noqa: F811
    equations = Equations(FRAMES)
    for kind in RESIDUALS:
        made(kind, still).add(still, WORLD, equations)
    return ProjectedEquations(still, equations)


def test_sigmas_are_those_of_the_whole_covariance(system, still):  # noqa: F811
    """Of frames and clip at once: joints relative to the pelvis move with both."""
    size = FRAMES * FRAME_UNKNOWNS
    matrix = dense_system(system)[0]
    matrix[:size, :size] += 1e-6 * np.eye(size)
    matrix[size:, size:] += SMALLEST_PRECISION * np.eye(len(matrix) - size)
    covariance = np.linalg.inv(matrix)
    frame, clip = still.frame_jacobian()[:, :NUM_JOINTS], still.clip_jacobian()[:, :NUM_JOINTS]
    found = joint_sigmas(still, system)
    for row, joint in ((0, AT["left_wrist"]), (FRAMES - 1, AT["right_ankle"])):
        jacobian = np.zeros((3, len(matrix)))
        jacobian[:, row * FRAME_UNKNOWNS : (row + 1) * FRAME_UNKNOWNS] = frame[row, joint] - frame[row, 0]
        jacobian[:, size : size + clip.shape[-1]] = clip[row, joint] - clip[row, 0]
        assert found[row, joint] == pytest.approx(np.sqrt(PRIOR_FRAMES * np.trace(jacobian @ covariance @ jacobian.T) / 3), rel=1e-4)
    np.testing.assert_allclose(found[:, 0], np.sqrt((found[:, [AT["left_hip"], AT["right_hip"]]] ** 2).mean(1)))


def test_a_hand_that_is_not_seen_is_less_sure(template):
    """For half a second: its sigma is largest there, and that of the other hand stays."""
    clip = squat(template, np.arange(45) / 30)
    evidence = clip.evidence(wrong_start(clip))
    hidden = evidence.keypoints.copy()
    hidden[15:30, H36M17.index("left_wrist"), 2] = 0
    spread = np.full((45, 17, 3), 0.02)
    spread[15:30, H36M17.index("left_wrist")] = 0.15
    (seen,), _world = solve_clip(template, [replace(evidence, spread=np.full((45, 17, 3), 0.02))], clip.shared())
    (found,), _world = solve_clip(template, [replace(evidence, keypoints=hidden, spread=spread)], clip.shared())
    left, right = AT["left_wrist"], AT["right_wrist"]
    assert found.sigma[22, left] > 1.5 * seen.sigma[22, left]
    assert 15 <= 5 + found.sigma[5:-5, left].argmax() < 30  # the ends of a clip are less sure too
    assert found.sigma[22, right] == pytest.approx(seen.sigma[22, right], rel=0.2)
    assert (certainty(found.sigma)[22] > certainty(found.sigma)[22, left]).sum() == NUM_JOINTS - 2  # all but it and its hand
