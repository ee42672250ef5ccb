"""What is measured for a verdict: each fault, made by the test, shows in its measure alone, and a sound motion is good."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from blender_meshrec.backend.fitting.stature import betas_of_stature
from blender_meshrec.backend.fitting.tilt_from_lines import edge_evidence, tilt_of_up
from blender_meshrec.backend.known_people import KnownPerson
from blender_meshrec.backend.quality import (
    background_left,
    beyond_jumps,
    judge_people,
    largest_median,
    measure_person,
    rows_of_presence,
    warnings_of,
)
from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.core.cameras import intrinsics_of_focal_length, project, rigid_transform, transform_points
from blender_meshrec.core.conventions import WORLD_FROM_LEVEL_CAMERA
from blender_meshrec.core.records import Observations
from blender_meshrec.core.rotations import rotmat_from_rotvec, rotvec_from_rotmat
from blender_meshrec.core.skeletons import H36M17, SMPL_JOINTS
from blender_meshrec.core.verdict import BAD, DOUBTFUL, GOOD, LIMITS, Verdict, judge
from tests.support.room_edges import room_edges
from tests.support.synthetic_bodies import make_recovery, make_tube_body

FRAMES, FPS = 90, 30.0
FEET = [SMPL_JOINTS.index(name) for name in ("left_ankle", "left_foot", "right_ankle", "right_foot")]


@pytest.fixture(scope="module")
def tube_body():
    return make_body(make_tube_body(posedirs=False))


def lifted_from(joints):
    """The h36m17 joints (F,17,3) of SMPL joints (F,24,3)."""
    others = {"hip": "pelvis", "spine": "spine2", "thorax": "neck", "nose": "head", "head_top": "head"}
    return joints[:, [SMPL_JOINTS.index(others.get(name, name)) for name in H36M17]]


def make_person(body, poses=None, lift=0.0, tilt=0.0, betas=None):
    """A standing person and exact observations of them. lift: m above the floor. tilt: rad of the camera's roll."""
    template, times = body.template, np.arange(FRAMES) / FPS
    betas = np.zeros(10) if betas is None else betas
    upright = np.zeros((FRAMES, 72))
    upright[:, 0] = np.pi / 2
    poses = upright if poses is None else poses
    sole = template.rest_vertices(betas)[:, 1].min()
    pelvis = np.tile([0.0, 0.0, template.rest_joints(betas)[0, 1] - sole + lift], (FRAMES, 1))
    roll = rotmat_from_rotvec([0, 0, tilt]) @ WORLD_FROM_LEVEL_CAMERA.T
    camera = np.tile(rigid_transform(roll, -roll @ [0.2, -4.5, 1.1]), (FRAMES, 1, 1))
    made = make_recovery(
        template, timestamps=times, fps=FPS, poses=poses, trans=pelvis - template.rest_joints(betas)[0], betas=betas,
        visible=np.ones(FRAMES, bool), camera_from_world=camera, contacts=np.ones((FRAMES, 4)),
    )  # fmt: skip
    recovery = replace(made, lifted_joints=lifted_from(made.joints))
    return recovery, observe(recovery)


def observe(recovery, confidence=0.9):
    """Exact Observations of a recovery, h36m17."""
    pixels = project(transform_points(recovery.camera_from_world, recovery.lifted_joints.astype(float)), recovery.camera_intrinsics)
    keypoints = np.concatenate([pixels, np.full((*pixels.shape[:2], 1), confidence)], -1)
    boxes = np.concatenate([pixels.min(1), pixels.max(1)], -1)
    return Observations("h36m17", boxes, keypoints, recovery.visible)


def exceeded(measures):
    """The names of the measures beyond their limits."""
    return {limit.name for limit in LIMITS if limit.name in measures and measures[limit.name].value >= limit.doubtful}


def changed(observations, keypoints):
    boxes = np.concatenate([keypoints[..., :2].min(1), keypoints[..., :2].max(1)], -1)
    return Observations("h36m17", boxes, keypoints, observations.visible)


