"""Find a human body in a rig by its shape alone: two legs below and two arms above that mirror each other at a plane.

Nothing is assumed about axes, size and names: the mirror plane comes from branches that match each other, the up direction from the legs
and the spine. Only joint positions count, because importers let bones point anywhere.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from ...core.array_types import FloatArray
from ...core.axis_rotations import unit_vector
from ..rig import SIDES
from .bone_tree import BoneTree
from .limb_fit import ArmFit, LegFit, fit_arm, fit_leg
from .limbs import LimbBones, Limbs
from .mirror_symmetry import BranchPair, MirrorPlane, find_branch_pairs, find_mirror_planes

_MIN_BONES = 8
_MAX_BRANCH_PAIRS = 12  # the pairs of branches that reach farthest are tried as limbs
_SUFFICIENT_FIT = 0.6  # of a body; further mirror planes are not tried
_MIN_SPINE_LEG_COSINE = 0.7  # between the directions up the legs and up the spine
# Leg and arm lengths relative to hip to shoulder: usual values of people, widths of their logarithms, and limits.
_LEG_RATIO, _LEG_RATIO_WIDTH = 1.5, 0.8
_ARM_RATIO, _ARM_RATIO_WIDTH = 1.1, 0.7
_MIN_LIMB_RATIO, _MAX_LIMB_RATIO = 0.35, 4
_FOOTING_WIDTH = 0.15  # leg lengths that something may hang below the feet
_RICHNESS_SCALE = 6  # bones below an arm and a leg; more of them are likelier to be limbs
_MIN_FOOT_LENGTH, _MIN_BEND = 0.05, 0.02  # thigh lengths; shorter feet and smaller bends give no direction
_BLENDER_FORWARD = np.array([0.0, -1.0, 0.0])  # the direction that Blender's own characters face


@dataclass(frozen=True)
class BodyShape:
    """The limbs of a body found by shape. fit: 0..1, how much the body is like a person's."""

    limbs: Limbs
    fit: float


@dataclass(frozen=True)
class _Stance:
    """The legs of a body and its direction up (3,). torso_length: from hips to shoulders. leg_length: from hips to ankles."""

    leg: LegFit
    up: FloatArray
    torso_length: float
    leg_length: float


def find_body_by_shape(tree: BoneTree, excluded_bones: Collection[int] = ()) -> BodyShape | None:
    """Find the body in a rig by its shape alone.

    Args:
        excluded_bones: bones whose names say that they are no arms or legs, such as wings; branches that begin with them are left out.

    Returns:
        None if no two legs and two arms that mirror each other hang from one spine.
    """
    if len(tree) < _MIN_BONES:
        return None
    extent = float(np.ptp(tree.heads, axis=0).max())
    if extent <= 0:
        return None
    best = None
    for plane in find_mirror_planes(tree, extent):
        for body in _candidate_bodies(tree, plane, extent, excluded_bones):
            if best is None or body.fit > best.fit:
                best = body
        if best is not None and best.fit > _SUFFICIENT_FIT:
            break
    return best


def _candidate_bodies(tree: BoneTree, plane: MirrorPlane, extent: float, excluded_bones: Collection[int]) -> list[BodyShape]:
    """The bodies that any two pairs of mirrored branches make as legs and arms."""
    pairs = [pair for pair in find_branch_pairs(tree, plane, extent) if not _is_excluded(pair, excluded_bones)]
    pairs = sorted(pairs, key=lambda pair: -tree.reach[pair.chains[0][0]])[:_MAX_BRANCH_PAIRS]
    bodies = (_fit_body(tree, plane, legs, arms) for legs in pairs for arms in pairs if legs is not arms)
    return [body for body in bodies if body is not None]


def _is_excluded(pair: BranchPair, excluded_bones: Collection[int]) -> bool:
    """Whether at least half of the first bones of a branch are excluded."""
    first_bones = pair.chains[0][:3]
    return 2 * sum(bone in excluded_bones for bone in first_bones) >= len(first_bones)


