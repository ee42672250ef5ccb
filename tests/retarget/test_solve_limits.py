"""The solve's small parts, limit by limit: hinges, tilted rest poses, limbs that bend, hands that reach."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import ConvexHull

from blender_meshrec.core.array_types import FloatArray
from blender_meshrec.core.rotations import rotmat_from_rotvec
from blender_meshrec.core.two_bone_ik import Limb
from blender_meshrec.retarget.rig import SIDES, BoneMapping, Rig
from blender_meshrec.retarget.solve import foot_planting, hinge_locks, resting_up
from blender_meshrec.retarget.solve.foot_planting import max_drift
from blender_meshrec.retarget.solve.foot_skin import FootSkin, Sole, _extreme_rows, _find_sole, _lowest_rows, fit_stance_to_soles
from blender_meshrec.retarget.solve.forward_kinematics import BoneArrays, Pose
from blender_meshrec.retarget.solve.hand_reach import reach_hands
from blender_meshrec.retarget.solve.limb_ik import bend_limb, limb_from_pose
from blender_meshrec.retarget.solve.rest_pose import ARM, LEG, RestPose
from blender_meshrec.retarget.solve.stance import Foot, Stance
from tests.support.retargeting import make_slots
from tests.support.synthetic_rigs import RigBuilder, make_humanoid

DOWN, ACROSS = np.array([0.0, 0, -1]), np.array([1.0, 0, 0])


def character(**fields: object) -> tuple[Rig, BoneMapping]:
    truth = make_slots()
    return make_humanoid(truth, np.random.default_rng(2), arms_down=45).build_rig(np.random.default_rng(3), **fields), BoneMapping(truth)


# --- hinges ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sine, weight", [(0.005, 0), (0.01, 0), (0.025, 0.5), (0.04, 1), (0.5, 1)])
def test_the_plane_of_a_limb_counts_as_it_bends(sine: float, weight: float):
    """From a sine of 0.01 on, wholly from 0.04 on: a straight limb has no plane. Here the limb bends across its hinge."""
    wanted = np.array([[sine, 0, -np.sqrt(1 - sine**2)]])
    bend, twist = hinge_locks._solve_hinge(ACROSS, DOWN, DOWN, wanted)
    np.testing.assert_allclose(np.abs(np.degrees(twist)), 90 * weight, atol=1e-3)
    np.testing.assert_allclose(np.abs(np.sin(bend)), sine, atol=1e-6)


@pytest.mark.parametrize("tilt", [0.0, 0.2])
def test_a_hinge_and_a_twist_reach_any_direction(tilt: float):
    """Also where neither bone is across the hinge; the joint bends to one side throughout, and the least twist is taken."""
    rng = np.random.default_rng(0)
    upper = np.array([np.sin(tilt), 0, -np.cos(tilt)])
    lower = np.array([-np.sin(0.5 * tilt), 0.1, -np.cos(0.5 * tilt)])
    lower /= np.linalg.norm(lower)
    angles, twists = rng.uniform(0.4, 2.0, 40), rng.uniform(-1, 1, 40)
    turn = rotmat_from_rotvec(twists[:, None] * upper) @ rotmat_from_rotvec(angles[:, None] * ACROSS)
    bend, twist = hinge_locks._solve_hinge(ACROSS, upper, lower, turn @ lower)
    found = rotmat_from_rotvec(twist[:, None] * upper) @ rotmat_from_rotvec(bend[:, None] * ACROSS)
    np.testing.assert_allclose(found @ lower, turn @ lower, atol=1e-6)
    np.testing.assert_allclose(twist, twists, atol=1e-6)
    assert (np.abs(bend) <= np.pi).all() and len(set(np.sign(bend))) == 1


def test_a_hinge_is_locked_to_one_axis_below_a_free_bone():
    rig, mapping = character()
    upper, lower = rig.index("left_upper_leg"), rig.index("left_lower_leg")

    def is_hinge(lower_locks: tuple[bool, ...], upper_locks: tuple[bool, ...] = (False,) * 3, **fields: object) -> bool:
        locks = np.zeros((len(rig), 3), bool)
        locks[lower], locks[upper] = lower_locks, upper_locks
        return hinge_locks._is_hinge(RestPose(replace(rig, lock_rotation=locks, **fields), mapping), upper, lower)

    assert is_hinge((False, True, True)) and is_hinge((True, False, True)) and is_hinge((True, True, False))
    assert not is_hinge((True, True, True)) and not is_hinge((False, False, True)) and not is_hinge((False,) * 3)
    assert not is_hinge((False, True, True), (True, False, False))
    inherit = np.arange(len(rig)) != lower
    assert not is_hinge((False, True, True), inherit_rotation=inherit)
    parents = rig.parents.copy()
    parents[lower] = rig.parents[upper]
    assert not is_hinge((False, True, True), parents=parents)


# --- rest poses that are tilted as a whole ----------------------------------------------------------------------------------


def tilted(degrees: float, ground: float | None = None) -> tuple[RestPose, dict[str, FootSkin]]:
    """A character and the soles of its feet, tilted forward about the middle of its feet; the soles by `ground` degrees, if given."""
    build = make_humanoid(make_slots(), np.random.default_rng(2), arms_down=45)
    turn, of_ground = (rotmat_from_rotvec(np.radians(angle) * ACROSS) for angle in (degrees, degrees if ground is None else ground))
    leaning = RigBuilder()
    leaning.parent, leaning.heads = build.parent, {bone: turn @ head for bone, head in build.heads.items()}
    skins = {}
    for side in SIDES:
        ankle = build.heads[f"{side}_foot"] * [1, 1, 0]
        corners = [ankle + [x, y, 0] for x in (-0.04, 0.04) for y in (0.06, -0.2)] + [ankle + [0, 0, 0.1]]
        skins[side] = FootSkin(np.array(corners) @ of_ground.T, np.zeros(5))
    return RestPose(leaning.build_rig(np.random.default_rng(3)), BoneMapping(make_slots())), skins


@pytest.mark.parametrize("degrees", [8, -5, 15, -20, 24])
def test_a_body_that_is_tilted_with_its_soles_stands_on_them(degrees: float):
    rest, skins = tilted(degrees)
    found = resting_up.resting_up(rest, skins)
    assert found is not None
    np.testing.assert_allclose(found, rotmat_from_rotvec(np.radians(degrees) * ACROSS)[:, 2], atol=1e-3)


@pytest.mark.parametrize("degrees, ground", [(3.5, None), (-3.5, None), (15, 0), (0, 15), (0, -15), (4, 15)])
def test_small_tilts_and_bodies_that_lean_on_another_ground_are_upright(degrees: float, ground: float | None):
    """Below 4 degrees; where legs and trunk do not lean with the ground; where they lean with less than 0.4 of its tilt."""
    assert resting_up.resting_up(*tilted(degrees, ground)) is None


def test_one_foot_says_nothing():
    rest, skins = tilted(15)
    assert resting_up.resting_up(rest, {"left": skins["left"]}) is None


def test_feet_far_above_the_other_stand_on_nothing():
    """Skin that is 35 % of the leg above the lowest is not stood on: a raised foot makes no ground."""
    rest, skins = tilted(15)
    raised = {**skins, "right": replace(skins["right"], points=skins["right"].points + [0, 0, 0.5])}
    assert resting_up.resting_up(rest, raised) is None


def test_the_angle_between_vectors_is_exact_for_small_and_large_ones():
    for angle in (0.0, 1e-9, 0.5, 3.0, np.pi):
        found = resting_up._angle(2 * ACROSS, 3 * np.array([np.cos(angle), np.sin(angle), 0]))
        assert found == pytest.approx(angle, abs=1e-15)


# --- limbs ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("parts", [ARM, LEG], ids=["arm", "leg"])
def test_limbs_bend_the_human_way_to_their_target(side: str, parts: tuple[str, str, str]):
    """Knees forward, elbows backward: the middle joint leaves the line to that side."""
    rig, mapping = character()
    rest = RestPose(rig, mapping)
    pose = Pose(rest, {}, {}, 1)
    limb = limb_from_pose(pose, side, parts)
    rows = [rig.index(f"{side}_{part}") for part in parts]
    np.testing.assert_allclose(
        [limb.root[0], limb.middle[0] if hasattr(limb, "middle") else limb.root[0]][0], rest.heads[rows[0]], atol=1e-9
    )
    rotations: BoneArrays = {row: pose.rotations[row].copy() for row in rows[:2]}
    target = limb.root + 0.6 * (rest.heads[rows[2]] - rest.heads[rows[0]])
    bend_limb(pose, side, parts, limb, limb.root, target, rotations)
    posed = Pose(rest, rotations, {}, 1)
    np.testing.assert_allclose(posed.heads[rows[2]], target, atol=1e-6)
    line = target[0] - limb.root[0]
    knee = posed.heads[rows[1], 0] - limb.root[0]
    away = knee - (knee @ line) / (line @ line) * line
    assert (away @ rest.axes[:, 1]) * (1 if parts == LEG else -1) > 0.05


def wrists(rig: Rig, rest: RestPose, targets: dict[str, FloatArray], shift: FloatArray) -> dict[str, FloatArray]:
    mapped = [rig.index(f"{side}_{part}") for side in SIDES for part in ARM]
    pose = Pose(rest, {}, {}, 1)
    rotations: BoneArrays = {row: pose.rotations[row].copy() for row in mapped}
    reach_hands(pose, rotations, targets, shift)
    for side in SIDES:
        hand = rig.index(f"{side}_hand")
        np.testing.assert_array_equal(rotations[hand], pose.rotations[hand])
    posed = Pose(rest, rotations, {}, 1)
    return {side: posed.heads[rig.index(f"{side}_hand"), 0] for side in SIDES}


def test_hands_reach_their_targets_moved_with_the_body():
    rig, mapping = character()
    rest = RestPose(rig, mapping)
    at_rest = {side: rest.heads[rig.index(f"{side}_hand")] for side in SIDES}
    shoulder = rest.heads[rig.index("left_upper_arm")]
    near, shift = 0.5 * (at_rest["left"] + shoulder), np.array([[0.02, 0.01, 0.03]])
    found = wrists(rig, rest, {"left": near[None] - shift}, shift)
    np.testing.assert_allclose(found["left"], near, atol=1e-6)
    np.testing.assert_allclose(found["right"], at_rest["right"], atol=1e-9)
    far = wrists(rig, rest, {"left": shoulder[None] + [[5.0, 0, 0]]}, np.zeros((1, 3)))["left"] - shoulder
    length = rest.segment_length("left_upper_arm", "left_lower_arm") + rest.segment_length("left_lower_arm", "left_hand")
    assert 0.95 * length < np.linalg.norm(far) <= length + 1e-9
    np.testing.assert_allclose(far / np.linalg.norm(far), ACROSS, atol=1e-6)


# --- legs that carry the body -----------------------------------------------------------------------------------------------


def test_footprints_of_longer_feet_may_lie_farther_from_them():
    """A quarter of the leg for feet of up to 22 % of it, and four times as much for feet twice as long; the same at any size."""
    for leg in (0.4, 0.9):
        assert max_drift(0.22 * leg, leg) == pytest.approx(0.25 * leg) == max_drift(0.1 * leg, leg)
        assert max_drift(0.44 * leg, leg) == pytest.approx(leg)
        assert max_drift(0.24 * leg, leg) > 0.29 * leg


class Standing:
    """A straight leg of 0.8 m that hangs from the origin, and a foot that is to be `aside` m away from below it, in 30 frames."""

    def __init__(self, aside: float) -> None:
        frames = np.ones((30, 1))
        self.limb = Limb(0 * frames * DOWN, 0.4 * frames * DOWN, 0.8 * frames * DOWN, frames * ACROSS)
        self.target = frames * (aside * ACROSS + 0.3 * DOWN)
        self.foot = self

    def ankle_target(self, _shift: FloatArray) -> FloatArray:
        return self.target


@pytest.mark.parametrize("share, moves", [(0.5, False), (0.89, False), (0.91, True), (1.2, True)])
def test_hips_move_towards_feet_that_are_farther_aside_than_nine_tenths_of_the_leg(share: float, moves: bool):
    """By one and a half times what is missing, as smoothing takes some of it."""
    times, still = np.arange(30) / 30, np.zeros((30, 3))
    shift = foot_planting._hip_spread_shift([Standing(share * 0.8)], still, times)  # type: ignore[list-item]
    np.testing.assert_allclose(shift, np.tile(1.5 * 0.8 * max(share - 0.9, 0.0) * ACROSS, (30, 1)), atol=1e-9)
    assert bool(np.any(shift)) == moves


# --- soles ----------------------------------------------------------------------------------------------------------------


def test_the_skin_of_a_sole_is_thinned_alike_every_time():
    """Every kept point is the farthest in some direction of those that follow its bone, and every run keeps the same."""
    rng = np.random.default_rng(0)
    points, toes = rng.normal(size=(3000, 3)), np.where(rng.random(3000) < 0.4, 0.9, 0.1)
    shins = np.where(rng.random(3000) < 0.2, 0.95, 0.0) * (toes < 0.5)
    rows = _extreme_rows(points, toes, shins)
    assert rows == _extreme_rows(points, toes, shins)
    for follows in (toes > 0.5, shins > 0.5, (toes < 0.5) & (shins < 0.5)):
        kept = sorted({row for row in rows if follows[row]})
        assert 20 < len(kept) <= 192
        hull = ConvexHull(points[follows])
        assert set(kept) <= set(np.flatnonzero(follows)[hull.vertices].tolist())
    assert _extreme_rows(points[:0], toes[:0], shins[:0]) == []


def test_what_can_be_lowest_of_a_sole_between_bones_is_kept():
    """With the bones turned by up to 30 degrees, the lowest of the kept points is within 2 mm of the lowest of all 2000."""
    rng = np.random.default_rng(4)
    points = rng.uniform([-0.05, -0.08, 0], [0.05, 0.2, 0.08], (2000, 3))
    blend = np.stack([0 * points[:, 0], 0.5 - 2 * points[:, 1] ** 2, 0.1 * points[:, 2] / 0.08, 0 * points[:, 0]])
    rows = _lowest_rows(points, blend, np.array([0, 0, 0.08]))
    assert rows == sorted(set(rows)) and 20 < len(rows) < 250
    for _ in range(50):
        turns = rotmat_from_rotvec(rng.uniform(-0.5, 0.5, (4, 3)))
        from_ankle = points - [0, 0, 0.08]
        heights = (from_ankle + (blend[..., None] * (from_ankle @ np.swapaxes(turns, 1, 2) - from_ankle)).sum(0))[:, 2]
        assert heights[rows].min() - heights.min() < 0.002
    assert _lowest_rows(points, np.eye(4)[rng.integers(0, 4, 2000)].T, np.zeros(3)) == []  # each follows one bone


@pytest.mark.parametrize("share, is_tip", [(0.49, True), (0.5, False), (0.51, False)])
def test_trousers_that_follow_the_shin_by_half_end_no_foot(share: float, is_tip: bool):
    """Two points on the floor, of which the farther one follows the shin by `share`: it is the tip only below one half."""
    rest = RestPose(*character())
    foot = Foot(0, None, np.array([0.1, 0, 0.08]), np.array([0.1, -0.2, 0]), np.array([0.1, 0.05, 0]), np.array([0.1, -0.2, 0]))
    points = np.array([[0.1, 0.05, 0], [0.1, -0.2, 0], [0.1, -0.3, 0]]) + rest.origin
    skin = FootSkin(points, np.zeros(3), np.array([0, 0, share]))
    sole = _find_sole(rest, Stance({"left": foot}, 0.0, 0.08), "left", skin, 0.9)
    assert sole is not None
    np.testing.assert_allclose(sole.points[sole.tip], [0.1, -0.3 if is_tip else -0.2, 0], atol=1e-9)


def fitted(tip: float, toes: int | None = None, ball: float = 0.15, heel: float = -0.05) -> tuple[Foot, Foot]:
    """A foot that faces -y with its ankle away from the origin, and the same fitted to a sole from heel to tip, m before the ankle."""
    rest = RestPose(*character())
    ankle = np.array([0.1, -0.3, 0.08])

    def at(forward: float, aside: float = 0.0, height: float = 0.0) -> FloatArray:
        return np.array([0.1 + aside, -0.3 - forward, height])

    foot = Foot(0, toes, ankle, at(ball, height=0.02), at(-0.04), at(0.2))
    points = np.stack([at(heel, 0.03, 0.01), at(tip, -0.02, 0.005), at(0.05)])
    none = np.zeros(3)
    sole = Sole(points, none, none, none, none, heel=0, tip=1, shin=0, thigh=0, body=0)
    return foot, fit_stance_to_soles(rest, Stance({"left": foot}, 0.0, 0.08), {"left": sole}).feet["left"]


def test_heels_and_tips_of_soles_lie_on_the_floor_in_the_foots_own_plane():
    foot, found = fitted(0.25, toes=3)
    np.testing.assert_allclose(found.heel, [0.1, -0.25, 0], atol=1e-9)
    np.testing.assert_allclose(found.tip, [0.1, -0.55, 0], atol=1e-9)
    np.testing.assert_allclose(found.ball, foot.ball)
    _, without_toes = fitted(0.25)
    np.testing.assert_allclose(without_toes.ball, without_toes.tip)


@pytest.mark.parametrize(
    "tip, toes, is_fitted", [(0.16, 3, True), (0.14, 3, False), (0.14, None, True), (0.08, None, True), (0.06, None, False)]
)
def test_soles_that_end_behind_the_ball_or_are_short_are_no_flat_feet(tip: float, toes: int | None, is_fitted: bool):
    """Of a foot without toes, only the ankle and half of the foot's length count."""
    foot, found = fitted(tip, toes)
    assert (found is not foot and not np.allclose(found.tip, foot.tip)) == is_fitted
