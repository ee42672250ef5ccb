"""Names as the mapping list shows them, and suggestions for rigs that cannot be mapped."""

import numpy as np
import pytest

from blender_meshrec.core.errors import InputError
from blender_meshrec.retarget.mapping.map_bones import map_bones
from blender_meshrec.retarget.mapping.shown_names import common_prefix, part_of_chain, source_bone
from blender_meshrec.retarget.mapping.suggestions import suggest_bones
from blender_meshrec.retarget.rig import Rig


@pytest.mark.parametrize(
    ("names", "prefix"),
    [
        (["mixamorig:Hips", "mixamorig:Spine", "mixamorig:LeftArm", "mixamorig:Head"], "mixamorig:"),
        (["DEF-spine", "DEF-spine.001", "DEF-thigh.L", "DEF-shin.L", "root"], "DEF-"),
        (["CC_Base_Hip", "CC_Base_Head", "CC_Base_L_Thigh"], "CC_Base_"),
        (["left_arm", "left_leg", "right_arm", "right_leg"], ""),
        (["Hips", "Spine", "Head"], ""),
        (["a_x", "x", "a_y", "a_z", "a_w", "a_v", "a_u", "a_t"], ""),  # without the prefix two would be the same
    ],
)
def test_common_prefixes(names, prefix):
    assert common_prefix(names) == prefix


def test_bones_of_a_spine_have_parts():
    assert [part_of_chain(k, 4) for k in range(4)] == ["Lower", "Middle", "Middle", "Chest"]
    assert part_of_chain(0, 1) == ""


@pytest.mark.parametrize(("count", "expected"), [(1, ["c"]), (3, ["a", "b", "c"]), (6, ["a", "a", "b", "b", "c", "c"])])
def test_the_source_bone_of_each_bone(count, expected):
    assert [source_bone("spine", ("a", "b", "c"), k, count) for k in range(count)] == expected
    assert source_bone("spine", (), 0, 1) == ""
    assert source_bone("left_hand", ("wrist", "palm"), 0, 1) == "wrist"
    assert source_bone("left_upper_arm", ("arm", "roll"), 0, 1) == "roll"


def rig_of(bones):
    """A rig of bones in a row: no body's shape."""
    rest = np.tile(np.eye(4), (len(bones), 1, 1))
    rest[:, 0, 3] = np.arange(len(bones))
    return Rig("robot", tuple(bones), np.arange(len(bones)) - 1, rest, np.ones(len(bones)))


def test_a_rig_that_is_no_humanoid_gets_suggestions():
    rig = rig_of(["pelvis", "spine", "head", "upperarm_l", "lowerarm_l", "hand_l", "thigh_r", "gun"])
    with pytest.raises(InputError):
        map_bones(rig)
    found = suggest_bones(rig)
    assert found.slots["hips"] == ("pelvis",) and found.slots["head"] == ("head",)
    assert found.slots["left_upper_arm"] == ("upperarm_l",) and found.slots["right_upper_leg"] == ("thigh_r",)
    assert "gun" not in found.bones and all(0 < value <= 1 for value in found.confidence.values())


def test_a_rig_without_any_meaning_gets_none():
    assert suggest_bones(rig_of(["b1", "b2", "b3"])).bones == ()
