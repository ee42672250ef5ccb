"""Confidence of mapped bones and the fit of a body, number by number: what names, shape, sides and proportions contribute."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from blender_meshrec.retarget.mapping import body_shape
from blender_meshrec.retarget.mapping.bone_tree import BoneTree
from blender_meshrec.retarget.mapping.confidence import bone_confidence
from blender_meshrec.retarget.mapping.limb_fit import ArmFit, LegFit
from blender_meshrec.retarget.mapping.names import ParsedName
from blender_meshrec.retarget.mapping.neck_and_head import find_neck_and_head
from blender_meshrec.retarget.rig import SIDES, Rig

PARTS = {"leg": ("upper_leg", "lower_leg", "foot", "toes"), "arm": ("upper_arm", "lower_arm", "hand")}
HEADS = {
    "hips": (0, 0, 1.0), "spine": (0, 0, 1.2), "chest": (0, 0, 1.4), "neck": (0, 0, 1.52), "head": (0, 0, 1.6), "crown": (0, 0, 1.9),
    "upper_leg": (0.1, 0, 1.0), "lower_leg": (0.1, 0, 0.5), "foot": (0.1, 0, 0.1), "toes": (0.1, -0.1, 0), "toes_end": (0.1, -0.2, 0),
    "upper_arm": (0.2, 0, 1.5), "lower_arm": (0.5, 0, 1.5), "hand": (0.75, 0, 1.5),
}  # fmt: skip
PARENTS = {"spine": "hips", "chest": "spine", "neck": "chest", "head": "neck", "crown": "head", "upper_leg": "hips", "upper_arm": "chest"}
PARENTS |= {below: part for parts in PARTS.values() for part, below in pairwise(parts)} | {"toes_end": "toes"}
LIMB_BONES = (*PARTS["leg"], "toes_end", *PARTS["arm"])


def make_tree(without=(), extra=(), **moved):
    """A body facing -y, 1 m from floor to hips and half a metre on to the shoulders. extra: (name, parent, head)."""
    heads, parents = {}, {}
    for name, head in HEADS.items():
        if name in without:
            continue
        for side, sign in (("left", 1), ("right", -1)) if name in LIMB_BONES else (("", 0),):
            bone = f"{side}_{name}" if side else name
            heads[bone] = np.array(moved.get(bone, moved.get(name, head)), float) * (
                [sign, 1, 1] if side and bone not in moved else [1, 1, 1]
            )
            above = PARENTS.get(name)
            parents[bone] = f"{side}_{above}" if above in LIMB_BONES else above
    for name, above, head in extra:
        heads[name], parents[name] = np.array(head, float), above
    names = sorted(heads, key=lambda name: depth(name, parents))
    rest = np.tile(np.eye(4), (len(names), 1, 1))
    rest[:, :3, 3] = [heads[name] for name in names]
    numbers = [-1 if parents[name] is None else names.index(parents[name]) for name in names]
    return names, BoneTree(Rig("rig", tuple(names), np.array(numbers), rest, np.full(len(names), 0.1)))


def depth(name, parents):
    return 0 if parents[name] is None else 1 + depth(parents[name], parents)


def limbs_of(names):
    return {
        (side, limb): {part: [names.index(f"{side}_{part}")] for part in parts if f"{side}_{part}" in names}
        for side in SIDES
        for limb, parts in PARTS.items()
    }


def confidence(parsed, fit=None, without=(), slot="left_lower_arm", **moved):
    """The confidence of one bone whose name is parsed as given, the others being unnamed."""
    names, tree = make_tree(without, **moved)
    bone = names.index("left_lower_arm")
    all_names = [ParsedName(()) for _ in names]
    all_names[bone] = ParsedName((), **parsed)
    return bone_confidence(tree, all_names, {slot: [bone]}, limbs_of(names), fit)[bone]


@pytest.mark.parametrize(
    "parsed, expected",
    [
        ({"exact_slot": "left_lower_arm"}, 0.97),
        ({"exact_slot": "left_hand"}, 0.42),
        ({"side": "left", "limbs": {"lower_arm": 1.0}}, 0.9),
        ({"side": "left", "limbs": {"lower_arm": 0.5}}, 0.725),
        ({"side": "left", "limbs": {"lower_arm": 3.0}}, 0.9),
        ({"side": "right", "limbs": {"lower_arm": 1.0}}, 0.42),
        ({"side": "left", "limbs": {"hand": 1.0}}, 0.42),
        ({"side": "left", "centre": {"left_lower_arm": 0.2}}, 0.62),
        ({"side": "left", "finger": ""}, 0.9),
        ({}, 0.42),
    ],
)
def test_names_that_say_the_slot_count_more_than_shape(parsed, expected):
    assert confidence(parsed) == pytest.approx(expected, abs=6e-4)
    if expected == 0.42:  # 0.6 of how much the body is like a person's
        for fit, value in ((1.0, 0.6), (0.5, 0.3), (0.01, 0.05)):
            assert confidence(parsed, fit) == pytest.approx(value)


def test_twist_bones_and_the_torso_have_their_names_too():
    parsed = {"side": "left", "limbs": {"lower_arm": 1.0}}
    assert confidence(parsed, slot="left_lower_arm_twist") == pytest.approx(0.9)
    assert confidence({"centre": {"spine": 1.0}}, slot="spine") == pytest.approx(0.9)


@pytest.mark.parametrize("length, penalty", [(0.25, 0), (0.18, 0), (0.17, 0.15), (0.35, 0), (0.36, 0.15)])
def test_another_length_than_the_other_sides_is_doubtful(length, penalty):
    """Less than 0.7 of the longer forearm."""
    assert confidence({"exact_slot": "left_lower_arm"}, left_hand=(0.5 + length, 0, 1.5)) == pytest.approx(0.97 - penalty)


@pytest.mark.parametrize(
    "toes, penalty",
    [((0.1, -0.1, 0), 0), ((0.1, 0.1, 0), 0.2), ((0.1, 0, 0), 0), ((0.1, 0.0, 0.2), 0)],
)
def test_feet_that_point_backwards_say_that_left_is_right(toes, penalty):
    assert confidence({"exact_slot": "left_lower_arm"}, toes=toes) == pytest.approx(0.97 - penalty)
    assert confidence({"exact_slot": "left_lower_arm"}, without=("toes", "toes_end"), toes=toes) == pytest.approx(0.97)
    assert confidence({"exact_slot": "spine"}, slot="spine", toes=toes) == pytest.approx(0.97)  # the torso has no side


def test_penalties_add_up_to_no_less_than_the_least():
    moved = {"toes": (0.1, 0.1, 0), "left_hand": (0.9, 0, 1.5)}
    assert confidence({"exact_slot": "left_lower_arm"}, **moved) == pytest.approx(0.62)
    assert confidence({}, 0.5, **moved) == pytest.approx(0.05)


# --- neck and head by shape ---


def neck_and_head(**options):
    names, tree = make_tree(**options)
    neck, head = find_neck_and_head(tree, limbs_of(names), names.index("chest"))
    return [names[bone] for bone in neck], None if head is None else names[head]


def test_the_head_is_the_highest_joint_that_sits_on_a_neck():
    """Joints up to 0.45 torso lengths above the shoulders; the crown at the end is a tip."""
    assert neck_and_head() == (["neck"], "head")
    assert neck_and_head(without=("crown", "toes_end")) == (["neck"], "head")
    assert neck_and_head(without=("neck", "head", "crown")) == ([], None)
    torso = 0.5  # m
    for rise, expected in ((0.44, (["neck", "head"], "crown")), (0.46, (["neck"], "head"))):
        assert neck_and_head(crown=(0, 0, 1.5 + rise * torso), without=("toes_end",)) == expected
        assert neck_and_head(crown=(0, 0, 1.5 + rise * torso)) == (["neck"], "head")  # toes with ends: all chains have them
    assert neck_and_head(head=(0, 0, 1.52 + 0.5), crown=(0, 0, 2.1), without=("toes_end",)) == ([], "neck")


@pytest.mark.parametrize("rise, is_neck", [(-0.07, True), (-0.09, False)])
def test_the_bone_that_the_arms_hang_from_is_neck_if_it_is_as_high_as_the_shoulders(rise, is_neck):
    found = neck_and_head(chest=(0, 0, 1.5 + rise * 0.5), without=("toes_end",), crown=(0, 0, 1.8))
    assert found == (["chest", "neck"] if is_neck else ["neck"], "head")


@pytest.mark.parametrize("offset, is_centred", [(0.055, True), (0.065, False)])
def test_the_head_is_on_the_midline(offset, is_centred):
    found = neck_and_head(neck=(offset * 0.5, 0, 1.52), without=("toes_end",))
    assert found == ((["neck"], "head") if is_centred else ([], None))


def test_the_climb_ends_where_eyes_or_ears_hang():
    eyes = [("left_eye", "neck", (0.05, 0, 1.55)), ("right_eye", "neck", (-0.05, 0, 1.55))]
    assert neck_and_head(extra=eyes, without=("toes_end",)) == ([], "neck")
    assert neck_and_head(extra=eyes[:1], without=("toes_end",)) == (["neck"], "head")
    necktie = [("tie", "chest", (0, -0.1, 1.45)), ("hair", "chest", (0, 0.1, 1.53))]
    assert neck_and_head(extra=necktie, without=("toes_end",)) == (["neck"], "head")


# --- the fit of a body ---


def body_fit(leg=0.75, arm=0.55, torso=0.5, hanging=0.0, bones=9, fits=(1.0, 1.0)):
    """_body_fit of a rig of `bones` bones below an arm and a leg, something hanging that many leg lengths below the feet."""
    stance = body_shape._Stance(LegFit(0, 1, 2, 3, fits[0]), np.array([0, 0, 1.0]), torso, leg)
    heads = np.array([[0, 0, 1.0], [0.1, 0, 1.0], [0.2, 0, 1.5], [0, 0, -hanging * leg], [0, 0, -9]])  # the last is of no body
    sizes = np.array([9, bones - bones // 2, bones // 2, 1, 1])
    tree = SimpleNamespace(heads=heads, subtree_sizes=sizes, common_ancestor=lambda _bones: 0, subtree=lambda _bone: [0, 1, 2, 3])
    legs, arms = (SimpleNamespace(chains=([bone],), root=0) for bone in (1, 2))
    points = np.zeros((2, 4, 3))
    points[:, 0, 2] = 1
    return body_shape._body_fit(tree, legs, arms, points, stance, ArmFit(None, 0, 1, 2, arm, fits[1]))


def test_usual_proportions_fit_best():
    """Legs of 1.5 and arms of 1.1 torso lengths; widths of the logarithms 0.8 and 0.7."""
    richness = 0.6 + 0.4 * (1 - np.exp(-9 / 6))
    assert body_fit() == pytest.approx(richness)
    for leg, arm in ((1.2, 0.55), (0.75, 0.9), (0.4, 0.4)):
        deviation = (np.log(leg / 0.5 / 1.5) / 0.8) ** 2 + (np.log(arm / 0.5 / 1.1) / 0.7) ** 2
        assert body_fit(leg, arm) == pytest.approx(np.exp(-0.5 * deviation) ** (1 / 3) * richness)
    assert body_fit(fits=(0.5, 0.4)) == pytest.approx(0.2 ** (1 / 3) * richness)
    for leg, arm, is_possible in (
        (0.18, 0.55, True),
        (0.17, 0.55, False),
        (1.99, 0.55, True),
        (2.01, 0.55, False),
        (0.75, 0.17, False),
        (0.75, 2.01, False),
    ):
        assert (body_fit(leg, arm) is not None) == is_possible


@pytest.mark.parametrize("hanging", [-0.5, 0.0, 0.1, 0.3])
def test_feet_are_at_the_bottom(hanging):
    assert body_fit(hanging=hanging) == pytest.approx(body_fit() * np.exp(-max(0, hanging) / 0.15))


@pytest.mark.parametrize("bones", [2, 6, 30])
def test_limbs_carry_more_bones_than_other_branches(bones):
    assert body_fit(bones=bones) == pytest.approx(0.6 + 0.4 * (1 - np.exp(-bones / 6)))
