"""Elbows and knees locked to one axis: hands and feet are where they would be without the lock."""

from dataclasses import replace

import numpy as np
import pytest

from blender_meshrec.core.array_types import FloatArray
from blender_meshrec.core.axis_rotations import unit_vector
from blender_meshrec.core.rotations import angle_between_rotmats
from blender_meshrec.retarget.rig import SIDES, BoneMapping, RetargetOptions, Rig
from blender_meshrec.retarget.solve.retarget import retarget
from blender_meshrec.retarget.source.motion import performance_from_motion
from tests.support.retargeting import make_slots, motion_from_walker, recorded_motion
from tests.support.synthetic_gait import squat, walk
from tests.support.synthetic_rigs import make_humanoid

TIMES = np.arange(0, 4, 1 / 30)
LIMBS = (("upper_arm", "lower_arm", "hand"), ("upper_leg", "lower_leg", "foot"))


def locked_character(seed: int, free_axis: int = 0, split: tuple[str, ...] = ()) -> tuple[Rig, Rig, BoneMapping]:
    """A random character, the same with elbows and knees that turn about one of their axes only, and its mapping.

    The hinges are across the limbs' planes at rest; what a performer bends in other planes they refuse.
    """
    rng = np.random.default_rng(seed)
    truth = make_slots(split=split)
    rig, mapping = make_humanoid(truth, rng, arms_down=45).build_rig(rng), BoneMapping(truth)
    rig = replace(rig, rest=_with_hinges(rig, mapping, free_axis))
    locks = np.zeros((len(rig), 3), bool)
    for side in SIDES:
        for part in ("lower_arm", "lower_leg"):
            locks[rig.index(mapping.slots[f"{side}_{part}"][0])] = np.arange(3) != free_axis
    return rig, replace(rig, lock_rotation=locks), mapping


def _with_hinges(rig: Rig, mapping: BoneMapping, free_axis: int) -> FloatArray:
    """Rest matrices (B,4,4) in which the free axis of elbows and knees, 0 or 2, is across the plane of the limb."""
    rest = rig.rest.copy()
    for side in SIDES:
        for parts in LIMBS:
            rows = [rig.index(mapping.slots[f"{side}_{part}"][0]) for part in parts]
            upper, lower = np.diff(rig.rest[rows, :3, 3], axis=0)
            hinge, along = unit_vector(np.cross(upper, lower)), rest[rows[1], :3, 1]
            hinge = unit_vector(hinge - (hinge @ along) * along)
            x = hinge if free_axis == 0 else np.cross(along, hinge)
            rest[rows[1], :3, :3] = np.stack([x, along, np.cross(x, along)], 1)
    return rest


def end_rows(rig: Rig, mapping: BoneMapping) -> list[int]:
    return [rig.index(mapping.slots[f"{side}_{end}"][0]) for side in SIDES for _, _, end in LIMBS]


@pytest.mark.parametrize("walker", [walk(TIMES), squat(TIMES)], ids=["walk", "squat"])
@pytest.mark.parametrize(("seed", "free_axis", "split"), [(0, 0, ()), (1, 2, ()), (2, 0, ("upper_arm", "upper_leg")), (3, 2, ())])
def test_locks_move_no_hand_and_no_foot(walker, seed, free_axis, split):
    """Wrists and ankles are within 5 mm of those of free limbs; hands and feet turn as there; feet slide no more."""
    performance = performance_from_motion(motion_from_walker(walker))
    free_rig, locked_rig, mapping = locked_character(seed, free_axis, split)
    free, locked = (retarget(performance, rig, mapping) for rig in (free_rig, locked_rig))
    rows = end_rows(free_rig, mapping)
    np.testing.assert_allclose(locked.heads[:, rows], free.heads[:, rows], atol=5e-3)
    assert np.degrees(angle_between_rotmats(locked.rotmats[:, rows], free.rotmats[:, rows])).max() < 0.1
    assert locked.quality["foot_slide_after"] < free.quality["foot_slide_after"] + 0.5  # cm/s


def test_locked_channels_stay_zero():
    performance = performance_from_motion(motion_from_walker(squat(TIMES)))
    _, rig, mapping = locked_character(0)
    result = retarget(performance, rig, mapping)
    for side in SIDES:
        channel = result.rotations[:, result.bones.index(mapping.slots[f"{side}_lower_leg"][0])]
        np.testing.assert_allclose(channel[:, 2:], 0, atol=1e-9)
        assert np.ptp(channel[:, 1]) > 0.05


def test_knees_of_motion_capture_keep_their_feet(recordings):
    """A dancer on locked knees: ankles within 1 cm of those of free ones, and the thighs do not jump."""
    performance = performance_from_motion(recorded_motion(recordings[35]))
    free_rig, locked_rig, mapping = locked_character(1)
    free, locked = (retarget(performance, rig, mapping, RetargetOptions()) for rig in (free_rig, locked_rig))
    feet = [free_rig.index(mapping.slots[f"{side}_foot"][0]) for side in SIDES]
    np.testing.assert_allclose(locked.heads[:, feet], free.heads[:, feet], atol=1e-2)
    assert locked.quality["foot_slide_after"] < 1  # cm/s
    thighs = [free_rig.index(mapping.slots[f"{side}_upper_leg"][0]) for side in SIDES]
    steps = [np.degrees(angle_between_rotmats(m.rotmats[1:, thighs], m.rotmats[:-1, thighs])) for m in (locked, free)]
    assert np.percentile(steps[0], 99) < np.percentile(steps[1], 99) + 10  # degrees from frame to frame
