"""Mapping, limit by limit: conventions, the torso, detached ends, quadrupeds, feet that point backward, and bones in two slots."""

from dataclasses import replace

import numpy as np
import pytest

from blender_meshrec.core.array_types import ArrayLike
from blender_meshrec.core.rotations import rotmat_from_rotvec
from blender_meshrec.retarget.mapping import conventions, detached_ends, map_bones, torso
from blender_meshrec.retarget.mapping.bone_tree import BoneTree
from blender_meshrec.retarget.mapping.facing import are_sides_swapped, swap_sides
from blender_meshrec.retarget.mapping.limbs import Limbs
from blender_meshrec.retarget.mapping.names import ParsedName
from blender_meshrec.retarget.mapping.naming_tables import NamingConvention, NamingTables, load_naming_tables
from blender_meshrec.retarget.mapping.torso import find_torso
from blender_meshrec.retarget.mapping.twist_bones import find_twist_bones
from blender_meshrec.retarget.rig import REQUIRED_SLOTS, SIDES, BoneMapping, Controls, Rig
from blender_meshrec.retarget.solve.foot_skin import FootSkin
from tests.support.retargeting import make_slots
from tests.support.synthetic_rigs import make_humanoid

Bones = dict[str, tuple[str | None, ArrayLike]]  # name -> parent, head


def rig_of(bones: Bones, **fields: object) -> Rig:
    names = tuple(bones)
    rest = np.tile(np.eye(4), (len(names), 1, 1))
    rest[:, :3, 3] = [np.array(head, float) for _, head in bones.values()]
    parents = np.array([-1 if parent is None else names.index(parent) for parent, _ in bones.values()])
    return Rig("rig", names, parents, rest, np.ones(len(names)), **fields)


# --- conventions ----------------------------------------------------------------------------------------------------------

PARTS = (
    "hips",
    "head",
    "spine",
    "neck",
    "root",
    *sorted({slot.split("_", 1)[1] for slot in REQUIRED_SLOTS if "_" in slot}),
    "hand",
    "foot",
)


def convention(name: str, parts: tuple[str, ...] = PARTS, prefix: str = "") -> NamingConvention:
    """Names that are the parts, with the side's letter and with two spellings of the spine."""
    sided = {part for part in parts if part not in ("hips", "head", "spine", "neck", "root")}
    bones = {part: (f"{prefix}{part}{{side}}",) if part in sided else (f"{prefix}{part}",) for part in parts}
    return NamingConvention(name, ("L", "R"), bones)


def recognise(monkeypatch: pytest.MonkeyPatch, names: list[str], *known: NamingConvention) -> tuple[str, dict[int, str]]:
    def tables() -> NamingTables:
        return replace(load_naming_tables(), conventions=known)

    monkeypatch.setattr(conventions, "load_naming_tables", tables)
    monkeypatch.setattr(conventions, "split_name", lambda name: (name,))
    return conventions.recognise_convention([(name,) for name in names])


def bone_names(*parts: str) -> list[str]:
    return [name for part in parts for name in ((part,) if part in ("hips", "head", "spine", "neck", "root") else (f"{part}L", f"{part}R"))]


def test_a_convention_is_recognised_by_three_quarters_of_its_bones(monkeypatch: pytest.MonkeyPatch):
    """Of 15 slots but root and neck, whose absence does not count; those that a human needs are among them."""
    required = bone_names("hips", "head", "upper_arm", "lower_arm", "upper_leg", "lower_leg")  # 10
    known = convention("own")
    assert recognise(monkeypatch, required, known) == ("", {})
    assert recognise(monkeypatch, [*required, "root", "neck"], known) == ("", {})
    found, slots = recognise(monkeypatch, [*required, "spine", "handL"], known)  # 12 of 15
    assert found == "own" and slots[0] == "hips" and slots[11] == "left_hand" and len(slots) == 12
    for missing in ("hips", "lower_armL"):
        rest = [name for name in (*required, "spine", "handL", "handR", "footL", "footR") if name != missing]
        assert recognise(monkeypatch, rest, known) == ("", {})


