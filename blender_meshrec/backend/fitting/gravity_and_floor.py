"""From the camera's axes to an upright world: which way is up, where the floor is, where the origin lies.

One still camera sees everybody, so there is one world. Which way is up no single clue tells well, so each is weighed by how
wrong it may be, as an angle, and the weighted best is taken:

* cameras are held nearly level: a scale of 15 degrees of pitch and 5 of roll, with heavy tails, for there are cameras on
  ceilings and phones leant against a cup;
* people balance: on average their middle is above the foot they stand on, to 3 degrees in depth and 2.5 in the picture. In depth
  the estimate errs alike in everybody, so many people say no more than one;
* feet stand on one plane: a place where a foot stood is well known across the line of sight, and to 6 % along it, worse
  while its person crouches. Feet in one spot say little, and how a foot slants nothing; somebody who walks up to the
  camera says nearly everything.

The up direction is a unit vector whose two degrees of freedom are pitch and roll; the answer is clamped to what a camera
filming people plausibly does.
"""

from dataclasses import dataclass

import numpy as np

from ...core.cameras import rigid_transform
from ...core.contacts import WEIGHT_BEARING_THRESHOLD, contact_runs, weight_bearing
from ...core.conventions import WORLD_FROM_LEVEL_CAMERA
from ...core.rotations import rotmat_from_rotvec
from ...core.skeletons import H36M17
from ...core.time_series import weighted_quantile
from .crouch_ratio import body_length, crouch_ratio

TILT_PRIOR_SIGMA = np.radians([15.0, 5.0])  # pitch, roll
BALANCE_SIGMA = np.radians([3.0, 2.5])  # of a clip's mean, for all its people together
MAX_TILT = np.radians([60.0, 30.0])
# One frame's balance is off by this: a stride, a swing of the arms. Frames within BALANCE_TIME say the same, s.
FRAME_BALANCE_SIGMA, BALANCE_TIME = np.radians(10.0), 0.5
FOOTHOLD_DEPTH_SIGMA, FOOTHOLD_SIGMA = 0.06, 0.02  # a foothold's error along the line of sight, of its distance; and across it, m
# How far away a crouching person is, is told by how far each limb is thought to slant: so much more of the distance, for each
# share of their length that is missing between head and feet.
CROUCH_DEPTH_SIGMA = 0.4
MAX_EFFECTIVE_FOOTHOLDS = 8
MIN_DROP_BELOW_CAMERA = 1.0  # m that a camera is taken to be above the floor at least, as far as the above is concerned
# Of footholds, those count for the floor whose person is bent by no more than this above the least bent.
CROUCH_TOLERANCE = 0.1
# Somebody who bends or lies says nothing of up: the middle must be this high above the feet, of the body's length.
MIN_UPRIGHT_RATIO = 0.4
# Footholds within this of the lowest ones stand on the floor; higher ones on something else, m.
FLOOR_TOLERANCE = 0.12
# People are taken for larger or smaller than their estimate within these; a camera lower than this cannot tell, m.
SCALE_RANGE, MIN_CAMERA_HEIGHT = (0.75, 1.33), 0.5
_MASS_WEIGHTS = {"hip": 0.5, "thorax": 0.35, "left_knee": 0.075, "right_knee": 0.075}


@dataclass(frozen=True)
class GroundEvidence:
    """One person for `estimate_gravity_and_floor`, in camera axes.

    joints: (F,17,3) m, h36m17. soles: (F,4,3) m, heels and toes, left first. visible: (F,).
    """

    joints: np.ndarray
    soles: np.ndarray
    visible: np.ndarray


def estimate_gravity_and_floor(people, timestamps, upright=True):
    """Find the world that all the people of a clip share.

    Args:
        people: GroundEvidence, person 1 first, all over the same F frames. timestamps: (F,) s.
        upright: False takes the camera for level; the floor is at the feet all the same.

    Returns:
        world_from_camera (4,4): z up, the floor at z = 0, the origin below the first-seen person's first pelvis, the camera
        looking along +y.
    """
    rotation = WORLD_FROM_LEVEL_CAMERA
    if upright:
        tilt = estimate_camera_tilt(people, timestamps)
        rotation = WORLD_FROM_LEVEL_CAMERA @ _rotation_from_tilt(tilt)
    floor = estimate_floor_height(people, timestamps, rotation)
    first = min(people, key=lambda person: int(np.argmax(person.visible)) if person.visible.any() else len(timestamps))
    pelvis = rotation @ first.joints[int(np.argmax(first.visible)), H36M17.index("hip")]
    return rigid_transform(rotation, -np.array([pelvis[0], pelvis[1], floor]))