def test_a_sound_motion_is_good(tube_body):
    measures = measure_person(*make_person(tube_body), tube_body, np.zeros((FRAMES, 3)), 2.0)
    assert {limit.name for limit in LIMITS} == set(measures)
    assert exceeded(measures) == set() and judge(measures).verdict == GOOD
    assert measures["off_picture"].value == pytest.approx(0, abs=0.01)
    assert measures["below_floor"].value == pytest.approx(0, abs=0.1)  # cm
    assert measures["camera_moves"].value == 0 and measures["camera_rolled"].value == pytest.approx(0, abs=1e-3)


def test_a_body_beside_the_picture(tube_body):
    recovery, observations = make_person(tube_body)
    height = np.median(observations.boxes[:, 3] - observations.boxes[:, 1])
    shift = 0.3 * np.array([0, 0, 1.0])  # m: the lifted joints stay where they are seen
    measures = measure_person(replace(recovery, joints=recovery.joints + shift), observations, tube_body)
    expected = 100 * 0.3 * recovery.camera_intrinsics[0, 0] / 4.5 / height
    assert measures["off_picture"].value == pytest.approx(expected, rel=0.05)
    assert {"off_picture", "far_off_at_times"} <= exceeded(measures)


def test_moments_off_the_picture_are_the_worst_frames(tube_body):
    recovery, observations = make_person(tube_body)
    joints = recovery.joints.copy()
    joints[40:50] += [0.2, 0, 0]
    verdict = judge(measure_person(replace(recovery, joints=joints), observations, tube_body))
    assert verdict.verdict == DOUBTFUL and [reason.name for reason in verdict.reasons] == ["verdict-far-off-at-times"]
    assert 40 <= verdict.worst_frames[0] < 50


def test_keypoints_that_no_body_has(tube_body):
    recovery, observations = make_person(tube_body)
    keypoints = observations.keypoints.copy()
    rng = np.random.default_rng(0)
    keypoints[..., :2] += rng.normal(scale=0.06 * 400, size=(1, 17, 2))
    measures = measure_person(recovery, changed(observations, keypoints), tube_body)
    assert "keypoints_unlike_a_body" in exceeded(measures) and "off_picture" not in exceeded(measures)


