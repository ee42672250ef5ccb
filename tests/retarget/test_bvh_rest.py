"""Units, axes and rest poses of BVH skeletons: what lengths and directions of legs and trunk say."""

import numpy as np
import pytest

from blender_meshrec.core.array_types import ArrayLike, FloatArray
from blender_meshrec.core.conventions import WORLD_FROM_BODY
from blender_meshrec.core.rotations import rotmat_from_rotvec
from blender_meshrec.retarget.source import bvh
from blender_meshrec.retarget.source.bvh_file import BvhSkeleton

JOINTS = {"head": 0} | {f"{side}_{part}": 1 + 3 * k + j for k, side in enumerate(("left", "right"))
                        for j, part in enumerate(("upper_leg", "lower_leg", "foot"))}  # fmt: skip


def standing(thigh: float = 1.0, turn: ArrayLike = (0, 0, 0)) -> FloatArray:
    """Heads (7,3) of a body with y up, all of whose lengths are in proportion to the thigh's; turned by a rotation vector."""
    heads = [[0, 1.8, 0], *([x, y, 0] for x in (0.2, -0.2) for y in (0, -1, -2))]
    return thigh * np.array(heads) @ rotmat_from_rotvec(np.array(turn, float)).T


@pytest.mark.parametrize("unit", [1.0, 0.01, 0.0254, 0.001, 0.0254 / 0.45])
@pytest.mark.parametrize("leg", [0.6, 0.85, 1.1])
def test_legs_of_people_tell_the_unit(unit: float, leg: float):
    found = bvh._metres_per_unit(standing(leg / 2 / unit), JOINTS)
    if unit in (0.0254, 0.0254 / 0.45) and leg != 0.85:
        assert abs(np.log(found * leg / unit / 0.85)) <= abs(np.log(leg / 0.85)) + 1e-9, "the unit that makes them most usual"
    else:
        assert found == unit


@pytest.mark.parametrize("ratio, is_unit", [(0.51, True), (0.49, False), (1.59, True), (1.61, False)])
def test_legs_that_no_unit_makes_a_persons_are_scaled_to_the_usual_length(ratio: float, is_unit: bool):
    """Below half and beyond 1.6 times 0.85 m; the mean of both legs counts, and only metres or millimetres are near."""
    leg = 0.85 * ratio / (0.001 if ratio < 1 else 1.0)
    heads = standing(leg / 2)
    found = bvh._metres_per_unit(heads, JOINTS)
    assert found == (0.001 if ratio < 1 else 1.0) if is_unit else found * leg == pytest.approx(0.85)


def test_the_mean_of_both_legs_counts_and_none_is_no_division_by_zero():
    heads = standing(0.5)
    heads[JOINTS["left_lower_leg"], 1] = -0.1
    assert bvh._metres_per_unit(heads, JOINTS) == 1.0
    assert np.isfinite(bvh._metres_per_unit(np.zeros((7, 3)), JOINTS))


@pytest.mark.parametrize("turn", [(0, 0, 0), (0.7, 0, 0), (0, 2, 0), (0, 0, 1.2), (np.pi / 2, 0, 0), (-np.pi / 2, 0, 0), (0.9, 0, 0)])
def test_z_is_up_only_where_the_body_stands_along_it(turn: tuple[float, float, float]):
    heads = standing(turn=turn)
    trunk = heads[0] - heads[[1, 4]].mean(0)
    expected = np.eye(3) if abs(trunk[2]) > abs(trunk[1]) else WORLD_FROM_BODY
    np.testing.assert_array_equal(bvh._world_from_file(heads, JOINTS), expected)


@pytest.mark.parametrize("bend", [0.0, 0.5, 1.0, 2.0, np.pi])
def test_uprightness_is_that_of_the_most_bent_segment(bend: float):
    heads = standing()
    heads[JOINTS["right_foot"]] = heads[JOINTS["right_lower_leg"]] + [0, -np.cos(bend), np.sin(bend)]
    for turn in ((0, 0, 0), (0.4, 1, -2)):
        turned = heads @ rotmat_from_rotvec(np.array(turn, float)).T
        np.testing.assert_allclose(bvh._uprightness(np.stack([turned, 3 * turned]), JOINTS), np.cos(bend), atol=1e-12)
    without_feet = {slot: joint for slot, joint in JOINTS.items() if not slot.endswith("foot")}
    np.testing.assert_allclose(bvh._uprightness(heads[None], without_feet), 1.0)


def test_bones_point_to_their_tails_and_those_without_one_have_a_usual_length():
    rng = np.random.default_rng(0)
    turns, heads = rotmat_from_rotvec(rng.normal(size=(4, 3))), rng.normal(size=(4, 3))
    tails = np.array([[1.0, 0, 0], [0, 0, 0], [0, -3, 0], [0, 0, 2]])
    skeleton = BvhSkeleton(("a", "b", "c", "d"), np.array([-1, 0, 1, 1]), heads, ((),) * 4, tails)
    rig = bvh._build_rig("name", skeleton, turns, heads, tails)
    assert rig.name == "name" and rig.bones == skeleton.joint_names and rig.parents.tolist() == [-1, 0, 1, 1]
    np.testing.assert_allclose(rig.lengths, [1, 2, 3, 2])
    np.testing.assert_allclose(rig.rest[:, :3, 3], heads)
    for joint in (0, 2, 3):
        np.testing.assert_allclose(rig.lengths[joint] * rig.rest[joint, :3, 1], turns[joint] @ tails[joint], atol=1e-9)
    np.testing.assert_allclose(rig.rest[1, :3, 1], [0, 1, 0], atol=1e-9)
    np.testing.assert_allclose(bvh._build_rig("name", skeleton, turns, heads, np.zeros((4, 3))).lengths, 1.0)


def test_channels_are_applied_in_the_order_of_the_file():
    """Positions replace offsets axis by axis; rotations are multiplied from left to right."""
    channels = (("Yposition", "Zrotation", "Xrotation"), (), ("Xrotation", "Yrotation", "Zrotation", "Zposition"))
    offsets = np.array([[1.0, 2, 3], [4, 5, 6], [7, 8, 9]])
    skeleton = BvhSkeleton(("a", "b", "c"), np.array([-1, 0, 1]), offsets, channels, offsets)
    values = np.array([[10.0, 30, 40, 50, 60, 70, 80], [0, 0, 0, 0, 0, 0, 0]])
    rotations, positions = bvh._local_transforms(skeleton, values)

    def about(axis: int, degrees: float) -> FloatArray:
        return rotmat_from_rotvec(np.radians(degrees) * np.eye(3)[axis])

    np.testing.assert_allclose(rotations[0, 0], about(2, 30) @ about(0, 40), atol=1e-12)
    np.testing.assert_allclose(rotations[0, 2], about(0, 50) @ about(1, 60) @ about(2, 70), atol=1e-12)
    np.testing.assert_allclose(rotations[:, 1], [np.eye(3)] * 2)
    np.testing.assert_allclose(positions[0], [[1, 10, 3], [4, 5, 6], [7, 8, 80]])
    np.testing.assert_allclose(positions[1], [[1, 0, 3], [4, 5, 6], [7, 8, 0]])
