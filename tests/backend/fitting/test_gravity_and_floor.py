"""The upright world: cameras of known tilt, people at known positions."""

from dataclasses import replace

import numpy as np
import pytest

from blender_meshrec.backend.camera.vertical_lines import VerticalLines
from blender_meshrec.backend.fitting.gravity_and_floor import (
    TILT_PRIOR_SIGMA,
    GroundEvidence,
    _rotmat_from_tilt,
    balance_of,
    estimate_camera_tilt,
    estimate_floor_height,
    estimate_gravity_and_floor,
)
from blender_meshrec.backend.fitting.tilt_from_lines import edge_evidence
from blender_meshrec.backend.fitting.tilt_posterior import FloorPoints, TiltEvidence, camera_heights, log_density, log_of_floor
from blender_meshrec.core.cameras import intrinsics_of_focal_length, invert_rigid_transform, project, transform_points
from blender_meshrec.core.conventions import WORLD_FROM_LEVEL_CAMERA
from blender_meshrec.core.rotations import rotmat_from_rotvec
from tests.support import synthetic_gait

TIMES = np.arange(150) / 30


def person(truth, view, visible=None, scale=1.0, moved=(0, 0, 0)):
    visible = np.ones(len(truth.times), bool) if visible is None else visible
    joints, soles = (view.joints(points + np.array(moved, float)) * scale for points in (truth.h36m17, truth.points))
    return GroundEvidence(joints * visible[:, None, None], soles * visible[:, None, None], visible)


def balanced_squat(times):
    return synthetic_gait.squat(times, ahead=synthetic_gait.ANKLE_TO_WEIGHT)


def tilt_error(found, pitch, roll):
    return np.abs(np.degrees(found - [pitch, roll]))


@pytest.mark.parametrize("pitch", [-0.1, 0.0, 0.2, 0.5])
@pytest.mark.parametrize("roll", [-0.1, 0.0, 0.1])
def test_a_walker_determines_pitch_and_roll(pitch, roll):
    """Footholds towards the camera give the pitch; balance gives the roll, a third of which the prior takes away. Degrees."""
    truth = synthetic_gait.walk(TIMES)
    view = synthetic_gait.make_view(distance=9, pitch=pitch, roll=roll, look_at=(0, -2.5, 0.9))
    off = tilt_error(estimate_camera_tilt([person(truth, view)], TIMES)[0], pitch, roll)
    assert off[0] < 1.5 and off[1] < 2.5


@pytest.mark.parametrize("motion", [synthetic_gait.stand, balanced_squat])
def test_a_standing_person_determines_most_of_the_tilt(motion):
    """On one spot only balance counts, and the prior draws the answer towards a level camera, never beyond it. Degrees."""
    for pitch, most in ((0.0, 2.0), (0.2, 6.0), (0.5, 6.0)):
        view = synthetic_gait.make_view(distance=5, pitch=pitch, roll=0.05)
        found, _sigma = estimate_camera_tilt([person(motion(TIMES), view)], TIMES)
        off = tilt_error(found, pitch, 0.05)
        assert off[0] < most and off[1] < 1.5
        assert found[0] < pitch + np.radians(1)


def test_the_tilt_knows_how_well_it_is_known():
    """Who walks up to the camera says more of its pitch than who stands on one spot; either says more than the prior."""
    view = synthetic_gait.make_view(distance=9, pitch=0.2, look_at=(0, -2.5, 0.9))
    motions = synthetic_gait.walk(TIMES), synthetic_gait.stand(TIMES)
    walking, standing = (estimate_camera_tilt([person(motion, view)], TIMES)[1] for motion in motions)
    assert walking[0] < 0.8 * standing[0]
    assert (standing < TILT_PRIOR_SIGMA).all() and (walking < TILT_PRIOR_SIGMA).all()


