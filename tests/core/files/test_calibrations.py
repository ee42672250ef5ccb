"""Calibrations of cameras: every format gives the same cameras, and what is none is refused with a reason."""

import json

import numpy as np
import pytest

from blender_meshrec.core.errors import InputError
from blender_meshrec.core.files.calibrations.read_calibration import MAX_BYTES, read_calibration
from blender_meshrec.core.rotations import rotvec_from_rotmat
from tests.support.calibration_files import (
    NAMES,
    VIEWS,
    as_camera_files,
    as_json,
    as_opencv_xml,
    as_opencv_yaml,
    as_qualisys,
    as_toml,
    rows,
)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("calib.toml", as_toml()),
        ("Calib.qca.txt", as_qualisys()),
        ("extri.yml", as_opencv_yaml()),
        ("cameras.xml", as_opencv_xml()),
        ("opencv.json", as_json()),
        ("blender.json", as_camera_files()),
    ],
)
def test_every_format_gives_the_same_cameras(name, text, tmp_path):
    path = tmp_path / name
    path.write_text(text)
    cameras = read_calibration(path)
    assert [camera.name for camera in cameras] == list(NAMES)
    for camera, view in zip(cameras, VIEWS):
        np.testing.assert_allclose(camera.camera_from_world, view.camera_from_world, atol=1e-6)
        np.testing.assert_allclose(camera.intrinsics, view.intrinsics, atol=1e-4)
        assert camera.distortion[0] == pytest.approx(0.1)
        assert camera.image_size == (1280, 720)


def test_millimetres_are_told_by_the_cameras_distances(tmp_path):
    content = json.loads(as_json())
    for camera in content.values():
        camera["t"] = (1000 * np.array(camera["t"])).tolist()
    (tmp_path / "mm.json").write_text(json.dumps(content))
    for camera, view in zip(read_calibration(tmp_path / "mm.json"), VIEWS):
        np.testing.assert_allclose(camera.camera_from_world, view.camera_from_world, atol=1e-6)


def test_a_stereo_calibration_of_opencv_places_the_second_camera(tmp_path):
    turn = rotvec_from_rotmat(VIEWS[1].camera_from_world[:3, :3])
    text = "<opencv_storage>"
    for name, values in (("M1", VIEWS[0].intrinsics), ("M2", VIEWS[1].intrinsics), ("R", turn), ("T", [0.5, 0, 0])):
        text += f'<{name} type_id="opencv-matrix"><data>{rows(values).replace(",", "")}</data></{name}>'
    (tmp_path / "stereo.xml").write_text(text + "</opencv_storage>")
    first, second = read_calibration(tmp_path / "stereo.xml")
    np.testing.assert_allclose(first.camera_from_world, np.eye(4), atol=1e-12)
    np.testing.assert_allclose(second.camera_from_world[:3, 3], [0.5, 0, 0])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("empty.toml", ""),
        ("broken.toml", "[cam_1"),
        ("no_rotation.json", json.dumps({"a": {"K": np.eye(3).tolist(), "t": [0, 0, 0]}})),
        ("skewed.json", json.dumps({"a": {"K": np.eye(3).tolist(), "R": (2 * np.eye(3)).tolist(), "t": [0, 0, 0]}})),
        ("nan.json", json.dumps({"a": {"K": np.eye(3).tolist(), "R": [0, 0, 0], "t": [float("nan"), 0, 0]}})),
        ("words.yml", "%YAML:1.0\n---\nK_1: !!opencv-matrix\n   data: [ a, b ]\n"),
        ("bomb.xml", '<!DOCTYPE b [<!ENTITY a "a">]><opencv_storage>&a;</opencv_storage>'),
        ("none.xml", "<calibration/>"),
        ("what.bin", "?"),
        ("large.json", " " * (MAX_BYTES + 1)),
    ],
)
def test_what_is_no_calibration_is_refused(name, text, tmp_path):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError) as error:
        read_calibration(tmp_path / name)
    assert name in str(error.value)


def test_a_missing_calibration_is_said(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_calibration(tmp_path / "none.toml")


def test_qualisys_of_real_footage(shared_media):
    cameras = read_calibration(shared_media / "aux" / "pose2sim__Demo_SinglePerson_Calib.qca.txt")
    assert [camera.name for camera in cameras] == ["cam01", "cam02", "cam03", "cam04"]
    assert cameras[0].intrinsics[0, 0] == pytest.approx(1681.2, abs=0.1)  # px
    place = -cameras[0].camera_from_world[:3, :3].T @ cameras[0].camera_from_world[:3, 3]
    np.testing.assert_allclose(place, [1.460, -1.909, 1.897], atol=1e-3)
