"""One adjustment of all rotations of a camera that turns in place, its focal length, zoom and radial distortion.

Unknowns: of each frame a rotation and the logarithm of its zoom, of the shot the logarithm of the focal length and one coefficient of
radial distortion. A match gives two residuals: the point in the earlier frame, taken to the later one by both rotations, less the point
there. Gauss-Newton with weights that let go of outliers (Geman and McClure); the frames' equations are sparse, the two common unknowns
are eliminated last, which also gives their covariance.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse  # pyrefly: ignore[untyped-import] - scipy ships no type stubs
from scipy.sparse.linalg import splu  # pyrefly: ignore[untyped-import]

from ...core.array_types import FloatArray, IntArray
from ...core.rotations import rotmat_from_rotvec, rotvec_from_rotmat, skew_matrix

# px of the small image, standard deviation of a match. Errors are near 0.3, but a corner's repeat in all frames that see it.
MATCH_NOISE = 1.6
OUTLIER_SCALES = (6.0, 3.0, 2.0, 1.5, 1.5, 1.5, 1.5, 1.5)  # px of the small image, from which weights fall; one a step
DISTORTION_SIGMA = 0.02  # of the coefficient of distortion, about 0
# A frame, standard deviations of the motion: wide, since they only bridge frames without matches.
ROTATION_STEP, ZOOM_STEP = np.radians(20.0), 0.2
FIXED = 1e-5  # standard deviation of what is held
PAIRS_AT_ONCE = 1000  # bounds the memory of the derivatives


@dataclass(frozen=True)
class Matches:
    """Matches within one shot. pairs: (E,2) frames of the shot, earlier and later. starts: (E+1,). before, after: (M,2) px from the
    image's middle. weights: (M,) 0..1. pixel: px of the footage that make one of the small image. rate: frames a second.
    """

    pairs: IntArray
    starts: IntArray
    before: FloatArray
    after: FloatArray
    weights: FloatArray
    pixel: float
    rate: float = 30.0

    @property
    def pair_of(self) -> IntArray:
        """(M,), the pair of each match."""
        return np.repeat(np.arange(len(self.pairs)), np.diff(self.starts))

    def some(self, first: int, last: int) -> "Matches":
        """The matches of pairs first:last."""
        begin, end = self.starts[first], self.starts[last]
        part = slice(begin, end)
        return replace(
            self,
            pairs=self.pairs[first:last],
            starts=self.starts[first : last + 1] - begin,
            before=self.before[part],
            after=self.after[part],
            weights=self.weights[part],
        )


@dataclass(frozen=True)
class Turning:
    """A camera that turns in place, over F frames.

    camera_from_first: (F,3,3). zoom: (F,), logarithm of the focal length over the first frame's. log_focal: of px, in the first frame.
    distortion: k1 of undistorted = distorted * (1 + k1 r^2), r in focal lengths. sigma: the standard deviations of the last two.
    """

    camera_from_first: FloatArray
    zoom: FloatArray
    log_focal: float
    distortion: float = 0.0
    sigma: tuple[float, float] = (float("inf"), float("inf"))


def adjust(
    matches: Matches, start: Turning, prior: tuple[float, float], is_zoom_free: bool, distortion_sigma: float = DISTORTION_SIGMA
) -> Turning:
    """Fit rotations and lens to all matches of a shot. Rotations and zoom of the first frame stay.

    Args:
        prior: the focal length's logarithm and its standard deviation. distortion_sigma: that of the distortion about 0.
    """
    state, prior_sigma = start, max(prior[1], FIXED)
    for scale in OUTLIER_SCALES:
        hessian, border, corner, gradient, gradient_common = _equations(matches, state, scale)
        _add_motion_prior(hessian_rows := [hessian], gradient, state, is_zoom_free)
        corner = corner + np.diag([prior_sigma**-2, distortion_sigma**-2])
        gradient_common = gradient_common + np.array([
            (state.log_focal - prior[0]) / prior_sigma**2, state.distortion / distortion_sigma**2
        ])  # fmt: skip
        solve = splu(sum(hessian_rows[1:], hessian_rows[0]).tocsc(), permc_spec="MMD_AT_PLUS_A")
        inner = solve.solve(np.column_stack([gradient.ravel(), border]))
        reduced = corner - border.T @ inner[:, 1:]
        common = -np.linalg.solve(reduced, gradient_common - border.T @ inner[:, 0])
        step = (-inner[:, 0] - inner[:, 1:] @ common).reshape(-1, 4)
        common = np.clip(common, -0.3, 0.3)
        state = Turning(
            rotmat_from_rotvec(np.clip(step[:, :3], -0.5, 0.5)) @ state.camera_from_first,
            state.zoom + np.clip(step[:, 3], -0.3, 0.3) * is_zoom_free,
            state.log_focal + float(common[0]),
            state.distortion + float(common[1]),
            _deviations(reduced),
        )
    return state


def residuals(matches: Matches, state: Turning) -> FloatArray:
    """Errors (M,2) px of the small image: where the rotations take each point, less where it is."""
    a, b = matches.pairs[matches.pair_of].T
    _u, ray = _ray(matches.before, np.exp(state.log_focal + state.zoom[a]), state.distortion)
    turned = _relative(matches, state, ray)[1]
    focal = np.exp(state.log_focal + state.zoom[b])[:, None]
    depth = np.maximum(turned[:, 2:], 1e-3)
    radius = ((matches.after / focal) ** 2).sum(-1, keepdims=True)
    return np.asarray(focal * turned[:, :2] / depth - matches.after * (1 + state.distortion * radius)) / matches.pixel


def _ray(points: FloatArray, focal: FloatArray, distortion: float) -> tuple[FloatArray, FloatArray]:
    """Points (M,2) px in focal lengths (M,2), and their lines of sight (M,3) with z = 1."""
    u = points / focal[:, None]
    return u, np.column_stack([u * (1 + distortion * (u**2).sum(-1, keepdims=True)), np.ones(len(u))])


def _relative(matches: Matches, state: Turning, ray: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Each match's rotation from the earlier to the later camera (M,3,3), and its turned line of sight (M,3)."""
    earlier, later = state.camera_from_first[matches.pairs.T]
    relative = (later @ np.swapaxes(earlier, -1, -2))[matches.pair_of]
    return relative, (relative @ ray[:, :, None])[:, :, 0]


