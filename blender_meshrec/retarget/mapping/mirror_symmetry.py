"""Find the mirror planes of a rig at rest and the pairs of branches that mirror each other at one."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ...core.array_types import BoolArray, FloatArray
from .bone_tree import BoneTree

# As fractions of the rig's extent:
MIRROR_TOLERANCE = 0.03  # joints nearer than this to a mirror image match it
_MIDLINE_TOLERANCE = 0.012  # a branch whose mean is nearer to the plane than this belongs to neither side
_MIN_BRANCH_REACH = 0.12  # branches that reach less far are no limbs
_MAX_REACH_DIFFERENCE = 0.15  # between mirrored branches, as a fraction of the reach
_MAX_REACH_ERROR = 0.2  # the same fraction, added to the tolerance of mirrored joints
_MAX_PARALLEL_COSINE = 0.99  # planes whose normals are more parallel are the same
_MIN_MIRRORED_BONES = 4
# To limit the time taken on rigs of hundreds of bones:
_MAX_COMPARED_BONES = 250
_MAX_CHILDREN = 8  # of each bone, the ones that reach farthest
_MAX_PLANES = 8


@dataclass(frozen=True)
class MirrorPlane:
    """The plane of the points p with p @ normal = offset. normal: (3,) unit."""

    normal: FloatArray
    offset: float

    def distances(self, points: FloatArray) -> FloatArray:
        """Signed distances of points (...,3)."""
        return points @ self.normal - self.offset

    def mirror(self, points: FloatArray) -> FloatArray:
        """The mirror images of points (...,3)."""
        return points - 2 * np.asarray(self.distances(points))[..., None] * self.normal

    def project_direction(self, vector: FloatArray) -> FloatArray:
        """The component of a vector (3,) that is parallel to the plane."""
        return vector - vector @ self.normal * self.normal


@dataclass(frozen=True)
class BranchPair:
    """Two chains of as many bones that mirror each other. root: the bone on the midline that both hang from."""

    root: int
    chains: tuple[list[int], list[int]]


# --- planes --------------------------------------------------------------------------------------------------------------


def find_mirror_planes(tree: BoneTree, extent: float) -> list[MirrorPlane]:
    """The planes at which much of the rig mirrors, the one with the most mirrored bones first."""
    points = tree.heads[:: max(1, len(tree) // _MAX_COMPARED_BONES)]
    planes = [(_count_mirrored_points(points, plane, extent), plane) for plane in _select_distinct_planes(_candidate_planes(tree, extent))]
    planes.sort(key=lambda scored: -scored[0])
    return [plane for count, plane in planes if count >= _MIN_MIRRORED_BONES]


def _candidate_planes(tree: BoneTree, extent: float) -> list[MirrorPlane]:
    """The planes between the ends of any two sibling branches of about equal reach, those of the farthest reach first."""
    candidates: list[tuple[float, MirrorPlane]] = []
    for children in tree.children:
        longest = sorted(children, key=lambda child: -tree.reach[child])[:_MAX_CHILDREN]
        for first, second in combinations(longest, 2):
            reach = tree.reach[first]
            if reach < _MIN_BRANCH_REACH * extent or abs(reach - tree.reach[second]) > _MAX_REACH_DIFFERENCE * reach:
                continue
            ends = [tree.heads[tree.longest_chain(branch)[-1]] for branch in (first, second)]
            between = ends[0] - ends[1]
            length = np.linalg.norm(between)
            if length > 4 * MIRROR_TOLERANCE * extent:
                candidates.append((reach, MirrorPlane(between / length, float((ends[0] + ends[1]) @ between / (2 * length)))))
    candidates.sort(key=lambda candidate: -candidate[0])
    return [plane for _, plane in candidates]


def _select_distinct_planes(candidates: list[MirrorPlane]) -> list[MirrorPlane]:
    """The first candidates that are not parallel to one before."""
    selected: list[MirrorPlane] = []
    for plane in candidates:
        if all(abs(plane.normal @ other.normal) <= _MAX_PARALLEL_COSINE for other in selected):
            selected.append(plane)
        if len(selected) == _MAX_PLANES:
            break
    return selected


def _count_mirrored_points(points: FloatArray, plane: MirrorPlane, extent: float) -> int:
    """How many points off the plane have another point at their mirror image."""
    tolerance = MIRROR_TOLERANCE * extent
    squared_distances = ((plane.mirror(points)[:, None] - points[None]) ** 2).sum(-1)
    is_off_plane = np.abs(plane.distances(points)) > tolerance
    return int(np.sum(is_off_plane & (squared_distances.min(1) ** 0.5 < tolerance)))


# --- branches ------------------------------------------------------------------------------------------------------------


def find_branch_pairs(tree: BoneTree, plane: MirrorPlane, extent: float) -> list[BranchPair]:
    """The pairs of mirrored branches that leave the midline of the body to either side."""
    mean_distances = _mean_subtree_distances(tree, plane)
    is_midline = _midline_bones(tree, mean_distances, extent)
    pairs: list[BranchPair] = []
    for root in np.flatnonzero(is_midline).tolist():
        branches = [child for child in tree.children[root] if not is_midline[child] and tree.reach[child] > _MIN_BRANCH_REACH * extent]
        other_side = [branch for branch in branches if mean_distances[branch] < 0]
        for branch in (branch for branch in branches if mean_distances[branch] > 0):
            mirrored = _find_mirrored_branch(tree, plane, branch, other_side, extent)
            if mirrored is None:
                continue
            chains = tree.longest_chain(branch), tree.longest_chain(mirrored)
            if len(chains[0]) == len(chains[1]) and len(chains[0]) >= 2:
                pairs.append(BranchPair(root, chains))
    return pairs


def _mean_subtree_distances(tree: BoneTree, plane: MirrorPlane) -> FloatArray:
    """The mean signed distance from the plane, (B,), over each bone's subtree."""
    sums = plane.distances(tree.heads)
    for bone in range(len(tree) - 1, -1, -1):
        if tree.parents[bone] >= 0:
            sums[tree.parents[bone]] += sums[bone]
    return sums / tree.subtree_sizes


def _midline_bones(tree: BoneTree, mean_distances: FloatArray, extent: float) -> BoolArray:
    """Whether each bone (B,) and all its ancestors have subtrees that are balanced about the plane."""
    is_midline = np.zeros(len(tree), bool)
    for bone, parent in enumerate(tree.parents):
        is_midline[bone] = (parent < 0 or is_midline[parent]) and abs(mean_distances[bone]) < _MIDLINE_TOLERANCE * extent
    return is_midline


def _find_mirrored_branch(tree: BoneTree, plane: MirrorPlane, branch: int, candidates: list[int], extent: float) -> int | None:
    """The candidate that begins and ends nearest to the mirror image of a branch; None if none is near enough."""
    start, end = (plane.mirror(tree.heads[bone]) for bone in (branch, tree.longest_chain(branch)[-1]))

    def mirror_error(candidate: int) -> float:
        last = tree.longest_chain(candidate)[-1]
        return float(np.linalg.norm(tree.heads[candidate] - start) + np.linalg.norm(tree.heads[last] - end))

    nearest = min(candidates, key=mirror_error, default=None)
    if nearest is None or mirror_error(nearest) >= 4 * MIRROR_TOLERANCE * extent + _MAX_REACH_ERROR * tree.reach[branch]:
        return None
    return nearest
