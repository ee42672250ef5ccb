"""What SKEL is for, in numbers: how far knees and elbows bend as nobody's do, and how much room a body takes up.

Source: Xia et al. 2025 (HSMR), S.5 and S.6: SMPL's rotations are turned to Euler angles, the violation is taken about each axis,
and the largest of a joint's counts. Left open there and chosen here: the order of the Euler angles (bending first, as seen from
the thigh or upper arm, the turn about the lower limb last: Grood and Suntay 1983), and the limits of a joint that SKEL only lets
bend. Bending has SKEL's limits of knees and elbows. To the side none is allowed. About its own length a shin may not turn; a
forearm may as far as SKEL's radius does, because SMPL's elbow carries that turn as well.
"""

import numpy as np

from ..messages import Message
from ..rotations import rotmat_from_rotvec
from ..skeletons import SMPL_JOINTS
from .vocabulary import DOF_LIMITS, dof_index

VIOLATION_JOINTS = ("left_knee", "right_knee", "left_elbow", "right_elbow")
# The angles of SKEL that bend these joints.
_BENDING = tuple(dof_index(name) for name in ("knee_angle_l", "knee_angle_r", "elbow_flexion_l", "elbow_flexion_r"))
# SMPL's axes at rest (x left, y up, z front) of bending, to the side, about the length; the sign of bending; what limits the last.
_SMPL_AXES = {
    "left_knee": ((0, 2, 1), 1, None),
    "right_knee": ((0, 2, 1), 1, None),
    "left_elbow": ((1, 2, 0), -1, "pro_sup_l"),
    "right_elbow": ((1, 2, 0), 1, "pro_sup_r"),
}


def smpl_limit_violation(poses):
    """How far SMPL's knees and elbows turn beyond what those joints can, (F,4) degrees, in the order of `VIOLATION_JOINTS`.

    Args:
        poses: (F,72) rad, or wider with SMPL's joints first, the root included: rotation vectors.
    """
    poses = np.asarray(poses, float)
    rotvecs = poses.reshape(len(poses), -1, 3)
    found = np.empty((len(poses), len(VIOLATION_JOINTS)))
    for column, name in enumerate(VIOLATION_JOINTS):
        axes, sign, turning = _SMPL_AXES[name]
        bend, aside, turn = euler_angles(rotmat_from_rotvec(rotvecs[:, SMPL_JOINTS.index(name)]), axes)
        turn_limits = (0.0, 0.0) if turning is None else DOF_LIMITS[dof_index(turning)]
        excess = _excess(sign * bend, DOF_LIMITS[_BENDING[column]]), np.abs(aside), _excess(turn, turn_limits)
        found[:, column] = np.degrees(np.max(excess, 0))
    return found


def skel_limit_violation(q):
    """How far SKEL's knees and elbows, q (F,46) rad, bend beyond their limits, (F,4) degrees, in the order of `VIOLATION_JOINTS`."""
    return np.degrees(np.stack([_excess(np.asarray(q, float)[:, dof], DOF_LIMITS[dof]) for dof in _BENDING], -1))


def violation_summary(violation, thresholds=(10.0, 20.0, 30.0)):
    """Of violations (F,4) in degrees, two numbers a threshold: the share of frames whose knees, and whose elbows, go further beyond.

    Returns:
        {"knees": {"beyond_10_deg": share, ...}, "elbows": {...}, "mean": degrees over all}; nan over no frames.
    """
    violation = np.asarray(violation, float)

    def shares(columns):
        worst = violation[:, columns].max(1)
        return {f"beyond_{threshold:g}_deg": float(np.mean(worst > threshold)) if len(worst) else float("nan") for threshold in thresholds}

    mean = float(violation.mean()) if violation.size else float("nan")
    return {"knees": shares([0, 1]), "elbows": shares([2, 3]), "mean": mean}


def anatomy_report(poses, q, smpl_rest, skel_rest):
    """Both bodies of one motion measured alike, for a report.

    Args:
        poses: (F,72) rad, SMPL's. q: (F,46) rad, SKEL's. smpl_rest, skel_rest: (vertices (V,3) m at rest, faces (T,3)).

    Returns:
        {"smpl": {...}, "skel": {...}}, each `violation_summary` (keys "knees", "elbows", "mean") with "max", degrees, and
        "volume_dm3".
    """
    found = {}
    for name, violation, rest in (("smpl", smpl_limit_violation(poses), smpl_rest), ("skel", skel_limit_violation(q), skel_rest)):
        largest = float(violation.max()) if violation.size else float("nan")
        found[name] = {**violation_summary(violation), "max": largest, "volume_dm3": float(body_volume(*rest))}
    return found


def format_anatomy_report(report):
    """An `anatomy_report` as one line of text."""
    bodies = (
        f"{name.upper()} {part['mean']:.1f} deg on average, {part['max']:.1f} at most, {part['volume_dm3']:.1f} litres"
        for name, part in report.items()
    )
    return Message("joint-limit-violations", "Knees and elbows beyond their limits: {what}", what="; ".join(bodies))


def euler_angles(rotmat, axes):
    """Three angles (...) about different coordinate axes i, j, k with rotmat (..., 3, 3) = Ri Rj Rk; the middle within +-90 degrees."""
    i, j, k = axes
    parity = 1.0 if (j - i) % 3 == 1 else -1.0
    first = np.arctan2(-parity * rotmat[..., j, k], rotmat[..., k, k])
    second = np.arctan2(parity * rotmat[..., i, k], np.hypot(rotmat[..., i, i], rotmat[..., i, j]))
    return first, second, np.arctan2(-parity * rotmat[..., i, j], rotmat[..., i, i])


def body_volume(vertices, faces):
    """The room that a mesh encloses, in dm^3 (litres), (...) of vertices (..., V, 3) m; outward faces (T,3) count positive.

    Holes, as in a mouth or around eyes, are closed by a cone from each one's rim to its middle, so that where the body stands does
    not matter. Closed shells inside one another add up. Source: signed tetrahedra, Zhang and Chen 2001.
    """
    vertices, faces = np.asarray(vertices, float), np.asarray(faces)
    vertices = vertices - vertices.mean(-2, keepdims=True)  # keeps the sum's terms small
    total = _signed_volume(vertices, faces)
    for rim in _boundary_loops(faces):
        middle = vertices[..., np.unique(rim), :].mean(-2, keepdims=True)
        cone = np.concatenate([rim[:, ::-1], np.full((len(rim), 1), vertices.shape[-2])], 1)
        total = total + _signed_volume(np.concatenate([vertices, middle], -2), cone)
    return 1000 * total


def _signed_volume(vertices, faces):
    a, b, c = (vertices[..., faces[:, corner], :] for corner in range(3))
    return (a * np.cross(b, c)).sum((-1, -2)) / 6


def _boundary_loops(faces):
    """The edges that only one face has, as that face runs along them, hole by hole: list of (E,2)."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    _, place, counts = np.unique(np.sort(edges, 1), axis=0, return_inverse=True, return_counts=True)
    onward = {}
    for start, end in edges[counts[place.ravel()] == 1]:
        onward.setdefault(int(start), []).append(int(end))
    rims = []
    while onward:
        start, rim = next(iter(onward)), []
        while start in onward:
            end = onward[start].pop()
            if not onward[start]:
                del onward[start]
            rim.append((start, end))
            start = end
        rims.append(np.array(rim))
    return rims


def _excess(angle, limits):
    return np.maximum(np.maximum(limits[0] - angle, angle - limits[1]), 0.0)
