"""Mirror planes and mirrored branches, limit by limit, as fractions of the rig's extent."""

import numpy as np
import pytest

from blender_meshrec.core.array_types import ArrayLike, FloatArray
from blender_meshrec.retarget.mapping import mirror_symmetry
from blender_meshrec.retarget.mapping.bone_tree import BoneTree
from blender_meshrec.retarget.mapping.mirror_symmetry import MirrorPlane, find_branch_pairs, find_mirror_planes
from blender_meshrec.retarget.rig import Rig

X = MirrorPlane(np.array([1.0, 0, 0]), 0.0)
Bones = dict[str, tuple[str | None, ArrayLike]]  # name -> parent, head


def tree_of(bones: Bones) -> BoneTree:
    names = tuple(bones)
    rest = np.tile(np.eye(4), (len(names), 1, 1))
    rest[:, :3, 3] = [np.array(head, float) for _, head in bones.values()]
    parents = np.array([-1 if parent is None else names.index(parent) for parent, _ in bones.values()])
    return BoneTree(Rig("rig", names, parents, rest, np.ones(len(names))))


def two_branches(shift: ArrayLike = (0, 0, 0), length: float = 0.4, other_length: float | None = None, start_shift: float = 0.0) -> Bones:
    """A root with a chain of two bones to either side in x. shift: of the right end. start_shift: of the right start, along z."""
    other = length if other_length is None else other_length
    return {
        "root": (None, (0, 0, 0)),
        "left": ("root", (0.1, 0, 0)),
        "left_end": ("left", (0.1 + length, 0, 0)),
        "right": ("root", (-0.1, 0, start_shift)),
        "right_end": ("right", np.array([-0.1 - other, 0, 0]) + shift),
    }


def normals(planes: list[MirrorPlane]) -> list[list[float]]:
    return [np.abs(plane.normal).round(3).tolist() for plane in planes]


# --- planes ---------------------------------------------------------------------------------------------------------------


def test_a_plane_lies_between_the_ends_of_two_branches_and_mirrors_at_least_four_joints():
    (plane,) = find_mirror_planes(tree_of(two_branches()), 1.0)
    np.testing.assert_allclose(np.abs(plane.normal), [1, 0, 0], atol=1e-12)
    assert plane.offset == pytest.approx(0, abs=1e-12)
    moved = {name: (parent, np.array(head) + [0.7, 0, 0]) for name, (parent, head) in two_branches().items()}
    (plane,) = find_mirror_planes(tree_of(moved), 1.0)
    assert plane.offset * plane.normal[0] == pytest.approx(0.7)
    short = {name: bone for name, bone in two_branches().items() if not name.endswith("end")}
    assert find_mirror_planes(tree_of({**short, "left": ("root", (0.5, 0, 0)), "right": ("root", (-0.5, 0, 0))}), 1.0) == []


@pytest.mark.parametrize("reach, is_found", [(0.125, True), (0.115, False)])
def test_branches_of_planes_reach_an_eighth_of_the_extent(reach: float, is_found: bool):
    assert bool(find_mirror_planes(tree_of(two_branches(length=reach)), 1.0)) == is_found
    assert bool(mirror_symmetry._candidate_planes(tree_of(two_branches(length=reach)), 1.0)) == is_found


@pytest.mark.parametrize("ratio, is_found", [(0.86, True), (0.84, False), (1.17, True), (1.19, False)])
def test_branches_of_planes_reach_about_as_far(ratio: float, is_found: bool):
    """Within 15 % of the longer one's reach."""
    tree = tree_of(two_branches(length=0.4, other_length=0.4 * ratio))
    assert bool(mirror_symmetry._candidate_planes(tree, 1.0)) == is_found


@pytest.mark.parametrize("apart, is_found", [(0.125, True), (0.115, False)])
def test_the_ends_of_branches_are_apart(apart: float, is_found: bool):
    """By four tolerances of 3 %."""
    bones = two_branches() | {"left_end": ("left", (apart / 2, 0, 0.4)), "right_end": ("right", (-apart / 2, 0, 0.4))}
    assert bool(mirror_symmetry._candidate_planes(tree_of(bones), 1.0)) == is_found