def test_of_two_conventions_the_better_or_the_larger_is_taken(monkeypatch: pytest.MonkeyPatch):
    names = bone_names(*PARTS)
    few = convention("few", tuple(part for part in PARTS if part not in ("root", "neck")))
    for known in ((few, convention("all")), (convention("all"), few)):
        assert recognise(monkeypatch, names, *known)[0] == "all"
    less = [name for name in names if name not in ("handL", "neck", "root")]
    assert (
        recognise(monkeypatch, less, convention("all"), convention("exact", tuple(part for part in PARTS if part != "hand")))[0] == "exact"
    )


def test_the_first_of_bones_with_one_name_counts(monkeypatch: pytest.MonkeyPatch):
    names = [*bone_names(*PARTS), "hips"]
    assert recognise(monkeypatch, names, convention("own"))[1].get(len(names) - 1) is None


# --- detached ends --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length, bend, ends", [
    (0.31, 0, True), (0.29, 0, False), (1.95, 0, True), (2.05, 0, False), (1, 49, True), (1, 51, False), (1, 90, False), (1, 180, False)
])  # fmt: skip
@pytest.mark.parametrize("size", [1.0, 0.01])
def test_a_limb_ends_with_a_second_bone_like_its_first(length: float, bend: float, ends: bool, size: float):
    first, second = np.array([0, 0, 2.0]), np.array([0, 0, 1.0])
    end = second + length * np.array([np.sin(np.radians(bend)), 0, -np.cos(np.radians(bend))])
    assert detached_ends._ends_limb(size * first, size * second, size * end) == ends


def legs_without_feet(*feet: tuple[str, ParsedName, ArrayLike, str]) -> tuple[BoneTree, list[ParsedName], Limbs, list[str]]:
    """A left leg without foot, and other bones: name, what the name says, head, parent."""
    bones: Bones = {"root": (None, (0, 0, 0)), "thigh": ("root", (0.1, 0, 1)), "shin": ("thigh", (0.1, 0, 0.5))}
    names = [ParsedName(()), ParsedName((), side="left", limbs={"upper_leg": 1}), ParsedName((), side="left", limbs={"lower_leg": 1})]
    for name, says, head, parent in feet:
        bones[name] = parent, head
        names.append(says)
    return BoneTree(rig_of(bones)), names, {("left", "leg"): {"upper_leg": [1], "lower_leg": [2]}}, list(bones)


def foot_found(*feet: tuple[str, ParsedName, ArrayLike, str]) -> dict[str, list[str]]:
    tree, names, limbs, bones = legs_without_feet(*feet)
    detached_ends.add_detached_ends(tree, names, limbs)
    return {part: [bones[bone] for bone in rows] for part, rows in limbs["left", "leg"].items() if part in ("foot", "toes")}


def named(part: str = "foot", weight: float = 1.0, side: str = "left", **says: bool) -> ParsedName:
    return ParsedName(("ik",) if says.get("is_helper") else (), side=side, limbs={part: weight}, **says)


AT = (0.1, 0, 0.0)


def test_a_detached_foot_has_the_right_name_side_and_place():
    assert foot_found(("foot", named(), AT, "root")) == {"foot": ["foot"]}
    assert foot_found(("foot", named(weight=0.8), AT, "root")) == {"foot": ["foot"]}
    for wrong in (named(weight=0.79), named(side="right"), named("hand"), named(is_twist=True), ParsedName(())):
        assert foot_found(("foot", wrong, AT, "root")) == {}
    assert foot_found(("foot", named(), (0.1, 0, 0.49), "root")) == {}
    assert foot_found(("foot", named(), AT, "shin")) == {}, "it hangs from the shin, and is no foot of it"


def test_toes_are_those_below_the_foot():
    toes = ("toes", named("toes"), (0.1, -0.1, 0), "foot")
    assert foot_found(("foot", named(), AT, "root"), toes, ("more", named("toes"), (0.1, -0.2, 0), "toes")) == {
        "foot": ["foot"],
        "toes": ["toes"],
    }
    assert foot_found(("foot", named(), AT, "root"), ("toes", named("toes"), (0.1, -0.1, 0), "root")) == {"foot": ["foot"]}