def body_scales_on_floor(people, timestamps, world_from_camera):
    """How many times larger, and farther, each person must be to stand on the first one's floor: they look the same in the picture.

    Args:
        people: GroundEvidence, in camera axes, the one whose size is kept first. world_from_camera: (4,4), of `estimate_gravity_and_floor`.

    Returns:
        a factor each; 1 for somebody who never stands, stands on something else, or would have to be of no person's size.
    """
    heights = [_standing_height(person, timestamps, world_from_camera) for person in people]
    camera = world_from_camera[2, 3]
    if heights[0] is None or camera - heights[0] < MIN_CAMERA_HEIGHT:
        return [1.0] * len(people)
    factors = [1.0 if height is None else (camera - heights[0]) / max(camera - height, 1e-6) for height in heights]
    return [factor if SCALE_RANGE[0] < factor < SCALE_RANGE[1] else 1.0 for factor in factors]


def _standing_height(person, timestamps, world_from_camera):
    """How high a person's feet stand, m; None if they never do."""
    soles = person.soles @ world_from_camera[:3, :3].T + world_from_camera[:3, 3]
    places, seconds = _sole_footholds(soles, timestamps, person.visible)
    return float(weighted_quantile(places[:, 2], seconds, 0.5)) if len(places) else None


def estimate_camera_tilt(people, timestamps):
    """The camera's pitch and roll, (2,) rad: pitch > 0 looks down, roll > 0 is turned clockwise seen from behind."""
    tilt = np.zeros(2)
    # Which feet stand depends on what is up a little, so it is found again at each step. The floor has no say at first,
    # and then at first a lenient one: far from level, footholds look as if they stood on stairs.
    for leniency in (None, None, 4.0, 2.0, 1.0, 1.0, 1.0):
        rotation = WORLD_FROM_LEVEL_CAMERA @ _rotation_from_tilt(tilt)
        matrix, vector = np.diag(1 / (TILT_PRIOR_SIGMA**2 + tilt**2)), np.zeros(2)
        balances = [_balance_evidence(*lean, tilt) for lean in (_balance_tilt(person, timestamps, rotation) for person in people) if lean]
        # How far the estimate leans, it leans in everybody: many people say no more of it than one.
        evidence = [(more_matrix / len(balances), more_vector / len(balances)) for more_matrix, more_vector in balances]
        if leniency:
            evidence += [_floor_evidence(person, timestamps, rotation, tilt, leniency) for person in people]
        for more_matrix, more_vector in evidence:
            matrix, vector = matrix + more_matrix, vector + more_vector
        tilt = np.clip(np.linalg.solve(matrix, vector), -MAX_TILT, MAX_TILT)
    return tilt


def estimate_floor_height(people, timestamps, rotation):
    """How high the floor is, m: the footholds' middle height, leaving out those on boxes and stairs.

    Args:
        people: GroundEvidence. timestamps: (F,) s. rotation: world_from_camera (3,3), z up.

    Who crouches looks nearer or farther than they are, and so stands higher or lower: whoever stands upright counts before them.
    """
    height, lasted, bent = [np.zeros(0)], [np.zeros(0)], [np.zeros(0)]
    for person in people:
        soles = person.soles @ rotation.T
        places, seconds, runs = _find_footholds(
            soles, weight_bearing(soles, timestamps, person.visible) > WEIGHT_BEARING_THRESHOLD, timestamps
        )
        height, lasted, bent = height + [places[:, 2]], lasted + [seconds], bent + [_crouch_ratios(person, runs)]
    height, lasted, bent = (np.concatenate(each) for each in (height, lasted, bent))
    if not len(height):  # nobody stands: the lowest that anybody comes
        height = np.concatenate([(person.soles[person.visible] @ rotation.T)[..., 2].min(1) for person in people])
        lasted = np.ones(len(height))
        return float(weighted_quantile(height, lasted, 0.02))
    upright = bent < bent.min() + CROUCH_TOLERANCE
    height, lasted = height[upright], lasted[upright]
    lowest = weighted_quantile(height, lasted, 0.05)
    near = height < lowest + FLOOR_TOLERANCE
    return float(weighted_quantile(height[near], lasted[near], 0.5))


def _rotation_from_tilt(tilt):
    """level_camera_from_camera (3,3) of pitch and roll."""
    pitch, roll = tilt
    # The camera's x points right and its z forward: looking down is a turn about -x, tipping clockwise one about z.
    return rotmat_from_rotvec([-pitch, 0, 0]) @ rotmat_from_rotvec([0, 0, roll])


def _balance_evidence(lean, sigma, tilt):
    """Normal equations (2,2), (2,) for the tilt with which a person balances."""
    weight = sigma**-2 / (1 + ((lean - tilt) / (3 * sigma)) ** 2)
    return np.diag(weight), weight * lean


