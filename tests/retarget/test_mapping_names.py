"""Mapping by names: all known conventions, on people of random proportions, poses and extra bones, and names in any style."""

import json
from collections.abc import Sequence

import numpy as np
import pytest

from blender_meshrec.core.errors import InputError
from blender_meshrec.retarget.mapping.map_bones import map_bones
from blender_meshrec.retarget.mapping.name_words import split_name
from blender_meshrec.retarget.mapping.names import parse_names
from blender_meshrec.retarget.rig import FINGER_SLOTS, SIDES, SLOTS, BoneMapping, Rig
from tests.support.retargeting import make_slots
from tests.support.rig_conventions import OTHER_CONVENTIONS, TABLES, read_table
from tests.support.synthetic_rigs import RigBuilder, Truth, add_extra_bones, body_slots, make_humanoid, rename_bones


@pytest.fixture(scope="module")
def tables(shared_facts):
    return json.loads((shared_facts / "bone_names.json").read_text())


def finger_slots(slots: Truth) -> Truth:
    return {slot: list(bones) for slot, bones in slots.items() if slot.split("_", 1)[-1] in FINGER_SLOTS}


def assert_mapped(rig: Rig, truth: Truth) -> BoneMapping:
    """Assert that body and fingers are mapped as in `truth`."""
    mapping = map_bones(rig)
    found = {slot: list(bones) for slot, bones in mapping.slots.items()}
    assert body_slots(found) == body_slots(truth)
    assert finger_slots(found) == finger_slots(truth)
    return mapping


def add_twist_bones(build: RigBuilder, bone: str, twist_bones: Sequence[str]) -> None:
    """Add twist bones along a bone."""
    child = next(other for other, parent in build.parent.items() if parent == bone)
    for number, twist_bone in enumerate(twist_bones):
        build.add(twist_bone, bone, build.heads[bone] + (build.heads[child] - build.heads[bone]) * (0.3 + 0.3 * number))


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("seed", range(3))
def test_every_table_maps_to_its_own_slots(tables, name, seed):
    rng = np.random.default_rng(seed)
    table = read_table(tables, name)
    truth = table.slots
    options = {"metacarpals": table.metacarpals}
    if "rocketbox" in name:  # the hierarchy of 3ds Max
        options |= {"thighs_from": truth["spine"][0], "clavicles_from": truth.get("neck", [None])[0], "over_hips": ["Bip01"]}
    build = make_humanoid(truth, rng, **options)
    for (side, part), bones in table.twist.items():
        add_twist_bones(build, truth[f"{side}_{part}"][0], bones)
    if seed:
        add_extra_bones(build, truth, rng)
    mapping = assert_mapped(build.build_rig(rng, tails="along" if seed < 2 else "anywhere"), truth)
    assert mapping.found_by == "names"
    twist_slots = {f"{side}_{part}_twist": bones for (side, part), bones in table.twist.items()}
    expected = {slot: bones for slot, bones in twist_slots.items() if slot in SLOTS}
    assert {slot: list(bones) for slot, bones in mapping.slots.items() if slot.endswith("_twist")} == expected
    assert min(mapping.confidence.values()) >= 0.6, "names that match and a tree that agrees are certain"


@pytest.mark.parametrize("name", OTHER_CONVENTIONS)
@pytest.mark.parametrize("seed", range(3))
def test_other_conventions_are_mapped_by_name(name, seed):
    rng = np.random.default_rng(100 + seed)
    truth, options = OTHER_CONVENTIONS[name]
    build = make_humanoid(truth, rng, **options)
    if seed:
        add_extra_bones(build, truth, rng)
    mapping = assert_mapped(build.build_rig(rng, tails="along" if seed < 2 else "anywhere"), truth)
    assert mapping.found_by == "names"


