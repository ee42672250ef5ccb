"""Views are joined: exact cameras give exact joints and clocks, unknown ones are found from the people, nobody is swapped."""

from dataclasses import replace

import numpy as np
import pytest

from blender_meshrec.backend.footage.looked_at import LookedAt
from blender_meshrec.backend.views import joint_adjustment
from blender_meshrec.backend.views.footage_views import View, cameras_of_views, intrinsics_in_picture
from blender_meshrec.backend.views.join_views import JoinedViews, join_views
from blender_meshrec.backend.views.joint_adjustment import NUM_UNKNOWNS, CameraPrior, Cameras, Moments
from blender_meshrec.core.camera_calibration import CalibratedCamera
from blender_meshrec.core.cameras import default_intrinsics
from blender_meshrec.core.errors import InputError
from blender_meshrec.core.metrics import pa_mpjpe
from blender_meshrec.core.records import Estimate, FootageInfo, Observations
from blender_meshrec.core.rotations import angle_between_rotmats, rotmat_from_rotvec
from tests.support.several_views import RATE, cameras_around, shifted_times
from tests.support.synthetic_gait import squat, walk

FRAMES = 45


def make_view(camera, people, is_known=True, noise=0.0, lean=0.0, seed=0, shown=None):
    """A View of people (F,17,3) m by a camera; lean: rad by which their poses are lifted wrongly; shown: (F,), or None for always."""
    rng = np.random.default_rng(seed)
    frames = len(people[0])
    visible = np.ones(frames, bool) if shown is None else shown
    observations, estimates = [], []
    for points in people:
        keypoints = camera.keypoints(points)
        keypoints[..., :2] += noise * rng.normal(size=keypoints[..., :2].shape)
        keypoints[~visible] = 0
        box = np.concatenate([keypoints[..., :2].min(1), keypoints[..., :2].max(1)], 1)
        observations.append(Observations("h36m17", box, keypoints, visible))
        joints = camera.joints(points)
        lifted = (joints - joints[:, :1]) @ rotmat_from_rotvec([lean, 0, lean]).T
        estimates.append(Estimate(lifted * visible[:, None, None], np.ones((frames, 17))))
    info = FootageInfo("clip.npz", np.arange(frames) / RATE, RATE, camera.size)
    intrinsics = camera.intrinsics if is_known else default_intrinsics(camera.size)
    placed = camera.camera_from_world if is_known else None
    return View(
        info,
        LookedAt(np.arange(frames), info.timestamps),
        tuple(observations),
        intrinsics,
        0.0 if is_known else 0.2,
        camera_from_world=placed,
        estimates=estimates,
    )


def relative(first, second):
    return second.camera_from_world @ np.linalg.inv(first.camera_from_world)


def test_exact_cameras_give_exact_joints_and_clocks():
    """The second camera starts 3.4 frames later, and the lifters lean by 5 degrees."""
    front, side = cameras_around(2)
    here, late = (walk(shifted_times(FRAMES, shift) - 0.7).h36m17 for shift in (0.0, 3.4))
    joined = JoinedViews([make_view(front, [here], lean=0.09), make_view(side, [late], lean=-0.09)], is_given=True)
    join_views(joined)
    (person,) = joined.people
    both = person.views_seen == 2
    assert joined.views[1].clock == "motion"
    assert RATE * joined.views[1].delay == pytest.approx(-3.4, abs=0.1)  # frames
    assert pa_mpjpe(person.points[both], here[both]) < 6  # mm: between frames keypoints are interpolated
    assert np.linalg.norm(person.points[both] - front.joints(here)[both], axis=-1).mean() < 0.02  # m


def test_noisy_keypoints_give_a_stated_error():
    front, side = cameras_around(2)
    here = walk(shifted_times(FRAMES) - 0.7).h36m17
    joined = JoinedViews([make_view(front, [here], noise=2.0), make_view(side, [here], noise=2.0, seed=1)], is_given=True)
    join_views(joined)
    assert pa_mpjpe(joined.people[0].points, here) < 12  # mm
    assert RATE * abs(joined.views[1].delay) < 0.2  # frames


def test_cameras_are_found_from_a_person():
    """Neither lens nor place of any camera is known; the person is as tall as the lifter has them."""
    views = cameras_around(3)
    for view in views:
        view.intrinsics = view.intrinsics * [[0.8, 1, 1], [1, 0.8, 1], [1, 1, 1]]
    here = walk(shifted_times(FRAMES) - 0.7).h36m17
    joined = JoinedViews([make_view(view, [here], is_known=False) for view in views], is_given=False)
    join_views(joined)
    for number in (1, 2):
        found, expected = joined.views[number].view_from_first, relative(views[0], views[number])
        assert np.degrees(angle_between_rotmats(found[:3, :3], expected[:3, :3])) < 2.0
        assert np.linalg.norm(found[:3, 3] - expected[:3, 3]) < 0.1 * np.linalg.norm(expected[:3, 3])
        assert np.log(joined.views[number].intrinsics[0, 0] / views[number].intrinsics[0, 0]) == pytest.approx(0, abs=0.08)
    assert pa_mpjpe(joined.people[0].points, here) < 10  # mm


