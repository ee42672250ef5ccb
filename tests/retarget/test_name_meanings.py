"""What single bone names say, and which of several bones so named a limb consists of."""

import numpy as np
import pytest

from blender_meshrec.retarget.mapping.bone_tree import BoneTree
from blender_meshrec.retarget.mapping.named_limbs import find_limbs
from blender_meshrec.retarget.mapping.names import ParsedName, parse_names
from blender_meshrec.retarget.rig import Rig

ARM = {"upper_arm": 0.7, "lower_arm": 0.3}
MEANINGS = {
    "LeftArm": {"side": "left", "limbs": ARM, "phrase": "arm"},
    "Left_Arm_01": {"side": "left", "limbs": ARM, "phrase": "arm", "numbers": ("01",)},
    "arm_003_l": {"side": "left", "limbs": ARM, "phrase": "arm", "numbers": ("003",)},
    "arm_wobble_l": {"side": "left", "limbs": {part: 0.8 * weight for part, weight in ARM.items()}, "phrase": "arm"},
    "arm_wobble_blub_l": {"side": "left", "limbs": {part: 0.64 * weight for part, weight in ARM.items()}, "phrase": "arm"},
    "upper_arm_x_l": {"side": "left", "limbs": {"upper_arm": 1.0}, "phrase": "upper arm"},
    "hand.R.001": {"side": "right", "limbs": {"hand": 1.0}, "phrase": "hand", "numbers": ("001",)},
    "thigh.L": {"side": "left", "limbs": {"upper_leg": 1.0}, "phrase": "thigh"},
    "arm": {},
    "index_01_l": {"side": "left", "finger": "index", "numbers": ("01",)},
    "Finger1_L": {"side": "left", "finger": "", "numbers": ("1",)},
    "index_leg_l": {"side": "left", "limbs": {"upper_leg": 0.45, "lower_leg": 0.5}, "phrase": "leg"},
    "ring_arm_l": {"side": "left", "limbs": ARM, "phrase": "arm"},
    "ring_toe_l": {"side": "left", "limbs": {"toes": 1.0}, "phrase": "toe", "is_helper": True},
    "ring_foot_r": {"side": "right", "limbs": {"foot": 1.0, "toes": 0.4}, "phrase": "foot", "is_helper": True},
    "big_toe_l": {"side": "left", "limbs": {"toes": 0.8}, "phrase": "toe"},
    "thumb_metacarpal_l": {"side": "left", "finger": "thumb"},
    "index_metacarpal_l": {"side": "left", "finger": "index", "is_helper": True},
    "upperarm_twist_leaf_l": {"side": "left", "limbs": {"upper_arm": 1.0}, "phrase": "upper arm", "is_twist": True},
    "arm_leaf_l": {"side": "left", "limbs": ARM, "phrase": "arm", "is_helper": True},
    "L_Clavicle_twist": {"side": "left", "limbs": {"clavicle": 1.0}, "phrase": "clavicle", "is_twist": True},
    "spine_02": {"centre": {"spine": 1.0}, "phrase": "spine", "numbers": ("02",)},
    "spine_l": {"side": "left", "phrase": "spine"},
    "hips": {"centre": {"hips": 1.0}, "phrase": "hips"},
    "wobble": {},
}


@pytest.mark.parametrize("bone", MEANINGS)
def test_a_name_says_side_part_numbers_and_role(bone):
    convention, (found,) = parse_names([bone])
    expected = ParsedName(found.words, **MEANINGS[bone])
    if bone == "arm":  # without a side it is no arm
        assert not found.limbs and not found.side
        return
    assert convention == ""
    for field in ("side", "phrase", "finger", "numbers", "exact_slot", "is_helper", "is_twist"):
        assert getattr(found, field) == getattr(expected, field), field
    assert found.limbs == pytest.approx(expected.limbs) and found.centre == pytest.approx(expected.centre)


# --- which bones a limb consists of ---