def _derivatives(matches: Matches, state: Turning) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Derivatives of the errors, px of the small image: by the earlier and later frame's unknowns (M,2,4) each, by the common (M,2,2)."""
    a, b = matches.pairs[matches.pair_of].T
    k1 = state.distortion
    u, ray = _ray(matches.before, np.exp(state.log_focal + state.zoom[a]), k1)
    relative, turned = _relative(matches, state, ray)
    focal = np.exp(state.log_focal + state.zoom[b])
    depth = np.maximum(turned[:, 2], 1e-3)
    q = turned[:, :2] / depth[:, None]
    by_turned = np.zeros((len(u), 2, 3))
    by_turned[:, 0, 0] = by_turned[:, 1, 1] = focal / depth
    by_turned[:, :, 2] = -(focal / depth)[:, None] * q
    by_ray = by_turned @ relative
    square = (u**2).sum(-1, keepdims=True)
    square_b = ((matches.after / focal[:, None]) ** 2).sum(-1, keepdims=True)
    by_u = by_ray[:, :, :2]
    by_zoom_a = -(by_u @ (u * (1 + 3 * k1 * square))[:, :, None])
    by_zoom_b = (focal[:, None] * q + 2 * k1 * square_b * matches.after)[:, :, None]
    by_distortion = by_u @ (u * square)[:, :, None] - (matches.after * square_b)[:, :, None]
    earlier = np.concatenate([by_ray @ skew_matrix(ray), by_zoom_a], -1)
    later = np.concatenate([-by_turned @ skew_matrix(turned), by_zoom_b], -1)
    common = np.concatenate([by_zoom_a + by_zoom_b, by_distortion], -1)
    return earlier / matches.pixel, later / matches.pixel, common / matches.pixel


def robust_weights(errors: FloatArray, scale: float) -> FloatArray:
    """Weights (M,) of errors (M,2), which fall from `scale` on. Source: Geman and McClure 1987."""
    return np.asarray(1 / (1 + (errors**2).sum(-1) / scale**2) ** 2)


