"""Parts of a rig one by one: bones as a tree, bodies by shape, fingers, twist bones, the torso, and the errors that say what is missing."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from blender_meshrec.retarget.mapping import mapping_errors
from blender_meshrec.retarget.mapping.body_shape import find_body_by_shape
from blender_meshrec.retarget.mapping.bone_tree import BoneTree
from blender_meshrec.retarget.mapping.fingers import find_fingers
from blender_meshrec.retarget.mapping.limb_fit import _find_hand
from blender_meshrec.retarget.mapping.limbs import Limbs
from blender_meshrec.retarget.mapping.map_bones import map_bones
from blender_meshrec.retarget.mapping.mirror_symmetry import MirrorPlane
from blender_meshrec.retarget.mapping.names import parse_names
from blender_meshrec.retarget.rig import FINGER_SLOTS, SIDES, BoneMapping, Rig
from tests.support.retargeting import make_slots
from tests.support.synthetic_rigs import RigBuilder, add_extra_bones, make_humanoid, rename_bones

Y_UP = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])


def builder(**bones: tuple[str | None, tuple[float, float, float]]) -> RigBuilder:
    """Bones by name, each with its parent and its head, m."""
    build = RigBuilder()
    for name, (parent, head) in bones.items():
        build.add(name, parent, head)
    return build


def rig_of(build: RigBuilder, **options: object) -> Rig:
    return build.build_rig(np.random.default_rng(0), **options)


# --- the tree -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def tree_rig() -> Rig:
    return rig_of(
        builder(
            root=(None, (0, 0, 0)),
            a=("root", (0, 0, 1)),
            b=("a", (0, 0, 3)),
            c=("a", (0, 4, 1)),
            d=("c", (0, 4, 2)),
            other=(None, (5, 0, 0)),
        )
    )


def test_a_tree_knows_reach_ancestors_and_subtrees(tree_rig: Rig):
    tree, row = BoneTree(tree_rig), tree_rig.index
    assert [tree.reach[row(bone)] for bone in ("root", "a", "b", "c", "d")] == pytest.approx([6, 5, 0, 1, 0])
    assert [int(tree.subtree_sizes[row(bone)]) for bone in ("root", "a", "b", "c", "d", "other")] == [5, 4, 1, 2, 1, 1]
    assert tree.longest_chain(row("root")) == [row(bone) for bone in ("root", "a", "c", "d")]
    assert tree.chain_between(row("a"), row("d")) == [row("a"), row("c"), row("d")]
    assert tree.common_ancestor([row("b"), row("d")]) == row("a") and tree.common_ancestor([row("d")]) == row("d")
    assert tree.common_ancestor([row("b"), row("other")]) == -1
    assert tree.is_descendant(row("d"), row("a")) and tree.is_descendant(row("a"), row("a"))
    assert not tree.is_descendant(row("a"), row("d")) and not tree.is_descendant(row("b"), row("c"))
    assert sorted(tree.roots) == sorted([row("root"), row("other")])
    assert tree.subtree(row("a")) == sorted(row(bone) for bone in "abcd")


def test_joints_are_in_the_world(tree_rig: Rig):
    """Turned, scaled, moved and even mirrored objects: mapping looks at what the user sees."""
    world = np.array([[0, -2.0, 0, 1], [2, 0, 0, 2], [0, 0, -2, 3], [0, 0, 0, 1]])
    moved = BoneTree(replace(tree_rig, world=world))
    expected = BoneTree(tree_rig).heads @ world[:3, :3].T + [1, 2, 3]
    np.testing.assert_allclose(moved.heads, expected, atol=1e-12)
    np.testing.assert_allclose(moved.reach, 2 * BoneTree(tree_rig).reach)


def test_images_in_a_plane_are_as_far_on_its_other_side():
    plane, points = MirrorPlane(np.array([0.6, 0.8, 0]), 0.5), np.random.default_rng(0).normal(size=(20, 3))
    images = plane.mirror(points)
    np.testing.assert_allclose(plane.distances(images), -plane.distances(points))
    np.testing.assert_allclose(np.cross(images - points, plane.normal), 0, atol=1e-12)
    np.testing.assert_allclose(plane.mirror(images), points)
    np.testing.assert_allclose(plane.project_direction(np.array([0.6, 0.8, 2.0])), [0, 0, 2], atol=1e-12)


# --- bodies by shape ------------------------------------------------------------------------------------------------------


def humanoid(**options: object) -> RigBuilder:
    return make_humanoid(make_slots(**options), np.random.default_rng(1), arms_down=20)


@pytest.mark.parametrize("count, is_found", [(0, True), (1, True), (2, False), (3, False)])
def test_branches_that_begin_with_bones_of_other_names_are_no_limbs(count: int, is_found: bool):
    """Wings, for example: left out if at least half of their first three bones are."""
    rig = rig_of(humanoid())
    names = ("clavicle", "upper_arm", "lower_arm")[:count]
    excluded = {rig.index(f"{side}_{name}") for side in SIDES for name in names}
    body = find_body_by_shape(BoneTree(rig), excluded)
    assert (body is not None) == is_found


def test_a_body_has_a_head_a_common_root_and_legs_that_do_not_hang_from_its_chest():
    def without(build: RigBuilder, *bones: str) -> RigBuilder:
        for bone in bones:
            del build.heads[bone], build.parent[bone]
        return build

    def reparented(parent: str | None) -> RigBuilder:
        build = humanoid()
        build.parent |= {f"{side}_upper_leg": parent for side in SIDES}
        return build

    assert find_body_by_shape(BoneTree(rig_of(humanoid()))) is not None
    for build in (without(humanoid(), "head", "neck0"), reparented("neck0"), reparented("head")):
        assert find_body_by_shape(BoneTree(rig_of(build))) is None
    assert find_body_by_shape(BoneTree(rig_of(without(humanoid(), "left_lower_arm", "left_hand")))) is None


@pytest.mark.parametrize("transform", [None, Y_UP], ids=["z up", "y up"])
def test_a_straight_figure_without_feet_faces_as_blenders_characters_do(transform: np.ndarray | None):
    """Where nothing shows the front, -y is it; of a figure that stands along y, both sides are at least consistent."""
    build = builder(hips=(None, (0, 0, 1)), spine=("hips", (0, 0, 1.2)), chest=("spine", (0, 0, 1.5)), head=("chest", (0, 0, 1.65)))
    for name, x in (("a", 1), ("b", -1)):
        for part, parent, head in (
            ("thigh", "hips", (0.1, 0, 1)), ("shin", f"{name}_thigh", (0.1, 0, 0.5)), ("shin_end", f"{name}_shin", (0.1, 0, 0.0)),
            ("arm", "chest", (0.2, 0, 1.5)), ("forearm", f"{name}_arm", (0.48, 0, 1.5)), ("forearm_end", f"{name}_forearm", (0.76, 0, 1.5)),
        ):  # fmt: skip
            build.add(f"{name}_{part}", parent, np.array(head) * [x, 1, 1])
    rig = rig_of(build, armature_from_body=transform)
    body = find_body_by_shape(BoneTree(rig))
    assert body is not None and len(body.limbs) == 4
    lefts = {rig.bones[bones[0]][0] for (side, _), parts in body.limbs.items() if side == "left" for bones in parts.values()}
    assert len(lefts) == 1
    if transform is None:
        assert lefts == {"a"}, "the left side of a character that faces -y is at +x"


def turned_about_z(build: RigBuilder, degrees: float) -> RigBuilder:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    build.heads = {bone: np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ head for bone, head in build.heads.items()}
    return build


@pytest.mark.parametrize("degrees", [0, 90, 180, 250])
@pytest.mark.parametrize("without", [(), ("toes",), ("foot", "toes")], ids=lambda parts: "-".join(parts) or "all")
@pytest.mark.parametrize("size", [0.01, 1.0, 100.0])
def test_feet_or_else_knees_and_elbows_show_where_a_body_faces(degrees: float, without: tuple[str, ...], size: float):
    rig = rig_of(turned_about_z(humanoid(without=without), degrees), world=np.diag([size, size, size, 1]))
    body = find_body_by_shape(BoneTree(rig))
    assert body is not None
    for (side, limb), parts in body.limbs.items():
        assert all(rig.bones[bone].startswith(side) for bones in parts.values() for bone in bones), (side, limb)


@pytest.mark.parametrize("fingers, bones, hand", [(3, 2, True), (2, 2, False), (3, 1, False), (5, 3, True)])
@pytest.mark.parametrize("place", [1, 2, 3])
def test_a_hand_is_where_three_chains_go_on_beyond_an_elbow(place: int, fingers: int, bones: int, hand: bool):
    """From the third joint on, and of chains of at least two bones."""
    arm = [f"arm{k}" for k in range(place + 1)]
    build = builder(**{name: (arm[k - 1] if k else None, (k, 0, 0)) for k, name in enumerate(arm)})
    for finger in range(fingers):
        for k in range(bones):
            build.add(f"finger{finger}_{k}", f"finger{finger}_{k - 1}" if k else arm[-1], (place + 0.5 + k, finger, 0))
    rig = rig_of(build)
    chain = [rig.index(name) for name in arm]
    assert _find_hand(BoneTree(rig), chain) == (place if hand and place >= 2 else None)


# --- fingers --------------------------------------------------------------------------------------------------------------


def fingers_of(names: list[list[str]]) -> dict[str, list[str]]:
    """What bones of a left hand are mapped to. names: of each finger's bones, from the knuckle on."""
    build = builder(hips=(None, (0, 0, 1)), L_Hand=("hips", (0.7, 0, 1)))
    for place, chain in enumerate(names):
        parent = "L_Hand"
        for k, name in enumerate(chain):
            build.add(name, parent, (0.75 + 0.03 * k, 0.02 * place, 1))
            parent = name
    rig = rig_of(build)
    hand: Limbs = {("left", "arm"): {"hand": [rig.index("L_Hand")]}, ("right", "arm"): {}}
    found = find_fingers(BoneTree(rig), parse_names(rig.bones)[1], hand)
    return {slot: [rig.bones[bone] for bone in bones] for slot, bones in found.items()}


