"""The Jacobian of points of a SKEL body with respect to its angles in closed form, for Gauss-Newton steps over many frames at once.

A point skinned to joints j with weights w turns about joint m's axis as the part of it that hangs from m does: with
S = sum of w_j v_j and W = sum of w_j over the joints below m (m included), v_j the point as bone j transforms it, an angle
about the axis a through the joint p moves it by a x (S - W p). Shifts of spine and scapulae move it by W times the shift.

Left out: the change of the pose blend shapes with the angles, some millimetres per radian against hundreds. A fit that measures
its residuals on the posed skin (`Skel.forward`) therefore still ends where its steps vanish, but must check that each step helps.
"""

import numpy as np
import torch

from ..core.array_types import FloatArray
from ..core.skel.kinematics import SCAPULAE, SPINE_DOFS, dof_axes_in_body, joint_shifts
from ..core.skel.vocabulary import JOINT_DOFS, NUM_DOFS, SKEL_PARENTS
from .lbs import Skin, descendant_matrix
from .skel import SHIFTED_JOINTS, Skel, SkelOutput

# The two angles that shift each of SHIFTED_JOINTS.
_SHIFT_DOFS = np.array([*SPINE_DOFS, *((abduction, elevation) for _, abduction, elevation, _ in SCAPULAE)])
_DIFFERENCE_STEP = 1e-4  # rad; central differences of smooth curves, good to 1e-9


class SkelJacobian:
    """The Jacobian of points of one shape, built once per clip.

    Args:
        betas: (B,). skin: the Skin of the points, from `skel.subset` or with joints added by `skin_with_joints`.
    """

    def __init__(self, skel: Skel, betas: FloatArray, skin: Skin) -> None:
        new = skel.J_template.new_tensor
        self._rest_joints = skel.template.rest_joints(betas)
        self._axes = new(dof_axes_in_body(skel.template.bone_frames(betas)))
        points = skin.v_template + skin.shapedirs[..., : len(betas)] @ new(np.asarray(betas, float))
        # (24,3,V): the points relative to each joint at rest.
        self._arms = (points - new(self._rest_joints)[:, None]).transpose(1, 2).contiguous()
        self._weights = skin.lbs_weights.T[:, None].contiguous()
        # (24,1,V): W of the points below each joint.
        self._weights_below = (new(descendant_matrix(SKEL_PARENTS)) @ skin.lbs_weights.T)[:, None]

    def __call__(self, q: torch.Tensor, posed: SkelOutput) -> torch.Tensor:
        """Columns (F,49,3,V): metres per radian of the 46 angles, then metres per metre of transl. The points are on the last axis.

        Args:
            q: (F,46) rad. posed: the body's output for it.
        """
        joints, rotations = posed.joints[..., None], posed.rotations
        axes = self._world_axes(q, rotations)[..., None]
        levers = (rotations @ self._arms + joints) * self._weights
        for joint in range(23, 0, -1):
            levers[:, SKEL_PARENTS[joint]] += levers[:, joint]
        levers -= self._weights_below * joints
        columns = q.new_zeros(len(q), NUM_DOFS + 3, 3, levers.shape[-1])
        for joint, dofs in enumerate(JOINT_DOFS):
            for a, b, c in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
                torch.mul(axes[:, dofs, b], levers[:, joint, None, c], out=columns[:, dofs, a])
                columns[:, dofs, a].addcmul_(axes[:, dofs, c], levers[:, joint, None, b], value=-1)
        parents = SKEL_PARENTS[list(SHIFTED_JOINTS)]
        shifts = torch.einsum("fsab,fsdb->fsda", rotations[:, parents], self._shift_derivatives(q))[..., None]
        for row, joint in enumerate(SHIFTED_JOINTS):
            for which, dof in enumerate(_SHIFT_DOFS[row]):
                columns[:, dof].addcmul_(shifts[:, row, which], self._weights_below[joint])
        for axis in range(3):
            columns[:, NUM_DOFS + axis, axis] = 1
        return columns

    def _world_axes(self, q: torch.Tensor, rotations: torch.Tensor) -> torch.Tensor:
        """The axes (F,46,3) of the angles in the posed body: R = R3 R2 R1 turns the first with all of R, the last with none of it."""
        axes = torch.empty(len(q), NUM_DOFS, 3, dtype=q.dtype, device=q.device)
        for joint, dofs in enumerate(JOINT_DOFS):
            last, first = dofs.stop - 1, dofs.start
            parent = rotations[:, SKEL_PARENTS[joint]] if joint else torch.eye(3).to(rotations)
            axes[:, last] = parent @ self._axes[last]
            if last > first:
                axes[:, first] = rotations[:, joint] @ self._axes[first]
            if last > first + 1:
                # R = R3 R2 R1 turns the second axis by R3 R2 alone: R1 is undone first, by Rodrigues' formula.
                middle, about, angle = self._axes[first + 1], self._axes[first], -q[:, first, None]
                undone = torch.cos(angle) * middle + torch.sin(angle) * torch.linalg.cross(about, middle)
                undone = undone + (1 - torch.cos(angle)) * (about @ middle) * about
                axes[:, first + 1] = (rotations[:, joint] @ undone[..., None])[..., 0]
        return axes

    def _shift_derivatives(self, q: torch.Tensor) -> torch.Tensor:
        """Derivatives (F,5,2,3) of SHIFTED_JOINTS' shifts by each of their two angles, m per radian in the body's axes at rest."""
        angles = q.detach().cpu().numpy().astype(float)
        derivatives = np.empty((len(angles), len(SHIFTED_JOINTS), 2, 3))
        for which in range(2):
            step = np.zeros(NUM_DOFS)
            step[_SHIFT_DOFS[:, which]] = _DIFFERENCE_STEP
            ahead, behind = (joint_shifts(angles + side * step, self._rest_joints)[:, list(SHIFTED_JOINTS)] for side in (1, -1))
            derivatives[:, :, which] = (ahead - behind) / (2 * _DIFFERENCE_STEP)
        return self._arms.new_tensor(derivatives)


def skin_with_joints(skel: Skel, betas: FloatArray, skin: Skin) -> Skin:
    """A Skin with the 24 joints of these betas (B,) added as points that lie on the joints in every pose."""
    rest = skel.J_template.new_tensor(skel.template.rest_joints(betas))
    posedirs = None if skin.posedirs is None else torch.cat([skin.posedirs, rest.new_zeros(24, *skin.posedirs.shape[1:])])
    return Skin(
        v_template=torch.cat([skin.v_template, rest]),
        shapedirs=torch.cat([skin.shapedirs, rest.new_zeros(24, *skin.shapedirs.shape[1:])]),
        posedirs=posedirs,
        lbs_weights=torch.cat([skin.lbs_weights, torch.eye(24, dtype=rest.dtype, device=rest.device)]),
    )