@pytest.mark.parametrize("is_given", [True, False])
def test_people_are_matched(is_given):
    """Two people, in another order in the second view, one of them there in two tracks."""
    front, side = cameras_around(2)
    walker = walk(shifted_times(FRAMES) - 0.7).h36m17
    squatter = squat(shifted_times(FRAMES)).h36m17 + [0.9, 0.5, 0.0]
    early = np.arange(FRAMES) < 20
    second = make_view(side, [squatter, walker], is_given)
    parts = [make_view(side, [walker], is_given, shown=shown) for shown in (early, ~early)]
    people = (second.people[0], *(part.people[0] for part in parts))
    estimates = [second.estimates[0], *(part.estimates[0] for part in parts)]
    joined = JoinedViews([make_view(front, [walker, squatter], is_given), replace(second, people=people, estimates=estimates)], is_given)
    join_views(joined)
    assert sorted(joined.views[1].persons[0]) == [1, 2]
    assert joined.views[1].persons[1] == (0,)
    for person, truth in zip(joined.people, (walker, squatter)):
        assert pa_mpjpe(person.points, truth) < 15  # mm


def test_a_frame_that_only_another_view_shows_has_joints():
    front, side = cameras_around(2)
    here = walk(shifted_times(FRAMES) - 0.7).h36m17
    hidden = np.arange(FRAMES) > 30
    joined = JoinedViews([make_view(front, [here], shown=~hidden), make_view(side, [here])], is_given=True)
    join_views(joined)
    (person,) = joined.people
    assert person.visible.all()
    assert person.views_seen[hidden].tolist() == [1.0] * int(hidden.sum())
    assert np.linalg.norm(person.points[hidden] - front.joints(here)[hidden], axis=-1).mean() < 0.15  # m


def test_views_of_nobody_in_common_are_refused():
    front, side = cameras_around(2)
    here = walk(shifted_times(FRAMES) - 0.7).h36m17
    elsewhere = here + [3.0, 4.0, 0.0]
    joined = JoinedViews([make_view(front, [here]), make_view(side, [elsewhere])], is_given=True)
    with pytest.raises(InputError, match="nobody whom the first view shows"):
        join_views(joined)


def test_the_energy_falls_along_the_gradient():
    """The gradient of joints and cameras is that of the energy."""
    rng = np.random.default_rng(0)
    front, side = cameras_around(2)
    points = front.joints(walk(shifted_times(3)).h36m17)
    cameras = Cameras.placed(np.stack([np.eye(4), relative(front, side)])).moved(0.02 * rng.normal(size=(2, NUM_UNKNOWNS)))
    moments = Moments(
        rng.normal(size=(2, 3, 17, 2)) * 0.1,
        rng.normal(size=(2, 3, 17, 2)),
        rng.uniform(0.3, 1, (2, 3, 17)),
        0.002 * rng.uniform(0.3, 1, (2, 3, 17)),
        0.3 * rng.normal(size=(2, 3, 16, 3)),
        100 * np.tile(np.eye(3), (2, 3, 16, 1, 1)),
        rng.uniform(0.2, 0.5, (3, 16)),
        joint_sigma=1e-9,  # a part of the sigma that changes with the depth, which the gradient takes as constant
    )
    system = joint_adjustment._linearise(moments, points, cameras)
    step, by_points, by_cameras = 1e-6, rng.normal(size=points.shape), rng.normal(size=(2, NUM_UNKNOWNS))

    def energy(sign):
        return joint_adjustment._energies(moments, points + sign * step * by_points, cameras.moved(sign * step * by_cameras)).sum()

    expected = (energy(1) - energy(-1)) / (2 * step)
    found = 2 * ((system.gradient * by_points.reshape(3, -1)).sum() + (system.camera_gradient * by_cameras.ravel()).sum())
    assert found == pytest.approx(expected, rel=1e-4)


def test_a_prior_holds_what_is_known():
    prior = CameraPrior(Cameras.placed(np.tile(np.eye(4), (2, 1, 1))), np.zeros((2, NUM_UNKNOWNS)), lens_groups=[(0, 1)])
    assert not prior.is_free.any()


def test_cameras_are_named_by_the_files_or_by_their_order():
    cameras = [CalibratedCamera(name, np.eye(3), np.eye(4)) for name in ("cam01", "cam02", "cam1")]
    assert [camera.name for camera in cameras_of_views(["x/take_cam02.mp4", "y/CAM01.mp4"], cameras)] == ["cam02", "cam01"]
    assert [camera.name for camera in cameras_of_views(["a.mp4", "b.mp4", "c.mp4"], cameras)] == ["cam01", "cam02", "cam1"]
    with pytest.raises(InputError, match=r"other\.mp4"):
        cameras_of_views(["cam02.mp4", "other.mp4"], cameras)


def test_intrinsics_follow_the_footages_size():
    camera = CalibratedCamera("a", np.array([[1000.0, 0, 640], [0, 1000, 360], [0, 0, 1]]), np.eye(4), image_size=(1280, 720))
    half = FootageInfo("a.mp4", np.zeros(1), 30.0, (640, 360))
    np.testing.assert_allclose(intrinsics_in_picture(camera, half)[:2], [[500, 0, 320], [0, 500, 180]])
    cropped = FootageInfo("a.mp4", np.zeros(1), 30.0, (1272, 720))
    np.testing.assert_allclose(intrinsics_in_picture(camera, cropped), camera.intrinsics)
    with pytest.raises(InputError, match="1280 x 720"):
        intrinsics_in_picture(camera, FootageInfo("a.mp4", np.zeros(1), 30.0, (720, 1280)))