@pytest.mark.parametrize("off, count", [(0.028, 4), (0.033, 2)])
def test_joints_match_their_mirror_image_within_three_hundredths(off: float, count: int):
    tree = tree_of(two_branches(shift=(0, off, 0)))
    assert mirror_symmetry._count_mirrored_points(tree.heads, X, 1.0) == count
    assert mirror_symmetry._count_mirrored_points(2 * tree.heads, X, 2.0) == count, "of any size"


@pytest.mark.parametrize("off, count", [(0.028, 2), (0.032, 4)])
def test_joints_on_the_plane_mirror_nothing(off: float, count: int):
    points = np.array([[0.5, 0, 0], [-0.5, 0, 0], [off, 0, 0], [-off, 0, 0]])
    assert mirror_symmetry._count_mirrored_points(points, X, 1.0) == count


def test_planes_are_tried_by_reach_and_are_not_parallel():
    """Normals of a cosine above 0.99, 8 degrees, are of one plane; the first eight are taken."""

    def plane(degrees: float) -> MirrorPlane:
        return MirrorPlane(np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees)), 0]), degrees)

    found = mirror_symmetry._select_distinct_planes([plane(degrees) for degrees in (0, 7, 9, 16, 18, 188, 186.5)])
    assert [each.offset for each in found] == [0, 9, 18]
    assert len(mirror_symmetry._select_distinct_planes([plane(15 * k) for k in range(12)])) == 8
    assert len(mirror_symmetry._select_distinct_planes([plane(15 * k) for k in range(7)])) == 7
    bones = two_branches(length=0.2) | {
        "front": ("root", (0, 0.1, 0)), "front_end": ("front", (0, 0.5, 0)),
        "back": ("root", (0, -0.1, 0)), "back_end": ("back", (0, -0.5, 0)),
    }  # fmt: skip
    assert normals(mirror_symmetry._candidate_planes(tree_of(bones), 1.0)) == [[0, 1, 0], [1, 0, 0]]


def test_the_plane_that_mirrors_most_comes_first():
    bones = two_branches(length=0.2) | {
        "front": ("root", (0, 0.1, 0)), "front_end": ("front", (0, 0.5, 0)), "back": ("root", (0, -0.1, 0)),
        "back_end": ("back", (0, -0.5, 0)),
    }  # fmt: skip
    extra = {f"{side}_{k}": (side, (sign * 0.15, 0.02 * k, 0.3)) for side, sign in (("left", 1), ("right", -1)) for k in (1, 2)}
    assert normals(find_mirror_planes(tree_of(bones | extra), 1.0))[0] == [1, 0, 0]


def test_the_eight_children_that_reach_farthest_are_compared():
    """A wheel of nine spokes: the shortest makes no plane with any other."""
    bones: Bones = {"root": (None, (0, 0, 0))}
    for spoke in range(9):
        angle, reach = 2 * np.pi * spoke / 9 + 0.01 * spoke**2, 0.5 - 0.001 * spoke
        direction = np.array([np.cos(angle), np.sin(angle), 0])
        bones[f"{spoke}"], bones[f"{spoke}_end"] = ("root", 0.1 * direction), (f"{spoke}", (0.1 + reach) * direction)
    assert len(mirror_symmetry._candidate_planes(tree_of(bones), 1.0)) == 8 * 7 // 2


def test_of_large_rigs_some_joints_are_compared(monkeypatch: pytest.MonkeyPatch):
    seen: list[int] = []
    monkeypatch.setattr(mirror_symmetry, "_count_mirrored_points", lambda points, plane, extent: seen.append(len(points)) or 4)
    for extra in (0, 494, 495, 700):
        hair: Bones = {f"hair{k}": ("root", (0, 0.001 * k, 0.2)) for k in range(extra)}
        find_mirror_planes(tree_of(two_branches() | hair), 1.0)
    assert seen == [5, 499, 250, 353]


# --- branches -------------------------------------------------------------------------------------------------------------