def test_of_several_feet_bones_of_the_body_come_first_and_then_the_nearest():
    near, far = (0.1, 0, 0.01), (0.1, 0, 0.1)
    assert foot_found(("far", named(), far, "root"), ("near", named(), near, "root")) == {"foot": ["near"]}
    assert foot_found(("near", named(is_helper=True), near, "root"), ("far", named(), far, "root")) == {"foot": ["far"]}
    assert foot_found(("target", named(is_helper=True), near, "root")) == {"foot": ["target"]}
    other = ParsedName(("end",), side="left", limbs={"foot": 1.0}, is_helper=True)
    assert foot_found(("end", other, near, "root")) == {}, "a helper that is no IK target"


def test_a_foot_begins_with_its_first_bone():
    """Exporters add bones where others end, with their names, nearer to where a shin would end."""
    first, second = ("foot", named(), (0.1, 0, 0.1), "root"), ("foot.001", named(), AT, "foot")
    assert foot_found(first, second)["foot"] == ["foot"]


# --- the torso ------------------------------------------------------------------------------------------------------------

BODY: Bones = {
    "root": (None, (0, 0, 0)), "hips": ("root", (0, 0, 1)), "low": ("hips", (0, 0, 1.1)), "chest": ("low", (0, 0, 1.4)),
    "neck": ("chest", (0, 0, 1.5)), "head": ("neck", (0, 0, 1.6)),
    **{f"{side}_{part}": (above if above in ("hips", "chest") else f"{side}_{above}", np.multiply(head, [sign, 1, 1]))
       for side, sign in (("left", 1), ("right", -1)) for part, above, head in (
        ("upper_leg", "hips", (0.1, 0, 1)), ("lower_leg", "upper_leg", (0.1, 0, 0.5)), ("foot", "lower_leg", (0.1, 0, 0.0)),
        ("upper_arm", "chest", (0.2, 0, 1.4)), ("lower_arm", "upper_arm", (0.5, 0, 1.4)), ("hand", "lower_arm", (0.8, 0, 1.4)))},
}  # fmt: skip


def torso_of(bones: Bones = BODY, says: dict[str, dict[str, float]] | None = None, exact: dict[str, str] | None = None, by_shape=None):
    """The torso by names: what each bone's name says of the centre, or the slot that a convention gives it."""
    rows = list(bones)
    limbs: Limbs = {
        (side, limb): {part: [rows.index(f"{side}_{part}")] for part in parts}
        for side in SIDES for limb, parts in (("leg", ("upper_leg", "lower_leg", "foot")), ("arm", ("upper_arm", "lower_arm", "hand")))
    }  # fmt: skip
    names = [ParsedName((), centre=(says or {}).get(bone, {}), exact_slot=(exact or {}).get(bone, "")) for bone in rows]
    shape = by_shape or (lambda root: ([rows.index("neck")], rows.index("head")))
    found = find_torso(BoneTree(rig_of(bones)), names, limbs, shape)
    return {slot: [rows[bone] for bone in found[slot]] for slot in found}


def test_a_torso_without_names_follows_from_where_the_limbs_attach():
    expected = {"hips": ["hips"], "root": ["root"], "head": ["head"], "neck": ["neck"], "spine": ["low", "chest"]}
    assert torso_of() == expected
    assert "head" not in torso_of(by_shape=lambda root: ([], None))
    loose = {name: (None if name.endswith("upper_leg") else parent, head) for name, (parent, head) in BODY.items()}
    assert torso_of(loose) == {}


@pytest.mark.parametrize("turn", [0.0, 1.2])
def test_heights_are_counted_along_the_legs_which_end_where_their_last_joint_is_or_would_be(turn: float):
    """Legs with and without feet, upright and lying, away from the origin: 0 at the ankles, 1 at the hips."""
    rows, turned = list(BODY), rotmat_from_rotvec(np.array([turn, 0, 0]))
    tree = BoneTree(rig_of({bone: (parent, turned @ np.add(np.multiply(head, 0.8), [0.3, 2, 5])) for bone, (parent, head) in BODY.items()}))
    for parts in (("upper_leg", "lower_leg", "foot"), ("upper_leg", "lower_leg")):
        limbs: Limbs = {(side, "leg"): {part: [rows.index(f"{side}_{part}")] for part in parts} for side in SIDES}
        heights = torso._relative_heights(tree, limbs)
        np.testing.assert_allclose(heights[[rows.index(bone) for bone in ("left_foot", "right_lower_leg", "hips")]], [0, 0.5, 1], atol=1e-9)


