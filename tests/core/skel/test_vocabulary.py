"""SKEL's joints, angles and limits against the published tables."""

import json

import numpy as np
import pytest

from blender_meshrec.core.skel.vocabulary import (
    DOF_AXES,
    DOF_JOINTS,
    DOF_LIMITS,
    DOF_NAMES,
    DOFS,
    HAS_SKEL_LIMIT,
    JOINT_DOFS,
    SKEL_JOINTS,
    SKEL_PARENTS,
    SMPL_OF_SKEL,
    clamp_to_limits,
    dof_index,
    limit_excess,
)
from blender_meshrec.core.skeletons import SMPL_JOINTS


def test_each_joint_has_one_to_three_of_the_angles():
    assert len(DOF_NAMES) == len(set(DOF_NAMES)) == 46 and len(SKEL_JOINTS) == 24
    covered = [dof for dofs in JOINT_DOFS for dof in range(dofs.start, dofs.stop)]
    assert covered == list(range(46))
    counts = np.bincount(DOF_JOINTS)
    assert [(counts == n).sum() for n in (1, 2, 3)] == [12, 2, 10]
    assert (SKEL_PARENTS[1:] < np.arange(1, 24)).all()


def test_axes_are_unit_vectors_and_limits_are_ordered():
    assert np.abs(np.linalg.norm(DOF_AXES, axis=-1) - 1).max() < 1e-15
    assert np.abs(DOF_AXES - [dof.axis for dof in DOFS]).max() < 1e-7  # published to seven digits
    assert (DOF_LIMITS[:, 0] < DOF_LIMITS[:, 1]).all()
    assert np.isinf(DOF_LIMITS).sum() == 6 and np.isinf(DOF_LIMITS[:3]).all()


def test_smpl_correspondence_keeps_the_side():
    for joint, smpl in enumerate(SMPL_OF_SKEL):
        if smpl:  # 0, the root, where SMPL has no such joint
            side = {"_r": "right_", "_l": "left_"}.get(SKEL_JOINTS[joint][-2:], "")
            assert SMPL_JOINTS[smpl].startswith(side), SKEL_JOINTS[joint]


def test_tables_equal_the_published_ones(shared_vectors):
    published = json.loads((shared_vectors.parent / "checkpoint_keys" / "skel_dofs.json").read_text())
    assert list(SKEL_JOINTS) == published["joint_names"]
    assert SMPL_OF_SKEL.tolist() == published["smpl_joint_corresp"]
    for dof, known, in_skel in zip(DOFS, published["dofs"], HAS_SKEL_LIMIT, strict=True):
        assert (dof.name, dof.joint) == (known["name"], known["joint"])
        assert np.allclose(dof.axis, np.multiply(known["sign"], known["axis"]), atol=1e-9)
        assert in_skel == (known["limit_skel"] is not None)
        for limit in (known["limit_skel"], known["limit_hsmr"]):
            assert limit is None or np.allclose(sorted(limit), (dof.low, dof.high), atol=1e-9), dof.name


def test_limits_equal_hsmrs(shared_vectors):
    published = json.loads((shared_vectors.parent / "checkpoint_keys" / "hsmr_joint_limits.json").read_text())
    assert [DOF_NAMES[dof] for dof in published["qids"]] == published["names"]
    assert np.allclose(DOF_LIMITS[published["qids"]], published["bounds"], atol=1e-6)
    assert sorted(published["qids"]) == list(range(3, 46))


def test_excess_is_the_distance_to_the_clamped_angle():
    q = np.random.default_rng(0).normal(0, 2, (200, 46))
    assert np.allclose(limit_excess(q), np.abs(q - clamp_to_limits(q)), atol=1e-12)
    assert (limit_excess(clamp_to_limits(q)) == 0).all()
    assert np.array_equal(clamp_to_limits(q)[:, :3], q[:, :3])
    assert (limit_excess(q)[:, 3:] > 0).any()


def test_the_error_names_an_unknown_angle():
    assert dof_index("knee_angle_r") == 6
    with pytest.raises(KeyError, match="knee_twist"):
        dof_index("knee_twist")
