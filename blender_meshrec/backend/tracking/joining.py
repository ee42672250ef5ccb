"""Joining tracklets into people over the whole clip, by the assignment with the greatest evidence.

Each tracklet is followed by at most one other. The evidence for a pair is the logarithm of how much more likely it is if both show one
person: their clothes, where the second begins against where the first was going, sizes, and poses. All pairs of a shot are decided at once
(a minimum-cost path cover, which is a linear assignment), short gaps first, then longer ones with what is known of each person by then.
Nothing is predicted across a cut: there clothes alone say who is whom, or that there was one person before it and one after.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from ...core.array_types import FloatArray
from ..detection.similarity import appearance_similarity, keypoint_similarity
from .association import match_pairs
from .track import VELOCITY_DECAY
from .tracklets import Tracklet

# The tracklets of one person in one shot, in order.
Chain: TypeAlias = list[Tracklet]

# Similarity of clothes that says nothing, the difference that makes one nat, and the limits of what clothes can say.
NEUTRAL_SIMILARITY, SIMILARITY_PER_NAT, CLOTHES_LIMITS = 0.85, 0.04, (-8.0, 4.0)
# Deviation from the predicted position, in body sizes: at once, and its growth per second, for at most so many seconds. OTHERS_SPREAD is
# that of somebody else. Later than MAX_PREDICTION people may be anywhere: position then speaks against a pair by no more than this.
START_SIGMA, SIGMA_GROWTH, MAX_PREDICTION, OTHERS_SPREAD = 0.2, 0.8, 3.0, 4.0
MIN_POSITION, MIN_LATE_POSITION = -8.0, -2.0
# Standard deviation of the logarithm of sizes, its growth per second, and what a pair of equal sizes gains.
SIZE_SIGMA, SIZE_GROWTH, EQUAL_SIZE, MIN_SIZE = 0.15, 0.2, 0.5, -5.0
# Velocities differ by this, sizes a second; poses are compared over gaps up to POSE_GAP, s.
VELOCITY_SIGMA, MIN_VELOCITY, POSE_GAP, POSE_LIMITS = 1.5, -3.0, 0.3, (-0.5, 2.0)
# What speaks against any pair beforehand, for short and for long gaps; what speaks for one that was tracked frame by frame.
SHORT_PRIOR, LONG_PRIOR, SAME_TRACK = -2.0, -3.0, 2.5
# Up to this gap, s, position tells who is who. Beyond it a pair must be better by this, nats, than any other with either of the two.
SHORT_GAP, MARGIN = 1.5, 0.75
# Across a cut: the least similarity of clothes, by how much it exceeds all others, and that which does not exclude the only person.
MIN_CUT_SIMILARITY, CUT_MARGIN, MIN_COMPATIBLE_SIMILARITY = 0.88, 0.03, 0.7
# A person who is in view this long before or after a cut, s, is in view at it.
AT_CUT = 0.2


def join_tracklets(tracklets: Sequence[Tracklet], keypoint_set: str, is_person: Callable[[Chain], bool]) -> list[Chain]:
    """The tracklets of each person, in order.

    Args:
        is_person: whether a chain is long enough to be no false detection; others are not recognised across cuts.
    """
    people: list[Chain] = []
    for shot in sorted({tracklet.shot for tracklet in tracklets}):
        chains: list[Chain] = [[tracklet] for tracklet in tracklets if tracklet.shot == shot]
        for longest, margin in ((SHORT_GAP, 0.0), (np.inf, MARGIN)):
            chains = _link(chains, keypoint_set, longest, margin)
        people = _continue_after_cut(people, chains, is_person)
    return people


def _link(chains: list[Chain], keypoint_set: str, longest_gap: float, margin: float) -> list[Chain]:
    """Chains of one shot, those linked that are one person with gaps up to `longest_gap`, s."""
    evidence = np.zeros((len(chains), len(chains)))
    for a, first in enumerate(chains):
        for b, second in enumerate(chains):
            gap = second[0].times[0] - first[-1].times[-1]
            if a != b and 0 < gap <= longest_gap:
                evidence[a, b] = max(link_evidence(first, second, keypoint_set), 0.0)
    if margin:
        evidence = _without_ambiguous(evidence, margin)
    following = dict(match_pairs(evidence, 0.0))
    linked: list[Chain] = []
    for start in set(range(len(chains))) - set(following.values()):
        chain, current = list(chains[start]), start
        while current in following:
            current = following[current]
            chain += chains[current]
        linked.append(chain)
    return sorted(linked, key=lambda chain: chain[0].rows[0])


def link_evidence(first: Chain, second: Chain, keypoint_set: str) -> float:
    """The evidence, nats, that a chain which begins after another ends shows the same person."""
    a, b = first[-1], second[0]
    gap = float(b.times[0] - a.times[-1])
    evidence = clothes_evidence(first, second) + position_evidence(a, b) + (LONG_PRIOR if gap > SHORT_GAP else SHORT_PRIOR)
    spread = SIZE_SIGMA + SIZE_GROWTH * min(gap, MAX_PREDICTION)
    evidence += max(EQUAL_SIZE - 0.5 * (np.log(b.size(False) / a.size(True)) / spread) ** 2, MIN_SIZE)
    if a.track == b.track:
        evidence += SAME_TRACK
    if gap < POSE_GAP:
        ended, begun = a.candidates[-1].detection.keypoints, b.candidates[0].detection.keypoints
        similarity = keypoint_similarity(ended, begun, float(max(a.sizes[-1], b.sizes[0])), keypoint_set, spread=0.1 + gap)
        evidence += float(np.clip(2 * (2 * similarity - 1), *POSE_LIMITS))
    return float(evidence)


def clothes_evidence(first: Chain, second: Chain) -> float:
    """What the clothes of two chains say, nats; 0 if they are unknown."""
    similarity = appearance_similarity(mean_appearance(first), mean_appearance(second))
    return 0.0 if similarity is None else float(np.clip((similarity - NEUTRAL_SIMILARITY) / SIMILARITY_PER_NAT, *CLOTHES_LIMITS))


def mean_appearance(chain: Chain) -> FloatArray | None:
    """The mean appearance of a chain, each tracklet by its number of detections; None if it is unknown."""
    known = [(len(each.rows), each.appearance) for each in chain if each.appearance is not None]
    return np.average([look for _count, look in known], axis=0, weights=[count for count, _look in known]) if known else None


def position_evidence(a: Tracklet, b: Tracklet) -> float:
    """What the place and the velocity at the beginning of b say, after those at the end of a, nats."""
    gap, size = float(b.times[0] - a.times[-1]), max(a.size(True), b.size(False))
    passed = min(gap, MAX_PREDICTION)
    going, coming = a.velocity(True), b.velocity(False)
    offset = b.centres[0] - a.centres[-1]
    reach = VELOCITY_DECAY * (1 - np.exp(-gap / VELOCITY_DECAY))
    predictions = np.array([np.zeros(2), going * reach, coming * reach, 0.5 * (going + coming) * min(gap, 1.0)])
    deviation = np.linalg.norm(offset - predictions, axis=1).min() / size
    sigma = START_SIGMA + SIGMA_GROWTH * passed
    evidence = max(2 * np.log(OTHERS_SPREAD / sigma) - 0.5 * (deviation / sigma) ** 2, MIN_POSITION)
    if gap >= MAX_PREDICTION:
        return float(max(evidence, MIN_LATE_POSITION))
    if gap < 1.0 and going.any() and coming.any():
        difference = np.linalg.norm(going - coming) / size
        evidence += max(-0.5 * (difference / (VELOCITY_SIGMA * (1 + gap))) ** 2, MIN_VELOCITY)
    return float(evidence)


def _without_ambiguous(evidence: FloatArray, margin: float) -> FloatArray:
    """Evidence (A,B) with that set to 0 which does not exceed all other of its row and column by a margin."""
    clear = np.array(evidence)
    for row, column in zip(*np.nonzero(evidence)):
        rivals = np.concatenate([np.delete(evidence[row], column), np.delete(evidence[:, column], row)])
        if rivals.size and evidence[row, column] < rivals.max() + margin and rivals.max() > 0:
            clear[row, column] = 0.0
    return clear


# --- cuts -------------------------------------------------------------------------------------------------------------


def _continue_after_cut(people: list[Chain], chains: list[Chain], is_person: Callable[[Chain], bool]) -> list[Chain]:
    """People of earlier shots and the chains of the next one, those joined that show the same person."""
    if not people:
        return chains
    last_seen = max(chain[-1].times[-1] for chain in people)
    at_cut = [person for person in people if person[-1].times[-1] >= last_seen - AT_CUT]
    known = [person for person in people if is_person(person) or any(person is other for other in at_cut)]
    continued = {b: known[a] for a, b in _pairs_by_clothes(known, chains)} or _only_person(at_cut, chains)
    for b, person in continued.items():
        person += chains[b]
    return people + [chain for b, chain in enumerate(chains) if b not in continued]


def _pairs_by_clothes(known: list[Chain], chains: list[Chain]) -> list[tuple[int, int]]:
    """The people and the chains of the next shot, by number, whose clothes are clearly the same."""
    similar = np.zeros((len(known), len(chains)))
    for a, person in enumerate(known):
        for b, chain in enumerate(chains):
            similarity = appearance_similarity(mean_appearance(person), mean_appearance(chain))
            similar[a, b] = similarity if similarity is not None and similarity > MIN_CUT_SIMILARITY else 0.0
    return match_pairs(_without_ambiguous(similar, CUT_MARGIN), 0.0)


def _only_person(at_cut: list[Chain], chains: list[Chain]) -> dict[int, Chain]:
    """The chain, by number, of the only person after a cut, if there was one before it whose clothes do not differ."""
    begins = min(chain[0].times[0] for chain in chains)
    at_start = [b for b, chain in enumerate(chains) if chain[0].times[0] <= begins + AT_CUT]
    is_alone = len(at_cut) == len(at_start) == 1 and _may_be_same(at_cut[0], chains[at_start[0]])
    return {at_start[0]: at_cut[0]} if is_alone else {}


def _may_be_same(a: Chain, b: Chain) -> bool:
    similarity = appearance_similarity(mean_appearance(a), mean_appearance(b))
    return similarity is None or similarity > MIN_COMPATIBLE_SIMILARITY
