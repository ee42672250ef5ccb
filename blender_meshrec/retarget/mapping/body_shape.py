"""A human found by its shape alone: two legs below, two arms above, mirrored at a plane, whatever the bones are called.

Nothing is assumed about axes, size or names: the mirror plane comes from branches that match each other, up from the legs and
the spine. Importers let bones point anywhere, most of all those that nothing hangs from: only joints count.
"""

from dataclasses import dataclass

import numpy as np

from ..rig import SIDES
from .chains import ARM, LEG
from .limb_fit import fit_arm, fit_leg, unit

_MIRROR_TOLERANCE = 0.03  # of the rig's extent: nearer bones stand on the same place, mirrored or not
_CENTRE_TOLERANCE = 0.012  # of the extent: a branch whose middle lies nearer to the mirror plane than this does not belong to a side
_MIN_SPINE_LEG_COSINE = 0.7  # cosine between the way up the legs and the way up the spine
_MIN_BRANCH_REACH = 0.12  # of the extent: branches that reach less far are no limbs
_MAX_COMPARED_BONES = 250  # compared with each other when planes are tried
_MAX_BRANCH_PAIRS = 12  # longest pairs of branches that may be limbs


@dataclass
class BodyShape:
    """A body as its shape tells it.

    limbs: (side, "arm" or "leg") -> part -> bones. fit: 0..1, how much like a person.
    """

    limbs: dict
    fit: float


def find_body_by_shape(tree, excluded_bones=()):
    """The body in a rig by its shape alone.

    Args:
        excluded_bones: bones that names tell to be no arms or legs, such as wings; a branch that begins with them is none.

    Returns:
        a BodyShape, or None where no two legs and two arms that mirror each other hang from one spine.
    """
    if len(tree) < 8:
        return None
    extent = float(np.ptp(tree.heads, axis=0).max())
    if extent <= 0:
        return None
    best = None
    for normal, offset in _find_mirror_planes(tree, extent):
        branches = [
            branch for branch in _find_mirrored_branches(tree, normal, offset, extent) if not _most_are_in(branch[1][:3], excluded_bones)
        ]
        branches = sorted(branches, key=lambda branch: -tree.reach[branch[1][0]])[:_MAX_BRANCH_PAIRS]
        for legs in branches:
            for arms in branches:
                if legs is not arms and (body := _fit_body(tree, normal, legs, arms)) and (best is None or body.fit > best.fit):
                    best = body
        if best is not None and best.fit > 0.6:
            break
    return best


def _most_are_in(bones, kind):
    return 2 * sum(bone in kind for bone in bones) >= len(bones)


# --- the mirror plane --------------------------------------------------------------------------------------------------


