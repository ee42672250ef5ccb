"""The skin of the feet: big shoes stay above the floor and touch with their own heels and tips; the report is measured on the skin."""

import numpy as np
import pytest

from blender_meshrec.core.array_types import FloatArray
from blender_meshrec.retarget.rig import SIDES, BoneMapping, RetargetedMotion, RetargetOptions, Rig
from blender_meshrec.retarget.solve.foot_skin import FootSkin
from blender_meshrec.retarget.solve.rest_pose import RestPose
from blender_meshrec.retarget.solve.retarget import retarget
from blender_meshrec.retarget.solve.stance import estimate_stance
from blender_meshrec.retarget.source.motion import performance_from_motion
from tests.support.retargeting import make_slots, motion_from_walker, random_character, recorded_motion
from tests.support.synthetic_gait import walk
from tests.support.synthetic_rigs import make_humanoid

TIMES = np.arange(0, 4, 1 / 30)


def shoes(rig: Rig, mapping: BoneMapping, overhang: float) -> dict[str, FootSkin]:
    """Boxes around the feet that reach beyond heels and tips by `overhang` m; what is before the ball follows the toes."""
    rest = RestPose(rig, mapping)
    stance = estimate_stance(rest, 0.0)
    skins = {}
    for side in SIDES:
        foot = stance.feet[side]
        forward = foot.forward / np.linalg.norm(foot.forward)
        across = np.cross(forward, rest.axes[:, 2])
        along = np.linspace(-overhang, np.linalg.norm(foot.forward) + overhang, 12)
        points = [foot.heel + step * forward + w * across + h * rest.axes[:, 2] for step in along for w in (-0.04, 0.04) for h in (0, 0.05)]
        toe_weights = (np.array(points) - foot.ball) @ forward > 0 if foot.toes is not None else np.zeros(len(points))
        skins[side] = FootSkin(np.array(points), toe_weights.astype(float))
    return skins


def skin_positions(rig: Rig, mapping: BoneMapping, result: RetargetedMotion, side: str, skin: FootSkin) -> FloatArray:
    """The skin (F,N,3) m of a foot, posed."""
    here = np.zeros((len(result.timestamps), len(skin.points), 3))
    for part, weights in (("foot", 1 - skin.toe_weights), ("toes", skin.toe_weights)):
        if bones := mapping.slots.get(f"{side}_{part}"):
            row = rig.index(bones[0])
            local = (skin.points - rig.rest[row, :3, 3]) @ rig.rest[row, :3, :3]
            posed = result.heads[:, row][:, None] + np.einsum("fij,nj->fni", result.rotmats[:, row], local)
            here += weights[:, None] * posed
    return here


def swing_depth(rig: Rig, mapping: BoneMapping, result: RetargetedMotion, skins: dict[str, FootSkin]) -> float:
    """How deep in the floor, m, the skin of the feet is at most while neither heel nor toes touch."""
    assert result.contacts is not None
    swing = result.contacts.reshape(-1, 2, 2).max(2) < 0.5
    lowest = np.stack([skin_positions(rig, mapping, result, side, skins[side])[..., 2].min(1) for side in SIDES], 1)
    return -float(lowest[swing].min())


def character(seed: int, toes: bool = True) -> tuple[Rig, BoneMapping]:
    truth = make_slots(without=() if toes else ("toes",))
    rng = np.random.default_rng(seed)
    return make_humanoid(truth, rng).build_rig(rng), BoneMapping(truth)


@pytest.mark.parametrize("toes", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_big_shoes_stay_above_the_floor_in_swing(recordings, seed, toes):
    """Shoes that reach 20 cm beyond the bones: at most 2 mm in the floor in swing, and they slide at most 2 cm/s in contact."""
    rig, mapping = character(seed, toes)
    skins = shoes(rig, mapping, 0.2)
    for performance in (
        performance_from_motion(motion_from_walker(walk(TIMES))),
        performance_from_motion(recorded_motion(recordings[100])),
    ):
        without, result = (retarget(performance, rig, mapping, floor_height=0.0, skins=known) for known in (None, skins))
        assert swing_depth(rig, mapping, without, skins) > 0.02
        assert swing_depth(rig, mapping, result, skins) < 0.002
        assert result.quality["foot_slide_after"] < 2


def test_long_feet_stay_above_the_floor_in_swing(recordings):
    """Feet of bones three quarters as long as the legs, such as a bunny's: at most 2 mm of their skin in the floor in swing."""
    truth = make_slots()
    build = make_humanoid(truth, np.random.default_rng(0))
    for side in SIDES:
        ankle, ball = build.heads[f"{side}_foot"], build.heads[f"{side}_toes"]
        build.heads[f"{side}_toes"] = ball + [0, 0.3 * (build.heads[f"{side}_upper_leg"] - ankle)[2] * np.sign(ball - ankle)[1], 0]
    rig, mapping = build.build_rig(np.random.default_rng(1)), BoneMapping(truth)
    skins = shoes(rig, mapping, 0.01)
    result = retarget(performance_from_motion(recorded_motion(recordings[100])), rig, mapping, floor_height=0.0, skins=skins)
    assert swing_depth(rig, mapping, result, skins) < 0.002


def test_skin_that_the_bones_show_changes_nothing(recordings):
    """Shoes that end 1 cm beyond the bones give the very same motion; only the report is measured on them."""
    performance = performance_from_motion(recorded_motion(recordings[20]))
    rig, mapping = random_character(1)
    without, result = (retarget(performance, rig, mapping, floor_height=0.0, skins=known) for known in (None, shoes(rig, mapping, 0.01)))
    np.testing.assert_array_equal(result.rotations, without.rotations)
    np.testing.assert_array_equal(result.heads, without.heads)
    assert result.quality["floor_penetration_after"] != without.quality["floor_penetration_after"]


def test_reported_penetration_is_that_of_the_skin():
    """The deepest point of all skin, within 1 mm, where nothing is planted."""
    performance = performance_from_motion(motion_from_walker(walk(TIMES)))
    rig, mapping = character(0)
    skins = shoes(rig, mapping, 0.2)
    result = retarget(performance, rig, mapping, RetargetOptions(feet=False), floor_height=0.0, skins=skins)
    lowest = min(skin_positions(rig, mapping, result, side, skins[side])[..., 2].min() for side in SIDES)
    np.testing.assert_allclose(result.quality["floor_penetration_after"], -1000 * lowest, atol=1.0)
    assert result.quality["floor_penetration_after"] > 20
