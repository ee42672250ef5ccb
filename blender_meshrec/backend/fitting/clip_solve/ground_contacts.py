"""Which parts of a body touch the ground, as weights 0..1: soles by the contact network, all other parts by their height and speed."""

from typing import NamedTuple

import numpy as np

from ....core.array_types import FloatArray
from ....core.contacts import contact_runs, point_speeds
from ....core.files.body_template import BodyTemplate
from ..body_masses import centre_of_mass
from ..hands_on_floor import hands_of
from .body_points import NUM_JOINTS, POINT_NAMES, SOLE_ROWS, PosedPoints, point_rows
from .ground_skin import GroundSkin, skin_of_parts
from .missing_support import missing_support
from .residuals import World
from .weights import APPROACH_HEIGHT, APPROACH_SIGMA, CERTAIN_OUTLIER, SOLE_HEIGHT_SIGMA, SOLE_OUTLIER

# Points of the body other than the soles that may touch the ground. Of hands the wrists: fingers give way (hands_on_floor.py).
PARTS = (
    "left_wrist", "right_wrist", "left_elbow", "right_elbow", "left_knee", "right_knee", "left_hip", "right_hip", "pelvis", "spine2",
    "spine3", "left_shoulder", "right_shoulder", "head", "nose", "head_top",
)  # fmt: skip
PART_ROWS = point_rows(PARTS)
GROUND_ROWS = np.concatenate([SOLE_ROWS, PART_ROWS])
# A part rests if it is slower than this, m/s, and within this height above the lowest part of the body, m.
REST_SPEED, PART_HEIGHT = 0.3, 0.08
# A sole this far above the lowest part of the body is not on the ground, m: it may be on a step, or in the air.
SOLE_HEIGHT = 0.25
NEAR_GROUND = 0.025  # m within which what should touch the ground does
# A heel that is this much higher than its toe, m, or a toe than its heel, is drawn to the ground with a weight of exp(-1).
HEEL_RISE = 0.04
# The weight of a sole that rests on the ground unknown to the network.
SOLE_REST_WEIGHT = 0.5
# A point that touches with this weight for this time, s, rests at one place. In shorter contacts, the steps of a walk, speed says enough.
RESTING_WEIGHT, RESTING_TIME = 0.3, 1.0
MIN_WEIGHT = 0.05  # weight below which a point is not in contact at all


def ground_radii(template: BodyTemplate) -> FloatArray:
    """The distance (K,) m of GROUND_ROWS from the nearest skin at rest: a part that is this high may touch. Soles lie on the skin, and a
    wrist is above its hand."""
    vertices, joints = template.rest_vertices(np.zeros(1)), template.rest_joints(np.zeros(1))[template.smpl_joint_indices]
    radii = np.zeros(len(GROUND_ROWS))
    for k, row in enumerate(GROUND_ROWS):
        if row < len(joints):
            radii[k] = np.linalg.norm(vertices - joints[row], axis=-1).min()
    for hand, name in zip(hands_of(template, np.zeros(1)), ("left_wrist", "right_wrist"), strict=True):
        radii[len(SOLE_ROWS) + PARTS.index(name)] = -hand.points[:, 1].min()
    return radii


def ground_skin(template: BodyTemplate, betas: FloatArray) -> GroundSkin:
    """The skin about GROUND_ROWS: a part touches when its lowest skin does. Soles, the nose and the crown lie on it."""
    return skin_of_parts(template, betas, {POINT_NAMES[row]: int(row) if row < NUM_JOINTS else -1 for row in GROUND_ROWS})