NAME_STYLES = {
    "prefix with a number": lambda name: f"Char01_{name}",
    "suffix": lambda name: f"{name}_JNT",
    "prefix and suffix": lambda name: f"SK_Hero2_{name}_bind",
    "object name": lambda name: f"Armature|{name}",
    "namespace": lambda name: f"hero:rig:{name}",
    "capitals": lambda name: "_".join(split_name(name)).upper(),
    "lower case": lambda name: name.lower(),
    "underscores": lambda name: "_".join(split_name(name)),
    "spaces": lambda name: " ".join(split_name(name)),
    "dots": lambda name: ".".join(split_name(name)),
    "side last": lambda name: _move_side(name, "_{}"),
    "side last after a dot": lambda name: _move_side(name, ".{}"),
    "side last as a word": lambda name: _move_side(name, "_{}", {"left": "Left", "right": "Right"}),
    "side first": lambda name: _move_side(name, "{}_", first=True),
    "side first as a letter": lambda name: _move_side(name, "{}", {"left": "l", "right": "r"}, first=True),
}


def _move_side(name: str, template: str, side_words: dict[str, str] | None = None, first: bool = False) -> str:
    """The name with its side at the end, or at the beginning."""
    side_words = side_words or {"left": "L", "right": "R"}
    for side in SIDES:
        if name.lower().startswith(side):
            rest, affix = name[len(side) :], template.format(side_words[side])
            return affix + rest if first else rest + affix
    return name


@pytest.mark.parametrize("style", NAME_STYLES)
@pytest.mark.parametrize("convention", ["godot and unity", "bvh by joints", "cmu", "older bvh"])
def test_names_in_any_style_are_mapped(style, convention):
    rng = np.random.default_rng(5)
    truth, options = OTHER_CONVENTIONS[convention]
    if convention == "older bvh":
        truth = {slot: [_spell_side(name) for name in names] for slot, names in truth.items()}
    styled_truth = {slot: [NAME_STYLES[style](name) for name in names] for slot, names in truth.items()}
    options = {key: tuple(map(NAME_STYLES[style], value)) for key, value in options.items()}
    build = make_humanoid(styled_truth, rng, **options)
    add_extra_bones(build, styled_truth, rng, style=NAME_STYLES[style])
    assert_mapped(build.build_rig(rng), styled_truth)


def _spell_side(name: str) -> str:
    return {"l": "left", "r": "right"}[name[0]] + name[1:] if name[1:2].isupper() else name


def test_names_are_split_into_words():
    assert split_name("mixamorig1:LeftForeArm") == ("left", "fore", "arm")
    assert split_name("rthigh") == ("r", "thigh")
    assert split_name("LHipJoint") == ("l", "hip", "joint")
    assert split_name("leftforearm") == ("left", "forearm")
    assert split_name("DEF-upper_arm.L.001") == ("def", "upper", "arm", "l", "001")
    assert split_name("左腕") == ("left", "arm")
    assert split_name("ball") == ("ball",)
    assert split_name("Armor") == ("armor",)


def test_common_affixes_are_removed():
    _, names = parse_names(["Bip01 L Hand", "Bip01 R Hand", "Bip01 Head", "Bip01 L Foot", "Bip01 R Foot"])
    assert [name.words for name in names] == [("l", "hand"), ("r", "hand"), ("head",), ("l", "foot"), ("r", "foot")]


def test_helpers_named_like_parts_are_not_mapped():
    rng = np.random.default_rng(0)
    truth, _ = OTHER_CONVENTIONS["rokoko"]
    build = make_humanoid(truth, rng)
    for side in ("Left", "Right"):
        for part in ("Hand", "Foot"):
            build.add(f"IK{side}{part}", None, build.heads[f"{side}{part}"])
            build.add(f"MCH-{side}{part}", "Hips", build.heads[f"{side}{part}"])
            build.add(f"{side}{part}_grip", f"{side}{part}", build.heads[f"{side}{part}"])
    mapping = assert_mapped(build.build_rig(rng), truth)
    assert not [bone for bone in mapping.bones if "IK" in bone or "MCH" in bone or "grip" in bone]


