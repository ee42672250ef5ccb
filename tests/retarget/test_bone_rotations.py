"""Rotations of bones where two rigs differ: numbers of bones, parts that one lacks, feet and fingers that point elsewhere at rest."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from blender_meshrec.core.array_types import ArrayLike, FloatArray
from blender_meshrec.core.rotations import rotmat_from_rotvec
from blender_meshrec.retarget.rig import FINGER_SLOTS, SIDES, BoneMapping, Performance, RetargetedMotion, RetargetOptions, Rig
from blender_meshrec.retarget.solve.chain_interpolation import bone_end_fractions, interpolate_along_chain
from blender_meshrec.retarget.solve.forward_kinematics import Pose
from blender_meshrec.retarget.solve.rest_pose import RestPose, twist_reference_bone
from blender_meshrec.retarget.solve.resting_up import resting_up
from blender_meshrec.retarget.solve.retarget import retarget
from tests.support.retargeting import make_slots
from tests.support.synthetic_rigs import RigBuilder, make_humanoid

FK = RetargetOptions(feet=False)
UP, ACROSS = np.array([0.0, 0, 1]), np.array([1.0, 0, 0])
FINGERS = {f"{side}_{finger}": [f"{side}_{finger}{k}" for k in range(3)] for side in SIDES for finger in FINGER_SLOTS}


def character(truth: dict[str, list[str]], change: Mapping[str, ArrayLike] | None = None) -> tuple[Rig, BoneMapping]:
    """A character with level arms, always of the same proportions. change: bone -> another head (3,) m."""
    build = make_humanoid(truth, np.random.default_rng(3), arms_down=0)
    build.heads.update({bone: np.array(head, float) for bone, head in (change or {}).items()})
    return build.build_rig(np.random.default_rng(4)), BoneMapping(truth)


def perform(rig: Rig, mapping: BoneMapping, turns: Mapping[str, FloatArray]) -> Performance:
    """One frame of a rig. turns: bone -> its rotation vector (3,) away from rest, in the world; other bones follow their parents."""
    rest = RestPose(rig, mapping)
    rotations = {rig.index(bone): (rotmat_from_rotvec(turn) @ rest.rotations[rig.index(bone)])[None] for bone, turn in turns.items()}
    pose = Pose(rest, rotations, {}, 1)
    return Performance(rig, mapping, np.swapaxes(pose.rotations, 0, 1), np.swapaxes(pose.heads, 0, 1), 30.0, np.zeros(1))


def turn_of(rig: Rig, result: RetargetedMotion, bone: str, axis: FloatArray) -> float:
    """How far a bone is turned from rest about an axis (3,), degrees; it is turned about no other."""
    row = rig.index(bone)
    delta = result.rotmats[0, row] @ rig.rest[row, :3, :3].T
    np.testing.assert_allclose(delta @ axis, axis, atol=1e-6)
    side = np.cross(axis, [0.3, 0.5, 0.8])
    return float(np.degrees(np.arctan2(np.cross(side, delta @ side) @ axis, side @ delta @ side)))


def turns_of(rig: Rig, result: RetargetedMotion, bones: Sequence[str], axis: FloatArray) -> list[float]:
    return [turn_of(rig, result, bone, axis) for bone in bones]


@pytest.mark.parametrize("neck", [1, 3])
def test_a_neck_that_the_source_lacks_turns_evenly_between_chest_and_head(neck):
    source = character(make_slots(neck=0))
    rig, mapping = character(make_slots(neck=neck))
    chest, head = 20.0, 80.0
    performance = perform(*source, {"spine2": np.radians(chest) * UP, "head": np.radians(head) * UP})
    result = retarget(performance, rig, mapping, FK)
    expected = [chest + (head - chest) * (k + 1) / (neck + 1) for k in range(neck)]
    np.testing.assert_allclose(turns_of(rig, result, mapping.slots["neck"], UP), expected, atol=1e-4)  # degrees
    assert turn_of(rig, result, "head", UP) == pytest.approx(head, abs=1e-4)


def test_without_a_spine_in_the_source_the_trunk_turns_as_the_hips():
    rig, mapping = character(make_slots(spine=2))
    slots = {slot: bones for slot, bones in mapping.slots.items() if slot != "spine"}
    performance = perform(rig, BoneMapping(slots), {"hips": 0.7 * UP, "head": 0.2 * UP})
    result = retarget(performance, *character(make_slots(spine=4)), FK)
    target, _ = character(make_slots(spine=4))
    np.testing.assert_allclose(turns_of(target, result, [f"spine{k}" for k in range(4)], UP), np.degrees(0.7), atol=1e-4)


@pytest.mark.parametrize("count, expected", [(2, [45.0, 90.0]), (3, [30.0, 60.0, 90.0]), (4, [30.0, 60.0, 90.0])])
def test_fingers_of_any_number_of_bones_curl_alike(count, expected):
    """Curled evenly from the knuckle to 90 degrees at the tip; of more bones than the source has, the first keep to the hand."""
    source = character({**make_slots(), **FINGERS})
    bones = [f"index{k}" for k in range(count)]
    rig, mapping = character({**make_slots(), "left_index": bones})
    axis = np.array([0.0, 1, 0])
    performance = perform(*source, {f"left_index{k}": np.radians(30.0 * (k + 1)) * axis for k in range(3)})
    result = retarget(performance, rig, mapping, FK)
    keyed = bones[-min(count, 3) :]
    assert [bone for bone in bones if bone in result.bones] == keyed
    np.testing.assert_allclose(turns_of(rig, result, keyed, axis), expected, atol=1e-4)


def test_fingers_that_are_bent_at_rest_point_as_the_sources():
    truth = {**make_slots(), **FINGERS}
    source, mapping = character(truth)
    head = {bone: source.rest[source.index(bone), :3, 3] for bone in truth["left_index"]}
    bend = {"left_index1": head["left_index1"] - 0.01 * UP, "left_index2": head["left_index2"] - 0.04 * UP}
    rig, _ = character(truth, bend)
    result = retarget(perform(source, mapping, {}), rig, mapping, FK)
    rows = [rig.index(bone) for bone in truth["left_index"]]
    steps = np.diff(result.heads[0, rows], axis=0)
    np.testing.assert_allclose(steps / np.linalg.norm(steps, axis=1, keepdims=True), [ACROSS, ACROSS], atol=1e-5)
    # The tip, which has no bone below, follows the direction of the one before.
    tip = rig.rest[rows[2], :3, :3].T @ (bend["left_index2"] - bend["left_index1"])
    pointed = result.rotmats[0, rows[2]] @ tip
    np.testing.assert_allclose(pointed / np.linalg.norm(pointed), ACROSS, atol=1e-5)


@pytest.mark.parametrize("turn, aligned", [(30, True), (-60, True), (74, True), (80, False), (120, False)])
def test_feet_point_where_the_sources_do_unless_they_show_no_direction_at_rest(turn, aligned):
    """Up to 75 degrees at rest."""
    truth = make_slots()
    source, mapping = character(truth)
    ankle, ball = (source.rest[source.index(f"left_{part}"), :3, 3] for part in ("foot", "toes"))
    moved = ankle + rotmat_from_rotvec(np.radians(turn) * UP) @ (ball - ankle)
    rig, _ = character(truth, {"left_toes": moved})
    result = retarget(perform(source, mapping, {}), rig, mapping, FK)
    foot = result.heads[0, rig.index("left_toes")] - result.heads[0, rig.index("left_foot")]
    np.testing.assert_allclose(foot, (ball if aligned else moved) - ankle, atol=1e-6)  # m


@pytest.mark.parametrize("part, above, below", [("upper_arm", True, False), ("lower_arm", False, True)])
def test_twist_bones_turn_as_the_middle_of_their_skin(part, above, below):
    """At a third and at two thirds of a part; the skin of each reaches to the next, so they take 1/2 and 5/6 of 90 degrees."""
    truth = make_slots()
    build = make_humanoid(truth, np.random.default_rng(3), arms_down=0)
    end = {"upper_arm": "left_lower_arm", "lower_arm": "left_hand"}[part]
    start, step = build.heads[f"left_{part}"], build.heads[end] - build.heads[f"left_{part}"]
    for k in (1, 2):
        build.add(f"twist{k}", f"left_{part}", start + step * k / 3)
    rig = build.build_rig(np.random.default_rng(4))
    mapping = BoneMapping({**truth, f"left_{part}_twist": ["twist1", "twist2"]})
    axis = step / np.linalg.norm(step)
    turned = {bone: np.radians(90) * axis for bone in ((f"left_{part}", "left_hand") if above else ("left_hand",))}
    source, source_mapping = character(truth)
    result = retarget(perform(source, source_mapping, turned), rig, mapping, FK)
    np.testing.assert_allclose(turns_of(rig, result, ["twist1", "twist2"], axis), [45, 75], atol=0.01)


@pytest.mark.parametrize("part, turned, expected", [("upper_arm", "left_upper_arm", [45, 90]), ("lower_arm", "left_hand", [0, 45])])
def test_parts_of_two_bones_share_the_twist(part, turned, expected):
    """An upper arm twists from none at the shoulder to all at the elbow; a forearm towards the hand."""
    truth = make_slots()
    source, mapping = character(truth)
    end = {"upper_arm": "left_lower_arm", "lower_arm": "left_hand"}[part]
    step = source.rest[source.index(end), :3, 3] - source.rest[source.index(f"left_{part}"), :3, 3]
    axis = step / np.linalg.norm(step)
    rig, split = character(make_slots(split=(part,)))
    result = retarget(perform(source, mapping, {turned: np.radians(90) * axis}), rig, split, FK)
    np.testing.assert_allclose(turns_of(rig, result, split.slots[f"left_{part}"], axis), expected, atol=0.01)


def test_twist_is_measured_against_the_parent_or_the_next_part():
    rig, mapping = character(make_slots())
    rest = RestPose(rig, mapping)
    assert twist_reference_bone(rest, "left_upper_arm", "left_lower_arm", is_proximal=True) == rig.index("left_clavicle")
    assert twist_reference_bone(rest, "left_lower_arm", "left_hand", is_proximal=False) == rig.index("left_hand")
    roots = replace(rig, parents=np.full(len(rig), -1))
    assert twist_reference_bone(RestPose(roots, mapping), "left_upper_arm", "left_lower_arm", is_proximal=True) is None
    handless = BoneMapping({slot: bones for slot, bones in mapping.slots.items() if slot != "left_hand"})
    assert twist_reference_bone(RestPose(rig, handless), "left_lower_arm", "left_hand", is_proximal=False) is None


# --- chains ---------------------------------------------------------------------------------------------------------------


def test_bones_end_at_fractions_of_the_chains_length():
    points = np.array([[0, 0, 0], [0, 0, 1], [0, 3, 1], [4, 3, 1]], float)
    np.testing.assert_allclose(bone_end_fractions(points), [1 / 8, 4 / 8, 1])
    np.testing.assert_allclose(bone_end_fractions(np.ones((5, 3))), [0.25, 0.5, 0.75, 1], err_msg="joints that coincide")


def test_chains_are_exact_where_known_and_spherical_in_between():
    angles = {0.0: 10.0, 0.2: 40.0, 0.7: 30.0, 1.0: 90.0}
    known = [rotmat_from_rotvec(np.radians([angle])[:, None] * UP) for angle in angles.values()]
    wanted = [0.0, 0.05, 0.1, 0.2, 0.2 + 1e-5, 0.45, 0.7 - 1e-5, 0.7, 0.9, 1.0, 1.2]
    found = interpolate_along_chain(known[0], known[1:], list(angles)[1:], wanted)
    degrees = [np.degrees(np.arctan2(rotation[0, 1, 0], rotation[0, 0, 0])) for rotation in found]
    np.testing.assert_allclose(degrees, np.interp(wanted, list(angles), list(angles.values())), atol=0.01)
    assert found[0] is known[0] and found[3] is known[1] and found[7] is known[2] and found[-1] is known[-1]


# --- rest poses -----------------------------------------------------------------------------------------------------------


def short_leg_rig(tail: float, child: ArrayLike | None = None) -> tuple[Rig, BoneMapping]:
    """A body without feet whose left shin has a tail at some length, m, and possibly a child at a place from its head, (3,) m."""
    truth = make_slots(without=("foot", "toes"))
    build = make_humanoid(truth, np.random.default_rng(3), arms_down=0)
    if child is not None:
        build.add("end", "left_lower_arm", [0, 0, 0])
        build.add("near", "left_lower_leg", build.heads["left_lower_leg"] + [0.001, 0, 0])
        build.add("far", "left_lower_leg", build.heads["left_lower_leg"] + np.array(child, float))
    rig = build.build_rig(np.random.default_rng(4))
    lengths = rig.lengths.copy()
    lengths[rig.index("left_lower_leg")] = tail
    return replace(rig, lengths=lengths), BoneMapping(truth)


def test_a_part_ends_at_its_farthest_child_or_else_at_its_tail():
    rig, mapping = short_leg_rig(0.3)
    rest, row = RestPose(rig, mapping), rig.index("left_lower_leg")
    np.testing.assert_allclose(rest.segment_end("left_lower_leg", "left_foot"), rest.heads[row] + 0.3 * rest.rotations[row, :, 1])
    for length, ends_there in ((0.16, True), (0.14, False)):  # m, of half the bone's length
        rig, mapping = short_leg_rig(0.3, [0, 0, -length])
        rest, row = RestPose(rig, mapping), rig.index("left_lower_leg")
        end = rest.heads[rig.index("far")] if ends_there else rest.tails[row]
        np.testing.assert_allclose(rest.segment_end("left_lower_leg", "left_foot"), end)


def test_a_posed_part_without_a_part_below_ends_where_its_bone_does():
    rig, mapping = short_leg_rig(0.3)
    rest, row = RestPose(rig, mapping), rig.index("left_lower_leg")
    turn = rotmat_from_rotvec([0.4, 0.2, -0.3])
    pose = Pose(rest, {row: (turn @ rest.rotations[row])[None]}, {}, 1)
    expected = rest.heads[row] + turn @ (rest.tails[row] - rest.heads[row])
    np.testing.assert_allclose(pose.segment_end("left_lower_leg", "left_foot"), expected[None], atol=1e-9)
    np.testing.assert_allclose(pose.segment_end("left_upper_leg", "left_lower_leg"), rest.heads[row][None], atol=1e-9)


@pytest.mark.parametrize("lean, turn, snapped", [(22, 9, True), (29, 0, False), (0, 11, False)])
def test_a_body_that_is_nearly_upright_and_straight_is_taken_to_be(lean, turn, snapped):
    """Within 25 degrees of upright and 10 degrees of facing along an axis."""
    build = make_humanoid(make_slots(), np.random.default_rng(3), arms_down=0)
    tilt = rotmat_from_rotvec(np.radians(turn) * UP) @ rotmat_from_rotvec(np.radians(lean) * ACROSS)
    tilted = RigBuilder()
    tilted.parent, tilted.heads = build.parent, {bone: tilt @ head for bone, head in build.heads.items()}
    axes = RestPose(tilted.build_rig(np.random.default_rng(4)), BoneMapping(make_slots())).axes
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-9)
    upright = np.array([[1.0, 0, 0], [0, -1, 0], [0, 0, 1]])
    assert np.allclose(axes, upright, atol=1e-9) == snapped


def test_a_rig_without_the_skin_of_both_feet_is_upright():
    rig, mapping = character(make_slots())
    assert resting_up(RestPose(rig, mapping), {}) is None