def limb_of(bones, deform=None, side="left", limb="arm"):
    """The bones by part of a limb of `bones`: (name, parent, ParsedName's limbs or its exact slot)."""
    names = [name for name, _, _ in bones]
    parents = [-1 if parent is None else names.index(parent) for _, parent, _ in bones]
    rest = np.tile(np.eye(4), (len(bones), 1, 1))
    rest[:, 0, 3] = np.arange(len(bones))
    deforming = np.ones(len(bones), bool) if deform is None else np.array([name in deform for name in names])
    tree = BoneTree(Rig("rig", tuple(names), np.array(parents), rest, np.ones(len(bones)), deform=deforming))
    parsed = [
        ParsedName((), side=side, exact_slot=says) if isinstance(says, str) else ParsedName((), side=side, limbs=says)
        for _, _, says in bones
    ]
    found = find_limbs(tree, parsed).get((side, limb))
    return None if found is None else {part: [names[bone] for bone in rows] for part, rows in found.items()}


def chain(*says):
    return [(f"b{number}", f"b{number - 1}" if number else None, meaning) for number, meaning in enumerate(says)]


def test_a_limb_has_both_long_bones_in_their_order():
    upper, lower, hand, clavicle = ({part: 1.0} for part in ("upper_arm", "lower_arm", "hand", "clavicle"))
    assert limb_of(chain(clavicle, upper, lower, hand)) == {"clavicle": ["b0"], "upper_arm": ["b1"], "lower_arm": ["b2"], "hand": ["b3"]}
    assert limb_of(chain(upper, lower)) == {"upper_arm": ["b0"], "lower_arm": ["b1"]}
    assert limb_of(chain(clavicle, upper)) is None and limb_of(chain(lower, hand)) is None and limb_of(chain(lower, upper)) is None
    assert limb_of(chain(upper, {}, lower)) == {"upper_arm": ["b0"], "lower_arm": ["b2"]}
    legs = [{part: 1.0} for part in ("upper_leg", "lower_leg", "foot", "toes")]
    assert limb_of(chain(*legs), limb="leg") == {part: [f"b{k}"] for k, part in enumerate(("upper_leg", "lower_leg", "foot", "toes"))}


def test_the_clearer_names_and_those_of_a_convention_win():
    upper, lower = {"upper_arm": 1.0}, {"lower_arm": 1.0}
    branches = [("a", None, upper), ("b", "a", {"lower_arm": 0.6}), ("c", "a", {"lower_arm": 0.7})]
    assert limb_of(branches)["lower_arm"] == ["c"]
    assert limb_of([*branches, ("d", "a", "left_lower_arm"), ("e", "a", lower)])["lower_arm"] == ["d"]
    assert limb_of([("a", None, upper), ("b", "a", "right_lower_arm"), ("c", "a", "left_hand")]) is None
    # Of equal names, the bone that deforms the skin, then the one with more below it.
    equal = [("a", None, upper), ("b", "a", lower), ("c", "a", lower), ("tip", "c", {})]
    assert limb_of(equal)["lower_arm"] == ["c"] and limb_of(equal, deform=("a", "b", "tip"))["lower_arm"] == ["b"]


@pytest.mark.parametrize("weight", [0.3, 1.0])
def test_a_part_of_several_bones_counts_little_more_than_of_one(weight):
    """A further bone adds a tenth of its own weight: less than a clearer name of the next part does."""
    upper = {"upper_arm": 1.0}
    first = [("a", None, upper), ("b", "a", upper), ("c", "b", {"lower_arm": weight})]
    assert limb_of(first) == {"upper_arm": ["a", "b"], "lower_arm": ["c"]}
    rival = [*first, ("d", "a", {"lower_arm": weight + 0.15})]
    assert limb_of(rival) == {"upper_arm": ["a"], "lower_arm": ["d"]}
    weak = [("a", None, upper), ("b", "a", {"upper_arm": 0.2}), ("c", "b", {"lower_arm": weight}), ("d", "a", {"lower_arm": weight + 0.04})]
    assert limb_of(weak)["lower_arm"] == ["d"]
