"""The whole-clip solve on made-up clips with exact keypoints: what it recovers, what it must not depend on, what must not fool it."""

from dataclasses import replace

import numpy as np
import pytest

from blender_meshrec.backend.fitting.clip_solve import solve_clip as solve_module
from blender_meshrec.backend.fitting.clip_solve import solver
from blender_meshrec.backend.fitting.clip_solve.banded_system import eliminate_frames
from blender_meshrec.backend.fitting.clip_solve.body_points import NUM_POINTS, pose_points
from blender_meshrec.backend.fitting.clip_solve.ground_contacts import GROUND_ROWS, ground_radii
from blender_meshrec.backend.fitting.clip_solve.ground_residuals import WorldPrior
from blender_meshrec.backend.fitting.clip_solve.image_residuals import Reprojection
from blender_meshrec.backend.fitting.clip_solve.residuals import World
from blender_meshrec.backend.fitting.clip_solve.solve_clip import solve_clip, world_from_up
from blender_meshrec.backend.fitting.clip_solve.solver import ClipState, PersonProblem, minimise
from blender_meshrec.backend.fitting.stature import betas_of_stature, stature
from blender_meshrec.core.cameras import project
from blender_meshrec.core.rotations import rotmat_from_rotvec
from blender_meshrec.core.skeletons import H36M17
from tests.support.made_up_clips import AT, lie, squat, wrong_start
from tests.support.synthetic_gait import make_view

TIMES = np.arange(45) / 30
LINE_OF_SIGHT = np.array([0.0, 0.0, 1.0])


def joints_of(body, params):
    """All joints (F,24,3) m, camera axes, of a posed body."""
    return body.joints(params.betas, params.global_orient, params.body_pose, params.transl).numpy().astype(float)


def solve_one(clip, start, **changes):
    """The only person of a clip, solved from a start."""
    (solved,), _world = solve_clip(clip.template, [clip.evidence(start, **changes)], clip.shared())
    return solved


def error(found, expected):
    """The mean distance of joints, m."""
    return float(np.linalg.norm(found - expected, axis=-1).mean())


def joint_offsets_in_image(clip, joints, truth):
    """How far joints (F,J,3) lie from the true ones in the image, (F,J), as a fraction of the person's height there."""
    pixels, true_pixels = (project(points, clip.view.intrinsics) for points in (joints, truth))
    return np.linalg.norm(pixels - true_pixels, axis=-1) / np.ptp(true_pixels[..., 1])


@pytest.fixture(scope="module")
def squatting(template):
    return squat(template, TIMES)


@pytest.fixture(scope="module")
def truth(squatting, body):
    return joints_of(body, squatting.params(squatting.truth))


@pytest.fixture(scope="module")
def solved(squatting):
    return solve_one(squatting, wrong_start(squatting))


def test_a_made_up_clip_is_recovered(squatting, truth, solved, body):
    """From a start 10 cm off, joints within 4 cm, feet still and on the floor, the picture met."""
    started = error(joints_of(body, squatting.params(wrong_start(squatting))), truth)
    joints = joints_of(body, solved.body)
    assert started > 0.08
    assert error(joints, truth) < 0.04
    assert joint_offsets_in_image(squatting, joints, truth).mean() < 0.01
    ankles = joints[:, [7, 8]]
    assert np.linalg.norm(np.diff(ankles, axis=0), axis=-1).mean() * 30 < 0.01  # m/s
    heights = squatting.heights(joints)[:, [7, 8]] - squatting.heights(truth)[:, [7, 8]]
    assert np.abs(heights).mean() < 0.02


def test_several_starts_end_in_the_same_place(squatting, solved, body):
    other = solve_one(squatting, wrong_start(squatting, seed=5))
    assert error(joints_of(body, other.body), joints_of(body, solved.body)) < 0.04


def test_gravity_and_floor_stay_when_the_evidence_agrees(squatting):
    shared = squatting.shared(tilt_sigma=0.1)
    (person,), world = solve_clip(squatting.template, [squatting.evidence(wrong_start(squatting))], shared)
    assert np.degrees(np.arccos(world.up @ shared.up)) < 1
    assert abs(person.floor - shared.floor) < 0.03  # m


def test_gravity_that_is_given_does_not_turn(squatting):
    """tilt_sigma 0: the camera is taken to be level, or the user said so."""
    shared = squatting.shared(tilt_sigma=0.0)
    _people, world = solve_clip(squatting.template, [squatting.evidence(wrong_start(squatting))], shared)
    np.testing.assert_allclose(world.up, shared.up, atol=1e-12)


class SolveBegunError(Exception):
    """Ends a solve at its first step."""


