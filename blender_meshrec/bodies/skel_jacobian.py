"""How points of a SKEL body move with its angles: the Jacobian in closed form, for Gauss-Newton steps over many frames at once.

A point skinned to joints j with weights w turns about joint m's axis as the part of it that hangs from m does: with
S = sum of w_j v_j and W = sum of w_j over the joints below m (m included), v_j the point as bone j carries it, an angle
about the axis a through the joint p moves it by a x (S - W p). Shifts of spine and scapulae move it by W times the shift.

Left out: that pose blend shapes change with the angles, some millimetres a radian against hundreds. A fit that measures its
residuals on the posed skin (`Skel.forward`) therefore ends where its own steps vanish, and must check that they help.
"""

import numpy as np
import torch

from ..core.skel.kinematics import SCAPULAE, SPINE, SPINE_DOFS, dof_axes_in_body, joint_shifts
from ..core.skel.vocabulary import JOINT_DOFS, NUM_DOFS, SKEL_PARENTS

_SHIFTED_JOINTS = (*SPINE, *(joint for joint, *_ in SCAPULAE))
# The two angles that shift each of them.
_SHIFT_DOFS = np.array([*SPINE_DOFS, *((abduction, elevation) for _, abduction, elevation, _ in SCAPULAE)])
_DIFFERENCE_STEP = 1e-4  # rad; central differences of smooth curves, good to 1e-9


class SkelJacobian:
    """How points of one shape move: built once a clip.

    Args:
        skel: a Skel. betas: (B,). skin: the Skin of the points, from `skel.subset` or with joints added by `skin_with_joints`.
    """

    def __init__(self, skel, betas, skin):
        self.skel = skel
        self._rest_numpy = skel.template.rest_joints(betas)
        self._rest = skel.J_template.new_tensor(self._rest_numpy)
        self._axes = skel.J_template.new_tensor(dof_axes_in_body(skel.template.bone_frames(betas)))
        betas = skel.J_template.new_tensor(np.asarray(betas, float))
        points = skin.v_template + skin.shapedirs[..., : len(betas)] @ betas
        self._arms = (points - self._rest[:, None]).transpose(1, 2).contiguous()  # (24,3,V): the points seen from each joint at rest
        self._weights = skin.lbs_weights.T[:, None].contiguous()
        below = np.eye(24)
        for joint in range(23, 0, -1):
            below[SKEL_PARENTS[joint]] += below[joint]
        self._hanging = (skel.J_template.new_tensor(below) @ skin.lbs_weights.T)[:, None]  # (24,1,V): W of the points below each joint

    def __call__(self, q, posed):
        """Columns (F,49,3,V): metres a radian of the 46 angles, then metres a metre of transl. The points lie along the last axis.

        Args:
            q: (F,46) rad, a tensor. posed: the SkelOutput of it.
        """
        joints, rotations = posed.joints[..., None], posed.rotations
        axes = self._world_axes(q, rotations)[..., None]
        levers = (rotations @ self._arms + joints) * self._weights
        for joint in range(23, 0, -1):
            levers[:, SKEL_PARENTS[joint]] += levers[:, joint]
        levers -= self._hanging * joints
        columns = q.new_zeros(len(q), NUM_DOFS + 3, 3, levers.shape[-1])
        for joint, dofs in enumerate(JOINT_DOFS):
            for a, b, c in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
                torch.mul(axes[:, dofs, b], levers[:, joint, None, c], out=columns[:, dofs, a])
                columns[:, dofs, a].addcmul_(axes[:, dofs, c], levers[:, joint, None, b], value=-1)
        above = SKEL_PARENTS[list(_SHIFTED_JOINTS)]
        shifts = torch.einsum("fsab,fsdb->fsda", rotations[:, above], self._shifts(q))[..., None]
        for place, joint in enumerate(_SHIFTED_JOINTS):
            for which, dof in enumerate(_SHIFT_DOFS[place]):
                columns[:, dof].addcmul_(shifts[:, place, which], self._hanging[joint])
        for axis in range(3):
            columns[:, NUM_DOFS + axis, axis] = 1
        return columns

    def _world_axes(self, q, rotations):
        """The axes (F,46,3) that the angles turn about, as the pose has them. R = R3 R2 R1 turns the first with all of it."""
        axes = torch.empty(len(q), NUM_DOFS, 3, dtype=q.dtype, device=q.device)
        for joint, dofs in enumerate(JOINT_DOFS):
            last, first = dofs.stop - 1, dofs.start
            above = rotations[:, SKEL_PARENTS[joint]] if joint else self.skel.identity
            axes[:, last] = above @ self._axes[last]
            if last > first:
                axes[:, first] = rotations[:, joint] @ self._axes[first]
            if last > first + 1:
                middle, about = self._axes[first + 1], self._axes[first]
                turn = -q[:, first, None]
                turned = torch.cos(turn) * middle + torch.sin(turn) * torch.linalg.cross(about, middle)
                turned = turned + (1 - torch.cos(turn)) * (about @ middle) * about
                axes[:, first + 1] = (rotations[:, joint] @ turned[..., None])[..., 0]
        return axes

    def _shifts(self, q):
        """How the joints `_SHIFTED_JOINTS` shift with each of their two angles, (F,5,2,3) m a radian, in the body's axes at rest."""
        q = q.detach().cpu().numpy().astype(float)
        found = np.empty((len(q), len(_SHIFTED_JOINTS), 2, 3))
        for which in range(2):
            step = np.zeros(NUM_DOFS)
            step[_SHIFT_DOFS[:, which]] = _DIFFERENCE_STEP
            further = joint_shifts(q + step, self._rest_numpy)[:, _SHIFTED_JOINTS]
            found[:, :, which] = (further - joint_shifts(q - step, self._rest_numpy)[:, _SHIFTED_JOINTS]) / (2 * _DIFFERENCE_STEP)
        return self._rest.new_tensor(found)


def skin_with_joints(skel, betas, skin):
    """A Skin with the 24 joints added as points that their own bones carry: where they are for these betas (B,), in every pose."""
    rest = skel.J_template.new_tensor(skel.template.rest_joints(betas))
    nothing = rest.new_zeros(24, *skin.shapedirs.shape[1:])
    posedirs = None if skin.posedirs is None else torch.cat([skin.posedirs, rest.new_zeros(24, *skin.posedirs.shape[1:])])
    return skin._replace(
        v_template=torch.cat([skin.v_template, rest]),
        shapedirs=torch.cat([skin.shapedirs, nothing]),
        posedirs=posedirs,
        lbs_weights=torch.cat([skin.lbs_weights, torch.eye(24, dtype=rest.dtype, device=rest.device)]),
    )