def test_who_balances_alike_in_all_frames_tells_up_better_than_who_sways():
    """Of a single frame nobody knows how much it varies."""
    still = person(synthetic_gait.stand(TIMES), synthetic_gait.make_view(distance=5))
    sways = [still.joints + [0.0, 0.0, depth] for depth in (-0.2, 0.2)]  # m, above feet that stay
    swaying = replace(still, joints=np.where((np.arange(150) // 20 % 2 == 0)[:, None, None], *sways))
    once = GroundEvidence(still.joints[:1], still.soles[:1], still.visible[:1])
    cases = (still, TIMES), (swaying, TIMES), (once, TIMES[:1])
    still_sigma, sway_sigma, once_sigma = (balance_of(seen, times, np.eye(3)).own_sigma[0] for seen, times in cases)
    assert still_sigma < 0.5 * sway_sigma < 0.5 * once_sigma


def test_a_squat_at_a_wrong_depth_tilts_nothing():
    """A squat estimated 15 % farther away, on feet that seem to point down: degrees."""
    truth = balanced_squat(np.clip(TIMES - 1, 0, 1.25))
    view = synthetic_gait.make_view(distance=5, height=1.2, pitch=0.05)
    down = (truth.pelvis[:, 2].max() - truth.pelvis[:, 2]) / np.ptp(truth.pelvis[:, 2])
    evidence = person(truth, view, scale=(1 + 0.15 * down)[:, None, None])
    evidence.soles[:, [1, 3], 1] += 0.06
    assert tilt_error(estimate_camera_tilt([evidence], TIMES)[0], 0.05, 0.0).max() < 3


def test_a_person_who_sits_down_tilts_nothing():
    """For four of five seconds the hips are 40 cm behind the ankles, as on a chair: degrees. Who never stands says little."""
    chair = {"depth": 0.33, "ahead": synthetic_gait.ANKLE_TO_WEIGHT, "back": 0.4, "lean": 0.0}
    sits_down, sits = (synthetic_gait.squat(times, **chair) for times in (np.clip(TIMES - 1, 0, 1.25), np.full(150, 1.25)))
    for bearing in (0.0, np.pi / 2):
        view = synthetic_gait.make_view(distance=5, pitch=0.1, bearing=bearing)
        assert tilt_error(estimate_camera_tilt([person(sits_down, view)], TIMES)[0], 0.1, 0.0).max() < 3
        assert np.degrees(estimate_camera_tilt([person(sits, view)], TIMES)[1][0]) > 8


def leaning(evidence, lean):
    """The same person, rotated in depth by `lean` rad about their hips."""
    hip, rotation = evidence.joints[:, :1], rotmat_from_rotvec([lean, 0, 0]).T
    return GroundEvidence((evidence.joints - hip) @ rotation + hip, (evidence.soles - hip) @ rotation + hip, evidence.visible)


def test_many_leaning_people_do_not_outweigh_the_floor():
    """Four standing people, each estimated to lean by 7 degrees, and one who walks up to the camera: degrees."""
    standing = leaning(person(synthetic_gait.stand(TIMES), synthetic_gait.make_view(distance=6, pitch=0.2)), 0.12)
    walking = person(synthetic_gait.walk(TIMES), synthetic_gait.make_view(distance=9, pitch=0.2, look_at=(0, -2.5, 0.9)))
    alone, many = (tilt_error(estimate_camera_tilt(people, TIMES)[0], 0.2, 0.0)[0] for people in ([standing], [standing] * 4))
    assert many == pytest.approx(alone, abs=0.2)
    assert tilt_error(estimate_camera_tilt([standing] * 4 + [walking], TIMES)[0], 0.2, 0.0)[0] < 2.5


def test_noisy_depth_and_a_lean_are_tolerated():
    """Distances that vary by 3 %, bodies that lean by 7 degrees in depth: an error of at most twice the lean."""
    rng = np.random.default_rng(0)
    for pitch in (0.0, 0.2):
        truth = synthetic_gait.walk(TIMES, turn=1.2)
        view = synthetic_gait.make_view(distance=7, pitch=pitch, look_at=(1.5, -1, 0.9))
        wobble = 1 + 0.03 * np.sin(2 * np.pi * 0.6 * TIMES + rng.uniform(0, 6))[:, None, None]
        evidence = person(truth, view, scale=wobble)
        assert tilt_error(estimate_camera_tilt([leaning(evidence, 0.12)], TIMES)[0], pitch, 0.0).max() < 14


def test_people_who_never_stand_leave_the_camera_level():
    truth = synthetic_gait.stand(TIMES)
    lying = synthetic_gait.make_view(distance=5)
    rotation = np.array([[0, -1.0, 0], [1, 0, 0], [0, 0, 1]])  # lying on their side
    joints, soles = lying.joints(truth.h36m17) @ rotation, lying.joints(truth.points) @ rotation
    found, _sigma = estimate_camera_tilt([GroundEvidence(joints, soles, np.ones(150, bool))], TIMES)
    assert np.abs(np.degrees(found)).max() < 10
    nobody = GroundEvidence(np.zeros((150, 17, 3)), np.zeros((150, 4, 3)), np.zeros(150, bool))
    tilt, sigma = estimate_camera_tilt([nobody], TIMES)
    np.testing.assert_allclose(tilt, 0, atol=1e-9)
    np.testing.assert_allclose(sigma, TILT_PRIOR_SIGMA)  # nothing but the prior


@pytest.mark.parametrize("pitch, roll", [(0.0, 0.0), (0.25, 0.06)])
def test_the_world_follows_its_conventions(pitch, roll):
    """z up, the floor at zero, the origin below the first pelvis, the camera looking along +y."""
    truth = synthetic_gait.walk(TIMES)
    view = synthetic_gait.make_view(distance=8, pitch=pitch, roll=roll, look_at=(0, -2, 0.9))
    world_from_camera, _sigma = estimate_gravity_and_floor([person(truth, view)], TIMES)
    rotation = world_from_camera[:3, :3]
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert abs(rotation[0, 2]) < 1e-9 and rotation[1, 2] > 0  # forward has no sideways part
    points = transform_points(world_from_camera, view.joints(truth.points))
    touching = truth.contacts > 0.5
    assert np.abs(points[..., 2][touching]).max() < 0.05  # m
    pelvis = transform_points(world_from_camera, view.joints(truth.h36m17))[0, 0]
    np.testing.assert_allclose(pelvis[:2], 0, atol=1e-9)
    assert abs(pelvis[2] - truth.h36m17[0, 0, 2]) < 0.05
    joints = transform_points(world_from_camera, view.joints(truth.h36m17))
    assert joints[-1, 0, 1] < -4  # walking up to the camera is walking along -y


def vertical_edges(pitch, roll, count=16):
    """Upright edges about a camera of this tilt, as evidence of up."""
    generator = np.random.default_rng(0)
    foot = np.stack([generator.uniform(-2, 2, count), np.full(count, 0.8), generator.uniform(4, 7, count)], -1)
    ends = np.stack([foot - [0, 2, 0], foot], 1) @ (rotmat_from_rotvec([-pitch, 0, 0]) @ rotmat_from_rotvec([0, 0, roll]))
    intrinsics = intrinsics_of_focal_length(700.0, (640, 360))
    return edge_evidence(VerticalLines(np.zeros(count, int), project(ends, intrinsics).reshape(-1, 4), 1.0), intrinsics)


def test_edges_of_the_background_set_a_lean_right():
    """Somebody is seen to lean by 17 degrees in the picture, as against a wall; edges say that the camera does not roll. Degrees."""
    view = synthetic_gait.make_view(distance=5, pitch=0.1)
    evidence = person(synthetic_gait.stand(TIMES), view)
    hip, rotation = evidence.joints[:, :1], rotmat_from_rotvec([0, 0, 0.3]).T
    leans = GroundEvidence((evidence.joints - hip) @ rotation + hip, (evidence.soles - hip) @ rotation + hip, evidence.visible)
    alone, with_edges = (estimate_camera_tilt([leans], TIMES, edges) for edges in (None, vertical_edges(0.1, 0.0)))
    assert tilt_error(with_edges.tilt, 0.1, 0.0).max() < 1
    assert tilt_error(alone.tilt, 0.1, 0.0)[1] < 6  # cameras seldom roll as far, and people often lean
    assert (with_edges.sigma < 0.7 * alone.sigma).all()
    rotation = estimate_gravity_and_floor([leans], TIMES, edges=vertical_edges(0.1, 0.0)).world_from_camera[:3, :3]
    assert np.degrees(np.arccos(rotation[2] @ [0, -np.cos(0.1), -np.sin(0.1)])) < 1


def test_edges_tell_the_tilt_of_people_who_lie():
    """Nobody stands in view of a camera that looks down by 29 degrees and rolls by 6: degrees."""
    nobody = GroundEvidence(np.zeros((150, 17, 3)), np.zeros((150, 4, 3)), np.zeros(150, bool))
    found = estimate_camera_tilt([nobody], TIMES, vertical_edges(0.5, 0.1))
    assert tilt_error(found.tilt, 0.5, 0.1).max() < 1.5
    assert (found.sigma < TILT_PRIOR_SIGMA / 2).all()


def test_edges_that_are_not_there_change_nothing():
    view = synthetic_gait.make_view(distance=5, pitch=0.1, roll=0.03)
    people = [person(synthetic_gait.stand(TIMES), view)]
    for found, expected in zip(estimate_camera_tilt(people, TIMES, vertical_edges(0.1, 0.0, 0)), estimate_camera_tilt(people, TIMES)):
        np.testing.assert_array_equal(found, expected)


def test_upright_off_assumes_a_level_camera():
    truth = synthetic_gait.stand(TIMES)
    view = synthetic_gait.make_view(distance=5, pitch=0.3)
    world_from_camera, sigma = estimate_gravity_and_floor([person(truth, view)], TIMES, upright=False)
    np.testing.assert_array_equal(sigma, 0)  # given, not estimated
    np.testing.assert_array_equal(world_from_camera[:3, :3], WORLD_FROM_LEVEL_CAMERA)
    assert abs(np.median(transform_points(world_from_camera, view.joints(truth.points))[..., 2])) < 0.05


def test_several_people_share_one_world():
    """The first-seen person gives the origin, both the floor; neither moves against the other."""
    view = synthetic_gait.make_view(distance=8, pitch=0.15, look_at=(0, -1, 0.9))
    early, late = np.ones(150, bool), np.arange(150) >= 40
    people = [person(synthetic_gait.stand(TIMES), view, late, moved=(1.5, 0.5, 0)), person(synthetic_gait.walk(TIMES), view, early)]
    world_from_camera, _sigma = estimate_gravity_and_floor(people, TIMES)
    pelvis = transform_points(world_from_camera, people[1].joints)[0, 0]
    np.testing.assert_allclose(pelvis[:2], 0, atol=1e-9)
    both = [
        transform_points(world_from_camera, view.joints(points))
        for points in (synthetic_gait.walk(TIMES).points, synthetic_gait.stand(TIMES).points)
    ]
    assert all(abs(np.median(points[..., 2].min(1))) < 0.05 for points in both)
    back = transform_points(invert_rigid_transform(world_from_camera), transform_points(world_from_camera, people[0].joints))
    np.testing.assert_allclose(back, people[0].joints, atol=1e-9)


def test_the_floor_is_below_boxes_and_jumps():
    def floor(truth, soles):
        raised = truth.h36m17 + (soles - truth.points).mean(1, keepdims=True)
        return estimate_floor_height([GroundEvidence(raised, soles, np.ones(150, bool))], TIMES, np.eye(3))

    still, jumping = synthetic_gait.stand(TIMES), synthetic_gait.jump(TIMES, at=2.0)
    assert abs(floor(still, still.points + np.where(TIMES < 3, 1.8, 0.0)[:, None, None] * [0, 0, 1])) < 0.02
    assert abs(floor(jumping, jumping.points)) < 0.02
    flying = np.random.default_rng(0).normal(size=(150, 4, 3)) + [0, 0, 3.0]  # nobody stands
    assert 0 < floor(still, flying) < 3
    # A crouching person seems farther away, and so lower: the floor is where they stand upright.
    squatting = synthetic_gait.squat(np.clip(TIMES - 2, 0, 1.25))
    assert abs(floor(squatting, squatting.points - np.where(TIMES > 3.25, 0.2, 0.0)[:, None, None] * [0, 0, 1])) < 0.02


def test_one_frame_is_enough():
    truth = synthetic_gait.stand(TIMES[:1])
    view = synthetic_gait.make_view(distance=5, pitch=0.1)
    world_from_camera, _sigma = estimate_gravity_and_floor([person(truth, view)], TIMES[:1])
    assert np.abs(transform_points(world_from_camera, view.joints(truth.points))[..., 2]).max() < 0.1


def test_camera_heights_are_those_of_the_turned_points():
    """Against each tilt's own rotation: the camera above the tenth percentile of a body's lowest points."""
    rng = np.random.default_rng(0)
    body = rng.normal(size=(30, 5, 3)) + [0, 0.5, 4]
    pitch, roll = np.array([-0.4, 0.0, 0.3]), np.array([-0.2, 0.1])
    found = camera_heights(body, pitch, roll)
    for row, p in enumerate(pitch):
        for column, r in enumerate(roll):
            heights = (body @ _rotmat_from_tilt(np.array([p, r])).T)[..., 1].max(1)  # y points down
            assert found[row, column] == pytest.approx(np.quantile(heights, 0.9))


def test_a_camera_below_the_ground_is_improbable():
    """Somebody lies on the floor 4 m ahead, 0.3 m below the camera: tilts that put the camera below them lose, others do not change."""
    body = np.zeros((10, 4, 3)) + [[0, 0.3, 3.5], [0, 0.3, 4], [0, 0.25, 4.3], [0.2, 0.3, 4.5]]
    pitch = np.radians([-20.0, 0.0, 10.0])
    without = log_density(TiltEvidence([], [], None), pitch, np.zeros(1))[:, 0]
    found = log_density(TiltEvidence([], [], None, [body]), pitch, np.zeros(1))[:, 0] - without
    assert camera_heights(body, pitch, np.zeros(1))[:, 0] == pytest.approx([-0.92, 0.3, 1.08], abs=0.02)
    assert found[0] < -5 and found[1:].tolist() == [0, 0]


def test_errors_in_distance_say_nothing_of_the_tilt():
    """Somebody steps on the spot far away, as if now nearer and now farther: their line of sight is not level for that."""
    ray = np.array([0.0, 0.05, 1.0])  # the camera looks down by 15 degrees, and sees the feet near the middle of its picture
    distances = 20.0 * np.exp(np.random.default_rng(4).normal(0, 0.06, 40))
    points = FloorPoints(distances[:, None] * ray, np.full(40, 0.06), np.full(40, 0.2), 1.0)
    log = log_of_floor(points, np.radians(np.arange(5.0, 30.5)), np.zeros(1))[:, 0]
    assert np.ptp(log) < 0.3


def test_a_walk_towards_the_camera_tells_its_pitch():
    pitch, height = np.radians(12.0), 2.0
    forward = np.linspace(3.0, 9.0, 12)
    level = np.stack([np.zeros(12), np.full(12, height), forward], -1)  # in a level camera: right, down, forward
    positions = level @ rotmat_from_rotvec([pitch, 0, 0]).T
    points = FloorPoints(positions, np.full(12, 0.06), np.full(12, 0.5), 1.0)
    pitches = np.radians(np.arange(-10.0, 40.5, 0.5))
    found = pitches[log_of_floor(points, pitches, np.zeros(1))[:, 0].argmax()]
    assert np.degrees(found) == pytest.approx(12.0, abs=0.6)