@pytest.mark.parametrize(("may_be_level", "tilt_sigma", "starts"), [(True, 0.1, 2), (False, 0.1, 1), (True, 0.05, 1)])
def test_a_level_camera_is_tried_unless_the_background_or_the_estimate_contradicts(may_be_level, tilt_sigma, starts, template):
    """Of a camera that looks down by 17 degrees, 0.3 rad; the steps of all starts are announced at the first one."""
    clip = squat(template, TIMES, make_view(distance=3.0, pitch=0.3))
    steps = []

    def begin(_done, total):
        steps.append(total)
        raise SolveBegunError

    for evidence in (clip.shared(tilt_sigma=0.1), replace(clip.shared(tilt_sigma=tilt_sigma), may_be_level=may_be_level)):
        with pytest.raises(SolveBegunError):
            solve_clip(template, [clip.evidence(clip.truth)], evidence, on_step=begin)
    assert steps[1] * 2 == steps[0] * starts


@pytest.mark.parametrize("pitch, turn, solves", [(0.0, 0.4, 2), (0.3, 0.0, 1)])
def test_of_a_long_clip_a_level_camera_is_solved_only_where_some_frames_speak_for_it(pitch, turn, solves, template, monkeypatch):
    """A level camera whose gravity was estimated 23 degrees off, which it mends, and one that looks down by 17 degrees, which stays."""
    clip = squat(template, np.arange(150) / 30, make_view(distance=3.0, pitch=pitch))
    shared = clip.shared(tilt_sigma=0.2)
    whole, solve = [], solve_module._ClipProblem.solve

    def count(problem, evidence, on_step):
        whole.append(len(evidence.timestamps) == 150)
        return solve(problem, evidence, on_step)

    monkeypatch.setattr(solve_module._ClipProblem, "solve", count)
    up = rotmat_from_rotvec([turn, 0.0, 0.0]) @ shared.up
    _people, world = solve_clip(template, [clip.evidence(wrong_start(clip))], replace(shared, up=up))
    assert np.degrees(np.arccos(world.up @ shared.up)) < 1
    assert sum(whole) == solves and len(whole) == solves + 1


@pytest.mark.parametrize("wrong", [0.75, 1.3])
def test_a_lens_that_is_assumed_wrongly_is_mended(wrong, template, body):
    """A squat on one spot, which shows little of the lens: a start through another one is mended by a third, and no pose is the worse."""
    clip = squat(template, TIMES, make_view(distance=3.0, pitch=0.3))
    assumed = clip.view.intrinsics * [[wrong, 1, 1], [1, wrong, 1], [1, 1, 1]]
    start = replace(clip.truth, pelvis=clip.truth.pelvis * [1, 1, wrong], shape=np.zeros_like(clip.truth.shape))
    shared = replace(clip.shared(), intrinsics=assumed)
    evidence = clip.evidence(start)
    (fixed,), given = solve_clip(template, [evidence], shared)
    (found,), world = solve_clip(template, [evidence], replace(shared, lens_sigma=0.2))
    assert given.zoom == 0
    assert abs(world.zoom + np.log(wrong)) < 0.65 * abs(np.log(wrong))
    truth = joints_of(body, clip.params(clip.truth))
    assert error(joints_of(body, found.body), truth) < 0.75 * error(joints_of(body, fixed.body), truth)


@pytest.mark.parametrize("growth", [0.0, 0.25])
def test_a_moving_camera_sees_the_same_motion(growth, squatting, truth, body):
    """A camera that walks half a metre aside and back, its path assumed too small by a factor: as good as a still one."""
    centres = np.stack([0.5 * np.sin(2 * TIMES), 0.05 * np.cos(9 * TIMES), 0.2 * np.sin(3 * TIMES)], -1)
    sigma = 0.4 if growth else 0.0
    shared = replace(squatting.shared(), centres=np.exp(-growth) * centres, path_sigma=sigma)
    evidence = squatting.evidence(wrong_start(squatting))
    seen = project(pose_points(squatting.shape, squatting.truth).markers - centres[:, None], squatting.view.intrinsics)
    keypoints = np.concatenate([seen, np.ones((*seen.shape[:2], 1))], -1)
    (found,), world = solve_clip(squatting.template, [replace(evidence, keypoints=keypoints)], shared)
    assert world.growth == pytest.approx(growth, abs=0.06)
    assert error(joints_of(body, found.body), truth) < 0.045
    (lost,), _world = solve_clip(squatting.template, [replace(evidence, keypoints=keypoints)], squatting.shared())
    assert error(joints_of(body, lost.body), truth) > 0.1


