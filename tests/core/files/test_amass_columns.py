"""Motion files in AMASS's widths, read as a standard AMASS reader does, against the smplx package."""

import numpy as np
import pytest

from blender_meshrec.core.files.body_template import body_from_arrays
from blender_meshrec.core.files.motion_npz import read_motion, write_motion
from tests.support.smplx_oracle import amass_joints
from tests.support.synthetic_bodies import make_recovery
from tests.support.synthetic_template import smpl_arrays

KINDS = {24: "smpl", 52: "smplh", 55: "smplx"}


@pytest.mark.parametrize("joints", KINDS)
def test_a_file_has_amass_widths_and_is_read_back(tmp_path, joints):
    recovery = make_recovery(body_from_arrays(smpl_arrays(joints=joints), "x"), frames=5, surface_model_type=KINDS[joints])
    write_motion(tmp_path / "a.npz", recovery, amass_columns=True)
    with np.load(tmp_path / "a.npz") as file:
        assert file["poses"].shape == (5, 156) and file["betas"].shape == (16,) and file["dmpls"].shape == (5, 8)
        assert np.array_equal(file["poses"][:, :66], recovery.poses[:, :66])
        hands = recovery.poses[:, -90:] if joints > 24 else np.zeros((5, 90))
        assert np.array_equal(file["poses"][:, 66:156], hands)
        assert not file["betas"][len(recovery.betas) :].any()
    again = read_motion(tmp_path / "a.npz")
    assert np.array_equal(again.betas, recovery.betas) and again.poses.shape == recovery.poses.shape
    kept = np.r_[:66] if joints == 24 else np.r_[:66, recovery.poses.shape[1] - 90 : recovery.poses.shape[1]]
    assert np.array_equal(again.poses[:, kept], recovery.poses[:, kept])


@pytest.mark.parametrize("amass_columns", [False, True])
def test_an_amass_reader_finds_the_joints_with_the_smplx_package(tmp_path, amass_columns):
    arrays = smpl_arrays(vertices=400)
    recovery = make_recovery(body_from_arrays(arrays, "x"), frames=6, surface_model_type="smpl")
    write_motion(tmp_path / "a.npz", recovery, amass_columns)
    with np.load(tmp_path / "a.npz") as file:
        found = amass_joints(arrays, file["poses"], file["betas"], file["trans"])
        assert np.abs(found - file["joints"][:, :22]).max() < 1e-4  # m
