"""SKEL's 46 angles as rotations a network can learn, and back. Source: Xia et al. 2025 (HSMR), section S.3.

Per joint, in the order of `SKEL_JOINTS`: three angles as 6D, the first two ROWS of R = R3 R2 R1 one after the other; one angle as
(cos, -sin), the first row of its 2x2 matrix; the wrists' two angles as they are. Together 10*6 + 12*2 + 2*2 = 88 numbers. The
released network's last layer has 24*6 = 144: six per joint, of which joints with one or two angles use the first two.

Rotations are those of `core.skel.kinematics.dof_rotations`, in the bones' own frames. In the three orders of axes that occur,
reading the angles off a matrix is exact except where the middle angle is +-90 degrees: there only a sum of the other two is known.
"""

import math

import numpy as np
import torch

from ..core.array_types import IntArray
from ..core.skel.vocabulary import DOF_AXES, JOINT_DOFS
from .rotations import rodrigues, rotmats_about_axes, rotmats_from_columns, wrap_angle

WIDTH = 88
RELEASED_WIDTH = 144
_DOF_COUNTS = np.array([dofs.stop - dofs.start for dofs in JOINT_DOFS])
BALL_JOINTS, WRIST_JOINTS, HINGE_JOINTS = (np.flatnonzero(count == _DOF_COUNTS) for count in (3, 2, 1))
_FIRST_DOFS = np.array([dofs.start for dofs in JOINT_DOFS])
# The column at which each joint's numbers begin, by the width of the representation.
_JOINT_STARTS = {WIDTH: np.cumsum([0, *np.where(_DOF_COUNTS == 3, 6, 2)])[:-1], RELEASED_WIDTH: 6 * np.arange(24)}


def _columns(starts: IntArray, joints: IntArray, count: int) -> IntArray:
    return starts[joints][:, None] + np.arange(count)


# The columns of q that hold the angles of joints with three, two and one.
_BALL_DOFS, _WRIST_DOFS = _columns(_FIRST_DOFS, BALL_JOINTS, 3), _columns(_FIRST_DOFS, WRIST_JOINTS, 2)
_HINGE_DOFS = _FIRST_DOFS[HINGE_JOINTS]
# Each angle's axis is a coordinate axis with a sign, except those of hinges, which are never read here.
_AXIS_INDICES = np.abs(DOF_AXES).argmax(1)
_SIGNS = np.sign(DOF_AXES[np.arange(len(DOF_AXES)), _AXIS_INDICES])


def representation_from_angles(q: torch.Tensor, width: int = WIDTH) -> torch.Tensor:
    """The representation (..., width) of angles q (..., 46) rad; unused columns of the wider one are zero."""
    starts = _joint_starts(width)
    found = q.new_zeros(*q.shape[:-1], width)
    found[..., _columns(starts, BALL_JOINTS, 6)] = _ball_rotmats(q)[..., :2, :].flatten(-2)
    angle = q[..., _HINGE_DOFS]
    found[..., _columns(starts, HINGE_JOINTS, 2)] = torch.stack([torch.cos(angle), -torch.sin(angle)], -1)
    found[..., _columns(starts, WRIST_JOINTS, 2)] = q[..., _WRIST_DOFS]
    return found


def angles_from_representation(representation: torch.Tensor, reference: torch.Tensor | None = None) -> torch.Tensor:
    """Angles q (..., 46) rad of a representation (..., 88 or 144), which need not be normalised.

    Args:
        reference: (..., 46) rad: of the angles that give the same rotations, those nearest to these are returned. When None,
            angles in (-pi, pi] whose middle ones lie in [-pi/2, pi/2].
    """
    starts = _joint_starts(representation.shape[-1])
    q = representation.new_zeros(*representation.shape[:-1], len(DOF_AXES))
    rows = representation[..., _columns(starts, BALL_JOINTS, 6)].unflatten(-1, (2, 3))
    q[..., _BALL_DOFS] = _ball_angles(rotmats_from_rows(rows), reference)
    cosine, minus_sine = representation[..., _columns(starts, HINGE_JOINTS, 2)].unbind(-1)
    q[..., _HINGE_DOFS] = _atan2(-minus_sine, cosine)
    q[..., _WRIST_DOFS] = representation[..., _columns(starts, WRIST_JOINTS, 2)]
    return q if reference is None else nearest_angles(q, reference)