@pytest.mark.parametrize("first", [0, 1, 2])
@pytest.mark.parametrize("form", ["L_Finger{}_{}", "L_Finger{}{}"])
def test_fingers_are_counted_from_the_thumb_from_zero_or_one(form: str, first: int):
    names = [[form.format(first + finger, joint) for joint in range(3)] for finger in range(5)]
    expected = {f"left_{slot}": chain for slot, chain in zip(FINGER_SLOTS, names, strict=True)} if first < 2 else {}
    assert fingers_of(names) == expected


def test_numbers_of_fewer_than_five_fingers_and_fingers_without_a_number_say_nothing():
    assert fingers_of([[f"L_Finger{finger}_{joint}" for joint in range(3)] for finger in range(4)]) == {}
    named = [["L_Thumb1", "L_Thumb2"], ["L_Finger"], *([f"L_Finger{finger}_{joint}" for joint in range(3)] for finger in range(5))]
    found = fingers_of(named)
    assert found["left_thumb"] == ["L_Thumb1", "L_Thumb2"], "a name comes before a number"
    assert found["left_little"] == [f"L_Finger4_{joint}" for joint in range(3)] and ["L_Finger"] not in found.values()


def test_fingers_have_at_most_three_bones_of_their_own_side():
    assert fingers_of([[f"L_Index{k}" for k in range(5)]]) == {"left_index": ["L_Index0", "L_Index1", "L_Index2"]}
    assert fingers_of([["R_Index0", "R_Index1"]]) == {}
    assert fingers_of([["Index0", "Index1"]]) == {"left_index": ["Index0", "Index1"]}, "a name without a side is of its hand"
    two_chains = fingers_of([["L_Index0", "L_Index1"], ["L_Index5", "L_Index6"]])["left_index"]
    assert two_chains in (["L_Index0", "L_Index1"], ["L_Index5", "L_Index6"]), "bones of one chain"