@pytest.mark.parametrize("weight, found", [(0.5, True), (0.49, False)])
def test_a_clear_name_counts_more_than_the_place(weight: float, found: bool):
    """From one half on; for heads, necks and hips."""
    ear = {**BODY, "ear": ("head", (0.05, 0, 1.7))}
    assert torso_of(ear, {"ear": {"head": weight}})["head"] == (["ear"] if found else ["head"])
    assert torso_of(says={"chest": {"neck": weight}})["spine"] == (["low"] if found else ["low", "chest"])
    above = {"root": BODY["root"], "pelvis": ("root", (0, 0, 0.95)), **BODY, "hips": ("pelvis", (0, 0, 1))}
    assert torso_of(above, {"pelvis": {"hips": weight}})["hips"] == (["pelvis"] if found else ["hips"])


def test_the_clearest_head_is_taken_unless_a_convention_names_one():
    two = {**BODY, "crown": ("head", (0, 0, 1.7)), "tip": ("crown", (0, 0, 1.8))}
    assert torso_of(two, {"crown": {"head": 0.7}, "tip": {"head": 0.9}})["head"] == ["tip"]
    assert torso_of(two, {"crown": {"head": 0.9}, "tip": {"head": 0.9}})["head"] == ["crown"]
    assert torso_of(two, {"crown": {"head": 0.9}}, {"tip": "head"})["head"] == ["tip"]
    held = {**BODY, "mask": ("left_hand", (0.9, 0, 1.4))}
    assert torso_of(held, {"mask": {"head": 1.0}})["head"] == ["head"], "what hangs from a limb is no head"


@pytest.mark.parametrize("height, is_root", [(0.19, True), (0.21, False), (-0.19, True), (-0.21, False)])
def test_a_root_lies_on_the_floor(height: float, is_root: bool):
    """Within a fifth of the hips' height."""
    assert ("root" in torso_of({**BODY, "root": (None, (0, 0, height))})) == is_root


@pytest.mark.parametrize("weight, found", [(0.3, True), (0.29, False)])
def test_of_several_bones_on_the_floor_a_named_one_is_the_root(weight: float, found: bool):
    bones = {"origin": (None, (0, 0, 0)), **BODY, "root": ("origin", (0, 0, 0))}
    assert torso_of(bones)["root"] == ["root"], "else the lowest in the tree"
    assert torso_of(bones, {"origin": {"root": weight}})["root"] == (["origin"] if found else ["root"])


def test_hips_are_not_on_the_floor():
    """Legs and spine part at a root on the floor: the hips are below it."""
    bones = {**BODY, "hips": (None, (0, 0, 0)), "pelvis": ("hips", (0, 0, 1)), "low": ("hips", (0, 0, 1.1))}
    bones |= {f"{side}_upper_leg": ("pelvis", BODY[f"{side}_upper_leg"][1]) for side in SIDES}
    ordered = {
        name: bones[name] for name in ("hips", "pelvis", "low", *(name for name in bones if name not in ("hips", "pelvis", "low", "root")))
    }
    found = torso_of(ordered)
    assert found["hips"] == ["pelvis"] and found["root"] == ["hips"] and found["spine"] == []
    assert torso_of(ordered, {"low": {"hips": 1.0}})["hips"] == ["low"]


def test_the_bone_of_the_arms_is_neck_or_spine_as_its_name_says():
    def with_arm_root(root: int) -> tuple[list[int], int]:
        rows = list(BODY)
        return [root, rows.index("neck")], rows.index("head")

    assert torso_of(by_shape=with_arm_root) | {"root": []} == {
        "hips": ["hips"], "root": [], "head": ["head"], "neck": ["chest", "neck"], "spine": ["low"]
    }  # fmt: skip
    found = torso_of(says={"chest": {"spine": 1.0}}, by_shape=with_arm_root)
    assert found["neck"] == ["neck"] and found["spine"] == ["low", "chest"]


