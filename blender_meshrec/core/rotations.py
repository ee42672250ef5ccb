"""Rotations in numpy, batched over leading axes; quaternions are wxyz. The backend uses roma for the same in torch."""

import numpy as np

from .array_types import ArrayLike, FloatArray

_MIN_LENGTH = 1e-12  # vectors and quaternions shorter than this have no direction


def skew_matrix(vectors: ArrayLike) -> FloatArray:
    """The matrices (..., 3, 3) whose product with x is the cross product of vectors (..., 3) with x."""
    x, y, z = np.moveaxis(np.asarray(vectors, float), -1, 0)
    zero = np.zeros_like(x)
    return np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*x.shape, 3, 3)


def rotmat_from_rotvec(rotvec: ArrayLike) -> FloatArray:
    """Rodrigues' formula: (..., 3) rad -> (..., 3, 3)."""
    rotvec = np.asarray(rotvec, float)
    angle = np.linalg.norm(rotvec, axis=-1)[..., None, None]
    cross = skew_matrix(rotvec)
    # sin(a)/a and (1 - cos(a))/a^2, both finite at zero.
    sine = np.sinc(angle / np.pi)
    cosine = 0.5 * np.sinc(angle / (2 * np.pi)) ** 2
    return np.eye(3) + sine * cross + cosine * (cross @ cross)


def right_jacobian_inverse(rotvec: FloatArray) -> FloatArray:
    """Derivatives (...,3,3) of log(R exp(d)) by d at 0, for R = exp(rotvec) (...,3). Source: Sola 2018, "A micro Lie theory", eq. 144."""
    angle = np.linalg.norm(rotvec, axis=-1)[..., None, None]
    half = np.maximum(angle / 2, 1e-6)
    cross = skew_matrix(rotvec)
    factor = np.where(angle > 1e-3, (1 - half / np.tan(half)) / np.maximum(angle, 1e-6) ** 2, 1 / 12)
    return np.eye(3) + cross / 2 + factor * (cross @ cross)


def quat_from_rotmat(rotmat: ArrayLike) -> FloatArray:
    """(..., 3, 3) -> (..., 4) wxyz with w >= 0. Source: Shepperd 1978 (the largest of four pivots)."""
    m = np.asarray(rotmat, float)
    trace = m[..., 0, 0] + m[..., 1, 1] + m[..., 2, 2]
    pivots = np.stack([trace, m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]], -1)
    d = m - np.swapaxes(m, -1, -2)
    s = m + np.swapaxes(m, -1, -2)
    wx, wy, wz = d[..., 2, 1], d[..., 0, 2], d[..., 1, 0]
    xy, xz, yz = s[..., 0, 1], s[..., 0, 2], s[..., 1, 2]
    ww = 1 + trace
    xx, yy, zz = (1 - trace + 2 * m[..., i, i] for i in range(3))
    candidates = np.stack([np.stack(row, -1) for row in ([ww, wx, wy, wz], [wx, xx, xy, xz], [wy, xy, yy, yz], [wz, xz, yz, zz])], -2)
    quat = np.take_along_axis(candidates, pivots.argmax(-1)[..., None, None], -2)[..., 0, :]
    return canonical_quat(normalize_quat(quat))


