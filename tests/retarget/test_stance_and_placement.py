"""How a rig stands and where its body goes, in numbers: heels, balls, tips, the floor, contacts, and positions scaled by the legs."""

from types import SimpleNamespace

import numpy as np
import pytest

from blender_meshrec.core.axis_rotations import rotation_about_axis
from blender_meshrec.core.rotations import rotmat_from_quat
from blender_meshrec.retarget.rig import SIDES, BoneMapping, Rig
from blender_meshrec.retarget.solve.rest_pose import RestPose
from blender_meshrec.retarget.solve.root_placement import RootPlacement, hip_height, leg_length
from blender_meshrec.retarget.solve.stance import estimate_stance
from blender_meshrec.retarget.source.contacts import source_contacts, source_floor_height, source_soles

FRAMES = 4
HEADS = {
    "root": (0, 0, 0),
    "hips": (0, 0.02, 1.0),
    "spine": (0, 0, 1.2),
    "head": (0, 0, 1.6),
    "upper_leg": (0.1, 0, 0.9),
    "lower_leg": (0.1, 0, 0.5),
    "foot": (0.1, 0, 0.1),
    "toes": (0.1, -0.12, 0.02),
    "upper_arm": (0.2, 0, 1.4),
    "lower_arm": (0.5, 0, 1.4),
    "hand": (0.75, 0, 1.4),
}
PARENTS = {
    "hips": "root",
    "spine": "hips",
    "head": "spine",
    "upper_leg": "hips",
    "lower_leg": "upper_leg",
    "foot": "lower_leg",
    "toes": "foot",
    "upper_arm": "spine",
    "lower_arm": "upper_arm",
    "hand": "lower_arm",
}
CENTRE = ("root", "hips", "spine", "head")


def make_rest(raised=0.0, scale=1.0, origin=(0, 0, 0), without=(), connected=(), unmapped=(), **moved):
    """A RestPose whose body faces -y and whose feet's skin would be at z = 0; legs of 0.8 m. scale: of its armature, not of its object."""
    names, parents, heads = [], [], []
    for name, head in HEADS.items():
        if name in without:
            continue
        for side, sign in (("", 1),) if name in CENTRE else (("left_", 1), ("right_", -1)):
            above = PARENTS.get(name)
            names.append(f"{side}{name}")
            parents.append(-1 if above is None else names.index(above if above in CENTRE else f"{side}{above}"))
            heads.append(scale * (np.array(moved.get(name, head)) * [sign, 1, 1] + [0, 0, raised]))
    rest = np.tile(np.eye(4), (len(names), 1, 1))
    # Bones along -z, of 5 cm.
    rest[:, :3, :3] = rotation_about_axis([1.0, 0, 0], -np.pi / 2)
    rest[:, :3, 3] = heads
    world = np.eye(4)
    world[:3, 3] = origin
    flags = np.array([name in connected for name in names])
    rig = Rig("rig", tuple(names), np.array(parents), rest, np.full(len(names), 0.05 * scale), world, connected=flags)
    return RestPose(rig, BoneMapping({name: [name] for name in names if name.rpartition("_")[2] not in unmapped}))


# --- stance ---


@pytest.mark.parametrize("scale", [1.0, 2.5])
def test_heels_and_tips_follow_from_ankles_and_toes(scale):
    """The heel lies 0.35 of the way from ankle to ball behind the ankle, the tip half of it before the ball, both on the floor."""
    stance = estimate_stance(make_rest(scale=scale))
    assert stance.feet.keys() == set(SIDES) and stance.floor == 0 and stance.ankle_height == pytest.approx(0.1 * scale)
    for side, sign in (("left", 0.1), ("right", -0.1)):
        foot = stance.feet[side]
        expected = {"ankle": (sign, 0, 0.1), "ball": (sign, -0.12, 0.02), "heel": (sign, 0.042, 0), "tip": (sign, -0.18, 0)}
        for name, where in {**expected, "forward": (0, -0.222, 0)}.items():
            np.testing.assert_allclose(getattr(foot, name), scale * np.array(where), atol=1e-9)
    given = estimate_stance(make_rest(), floor=-0.03)
    assert given.floor == -0.03 and given.ankle_height == pytest.approx(0.13) and given.feet["left"].heel[2] == pytest.approx(-0.03)