def test_bones_that_are_helpers_are_no_spine_and_no_neck():
    rows = list(BODY)
    limbs: Limbs = {
        (side, limb): {part: [rows.index(f"{side}_{part}")] for part in parts}
        for side in SIDES for limb, parts in (("leg", ("upper_leg", "lower_leg")), ("arm", ("upper_arm", "lower_arm")))
    }  # fmt: skip
    names = [ParsedName((), is_helper=bone in ("low", "neck"), centre={"head": 1.0} if bone == "head" else {}) for bone in rows]
    found = find_torso(BoneTree(rig_of(BODY)), names, limbs, lambda root: ([], None))
    assert [rows[bone] for bone in found["spine"]] == ["chest"] and found["neck"] == [] and found["head"] == [rows.index("head")]


# --- twist bones, animals, sides ------------------------------------------------------------------------------------------


def test_twist_bones_are_sorted_from_the_body_on_and_belong_to_the_bone_above():
    bones: Bones = {"arm": (None, (0, 0, 0)), "far": ("arm", (0.3, 0, 0)), "near": ("arm", (0.1, 0, 0)), "other": ("arm", (0.2, 0, 0))}
    twist = ParsedName((), side="left", limbs={"upper_arm": 1.0}, is_twist=True)
    limbs: Limbs = {("left", "arm"): {"upper_arm": [0]}}
    for change, expected in (
        ({}, [2, 3, 1]), ({"side": "right"}, [2, 1]), ({"limbs": {"lower_arm": 1.0}}, [2, 1]), ({"is_twist": False}, [2, 1]),
        ({"is_helper": True}, [2, 1]),
    ):  # fmt: skip
        found = find_twist_bones(BoneTree(rig_of(bones)), [ParsedName(()), twist, twist, replace(twist, **change)], limbs)
        assert found == {"left_upper_arm_twist": expected}
    hand: Limbs = {("left", "arm"): {"hand": [0]}}
    named_hand = replace(twist, limbs={"hand": 1.0})
    assert find_twist_bones(BoneTree(rig_of(bones)), [ParsedName(()), *[named_hand] * 3], hand) == {}, "only long bones have them"


@pytest.mark.parametrize("lean, reach, is_animal", [
    (90, 0.75, True), (90, 0.65, False), (51, 0.75, True), (49, 0.75, False), (131, 0.75, False), (129, 0.75, True), (0, 0.75, False)
])  # fmt: skip
@pytest.mark.parametrize("size", [1.0, 100.0])
def test_quadrupeds_have_a_flat_spine_and_arms_that_reach_the_ground(lean: float, reach: float, is_animal: bool, size: float):
    """A spine within 40 degrees of level, and arms that reach 70 % as far down as legs."""
    spine = 0.6 * np.array([0, -np.sin(np.radians(lean)), np.cos(np.radians(lean))])
    bones: Bones = {"hips": (None, (0, 0, 1))}
    for side, sign in (("left", 1), ("right", -1)):
        arm = np.array([0, 0, 1]) + spine + [0.1 * sign, 0, 0]
        bones |= {f"{side}_upper_leg": ("hips", (0.1 * sign, 0, 1)), f"{side}_foot": (f"{side}_upper_leg", (0.1 * sign, 0, 0))}
        bones |= {f"{side}_upper_arm": ("hips", arm), f"{side}_paw": (f"{side}_upper_arm", [arm[0], arm[1], 1 - reach])}
    rows = list(bones)
    limbs: Limbs = {(side, "leg"): {"upper_leg": [rows.index(f"{side}_upper_leg")], "foot": [rows.index(f"{side}_foot")]} for side in SIDES}
    limbs |= {(side, "arm"): {"upper_arm": [rows.index(f"{side}_upper_arm")]} for side in SIDES}
    scaled = {name: (parent, size * np.array(head, float)) for name, (parent, head) in bones.items()}
    assert map_bones._is_quadruped(BoneTree(rig_of(scaled)), limbs) == is_animal


