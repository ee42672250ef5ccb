"""From camera axes to an upright world: which way is up, how high the floor is, where the origin lies.

One still camera sees all people, so there is one world. No single cue determines up well, so each is weighted by its
expected error as an angle, and the weighted best is taken:

* cameras are held nearly level: a scale of 15 degrees of pitch and 4 of roll, with heavy tails, for there are cameras on
  ceilings and phones leant against a cup;
* the background has vertical edges (tilt_from_lines.py);
* people balance: on average their centre of mass is above the foot they stand on, to 4 degrees in depth and 1.8 in the image, unless
  they lean on something. Whoever sits has the feet before the seat: such frames count where nobody stands, and for less.
  In depth the estimate has the same error in everybody, so many people weigh no more than one who hardly moves;
* people who lie, kneel or lean on their hands are supported by what touches the ground (floor_support.py);
* feet stand on one plane: a foothold is known precisely across the line of sight, and to 6 % along it, worse while its
  person crouches (`log_of_floor`). Footholds in one spot say little, and the slant of a foot nothing; a person who walks up to the camera
  says nearly everything.

The up direction is a unit vector whose two degrees of freedom are pitch and roll; the answer is clamped to what a camera
filming people plausibly has.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ...core.array_types import BoolArray, FloatArray
from ...core.cameras import rigid_transform
from ...core.contacts import WEIGHT_BEARING_THRESHOLD, contact_runs, weight_bearing
from ...core.conventions import WORLD_FROM_LEVEL_CAMERA
from ...core.rotations import rotmat_from_rotvec
from ...core.skeletons import H36M17
from ...core.time_series import weighted_median, weighted_quantile
from .body_masses import centre_of_mass
from .crouch_ratio import LEGS, body_length, crouch_ratio, leg_extension
from .floor_support import find_resting_body, log_of_support
from .robust_weights import cauchy_weight
from .tilt_from_lines import PITCHES, ROLLS, EdgeEvidence
from .tilt_posterior import TILT_PRIOR_SIGMA, Balance, FloorPoints, Tilt, TiltEvidence, log_of_heights, most_probable_tilt

# Of a clip's mean, for all its people together, and two of a clip err alike: lifted poses lean by 3.9 degrees in depth on held-out motion,
# and people themselves stand a little off.
BALANCE_SIGMA = np.radians([4.1, 1.8])
# Standard deviation of one frame's balance (a stride, a swing of the arms), as far as a clip does not show how much it varies; frames
# within BALANCE_TIME are correlated, s.
FRAME_BALANCE_SIGMA, BALANCE_TIME = np.radians([10.0, 5.0]), 0.5
FOOTHOLD_DEPTH_SIGMA = 0.06  # a foothold's error along the line of sight, of its distance
# The distance of a crouching person depends on the slant of each limb: added to FOOTHOLD_DEPTH_SIGMA per unit of crouch ratio.
CROUCH_DEPTH_SIGMA = 0.4
MAX_EFFECTIVE_FOOTHOLDS = 8
# The floor is measured where the person's crouch ratio is within this of the least.
CROUCH_TOLERANCE = 0.1
# A person who bends or lies says nothing of up: the centre of mass must be this high above the feet, as a fraction of their length.
MIN_UPRIGHT_RATIO = 0.4
# Who stands: a leg that bears weight is this much extended. Those who do so for a shorter time, s, and in a smaller share of the frames on
# their feet may sit, their feet before the seat: these are the standard deviations of their balance beside that.
STANDING_EXTENSION, LEAST_STANDING, LEAST_STANDING_SHARE = 0.85, 0.5, 0.3
SEATED_SIGMA = np.radians([15.0, 12.0])
# Nor one who leans on their hands: a wrist must be this high above the feet, as a fraction of the same length.
MIN_HANDS_RATIO = 0.2
# Footholds within this of the lowest ones are on the floor; higher ones on something else, m.
FLOOR_TOLERANCE = 0.12
# Leniency towards footholds off the common plane, step by step; None leaves the floor out. Far from level, footholds look as if
# they were on stairs.
FLOOR_LENIENCY = (None, None, 4.0, 2.0, 1.0, 1.0, 1.0)
SOME_FRAMES = 40  # that tell how low a body comes
BALANCE_ITERATIONS = 5  # of reweighting frames
WRISTS = [H36M17.index("left_wrist"), H36M17.index("right_wrist")]


@dataclass(frozen=True)
class GroundEvidence:
    """One person for `estimate_gravity_and_floor`, in camera axes.

    joints: (F,17,3) m, h36m17. soles: (F,4,3) m, heels and toes, left first. visible: (F,).
    """

    joints: FloatArray
    soles: FloatArray
    visible: BoolArray


class Footholds(NamedTuple):
    """Where points rested on the ground: positions (N,3) m, durations (N,) s, and first and last-plus-one frames of each."""

    positions: FloatArray
    seconds: FloatArray
    runs: list[tuple[int, int]]


# --- the world ---------------------------------------------------------------------------------------------------------


class WorldEstimate(NamedTuple):
    """world_from_camera (4,4), and the standard deviations (2,) rad of its pitch and roll."""

    world_from_camera: FloatArray
    tilt_sigma: FloatArray


def estimate_gravity_and_floor(
    people: Sequence[GroundEvidence], timestamps: FloatArray, upright: bool = True, edges: EdgeEvidence | None = None
) -> WorldEstimate:
    """Estimate the world that all people of a clip share.

    Args:
        people: person 1 first, all over the same F frames. timestamps: (F,) s.
        upright: False assumes a level camera; the floor is at the feet all the same.
        edges: of the background, as of tilt_from_lines.py; None without evidence of them.

    Returns:
        the world: z up, the floor at z = 0, the origin below the first-seen person's first pelvis, the camera looking along +y.
    """
    rotation, sigma = WORLD_FROM_LEVEL_CAMERA, np.zeros(2)
    if upright:
        tilt, sigma = estimate_camera_tilt(people, timestamps, edges)
        rotation = WORLD_FROM_LEVEL_CAMERA @ _rotmat_from_tilt(tilt)
    floor = estimate_floor_height(people, timestamps, rotation)
    first = min(people, key=lambda person: int(np.argmax(person.visible)) if person.visible.any() else len(timestamps))
    pelvis = rotation @ first.joints[int(np.argmax(first.visible)), H36M17.index("hip")]
    return WorldEstimate(rigid_transform(rotation, -np.array([pelvis[0], pelvis[1], floor])), sigma)


# --- the floor ---------------------------------------------------------------------------------------------------------


def estimate_floor_height(people: Sequence[GroundEvidence], timestamps: FloatArray, rotation: FloatArray) -> float:
    """The height of the floor, m: the median height of the footholds, without those on boxes and stairs.

    Args:
        timestamps: (F,) s. rotation: world_from_camera (3,3), z up.

    A crouching person looks nearer or farther than they are, and so stands higher or lower: upright people take precedence.
    """
    footholds: list[Footholds] = []
    crouch_ratios: list[FloatArray] = []
    for person in people:
        soles = person.soles @ rotation.T
        found = _find_footholds(soles, _is_weight_bearing(soles, timestamps, person.visible), timestamps)
        footholds.append(found)
        crouch_ratios.append(_crouch_in_runs(person, found.runs))
    height = np.concatenate([found.positions[:, 2] for found in footholds])
    if not len(height):  # nobody stands: the lowest that anybody comes
        height = np.concatenate([(person.soles[person.visible] @ rotation.T)[..., 2].min(1) for person in people])
        return float(weighted_quantile(height, np.ones(len(height)), 0.02))
    seconds, crouch = np.concatenate([found.seconds for found in footholds]), np.concatenate(crouch_ratios)
    is_upright = crouch < crouch.min() + CROUCH_TOLERANCE
    height, seconds = height[is_upright], seconds[is_upright]
    is_on_floor = height < weighted_quantile(height, seconds, 0.05) + FLOOR_TOLERANCE
    return float(weighted_median(height[is_on_floor], seconds[is_on_floor]))


# --- the tilt ----------------------------------------------------------------------------------------------------------


def estimate_camera_tilt(people: Sequence[GroundEvidence], timestamps: FloatArray, edges: EdgeEvidence | None = None) -> Tilt:
    """The camera's pitch and roll, (2,) rad, and their standard deviations.

    Pitch > 0 looks down, roll > 0 is turned clockwise seen from behind. edges: as of `estimate_gravity_and_floor`.
    """
    found = Tilt(np.zeros(2), TILT_PRIOR_SIGMA)
    bodies = [_some_frames(person) for person in people if person.visible.any()]
    heights = log_of_heights(bodies, PITCHES, ROLLS)
    resting = [find_resting_body(person.joints, person.soles, person.visible, timestamps) for person in people]
    support = log_of_support([body for body in resting if body is not None])
    # Which feet bear weight depends a little on up, so it is determined again at each step.
    for leniency in FLOOR_LENIENCY:
        rotation = WORLD_FROM_LEVEL_CAMERA @ _rotmat_from_tilt(found.tilt)
        balances = [balance_of(person, timestamps, rotation) for person in people]
        floors: list[FloorPoints | None] = []
        if leniency is not None:
            floors = [_floor_points(person, timestamps, rotation, leniency) for person in people]
        footholds = [points for points in floors if points is not None]
        evidence = TiltEvidence([balance for balance in balances if balance is not None], footholds, edges, bodies, heights, support)
        found = most_probable_tilt(evidence)
    return found


def _some_frames(person: GroundEvidence) -> FloatArray:
    """The joints and soles (F,21,3) m of a person in at most SOME_FRAMES of the frames with them."""
    rows = np.flatnonzero(person.visible)
    rows = rows[:: -(-len(rows) // SOME_FRAMES)]
    return np.concatenate([person.joints[rows], person.soles[rows]], 1)


def _rotmat_from_tilt(tilt: FloatArray) -> FloatArray:
    """level_camera_from_camera (3,3) of pitch and roll."""
    pitch, roll = tilt
    # The camera's x points right and its z forward: looking down is a rotation about -x, tipping clockwise one about z.
    return rotmat_from_rotvec([-pitch, 0, 0]) @ rotmat_from_rotvec([0, 0, roll])


def balance_of(person: GroundEvidence, timestamps: FloatArray, rotation: FloatArray) -> Balance | None:
    """The tilt at which a person balances at times (F,) s, before a camera that `rotation` (3,3) makes level; None if they never stand."""
    support = weight_bearing(person.soles @ rotation.T, timestamps, person.visible)
    stance = (support[..., None] * person.soles).sum(1) / np.maximum(support.sum(1), 1e-6)[:, None]
    rise = centre_of_mass(person.joints) - stance
    height = -rise[:, 1]
    is_standing = (support > WEIGHT_BEARING_THRESHOLD).any(1)
    if is_standing.any():
        length = body_length(person.joints[person.visible])
        hands = stance[:, 1] - person.joints[:, WRISTS, 1].max(1)  # y is down
        is_standing &= (height > MIN_UPRIGHT_RATIO * length) & (hands > MIN_HANDS_RATIO * length)
    if not is_standing.any():
        return None
    frame = float(np.median(np.diff(timestamps))) if len(timestamps) > 1 else 0.0
    bears = (support > WEIGHT_BEARING_THRESHOLD).reshape(-1, 2, 2).any(-1)
    is_upright = is_standing & (bears & (leg_extension(person.joints[:, LEGS]) > STANDING_EXTENSION)).any(1)
    sits = is_upright.sum() * frame < LEAST_STANDING and is_upright.sum() < LEAST_STANDING_SHARE * is_standing.sum()
    if not sits:
        is_standing = is_upright
    # Up is -y in a level camera. Pitched down by p, it sees up as (0, -cos p, -sin p); rolled by r, as (-sin r, -cos r, 0).
    angles = np.stack([np.arctan2(-rise[:, 2], np.hypot(height, rise[:, 0])), np.arctan2(-rise[:, 0], height)], -1)[is_standing]
    mean, weights = np.zeros(2), np.ones_like(angles)
    for _ in range(BALANCE_ITERATIONS):
        mean = (weights * angles).sum(0) / weights.sum(0)
        weights = cauchy_weight(angles - mean, FRAME_BALANCE_SIGMA)
    moments = is_standing.sum() * frame / BALANCE_TIME
    scatter = (weights * (angles - mean) ** 2).sum(0) / weights.sum(0)
    of_moment = (FRAME_BALANCE_SIGMA**2 + moments * scatter) / (1 + moments)  # what is assumed counts as one moment
    return Balance(mean, np.hypot(BALANCE_SIGMA, sits * SEATED_SIGMA), np.sqrt(of_moment / (1 + moments)))


def _floor_points(person: GroundEvidence, timestamps: FloatArray, rotation: FloatArray, leniency: float) -> FloorPoints | None:
    """A person's footholds; None if there are no two; rotation: (3,3), of a world that is nearly upright, from the camera."""
    soles = person.soles @ rotation.T
    heel_or_toe = _is_weight_bearing(soles, timestamps, person.visible).reshape(-1, 2, 2)
    feet = soles.reshape(-1, 2, 2, 3).mean(2)
    positions, seconds, runs = _find_footholds(feet, heel_or_toe[..., 0] | heel_or_toe[..., 1], timestamps)
    if len(positions) < 2:
        return None
    sigma = FOOTHOLD_DEPTH_SIGMA + CROUCH_DEPTH_SIGMA * _crouch_in_runs(person, runs)
    weights = np.minimum(seconds, 1.0)
    # Many steps on one spot share the error in depth: together they weigh no more than a few.
    information = weights / sigma**2
    weights = weights * min(1.0, MAX_EFFECTIVE_FOOTHOLDS * information.max() / information.sum())
    return FloorPoints(positions @ rotation, sigma, weights, leniency)


