"""A body by shape, step by step: which branches and planes are tried, its head, its stance, and where it faces."""

from dataclasses import replace

import numpy as np
import pytest

from blender_meshrec.core.array_types import ArrayLike, FloatArray
from blender_meshrec.retarget.mapping import body_shape
from blender_meshrec.retarget.mapping.body_shape import BodyShape, find_body_by_shape
from blender_meshrec.retarget.mapping.bone_tree import BoneTree
from blender_meshrec.retarget.mapping.limb_fit import ArmFit, LegFit
from blender_meshrec.retarget.mapping.mirror_symmetry import BranchPair, MirrorPlane
from blender_meshrec.retarget.rig import Rig

X = MirrorPlane(np.array([1.0, 0, 0]), 0.0)
UP = np.array([0.0, 0, 1])


def tree_of(*bones: tuple[int, ArrayLike]) -> BoneTree:
    """Bones by their parent's number and their head."""
    rest = np.tile(np.eye(4), (len(bones), 1, 1))
    rest[:, :3, 3] = [head for _, head in bones]
    parents = np.array([parent for parent, _ in bones])
    return BoneTree(Rig("rig", tuple(map(str, range(len(bones)))), parents, rest, np.ones(len(bones))))


def line(count: int) -> BoneTree:
    return tree_of(*((k - 1, (0, 0, k)) for k in range(count)))


@pytest.mark.parametrize("fits, expected, tried", [
    ([[0.3], [0.5, 0.61], [0.9]], 0.61, 2),
    ([[0.3, 0.2], [0.6], [0.5]], 0.6, 3),
    ([[], [0.1], []], 0.1, 3),
    ([[0.7], [0.9]], 0.7, 1),
    ([[], []], None, 2),
])  # fmt: skip
def test_planes_are_tried_until_a_body_fits_well(monkeypatch: pytest.MonkeyPatch, fits, expected, tried):
    """Better than 0.6; the best body of all planes that were tried is taken."""
    asked: list[int] = []

    def bodies(tree, plane, extent, excluded):
        asked.append(plane)
        return [BodyShape({}, fit) for fit in fits[plane]]

    monkeypatch.setattr(body_shape, "find_mirror_planes", lambda tree, extent: range(len(fits)))
    monkeypatch.setattr(body_shape, "_candidate_bodies", bodies)
    found = find_body_by_shape(line(10))
    assert (found and found.fit) == expected and len(asked) == tried


def test_the_extent_is_the_longest_side_and_coinciding_joints_have_none(monkeypatch: pytest.MonkeyPatch):
    extents: list[float] = []
    monkeypatch.setattr(body_shape, "find_mirror_planes", lambda tree, extent: extents.append(extent) or [])
    find_body_by_shape(tree_of(*((k - 1, (0.1 * k, 3 + 0.5 * k, -k)) for k in range(10))))
    assert extents == [9.0]
    assert find_body_by_shape(tree_of(*((k - 1, (1, 2, 3)) for k in range(10)))) is None and len(extents) == 1


def test_the_twelve_pairs_that_reach_farthest_are_tried_as_legs_and_as_arms(monkeypatch: pytest.MonkeyPatch):
    tree = tree_of((-1, (0, 0, 0)), *((0, (1, 0, 0)) for _ in range(14)), *((k + 1, (1 + 0.1 * (k + 1), 0, 0)) for k in range(14)))
    pairs = [BranchPair(0, ([k + 1, k + 15], [k + 1, k + 15])) for k in range(14)]
    tried: list[tuple[int, int]] = []
    monkeypatch.setattr(body_shape, "find_branch_pairs", lambda *_: pairs)
    monkeypatch.setattr(body_shape, "_fit_body", lambda tree, plane, legs, arms: tried.append((pairs.index(legs), pairs.index(arms))))
    assert body_shape._candidate_bodies(tree, X, 1.0, ()) == []
    assert sorted(tried) == [(legs, arms) for legs in range(2, 14) for arms in range(2, 14) if legs != arms]


@pytest.mark.parametrize(
    "rise, across, forward, has_head",
    [(0.05, 0, 0, True), (0.03, 0, 0, False), (0.3, 0.09, 0, True), (0.3, 0.11, 0, False), (0.3, -0.11, 0, False), (0.3, 0, 5, True)],
)
@pytest.mark.parametrize("size", [1.0, 10.0])
def test_a_head_rises_above_the_shoulders_on_the_midline(rise: float, across: float, forward: float, has_head: bool, size: float):
    """By 4 % of an arm's length, within 10 % of the plane; the highest joint of the branch counts."""
    heads = [(0, 0, 0), (0.2, 0, 0), (1.2, 0, 0), (-0.2, 0, 0), (-1.2, 0, 0), (0, 0, -0.3), (across, forward, rise), (0.5, 0, -0.2)]
    parents = (-1, 0, 1, 0, 3, 0, 5, 6)
    tree = tree_of(*zip(parents, size * np.array(heads), strict=True))
    assert body_shape._has_head(tree, X, BranchPair(0, ([1, 2], [3, 4])), UP) == has_head


def test_arms_are_no_heads():
    raised = tree_of((-1, (0, 0, 0)), (0, (0.2, 0, 0)), (1, (0.05, 0, 1)), (0, (-0.2, 0, 0)), (3, (-0.05, 0, 1)))
    assert not body_shape._has_head(raised, X, BranchPair(0, ([1, 2], [3, 4])), UP)


def legs(height: float = 1.0) -> FloatArray:
    """Joints (2,4,3) of two legs that stand upright and face -y."""
    left = np.array([[0.1, 0, 1], [0.1, -0.01, 0.52], [0.1, 0, 0.06], [0.1, -0.15, 0]]) * height
    return np.stack([left, left * [-1, 1, 1]])