# --- errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "count, expected", [(1, '"a"'), (4, '"a", "b", "c", "d"'), (5, '"a", "b", "c", "d" and 1 more'), (9, "and 5 more")]
)
def test_at_most_four_names_are_listed(count: int, expected: str):
    text = mapping_errors.quote_names("abcdefghi"[:count])
    assert text.endswith(expected) and text.startswith('"a"')


def test_parts_that_a_mapping_lacks_are_listed_in_words():
    rig = rig_of(humanoid())
    mapping = BoneMapping({"hips": ("x",), "left_upper_arm": ("y", "z"), "head": ()})
    error = mapping_errors.preset_mismatch_error(rig, mapping, ["hips", "left_upper_arm", "head"])
    assert "the hips, the left upper arm and the head would be missing" in str(error) and '"x", "y", "z"' in str(error)
    assert error.name == "mapping-bones-absent"
    error = mapping_errors.preset_mismatch_error(rig, mapping, ["head"])
    assert "the head would be missing" in str(error) and error.name == "mapping-incomplete"
    error = mapping_errors.missing_parts_error(rig, ["head", "left_lower_arm"])
    assert "the head and the left lower arm cannot be found" in str(error)


def test_what_makes_a_rig_no_person_is_said():
    """Limbs that are missing, or else separate roots of more than two bones, or else the lack of a spine."""
    build = builder(**{f"{root}{k}": (f"{root}{k - 1}" if k else None, (k, 0, 0)) for root in "abc" for k in range({"c": 2}.get(root, 3))})
    rig = rig_of(build)
    tree, all_limbs = BoneTree(rig), {(side, limb): {"hand": [0]} for side in SIDES for limb in ("arm", "leg")}
    few = {key: parts for key, parts in all_limbs.items() if key not in (("left", "arm"), ("right", "leg"))}
    error = mapping_errors.not_humanoid_error(rig, tree, few)
    assert "no left arm or right leg was found among its 8 bones" in str(error)
    error = mapping_errors.not_humanoid_error(rig, tree, all_limbs)
    assert "2 separate roots" in str(error) and '"a0"' in str(error) and '"b0"' in str(error) and '"c0"' not in str(error)
    single = rig_of(builder(a=(None, (0, 0, 0)), b=("a", (0, 0, 1)), c=("b", (0, 0, 2))))
    error = mapping_errors.not_humanoid_error(single, BoneTree(single), all_limbs)
    assert error.name == "rig-without-spine"


# --- names ----------------------------------------------------------------------------------------------------------------


def test_extra_bones_with_names_are_not_mapped():
    """Ends, face, hair, cloth, weapons, IK targets and correctives beside a named body."""
    truth = make_slots(spine=3, neck=1)
    names = {bone: bone.replace("left_", "L ").replace("right_", "R ").title() for bone in humanoid().heads}
    build = rename_bones(make_humanoid(truth, np.random.default_rng(2)), names)
    named_truth = {slot: [names[bone] for bone in bones] for slot, bones in truth.items()}
    plain = map_bones(rig_of(build))
    extended = map_bones(rig_of(add_extra_bones(build, named_truth, np.random.default_rng(2))))
    assert dict(extended.slots) == dict(plain.slots)
    assert {slot: list(bones) for slot, bones in plain.slots.items()} == named_truth


def test_bones_of_a_chain_come_from_parent_to_child():
    mapping = map_bones(rig_of(humanoid(spine=5, neck=2)))
    rig = rig_of(humanoid(spine=5, neck=2))
    for bones in mapping.slots.values():
        rows = [rig.index(bone) for bone in bones]
        assert all(rig.parents[below] == above for above, below in pairwise(rows))
