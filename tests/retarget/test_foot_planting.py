"""Contacts on new proportions: feet hold still where they touch, on the floor, and knees bend forward without jumps."""

import time
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from blender_meshrec.core.contacts import contact_runs
from blender_meshrec.retarget.rig import FINGER_SLOTS, SIDES, BoneMapping, RetargetOptions
from blender_meshrec.retarget.solve.rest_pose import RestPose
from blender_meshrec.retarget.solve.retarget import retarget
from blender_meshrec.retarget.solve.stance import estimate_stance
from blender_meshrec.retarget.source.contacts import source_soles
from blender_meshrec.retarget.source.motion import performance_from_motion
from tests.support.retargeting import (
    foot_slide_speed,
    joint_bending,
    make_slots,
    motion_from_walker,
    random_character,
    recorded_motion,
    world_point,
)
from tests.support.synthetic_gait import jump, squat, stand, walk
from tests.support.synthetic_rigs import make_humanoid

TIMES = np.arange(0, 4, 1 / 30)
PEOPLE = {"walk": walk(TIMES), "turned": walk(TIMES, 2.0), "squat": squat(TIMES), "stand": stand(TIMES), "jump": jump(TIMES)}


def sole_points(rig, mapping, result):
    """Heel and ball of both feet in the world, (F,4,3) m, and their heights above the floor at rest, (4,) m."""
    rest = RestPose(rig, mapping)
    stance = estimate_stance(rest)
    points, heights = [], []
    for side in SIDES:
        foot = stance.feet[side]
        for point in (foot.heel, foot.ball):
            here = np.linalg.solve(rest.scale * rest.world_rotation, point)
            points.append(world_point(rig, result, rig.bones[foot.bone], here))
            heights.append(point[2] - stance.floor)
    return np.stack(points, 1), np.array(heights)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("name", PEOPLE)
def test_feet_hold_still_where_they_touch(name, seed):
    """In contact, heel and ball are within 1 mm of one place on the floor; nothing is 5 mm below it; knees bend forward."""
    performance = performance_from_motion(motion_from_walker(PEOPLE[name]))
    rig, mapping = random_character(seed)
    result = retarget(performance, rig, mapping)
    points, heights = sole_points(rig, mapping, result)
    for k in range(4):
        touching = performance.contacts[:, k] > 0.5
        assert foot_slide_speed(points[:, k], touching, TIMES)[1] < 0.1  # cm/s
        for first, last in contact_runs(touching):
            np.testing.assert_allclose(points[first:last, k], np.broadcast_to(points[first, k], (last - first, 3)), atol=1e-3)
            np.testing.assert_allclose(points[first:last, k, 2], heights[k], atol=1e-3)
    assert (points[..., 2] - heights).min() > -5e-3
    assert joint_bending(rig, mapping, result).min() > -1
    assert result.quality["foot_slide_after"] < 0.1 * result.quality["foot_slide_before"] or result.quality["foot_slide_before"] < 0.5


@pytest.mark.parametrize("rate", [30, 60])
def test_reported_slide_is_that_of_heels_and_balls(rate):
    """Without planting: mean horizontal speed of points in contact, measured on the result's bones, within 0.1 %."""
    times = np.arange(0, 4, 1 / rate)
    performance, (rig, mapping) = performance_from_motion(motion_from_walker(walk(times))), random_character(2)
    result = retarget(performance, rig, mapping, RetargetOptions(feet=False))
    points, _heights = sole_points(rig, mapping, result)
    both = (performance.contacts[1:] > 0.5) & (performance.contacts[:-1] > 0.5)
    speeds = rate * np.linalg.norm(np.diff(points[..., :2], axis=0), axis=-1)
    np.testing.assert_allclose(result.quality["foot_slide_after"], 100 * speeds[both].mean(), rtol=1e-3)  # cm/s
    assert result.quality["foot_slide_after"] > 1