# --- a body of two legs and two arms -------------------------------------------------------------------------------------


def _fit_body(tree: BoneTree, plane: MirrorPlane, legs: BranchPair, arms: BranchPair) -> BodyShape | None:
    """The body with these pairs of branches as legs and arms; None if they cannot be."""
    if not _are_connected(tree, legs.root, arms.root):
        return None
    leg_points, arm_points = _chain_points(tree, legs), _chain_points(tree, arms)
    arm = fit_arm(tree, arms.chains, arm_points)
    if arm is None:
        return None
    stance = _fit_stance(plane, leg_points, shoulders=arm_points[:, arm.upper_arm].mean(0))
    if stance is None or not _has_head(tree, plane, arms, stance.up):
        return None
    body_fit = _body_fit(tree, legs, arms, leg_points, stance, arm)
    if body_fit is None:
        return None
    forward = _forward_direction(plane, leg_points.mean(0), arm_points.mean(0), stance, arm)
    left = np.cross(stance.up, forward)
    limbs: Limbs = {}
    for number in (0, 1):
        for limb, pair, points, part_starts in (
            ("leg", legs, leg_points, stance.leg.part_starts()),
            ("arm", arms, arm_points, arm.part_starts()),
        ):
            is_left = (points[number] - points[1 - number]).mean(0) @ left > 0
            limbs[SIDES[0 if is_left else 1], limb] = _bones_by_part(pair.chains[number], part_starts)
    return BodyShape(limbs, body_fit) if len(limbs) == 4 else None


def _chain_points(tree: BoneTree, pair: BranchPair) -> FloatArray:
    """The joints (2,N,3) of two mirrored chains."""
    return np.array([tree.heads[chain] for chain in pair.chains])


def _are_connected(tree: BoneTree, leg_root: int, arm_root: int) -> bool:
    """Whether legs and arms belong to one skeleton and the legs do not hang from the chest."""
    legs_hang_from_arms = leg_root != arm_root and tree.is_descendant(leg_root, arm_root)
    return tree.chain_from_root(leg_root)[0] == tree.chain_from_root(arm_root)[0] and not legs_hang_from_arms


def _fit_stance(plane: MirrorPlane, leg_points: FloatArray, shoulders: FloatArray) -> _Stance | None:
    """Fit the legs and the direction up, which depend on each other: up follows the spine at first, then spine and legs."""
    joints = leg_points.mean(0)  # of a leg midway between the two
    up = unit_vector(plane.project_direction(shoulders - joints[0]))
    stance = None
    for _ in range(2):
        leg = fit_leg(leg_points, up)
        if leg is None:
            return None
        hips, ankles = joints[leg.upper_leg], joints[-1 if leg.foot is None else leg.foot]
        spine, legs_up = plane.project_direction(shoulders - hips), plane.project_direction(hips - ankles)
        torso_length, leg_length = float(np.linalg.norm(spine)), float(np.linalg.norm(legs_up))
        if min(torso_length, leg_length) <= 0 or spine @ legs_up < _MIN_SPINE_LEG_COSINE * torso_length * leg_length:
            return None
        up = unit_vector(spine / torso_length + legs_up / leg_length)
        stance = _Stance(leg, up, torso_length, leg_length)
    return stance


def _has_head(tree: BoneTree, plane: MirrorPlane, arms: BranchPair, up: FloatArray) -> bool:
    """Whether something rises above the shoulders on the midline."""
    arm_bones = [chain[0] for chain in arms.chains]
    shoulders = tree.heads[arm_bones].mean(0)
    chain = arms.chains[0]
    arm_length = np.linalg.norm(tree.heads[chain[-1]] - tree.heads[chain[0]])
    for branch in tree.children[arms.root]:
        if branch in arm_bones:
            continue
        top = max((tree.heads[bone] for bone in tree.subtree(branch)), key=lambda point: point @ up)
        rise = top - shoulders
        if rise @ up > 0.04 * arm_length and abs(rise @ plane.normal) < 0.1 * arm_length:
            return True
    return False