def test_names_of_four_legs_have_both_ends_and_no_arm():
    front, back = ({"side": "left", "words": (end, "leg", "l"), "limbs": {"upper_leg": 0.5}} for end in ("front", "hind"))
    arm = {"side": "left", "words": ("arm", "l"), "limbs": {"upper_arm": 0.7}}
    for says, expected in (([front, back], True), ([front], False), ([back], False), ([front, back, arm], False), ([], False)):
        assert map_bones._names_four_legs([ParsedName(**each) for each in says]) == expected
    unsided = [ParsedName(**{**each, "side": ""}) for each in (front, back)]
    assert not map_bones._names_four_legs(unsided)
    for words in (("fore", "paw"), ("front", "foot")):
        assert map_bones._names_four_legs([ParsedName(words, side="left"), ParsedName(("rear", "paw"), side="right")])
        assert not map_bones._names_four_legs([ParsedName(words, side="left"), ParsedName(("rear", "light"), side="right")])


def test_bones_in_two_slots_stay_in_limbs_before_the_torso_and_at_its_ends_before_its_middle():
    slots = {
        "spine": [0, 1, 2, 3],
        "neck": [3, 4],
        "hips": [0],
        "head": [4],
        "root": [0, 5],
        "left_clavicle": [2],
        "left_upper_arm": [2, 6],
    }
    map_bones._remove_duplicates(slots)
    assert slots == {
        "spine": [1], "neck": [3], "hips": [0], "head": [4], "root": [5], "left_clavicle": [2], "left_upper_arm": [6]
    }  # fmt: skip


def facing_rig(behind: float, before: float) -> tuple[Rig, BoneMapping, dict[str, FootSkin]]:
    """A character, and skins of its feet that reach this far behind and before the ankles, as fractions of the shin."""
    truth = make_slots()
    rig = make_humanoid(truth, np.random.default_rng(1), arms_down=30).build_rig(np.random.default_rng(1))
    skins = {}
    for side in SIDES:
        knee, ankle = (rig.rest[rig.index(f"{side}_{part}"), :3, 3] for part in ("lower_leg", "foot"))
        shin = np.linalg.norm(ankle - knee)
        points = ankle + shin * np.array([[0, behind, 0], [0, -before, 0], [0.1, 0, -0.05]])
        skins[side] = FootSkin(points, np.zeros(3))
    return rig, BoneMapping(truth, found_by="names"), skins


@pytest.mark.parametrize(
    "behind, before, swapped",
    [(0.4, 0.1, True), (0.21, 0.1, True), (0.19, 0.1, False), (0.4, 0.26, True), (0.4, 0.27, False), (0.1, 0.4, False)],
)
def test_feet_that_point_backward_say_that_sides_are_swapped(behind: float, before: float, swapped: bool):
    """Skin behind the ankle by a fifth of the shin and by half as much again as before it; of both feet."""
    rig, mapping, skins = facing_rig(behind, before)
    assert are_sides_swapped(rig, mapping, skins) == swapped
    assert not are_sides_swapped(rig, mapping, {"left": skins["left"]})
    assert not are_sides_swapped(rig, replace(mapping, controls=Controls()), skins)
    for stated in ("preset", "vrm"):
        assert not are_sides_swapped(rig, replace(mapping, found_by=stated), skins)
    forward = facing_rig(0.1, 0.4)[2]
    assert not are_sides_swapped(rig, mapping, {"left": skins["left"], "right": forward["right"]})


def test_swapping_sides_exchanges_every_sided_slot():
    mapping = BoneMapping({"hips": ("a",), "left_hand": ("b",), "right_hand": ("c",), "right_lower_arm_twist": ("d",)}, {"a": 0.5})
    swapped = swap_sides(mapping)
    assert swapped.slots == {"hips": ("a",), "right_hand": ("b",), "left_hand": ("c",), "left_lower_arm_twist": ("d",)}
    assert swap_sides(swapped) == mapping


def test_hips_that_are_tilted_do_not_change_the_fit_of_the_world():
    """The mapping of a rig does not depend on how its object is turned."""
    truth = make_slots()
    rig = make_humanoid(truth, np.random.default_rng(1)).build_rig(np.random.default_rng(1))
    world = np.eye(4)
    world[:3, :3] = rotmat_from_rotvec([0.3, -0.8, 2.0])
    assert map_bones.map_bones(rig) == map_bones.map_bones(replace(rig, world=world))
