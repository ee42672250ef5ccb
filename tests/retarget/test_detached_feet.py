"""Feet and hands that hang from the root, as in Quaternius' packs, and limbs whose bones only numbers tell apart."""

import numpy as np
import pytest

from blender_meshrec.retarget.mapping.map_bones import map_bones
from blender_meshrec.retarget.rig import SIDES, BoneMapping, RetargetOptions
from blender_meshrec.retarget.solve.detached_bones import detached_names
from blender_meshrec.retarget.solve.retarget import retarget
from blender_meshrec.retarget.source.motion import performance_from_motion
from tests.support.retargeting import make_slots, motion_from_walker
from tests.support.synthetic_gait import walk
from tests.support.synthetic_rigs import RigBuilder, detach_bones, make_humanoid, rename_bones

TIMES = np.arange(0, 3, 1 / 30)
QUATERNIUS = {
    "clavicle": "Shoulder.{}", "upper_arm": "UpperArm.{}", "lower_arm": "LowerArm.{}", "hand": "Palm.{}", "upper_leg": "UpperLeg.{}",
    "lower_leg": "LowerLeg.{}", "foot": "Foot.{}", "toes": "Toes.{}",
}  # fmt: skip


def quaternius_character(seed: int = 0, detached: tuple[str, ...] = ("foot",)) -> tuple[RigBuilder, RigBuilder, dict[str, list[str]]]:
    """A character with Quaternius' names: with its feet on its shins, with them on the root, and its true slots."""
    truth = {"root": ["Root"], **make_slots(spine=2, without=("hand",))}
    build = make_humanoid(truth, np.random.default_rng(seed))
    names = {bone: bone for bone in build.heads} | {
        f"{side}_{part}": name.format(side[0].upper()) for side in SIDES for part, name in QUATERNIUS.items()
    }
    names |= {"hips": "Hips", "spine0": "Abdomen", "spine1": "Torso", "neck0": "Neck", "head": "Head"}
    build = rename_bones(build, {bone: names[bone] for bone in build.heads})
    for letter, sign in (("L", 1), ("R", -1)):
        build.add(f"PoleTarget.{letter}", "Root", (0.1 * sign, -1.0, 0.5))
    feet = [QUATERNIUS[part].format(side[0].upper()) for side in SIDES for part in detached]
    return build, detach_bones(build, feet, "Root"), {slot: [names[bone] for bone in bones] for slot, bones in truth.items()}


@pytest.mark.parametrize("seed", range(5))
def test_feet_that_hang_from_the_root_are_found(seed):
    _, build, truth = quaternius_character(seed)
    mapping = map_bones(build.build_rig(np.random.default_rng(seed)))
    for side in SIDES:
        for part in ("upper_leg", "lower_leg", "foot", "toes", "upper_arm", "lower_arm"):
            assert list(mapping.slots[f"{side}_{part}"]) == truth[f"{side}_{part}"]


def test_feet_elsewhere_are_not_taken():
    """A pair of bones named foot beside the head, such as those of a parrot, is no foot of the character."""
    build, _, _ = quaternius_character()
    detached = detach_bones(build, ["Foot.L", "Foot.R"], "Head")
    for side in "LR":
        detached.heads[f"Foot.{side}"] = detached.heads["Head"] + [0.1, 0, 0.1]
    mapping = map_bones(detached.build_rig(np.random.default_rng(0)))
    assert "left_foot" not in mapping.slots


@pytest.mark.parametrize("name", ["Foot.{}", "FootIK.{}"])
def test_a_bone_that_an_exporter_adds_to_a_foot_is_no_foot(name):
    """FBX files have a bone at the end of each last bone, named like it, which may be nearer to where the shin should end."""
    _, build, _ = quaternius_character()
    for side in "LR":
        foot, added = f"Foot.{side}", f"{name.format(side)}_end"
        thigh, shin = build.heads[f"UpperLeg.{side}"], build.heads[f"LowerLeg.{side}"]
        build.heads[foot] = 2 * shin - thigh + [0, 0.1, 0]
        build.add(added, foot, tuple(2 * shin - thigh))
    build = rename_bones(build, {bone: name.format(bone[-1]) if bone in ("Foot.L", "Foot.R") else bone for bone in build.heads})
    mapping = map_bones(build.build_rig(np.random.default_rng(0)))
    assert [mapping.slots[f"{side}_foot"] for side in SIDES] == [(name.format("L"),), (name.format("R"),)]