# --- footholds ---------------------------------------------------------------------------------------------------------


def _is_weight_bearing(soles: FloatArray, timestamps: FloatArray, visible: BoolArray) -> BoolArray:
    """Whether heels and toes (F,4,3) m, with z nearly up, bear weight, (F,4)."""
    return weight_bearing(soles, timestamps, visible) > WEIGHT_BEARING_THRESHOLD


def _find_footholds(points: FloatArray, in_contact: BoolArray, timestamps: FloatArray) -> Footholds:
    """The footholds of points (F,P,3) m, one for each run of frames in contact (F,P)."""
    frame_seconds = np.gradient(timestamps) if len(timestamps) > 1 else np.ones(1)
    runs = [(point, first, last) for point in range(points.shape[1]) for first, last in contact_runs(in_contact[:, point])]
    positions = np.array([np.median(points[first:last, point], 0) for point, first, last in runs]).reshape(-1, 3)
    seconds = np.array([frame_seconds[first:last].sum() for _, first, last in runs])
    return Footholds(positions, seconds, [(first, last) for _, first, last in runs])


def _crouch_in_runs(person: GroundEvidence, runs: Sequence[tuple[int, int]]) -> FloatArray:
    """The median crouch ratio in each of N runs of frames, (N,) 0..1."""
    crouch = crouch_ratio(person.joints)
    return np.array([np.median(crouch[first:last]) for first, last in runs])