@pytest.mark.parametrize("lean, stands", [(0, True), (43, True), (47, False), (100, False)])
def test_a_spine_is_nearly_in_line_with_the_legs(lean: float, stands: bool):
    """Within 45 degrees."""
    along = 0.5 * np.array([0, -np.sin(np.radians(lean)), np.cos(np.radians(lean))])
    stance = body_shape._fit_stance(X, legs(), np.array([0, 0, 1.0]) + along)
    assert (stance is not None) == stands
    if stance is not None:
        assert stance.torso_length == pytest.approx(0.5) and stance.leg_length == pytest.approx(0.94)
        middle = along / 0.5 + UP  # up is midway between legs and spine
        np.testing.assert_allclose(stance.up, middle / np.linalg.norm(middle), atol=1e-6)


def test_shoulders_at_the_hips_make_no_stance():
    assert body_shape._fit_stance(X, legs(), np.array([0, 0, 1.0])) is None


@pytest.mark.parametrize("leg_root, arm_root, connected", [(1, 2, True), (2, 1, False), (1, 1, True), (3, 1, False), (0, 2, True)])
def test_legs_and_arms_are_of_one_skeleton(leg_root: int, arm_root: int, connected: bool):
    """1 is the hips, 2 the chest above them, 3 another root."""
    tree = tree_of((-1, (0, 0, 0)), (0, (0, 0, 1)), (1, (0, 0, 2)), (-1, (1, 0, 0)))
    assert body_shape._are_connected(tree, leg_root, arm_root) == connected


def facing(leg_joints: ArrayLike, arm_joints: ArrayLike, has_toes: bool = True, has_foot: bool = True, has_hand: bool = True) -> FloatArray:
    leg = LegFit(0, 1, 2 if has_foot else None, 3 if has_toes else None, 1.0)
    arm = ArmFit(None, 0, 1, 2 if has_hand else None, 1.0, 1.0)
    stance = body_shape._Stance(leg, UP, 0.5, 1.0)
    return body_shape._forward_direction(X, np.array(leg_joints, float), np.array(arm_joints, float), stance, arm)


STRAIGHT_LEG = [[0, 0, 1], [0, 0, 0.5], [0, 0, 0.0], [0, 0, -0.1]]
STRAIGHT_ARM = [[0, 0, 1.4], [0, 0, 1.1], [0, 0, 0.8]]


@pytest.mark.parametrize("size", [1.0, 0.01, 100.0])
def test_a_body_faces_where_its_feet_point(size: float):
    """Toes of at least 5 % of the thigh's length before the ankle, whatever knees and elbows say; sideways counts nothing."""
    for forward, expected in ((0.026, 1), (-0.026, -1), (0.024, -1), (0.0, -1)):
        leg = np.array([*STRAIGHT_LEG[:1], [0, -0.02, 0.5], [0, 0, 0], [3.0, forward, -0.1]])  # its knee is bent towards -y
        np.testing.assert_allclose(facing(size * leg, size * np.array(STRAIGHT_ARM)), [0, expected, 0], atol=1e-9)


@pytest.mark.parametrize("size", [1.0, 0.01, 100.0])
def test_else_it_faces_where_knees_and_not_elbows_point(size: float):
    """Bent by at least 2 % of the thigh's length together; else it faces -y."""
    for knee, elbow, expected in (
        (0.011, 0, 1),
        (0.009, 0, -1),
        (0, -0.011, 1),
        (0, -0.009, -1),
        (0.02, 0.03, -1),
        (0.03, 0.01, 1),
        (0.006, -0.006, 1),
    ):
        leg = np.array([[0, 0, 1], [0, knee, 0.5], [0, 0, 0], [0, 0, -0.1]])
        arm = np.array([[0, 0, 1.4], [0, elbow, 1.1], [0, 0, 0.8]])
        np.testing.assert_allclose(facing(size * leg, size * arm, has_toes=False), [0, expected, 0], atol=1e-9)


def test_limbs_without_an_end_show_no_bend():
    bent_leg, bent_arm = [[0, 0, 1], [0, 0.1, 0.5], [0, 0, 0], [0, 0, 0]], [[0, 0, 1.4], [0, -0.1, 1.1], [0, 0, 0.8]]
    np.testing.assert_allclose(facing(bent_leg, bent_arm, has_toes=False, has_foot=False, has_hand=False), [0, -1, 0])
    np.testing.assert_allclose(facing(STRAIGHT_LEG, bent_arm, has_toes=False, has_foot=False), [0, 1, 0])
    np.testing.assert_allclose(facing(bent_leg, STRAIGHT_ARM, has_toes=False, has_hand=False), [0, 1, 0])


@pytest.mark.parametrize("sine, expected", [(0.29, 1), (0.31, -1), (1.0, -1)])
def test_a_straight_body_that_lies_along_the_usual_direction_faces_across_its_plane(sine: float, expected: int):
    """Up to an angle whose sine is 0.3 between its up and -y, the direction that Blender's characters face."""
    cosine = np.sqrt(1 - sine**2)
    stance = body_shape._Stance(LegFit(0, 1, None, None, 1.0), np.array([0, -cosine, sine]), 0.5, 1.0)
    arm = ArmFit(None, 0, 1, None, 1.0, 1.0)
    plane = replace(X, normal=-X.normal)
    found = body_shape._forward_direction(plane, np.array(STRAIGHT_LEG, float), np.array(STRAIGHT_ARM, float), stance, arm)
    np.testing.assert_allclose(found, expected * np.array([0, sine, cosine]), atol=1e-9)
