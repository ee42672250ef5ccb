"""Mapping by names: every convention of the tables, on people of random proportions, poses and clutter, and names in any dress."""

import json

import numpy as np
import pytest

from blender_meshrec.core.errors import InputError
from blender_meshrec.retarget.mapping.map_bones import map_bones
from blender_meshrec.retarget.mapping.names import parse_names, split_name
from blender_meshrec.retarget.rig import FINGER_SLOTS, SIDES, SLOTS
from tests.support.rig_conventions import OTHERS, TABLES, true_slots
from tests.support.synthetic_rigs import add_extra_bones, body_slots, make_humanoid


@pytest.fixture(scope="module")
def tables(shared_facts):
    return json.loads((shared_facts / "bone_names.json").read_text())


def check(rig, truth, *, fingers=True):
    mapping = map_bones(rig)
    got = {slot: list(bones) for slot, bones in mapping.slots.items()}
    want = body_slots(truth)
    assert {slot: got.get(slot) for slot in want} == {slot: list(bones) for slot, bones in want.items()}
    assert set(body_slots(got)) == set(want)
    if fingers:
        wanted = {slot: list(truth[slot]) for slot in truth if slot.split("_", 1)[-1] in FINGER_SLOTS}
        assert {slot: got[slot] for slot in got if slot.split("_", 1)[-1] in FINGER_SLOTS} == wanted
    return mapping


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("seed", range(3))
def test_every_table_maps_to_its_own_slots(tables, name, seed):
    rng = np.random.default_rng(seed)
    truth, twist, metacarpals = true_slots(tables, name)
    quirks = {"metacarpals": metacarpals}
    if "rocketbox" in name:  # as 3ds Max makes them
        quirks |= {
            "thighs_from": truth["spine"][0],
            "clavicles_from": truth.get("neck", [None])[0],
            "over_hips": ["Bip01"],
        }
    build = make_humanoid(truth, rng, **quirks)
    for (side, part), bones in twist.items():
        owner = truth[f"{side}_{part}"][0]
        for number, bone in enumerate(bones):
            below = next(other for other, parent in build.parent.items() if parent == owner)
            build.add(bone, owner, build.heads[owner] + (build.heads[below] - build.heads[owner]) * (0.3 + 0.3 * number))
    if seed:
        add_extra_bones(build, truth, rng)
    mapping = check(build.build_rig(rng, tails="along" if seed < 2 else "anywhere"), truth)
    assert mapping.found_by == "names"
    beside = {f"{side}_{part}_twist": bones for (side, part), bones in twist.items() if f"{side}_{part}_twist" in SLOTS}
    assert {slot: list(bones) for slot, bones in mapping.slots.items() if slot.endswith("_twist")} == beside
    assert min(mapping.confidence.values()) >= 0.6, "names that hit and a tree that agrees are trusted"


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("seed", range(3))
def test_conventions_beyond_the_tables(name, seed):
    rng = np.random.default_rng(100 + seed)
    truth, quirks = OTHERS[name]
    build = make_humanoid(truth, rng, **quirks)
    if seed:
        add_extra_bones(build, truth, rng)
    mapping = check(build.build_rig(rng, tails="along" if seed < 2 else "anywhere"), truth)
    assert mapping.found_by == "names"


DRESSES = {
    "a prefix with a number": lambda name: f"Char01_{name}",
    "a suffix": lambda name: f"{name}_JNT",
    "both": lambda name: f"SK_Hero2_{name}_bind",
    "an object's name": lambda name: f"Armature|{name}",
    "a namespace": lambda name: f"hero:rig:{name}",
    "capitals": lambda name: "_".join(split_name(name)).upper(),
    "lower case": lambda name: name.lower(),
    "snakes": lambda name: "_".join(split_name(name)),
    "spaces": lambda name: " ".join(split_name(name)),
    "dots": lambda name: ".".join(split_name(name)),
    "a side at the end": lambda name: _side_last(name, "_{}"),
    "a side at the end, dotted": lambda name: _side_last(name, ".{}"),
    "a side at the end, spelled": lambda name: _side_last(name, "_{}", {"left": "Left", "right": "Right"}),
    "a side in front": lambda name: _side_last(name, "{}_", front=True),
    "a letter in front": lambda name: _side_last(name, "{}", {"left": "l", "right": "r"}, front=True),
}


def _side_last(name, form, spelled=None, front=False):
    spelled = spelled or {"left": "L", "right": "R"}
    for side in SIDES:
        if name.lower().startswith(side):
            rest, mark = name[len(side) :], form.format(spelled[side])
            return mark + rest if front else rest + mark
    return name