def _balance_tilt(person, timestamps, rotation):
    """The tilt (2,) that would make a person balance, and its standard deviations (2,); None if they never stand."""
    support = weight_bearing(person.soles @ rotation.T, timestamps, person.visible)
    stance = (support[..., None] * person.soles).sum(1) / np.maximum(support.sum(1), 1e-6)[:, None]
    middle = sum(weight * person.joints[:, H36M17.index(name)] for name, weight in _MASS_WEIGHTS.items())
    rise = middle - stance
    height = -rise[:, 1]
    standing = (support > WEIGHT_BEARING_THRESHOLD).any(1)
    if standing.any():
        standing &= height > MIN_UPRIGHT_RATIO * body_length(person.joints[person.visible])
    if not standing.any():
        return None
    # Up is -y in a level camera. Pitched down by p, it sees up as (0, -cos p, -sin p); rolled by r, as (-sin r, -cos r, 0).
    angles = np.stack([np.arctan2(-rise[:, 2], np.hypot(height, rise[:, 0])), np.arctan2(-rise[:, 0], height)], -1)[standing]
    weight = np.ones_like(angles)
    for _ in range(5):
        mean = (weight * angles).sum(0) / weight.sum(0)
        weight = 1 / (1 + ((angles - mean) / FRAME_BALANCE_SIGMA) ** 2)
    seconds = standing.sum() * float(np.median(np.diff(timestamps))) if len(timestamps) > 1 else 0.0
    return mean, np.sqrt(BALANCE_SIGMA**2 + FRAME_BALANCE_SIGMA**2 / (1 + seconds / BALANCE_TIME))


def _crouch_ratios(person, runs):
    """How far somebody crouches in runs of frames (N,2), (N,) 0..1."""
    bent = crouch_ratio(person.joints)
    return np.array([np.median(bent[first:last]) for first, last in runs])


def _floor_evidence(person, timestamps, rotation, tilt, leniency):
    """Normal equations (2,2), (2,) for the tilt at which a person's footholds are level.

    leniency: how many times farther than usual a foothold may lie from the others' plane before its say fades.
    """
    soles = person.soles @ rotation.T
    touching = weight_bearing(soles, timestamps, person.visible) > WEIGHT_BEARING_THRESHOLD
    feet = soles.reshape(-1, 2, 2, 3).mean(2), touching.reshape(-1, 2, 2).any(2)
    places, seconds, runs = _find_footholds(*feet, timestamps)
    if len(places) < 2:
        return np.zeros((2, 2)), np.zeros(2)
    # A line of sight that meets the floor at a slope moves the foothold's height by that slope times the depth's error. Were the
    # camera on the floor, it would not move it, and every mistake of depth could be explained by that.
    below = np.maximum(np.abs(places[:, 2]), MIN_DROP_BELOW_CAMERA)
    variance = ((FOOTHOLD_DEPTH_SIGMA + CROUCH_DEPTH_SIGMA * _crouch_ratios(person, runs)) * below) ** 2 + FOOTHOLD_SIGMA**2
    middle = np.median(places, 0)
    # Tilting more lifts a place by -pitch * forward - roll * rightward, to first order.
    slope = np.stack([middle[1] - places[:, 1], middle[0] - places[:, 0]], -1)
    off = places[:, 2] - middle[2]
    weight = np.minimum(seconds, 1.0) / variance / (1 + off**2 / (9 * leniency**2 * variance))
    # Many steps on one spot share the depth's error: together they weigh no more than a few.
    weight *= min(1.0, MAX_EFFECTIVE_FOOTHOLDS * weight.max() / weight.sum())
    matrix = (slope * weight[:, None]).T @ slope
    return matrix, matrix @ tilt - (slope * weight[:, None]).T @ off


def _sole_footholds(soles, timestamps, visible):
    """Where heels and toes stood, (N,3) m, and for how long, (N,) s, in soles (F,4,3) m with z nearly up."""
    return _find_footholds(soles, weight_bearing(soles, timestamps, visible) > WEIGHT_BEARING_THRESHOLD, timestamps)[:2]


def _find_footholds(points, touching, timestamps):
    """Where points (F,P,3) m were while they touched (F,P): places (N,3) m, for how long (N,) s, and in which frames (N,2)."""
    step = np.gradient(timestamps) if len(timestamps) > 1 else np.ones(1)
    runs = [(k, first, last) for k in range(points.shape[1]) for first, last in contact_runs(touching[:, k])]
    places = np.array([np.median(points[first:last, k], 0) for k, first, last in runs]).reshape(-1, 3)
    seconds = np.array([step[first:last].sum() for _, first, last in runs])
    return places, seconds, [run[1:] for run in runs]
