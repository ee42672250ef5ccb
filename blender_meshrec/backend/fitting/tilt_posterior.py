"""The camera's pitch and roll from everything that tells them: densities on a grid, since the evidence may have two modes.

What is known beforehand, how people balance, the footholds, vertical edges, and that the camera is above the ground multiply. All
have heavy tails: there are cameras on ceilings, people who lean on something, and edges that are not vertical. Of two modes the
more probable one is taken, and its standard deviation is the distance within which 68 % of the whole mass lie, as for a normal density.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...core.array_types import FloatArray
from ...core.time_series import weighted_quantile
from .clip_solve.weights import CAMERA_HEIGHT_OUTLIER, CAMERA_HEIGHT_SIGMA, LEAST_CAMERA_HEIGHT
from .floor_support import on_tilts
from .tilt_from_lines import PITCHES, ROLLS, EdgeEvidence, tilt_likelihood, up_of_tilt

MAX_TILT = np.array([PITCHES[-1], ROLLS[-1]])
TILT_PRIOR_SIGMA = np.radians([15.0, 4.0])
# Pitches upwards and downwards beyond which cameras that film people are rare, and how soon they end. Lanes on a floor that is seen from
# above vanish where walls do that are seen from below.
STEEP, STEEP_SIGMA = np.radians([-20.0, 40.0]), np.radians(8.0)
# Photographers keep the horizon, but for one camera in so many: share and standard deviation of either kind's roll.
CAMERA_ROLLS = ((0.95, np.radians(4.0)), (0.05, np.radians(12.0)))
# A clip's people may lean on something: the share of those who do, and how far, rad.
LEANING_SHARE, LEANING_SIGMA = 0.15, np.radians(12.0)
BALANCE_TAIL = 3.0  # sigma of the balance in depth from which it lets go (Cauchy)
# Of a foothold's height, m, which strides and slanted feet change; sigma of its depth from which it lets go (Cauchy).
FOOTHOLD_SIGMA, FOOTHOLD_TAIL = 0.05, 3.0
# Footholds less far below the camera than this, m, tell nothing: they cost what those on a floor do on average, being off by so many sigma.
LEAST_DROP, USUAL_DEVIATION = 0.1, 1.0
GROUNDED_SHARE = 0.1  # of the frames in which the lowest point of a body is lower: in the others it may be in the air
FINE_STEP, FINE_REACH = np.radians(0.25), np.radians(4.0)
NORMAL_SHARE = 0.683  # of a normal density, within one standard deviation
SHARED_ROLL_SIGMA = np.radians(0.4)  # of what all edges of a clip share: houses lean


class Balance(NamedTuple):
    """The tilt (2,) rad at which a person balances; its standard deviations (2,): what is alike in all people, and what is their own."""

    tilt: FloatArray
    sigma: FloatArray
    own_sigma: FloatArray | float = 0.0


class FloorPoints(NamedTuple):
    """Where somebody stood on the ground.

    positions: (N,3) m, camera axes. sigma: (N,), of the logarithms of their distances. weights: (N,). leniency: factor on the deviation
    from the others' floor from which a point lets go.
    """

    positions: FloatArray
    sigma: FloatArray
    weights: FloatArray
    leniency: float


class TiltEvidence(NamedTuple):
    """balances: of each person who stands. footholds: of each person. edges: of the background, or None. bodies: (F,P,3) m of each person,
    points of their body in camera axes. heights_on_grid: `log_of_heights` of the bodies over PITCHES and ROLLS, if it is known already.
    support: `log_of_support` of those who are on the floor, or None."""

    balances: Sequence[Balance]
    footholds: Sequence[FloorPoints]
    edges: EdgeEvidence | None
    bodies: Sequence[FloatArray] = ()
    heights_on_grid: FloatArray | None = None
    support: FloatArray | None = None


class Tilt(NamedTuple):
    """Pitch and roll (2,) rad, and their standard deviations (2,)."""

    tilt: FloatArray
    sigma: FloatArray


def most_probable_tilt(evidence: TiltEvidence) -> Tilt:
    """The tilt of the most probable mode."""
    log = log_density(evidence, PITCHES, ROLLS)
    best = np.unravel_index(int(log.argmax()), log.shape)
    centre = np.array([PITCHES[best[0]], ROLLS[best[1]]])
    fine_pitch, fine_roll = (np.arange(-FINE_REACH, FINE_REACH + FINE_STEP / 2, FINE_STEP) + middle for middle in centre)
    log_near = log_density(evidence, fine_pitch, fine_roll)
    tilt = _peak(log_near, fine_pitch, fine_roll)
    near, mass = _mass(log_near), _mass(log)
    away = np.abs(np.meshgrid(PITCHES - centre[0], ROLLS - centre[1], indexing="ij")).max(0) > FINE_REACH
    far = np.where(away, mass, 0)
    near = near * (1 - far.sum())
    sigma = np.array([
        weighted_quantile(np.abs(np.concatenate([fine, coarse]) - middle), np.concatenate([near.sum(other), far.sum(other)]), NORMAL_SHARE)
        for fine, coarse, middle, other in zip((fine_pitch, fine_roll), (PITCHES, ROLLS), tilt, (1, 0), strict=True)
    ])  # fmt: skip
    if evidence.edges is not None and not evidence.edges.is_empty:
        sigma[1] = np.hypot(sigma[1], SHARED_ROLL_SIGMA)
    return Tilt(np.clip(tilt, -MAX_TILT, MAX_TILT), np.minimum(sigma, TILT_PRIOR_SIGMA))


def log_density(evidence: TiltEvidence, pitch: FloatArray, roll: FloatArray) -> FloatArray:
    """The logarithm (P,R) of the density at pitches (P,) and rolls (R,) rad, up to a constant."""
    steep = (pitch - np.clip(pitch, *STEEP)) / STEEP_SIGMA
    log = -0.5 * (np.log1p((pitch / TILT_PRIOR_SIGMA[0]) ** 2) + steep**2)[:, None] + _log_mixture(roll, CAMERA_ROLLS)
    # The estimate leans alike in everybody, so many people weigh no more than one; but strides and swings of the arms are each one's own.
    for balance in evidence.balances:
        sigma = np.hypot(balance.sigma, balance.own_sigma / np.sqrt(len(evidence.balances)))
        in_depth = -0.5 * BALANCE_TAIL**2 * np.log1p(((pitch - balance.tilt[0]) / (BALANCE_TAIL * sigma[0])) ** 2)
        kinds = ((1 - LEANING_SHARE, float(sigma[1])), (LEANING_SHARE, float(np.hypot(sigma[1], LEANING_SIGMA))))
        log = log + (in_depth[:, None] + _log_mixture(roll - balance.tilt[1], kinds)) / len(evidence.balances)
    log = log + sum(log_of_floor(points, pitch, roll) for points in evidence.footholds)
    is_grid = pitch is PITCHES and roll is ROLLS
    known = evidence.heights_on_grid if is_grid else None
    log = log + (log_of_heights(evidence.bodies, pitch, roll) if known is None else known)
    if evidence.support is not None:
        log = log + on_tilts(evidence.support, pitch, roll)
    if evidence.edges is not None and not evidence.edges.is_empty:
        log = log + (evidence.edges.on_grid if is_grid else tilt_likelihood(evidence.edges, pitch, roll))
    return log


def log_of_floor(points: FloorPoints, pitch: FloatArray, roll: FloatArray) -> FloatArray:
    """The part (P,R) of `log_density` by which footholds are on one floor.

    A foothold is known precisely across its line of sight, and its distance with an error that is a share of it. Such an error makes its
    depth below the camera by the same share greater, whatever the tilt: so those depths are compared by their logarithms. Compared by
    their heights, errors would speak for the tilt at which the line of sight is level.
    """
    up = up_of_tilt(*np.broadcast_arrays(pitch[:, None], roll)).reshape(-1, 3)
    drops = -up @ points.positions.T
    log_drops = np.log(np.maximum(drops, LEAST_DROP))
    sigma = np.hypot(points.sigma, FOOTHOLD_SIGMA / np.maximum(drops, LEAST_DROP))
    off = np.where(drops > LEAST_DROP, (log_drops - np.median(log_drops, axis=1, keepdims=True)) / sigma, USUAL_DEVIATION)
    tail = FOOTHOLD_TAIL * points.leniency
    log: FloatArray = -0.5 * tail**2 * np.log1p((off / tail) ** 2) @ points.weights
    return log.reshape(len(pitch), len(roll))


def log_of_heights(bodies: Sequence[FloatArray], pitch: FloatArray, roll: FloatArray) -> FloatArray:
    """The part (P,R) of `log_density` by which the camera is above the ground below bodies."""
    log = np.zeros((len(pitch), len(roll)))
    for body in bodies:
        short = np.maximum(LEAST_CAMERA_HEIGHT - camera_heights(body, pitch, roll), 0) / CAMERA_HEIGHT_SIGMA
        log -= 0.5 * CAMERA_HEIGHT_OUTLIER**2 * np.log1p((short / CAMERA_HEIGHT_OUTLIER) ** 2) / len(bodies)
    return log


def camera_heights(body: FloatArray, pitch: FloatArray, roll: FloatArray) -> FloatArray:
    """How high (P,R) m a camera of pitches (P,) and rolls (R,) rad is above the ground below a body's points (F,P,3) m, camera axes."""
    up = up_of_tilt(*np.broadcast_arrays(pitch[:, None], roll))
    lowest = np.min(up.reshape(-1, 3) @ np.swapaxes(body.reshape(len(body), -1, 3), 1, 2), axis=2)
    return -np.quantile(lowest, GROUNDED_SHARE, axis=0).reshape(len(pitch), len(roll))