def test_feet_without_toes_or_of_an_odd_length_have_a_usual_length():
    """0.17 of the leg of 0.8 m, 1.2 times that where the bones say nothing; toes right below the ankle say nothing."""
    length = 1.2 * 0.17 * 0.8
    foot = estimate_stance(make_rest(without=("toes",))).feet["left"]
    np.testing.assert_allclose(foot.tip, [0.1, -length, 0], atol=1e-9)
    np.testing.assert_allclose(foot.ball, [0.1, -length, 0], atol=1e-9)
    assert foot.toes is None
    for reach, is_used in ((0.035, True), (0.033, False)):  # a quarter of 0.17 of the leg
        foot = estimate_stance(make_rest(toes=(0.1, -reach, 0.02))).feet["left"]
        assert foot.toes is not None
        np.testing.assert_allclose(foot.tip, [0.1, -1.5 * reach if is_used else -length, 0], atol=1e-9)
    assert estimate_stance(make_rest(without=("toes", "foot"))).feet == {}


@pytest.mark.parametrize("reach, is_used", [(0.07, True), (0.40, True), (0.067, False), (0.41, False)])
def test_feet_without_toes_end_where_the_bones_below_them_end(reach, is_used):
    """Bones of the exporter that are no toes, from 0.5 to 3 times 0.17 of the leg before the ankle."""
    foot = estimate_stance(make_rest(toes=(0.1, -reach, 0.02), unmapped=("toes",))).feet["left"]
    np.testing.assert_allclose(foot.tip, [0.1, -reach if is_used else -1.2 * 0.17 * 0.8, 0], atol=1e-9)


@pytest.mark.parametrize(
    "raised, floor",
    [(0.0, 0.0), (0.10, 0.0), (-0.001, 0.0), (0.13, 0.0), (0.14, None), (-0.01, None), (-0.06, None)],
)
def test_the_floor_is_the_objects_own_where_the_feet_are_near_it(raised, floor):
    """The lowest bone, the toes' tails 3 cm below the floor here, at most 0.13 legs above it and 0.04 below."""
    lowest = 0.02 - 0.05 + raised
    stance = estimate_stance(make_rest(raised))
    is_near = -0.04 * 0.8 < lowest < 0.13 * 0.8
    assert is_near == (floor == 0.0)
    ball, ankle = 0.02 + raised, 0.1 + raised
    assert stance.floor == pytest.approx(0.0 if is_near else min(lowest, ball - 0.5 * (ankle - ball)))
    assert stance.ankle_height == pytest.approx(ankle - stance.floor)


def test_the_worlds_floor_counts_where_the_objects_origin_is_elsewhere():
    """An object whose origin is at the hips: its feet are a metre below it, at the world's zero."""
    assert estimate_stance(make_rest(raised=-1.0, origin=(3, 4, 1.0))).floor == pytest.approx(-1.0)
    without = estimate_stance(make_rest(raised=-1.0, origin=(3, 4, 1.5)))
    assert without.floor == pytest.approx(-1.03)


# --- where the body goes ---


def placement(source, target, is_control_rig=False):
    return RootPlacement(source, target, estimate_stance(source), estimate_stance(target), is_control_rig)


