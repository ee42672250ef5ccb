"""An artist's corrections: offsets, influences, and the path moved, turned and scaled."""

import numpy as np
import pytest

from blender_meshrec.core.rotations import angle_between_rotmats, rotmat_from_rotvec
from blender_meshrec.retarget.rig import RetargetOptions, RetargetTuning
from blender_meshrec.retarget.solve.retarget import retarget
from blender_meshrec.retarget.source.motion import performance_from_motion
from tests.support import synthetic_gait
from tests.support.retargeting import motion_from_walker, random_character, world_heads

TIMES = np.arange(60) / 30
NO_FEET = {"feet": False}


@pytest.fixture(scope="module")
def performance():
    return performance_from_motion(motion_from_walker(synthetic_gait.walk(TIMES)))


@pytest.fixture(scope="module", params=[0, 3])
def character(request):
    return random_character(request.param)


def tuned(performance, character, tuning, **options):
    rig, mapping = character
    return retarget(performance, rig, mapping, RetargetOptions(tuning=tuning, **options))


def rotations_of(character, result, bone):
    return result.rotmats[:, character[0].index(bone)]


def test_an_offset_turns_a_bone_and_what_hangs_from_it(performance, character):
    _rig, mapping = character
    offset = (0.0, 0.4, 0.1)
    upper, hand, other = (mapping.slots[slot][0] for slot in ("left_upper_arm", "left_hand", "right_upper_arm"))
    plain = tuned(performance, character, RetargetTuning(), **NO_FEET)
    turned = tuned(performance, character, RetargetTuning(offsets={upper: offset}), **NO_FEET)
    before, after = (rotations_of(character, result, upper) for result in (plain, turned))
    assert angle_between_rotmats(before @ rotmat_from_rotvec(offset), after).max() < 1e-3
    swing = [
        after @ np.swapaxes(before, -1, -2),
        rotations_of(character, turned, hand) @ np.swapaxes(rotations_of(character, plain, hand), -1, -2),
    ]
    assert angle_between_rotmats(*swing).max() < 1e-3  # the hand keeps its angle to the arm
    assert angle_between_rotmats(*(rotations_of(character, result, other) for result in (plain, turned))).max() < 1e-6


def test_a_part_without_influence_stays_at_rest(performance, character):
    rig, mapping = character
    still = tuned(performance, character, RetargetTuning(influences={"left_arm": 0.0}), **NO_FEET)
    leg, lower = mapping.slots["left_upper_leg"][-1], mapping.slots["left_lower_arm"][0]
    upper = mapping.slots["left_upper_arm"][-1]
    local = np.swapaxes(rotations_of(character, still, upper), -1, -2) @ rotations_of(character, still, lower)
    rest = rig.rest[rig.index(upper), :3, :3].T @ rig.rest[rig.index(lower), :3, :3]
    assert angle_between_rotmats(local, np.broadcast_to(rest, local.shape)).max() < 1e-3
    assert np.ptp(rotations_of(character, still, leg), axis=0).max() > 0.01  # the rest moves on


def test_half_the_influence_is_half_the_way(performance, character):
    lower, upper = (character[1].slots[slot][k] for slot, k in (("left_lower_leg", 0), ("left_upper_leg", -1)))

    def bend(influence):
        result = tuned(performance, character, RetargetTuning(influences={"left_leg": influence}), **NO_FEET)
        local = np.swapaxes(rotations_of(character, result, upper), -1, -2) @ rotations_of(character, result, lower)
        return local

    none, half, full = bend(0.0), bend(0.5), bend(1.0)
    whole = angle_between_rotmats(none, full)
    assert np.abs(angle_between_rotmats(none, half) - whole / 2).max() < 1e-6 + 0.01 * whole.max()


def test_the_path_is_moved_turned_and_scaled(performance, character):
    rig, mapping = character
    hips = rig.index(mapping.slots["hips"][0])
    plain = world_heads(rig, tuned(performance, character, RetargetTuning(), **NO_FEET))[:, hips]
    moved = world_heads(rig, tuned(performance, character, RetargetTuning(path_offset=(1.0, -2.0, 0.5)), **NO_FEET))[:, hips]
    assert np.abs(moved - plain - [1.0, -2.0, 0.5]).max() < 1e-6
    turn = rotmat_from_rotvec([0, 0, np.pi / 2])
    turned = world_heads(rig, tuned(performance, character, RetargetTuning(heading=np.pi / 2), **NO_FEET))
    assert np.abs(turned[:, hips] - plain @ turn.T).max() < 1e-6
    scaled = world_heads(rig, tuned(performance, character, RetargetTuning(path_scale=2.0), **NO_FEET))[:, hips]
    assert np.abs(np.diff(scaled, axis=0)[:, :2] - 2 * np.diff(plain, axis=0)[:, :2]).max() < 0.02
    assert np.abs(scaled[:, 2] - plain[:, 2]).max() < 1e-6


def test_turning_turns_planted_feet_too(performance, character):
    rig = character[0]
    plain, turned = (world_heads(rig, tuned(performance, character, RetargetTuning(heading=heading))) for heading in (0.0, 1.0))
    assert np.abs(turned - plain @ rotmat_from_rotvec([0, 0, 1.0]).T).max() < 0.005  # m


def test_the_default_changes_nothing(performance, character):
    rig, mapping = character
    a, b = (
        retarget(performance, rig, mapping, RetargetOptions()),
        tuned(performance, character, RetargetTuning(offsets={}, influences={"head": 1.0})),
    )
    assert np.abs(a.heads - b.heads).max() == 0


def test_hands_stay_where_they_touch(performance, character):
    from dataclasses import replace

    rig, mapping = character
    contacts = np.zeros((len(performance), 2))
    contacts[20:30, 0] = 1
    wrist = rig.index(mapping.slots["left_hand"][0])
    free = world_heads(rig, retarget(performance, rig, mapping))[20:30, wrist]
    held = world_heads(rig, retarget(replace(performance, hand_contacts=contacts), rig, mapping))[20:30, wrist]
    assert np.ptp(free, axis=0).max() > 0.1 and np.linalg.norm(np.ptp(held, axis=0)) < 0.35 * np.linalg.norm(np.ptp(free, axis=0))