def rotmats_from_representation(representation: torch.Tensor) -> torch.Tensor:
    """Rotation matrices (..., 24, 3, 3) of a representation (..., 88 or 144), for losses. Smooth at every angle."""
    starts = _joint_starts(representation.shape[-1])
    rotmats = representation.new_zeros(*representation.shape[:-1], 24, 3, 3)
    rotmats[..., BALL_JOINTS, :, :] = rotmats_from_rows(representation[..., _columns(starts, BALL_JOINTS, 6)].unflatten(-1, (2, 3)))
    first_rows = torch.nn.functional.normalize(representation[..., _columns(starts, HINGE_JOINTS, 2)], dim=-1)
    cosine, minus_sine = first_rows[..., None, None, :].unbind(-1)
    rotmats[..., HINGE_JOINTS, :, :] = rodrigues(representation.new_tensor(DOF_AXES[_HINGE_DOFS]), cosine, -minus_sine)
    first, second = _rotmats_of_angles(representation[..., _columns(starts, WRIST_JOINTS, 2)], _WRIST_DOFS)
    rotmats[..., WRIST_JOINTS, :, :] = second @ first
    return rotmats


def angles_from_rotmats(rotmats: torch.Tensor, reference: torch.Tensor | None = None) -> torch.Tensor:
    """Angles q (..., 46) rad of joint rotations (..., 24, 3, 3) in the bones' own frames.

    Exact for rotations the joints can make. Of others, a hinge takes the angle that comes nearest, a wrist the outer two of the
    three angles that would make the rotation. reference: as in `angles_from_representation`.
    """
    q = rotmats.new_zeros(*rotmats.shape[:-3], len(DOF_AXES))
    q[..., _BALL_DOFS] = _ball_angles(rotmats[..., BALL_JOINTS, :, :], reference)
    q[..., _HINGE_DOFS] = _hinge_angles(rotmats[..., HINGE_JOINTS, :, :])
    wrist = rotmats[..., WRIST_JOINTS, :, :]
    flexion = _atan2(wrist[..., 2, 1], wrist[..., 2, 2])
    deviation = _atan2(wrist[..., 1, 0], wrist[..., 0, 0])
    q[..., _WRIST_DOFS] = rotmats.new_tensor(_SIGNS[_WRIST_DOFS]) * torch.stack([flexion, deviation], -1)
    return q if reference is None else nearest_angles(q, reference)


def turned_pelvis(q: torch.Tensor, rotation: torch.Tensor, pelvis_frame: torch.Tensor) -> torch.Tensor:
    """Angles (B,46) rad of a body turned as a whole by rotation (B,3,3), in the body's axes. pelvis_frame: (3,3), body_from_bone."""
    rotmats = rotmats_from_representation(representation_from_angles(q))
    rotmats[:, 0] = pelvis_frame.T @ rotation @ pelvis_frame @ rotmats[:, 0]
    return torch.cat([angles_from_rotmats(rotmats)[:, :3], q[:, 3:]], 1)