def rotmat_from_quat(quat_wxyz: ArrayLike) -> FloatArray:
    """(..., 4) -> (..., 3, 3); the quaternion is normalized first."""
    w, x, y, z = np.moveaxis(normalize_quat(np.asarray(quat_wxyz, float)), -1, 0)
    rows = [
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return np.stack(rows, -1).reshape(*w.shape, 3, 3)


def rotvec_from_quat(quat_wxyz: ArrayLike) -> FloatArray:
    """(..., 4) -> (..., 3) rad, angle in [0, pi]."""
    quat = canonical_quat(normalize_quat(np.asarray(quat_wxyz, float)))
    length = np.linalg.norm(quat[..., 1:], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(length, quat[..., :1])
    scale = np.where(length > _MIN_LENGTH, angle / np.maximum(length, _MIN_LENGTH), 2.0)
    return scale * quat[..., 1:]


def rotvec_from_rotmat(rotmat: ArrayLike) -> FloatArray:
    """(..., 3, 3) -> (..., 3) rad, angle in [0, pi]."""
    return rotvec_from_quat(quat_from_rotmat(rotmat))


def quat_from_rotvec(rotvec: ArrayLike) -> FloatArray:
    """(..., 3) rad -> (..., 4) wxyz with w >= 0."""
    rotvec = np.asarray(rotvec, float)
    half = np.linalg.norm(rotvec, axis=-1, keepdims=True) / 2
    return canonical_quat(np.concatenate([np.cos(half), 0.5 * np.sinc(half / np.pi) * rotvec], -1))


def multiply_quat(a: ArrayLike, b: ArrayLike) -> FloatArray:
    """The rotation b followed by a; both (..., 4) wxyz."""
    aw, ax, ay, az = np.moveaxis(np.asarray(a, float), -1, 0)
    bw, bx, by, bz = np.moveaxis(np.asarray(b, float), -1, 0)
    return np.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        -1,
    )


def normalize_quat(quat: FloatArray) -> FloatArray:
    """Quaternions (..., 4) scaled to unit length; a zero quaternion becomes the identity."""
    length = np.linalg.norm(quat, axis=-1, keepdims=True)
    identity = np.broadcast_to([1.0, 0.0, 0.0, 0.0], quat.shape)
    return np.where(length > _MIN_LENGTH, quat / np.maximum(length, _MIN_LENGTH), identity)


def canonical_quat(quat: FloatArray) -> FloatArray:
    """Of the two quaternions (..., 4) of each rotation, the one with w >= 0."""
    return np.where(quat[..., :1] < 0, -quat, quat)


def align_quat_signs(quat: ArrayLike) -> FloatArray:
    """Flip signs of quaternions (F, ..., 4) so that neighbors along axis 0 lie in one half-sphere and interpolate along the short arc."""
    quat = np.array(quat, float)
    if len(quat) > 1:
        flips = np.where((quat[1:] * quat[:-1]).sum(-1) < 0, -1.0, 1.0)
        quat[1:] *= np.cumprod(flips, axis=0)[..., None]
    return quat


def slerp(a: ArrayLike, b: ArrayLike, weight: ArrayLike) -> FloatArray:
    """Spherical interpolation on the short arc, a at weight 0; a, b (..., 4), weight broadcast over (...)."""
    a = normalize_quat(np.asarray(a, float))
    b = normalize_quat(np.asarray(b, float))
    cosine = (a * b).sum(-1, keepdims=True)
    b = np.where(cosine < 0, -b, b)
    weight = np.asarray(weight, float)[..., None]
    angle = np.arccos(np.clip(np.abs(cosine), 0, 1))
    sine = np.sin(angle)
    is_small = sine < 1e-6
    safe_sine = np.where(is_small, 1.0, sine)
    mixed = np.where(is_small, (1 - weight) * a + weight * b, (np.sin((1 - weight) * angle) * a + np.sin(weight * angle) * b) / safe_sine)
    return normalize_quat(mixed)


def turn_between(start: FloatArray, end: FloatArray) -> FloatArray:
    """The smallest rotations (...,3,3) that turn directions `start` (...,3) onto `end` (...,3), which must not be opposite."""
    start, end = (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True) for vectors in (start, end))
    cross, cosine = np.cross(start, end), (start * end).sum(-1)[..., None]
    return rotmat_from_rotvec(cross * np.arccos(np.clip(cosine, -1, 1)) / np.maximum(np.linalg.norm(cross, axis=-1, keepdims=True), 1e-9))


def angle_between_rotmats(a: FloatArray, b: FloatArray) -> FloatArray:
    """The angle in radians of the rotation from a to b, rotation matrices (..., 3, 3) -> (...)."""
    relative = np.swapaxes(a, -1, -2) @ b
    return np.linalg.norm(rotvec_from_rotmat(relative), axis=-1)
