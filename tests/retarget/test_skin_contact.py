"""What holds still on the floor is the skin: round shoes, pegs that follow the shins, soles between shin and foot."""

from dataclasses import replace

import numpy as np
import pytest

from blender_meshrec.core.array_types import FloatArray
from blender_meshrec.retarget.rig import SIDES, BoneMapping, RetargetedMotion, Rig
from blender_meshrec.retarget.solve.foot_skin import FootSkin
from blender_meshrec.retarget.solve.quality import skin_contact
from blender_meshrec.retarget.solve.rest_pose import RestPose
from blender_meshrec.retarget.solve.retarget import retarget
from blender_meshrec.retarget.solve.stance import Foot, estimate_stance
from blender_meshrec.retarget.source.motion import performance_from_motion
from tests.support.retargeting import make_slots, motion_from_walker, recorded_motion
from tests.support.synthetic_gait import squat, walk
from tests.support.synthetic_rigs import make_humanoid

TIMES = np.arange(0, 4, 1 / 30)
_HEIGHT = 0.06  # of the shoes, m
_TOUCH = 0.001  # skin up to this height over the lowest of its foot touches, m


def shoe_points(foot: Foot, up: FloatArray, roundness: float) -> FloatArray:
    """A shoe (N,3) m whose sole curves up by `roundness` m at heel and tip, over a third of its length at either end."""
    length = float(np.linalg.norm(foot.forward))
    forward, across = foot.forward / length, np.cross(foot.forward / length, up)
    points: list[FloatArray] = []
    for share in np.linspace(0, 1, 60):
        beyond = 3 * max(1 / 3 - share, share - 2 / 3, 0.0)
        rise = roundness * (1 - np.sqrt(1 - beyond**2))
        points += [
            foot.heel + share * length * forward + side * across + height * up for side in (-0.03, 0.03) for height in (rise, _HEIGHT)
        ]
    return np.array(points)


def shod_character(
    seed: int, shin_share: float = 0.0, roundness: float = 0.0, shares_above: tuple[float, float] = (0.0, 0.0)
) -> tuple[Rig, BoneMapping, dict[str, FootSkin]]:
    """A character without toes in shoes of which the rear half follows the shin by `shin_share`, all of it if that is 1.

    shares_above: how much the shoes follow thigh and hips.
    """
    truth, rng = make_slots(without=("toes",)), np.random.default_rng(seed)
    rig, mapping = make_humanoid(truth, rng).build_rig(rng), BoneMapping(truth)
    rest = RestPose(rig, mapping)
    stance = estimate_stance(rest, 0.0)
    skins: dict[str, FootSkin] = {}
    for side in SIDES:
        points = shoe_points(stance.feet[side], rest.axes[:, 2], roundness)
        along = (points - stance.feet[side].heel) @ stance.feet[side].forward
        is_shin = (along < np.median(along)) | (shin_share == 1)
        ones = np.ones(len(points))
        skins[side] = FootSkin(points, 0 * ones, shin_share * is_shin, *(share * ones for share in shares_above))
    return rig, mapping, skins


def skin_positions(rig: Rig, mapping: BoneMapping, result: RetargetedMotion, side: str, skin: FootSkin) -> FloatArray:
    """The skin (F,N,3) m of a foot, posed by the bones that it follows."""
    assert skin.shin_weights is not None and skin.thigh_weights is not None and skin.body_weights is not None
    placed = np.zeros((len(result.timestamps), len(skin.points), 3))
    above = {f"{side}_lower_leg": skin.shin_weights, f"{side}_upper_leg": skin.thigh_weights, "hips": skin.body_weights}
    for slot, weights in {**above, f"{side}_foot": 1 - sum(above.values())}.items():
        row = rig.index(mapping.slots[slot][-1])
        local = (skin.points - rig.rest[row, :3, 3]) @ rig.rest[row, :3, :3]
        placed += weights[:, None] * (result.heads[:, row][:, None] + np.einsum("fij,nj->fni", result.rotmats[:, row], local))
    return placed


def measure(rig: Rig, mapping: BoneMapping, result: RetargetedMotion, skins: dict[str, FootSkin]) -> tuple[float, float, float]:
    """Mean speed, cm/s, of the skin that is lowest while a foot touches; the range of its height, m; the greatest depth in swing, m."""
    assert result.contacts is not None
    speeds: list[FloatArray] = []
    heights: list[FloatArray] = []
    depths: list[FloatArray] = []
    for number, side in enumerate(SIDES):
        points = skin_positions(rig, mapping, result, side, skins[side])
        touching = result.contacts[:, 2 * number : 2 * number + 2].max(1) > 0.5
        height = points[..., 2].min(1)
        lowest = points[:-1, :, 2] < height[:-1, None] + _TOUCH
        steps = np.linalg.norm(np.diff(points[..., :2], axis=0), axis=-1) / np.diff(result.timestamps)[:, None]
        speeds.append(((steps * lowest).sum(1) / lowest.sum(1))[touching[1:] & touching[:-1]])
        heights.append(height[touching])
        depths.append(-height[~touching])
    return (
        100 * float(np.concatenate(speeds).mean()),
        float(np.abs(np.concatenate(heights)).max()),
        float(np.concatenate(depths).max(initial=0)),
    )