@pytest.mark.parametrize("name", ["Foot.{}", "FootIK.{}"])
@pytest.mark.parametrize("ratio", [0.5, 1.7])
def test_feet_of_short_and_long_shins_are_found(ratio, name):
    """Shins half and 1.7 times as long as the thighs, as of robots, and feet that are named as IK targets."""
    _, build, _ = quaternius_character()
    build = rename_bones(build, {bone: name.format(bone[-1]) if bone.startswith("Foot.") else bone for bone in build.heads})
    for side in "LR":
        hip, knee, foot = (build.heads[bone] for bone in (f"UpperLeg.{side}", f"LowerLeg.{side}", name.format(side)))
        shin = (foot - knee) / np.linalg.norm(foot - knee) * ratio * np.linalg.norm(knee - hip)
        for bone in (name.format(side), f"Toes.{side}"):
            build.heads[bone] = build.heads[bone] + knee + shin - foot
    mapping = map_bones(build.build_rig(np.random.default_rng(0)))
    assert mapping.slots["left_foot"] == (name.format("L"),)
    assert mapping.slots["right_toes"] == ("Toes.R",)


@pytest.mark.parametrize("root_motion", ["hips", "root", "in_place"])
@pytest.mark.parametrize("order", ["depth", "breadth"])
def test_detached_feet_move_as_attached_ones(order, root_motion):
    """Every bone is where it is on the character whose feet hang from the shins, within 0.01 mm; no leg is stretched."""
    performance = performance_from_motion(motion_from_walker(walk(TIMES)))
    attached, detached, truth = quaternius_character()
    options = RetargetOptions(root=root_motion)
    rigs = [build.build_rig(np.random.default_rng(1), tails="anywhere", order=order) for build in (attached, detached)]
    mapping = BoneMapping(truth)
    assert sorted(detached_names(rigs[1], mapping)) == ["Foot.L", "Foot.R"] and detached_names(rigs[0], mapping) == []
    there, here = (retarget(performance, rig, mapping, options, floor_height=0.0) for rig in rigs)
    for side in "LR":
        ours, theirs = (result.heads[:, rig.index(f"Foot.{side}")] for rig, result in zip(rigs, (there, here), strict=True))
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
        assert f"Foot.{side}" in here.locations
    if root_motion != "in_place":
        assert here.quality["foot_slide_after"] < 0.1  # cm/s
        assert here.quality["floor_penetration_after"] < 5  # mm


def numbered_character(seed: int) -> tuple[RigBuilder, dict[str, list[str]]]:
    """A character whose limbs are numbered, from the wrist up on the left and from the shoulder down on the right."""
    truth = make_slots(spine=2, without=("clavicle",))
    build = make_humanoid(truth, np.random.default_rng(seed), arms_down=30)
    names = {bone: f"torso_joint_{number}" for number, bone in enumerate(build.heads)}
    for side in SIDES:
        letter = side[0].upper()
        for number, part in enumerate(("upper_arm", "lower_arm", "hand")):
            names[f"{side}_{part}"] = f"arm_joint_{letter}__{4 - number if side == 'left' else 1 + number}_"
        for number, part in enumerate(("upper_leg", "lower_leg", "foot", "toes")):
            names[f"{side}_{part}"] = f"leg_joint_{letter}_{1 + number}"
    return rename_bones(build, names), {slot: [names[bone] for bone in bones] for slot, bones in truth.items()}


@pytest.mark.parametrize("seed", range(8))
def test_numbered_limbs_are_divided_by_shape(seed):
    """Three arm bones are upper arm, forearm and hand; four leg bones end with foot and toes."""
    build, truth = numbered_character(seed)
    mapping = map_bones(build.build_rig(np.random.default_rng(seed), tails="anywhere"))
    for side in SIDES:
        for part in ("upper_arm", "lower_arm", "hand", "upper_leg", "lower_leg", "foot", "toes"):
            assert list(mapping.slots[f"{side}_{part}"]) == truth[f"{side}_{part}"], (side, part)