def _body_fit(tree: BoneTree, legs: BranchPair, arms: BranchPair, leg_points: FloatArray, stance: _Stance, arm: ArmFit) -> float | None:
    """How much a body is like a person's, 0..1; None for impossible proportions.

    People, toys and giants among them, have certain proportions and their feet at the bottom, and their limbs carry more bones than
    other branches.
    """
    leg_ratio, arm_ratio = stance.leg_length / stance.torso_length, arm.length / stance.torso_length
    if not all(_MIN_LIMB_RATIO < ratio < _MAX_LIMB_RATIO for ratio in (leg_ratio, arm_ratio)):
        return None
    leg_deviation = np.log(leg_ratio / _LEG_RATIO) / _LEG_RATIO_WIDTH
    arm_deviation = np.log(arm_ratio / _ARM_RATIO) / _ARM_RATIO_WIDTH
    proportions = np.exp(-0.5 * (leg_deviation**2 + arm_deviation**2))
    body_bones = tree.subtree(tree.common_ancestor([legs.root, arms.root]))
    feet_height, lowest_height = (leg_points @ stance.up).min(), (tree.heads[body_bones] @ stance.up).min()
    footing = np.exp(-max(0.0, (feet_height - lowest_height) / stance.leg_length) / _FOOTING_WIDTH)
    num_limb_bones = tree.subtree_sizes[arms.chains[0][0]] + tree.subtree_sizes[legs.chains[0][0]]
    richness = 1 - np.exp(-num_limb_bones / _RICHNESS_SCALE)
    return float((proportions * stance.leg.fit * arm.fit) ** (1 / 3) * footing * (0.6 + 0.4 * richness))


def _bones_by_part(chain: list[int], part_starts: dict[str, int]) -> LimbBones:
    """The bones of each part of a chain; the last part has one bone."""
    starts = list(part_starts.values())
    stops = [*starts[1:], starts[-1] + 1]
    return {part: chain[start:stop] for part, start, stop in zip(part_starts, starts, stops, strict=True)}


def _forward_direction(plane: MirrorPlane, leg_joints: FloatArray, arm_joints: FloatArray, stance: _Stance, arm: ArmFit) -> FloatArray:
    """The direction (3,) that the body faces: of the feet, else of the bend of knees and elbows, else that of Blender's characters.

    leg_joints, arm_joints: (N,3) of a leg and an arm midway between the two sides.
    """
    leg, up = stance.leg, stance.up

    def horizontal(direction: FloatArray) -> FloatArray:
        return direction - (direction @ up) * up - (direction @ plane.normal) * plane.normal

    thigh_length = np.linalg.norm(leg_joints[leg.lower_leg] - leg_joints[leg.upper_leg])
    if leg.foot is not None and leg.toes is not None:
        feet = horizontal(leg_joints[leg.toes] - leg_joints[leg.foot])
        if np.linalg.norm(feet) > _MIN_FOOT_LENGTH * thigh_length:
            return unit_vector(feet)
    # Knees bend forward, elbows backward.
    knees = elbows = np.zeros(3)
    if leg.foot is not None:
        knees = horizontal(leg_joints[leg.lower_leg] - (leg_joints[leg.upper_leg] + leg_joints[leg.foot]) / 2)
    if arm.hand is not None:
        elbows = horizontal(arm_joints[arm.lower_arm] - (arm_joints[arm.upper_arm] + arm_joints[arm.hand]) / 2)
    bend = knees - elbows
    if np.linalg.norm(bend) > _MIN_BEND * thigh_length:
        return unit_vector(bend)
    usual = horizontal(_BLENDER_FORWARD)
    if np.linalg.norm(usual) < 0.3:
        usual = np.cross(plane.normal, up)
    return unit_vector(usual)