def test_slide_and_bending_on_motion_capture(recordings):
    """Real clips without contacts: detected, held within 1 cm/s; knees jump no more than the performer's."""
    slides, before, jumps = [], [], []
    for number, seed in ((100, 0), (110, 1), (20, 2), (130, 4), (140, 5)):
        performance = performance_from_motion(recorded_motion(recordings[number]))
        rig, mapping = random_character(seed)
        result, plain = retarget(performance, rig, mapping), retarget(performance, rig, mapping, RetargetOptions(feet=False))
        slides.append(result.quality["foot_slide_after"])
        before.append(result.quality["foot_slide_before"])
        ours, theirs = joint_bending(rig, mapping, result), joint_bending(rig, mapping, plain)
        assert ours[:, [0, 2]].min() > min(theirs[:, [0, 2]].min(), 0) - 1
        jumps.append(np.percentile(np.abs(np.diff(ours[:, [0, 2]], n=2, axis=0)) - np.abs(np.diff(theirs[:, [0, 2]], n=2, axis=0)), 99))
        assert result.quality["floor_penetration_after"] < 5  # mm
    assert max(slides) < 1 and np.mean(before) > 10 * np.mean(slides)
    assert max(jumps) < 10  # degrees from frame to frame


def test_contacts_do_not_depend_on_frame_rate():
    rig, mapping = random_character(3)
    places = []
    for rate in (24, 60):
        times = np.arange(0, 3, 1 / rate)
        result = retarget(performance_from_motion(motion_from_walker(walk(times))), rig, mapping)
        points, _ = sole_points(rig, mapping, result)
        places.append(np.stack([np.interp([0.2, 0.9, 1.6, 2.3], times, points[:, 1, axis]) for axis in range(3)], 1))
    np.testing.assert_allclose(places[0], places[1], atol=0.02)


def test_known_sole_height_raises_the_body():
    """With soles 3 cm lower than estimated from the bones, the whole body is 3 cm higher."""
    performance = performance_from_motion(motion_from_walker(PEOPLE["stand"]))
    rig, mapping = random_character(0)
    usual = retarget(performance, rig, mapping)
    thick = retarget(performance, replace(rig, world=rig.world), mapping, floor_height=-0.03)
    np.testing.assert_allclose((thick.heads - usual.heads)[..., 2].mean(), 0.03, atol=2e-3)


@pytest.mark.parametrize("name", ["walk", "stand", "squat"])
def test_thickness_of_source_soles_does_not_matter(name):
    """Source soles 5 cm lower, at rest and in motion, stand on a floor 5 cm lower: the same result within 1 mm."""
    performance = performance_from_motion(motion_from_walker(PEOPLE[name]))
    source, (rig, mapping) = RestPose(performance.rig, performance.mapping), random_character(1)
    soles = source_soles(performance, source, estimate_stance(source))
    for options in (RetargetOptions(), RetargetOptions(feet=False)):
        thin, thick = (retarget(replace(performance, soles=soles - [0, 0, d]), rig, mapping, options).heads for d in (0.0, 0.05))
        np.testing.assert_allclose(thick, thin, atol=1e-3)


@pytest.mark.parametrize("name", ["walk", "jump"])
def test_height_of_source_floor_does_not_matter(name):
    """A performance 5 cm higher or lower gives the same result within 0.001 mm."""
    performance, (rig, mapping) = performance_from_motion(motion_from_walker(PEOPLE[name])), random_character(1)
    usual = retarget(performance, rig, mapping).heads
    for lift in (0.05, -0.05):
        lifted = replace(performance, heads=performance.heads + [0, 0, lift])
        np.testing.assert_allclose(retarget(lifted, rig, mapping).heads, usual, atol=1e-6)


