"""Which joints along a chain are hip, knee and ankle, or shoulder, elbow and wrist: the least strange reading of its bends and lengths."""

import numpy as np

_MISSING_END_COST = 2.0  # what it costs to take a limb's last bone for its shin or forearm: most limbs have feet and hands


def unit(vector):
    """A vector of length one, or of none."""
    return vector / (np.linalg.norm(vector) or 1.0)


def _log_ratio_cost(value, expected, width):
    return ((np.log(max(value, 1e-6)) - np.log(expected)) / width) ** 2


def _bend_cost(points):
    """How much a stretch of chain bends inside, in units of 15 degrees, squared: a long bone cut in two is straight."""
    steps, whole = np.diff(points, axis=0), points[-1] - points[0]
    lengths = np.linalg.norm(steps, axis=1) * np.linalg.norm(whole)
    cosines = np.divide(steps @ whole, lengths, out=np.ones(len(steps)), where=lengths > 0)
    return float((np.arccos(np.clip(cosines.min(), -1, 1)) / np.radians(15)) ** 2)


def fit_leg(points, up):
    """Where along a chain of joints hip, knee, ankle and ball of the foot are.

    Args:
        points: (2,N,3) the joints of two mirrored legs, in any unit. up: (3,) unit.

    Returns:
        part -> number of the joint it begins at, None where the chain ends before; "fit" is 0..1. None where nothing fits.
    """
    joints = points.mean(0)  # a leg between the two legs
    joint_count = len(joints)
    heights = joints @ up
    floor = heights.min()
    whole = np.linalg.norm(np.diff(points[0], axis=0), axis=1).sum() or 1.0
    out = points[0] - points[1]
    sideways = np.linalg.norm(out, axis=1)
    best = None
    for hip in range(joint_count - 1):
        # A connection from the middle of the body to the hip joint ends farther out than it begins, and hardly lower.
        connection = sum(np.linalg.norm(points[0, i + 1] - points[0, i]) for i in range(hip))
        for knee in range(hip + 1, joint_count):
            upper = np.linalg.norm(points[0, knee] - points[0, hip])
            total = heights[hip] - floor
            if min(upper, total) <= 0:
                continue
            thigh = (points[0, knee] - points[0, hip]) / upper
            cost_of_thigh = _bend_cost(points[0, hip : knee + 1])
            cost_of_thigh += (max(0.0, 0.8 + thigh @ up) / 0.2) ** 2
            cost_of_thigh += 2.0 * (sideways[hip] < 0.3 * sideways[knee])
            for ankle in range(knee + 1, joint_count + 1):
                cost, lower = cost_of_thigh, upper  # a shin that nothing hangs from: as long as the thigh
                if ankle == joint_count:
                    cost += _MISSING_END_COST + 4.0 * (ankle - 1 - knee)
                else:
                    lower = np.linalg.norm(points[0, ankle] - points[0, knee])
                    if lower <= 0:
                        continue
                    shin = (points[0, ankle] - points[0, knee]) / lower
                    cost += _bend_cost(points[0, knee : ankle + 1]) + _log_ratio_cost(upper / lower, 1.05, 0.3)
                    cost += (max(0.0, (heights[ankle] - floor) / total - 0.09) / 0.12) ** 2
                    cost += (max(0.0, 0.5 - (upper + lower) / whole) / 0.1) ** 2  # thigh and shin are most of a leg
                    cost += (max(0.0, 0.9 + shin @ up) / 0.15) ** 2
                if ankle + 1 < joint_count:
                    onward = unit(points[0, ankle + 1] - points[0, ankle])
                    cost += 2 * max(0.0, -onward @ up - 0.75) / 0.25  # a foot points forward, less down than a shin
                cost += (connection / (upper + lower) / 0.25) ** 2 * (sideways[0] > 0.6 * sideways[hip])
                if best is None or cost < best[0]:
                    best = (cost, hip, knee, ankle)
    if best is None:
        return None
    cost, hip, knee, ankle = best
    fit = {"upper_leg": hip, "lower_leg": knee, "foot": ankle if ankle < joint_count else None, "toes": None}
    if ankle + 1 < joint_count:
        fit["toes"] = ankle + 1
    return {**fit, "fit": float(np.exp(-0.08 * cost))}


def fit_arm(tree, chains, points):
    """Where along a chain of joints shoulder, elbow and wrist are; a clavicle where something comes before.

    Args:
        tree: a BoneTree. chains: two mirrored arms' bones. points: (2,N,3) where they begin, in any unit.

    Returns:
        part -> number of the joint it begins at, None where the chain ends before; "fit" is 0..1, "length" that of upper arm and
        forearm. None where nothing fits.
    """
    joint_count = points.shape[1]
    steps = np.linalg.norm(np.diff(points[0], axis=0), axis=1)
    sideways = np.linalg.norm(points[0] - points[1], axis=1)
    # Fingers leave the hand: the first joint from which three chains or more go on is the hand or hangs from it.
    fans = [i for i, bone in enumerate(chains[0]) if sum(tree.subtree_sizes[child] >= 2 for child in tree.children[bone]) >= 3]
    hand_at = next((i for i in fans if i >= 2), None)
    best = None
    for shoulder in range(min(4, joint_count - 1)):
        for elbow in range(shoulder + 1, joint_count):
            for wrist in range(elbow + 1, joint_count + 1):
                before, upper, lower, after = (part.sum() for part in np.split(steps, (shoulder, elbow, wrist)))
                cost = _bend_cost(points[0, shoulder : elbow + 1])
                if wrist == joint_count:
                    lower = upper  # a forearm that nothing hangs from
                    cost += _MISSING_END_COST + 4.0 * (wrist - 1 - elbow)
                elif lower > 0 and upper > 0:
                    cost += _bend_cost(points[0, elbow : wrist + 1]) + _log_ratio_cost(upper / lower, 1.1, 0.25)
                    cost += (max(0.0, after / lower - 0.8) / 0.25) ** 2
                    if wrist + 1 < joint_count:
                        cost += (max(0.0, 0.22 - after / lower) / 0.15) ** 2
                if min(upper, lower) <= 0:
                    continue
                cost += (max(0.0, before / (upper + lower) - 0.3) / 0.12) ** 2
                if shoulder == 0:  # an upper arm begins well to the side of the body
                    cost += (max(0.0, 0.35 - sideways[0] / (upper + lower)) / 0.12) ** 2
                if hand_at is not None:
                    cost += 6.0 * abs(wrist - hand_at)
                if best is None or cost < best[0]:
                    best = (cost, shoulder, elbow, wrist, upper + lower)
    if best is None:
        return None
    cost, shoulder, elbow, wrist, length = best
    fit = {"clavicle": shoulder - 1 if shoulder else None, "upper_arm": shoulder, "lower_arm": elbow}
    fit["hand"] = wrist if wrist < joint_count else None
    return {**fit, "length": float(length), "fit": float(np.exp(-0.08 * cost))}