def test_the_target_takes_as_many_steps_as_the_source():
    source, target = make_rest(), make_rest(scale=1.5)
    placed = placement(source, target)
    assert placed.leg_ratio == pytest.approx(1.5) and leg_length(source) == pytest.approx(0.8)
    assert hip_height(source, estimate_stance(source)) == pytest.approx(0.9)
    bent = make_rest(lower_leg=(0.1, -0.3, 0.5))  # of straight legs, however they are bent at rest
    assert leg_length(bent) == pytest.approx(1.0)
    points = np.array([[0.3, -2.0, 0.1], [0.0, 1.0, 0.9]])
    np.testing.assert_allclose(placed.to_target_space(points), 1.5 * (points - [0, 0, 0.1]) + [0, 0, 0.15])
    performance = SimpleNamespace(heads=np.random.default_rng(0).normal(size=(FRAMES, len(source.heads), 3)))
    hips = performance.heads[:, source.thighs].mean(1) - [0, 0, 0.2]
    np.testing.assert_allclose(placed.hip_path(performance, 0.2), placed.to_target_space(hips))
    hands = placed.hand_targets(performance, 0.2)
    for side in SIDES:
        position = performance.heads[:, source.first_bone(f"{side}_hand")] - [0, 0, 0.2]
        high = position[:, 2] > 0.1
        np.testing.assert_allclose(hands[side][high], placed.to_target_space(position)[high])
        np.testing.assert_allclose(hands[side][~high, 2], position[~high, 2] * 0.15 / 0.1)  # the floor remains the floor
        np.testing.assert_allclose(hands[side][:, :2], 1.5 * position[:, :2])


@pytest.mark.parametrize("raised, origin, floor", [(0.0, 0.0, 0.0), (0.0, 0.7, 0.0), (-1.0, 1.0, -1.0), (-1.0, 1.5, -1.5)])
def test_the_floor_of_rigs_whose_origin_is_elsewhere(raised, origin, floor):
    """At the origin's height where the soles are there, else the world's."""
    assert placement(make_rest(), make_rest(raised, origin=(1, 2, origin))).floor == pytest.approx(floor)


def test_the_bone_that_carries_the_body():
    def carrier(is_control_rig=False, **options):
        target = make_rest(**options)
        return target.rig.bones[placement(make_rest(), target, is_control_rig).location_bone]

    assert carrier() == "hips" == carrier(is_control_rig=True)
    assert carrier(connected=("hips",)) == "root" == carrier(connected=("hips", "root"))


def test_the_hips_follow_the_path_and_the_root_what_is_on_the_floor():
    rng = np.random.default_rng(1)
    source, target = make_rest(), make_rest(scale=1.2)
    placed = placement(source, target)
    hips, root = target.first_bone("hips"), target.first_bone("root")
    heading = np.array([0.3, 3.0, 3.4, 6.0])
    turns = rotation_about_axis([0, 0, 1.0], heading)
    rotations = {hips: turns @ target.rotations[hips]}
    path = rng.normal(size=(FRAMES, 3))
    heads = placed.solve_body_location(rotations, path)
    offset = target.hip_centre - target.heads[hips]
    np.testing.assert_allclose(heads + turns @ offset, path, atol=1e-9)
    found, root_heads = placed.extract_root_motion(rotations, heads)
    assert found == root and rotations.keys() == {hips, root}
    np.testing.assert_allclose(rotations[root], turns @ target.rotations[root], atol=1e-9)
    np.testing.assert_allclose(root_heads[:, :2], (heads + turns @ (target.heads[root] - target.heads[hips]))[:, :2], atol=1e-9)
    np.testing.assert_allclose(root_heads[:, 2], 0, atol=1e-9)
    pinned = placed.pin_in_place(heads)
    np.testing.assert_allclose(pinned[:, :2], np.tile(target.heads[hips][:2], (FRAMES, 1)), atol=1e-9)
    np.testing.assert_array_equal(pinned[:, 2], heads[:, 2])
    assert placement(source, make_rest(unmapped=("root",))).extract_root_motion({hips: rotations[hips]}, heads) is None