def test_steps_keep_their_height():
    """A foot that stands 30 cm above the floor stands on a step of that height, scaled."""
    walker = stand(TIMES)
    walker.pelvis[:, 2] += 0.3 * np.clip((TIMES - 1.9) / 0.2, 0, 1)
    walker.contacts[np.abs(TIMES - 2) < 0.15] = 0
    performance = performance_from_motion(motion_from_walker(walker))
    rig, mapping = random_character(1)
    result = retarget(performance, rig, mapping)
    points, heights = sole_points(rig, mapping, result)
    ratio = result.quality["hip_scale"]
    np.testing.assert_allclose(points[-1, :, 2] - heights, 0.3 * ratio, atol=0.03)


def test_hands_reach_their_targets():
    """Wrists are where the performer's are in a world of the character's scale, within 1 mm in easy reach; elbows bend forward."""
    performance = performance_from_motion(motion_from_walker(PEOPLE["squat"]))
    for seed in range(4):
        rig, mapping = random_character(seed)
        result = retarget(performance, rig, mapping, RetargetOptions(hands=True))
        ratio = result.quality["hip_scale"]
        wrists, shoulders = [], []
        for side in SIDES:
            wrist = result.heads[:, rig.index(mapping.slots[f"{side}_hand"][0])]
            place = ratio * performance.heads[:, performance.rig.index(f"{side}_wrist")]
            shoulders.append(np.linalg.norm(wrist - result.heads[:, rig.index(mapping.slots[f"{side}_upper_arm"][0])], axis=1))
            wrists.append((wrist - place)[:, :3])
        rows = [rig.index(mapping.slots[f"left_{part}"][0]) for part in ("upper_arm", "lower_arm", "hand")]
        arm = np.linalg.norm(np.diff(rig.rest[rows, :3, 3], axis=0), axis=1).sum()
        easy = np.max(shoulders, axis=0) < 0.9 * arm
        offsets = np.concatenate([wrist[easy] for wrist in wrists])
        if len(offsets):
            np.testing.assert_allclose(offsets, np.broadcast_to(offsets[0], offsets.shape), atol=1e-3)
            assert np.abs(offsets[0, :2]).max() < 1e-3 and abs(offsets[0, 2]) < 0.06
        assert joint_bending(rig, mapping, result)[:, [1, 3]].min() > -1


def test_long_clips_take_little_time_and_memory():
    """3,000 frames onto 65 bones, contacts detected and planted: under a second of processor time, under 500 MB."""
    times = np.arange(3000) / 30
    rng = np.random.default_rng(0)
    truth = make_slots() | {f"{side}_{finger}": [f"{side}_{finger}{k}" for k in range(4)] for side in SIDES for finger in FINGER_SLOTS}
    rig, mapping = make_humanoid(truth, rng).build_rig(rng), BoneMapping(truth)
    assert len(rig) >= 60
    motion = motion_from_walker(walk(times), contacts=False)
    spent = []
    for _ in range(3):
        begun = time.process_time()
        retarget(performance_from_motion(motion), rig, mapping)
        spent.append(time.process_time() - begun)
    assert min(spent) < 1.0
    tracemalloc.start()
    try:
        retarget(performance_from_motion(motion), rig, mapping)
        assert tracemalloc.get_traced_memory()[1] < 500e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("clip", [35, 80])
def test_long_feet_on_short_legs_keep_their_contacts(recordings, clip):
    """The pivots of a dancer and a fighter on a character whose feet are nearly half as long as its legs."""
    truth = make_slots()
    build = make_humanoid(truth, np.random.default_rng(0))
    for side in SIDES:
        up = 0.5 * (build.heads[f"{side}_upper_leg"][2] - build.heads[f"{side}_foot"][2])
        build.heads[f"{side}_lower_leg"][2] += 0.5 * up
        for part in ("foot", "toes"):
            build.heads[f"{side}_{part}"][2] += up
    rig, mapping = build.build_rig(np.random.default_rng(1)), BoneMapping(truth)
    result = retarget(performance_from_motion(recorded_motion(recordings[clip])), rig, mapping)
    assert result.quality["foot_slide_after"] < 0.1  # cm/s
