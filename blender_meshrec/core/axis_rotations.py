"""Small rotations, vectorised over frames: about an axis, the shortest way from one direction to another, and twist."""

import numpy as np


def unit_vector(vectors):
    """Vectors (..., 3) at length 1; a vector of no length stays one."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def rotation_about_axis(axis, angle):
    """Rotation matrices (..., 3, 3) about unit axes (..., 3) by angles (...) rad."""
    axis, angle = np.asarray(axis, float), np.asarray(angle, float)
    x, y, z = np.moveaxis(axis, -1, 0)
    sine, cosine = np.sin(angle), np.cos(angle)
    rest = 1 - cosine
    rows = [
        cosine + rest * x * x, rest * x * y - sine * z, rest * x * z + sine * y,
        rest * x * y + sine * z, cosine + rest * y * y, rest * y * z - sine * x,
        rest * x * z - sine * y, rest * y * z + sine * x, cosine + rest * z * z,
    ]  # fmt: skip
    return np.stack(np.broadcast_arrays(*rows), -1).reshape(*rows[0].shape, 3, 3)


def rotation_between(source, target):
    """The least rotations (..., 3, 3) that turn vectors (..., 3) into the directions of others; opposite ones turn about any normal."""
    source, target = np.broadcast_arrays(unit_vector(np.asarray(source, float)), unit_vector(np.asarray(target, float)))
    axis = np.cross(source, target)
    sine = np.linalg.norm(axis, axis=-1)
    cosine = (source * target).sum(-1)
    opposite = (sine < 1e-9) & (cosine < 0)
    if opposite.any():
        axis = np.where(opposite[..., None], np.cross(source, np.eye(3)[np.abs(source).argmin(-1)]), axis)
    return rotation_about_axis(unit_vector(axis), np.arctan2(sine, cosine))


def rotate_vectors(rotmats, vectors):
    """Vectors (..., 3) turned by matrices (..., 3, 3); either may lack leading axes."""
    vectors = np.asarray(vectors)
    if vectors.ndim == 1 and rotmats.ndim == 3:
        return rotmats @ vectors
    return np.einsum("...ab,...b->...a", rotmats, vectors)


def right_multiply(rotmats, constant):
    """rotmats (F,3,3) @ constant (3,3) as one product of large matrices."""
    return (rotmats.reshape(-1, 3) @ constant).reshape(rotmats.shape)


def transpose(rotmats):
    """The inverses of rotation matrices (..., 3, 3)."""
    return np.swapaxes(rotmats, -1, -2)


def twist_angle(rotmats, axis):
    """How far rotations (F,3,3) turn about a fixed unit axis (3,), beside swinging it: (F,) rad, continuous over frames.

    Source: the swing-twist decomposition; the twist's half angle has the tangent (v . axis) / w of the quaternion (w, v).
    """
    turning = (
        (rotmats[:, 2, 1] - rotmats[:, 1, 2]) * axis[0]
        + (rotmats[:, 0, 2] - rotmats[:, 2, 0]) * axis[1]
        + (rotmats[:, 1, 0] - rotmats[:, 0, 1]) * axis[2]
    )
    trace = rotmats[:, 0, 0] + rotmats[:, 1, 1] + rotmats[:, 2, 2]
    angle = np.unwrap(2 * np.arctan2(turning, np.maximum(1 + trace, 1e-12)))
    return angle - 2 * np.pi * np.round(np.median(angle) / (2 * np.pi)) if len(angle) else angle
