"""Windows of filmed clips: augmentation keeps picture, truth and the detector's own 3D consistent."""

import numpy as np
import pytest

from blender_meshrec.core.cameras import project
from blender_meshrec.core.skeletons import H36M17
from scripts.train.data import filmed_windows
from scripts.train.data.camera_views import SET_NAMES, film_bodies
from scripts.train.data.filmed_bodies.clips import FilmedClip
from scripts.train.data.filmed_bodies.shards import read_shards, write_shard
from scripts.train.data.motion_augmentation import WindowSampler
from tests.scripts.test_lifter_training import made_up_clip
from tests.support.walk_before_camera import LANDMARK_ROWS, walk_about_hip

INTRINSICS = np.array([[500.0, 0, 160], [0, 500, 120], [0, 0, 1]])
FRAMES = 40


@pytest.fixture(scope="module")
def windows(tmp_path_factory):
    """A walk at the optical axis, seen exactly; the detector's own 3D is the truth."""
    joints, rows = walk_about_hip(np.arange(FRAMES) / 30), LANDMARK_ROWS
    place = joints + [0.0, 0, 4]
    keypoints = np.concatenate([project(place[:, rows], INTRINSICS), np.ones((FRAMES, len(rows), 1))], -1)
    visible = np.arange(FRAMES) != 7
    clip = FilmedClip(
        "walk", "nobody", "walk", keypoints * visible[:, None, None], joints[:, rows] * visible[:, None, None], visible, joints,
        project(place, INTRINSICS), place[:, 0], INTRINSICS, np.array([320, 240]), np.eye(4), np.zeros(10),
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("filmed")
    write_shard(folder / "shard_0000.npz", [clip], 0)
    return filmed_windows.FilmedWindows(read_shards(folder))


def test_rays_are_the_truths_through_the_assumed_lens(windows):
    views = windows.draw(np.random.default_rng(0), 64, 27)
    distance = 4.0 / windows_bone_sum(windows)
    place = views.joints + [0, 0, distance]
    expected = place[..., :2] / place[..., 2:] * views.zoom[:, None, None, None]
    limbs = [H36M17.index(name) for name in ("left_knee", "right_wrist", "left_shoulder")]
    seen = views.confidence[..., limbs] > 0
    np.testing.assert_allclose(views.rays[..., limbs, :][seen], expected[..., limbs, :][seen], atol=1e-4)
    assert (views.zoom != 1).any() and seen.any()


def windows_bone_sum(windows):
    """The bone-length sum of the only clip, m: its own 3D is the truth in metres."""
    own, joints = windows.own[0], windows.joints[0]
    return float(np.linalg.norm(own) / np.linalg.norm(joints[[f for f in range(FRAMES) if own[f].any()]]))


def test_a_detectors_own_3d_follows_mirror_and_roll(windows):
    views = windows.draw(np.random.default_rng(1), 64, 27)
    has_own = np.abs(views.own_3d).sum((-1, -2)) > 0
    assert 0.5 < has_own.mean() < 0.95
    limbs = [H36M17.index(name) for name in ("left_knee", "right_wrist", "left_shoulder")]
    own = views.own_3d[..., limbs, :] / windows_bone_sum(windows)
    np.testing.assert_allclose(own[has_own], views.joints[..., limbs, :][has_own], atol=1e-4)
    turned = views.joints[..., H36M17.index("thorax"), 0][views.valid]
    assert turned.min() < -0.005 and turned.max() > 0.005


def test_frames_without_the_person_have_no_own_3d(windows):
    views = windows.draw(np.random.default_rng(2), 32, 60)
    assert views.valid[:, :FRAMES].all() and not views.valid[:, FRAMES:].any()
    assert not views.own_3d[:, 7].any() and not views.confidence[:, 7].any()
    assert not views.own_3d[~(views.confidence > 0).any(-1)].any()


def test_views_of_both_kinds_are_joined(windows):
    rng = np.random.default_rng(3)
    simulated = film_bodies(rng, *WindowSampler([made_up_clip()[0]], 27).draw(rng, 5), sets=[SET_NAMES.index("coco17")] * 5)
    joined = filmed_windows.join_views(simulated, windows.draw(rng, 3, 27))
    assert joined.rays.shape == (8, 27, 23, 2) and not joined.own_3d[:5].any() and joined.own_3d[5:].any()
    np.testing.assert_array_equal(joined.joints[:5], simulated.joints)