def test_frames_without_the_person(tube_body):
    recovery, observations = make_person(tube_body)
    visible = np.arange(FRAMES) >= 45
    zeroed = Observations("h36m17", observations.boxes * visible[:, None], observations.keypoints * visible[:, None, None], visible)
    measures = measure_person(replace(recovery, visible=visible), zeroed, tube_body)
    assert measures["unseen"].value == 0 and measures["absent"].value == 50 and exceeded(measures) == {"absent"}
    visible = np.isin(np.arange(FRAMES) // 15, [0, 5])  # the first and the last sixth
    gap = Observations("h36m17", observations.boxes * visible[:, None], observations.keypoints * visible[:, None, None], visible)
    measures = measure_person(replace(recovery, visible=visible), gap, tube_body)
    assert measures["unseen"].value == pytest.approx(100 * 4 / 6) and measures["absent"].value == 0 and exceeded(measures) == {"unseen"}


def test_a_shot_that_shows_others_is_no_gap():
    seen = np.zeros(100, bool)
    seen[[5, 6, 9, 60, 80]] = True
    there = rows_of_presence(seen, [30, 50])
    assert np.flatnonzero(there).tolist() == [*range(5, 10), *range(60, 81)]


def test_keypoints_that_jump_between_people(tube_body):
    recovery, observations = make_person(tube_body)
    keypoints = observations.keypoints.copy()
    keypoints[30:60, :, 0] += 400
    measures = measure_person(recovery, changed(observations, keypoints), tube_body)
    assert measures["jumps"].value == pytest.approx(100 * 2 / FRAMES)
    moving = observations.keypoints.copy()
    moving[..., 0] += 60 * np.arange(FRAMES)[:, None]  # px a frame: somebody who runs past, close by
    assert measure_person(recovery, changed(observations, moving), tube_body)["jumps"].value == 0


def test_a_detector_that_is_unsure_and_feet_out_of_view(tube_body):
    recovery, observations = make_person(tube_body)
    keypoints, confidence = observations.keypoints.copy(), recovery.confidence.copy()
    for name in ("left_ankle", "right_ankle", "left_knee", "right_knee", "left_wrist", "right_wrist"):
        keypoints[:, H36M17.index(name), 2] = 0.1
    confidence[:, FEET] = 0.1
    measures = measure_person(replace(recovery, confidence=confidence), changed(observations, keypoints), tube_body)
    assert measures["unsure"].value == 50 and measures["feet_unseen"].value == 100
    assert exceeded(measures) == {"unsure", "feet_unseen"}


def test_keypoints_that_tremble(tube_body):
    recovery, observations = make_person(tube_body)
    keypoints = observations.keypoints.copy()
    size = np.median(observations.boxes[:, 3] - observations.boxes[:, 1])
    keypoints[..., :2] += np.random.default_rng(1).normal(scale=0.02 * size, size=(FRAMES, 17, 2))
    assert measure_person(recovery, changed(observations, keypoints), tube_body)["trembling"].value == pytest.approx(2.0, rel=0.3)


@pytest.mark.parametrize(("lift", "name"), [(-0.1, "below_floor"), (0.3, "contacts_above_floor")])
def test_a_body_at_the_wrong_height(tube_body, lift, name):
    recovery, observations = make_person(tube_body, lift=lift)
    measures = measure_person(recovery, observations, tube_body)
    assert measures[name].value == pytest.approx(100 * abs(lift), abs=1.0)  # cm
    assert exceeded(measures) == ({name} if lift < 0 else {name, "hanging", "foot_held_up"})
    if lift > 0:
        assert measures["hanging"].value == pytest.approx((FRAMES - 1) / FPS)


def test_a_foot_that_rests_in_the_air(tube_body):
    """As in a world that is tipped; a foot that is held up high, or swings past, is meant so."""

    def bend(hip, knee, swing=0.0):
        poses = np.zeros((FRAMES, 72))
        poses[:, 0] = np.pi / 2
        poses[:, 3] = hip + swing * np.sin(8 * np.arange(FRAMES) / FPS)
        poses[:, 12] = knee
        recovery, observations = make_person(tube_body, poses=poses)
        return measure_person(replace(recovery, contacts=np.zeros((FRAMES, 4))), observations, tube_body)

    low = bend(-0.7, 0.9)
    assert low["foot_held_up"].value == pytest.approx((FRAMES - 1) / FPS) and exceeded(low) == {"foot_held_up"}
    assert bend(-1.7, 1.7)["foot_held_up"].value == 0
    assert bend(-0.7, 0.9, swing=0.4)["foot_held_up"].value < 0.7


def test_somebody_who_lies_raises_a_foot_on_purpose(tube_body):
    poses = np.zeros((FRAMES, 72))
    poses[:, 3] = -0.2
    recovery, _observations = make_person(tube_body, poses=poses)

    def held(pelvis):
        """Lying on the back, or floating, with the pelvis at a height, m."""
        sunk = np.array([0.0, 0.0, pelvis - recovery.joints[0, 0, 2]])
        lying = replace(recovery, trans=recovery.trans + sunk, joints=recovery.joints + sunk, contacts=np.zeros((FRAMES, 4)))
        return measure_person(lying, observe(lying), tube_body)["foot_held_up"].value

    assert held(0.1) == 0 and held(0.32) == pytest.approx((FRAMES - 1) / FPS)


def test_somebody_who_stands_glides_if_the_world_moves(tube_body):
    recovery, observations = make_person(tube_body)
    assert measure_person(recovery, observations, tube_body)["gliding"].value == 0
    moved = 0.8 * recovery.timestamps[:, None] * [0, 1.0, 0]
    carried = replace(
        recovery, trans=recovery.trans + moved, joints=recovery.joints + moved[:, None], contacts=np.zeros((FRAMES, 4)),
        lifted_joints=recovery.lifted_joints + moved[:, None],
    )  # fmt: skip
    measures = measure_person(carried, observe(carried), tube_body)
    assert measures["gliding"].value == pytest.approx((FRAMES - 1) / FPS) and exceeded(measures) == {"gliding"}


def test_a_jump_does_not_hang(tube_body):
    recovery, observations = make_person(tube_body)
    times = np.clip((recovery.timestamps - 1) / 0.6, 0, 1)  # a flight of 0.6 s
    height = 4 * times * (1 - times) * 9.81 * 0.6**2 / 8
    contacts = np.where(height[:, None] > 0, 0.0, 1.0) * np.ones(4)
    rise = height[:, None] * [0, 0, 1.0]
    jumped = replace(
        recovery, trans=recovery.trans + rise, joints=recovery.joints + rise[:, None], contacts=contacts,
        lifted_joints=recovery.lifted_joints + rise[:, None],
    )  # fmt: skip
    measures = measure_person(jumped, observe(jumped), tube_body)
    assert 0.3 < measures["hanging"].value < 0.6 and exceeded(measures) == set()
    assert observations.visible.all()


def test_a_pose_unlike_the_lifted_one(tube_body):
    recovery, observations = make_person(tube_body)
    lifted = recovery.lifted_joints.copy()
    turned = (lifted - lifted[:, :1]) @ rotmat_from_rotvec([0.0, 0, 0.5]).T + lifted[:, :1]
    arms = [H36M17.index(f"{side}_{end}") for side in ("left", "right") for end in ("elbow", "wrist", "shoulder")]
    lifted[:, arms] = turned[:, arms]
    measures = measure_person(replace(recovery, lifted_joints=lifted), observations, tube_body)
    assert measures["unlike_lifted"].value == pytest.approx(np.degrees(0.5) / 2, rel=0.1)
    assert "unlike_lifted" in exceeded(measures)


def test_feet_that_slide_while_they_touch(tube_body):
    """As of somebody whom the path carries along: 0.3 m/s is doubtful, 0.1 m/s and feet that touch nothing are not."""
    for speed, touching in ((0.3, True), (0.1, True), (0.3, False)):
        recovery, _observations = make_person(tube_body)
        way = speed * np.arange(FRAMES)[:, None] / FPS * [1.0, 0, 0]
        carried = replace(
            recovery,
            trans=recovery.trans + way,
            joints=recovery.joints + way[:, None],
            lifted_joints=recovery.lifted_joints + way[:, None],
            contacts=np.full((FRAMES, 4), float(touching)),
        )
        measures = measure_person(carried, observe(carried), tube_body)
        assert ("feet_slide" in exceeded(measures)) == (touching and speed == 0.3)
        assert not touching or measures["feet_slide"].value == pytest.approx(100 * speed, abs=0.5)


def test_a_person_who_leans_beyond_their_feet(tube_body):
    """As in a world that is tipped. A person who stands over their feet is balanced, and a lunge that passes is not at rest."""
    above_feet = np.zeros((FRAMES, 72))
    above_feet[:, 0] = np.pi / 2 + 0.03  # the tube's feet have no heels
    upright = measure_person(*make_person(tube_body, poses=above_feet), tube_body)
    assert upright["unbalanced"].value < 2  # cm
    poses = np.zeros((FRAMES, 72))
    poses[:, :3] = rotvec_from_rotmat(rotmat_from_rotvec([0.7, 0, 0]) @ rotmat_from_rotvec([np.pi / 2, 0, 0]))
    recovery, _observations = make_person(tube_body, poses=poses)
    lowest = tube_body(recovery.betas, poses[:1, :3], poses[:1, 3:], recovery.trans[:1])[1][..., 2].min().item()
    drop = [0, 0, lowest]
    tipped = replace(recovery, trans=recovery.trans - drop, joints=recovery.joints - drop, lifted_joints=recovery.lifted_joints - drop)
    leaning = measure_person(tipped, observe(tipped), tube_body)
    assert 40 < leaning["unbalanced"].value < 80 and "unbalanced" in exceeded(leaning)  # cm: sin(0.7) of a centre 1 m above the feet
    passing = np.linspace(0, 4, FRAMES)[:, None] * [1.0, 0, 0]  # m: 1.3 m/s
    running = replace(
        tipped, trans=tipped.trans + passing, joints=tipped.joints + passing[:, None], lifted_joints=tipped.lifted_joints + passing[:, None]
    )
    assert np.isnan(measure_person(running, observe(running), tube_body)["unbalanced"].value)


def test_the_worst_second_counts():
    """Not what passes, however far; a second of which half is unknown counts, and of a shorter clip the whole."""
    times = np.arange(60) / 20  # s
    values = np.zeros(60)
    values[:10] = 0.9  # 0.45 s
    values[30:52] = 0.3  # 1.05 s
    assert largest_median(values, times, 1.0) == pytest.approx(0.3)
    values[30:40] = np.nan
    assert largest_median(values, times, 1.0) == pytest.approx(0.3)
    values[30:48] = np.nan
    assert largest_median(values, times, 1.0) == 0.0
    assert largest_median(values[:8], times[:8], 1.0) == pytest.approx(0.9)
    assert largest_median(values[:1], times[:1], 1.0) == pytest.approx(0.9)
    assert np.isnan(largest_median(values[40:41], times[40:41], 1.0))


def test_a_person_who_sits_is_held_by_a_seat(tube_body):
    """Thighs level and shins upright, on a chair that nobody sees: the centre of mass is behind the feet, which says nothing."""
    poses = np.zeros((FRAMES, 24, 3))
    poses[:, 0, 0] = np.pi / 2
    for side in ("left", "right"):
        poses[:, SMPL_JOINTS.index(f"{side}_hip"), 0] = -np.pi / 2
        poses[:, SMPL_JOINTS.index(f"{side}_knee"), 0] = np.pi / 2
    recovery, _observations = make_person(tube_body, poses=poses.reshape(FRAMES, 72))
    heights = tube_body(recovery.betas, recovery.poses[:1, :3], recovery.poses[:1, 3:], recovery.trans[:1])[1][..., 2]
    drop = [0, 0, heights.min().item()]
    seated = replace(recovery, trans=recovery.trans - drop, joints=recovery.joints - drop, lifted_joints=recovery.lifted_joints - drop)
    measures = measure_person(seated, observe(seated), tube_body)
    assert np.isnan(measures["unbalanced"].value) and not np.isnan(measures["below_floor"].value)


def test_ground_that_is_touched_widely_shows_which_way_is_up(tube_body):
    standing = make_person(tube_body)
    poses = np.zeros((FRAMES, 72))  # on the back, with the arms out to the sides
    lying, _observations = make_person(tube_body, poses=poses)
    lowest = tube_body(lying.betas, poses[:1, :3], poses[:1, 3:], lying.trans[:1])[1][..., 2].min().item()
    flat = replace(lying, trans=lying.trans - [0, 0, lowest], joints=lying.joints - [0, 0, lowest])
    sigmas = [measure_person(*person, tube_body, None, 15.0)["gravity_unsure"].value for person in (standing, (flat, observe(flat)))]
    assert sigmas[1] < 8 < 10 < sigmas[0] < 15


def test_an_odd_shape_and_a_tipped_world(tube_body):
    betas = np.zeros(10)
    betas[3] = -6
    assert "odd_shape" in exceeded(measure_person(*make_person(tube_body, betas=betas), tube_body))
    measures = measure_person(*make_person(tube_body, tilt=np.radians(-20)), tube_body)
    assert measures["camera_rolled"].value == pytest.approx(20, abs=0.1) and exceeded(measures) == {"camera_rolled"}


def test_gravity_that_is_a_guess(tube_body):
    person = make_person(tube_body)
    assert exceeded(measure_person(*person, tube_body, None, 40.0)) == {"gravity_unsure"}
    assert exceeded(measure_person(*person, tube_body, None, float("nan"))) == set()


def test_a_camera_that_moves_or_zooms(tube_body):
    recovery, observations = make_person(tube_body)
    size = np.median((observations.boxes[:, 2:] - observations.boxes[:, :2]).max(-1))

    def moves(step):
        background = np.tile(step, (FRAMES, 1)).astype(float)
        background[0] = np.nan
        return measure_person(recovery, observations, tube_body, background)

    panned = moves([0.001, 0, 0])["camera_moves"].value
    assert panned == pytest.approx(100 * 0.001 * 1280 * (FRAMES - 1) * 0.96 / size, rel=0.03)
    assert "camera_moves" in exceeded(moves([0.005, 0, 0])) and "camera_moves" in exceeded(moves([0, 0, 0.002]))
    assert "camera_moves" not in exceeded(moves([0, 0, 1e-5]))
    # A sway to and fro is as wide as it reaches, however long it lasts.
    sway = np.zeros((FRAMES, 3))
    sway[1:, 0] = 0.02 * np.tile([1, -1], FRAMES)[1:FRAMES]
    assert measure_person(recovery, observations, tube_body, sway)["camera_moves"].value == pytest.approx(
        100 * 0.02 * 1280 / size, rel=0.01
    )


def test_a_background_that_was_not_seen_is_unknown(tube_body):
    recovery, observations = make_person(tube_body)
    for background in (None, np.full((FRAMES, 3), np.nan), np.zeros((1, 3))):
        assert np.isnan(measure_person(recovery, observations, tube_body, background)["camera_moves"].value)


def test_one_frame_has_a_verdict(tube_body):
    recovery, observations = make_person(tube_body)
    first = {name: value[:1] for name, value in recovery.arrays().items() if np.ndim(value) and len(value) == FRAMES}
    one = replace(recovery, **first)
    alone = Observations("h36m17", observations.boxes[:1], observations.keypoints[:1], observations.visible[:1])
    assert judge(measure_person(one, alone, tube_body)).verdict == GOOD


def test_feet_that_were_seen_to_point_backwards(tube_body):
    person, backwards = make_person(tube_body), np.arange(FRAMES) % 5 > 0
    measures = measure_person(*person, tube_body, backwards=backwards)
    assert measures["feet_backwards"].value == pytest.approx(100 * backwards.mean())
    assert exceeded(measures) == {"feet_backwards"} and judge(measures).verdict == DOUBTFUL
    assert np.isnan(measure_person(*person, tube_body)["feet_backwards"].value)


@pytest.mark.parametrize(("height", "seconds", "excess"), [(0.3, 0.5, 0.0), (0.9, 1.2, 0.3), (0.5, 0.2, 0.45)])
def test_nobody_rises_higher_than_a_jump(height, seconds, excess):
    """A jump of 0.5 s rises by 31 cm; nobody by 90 cm, however long they are in the air."""
    times = np.arange(FRAMES) / FPS
    lowest = height * np.maximum(0, 1 - ((times - 1.5) / (seconds / 2)) ** 2)
    assert beyond_jumps(lowest, np.ones(FRAMES, bool), times) == pytest.approx(excess, abs=0.1)


def test_a_body_of_a_childs_size_is_doubted_unless_the_height_was_told(tube_body):
    betas = betas_of_stature(tube_body.template, np.zeros(10), 1.0)
    measures = measure_person(*make_person(tube_body, betas=betas), tube_body)
    assert measures["small"].value == pytest.approx(40, abs=1)  # cm
    assert str(judge({"small": measures["small"]}).reasons[0]).startswith("The person is taken to be 40 cm smaller")


def test_warnings_name_the_person_and_the_gravest_reasons():
    reasons = tuple(limit.reason(limit.doubtful) for limit in LIMITS[:5])
    assert warnings_of(2, Verdict(GOOD)) == []
    doubtful, bad = warnings_of(2, Verdict(DOUBTFUL, reasons)), warnings_of(2, Verdict(BAD, reasons[:1]))
    assert doubtful == [f"Person 2 is doubtful: {reason}" for reason in reasons[:3]]
    assert bad == [f"Person 2 is bad: {reasons[0]}"] and bad[0].values["reason"] is reasons[0]


@pytest.mark.parametrize("told_by", ["nothing", "edges", "camera", "calibration"])
def test_a_tipped_horizon_is_no_mistake_where_the_background_or_the_camera_tells_it(told_by, tube_body):
    """A picture that is rolled by 26 degrees: edges of a room that are rolled as much, a known camera or a calibration's up confirm it."""
    recovery, observations = make_person(tube_body, tilt=-np.radians(26))
    intrinsics = intrinsics_of_focal_length(1000.0, (1280, 720))
    world_from_camera = np.linalg.inv(recovery.camera_from_world[0])
    tilt = np.degrees(tilt_of_up(world_from_camera[2, :3]))
    clip = SimpleNamespace(
        people=[
            SimpleNamespace(
                number=1,
                recovery=recovery,
                observations=observations,
                judged={},
                known=KnownPerson(),
                fit=SimpleNamespace(feet_backwards=None),
            )
        ],
        body=tube_body,
        background=None,
        tilt_sigma=np.zeros(2) if told_by == "calibration" else np.radians([3.0, 2.0]),
        warnings=[],
        path_scale=None,
        known_camera="known" if told_by == "camera" else None,
        camera=SimpleNamespace(kind="still"),
        parts=(),
        breaks=[],
        motion_times=recovery.timestamps,
        world_from_camera=world_from_camera,
        edges=edge_evidence(room_edges(intrinsics, tuple(tilt), directions=(1,), each=20), intrinsics) if told_by == "edges" else None,
    )
    judge_people(clip)
    is_doubted = any("tipped sideways by 26 degrees" in str(warning) for warning in clip.warnings)
    assert abs(tilt[1]) == pytest.approx(26) and is_doubted == (told_by == "nothing")


def test_the_verdict_is_in_the_clip_and_the_report(tube_body):
    recovery, observations = make_person(tube_body, lift=-0.2)
    person = SimpleNamespace(
        number=1, recovery=recovery, observations=observations, judged={}, known=KnownPerson(), fit=SimpleNamespace(feet_backwards=None)
    )
    clip = SimpleNamespace(
        people=[person],
        body=tube_body,
        background=None,
        tilt_sigma=np.radians([3.0, 2.0]),
        warnings=[],
        path_scale=None,
        known_camera=None,
        camera=SimpleNamespace(kind="unknown"),
        parts=(),
        breaks=[],
        motion_times=recovery.timestamps,
    )
    judge_people(clip)
    report = person.judged
    assert report["verdict"] == BAD and report["reasons"][0] == "The body reaches 20 cm below the floor."
    assert clip.warnings == [f"Person 1 is bad: {reason}" for reason in report["reasons"]]
    assert report["measures"]["gravity_unsure"] == pytest.approx(3.0, abs=0.1) and report["measures"]["camera_moves"] is None
    assert report["worst_times"] == [round(row / FPS, 3) for row in report["worst_frames"]]
    assert report["worst_frames"] and all(0 <= row < FRAMES for row in report["worst_frames"])


@pytest.mark.parametrize("kind, is_left", [("still", False), ("unknown", True)])
def test_what_moves_before_a_camera_that_was_found_still_is_no_background(kind, is_left):
    """Such as lines that somebody has drawn over the person."""
    background = np.tile([0.01, 0.0, 0.0], (20, 1))
    clip = SimpleNamespace(
        background=background, camera=SimpleNamespace(kind=kind), known_camera=None, path_scale=None, camera_from_view=None, zoom=None
    )
    np.testing.assert_allclose(background_left(clip), background if is_left else 0.0)
