"""Rotations about an axis, between two directions, and twist about an axis; vectorized over frames."""

import numpy as np

from .array_types import ArrayLike, FloatArray


def unit_vector(vectors: FloatArray) -> FloatArray:
    """Vectors (..., 3) scaled to length 1; zero vectors stay zero."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def perpendicular_part(vectors: FloatArray, axis: FloatArray) -> FloatArray:
    """What is left of vectors (..., 3) without their parts along unit axes (..., 3)."""
    return vectors - (vectors * axis).sum(-1, keepdims=True) * axis


def bend_hinge(upper: FloatArray, lower: FloatArray, straight_hinge: FloatArray, sines: tuple[float, float]) -> FloatArray:
    """The axis (F,3) about which a limb bends: normal to its two bones, or where it is nearly straight, that of a straight limb.

    Args:
        upper, lower: (F,3) unit directions of its bones. straight_hinge: (F,3) unit.
        sines: of the bend, between which the one gradually replaces the other.
    """
    bend = np.cross(upper, lower)
    sine = np.linalg.norm(bend, axis=-1, keepdims=True)
    weight = np.clip((sine - sines[0]) / (sines[1] - sines[0]), 0, 1)
    return weight * bend / np.maximum(sine, 1e-9) + (1 - weight) * straight_hinge


def rotation_about_axis(axis: ArrayLike, angle: ArrayLike) -> FloatArray:
    """Rotation matrices (..., 3, 3) about unit axes (..., 3) by angles (...) rad."""
    axis, angle = np.asarray(axis, float), np.asarray(angle, float)
    x, y, z = np.moveaxis(axis, -1, 0)
    sine, cosine = np.sin(angle), np.cos(angle)
    versine = 1 - cosine
    rows = [
        cosine + versine * x * x, versine * x * y - sine * z, versine * x * z + sine * y,
        versine * x * y + sine * z, cosine + versine * y * y, versine * y * z - sine * x,
        versine * x * z - sine * y, versine * y * z + sine * x, cosine + versine * z * z,
    ]  # fmt: skip
    return np.stack(np.broadcast_arrays(*rows), -1).reshape(*rows[0].shape, 3, 3)


def rotation_between(source: ArrayLike, target: ArrayLike) -> FloatArray:
    """Rotations (..., 3, 3) by the least angle from directions (..., 3) to others; between opposite ones, about any normal."""
    source, target = np.broadcast_arrays(unit_vector(np.asarray(source, float)), unit_vector(np.asarray(target, float)))
    axis = np.cross(source, target)
    sine = np.linalg.norm(axis, axis=-1)
    cosine = (source * target).sum(-1)
    opposite = (sine < 1e-9) & (cosine < 0)
    if opposite.any():
        axis = np.where(opposite[..., None], np.cross(source, np.eye(3)[np.abs(source).argmin(-1)]), axis)
    return rotation_about_axis(unit_vector(axis), np.arctan2(sine, cosine))


def rotate_vectors(rotmats: FloatArray, vectors: ArrayLike) -> FloatArray:
    """Vectors (..., 3) rotated by matrices (..., 3, 3); either may lack leading axes."""
    vectors = np.asarray(vectors)
    if vectors.ndim == 1 and rotmats.ndim == 3:
        return rotmats @ vectors
    return np.einsum("...ab,...b->...a", rotmats, vectors)


def right_multiply(rotmats: FloatArray, constant: FloatArray) -> FloatArray:
    """rotmats (F,3,3) @ constant (3,3), as one product of large matrices."""
    return (rotmats.reshape(-1, 3) @ constant).reshape(rotmats.shape)


def transpose(rotmats: FloatArray) -> FloatArray:
    """The inverses of rotation matrices (..., 3, 3)."""
    return np.swapaxes(rotmats, -1, -2)


def twist_angle(rotmats: FloatArray, axis: ArrayLike) -> FloatArray:
    """Angle of the twist of rotations (F,3,3) about a fixed unit axis (3,), (F,) rad, continuous over frames.

    Source: the swing-twist decomposition; the tangent of half the twist is (v . axis) / w of the quaternion (w, v).
    """
    axis = np.asarray(axis, float)
    sine = (
        (rotmats[:, 2, 1] - rotmats[:, 1, 2]) * axis[0]
        + (rotmats[:, 0, 2] - rotmats[:, 2, 0]) * axis[1]
        + (rotmats[:, 1, 0] - rotmats[:, 0, 1]) * axis[2]
    )
    trace = rotmats[:, 0, 0] + rotmats[:, 1, 1] + rotmats[:, 2, 2]
    angle = np.unwrap(2 * np.arctan2(sine, np.maximum(1 + trace, 1e-12)))
    return angle - 2 * np.pi * np.round(np.median(angle) / (2 * np.pi)) if len(angle) else angle
