"""Joint-limit violation of knees and elbows, and the volume of a body.

Source: Xia et al. 2025 (HSMR), S.5 and S.6: SMPL's rotations are converted to Euler angles, the violation is measured about each
axis, and the largest of a joint counts. Left open there and chosen here: the order of the Euler angles (flexion first, in the axes
of the thigh or upper arm, axial rotation of the lower limb last: Grood and Suntay 1983), and the limits about axes for which SKEL
has no angle. Flexion has SKEL's limits of knees and elbows. Sideways bending is not allowed. Axial rotation of a shin is not
allowed; a forearm has the limits of SKEL's radius, because SMPL's elbow includes its rotation.
"""

from collections.abc import Mapping
from typing import TypeAlias, TypedDict

import numpy as np

from ..array_types import ArrayLike, FloatArray, IntArray
from ..messages import Message
from ..rotations import rotmat_from_rotvec
from ..skeletons import SMPL_JOINTS
from .vocabulary import DOF_LIMITS, dof_index, excess_over_limits

Mesh: TypeAlias = tuple[FloatArray, IntArray]  # vertices (V,3) m, faces (T,3)


class ViolationSummary(TypedDict):
    """Fractions of frames in which knees and elbows violate their limits by more than thresholds; mean violation in degrees."""

    knees: dict[str, float]
    elbows: dict[str, float]
    mean: float


class BodyReport(ViolationSummary):
    """A ViolationSummary with the largest violation in degrees and the volume of the body at rest."""

    max: float
    volume_dm3: float


VIOLATION_JOINTS = ("left_knee", "right_knee", "left_elbow", "right_elbow")
# SKEL's flexion angles of these joints.
_FLEXION_DOFS = tuple(dof_index(name) for name in ("knee_angle_l", "knee_angle_r", "elbow_flexion_l", "elbow_flexion_r"))
# SMPL's axes at rest (x left, y up, z front) of flexion, sideways bending and axial rotation; the sign of flexion; the SKEL angle
# that limits axial rotation.
_SMPL_AXES: dict[str, tuple[tuple[int, int, int], int, str | None]] = {
    "left_knee": ((0, 2, 1), 1, None),
    "right_knee": ((0, 2, 1), 1, None),
    "left_elbow": ((1, 2, 0), -1, "pro_sup_l"),
    "right_elbow": ((1, 2, 0), 1, "pro_sup_r"),
}


def smpl_limit_violation(poses: ArrayLike) -> FloatArray:
    """How far SMPL's knees and elbows are beyond their anatomical limits, (F,4) degrees, in the order of `VIOLATION_JOINTS`.

    Args:
        poses: rotation vectors (F,72) rad, root first, or wider with SMPL's joints first.
    """
    poses = np.asarray(poses, float)
    rotvecs = poses.reshape(len(poses), -1, 3)
    violation = np.empty((len(poses), len(VIOLATION_JOINTS)))
    for column, name in enumerate(VIOLATION_JOINTS):
        axes, sign, rotation_dof = _SMPL_AXES[name]
        flexion, sideways, rotation = euler_angles(rotmat_from_rotvec(rotvecs[:, SMPL_JOINTS.index(name)]), axes)
        rotation_limits = (0.0, 0.0) if rotation_dof is None else DOF_LIMITS[dof_index(rotation_dof)]
        excess = (
            excess_over_limits(sign * flexion, DOF_LIMITS[_FLEXION_DOFS[column]]),
            np.abs(sideways),
            excess_over_limits(rotation, rotation_limits),
        )
        violation[:, column] = np.degrees(np.max(excess, 0))
    return violation


def skel_limit_violation(q: ArrayLike) -> FloatArray:
    """How far SKEL's knees and elbows, q (F,46) rad, are beyond their limits, (F,4) degrees, in the order of `VIOLATION_JOINTS`."""
    flexion_dofs = list(_FLEXION_DOFS)
    return np.degrees(excess_over_limits(np.asarray(q, float)[:, flexion_dofs], DOF_LIMITS[flexion_dofs]))