def test_what_the_lifter_is_unsure_of_gives_way(squatting, truth, body):
    """An arm lifted wrongly along the line of sight harms less if the lifter says that it does not know."""
    evidence = squatting.evidence(wrong_start(squatting))
    lifted = evidence.lifted.copy()
    arm = [H36M17.index("left_elbow"), H36M17.index("left_wrist")]
    lifted[:, arm] += 0.15 * np.array([1.0, 2.0])[:, None] * LINE_OF_SIGHT
    errors = []
    for unsure in (0.03, 0.3):
        spread = np.full((len(TIMES), 17, 3), 0.03)
        spread[:, arm, 2] = unsure
        (found,), _world = solve_clip(squatting.template, [replace(evidence, lifted=lifted, spread=spread)], squatting.shared())
        errors.append(np.linalg.norm(joints_of(body, found.body) - truth, axis=-1)[:, [AT["left_elbow"], AT["left_wrist"]]].mean())
    assert errors[1] < 0.75 * errors[0]


def test_the_frame_rate_does_not_matter(template, squatting, truth, solved, body):
    """The same motion and the same errors at 30 and at 60 fps: within 1 cm."""
    fast = squat(template, np.arange(90) / 60)
    joints = joints_of(body, solve_one(fast, wrong_start(fast)).body)[::2]
    assert error(joints, joints_of(body, solved.body)) < 0.01


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_few_frames_are_enough(frames, template, body):
    clip = squat(template, TIMES[:frames])
    start = wrong_start(clip)
    truth = joints_of(body, clip.params(clip.truth))
    joints = joints_of(body, solve_one(clip, start).body)
    assert joint_offsets_in_image(clip, joints, truth).mean() < 0.02
    assert error(joints, truth) < error(joints_of(body, clip.params(start)), truth)


def test_frames_without_the_person_are_between_those_with_them(squatting, truth, body):
    """Not seen from 0.5 to 0.9 s, and from 1.3 s on: the body moves evenly from one frame with it to the next, and then stays."""
    visible = (TIMES < 0.5) | ((TIMES > 0.9) & (TIMES < 1.3))
    params = solve_one(squatting, wrong_start(squatting, depth=0.5), visible=visible).body
    joints = joints_of(body, params)
    steps = np.linalg.norm(np.diff(joints, axis=0), axis=-1).max(1)
    gap = np.flatnonzero(~visible & (TIMES < 1))
    assert np.ptp(np.diff(params.transl[gap[0] - 1 : gap[-1] + 2], axis=0), axis=0).max() < 1e-5
    assert steps[gap[0] - 1 : gap[-1] + 1].max() < 0.05  # m a frame
    last = np.flatnonzero(visible)[-1]
    np.testing.assert_allclose(joints[last:], np.broadcast_to(joints[last], joints[last:].shape), atol=1e-6)
    assert error(joints[visible], truth[visible]) < 0.04


def two_people(template):
    """Two people before one camera, 1.4 m apart."""
    view = make_view(distance=5.5, pitch=0.2)
    return [squat(template, TIMES, view, at=(0.7 * side, 0.3 * side), seed=seed) for seed, side in enumerate((-1, 1))]


def test_people_are_solved_together_in_any_order(template, body):
    """Each as well as alone; their order does not matter, and one who is not seen for a while does not disturb the other."""
    clips = two_people(template)
    starts = [wrong_start(clip, seed=seed) for seed, clip in enumerate(clips)]
    evidence = [clip.evidence(start) for clip, start in zip(clips, starts)]
    people, world = solve_clip(template, evidence, clips[0].shared())
    swapped, swapped_world = solve_clip(template, evidence[::-1], clips[0].shared())
    visible = (TIMES < 0.5) | (TIMES > 0.9)
    others, _world = solve_clip(template, [clips[0].evidence(starts[0], visible=visible), evidence[1]], clips[0].shared())
    np.testing.assert_allclose(swapped_world.up, world.up, atol=1e-4)
    for clip, person, again in zip(clips, people, swapped[::-1]):
        joints = joints_of(body, person.body)
        assert error(joints, joints_of(body, clip.params(clip.truth))) < 0.04
        assert error(joints_of(body, again.body), joints) < 0.001
    assert error(joints_of(body, others[1].body), joints_of(body, people[1].body)) < 0.01


