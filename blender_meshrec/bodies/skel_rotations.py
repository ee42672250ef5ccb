"""SKEL's 46 angles as rotations a network can learn, and back. Source: Xia et al. 2025 (HSMR), section S.3.

Per joint, in the order of `SKEL_JOINTS`: three angles as 6D, the first two ROWS of R = R3 R2 R1 one after the other; one angle as
(cos, -sin), the first row of its 2x2 matrix; the wrists' two angles as they are. Together 10*6 + 12*2 + 2*2 = 88 numbers. The
released network's last layer has 24*6 = 144: six a joint, of which joints with one or two angles use the first two.

Rotations are those of `core.skel_kinematics.dof_rotations`, in the bones' own frames. In the three orders of axes that occur,
reading the angles off a matrix is exact but where the middle angle is +-90 degrees, where only a sum of the other two is known.
"""

import math

import numpy as np
import torch

from ..core.skel.vocabulary import DOF_AXES, JOINT_DOFS

WIDTH = 88
RELEASED_WIDTH = 144
_DOF_COUNTS = np.array([dofs.stop - dofs.start for dofs in JOINT_DOFS])
BALL_JOINTS, WRIST_JOINTS, HINGE_JOINTS = (np.flatnonzero(count == _DOF_COUNTS) for count in (3, 2, 1))
_FIRST_DOFS = np.array([dofs.start for dofs in JOINT_DOFS])
# Where each joint's numbers begin, by the width.
_JOINT_STARTS = {WIDTH: np.cumsum([0, *np.where(_DOF_COUNTS == 3, 6, 2)])[:-1], RELEASED_WIDTH: 6 * np.arange(24)}


def _columns(starts, joints, count):
    return starts[joints][:, None] + np.arange(count)


def representation_from_angles(q, width=WIDTH):
    """The representation (..., width) of angles q (..., 46) rad; unused places of the wider one are zero."""
    starts = _joint_starts(width)
    found = q.new_zeros(*q.shape[:-1], width)
    found[..., _columns(starts, BALL_JOINTS, 6)] = _ball_rotmats(q)[..., :2, :].flatten(-2)
    angle = q[..., _FIRST_DOFS[HINGE_JOINTS]]
    found[..., _columns(starts, HINGE_JOINTS, 2)] = torch.stack([torch.cos(angle), -torch.sin(angle)], -1)
    found[..., _columns(starts, WRIST_JOINTS, 2)] = q[..., _columns(_FIRST_DOFS, WRIST_JOINTS, 2)]
    return found


def angles_from_representation(representation, reference=None):
    """Angles q (..., 46) rad of a representation (..., 88 or 144), which need not be normalised.

    Args:
        reference: (..., 46) rad: of the angles that give the same rotations, those nearest to these. When None, angles in
            (-pi, pi] whose middle ones lie in [-pi/2, pi/2].
    """
    starts = _joint_starts(representation.shape[-1])
    q = representation.new_zeros(*representation.shape[:-1], len(DOF_AXES))
    rows = representation[..., _columns(starts, BALL_JOINTS, 6)].unflatten(-1, (2, 3))
    q[..., _columns(_FIRST_DOFS, BALL_JOINTS, 3)] = _ball_angles(rotmats_from_rows(rows), reference)
    cosine, minus_sine = representation[..., _columns(starts, HINGE_JOINTS, 2)].unbind(-1)
    q[..., _FIRST_DOFS[HINGE_JOINTS]] = _atan2(-minus_sine, cosine)
    q[..., _columns(_FIRST_DOFS, WRIST_JOINTS, 2)] = representation[..., _columns(starts, WRIST_JOINTS, 2)]
    return q if reference is None else nearest_angles(q, reference)