def nearest_angles(q: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """Of all angles that give the joints the same rotations as q (..., 46) rad, those nearest to `reference` (..., 46) rad."""
    found = reference + wrap_angle(q - reference)
    first, near = found[..., _BALL_DOFS], reference[..., _BALL_DOFS]
    # The second solution for the same rotation: half-turns of the outer angles, the middle one mirrored.
    mirror = q.new_tensor([1.0, -1.0, 1.0])
    second = near + wrap_angle(mirror * q[..., _BALL_DOFS] + math.pi - near)
    is_nearer = ((second - near) ** 2).sum(-1) < ((first - near) ** 2).sum(-1)
    found = found.clone()
    found[..., _BALL_DOFS] = torch.where(is_nearer[..., None], second, first)
    return found


def continuous_angles(q: torch.Tensor) -> torch.Tensor:
    """Angles q (F,46) rad of a clip without jumps: each frame's are the `nearest_angles` to the frame's before."""
    frames = [q[0]]
    for frame in q[1:]:
        frames.append(nearest_angles(frame, frames[-1]))
    return torch.stack(frames)


def rotmats_from_rows(rows: torch.Tensor) -> torch.Tensor:
    """Rotation matrices (..., 3, 3) whose first two rows come from (..., 2, 3) by Gram-Schmidt."""
    return rotmats_from_columns(rows).mT


# ---- joints with three angles -----------------------------------------------------------------------------------------


def _ball_rotmats(q: torch.Tensor) -> torch.Tensor:
    """Rotations (..., 10, 3, 3) of the joints with three angles."""
    first, second, third = _rotmats_of_angles(q[..., _BALL_DOFS], _BALL_DOFS)
    return third @ second @ first


def _ball_angles(rotmats: torch.Tensor, reference: torch.Tensor | None) -> torch.Tensor:
    """The three angles of (..., 10, 3, 3): with axes k, j, i of the first to the third, R = Ri(a) Rj(b) Rk(c)."""
    joints = np.arange(len(BALL_JOINTS))
    k, j, i = _AXIS_INDICES[_BALL_DOFS].T
    parity = rotmats.new_tensor(np.where((j - i) % 3 == 1, 1.0, -1.0))
    signs = rotmats.new_tensor(_SIGNS[_BALL_DOFS])

    def entry(row: IntArray, column: IntArray) -> torch.Tensor:
        return rotmats[..., joints, row, column]

    middle_cosine = (entry(i, i) ** 2 + entry(i, j) ** 2).clamp_min(1e-30).sqrt()  # clamped: the root has no gradient at zero
    second = torch.atan2(parity * entry(i, k), middle_cosine)
    first, third = _atan2(-parity * entry(i, j), entry(i, i)), _atan2(-parity * entry(j, k), entry(k, k))
    # Where the second angle is +-90 degrees the outer two turn about one axis: the first is chosen, the third follows.
    locked = middle_cosine < 16 * torch.finfo(middle_cosine.dtype).eps
    if locked.any():
        chosen = torch.zeros_like(first) if reference is None else signs[..., 0] * reference[..., _BALL_DOFS[:, 0]]
        total = _atan2(parity * entry(k, j), entry(j, j))
        # Ri(a) Rj(b) Rk(c) with sin b = s turns by a + parity * s * c (a rotation about i, read in the j-k plane).
        remainder = total - torch.sign(parity * entry(i, k)) * parity * chosen
        first, third = torch.where(locked, chosen, first), torch.where(locked, remainder, third)
    return signs * torch.stack([first, second, third], -1)


# ---- single angles ----------------------------------------------------------------------------------------------------


def _rotmats_of_angles(angles: torch.Tensor, dofs: IntArray) -> list[torch.Tensor]:
    """Rotations (..., n, 3, 3) about the first, second ... angle's axis, of the angles (..., n, k) rad that `dofs` (n,k) name."""
    return [rotmats_about_axes(angle.new_tensor(DOF_AXES[axes]), angle) for angle, axes in zip(angles.unbind(-1), dofs.T)]


def _hinge_angles(rotmats: torch.Tensor) -> torch.Tensor:
    """The angles (..., 12) about the hinges' axes that come nearest to rotations (..., 12, 3, 3)."""
    axis = rotmats.new_tensor(DOF_AXES[_HINGE_DOFS])
    vector = torch.stack(
        [rotmats[..., 2, 1] - rotmats[..., 1, 2], rotmats[..., 0, 2] - rotmats[..., 2, 0], rotmats[..., 1, 0] - rotmats[..., 0, 1]], -1
    )
    trace = rotmats.diagonal(dim1=-2, dim2=-1).sum(-1)
    along = torch.einsum("ja,...jab,jb->...j", axis, rotmats, axis)
    return _atan2((axis * vector).sum(-1), trace - along)


def _atan2(y: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """atan2 whose gradient at (0, 0) is zero instead of not a number."""
    undefined = (x == 0) & (y == 0)
    return torch.atan2(y, torch.where(undefined, torch.ones_like(x), x))


def _joint_starts(width: int) -> IntArray:
    if width not in _JOINT_STARTS:
        raise ValueError(f"SKEL's representation has {WIDTH} or {RELEASED_WIDTH} numbers, not {width}")
    return _JOINT_STARTS[width]