def test_people_who_share_a_floor_stand_on_it(template, body):
    """The second one starts as 7 % too small, and so 10 cm above the floor: apart they have floors of their own, together one."""
    clips = two_people(template)
    evidence = []
    for clip, size in zip(clips, (1.0, 0.93), strict=True):
        known = clip.evidence(wrong_start(clip))
        betas = betas_of_stature(template, known.body.betas, size * stature(template, known.body.betas))
        pelvis = size * (known.body.transl + template.rest_joints(known.body.betas)[0])
        start = replace(known.body, betas=betas, transl=pelvis - template.rest_joints(betas)[0])
        evidence.append(replace(known, body=start, is_size_open=True, shares_floor=True))
    shared = replace(clips[0].shared(), tilt_sigma=np.zeros(2))
    apart, _world = solve_clip(template, [replace(known, is_size_open=False, shares_floor=False) for known in evidence], shared)
    together, _world = solve_clip(template, evidence, shared)
    assert abs(apart[0].floor - apart[1].floor) > 0.05  # m
    assert together[0].floor == pytest.approx(together[1].floor, abs=1e-9)
    ankles = [clip.heights(joints_of(body, one.body))[:, [7, 8]] for clip, one in zip(clips, together, strict=True)]
    assert abs(ankles[0].mean() - ankles[1].mean()) < 0.02


def test_long_gaps_are_held(squatting, body):
    """Not seen for 1.2 of 2.4 s: the body stays where it was last seen, and is at once where it is seen again."""
    times = np.arange(72) / 30
    clip = squat(squatting.template, times)
    visible = (times < 0.6) | (times > 1.8)
    (person,), _world = solve_clip(clip.template, [clip.evidence(wrong_start(clip), visible=visible)], clip.shared())
    joints, gap = joints_of(body, person.body), np.flatnonzero(~visible)
    np.testing.assert_allclose(joints[gap], np.broadcast_to(joints[gap[0] - 1], joints[gap].shape), atol=1e-6)
    assert error(joints[gap[-1] + 1], joints[gap[-1]]) > 0.05


def test_no_contacts_are_needed(squatting, truth, body):
    joints = joints_of(body, solve_one(squatting, wrong_start(squatting), contacts=np.zeros((len(TIMES), 4))).body)
    assert error(joints, truth) < 0.06
    assert joint_offsets_in_image(squatting, joints, truth).mean() < 0.01


def test_bodies_whose_root_moves_with_their_shape(template, squatting, solved, body):
    """A body whose betas also shift it at rest, as SMPL's shift the pelvis: the same person in the same place, in all frames."""
    shift = np.array([0.02, -0.06, 0.03])[:, None] * np.ones(template.shapedirs.shape[-1])
    shifted = replace(squatting, template=replace(template, shapedirs=(template.shapedirs + shift).astype(np.float32)))
    visible = np.arange(len(TIMES)) != 10
    start = wrong_start(squatting)
    here, there = (solve_one(clip, start, visible=visible).body for clip in (squatting, shifted))
    np.testing.assert_allclose(there.betas, here.betas, atol=1e-3)
    pelvises = [params.transl + clip.template.rest_joints(params.betas)[0] for params, clip in ((here, squatting), (there, shifted))]
    np.testing.assert_allclose(pelvises[1], pelvises[0], atol=1e-3)
    np.testing.assert_allclose(there.poses, here.poses, atol=1e-3)


def test_a_false_foothold_in_the_air_does_not_pull_the_body_off_the_picture(template, body):
    """Contacts are claimed for all the time of somebody who hangs 0.4 m above the floor in the middle of the clip."""
    clip = squat(template, np.arange(60) / 30)
    lift = 0.4 * np.clip(np.minimum(clip.times - 0.4, 1.6 - clip.times) / 0.2, 0, 1)
    clip = replace(clip, truth=replace(clip.truth, pelvis=clip.truth.pelvis + lift[:, None] * clip.shared().up))
    truth = joints_of(body, clip.params(clip.truth))
    joints = joints_of(body, solve_one(clip, clip.truth).body)
    assert joint_offsets_in_image(clip, joints, truth).mean() < 0.01
    assert joint_offsets_in_image(clip, joints, truth)[lift > 0.3].mean() < 0.01
    heights = clip.heights(joints[:, 0]) - clip.heights(truth[:, 0])
    assert np.abs(heights[lift > 0.3]).max() < 0.06  # m


def test_one_false_foothold_of_a_raised_leg(squatting, truth, body):
    """A right leg held up behind, whose foot is said to touch: the picture decides."""
    rotmats = squatting.truth.rotmats.copy()
    rotmats[:, 5] = rotmats[:, 5] @ np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])  # a knee bent by 90 degrees more
    clip = replace(squatting, truth=replace(squatting.truth, rotmats=rotmats))
    truth = joints_of(body, clip.params(clip.truth))
    joints = joints_of(body, solve_one(clip, wrong_start(clip)).body)
    assert joint_offsets_in_image(clip, joints, truth).mean() < 0.012
    assert joint_offsets_in_image(clip, joints, truth)[:, 8].mean() < 0.03
    assert error(joints[:, 8], truth[:, 8]) < 0.1


