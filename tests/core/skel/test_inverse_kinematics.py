"""SKEL's angles from rotations."""

import numpy as np
import pytest

from blender_meshrec.core.rotations import rotmat_from_rotvec
from blender_meshrec.core.skel.inverse_kinematics import SMPL_SOURCE_JOINTS, angles_about_axes, angles_from_smpl
from blender_meshrec.core.skel.kinematics import dof_rotations
from blender_meshrec.core.skel.vocabulary import DOF_AXES, DOF_LIMITS, JOINT_DOFS, SKEL_JOINTS, limit_excess
from blender_meshrec.core.skeletons import SMPL_JOINTS


@pytest.mark.parametrize("joint", range(24))
def test_angles_about_axes_round_trip(joint):
    rng = np.random.default_rng(joint)
    q = np.zeros((50, 46))
    dofs = JOINT_DOFS[joint]
    q[:, dofs] = rng.uniform(-1.5, 1.5, (50, dofs.stop - dofs.start))
    found = angles_about_axes(dof_rotations(q)[:, joint], DOF_AXES[dofs])
    assert np.abs(found - q[:, dofs]).max() < 1e-6


def test_one_axis_gives_the_nearest_rotation():
    rng = np.random.default_rng(0)
    rotations = rotmat_from_rotvec(rng.normal(size=(20, 3)))
    axis = DOF_AXES[6]
    (found,) = angles_about_axes(rotations, axis[None]).T

    def distance(angles):
        return np.linalg.norm(rotmat_from_rotvec(angles[:, None] * axis) - rotations, axis=(1, 2))

    tried_distances = np.stack([distance(np.full(20, angle)) for angle in np.linspace(-np.pi, np.pi, 721)])
    assert (distance(found) <= tried_distances.min(0) + 1e-4).all()


def test_angles_from_smpl_are_within_limits_with_exact_pelvis():
    rng = np.random.default_rng(1)
    rotations = rotmat_from_rotvec(rng.normal(0, 0.7, (30, 24, 3)))
    frames = rotmat_from_rotvec(rng.normal(0, 0.3, (24, 3)))
    angles = angles_from_smpl(rotations, frames)
    assert limit_excess(angles.q).max() < 1e-12
    inside = (angles.unclamped > DOF_LIMITS[:, 0]) & (angles.unclamped < DOF_LIMITS[:, 1])
    assert np.abs((angles.q - angles.unclamped)[:, 3:][inside[:, 3:]]).max() < 1e-12
    pelvis = frames[0] @ dof_rotations(angles.q)[:, 0] @ frames[0].T
    assert np.abs(pelvis - rotations[:, 0]).max() < 1e-9


def test_source_joints_correspond_and_mirror():
    named = {name: SMPL_JOINTS[SMPL_SOURCE_JOINTS[joint]] for joint, name in enumerate(SKEL_JOINTS)}
    assert named["femur_l"] == "left_hip" and named["talus_r"] == "right_ankle" and named["head"] == "head"
    for right, left in ((name, f"{name[:-1]}l") for name in SKEL_JOINTS if name.endswith("_r")):
        assert named[left] == named[right].replace("right", "left")