@pytest.mark.parametrize("dress", DRESSES)
@pytest.mark.parametrize("source", ["godot and unity", "bvh by joints", "cmu", "older bvh"])
def test_names_in_any_dress(dress, source):
    rng = np.random.default_rng(5)
    truth, quirks = OTHERS[source]
    if source == "older bvh":
        truth = {slot: [_spell(name) for name in names] for slot, names in truth.items()}
    worn = {slot: [DRESSES[dress](name) for name in names] for slot, names in truth.items()}
    quirks = {key: tuple(map(DRESSES[dress], value)) for key, value in quirks.items()}
    build = make_humanoid(worn, rng, **quirks)
    add_extra_bones(build, worn, rng, style=DRESSES[dress])
    check(build.build_rig(rng), worn)


def _spell(name):
    return {"l": "left", "r": "right"}[name[0]] + name[1:] if name[1:2].isupper() else name


def test_words():
    assert split_name("mixamorig1:LeftForeArm") == ("left", "fore", "arm")
    assert split_name("rthigh") == ("r", "thigh")
    assert split_name("LHipJoint") == ("l", "hip", "joint")
    assert split_name("leftforearm") == ("left", "forearm")
    assert split_name("DEF-upper_arm.L.001") == ("def", "upper", "arm", "l", "001")
    assert split_name("左腕") == ("left", "arm")
    assert split_name("ball") == ("ball",)
    assert split_name("Armor") == ("armor",)


def test_what_every_bone_shares_says_nothing():
    _, readings = parse_names(["Bip01 L Hand", "Bip01 R Hand", "Bip01 Head", "Bip01 L Foot", "Bip01 R Foot"])
    assert [reading.words for reading in readings] == [("l", "hand"), ("r", "hand"), ("head",), ("l", "foot"), ("r", "foot")]


def test_helpers_are_not_mapped_even_where_they_are_named_like_parts():
    rng = np.random.default_rng(0)
    truth, _ = OTHERS["rokoko"]
    build = make_humanoid(truth, rng)
    for side in ("Left", "Right"):
        for part in ("Hand", "Foot"):
            build.add(f"IK{side}{part}", None, build.heads[f"{side}{part}"])
            build.add(f"MCH-{side}{part}", "Hips", build.heads[f"{side}{part}"])
            build.add(f"{side}{part}_grip", f"{side}{part}", build.heads[f"{side}{part}"])
    mapping = check(build.build_rig(rng), truth)
    assert not [bone for bone in mapping.bones if "IK" in bone or "MCH" in bone or "grip" in bone]


def test_the_ball_of_a_foot_comes_before_its_toes():
    rng = np.random.default_rng(0)
    truth, _ = OTHERS["synty"]
    build = make_humanoid(truth, rng)
    for side in "LR":
        build.add(f"Toes_{side}", f"Ball_{side}", build.heads[f"Ball_{side}"] - [0, 0.05, 0])
    check(build.build_rig(rng), truth)


def test_a_rest_pose_that_is_no_pose():
    """As some BVH files have it: every bone points the same way at rest, legs and spine alike."""
    rng = np.random.default_rng(0)
    truth, _ = OTHERS["rokoko"]
    build = make_humanoid(truth, rng)
    for bone, parent in build.parent.items():
        if parent:
            aside = {"Left": 0.1, "Right": -0.1}.get(bone.removesuffix("Thigh").removesuffix("Shoulder"), 0.0)
            build.heads[bone] = build.heads[parent] + [0.3, aside, 0]
    check(build.build_rig(rng), truth)


def test_sides_swapped_in_the_names_lower_the_confidence():
    rng = np.random.default_rng(0)
    truth, _ = OTHERS["rokoko"]
    swapped = {slot.replace("left", "x").replace("right", "left").replace("x", "right"): names for slot, names in truth.items()}
    good, bad = map_bones(make_humanoid(truth, rng).build_rig(rng)), map_bones(make_humanoid(swapped, rng).build_rig(rng))
    assert bad.slots == good.slots, "names are believed"
    assert bad.confidence["LeftArm"] < good.confidence["LeftArm"] - 0.1
    assert bad.confidence["Hips"] == good.confidence["Hips"]


@pytest.mark.parametrize("seed", range(2))
def test_four_legs_are_refused(seed):
    rng = np.random.default_rng(seed)
    truth, _ = OTHERS["rokoko"]
    build = make_humanoid(truth, rng)
    # The trunk turned forward about the hips, the arms turned down to the ground.
    hips = build.heads["Hips"].copy()
    arms = {f"{side}{part}" for side in ("Left", "Right") for part in ("Arm", "ForeArm", "Hand")}
    for bone, head in build.heads.items():
        if head[2] > hips[2] and bone not in arms:
            x, y, z = head - hips
            build.heads[bone] = hips + [x, -z, y]
    for side in ("Left", "Right"):
        shoulder = build.heads[f"{side}Shoulder"]
        for share, part in ((0.02, "Arm"), (0.5, "ForeArm"), (0.95, "Hand")):
            build.heads[f"{side}{part}"] = shoulder * [1, 1, 1 - share]
    with pytest.raises(InputError, match="four legs"):
        map_bones(build.build_rig(rng))