def test_who_lies_on_the_ground_does_not_sink(template, body):
    """A start whose distance is 12 cm wrong puts the body into the floor or above it; solved, it lies on it."""
    clip = lie(template, TIMES)
    start = wrong_start(clip)
    started = pose_points(clip.shape, start).rows[:, GROUND_ROWS]
    solved = solve_one(clip, start)
    radii = ground_radii(template)
    state = replace(clip.truth, shape=np.zeros_like(clip.truth.shape))
    joints, truth = joints_of(body, solved.body), joints_of(body, clip.params(state))
    assert (clip.heights(started) - radii).min() < -0.05  # the start sinks
    parts = np.flatnonzero(GROUND_ROWS < 24)
    heights = joints[:, GROUND_ROWS[parts]] @ clip.shared().up + solved.floor - radii[parts]
    assert heights.min() > -0.02
    pelvis = joints[:, 0] @ clip.shared().up + solved.floor - clip.heights(truth[:, 0])
    assert np.abs(pelvis).max() < 0.06
    assert error(joints, truth) < 0.05


def problem_of(clip, start):
    """A small problem of one person, far from its solution."""
    points = pose_points(clip.shape, clip.truth)
    rays = points.markers[..., :2] / points.markers[..., 2:]
    shared = clip.shared()
    rows = np.arange(NUM_POINTS, NUM_POINTS + rays.shape[1])
    residuals = [
        Reprojection(rows, rays, np.ones(rays.shape[:2]), np.full(rays.shape[:2], 0.003)),
        WorldPrior(shared.up, shared.tilt_sigma, 1.0, 1.0, 1.0),
    ]
    world = World(shared.up, shared.floor, np.zeros(3))
    return PersonProblem(clip.shape, residuals), ClipState((start,), (world,))


@pytest.mark.parametrize("turn", [0.2, 1.5])
def test_energy_never_rises(squatting, turn):
    """Also from a start that is far off, where steps are refused."""
    problem, state = problem_of(squatting, wrong_start(squatting, depth=0.5, turn=turn))
    energies = [minimise([problem], state, steps)[1] for steps in range(6)]
    assert (np.diff(energies) <= 0).all()
    assert energies[-1] < 0.6 * energies[0]


def test_equations_that_cannot_be_factorised_are_damped_and_tried_again(squatting, monkeypatch):
    problem, state = problem_of(squatting, wrong_start(squatting, depth=0.1))
    dampings = []

    def eliminate(system, damping):
        dampings.append(damping)
        if len(dampings) < 3:
            raise np.linalg.LinAlgError
        return eliminate_frames(system, damping)

    monkeypatch.setattr(solver, "eliminate_frames", eliminate)
    start = minimise([problem], state, 0)[1]
    assert minimise([problem], state, 6)[1] < start
    assert dampings[0] < dampings[1] < dampings[2]


def test_steps_are_reported_and_can_be_cancelled(squatting):
    steps = []

    def on_step(done, total):
        steps.append((done, total))
        if len(steps) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        solve_clip(squatting.template, [squatting.evidence(wrong_start(squatting))], squatting.shared(), on_step=on_step)
    assert [done for done, _total in steps] == sorted(done for done, _total in steps)
    assert len({total for _done, total in steps}) == 1 and steps[-1][0] < steps[-1][1]


def test_a_problem_that_is_solved_ends(squatting, monkeypatch):
    """A start that is the solution takes one step, and a hopeless problem ends by its damping."""
    problem, state = problem_of(squatting, squatting.truth)
    seen = []
    _state, energy = minimise([problem], state, 50, (), seen.append)
    assert energy < 1e-3 and len(seen) < 10
    monkeypatch.setattr(solver, "_energy", lambda *arguments: 1.0)  # no step is better
    seen.clear()
    minimise([problem], state, 50, (), seen.append)
    assert len(seen) < 12


def test_the_world_of_up():
    """z up, the camera above the origin at the height of the floor's distance, looking along +y."""
    up = np.array([0.1, -0.97, -0.2])
    up /= np.linalg.norm(up)
    world_from_camera = world_from_up(up, 1.5)
    rotation = world_from_camera[:3, :3]
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(rotation @ up, [0, 0, 1], atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1)
    assert abs(rotation[0, 2]) < 1e-12 and rotation[1, 2] > 0
    np.testing.assert_allclose(world_from_camera[:3, 3], [0, 0, 1.5])
