"""An adult and a child on one floor, through the whole pipeline: one floor, and the child stays a child."""

import numpy as np
import pytest

from blender_meshrec.backend.fitting.clip_solve.body_points import SOLE_ROWS, pose_points
from blender_meshrec.backend.pipeline import recover
from blender_meshrec.bridge.messages import ReconstructRequest
from blender_meshrec.core.cameras import project
from blender_meshrec.core.foot_planting.leg_kinematics import pose_legs, soles_from_template
from blender_meshrec.core.rotations import rotmat_from_rotvec
from tests.support.made_up_clips import squat
from tests.support.synthetic_gait import make_view

TIMES = np.arange(60) / 30
CHILD = 0.66  # of the adult's size


@pytest.fixture(scope="module")
def people(template, tmp_path_factory):
    """The two Recoveries: the child stands beside the adult, a little nearer to the camera."""
    view = make_view(distance=5.0, pitch=0.2)
    keypoints = []
    for size, at, later in ((1.0, (-0.6, 0.0), 0.0), (CHILD, (0.6, -0.4), 0.8)):
        clip = squat(template, TIMES + later, view, at=at)
        points = pose_points(clip.shape, clip.truth)
        feet = points.rows[:, SOLE_ROWS].mean((0, 1))
        pixels = project(feet + size * (points.markers - feet), view.intrinsics)
        keypoints.append(np.concatenate([pixels, np.ones((*pixels.shape[:2], 1))], -1))
    path = tmp_path_factory.mktemp("people") / "two.npz"
    np.savez(path, keypoints=np.stack(keypoints, 1), keypoint_set="h36m17", image_size=view.size, fps=30.0)
    return recover(ReconstructRequest(str(path), person="all", device="cpu"))


def lowest_soles(template, recovery):
    """The heights (F,) m of the lowest point of the soles."""
    rest = template.rest_joints(recovery.betas)
    rotmats = rotmat_from_rotvec(recovery.poses.astype(float).reshape(len(recovery), -1, 3))
    return pose_legs(rotmats, recovery.trans + rest[0], rest, soles_from_template(template, recovery.betas)).points[..., 2].min(1)


def test_both_stand_on_one_floor(people, template):
    heights = [float(np.median(lowest_soles(template, one))) for one in people.recoveries]
    assert abs(heights[0] - heights[1]) < 0.02 and max(map(abs, heights)) < 0.02  # m


def test_a_child_stays_a_child(people):
    adult, child = (person["height_cm"] for person in people.report["people"])
    assert child / adult == pytest.approx(CHILD, rel=0.12)  # one view with an unknown lens
    assert 155 < adult < 190