def pairs_of(bones: Bones, extent: float = 1.0) -> list[tuple[str, list[str], list[str]]]:
    """The root and the chains, by name, of the pairs at the plane x = 0."""
    names = list(bones)
    pairs = find_branch_pairs(tree_of(bones), X, extent)
    return [(names[pair.root], *([names[bone] for bone in chain] for chain in pair.chains)) for pair in pairs]


def test_a_pair_is_of_chains_of_as_many_bones_to_either_side():
    assert pairs_of(two_branches()) == [("root", ["left", "left_end"], ["right", "right_end"])]
    longer = two_branches() | {"left_tip": ("left_end", (0.5, 0, 0.01))}
    assert pairs_of(longer) == []
    start = two_branches()
    end = start.pop("left_end")[1]
    inner = start | {"left_middle": ("left", (0.3, 0, 0)), "left_end": ("left_middle", end), "right_side": ("right", (-0.3, 0, 0))}
    assert pairs_of(inner) == []
    single: Bones = {"root": (None, (0, 0, 0)), "left": ("root", (0.1, 0, 0)), "right": ("root", (-0.1, 0, 0))}
    assert pairs_of(single) == []


@pytest.mark.parametrize("reach, is_found", [(0.125, True), (0.115, False)])
def test_branches_of_pairs_reach_an_eighth_of_the_extent(reach: float, is_found: bool):
    assert bool(pairs_of(two_branches(length=reach))) == is_found


@pytest.mark.parametrize("off, is_found", [(0.19, True), (0.21, False)])
def test_branches_begin_and_end_near_each_others_mirror_image(off: float, is_found: bool):
    """Both errors together within four tolerances and a fifth of the reach, here 0.12 + 0.08."""
    assert bool(pairs_of(two_branches(shift=(0, 0, off)))) == is_found
    assert bool(pairs_of(two_branches(shift=(0, 0, off / 2), start_shift=off / 2))) == is_found


def test_the_nearest_of_several_branches_is_the_mirror_image():
    candidates = {"far": (-0.1, 0, 0.05), "right": (-0.1, 0, 0), "beside": (-0.12, 0, 0)}
    bones: Bones = {"root": (None, (0, 0, 0)), "left": ("root", (0.1, 0, 0)), "left_end": ("left", (0.5, 0, 0))}
    for name, head in candidates.items():
        bones |= {name: ("root", head), f"{name}_end": (name, np.array(head) - [0.4, 0, 0])}
    names, tree = list(bones), tree_of(bones)
    rows = [names.index(name) for name in candidates]
    assert names[mirror_symmetry._find_mirrored_branch(tree, X, names.index("left"), rows, 1.0) or 0] == "right"
    assert mirror_symmetry._find_mirrored_branch(tree, X, names.index("left"), [], 1.0) is None


@pytest.mark.parametrize("off, is_found", [(0.011, True), (0.013, False)])
def test_a_midline_is_balanced_within_a_hundredth(off: float, is_found: bool):
    """Of a bone and of all its ancestors: the mean of the subtree is on the plane."""
    bones = two_branches()
    moved = {name: (parent, np.array(head, float) + [off, 0, 0]) for name, (parent, head) in bones.items()}
    assert bool(pairs_of(moved)) == is_found
    base: Bones = {"base": (None, (0, 0, -1)), "weight": ("base", (6 * off, 0, -1)), "tip": ("weight", (0, 0, -1))}
    hung = {name: (parent or "base", head) for name, (parent, head) in bones.items()}
    mean = 6 * off / 8
    assert bool(pairs_of(base | hung)) == (mean < 0.012)


def subtree_means(tree: BoneTree) -> FloatArray:
    return np.array([tree.heads[tree.subtree(bone), 0].mean() for bone in range(len(tree))])


def test_a_subtrees_distance_is_the_mean_of_its_joints():
    rng = np.random.default_rng(0)
    bones: Bones = {"0": (None, (0.3, 0, 0))} | {f"{k}": (f"{int(rng.integers(k))}", rng.normal(size=3)) for k in range(1, 20)}
    tree = tree_of(bones)
    np.testing.assert_allclose(mirror_symmetry._mean_subtree_distances(tree, X), subtree_means(tree))