def _log_mixture(values: FloatArray, kinds: Sequence[tuple[float, float]]) -> FloatArray:
    """The logarithm of a mixture of normal densities about zero, of (share, standard deviation) each."""
    return np.log(sum(share / sigma * np.exp(-0.5 * (values / sigma) ** 2) for share, sigma in kinds) + 1e-300)


def _peak(log: FloatArray, pitch: FloatArray, roll: FloatArray) -> FloatArray:
    """Where (2,) a density (P,R) is greatest, between its cells by a parabola along each axis."""
    row, column = np.unravel_index(int(log[1:-1, 1:-1].argmax()), (len(pitch) - 2, len(roll) - 2))
    row, column = int(row) + 1, int(column) + 1
    peak = []
    for before, here, after, middle, step in (
        (*log[row - 1 : row + 2, column], pitch[row], pitch[1] - pitch[0]),
        (*log[row, column - 1 : column + 2], roll[column], roll[1] - roll[0]),
    ):
        bend = 2 * here - before - after
        peak.append(middle + (np.clip((after - before) / (2 * bend), -1, 1) * step if bend > 1e-12 else 0.0))
    return np.array(peak)


def _mass(log: FloatArray) -> FloatArray:
    """Probabilities of the cells of a grid."""
    density = np.exp(log - log.max())
    return density / density.sum()