def test_a_root_that_carries_the_body_turns_with_the_hips():
    target = make_rest(connected=("hips",))
    placed = placement(make_rest(), target)
    hips, root = target.first_bone("hips"), target.first_bone("root")
    rotations = {hips: rotmat_from_quat(np.random.default_rng(2).normal(size=(FRAMES, 4)))}
    path = np.random.default_rng(3).normal(size=(FRAMES, 3))
    heads = placed.solve_body_location(rotations, path)
    delta = rotations[hips] @ target.rotations[hips].T
    np.testing.assert_allclose(rotations[root], delta @ target.rotations[root], atol=1e-9)
    np.testing.assert_allclose(heads + delta @ (target.hip_centre - target.heads[root]), path, atol=1e-9)
    assert placed.extract_root_motion(rotations, heads) is None


# --- contacts and floor of a source ---


def test_contacts_count_from_one_half():
    given = SimpleNamespace(contacts=np.array([[0.0, 0.49, 0.51, 1.0], [0.05, 0.3, 0.5, 0.9]]))
    assert source_contacts(given, None, 0.9).tolist() == [[False, False, True, True], [False, False, False, True]]


class Unknown:
    """A performance without contacts."""

    contacts = None
    timestamps = np.arange(60) / 30

    def __len__(self):
        return 60


@pytest.mark.parametrize("hips", [0.9, 1.8, 0.45])
def test_contacts_are_found_on_bodies_of_any_size(hips):
    """Speeds and heights are measured in hip heights of 0.9 m: a toe 7 cm up is off the floor but on a large body."""
    soles = np.zeros((60, 4, 3))
    soles[:, 1, 2] = 0.07
    found = source_contacts(Unknown(), soles, hips)
    assert found[:, [0, 2, 3]].all() and found[:, 1].all() == (hips == 1.8) and found[:, 1].any() == (hips == 1.8)
    nothing = source_contacts(Unknown(), None, hips)
    assert nothing.shape == (60, 4) and not nothing.any()


@pytest.mark.parametrize("height, expected", [(0.05, 0.05), (-0.1, -0.1), (0.15, 0.15), (0.16, 0.0), (-0.16, 0.0)])
def test_soles_near_zero_stand_on_the_floor_and_others_on_something_else(height, expected):
    """Within 0.17 of the hips' height of 0.9 m."""
    soles = np.full((FRAMES, 4, 3), 9.0)
    contacts = np.zeros((FRAMES, 4), bool)
    contacts[:, 0] = True
    soles[:, 0, 2] = height
    assert source_floor_height(soles, contacts, 0.9) == pytest.approx(expected)
    assert source_floor_height(None, contacts, 0.9) == 0 == source_floor_height(soles, np.zeros_like(contacts), 0.9)
    contacts[0, 1], soles[0, 1, 2] = True, -0.9  # one on something else does not count
    assert source_floor_height(soles, contacts, 0.9) == pytest.approx(expected)


def test_soles_are_fixed_to_feet_and_toes():
    source = make_rest(0.2)
    stance = estimate_stance(source)
    rng = np.random.default_rng(4)
    turned = rotmat_from_quat(rng.normal(size=(FRAMES, len(source.heads), 4)))
    performance = SimpleNamespace(soles=None, rotations=turned, heads=rng.normal(size=(FRAMES, len(source.heads), 3)))
    found = source_soles(performance, source, stance)
    for number, (side, bone, point) in enumerate(
        (side, bone, point) for side in SIDES for bone, point in (("foot", "heel"), ("toes", "ball"))
    ):
        row, foot = source.first_bone(f"{side}_{bone}"), stance.feet[side]
        where = foot.heel if point == "heel" else foot.ball * [1, 1, 0] + [0, 0, stance.floor]
        expected = performance.heads[:, row] + turned[:, row] @ source.rotations[row].T @ (where - source.heads[row])
        np.testing.assert_allclose(found[:, number], expected, atol=1e-9)
    performance.soles = "its own"
    assert source_soles(performance, source, stance) == "its own"
    performance.soles = None
    assert source_soles(performance, source, SimpleNamespace(feet={"left": None})) is None