def rotmats_from_representation(representation):
    """Rotation matrices (..., 24, 3, 3) of a representation (..., 88 or 144): what losses compare. Smooth at every angle."""
    starts = _joint_starts(representation.shape[-1])
    rotations = representation.new_zeros(*representation.shape[:-1], 24, 3, 3)
    rotations[..., BALL_JOINTS, :, :] = rotmats_from_rows(representation[..., _columns(starts, BALL_JOINTS, 6)].unflatten(-1, (2, 3)))
    turn = torch.nn.functional.normalize(representation[..., _columns(starts, HINGE_JOINTS, 2)], dim=-1)
    rotations[..., HINGE_JOINTS, :, :] = _axis_rotmats(_FIRST_DOFS[HINGE_JOINTS], turn[..., 0], -turn[..., 1])
    wrists = representation[..., _columns(starts, WRIST_JOINTS, 2)]
    first, second = (
        _axis_rotmats(_FIRST_DOFS[WRIST_JOINTS] + place, torch.cos(wrists[..., place]), torch.sin(wrists[..., place])) for place in (0, 1)
    )
    rotations[..., WRIST_JOINTS, :, :] = second @ first
    return rotations


def angles_from_rotmats(rotations, reference=None):
    """Angles q (..., 46) rad of joint rotations (..., 24, 3, 3) in the bones' own frames.

    Exact for rotations the joints can make. Of others, a hinge takes the angle that comes nearest, a wrist the outer two of the
    three angles that would make the rotation. reference: as in `angles_from_representation`.
    """
    q = rotations.new_zeros(*rotations.shape[:-3], len(DOF_AXES))
    q[..., _columns(_FIRST_DOFS, BALL_JOINTS, 3)] = _ball_angles(rotations[..., BALL_JOINTS, :, :], reference)
    axis = rotations.new_tensor(DOF_AXES[_FIRST_DOFS[HINGE_JOINTS]])
    hinge = rotations[..., HINGE_JOINTS, :, :]
    vector = torch.stack(
        [hinge[..., 2, 1] - hinge[..., 1, 2], hinge[..., 0, 2] - hinge[..., 2, 0], hinge[..., 1, 0] - hinge[..., 0, 1]], -1
    )
    trace = hinge.diagonal(dim1=-2, dim2=-1).sum(-1)
    along = torch.einsum("ja,...jab,jb->...j", axis, hinge, axis)
    q[..., _FIRST_DOFS[HINGE_JOINTS]] = _atan2((axis * vector).sum(-1), trace - along)
    wrist = rotations[..., WRIST_JOINTS, :, :]
    signs = rotations.new_tensor(_SIGNS[_columns(_FIRST_DOFS, WRIST_JOINTS, 2)])
    flexion = _atan2(wrist[..., 2, 1], wrist[..., 2, 2])
    deviation = _atan2(wrist[..., 1, 0], wrist[..., 0, 0])
    q[..., _columns(_FIRST_DOFS, WRIST_JOINTS, 2)] = signs * torch.stack([flexion, deviation], -1)
    return q if reference is None else nearest_angles(q, reference)


def nearest_angles(q, reference):
    """Of all angles that give the joints the same rotations as q (..., 46) rad, those nearest to `reference` (..., 46) rad."""
    straight = reference + _wrap_angle(q - reference)
    columns = _columns(_FIRST_DOFS, BALL_JOINTS, 3)
    # The other way to the same rotation: half turns of the outer angles, the middle one mirrored.
    half = q.new_tensor([1.0, -1.0, 1.0])
    other = reference[..., columns] + _wrap_angle(half * q[..., columns] + math.pi - reference[..., columns])
    closer = ((other - reference[..., columns]) ** 2).sum(-1) < ((straight[..., columns] - reference[..., columns]) ** 2).sum(-1)
    found = straight.clone()
    found[..., columns] = torch.where(closer[..., None], other, straight[..., columns])
    return found


def continuous_angles(q):
    """Angles q (F,46) rad of a clip without jumps: each frame's are the `nearest_angles` to those before."""
    frames = [q[0]]
    for frame in q[1:]:
        frames.append(nearest_angles(frame, frames[-1]))
    return torch.stack(frames)


def rotmats_from_rows(rows):
    """Rotation matrices (..., 3, 3) from two rows (..., 2, 3) by Gram-Schmidt. Source: Zhou et al. 2019, eq. 15."""
    first = torch.nn.functional.normalize(rows[..., 0, :], dim=-1)
    second = torch.nn.functional.normalize(rows[..., 1, :] - (first * rows[..., 1, :]).sum(-1, keepdim=True) * first, dim=-1)
    return torch.stack([first, second, torch.linalg.cross(first, second)], -2)