def _find_mirror_planes(tree, extent):
    """Planes at which much of the rig mirrors, best first: (unit normal, offset)."""
    candidates = []
    for bone, children in enumerate([*tree.children, tree.roots]):
        origin = tree.heads[bone] if bone < len(tree) else None
        children = sorted(children, key=lambda child: -tree.reach[child])[:8]
        for first in range(len(children)):
            for second in range(first + 1, len(children)):
                a, b = children[first], children[second]
                if tree.reach[a] < _MIN_BRANCH_REACH * extent or abs(tree.reach[a] - tree.reach[b]) > 0.15 * tree.reach[a]:
                    continue
                ends = [tree.heads[_longest_chain(tree, branch)[-1]] for branch in (a, b)]
                between = ends[0] - ends[1]
                if origin is not None and (length := np.linalg.norm(between)) > 4 * _MIRROR_TOLERANCE * extent:
                    candidates.append((tree.reach[a], between / length, (ends[0] + ends[1]) @ between / (2 * length)))
    candidates.sort(key=lambda candidate: -candidate[0])
    tried, planes = [], []
    step = max(1, len(tree) // _MAX_COMPARED_BONES)
    points = tree.heads[::step]
    for _, normal, offset in candidates:
        if any(abs(normal @ other) > 0.99 for other in tried):
            continue
        tried.append(normal)
        off_plane = points @ normal - offset
        mirrored = points - 2 * off_plane[:, None] * normal
        nearest = ((mirrored[:, None] - points[None]) ** 2).sum(-1).min(1) ** 0.5
        outside = np.abs(off_plane) > _MIRROR_TOLERANCE * extent
        planes.append((np.sum(outside & (nearest < _MIRROR_TOLERANCE * extent)), normal, offset))
        if len(tried) == 8:
            break
    planes.sort(key=lambda plane: -plane[0])
    return [(normal, offset) for count, normal, offset in planes if count >= 4]


def _longest_chain(tree, bone):
    """From a bone down the way that reaches farthest."""
    chain = [bone]
    while children := tree.children[chain[-1]]:
        here = tree.heads[chain[-1]]
        chain.append(max(children, key=lambda child: np.linalg.norm(tree.heads[child] - here) + tree.reach[child]))
    return chain


# --- branches to either side ---------------------------------------------------------------------------------------------


def _find_mirrored_branches(tree, normal, offset, extent):
    """Pairs of branches that leave the middle of the body to either side: (bone in the middle, one chain, its mirror image)."""
    side = tree.heads @ normal - offset
    sums = side.copy()
    for bone in range(len(tree) - 1, -1, -1):
        if tree.parents[bone] >= 0:
            sums[tree.parents[bone]] += sums[bone]
    mean = sums / tree.subtree_sizes
    middle = np.zeros(len(tree), bool)
    found = []
    for bone in range(len(tree)):
        parent = tree.parents[bone]
        middle[bone] = (parent < 0 or middle[parent]) and abs(mean[bone]) < _CENTRE_TOLERANCE * extent
    for bone in np.flatnonzero(middle):
        sided = [child for child in tree.children[bone] if not middle[child] and tree.reach[child] > _MIN_BRANCH_REACH * extent]
        ones, others = [c for c in sided if mean[c] > 0], [c for c in sided if mean[c] < 0]
        for one in ones:
            image = tree.heads[one] - 2 * side[one] * normal
            end = tree.heads[_longest_chain(tree, one)[-1]]
            end = end - 2 * (end @ normal - offset) * normal

            def apart(other, image=image, end=end):
                return np.linalg.norm(tree.heads[other] - image) + np.linalg.norm(tree.heads[_longest_chain(tree, other)[-1]] - end)

            other = min(others, key=apart, default=None)
            if other is not None and apart(other) < 4 * _MIRROR_TOLERANCE * extent + 0.2 * tree.reach[one]:
                chains = _longest_chain(tree, one), _longest_chain(tree, other)
                if len(chains[0]) == len(chains[1]) and len(chains[0]) >= 2:
                    found.append((int(bone), *chains))
    return found


# --- a body of two legs and two arms -------------------------------------------------------------------------------------


def _chain_points(tree, chains):
    """Where two mirrored chains have their joints: (2,N,3)."""
    return np.array([tree.heads[chain] for chain in chains])


def _project_to_plane(vector, normal):
    """The part of a vector that lies in the mirror plane."""
    return vector - vector @ normal * normal


def _fit_body(tree, normal, legs, arms):
    if len(legs[1]) < 2 or len(arms[1]) < 2 or not _are_connected(tree, legs[0], arms[0]):
        return None
    leg_points, arm_points = _chain_points(tree, legs[1:]), _chain_points(tree, arms[1:])
    arm = fit_arm(tree, arms[1:], arm_points)
    if arm is None:
        return None
    # Up is where the spine goes and the legs come from; what is thigh, shin and foot is seen with the spine alone at first.
    shoulders = arm_points[:, arm["upper_arm"]].mean(0)
    middles = leg_points.mean(0)
    up = unit(_project_to_plane(shoulders - middles[0], normal))
    for _ in range(2):
        leg = fit_leg(leg_points, up)
        if leg is None:
            return None
        hips, ankles = middles[leg["upper_leg"]], middles[-1 if leg["foot"] is None else leg["foot"]]
        spine, legs_up = _project_to_plane(shoulders - hips, normal), _project_to_plane(hips - ankles, normal)
        torso_length, leg_length = np.linalg.norm(spine), np.linalg.norm(legs_up)
        if min(torso_length, leg_length) <= 0 or spine @ legs_up < _MIN_SPINE_LEG_COSINE * torso_length * leg_length:
            return None
        up = unit(spine / torso_length + legs_up / leg_length)
    floor = (leg_points @ up).min()
    if _head_branch(tree, arms, normal, up) is None:
        return None
    # What people's proportions are like, toys and giants among them: legs 1.5 and arms 1.1 of hip to shoulder, feet lowest.
    leg_ratio, arm_ratio = leg_length / torso_length, arm["length"] / torso_length
    if not (0.35 < leg_ratio < 4 and 0.35 < arm_ratio < 4):
        return None
    proportions = np.exp(-0.5 * ((np.log(leg_ratio / 1.5) / 0.8) ** 2 + (np.log(arm_ratio / 1.1) / 0.7) ** 2))
    lowest = (tree.heads[tree.subtree(tree.common_ancestor([legs[0], arms[0]]))] @ up).min()
    footing = np.exp(-max(0.0, (floor - lowest) / leg_length) / 0.15)
    richness = 1 - np.exp(-(tree.subtree_sizes[arms[1][0]] + tree.subtree_sizes[legs[1][0]]) / 6)
    fit = float((proportions * leg["fit"] * arm["fit"]) ** (1 / 3) * footing * (0.6 + 0.4 * richness))
    left = np.cross(up, _forward_direction(leg_points, leg, arm_points, arm, up, normal))
    limbs = {}
    for which in (0, 1):
        side = SIDES[0 if (leg_points[which] - leg_points[1 - which]).mean(0) @ left > 0 else 1]
        limbs[side, "leg"] = _bones_by_part(legs[1 + which], leg, LEG)
        arm_side = SIDES[0 if (arm_points[which] - arm_points[1 - which]).mean(0) @ left > 0 else 1]
        limbs[arm_side, "arm"] = _bones_by_part(arms[1 + which], arm, ARM)
    if len(limbs) < 4:
        return None
    return BodyShape(limbs, fit)


def _are_connected(tree, legs_from, arms_from):
    return tree.chain_from_root(legs_from)[0] == tree.chain_from_root(arms_from)[0] and not (
        legs_from != arms_from and tree.is_descendant(legs_from, arms_from)
    )  # legs never hang from the chest


def _bones_by_part(chain, fit, parts):
    """The bones of each part, from where each part begins in the chain."""
    starts = [(part, fit[part]) for part in parts if fit.get(part) is not None]
    bones = {}
    for number, (part, start) in enumerate(starts):
        stop = starts[number + 1][1] if number + 1 < len(starts) else start + 1
        bones[part] = list(chain[start:stop])
    return bones


def _forward_direction(leg_points, leg, arm_points, arm, up, normal):
    """Which way the body faces: feet point forward, else knees bend forward and elbows backward, else as Blender's own characters do."""

    def level(direction):
        return direction - (direction @ up) * up - (direction @ normal) * normal

    legs, arms = leg_points.mean(0), arm_points.mean(0)
    length = np.linalg.norm(legs[leg["lower_leg"]] - legs[leg["upper_leg"]])
    if leg["toes"] is not None:
        feet = level(legs[leg["toes"]] - legs[leg["foot"]])
        if np.linalg.norm(feet) > 0.05 * length:
            return unit(feet)
    knees = elbows = np.zeros(3)
    if leg["foot"] is not None:
        knees = level(legs[leg["lower_leg"]] - (legs[leg["upper_leg"]] + legs[leg["foot"]]) / 2)
    if arm["hand"] is not None:
        elbows = level(arms[arm["lower_arm"]] - (arms[arm["upper_arm"]] + arms[arm["hand"]]) / 2)
    bend = knees - elbows
    if np.linalg.norm(bend) > 0.02 * length:
        return unit(bend)
    usual = level(np.array([0.0, -1.0, 0.0]))  # what Blender's own characters face
    if np.linalg.norm(usual) < 0.3:
        usual = np.cross(normal, up)
    return unit(usual)


def _head_branch(tree, arms, normal, up):
    """The bone of the middle that rises above the shoulders, or None."""
    shoulders = tree.heads[[arms[1][0], arms[2][0]]].mean(0)
    sided = {arms[1][0], arms[2][0]}
    above = [child for child in tree.children[arms[0]] if child not in sided]
    reach = np.linalg.norm(tree.heads[arms[1][-1]] - tree.heads[arms[1][0]])
    for child in sorted(above, key=lambda child: -tree.reach[child]):
        top = max([tree.heads[bone] for bone in tree.subtree(child)], key=lambda point: point @ up)
        rise = top - shoulders
        if rise @ up > 0.04 * reach and abs(rise @ normal) < 0.1 * reach:
            return child
    return None


# --- the neck and head -----------------------------------------------------------------------------------------------


def find_neck_and_head(tree, limbs, arm_root):
    """The bones of neck and head above the bone the arms hang from, by where they lie.

    Returns:
        neck bones and the head, None where nothing rises above the shoulders. `arm_root` itself comes first among the neck's
        where it lies as high as the shoulders.
    """
    shoulders = np.mean([tree.heads[limbs[side, "arm"]["upper_arm"][0]] for side in SIDES], axis=0)
    hips = np.mean([tree.heads[limbs[side, "leg"]["upper_leg"][0]] for side in SIDES], axis=0)
    up = shoulders - hips
    torso = np.linalg.norm(up) or 1.0
    up = up / torso
    across = tree.heads[limbs["left", "arm"]["upper_arm"][0]] - tree.heads[limbs["right", "arm"]["upper_arm"][0]]
    across = across / (np.linalg.norm(across) or 1.0)
    arm_bones = {bone for side in SIDES for bones in limbs[side, "arm"].values() for bone in bones}

    def rise(bone):
        return (tree.heads[bone] - shoulders) @ up / torso

    def centred(bone):
        return abs((tree.heads[bone] - shoulders) @ across) < 0.06 * torso

    line, here = [], arm_root
    while True:
        onward = [c for c in tree.children[here] if not arm_bones.intersection(tree.subtree(c)) and centred(c) and rise(c) > rise(here)]
        if not onward:
            break
        # Straight on up the middle rather than to hair, jaw or a necktie: the branch with most of the head on it.
        here = max(onward, key=lambda child: (tree.subtree_sizes[child], tree.reach[child]))
        line.append(here)
        if len([c for c in tree.children[here] if not centred(c)]) >= 2:
            break  # eyes, ears or cheeks: this is the head
    line = [bone for bone in line if rise(bone) > -0.15]
    if not line:
        return [], None
    # A head turns where the skull sits on the neck, not at its crown, where "end" bones begin; feet tell whether there are any.
    toes = [limbs[side, "leg"].get("toes") for side in SIDES]
    if len(line) > 1 and not tree.children[line[-1]] and all(toes) and all(tree.children[bones[-1]] for bones in toes):
        line = line[:-1]
    low = [bone for bone in line if rise(bone) < 0.45] or line[:1]
    head = low[-1]
    neck = low[:-1]
    if rise(arm_root) > -0.08:
        neck = [arm_root, *neck]
    return neck, head