@pytest.mark.parametrize("roundness", [0.0, 0.02, 0.05])
@pytest.mark.parametrize("seed", range(2))
def test_round_shoes_roll_without_slipping(recordings, seed, roundness):
    """Their lowest skin moves at most 1 cm/s in contact, is there within 6 mm of the floor, and at most 2 mm in it in swing."""
    rig, mapping, skins = shod_character(seed, roundness=roundness)
    for motion in (motion_from_walker(walk(TIMES)), recorded_motion(recordings[100])):
        result = retarget(performance_from_motion(motion), rig, mapping, floor_height=0.0, skins=skins)
        slide, height, depth = measure(rig, mapping, result, skins)
        assert slide < 1.0 and height < 0.006 and depth < 0.002


@pytest.mark.parametrize("motion", [walk(TIMES), squat(TIMES)], ids=["walk", "squat"])
def test_pegs_that_follow_the_shins_hold_still(motion):
    """Soles that are a part of the shin: 1 cm/s in contact, within 6 mm of the floor, at most 2 mm in it in swing."""
    rig, mapping, skins = shod_character(0, shin_share=1.0)
    result = retarget(performance_from_motion(motion_from_walker(motion)), rig, mapping, floor_height=0.0, skins=skins)
    slide, height, depth = measure(rig, mapping, result, skins)
    assert slide < 1.0 and height < 0.006 and depth < 0.002
    assert result.quality["foot_slide_after"] < 1.0


def test_soles_between_shin_and_foot_stay_out_of_the_floor_in_swing():
    """Heels that half follow the shin: at most 2 mm in the floor in swing, and within 7 mm of it in contact."""
    rig, mapping, skins = shod_character(0, shin_share=0.5)
    result = retarget(performance_from_motion(motion_from_walker(walk(TIMES))), rig, mapping, floor_height=0.0, skins=skins)
    _slide, height, depth = measure(rig, mapping, result, skins)
    assert height < 0.007 and depth < 0.002


@pytest.mark.parametrize("shares_above", [(0.15, 0.0), (0.0, 0.08), (0.1, 0.05)])
@pytest.mark.parametrize("motion", [walk(TIMES), squat(TIMES)], ids=["walk", "squat"])
def test_soles_that_follow_thighs_and_hips_are_held(motion, shares_above):
    """As alike over the whole sole as in round toys: 1 cm/s in contact, within 6 mm of the floor, at most 2 mm in it in swing."""
    rig, mapping, skins = shod_character(0, shares_above=shares_above)
    result = retarget(performance_from_motion(motion_from_walker(motion)), rig, mapping, floor_height=0.0, skins=skins)
    slide, height, depth = measure(rig, mapping, result, skins)
    assert slide < 1.0 and height < 0.006 and depth < 0.002
    assert result.quality["floor_penetration_after"] < 6


def test_each_foot_stands_on_its_own_skin():
    """A shoe with a sole 3 cm thicker than the other's: both touch the floor within 6 mm."""
    rig, mapping, skins = shod_character(1)
    thick = skins["left"].points - [0, 0, 0.03] * (skins["left"].points[:, 2:] < 0.03)
    skins["left"] = replace(skins["left"], points=thick)
    result = retarget(performance_from_motion(motion_from_walker(walk(TIMES))), rig, mapping, floor_height=-0.03, skins=skins)
    assert measure(rig, mapping, result, skins)[1] < 0.006


def test_skin_that_hovers_is_not_reported_to_slide():
    """The rear half of a sole 5 cm above its front: the report's step there is that of the front, which alone touches.

    In every frame by its own heights: the foot comes down meanwhile.
    """

    class Posed:
        """A sole of two points whose rear one hovers and moves by 1 m while the front one only comes down."""

        points, heel, tip = np.array([[0.0, 0, 0], [0.2, 0, 0]]), 0, 1

        def __init__(self, height: float) -> None:
            self.height = height

        def positions(self, _pose: object, _foot: object) -> FloatArray:
            placed = np.tile(self.points, (5, 1, 1))
            placed[:, 0, 1], placed[:, 0, 2] = np.arange(5), self.height
            placed[..., 2] += np.array([0.09, 0.06, 0.03, 0.0, 0.0])[:, None]
            return placed

    foot = Foot(0, None, np.zeros(3), np.zeros(3), np.zeros(3), np.array([0.2, 0, 0]))
    for height, expected in ((0.05, 0.0), (0.005, 1.0)):
        soles = {side: Posed(height) for side in SIDES}
        steps, _ = skin_contact(None, type("Feet", (), {"feet": dict.fromkeys(SIDES, foot)}), soles)  # type: ignore[arg-type]
        np.testing.assert_allclose(np.linalg.norm(steps[..., :2], axis=-1), np.tile([expected, 0.0], (4, 2)))