def _equations(matches: Matches, state: Turning, scale: float) -> tuple[sparse.coo_matrix, FloatArray, FloatArray, FloatArray, FloatArray]:
    """The normal equations: of the frames (4F,4F), between frames and common (4F,2), of the common (2,2), and both gradients."""
    frames = len(state.zoom)
    border, gradient = np.zeros((frames, 4, 2)), np.zeros((frames, 4))
    corner, gradient_common = np.zeros((2, 2)), np.zeros(2)
    blocks: list[FloatArray] = []
    places: list[IntArray] = []
    for first in range(0, len(matches.pairs), PAIRS_AT_ONCE):
        part = matches.some(first, min(first + PAIRS_AT_ONCE, len(matches.pairs)))
        errors = residuals(part, state)
        weights = (part.weights * robust_weights(errors, scale) / MATCH_NOISE**2)[:, None, None]
        earlier, later, common = _derivatives(part, state)
        own = np.concatenate([earlier, later], -1)
        products = _sums(np.swapaxes(own, 1, 2) @ (weights * own), part.starts)
        blocks += [products[:, 4 * i : 4 * i + 4, 4 * j : 4 * j + 4] for i in (0, 1) for j in (0, 1)]
        places += [part.pairs[:, [i, j]] for i in (0, 1) for j in (0, 1)]
        borders = _sums(np.swapaxes(own, 1, 2) @ (weights * common), part.starts)
        gradients = _sums((np.swapaxes(own, 1, 2) @ (weights * errors[:, :, None]))[:, :, 0], part.starts)
        for i in (0, 1):
            np.add.at(border, part.pairs[:, i], borders[:, 4 * i : 4 * i + 4])
            np.add.at(gradient, part.pairs[:, i], gradients[:, 4 * i : 4 * i + 4])
        corner += np.einsum("mki,mkj->ij", weights * common, common)
        gradient_common += np.einsum("mki,mk->i", weights * common, errors)
    return _assemble(np.concatenate(blocks), np.concatenate(places), frames), border.reshape(-1, 2), corner, gradient, gradient_common


def _sums(values: FloatArray, starts: IntArray) -> FloatArray:
    """Sums over each pair's matches; every pair has some."""
    return np.add.reduceat(values, starts[:-1], axis=0)


def _assemble(blocks: FloatArray, places: IntArray, frames: int) -> sparse.coo_matrix:
    """A sparse matrix (4F,4F) of blocks (N,4,4) at (N,2)."""
    inner = np.arange(4)
    rows = np.broadcast_to((4 * places[:, 0])[:, None, None] + inner[:, None], blocks.shape)
    columns = np.broadcast_to((4 * places[:, 1])[:, None, None] + inner, blocks.shape)
    return sparse.coo_matrix((blocks.ravel(), (rows.ravel(), columns.ravel())), shape=(4 * frames, 4 * frames))


def _add_motion_prior(hessian_rows: list[sparse.coo_matrix], gradient: FloatArray, state: Turning, is_zoom_free: bool) -> None:
    """Add what holds the first frame, and what joins successive frames, to the frames' equations."""
    frames = len(state.zoom)
    stiffness = np.array([ROTATION_STEP] * 3 + [ZOOM_STEP if is_zoom_free else FIXED]) ** -2.0
    rotations = state.camera_from_first
    turns = rotvec_from_rotmat(rotations[1:] @ np.swapaxes(rotations[:-1], -1, -2))
    steps = stiffness * np.column_stack([turns, np.diff(state.zoom)])
    gradient[1:] += steps
    gradient[:-1] -= steps
    block, later = np.tile(np.diag(stiffness), (frames - 1, 1, 1)), np.arange(1, frames)
    ends = ((later, later), (later - 1, later - 1), (later - 1, later), (later, later - 1))
    places = np.concatenate([np.column_stack(end) for end in ends])
    held = np.eye(4)[None] * FIXED**-2.0
    blocks = np.concatenate([block, block, -block, -block, held])
    hessian_rows.append(_assemble(blocks, np.concatenate([places, [[0, 0]]]), frames))


def _deviations(precision: FloatArray) -> tuple[float, float]:
    """Standard deviations of two unknowns."""
    variances = np.diag(np.linalg.inv(precision))
    return float(np.sqrt(variances[0])), float(np.sqrt(variances[1]))


def is_finite(state: Turning) -> bool:
    """Whether an adjustment came to numbers at all."""
    numbers = (state.camera_from_first, state.zoom, [state.log_focal, state.distortion])
    return all(bool(np.isfinite(part).all()) for part in numbers)
