"""The skin of the feet: it stays above the floor and touches with its own heels and tips; the report is measured on it."""

from dataclasses import replace

import numpy as np
import pytest

from blender_meshrec.core.array_types import FloatArray
from blender_meshrec.core.rotations import rotmat_from_rotvec
from blender_meshrec.retarget.mapping.facing import are_sides_swapped, swap_sides
from blender_meshrec.retarget.rig import SIDES, BoneMapping, RetargetedMotion, RetargetOptions, Rig
from blender_meshrec.retarget.solve.foot_skin import FootSkin, find_soles, fit_stance_to_soles
from blender_meshrec.retarget.solve.rest_pose import RestPose
from blender_meshrec.retarget.solve.resting_up import resting_up
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


def contact_depth(rig: Rig, mapping: BoneMapping, result: RetargetedMotion, skins: dict[str, FootSkin]) -> float:
    """How deep in the floor, m, the skin of the feet is at most."""
    return -min(float(skin_positions(rig, mapping, result, side, skins[side])[..., 2].min()) for side in SIDES)


@pytest.mark.parametrize("overhang", [0.0, 0.01, 0.03, 0.1])
@pytest.mark.parametrize("toes", [True, False])
def test_all_feet_stay_above_the_floor(recordings, toes, overhang):
    """However far shoes reach beyond the bones: at most 2 mm of them in the floor in swing, 6 mm in contact, and 2 cm/s of slide."""
    rig, mapping = character(1, toes)
    skins = shoes(rig, mapping, overhang)
    for performance in (performance_from_motion(motion_from_walker(walk(TIMES))), performance_from_motion(recorded_motion(recordings[98]))):
        result = retarget(performance, rig, mapping, floor_height=0.0, skins=skins)
        assert swing_depth(rig, mapping, result, skins) < 0.002
        assert contact_depth(rig, mapping, result, skins) < 0.006
        assert result.quality["foot_slide_after"] < 2


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


def test_skin_that_the_bones_show_changes_little(recordings):
    """Shoes that end 1 cm beyond the bones move joints by less in 95 % of all cases.

    A foot that turns on the spot turns about the middle of what touches instead of a joint, 4 cm from it. The report is measured on
    the skin.
    """
    performance = performance_from_motion(recorded_motion(recordings[20]))
    rig, mapping = random_character(1)
    without, result = (retarget(performance, rig, mapping, floor_height=0.0, skins=known) for known in (None, shoes(rig, mapping, 0.01)))
    distances = np.linalg.norm(result.heads - without.heads, axis=-1)
    assert np.percentile(distances, 95) < 0.01 and distances.max() < 0.04
    assert result.quality["floor_penetration_after"] != without.quality["floor_penetration_after"]


def test_skin_that_is_no_flat_foot_leaves_heels_and_tips(recordings):
    """Where only the tips of the toes reach the floor at rest, the feet roll as their bones show, and these tips hold still."""
    performance = performance_from_motion(recorded_motion(recordings[20]))
    rig, mapping = random_character(1)
    skins = shoes(rig, mapping, 0.0)
    for side, skin in skins.items():
        tips = skin.toe_weights > 0.5
        skins[side] = FootSkin(skin.points[tips], skin.toe_weights[tips])
    rest = RestPose(rig, mapping)
    stance = estimate_stance(rest, 0.0)
    fitted = fit_stance_to_soles(rest, stance, find_soles(rest, stance, skins))
    for side in SIDES:
        np.testing.assert_array_equal(fitted.feet[side].heel, stance.feet[side].heel)
        np.testing.assert_array_equal(fitted.feet[side].tip, stance.feet[side].tip)
    assert retarget(performance, rig, mapping, floor_height=0.0, skins=skins).quality["foot_slide_after"] < 0.5  # cm/s


@pytest.mark.parametrize("tilt", [(0.2, 0, 0), (0, 0.3, 0), (-0.25, 0.2, 0), (1.4, 0, 0)])
def test_a_rest_pose_that_is_tilted_as_a_whole_does_not_matter(tilt):
    """The same character with its rest pose, and the feet in it, turned by 11 to 80 degrees: the same motion within 2 mm."""
    performance = performance_from_motion(motion_from_walker(walk(TIMES)))
    rig, mapping = character(0)
    turned = rotmat_from_rotvec(np.array(tilt))
    transform = np.eye(4)
    transform[:3, :3] = turned
    skins = shoes(rig, mapping, 0.03)
    tilted_skins = {side: FootSkin(skin.points @ turned.T, skin.toe_weights) for side, skin in skins.items()}
    tilted_rig = replace(rig, rest=transform @ rig.rest)
    floors = [min(float(skin.points[:, 2].min()) for skin in known.values()) for known in (skins, tilted_skins)]
    upright = retarget(performance, rig, mapping, floor_height=floors[0], skins=skins)
    tilted = retarget(performance, tilted_rig, mapping, floor_height=floors[1], skins=tilted_skins)
    np.testing.assert_allclose(tilted.heads, upright.heads, atol=2e-3)