def violation_summary(violation: ArrayLike, thresholds: tuple[float, ...] = (10.0, 20.0, 30.0)) -> ViolationSummary:
    """Mean of violations (F,4) in degrees, and fractions of frames whose knees or elbows exceed thresholds.

    Returns:
        {"knees": {"beyond_10_deg": fraction, ...}, "elbows": {...}, "mean": degrees over all}; nan over no frames.
    """
    violation = np.asarray(violation, float)

    def fractions(columns: list[int]) -> dict[str, float]:
        worst = violation[:, columns].max(1)
        return {f"beyond_{threshold:g}_deg": float(np.mean(worst > threshold)) if len(worst) else float("nan") for threshold in thresholds}

    mean = float(violation.mean()) if violation.size else float("nan")
    return {"knees": fractions([0, 1]), "elbows": fractions([2, 3]), "mean": mean}


def anatomy_report(poses: ArrayLike, q: ArrayLike, smpl_rest: Mesh, skel_rest: Mesh) -> dict[str, BodyReport]:
    """The same measures for the SMPL and the SKEL body of one motion.

    Args:
        poses: (F,72) rad, SMPL's. q: (F,46) rad, SKEL's. smpl_rest, skel_rest: the bodies at rest.

    Returns:
        {"smpl": report, "skel": report}.
    """
    return {"smpl": _body_report(smpl_limit_violation(poses), smpl_rest), "skel": _body_report(skel_limit_violation(q), skel_rest)}


def _body_report(violation: FloatArray, rest: Mesh) -> BodyReport:
    largest = float(violation.max()) if violation.size else float("nan")
    summary = violation_summary(violation)
    return {
        "knees": summary["knees"],
        "elbows": summary["elbows"],
        "mean": summary["mean"],
        "max": largest,
        "volume_dm3": float(body_volume(*rest)),
    }


def format_anatomy_report(report: Mapping[str, BodyReport]) -> Message:
    """An `anatomy_report` as one line of text."""
    bodies = (f"{name.upper()} {part['mean']:.1f} deg on average, {part['max']:.1f} at most" for name, part in report.items())
    return Message("joint-limit-violations", "Knees and elbows beyond their limits: {what}", what="; ".join(bodies))


def euler_angles(rotmat: FloatArray, axes: tuple[int, int, int]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Angles (...) rad about three different coordinate axes i, j, k with rotmat (..., 3, 3) = Ri Rj Rk; the second within +-90 degrees."""
    i, j, k = axes
    parity = 1.0 if (j - i) % 3 == 1 else -1.0
    first = np.arctan2(-parity * rotmat[..., j, k], rotmat[..., k, k])
    second = np.arctan2(parity * rotmat[..., i, k], np.hypot(rotmat[..., i, i], rotmat[..., i, j]))
    return first, second, np.arctan2(-parity * rotmat[..., i, j], rotmat[..., i, i])


def body_volume(vertices: ArrayLike, faces: IntArray) -> FloatArray:
    """Volume inside a mesh, in dm^3, (...) for vertices (..., V, 3) m; faces (T,3) that point outwards count positive.

    Holes, as in the mouth or around the eyes, are closed by cones from their rim to its middle, so that the result does not depend
    on the body's position. Closed shells inside one another add up. Source: signed tetrahedra, Zhang and Chen 2001.
    """
    vertices = np.asarray(vertices, float)
    vertices = vertices - vertices.mean(-2, keepdims=True)  # keeps the terms of the sum small
    total = _signed_volume(vertices, faces)
    for loop in _boundary_loops(faces):
        middle = vertices[..., np.unique(loop), :].mean(-2, keepdims=True)
        cone = np.concatenate([loop[:, ::-1], np.full((len(loop), 1), vertices.shape[-2])], 1)
        total = total + _signed_volume(np.concatenate([vertices, middle], -2), cone)
    return 1000 * total


def _signed_volume(vertices: FloatArray, faces: IntArray) -> FloatArray:
    a, b, c = (vertices[..., faces[:, corner], :] for corner in range(3))
    return (a * np.cross(b, c)).sum((-1, -2)) / 6


def _boundary_loops(faces: IntArray) -> list[IntArray]:
    """The boundary edges of a mesh, in the direction of their face, as one (E,2) array per hole."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    _, edge_index, counts = np.unique(np.sort(edges, 1), axis=0, return_inverse=True, return_counts=True)
    ends_of: dict[int, list[int]] = {}
    for start, end in edges[counts[edge_index.ravel()] == 1]:
        ends_of.setdefault(int(start), []).append(int(end))
    loops = []
    while ends_of:
        start = next(iter(ends_of))
        loop: list[tuple[int, int]] = []
        while start in ends_of:
            end = ends_of[start].pop()
            if not ends_of[start]:
                del ends_of[start]
            loop.append((start, end))
            start = end
        loops.append(np.array(loop))
    return loops
