"""Joint-limit violation and volume against known values."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.rotations import rotmat_from_rotvec
from blender_meshrec.core.skel.metrics import (
    VIOLATION_JOINTS,
    anatomy_report,
    body_volume,
    euler_angles,
    format_anatomy_report,
    skel_limit_violation,
    smpl_limit_violation,
    violation_summary,
)
from blender_meshrec.core.skel.vocabulary import DOF_NAMES
from blender_meshrec.core.skeletons import SMPL_JOINTS

# The flexion axis of each joint in SMPL's axes: knees backwards, elbows forwards from a T pose.
FLEXION_AXES = {"left_knee": (1, 0, 0), "right_knee": (1, 0, 0), "left_elbow": (0, -1, 0), "right_elbow": (0, 1, 0)}


def pose_of(joint, rotvec):
    poses = np.zeros((1, 72))
    poses[0].reshape(24, 3)[SMPL_JOINTS.index(joint)] = rotvec
    return poses


@pytest.mark.parametrize("joint", VIOLATION_JOINTS)
@pytest.mark.parametrize(("degrees", "beyond"), [(0, 0), (60, 0), (134.9, 0), (145, 10), (-20, 20)])
def test_flexion_violates_below_0_and_above_135_degrees(joint, degrees, beyond):
    found = smpl_limit_violation(pose_of(joint, np.radians(degrees) * np.array(FLEXION_AXES[joint])))
    expected = np.where(np.array(VIOLATION_JOINTS) == joint, beyond, 0.0)
    assert np.abs(found - expected).max() < 1e-6  # degrees


@pytest.mark.parametrize("joint", VIOLATION_JOINTS)
def test_the_largest_violation_of_the_axes_counts(joint):
    to_the_side = rotmat_from_rotvec(np.radians([0, 0, 25.0]))
    bent = rotmat_from_rotvec(np.radians(80) * np.array(FLEXION_AXES[joint]))
    found = smpl_limit_violation(pose_of(joint, Rotation.from_matrix(bent @ to_the_side).as_rotvec()))
    assert abs(found.max() - 25) < 1e-6  # degrees
    straight_back = rotmat_from_rotvec(np.radians(-40) * np.array(FLEXION_AXES[joint]))
    found = smpl_limit_violation(pose_of(joint, Rotation.from_matrix(straight_back @ to_the_side).as_rotvec()))
    assert abs(found.max() - 40) < 1e-6  # degrees


def test_axial_rotation_is_allowed_for_forearms_only():
    assert smpl_limit_violation(pose_of("left_knee", np.radians([0, 15, 0])))[0, 0] == pytest.approx(15, abs=1e-6)
    assert smpl_limit_violation(pose_of("left_elbow", np.radians([60, 0, 0]))).max() == 0
    assert smpl_limit_violation(pose_of("right_elbow", np.radians([80, 0, 0])))[0, 3] == pytest.approx(12.5, abs=1e-6)


def test_euler_angles_round_trip():
    rotations = Rotation.random(200, random_state=0)
    for axes in ((0, 2, 1), (1, 2, 0), (0, 1, 2), (2, 0, 1)):
        angles = np.stack(euler_angles(rotations.as_matrix(), axes), -1)
        again = Rotation.from_euler("".join("XYZ"[axis] for axis in axes), angles)
        assert (again * rotations.inv()).magnitude().max() < 1e-7  # rad


def test_skel_angles_are_compared_with_their_limits():
    q = np.zeros((3, 46))
    q[1, DOF_NAMES.index("knee_angle_r")] = np.radians(-12)
    q[2, DOF_NAMES.index("elbow_flexion_l")] = np.radians(150)
    assert np.allclose(skel_limit_violation(q), [[0, 0, 0, 0], [0, 12, 0, 0], [0, 0, 15, 0]], atol=1e-9)
    summary = violation_summary(skel_limit_violation(q))
    assert summary["knees"] == pytest.approx({"beyond_10_deg": 1 / 3, "beyond_20_deg": 0, "beyond_30_deg": 0})
    assert summary["elbows"] == pytest.approx({"beyond_10_deg": 1 / 3, "beyond_20_deg": 0, "beyond_30_deg": 0})
    assert summary["mean"] == pytest.approx(27 / 12)
    assert np.isnan(violation_summary(np.zeros((0, 4)))["mean"])


def box(width, height, depth):
    corners = np.array([[x, y, z] for x in (0, width) for y in (0, height) for z in (0, depth)], float)
    faces = [
        [0, 1, 3],
        [0, 3, 2],
        [4, 6, 7],
        [4, 7, 5],
        [0, 4, 5],
        [0, 5, 1],
        [2, 3, 7],
        [2, 7, 6],
        [0, 2, 6],
        [0, 6, 4],
        [1, 5, 7],
        [1, 7, 3],
    ]
    return corners, np.array(faces)


def test_box_volume_is_independent_of_pose_and_holes():
    corners, faces = box(0.3, 1.7, 0.2)
    turned = np.stack([corners, corners @ rotmat_from_rotvec([0.3, 1, -2]).T + [3, -5, 8]])
    for mesh in (faces, faces[2:], faces[:-2], faces[4:]):
        assert np.abs(body_volume(turned, mesh) - 102).max() < 1e-9  # dm^3
    assert body_volume(corners, faces[:, ::-1]) == pytest.approx(-102)


def test_open_body_volume_is_plausible_and_scales_cubically():
    body = load_body()
    volume = body_volume(body.v_template, body.faces)
    assert 50 < volume < 90  # dm^3
    assert body_volume(1.1 * body.v_template, body.faces) == pytest.approx(1.331 * volume, rel=1e-6)


def test_anatomy_report_covers_both_bodies():
    poses, q = pose_of("left_knee", np.radians([-30.0, 0, 0])), np.zeros((1, 46))
    corners, faces = box(0.3, 1.7, 0.2)
    report = anatomy_report(poses, q, (corners, faces), (2 * corners, faces))
    assert report["smpl"]["max"] == pytest.approx(30) and report["smpl"]["mean"] == pytest.approx(7.5)
    assert report["skel"]["max"] == report["skel"]["mean"] == 0
    assert format_anatomy_report(report) == (
        "Knees and elbows beyond their limits: SMPL 7.5 deg on average, 30.0 at most; SKEL 0.0 deg on average, 0.0 at most"
    )