# --- joints with three angles ---

# Each angle's axis is a coordinate axis with a sign, but for hinges, which are never read here.
_SIGNS = np.sign(DOF_AXES[np.arange(len(DOF_AXES)), np.abs(DOF_AXES).argmax(1)])
_AXIS_ORDERS = np.abs(DOF_AXES).argmax(1)[
    _columns(_FIRST_DOFS, BALL_JOINTS, 3)
]  # (10,3): which coordinate axis the first, second, third angle turns about


def _ball_rotmats(q):
    angles = q[..., _columns(_FIRST_DOFS, BALL_JOINTS, 3)].unbind(-1)
    first, second, third = (
        _axis_rotmats(_FIRST_DOFS[BALL_JOINTS] + place, torch.cos(angle), torch.sin(angle)) for place, angle in enumerate(angles)
    )
    return third @ second @ first


def _ball_angles(rotations, reference):
    """The three angles of (..., 10, 3, 3): with axes k, j, i of the first to the third, R = Ri(a) Rj(b) Rk(c)."""
    joints = np.arange(len(BALL_JOINTS))
    k, j, i = _AXIS_ORDERS.T
    parity = rotations.new_tensor(np.where((j - i) % 3 == 1, 1.0, -1.0))
    signs = rotations.new_tensor(_SIGNS[_columns(_FIRST_DOFS, BALL_JOINTS, 3)])

    def entry(row, column):
        return rotations[..., joints, row, column]

    flat = (entry(i, i) ** 2 + entry(i, j) ** 2).clamp_min(1e-30).sqrt()  # clamped: hypot has no gradient at zero
    second = torch.atan2(parity * entry(i, k), flat)
    first, third = _atan2(-parity * entry(i, j), entry(i, i)), _atan2(-parity * entry(j, k), entry(k, k))
    # Where the second angle is +-90 degrees the outer two turn about one axis: keep the first and let the third do the rest.
    locked = flat < 16 * torch.finfo(flat.dtype).eps
    if locked.any():
        kept = torch.zeros_like(first) if reference is None else signs[..., 0] * reference[..., _FIRST_DOFS[BALL_JOINTS]]
        together = _atan2(parity * entry(k, j), entry(j, j))
        # Ri(a) Rj(b) Rk(c) with sin b = s turns by a + parity * s * c (a rotation about i seen in j, k).
        rest = together - torch.sign(parity * entry(i, k)) * parity * kept
        first, third = torch.where(locked, kept, first), torch.where(locked, rest, third)
    return signs * torch.stack([first, second, third], -1)


def _axis_rotmats(dofs, cosine, sine):
    """Rotations (..., n, 3, 3) about the axes of these n angles, of cosines and sines (..., n)."""
    axes = DOF_AXES[dofs]
    cross = np.zeros((len(dofs), 3, 3))
    cross[:, [2, 0, 1], [1, 2, 0]], cross[:, [1, 2, 0], [2, 0, 1]] = axes, -axes
    cross = cosine.new_tensor(cross)
    identity = torch.eye(3, dtype=cosine.dtype, device=cosine.device)
    return identity + sine[..., None, None] * cross + (1 - cosine)[..., None, None] * (cross @ cross)


def _atan2(y, x):
    """atan2 whose gradient at (0, 0) is zero instead of not a number."""
    nowhere = (x == 0) & (y == 0)
    return torch.atan2(y, torch.where(nowhere, torch.ones_like(x), x))


def _wrap_angle(angle):
    """The same angle within half a turn of zero."""
    return torch.remainder(angle + math.pi, 2 * math.pi) - math.pi


def _joint_starts(width):
    if width not in _JOINT_STARTS:
        raise ValueError(f"SKEL's representation has {WIDTH} or {RELEASED_WIDTH} numbers, not {width}")
    return _JOINT_STARTS[width]