def test_a_character_that_leans_on_a_level_floor_is_upright():
    """A trunk that leans by 15 degrees over flat feet, and feet that are turned toes down, are no tilted rest pose."""
    rig, mapping = character(0)
    skins = shoes(rig, mapping, 0.03)
    lean = rotmat_from_rotvec(np.array([0.26, 0.0, 0.0]))
    hips = rig.rest[rig.index("hips"), :3, 3]
    legs = {bone for side in SIDES for part in ("upper_leg", "lower_leg", "foot", "toes") for bone in mapping.slots[f"{side}_{part}"]}
    rest = rig.rest.copy()
    for row, bone in enumerate(rig.bones):
        if bone not in legs:
            rest[row, :3, 3] = hips + lean @ (rest[row, :3, 3] - hips)
    leaning = replace(rig, rest=rest)
    assert resting_up(RestPose(leaning, mapping), skins) is None
    down = {}
    for side, skin in skins.items():
        ankle = rig.rest[rig.index(f"{side}_foot"), :3, 3]
        down[side] = FootSkin(ankle + (skin.points - ankle) @ rotmat_from_rotvec(np.array([0.5, 0.0, 0.0])).T, skin.toe_weights)
    assert resting_up(RestPose(rig, mapping), down) is None
    assert resting_up(RestPose(leaning, mapping), down) is None


def test_sides_that_are_named_as_a_viewer_sees_them_are_noticed():
    """Feet whose skin points backward, where left and right are exchanged; stated mappings are not doubted."""
    rig, mapping = character(0)
    skins = shoes(rig, mapping, 0.03)
    named = replace(mapping, found_by="names")
    mirrored = swap_sides(named)
    assert not are_sides_swapped(rig, named, skins)
    assert are_sides_swapped(rig, mirrored, dict(zip(SIDES, (skins[side] for side in reversed(SIDES)))))
    assert not are_sides_swapped(rig, replace(mirrored, found_by="preset"), skins)
    assert swap_sides(mirrored).slots == mapping.slots
    assert mirrored.slots["left_foot"] == mapping.slots["right_foot"]


def test_trousers_are_no_heels(recordings):
    """Skin of the shins that hangs down 30 cm behind the heels: the heels are those of the shoes."""
    performance = performance_from_motion(recorded_motion(recordings[20]))
    rig, mapping = random_character(1)
    skins = shoes(rig, mapping, 0.0)
    wide = {}
    for side, skin in skins.items():
        hem = skin.points.mean(0) + [[0.0, 0.3, 0.02], [0.05, 0.3, 0.02], [-0.05, 0.3, 0.02]]
        hem[:, 2] = 0.02
        points, shin_weights = np.concatenate([skin.points, hem]), np.repeat([0.0, 1.0], [len(skin.points), len(hem)])
        wide[side] = FootSkin(points, np.concatenate([skin.toe_weights, np.zeros(len(hem))]), shin_weights)
    rest = RestPose(rig, mapping)
    stance = estimate_stance(rest, 0.0)
    fitted = [fit_stance_to_soles(rest, stance, find_soles(rest, stance, known)) for known in (skins, wide)]
    for side in SIDES:
        np.testing.assert_allclose(fitted[1].feet[side].heel, fitted[0].feet[side].heel, atol=1e-9)
    assert retarget(performance, rig, mapping, floor_height=0.0, skins=wide).quality["floor_penetration_after"] < 20  # mm


def test_reported_penetration_is_that_of_the_skin():
    """The deepest point of all skin, within 1 mm, where nothing is planted."""
    performance = performance_from_motion(motion_from_walker(walk(TIMES)))
    rig, mapping = character(0)
    skins = shoes(rig, mapping, 0.2)
    result = retarget(performance, rig, mapping, RetargetOptions(feet=False), floor_height=0.0, skins=skins)
    lowest = min(skin_positions(rig, mapping, result, side, skins[side])[..., 2].min() for side in SIDES)
    np.testing.assert_allclose(result.quality["floor_penetration_after"], -1000 * lowest, atol=1.0)
    assert result.quality["floor_penetration_after"] > 20