def test_ball_of_the_foot_takes_precedence_over_toes():
    rng = np.random.default_rng(0)
    truth, _ = OTHER_CONVENTIONS["synty"]
    build = make_humanoid(truth, rng)
    for side in "LR":
        build.add(f"Toes_{side}", f"Ball_{side}", build.heads[f"Ball_{side}"] - [0, 0.05, 0])
    assert_mapped(build.build_rig(rng), truth)


def test_names_are_mapped_in_a_collapsed_rest_pose():
    """In some BVH files every bone points the same way at rest, legs and spine alike."""
    rng = np.random.default_rng(0)
    truth, _ = OTHER_CONVENTIONS["rokoko"]
    build = make_humanoid(truth, rng)
    for bone, parent in build.parent.items():
        if parent:
            y = {"Left": 0.1, "Right": -0.1}.get(bone.removesuffix("Thigh").removesuffix("Shoulder"), 0.0)
            build.heads[bone] = build.heads[parent] + [0.3, y, 0]
    assert_mapped(build.build_rig(rng), truth)


def test_swapped_sides_in_names_lower_the_confidence():
    rng = np.random.default_rng(0)
    truth, _ = OTHER_CONVENTIONS["rokoko"]
    swapped_truth = {slot.replace("left", "x").replace("right", "left").replace("x", "right"): names for slot, names in truth.items()}
    correct = map_bones(make_humanoid(truth, rng).build_rig(rng))
    swapped = map_bones(make_humanoid(swapped_truth, rng).build_rig(rng))
    assert swapped.slots == correct.slots, "names decide"
    assert swapped.confidence["LeftArm"] < correct.confidence["LeftArm"] - 0.1
    assert swapped.confidence["Hips"] == correct.confidence["Hips"]


@pytest.mark.parametrize("seed", range(2))
def test_quadrupeds_are_refused(seed):
    rng = np.random.default_rng(seed)
    truth, _ = OTHER_CONVENTIONS["rokoko"]
    build = make_humanoid(truth, rng)
    # Rotate the trunk forward about the hips and the arms down to the ground.
    hips = build.heads["Hips"].copy()
    arm_bones = {f"{side}{part}" for side in ("Left", "Right") for part in ("Arm", "ForeArm", "Hand")}
    for bone, head in build.heads.items():
        if head[2] > hips[2] and bone not in arm_bones:
            x, y, z = head - hips
            build.heads[bone] = hips + [x, -z, y]
    for side in ("Left", "Right"):
        shoulder = build.heads[f"{side}Shoulder"]
        for fraction, part in ((0.02, "Arm"), (0.5, "ForeArm"), (0.95, "Hand")):
            build.heads[f"{side}{part}"] = shoulder * [1, 1, 1 - fraction]
    with pytest.raises(InputError, match="four legs"):
        map_bones(build.build_rig(rng))


def test_names_of_front_and_back_legs_are_refused():
    """A person's build with the names of an animal's legs; armour named front and back beside arms is no animal's."""
    rng = np.random.default_rng(0)
    build = make_humanoid(make_slots(), rng)
    parts = {"upper_arm": "FrontUpLeg", "lower_arm": "FrontLowLeg", "hand": "FrontFoot"}
    parts |= {"upper_leg": "BackUpLeg", "lower_leg": "BackLowLeg", "foot": "BackFoot"}
    names = {bone: bone for bone in build.heads}
    names |= {f"{side}_{part}": f"{name}.{side[0].upper()}" for side in ("left", "right") for part, name in parts.items()}
    with pytest.raises(InputError, match="front legs and back legs"):
        map_bones(rename_bones(build, names).build_rig(rng))
    for side, sign in (("left", 1), ("right", -1)):
        for place in ("front", "back"):
            build.add(f"{side}_leg_armour_{place}", f"{side}_upper_leg", (0.2 * sign, 0, 0.6))
    assert map_bones(build.build_rig(rng)).slots["left_upper_leg"] == ("left_upper_leg",)