def resting_places(path: FloatArray, touching: FloatArray, times: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Where points rest while they touch for long: places (F,K,3) m, the medians of their runs, and weights (F,K), 0 elsewhere.

    Args:
        path: (F,K,3) m. touching: (F,K) 0..1. times: (F,) s.
    """
    places, weights = path.copy(), np.zeros_like(touching)
    for k in range(path.shape[1]):
        for first, last in contact_runs(touching[:, k] > RESTING_WEIGHT):
            if times[last - 1] - times[first] >= RESTING_TIME:
                places[first:last, k] = np.median(path[first:last, k], 0)
                weights[first:last, k] = touching[first:last, k]
    return places, weights


def count_once(touching: FloatArray, frame_weights: FloatArray, frames: float) -> FloatArray:
    """Weights (F,K) of GROUND_ROWS in contact, as evidence of gravity: from touching (F,K) 0..1 and the frames' weights (F,).

    Every run together weighs no more than so many frames: a foothold errs once, not every frame. A heel counts only while its toe does
    not touch: the slant of a foot says nothing of gravity.
    """
    on_ground = touching * frame_weights[:, None]
    weights = on_ground.copy()
    weights[:, [0, 2]] *= 1 - touching[:, [1, 3]]
    for k in range(touching.shape[1]):
        for first, last in contact_runs(touching[:, k] > MIN_WEIGHT):
            weights[first:last, k] *= min(1.0, frames / on_ground[first:last, k].sum())
    return weights


class SoleContacts(NamedTuple):
    """Contacts of soles: probabilities (F,4) of the contact network, for soles in view; certain (F,4) ones, 1 or 0, nan elsewhere."""

    probabilities: FloatArray
    certain: FloatArray | None = None

    def outliers(self, num_points: int) -> FloatArray:
        """The speed (F-1,K), sigma, from which each of GROUND_ROWS is let go: where contact is certain, hardly ever."""
        outliers = np.full((len(self.probabilities) - 1, num_points), SOLE_OUTLIER)
        if self.certain is not None:
            is_certain = (self.certain[1:] == 1) & (self.certain[:-1] == 1)
            outliers[:, : len(SOLE_ROWS)][is_certain] = CERTAIN_OUTLIER
        return outliers


def ground_weights(
    points: PosedPoints, up: FloatArray, floor: float | None, radii: FloatArray, times: FloatArray, contacts: SoleContacts
) -> FloatArray:
    """Weights (F,K) of GROUND_ROWS in contact with the ground.

    Args:
        up: (3,) in camera axes. floor: a point's height is up . x + floor; None where it is not known yet. radii: (K,) or (F,K) m.
    """
    path = points.rows[:, GROUND_ROWS]
    bottoms = path @ up - radii
    above = bottoms - bottoms.min(1, keepdims=True)
    if floor is not None:
        above = np.maximum(above, np.abs(bottoms + floor))
    weights = _resting(path, times) * np.exp(-((above / PART_HEIGHT) ** 2))
    soles = slice(len(SOLE_ROWS))
    by_network = contacts.probabilities * np.exp(-((above[:, soles] / SOLE_HEIGHT) ** 2))
    weights[:, soles] = np.maximum(by_network, SOLE_REST_WEIGHT * weights[:, soles])
    if contacts.certain is not None:
        weights[:, soles] = np.where(np.isnan(contacts.certain), weights[:, soles], contacts.certain)
    return weights


def hovering_support(points: PosedPoints, world: World, radii: FloatArray, times: FloatArray, contacts: SoleContacts) -> FloatArray:
    """Weights (F,K) of those of GROUND_ROWS that should touch the ground, since their person would fall over, and hover over it.

    Of soles the network says whether they may; of a foot that stands on its toes the heel stays up. Arguments as of `ground_weights`.
    """
    path, soles = points.rows[:, GROUND_ROWS], slice(len(SOLE_ROWS))
    heights = np.abs(path @ world.up + world.floor - radii)
    touching = ground_weights(points, world.up, world.floor, radii, times, contacts)
    touching[:, soles] = np.minimum(touching[:, soles] / SOLE_REST_WEIGHT, 1.0) * np.exp(-((heights[:, soles] / PART_HEIGHT) ** 2))
    may_bear = _resting(path, times)
    may_bear[:, soles] = contacts.probabilities * np.exp(-((_rise_in_foot(heights[:, soles]) / HEEL_RISE) ** 2))
    return missing_support(path, heights, touching, may_bear, centre_of_mass(points.markers), world.up, APPROACH_HEIGHT)


def outliers_of_approach(hovering: FloatArray) -> FloatArray:
    """The height (F,K), in APPROACH_SIGMA, from which each of GROUND_ROWS lets go of the ground: those that hover far up, others as in the
    end; hovering: (F,K), as of `hovering_support`."""
    return np.where(hovering > MIN_WEIGHT, APPROACH_HEIGHT, SOLE_OUTLIER * SOLE_HEIGHT_SIGMA) / APPROACH_SIGMA


def share_off_ground(points: PosedPoints, world: World, radii: FloatArray, times: FloatArray, contacts: SoleContacts) -> float:
    """The share of the points of all frames that should touch the ground and do not, or are in it; arguments as of `ground_weights`."""
    heights = points.rows[:, GROUND_ROWS] @ world.up + world.floor - radii
    hovering = hovering_support(points, world, radii, times, contacts) * (heights > NEAR_GROUND)
    return float(np.where(heights < -NEAR_GROUND, 1.0, hovering).mean())


def _resting(path: FloatArray, times: FloatArray) -> FloatArray:
    """Weights (F,K) 0..1 of points (F,K,3) m that rest."""
    return np.exp(-((point_speeds(path, times, camera=np.zeros(3)) / REST_SPEED) ** 2))


def _rise_in_foot(heights: FloatArray) -> FloatArray:
    """How far each heel and toe (F,4) m is above the lower one of its foot; heights: (F,4) m."""
    feet = heights.reshape(-1, 2, 2)
    return (feet - feet.min(2, keepdims=True)).reshape(-1, 4)
