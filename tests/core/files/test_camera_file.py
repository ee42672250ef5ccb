"""Camera files: what each key means, and what is refused in a sentence."""

import json
from dataclasses import replace

import numpy as np
import pytest

from blender_meshrec.core.errors import InputError
from blender_meshrec.core.files.camera_file import camera_from_json, camera_from_text, camera_to_text, read_camera_file
from blender_meshrec.core.rotations import rotmat_from_rotvec

MATRIX = np.eye(4)
MATRIX[:3, :3] = rotmat_from_rotvec([-1.4, 0.1, 0.2])
MATRIX[:3, 3] = [1.0, -5.0, 1.5]
PLAIN = {"image_size": [1920, 1080], "focal_px": 1500.0, "world_from_camera": MATRIX.tolist()}


def test_a_still_camera_with_a_focal_length_in_pixels():
    camera = camera_from_json(PLAIN, "a.json")
    np.testing.assert_allclose(camera.world_from_camera, MATRIX[None], atol=1e-9)
    np.testing.assert_allclose(camera.intrinsics, [[[1500, 0, 960], [0, 1500, 540], [0, 0, 1]]])
    assert (camera.first_frame, camera.floor, camera.source, camera.distortion.any()) == (1, 0.0, "a.json", False)


@pytest.mark.parametrize(
    ("keys", "focal", "center"),
    [
        ({"focal_mm": 35}, 35 / 36 * 1920, (960, 540)),
        ({"focal_mm": 35, "sensor_width": 24}, 35 / 24 * 1920, (960, 540)),
        ({"focal_mm": 35, "sensor_height": 20, "sensor_fit": "vertical"}, 35 / 20 * 1080, (960, 540)),
        ({"focal_mm": 36, "shift": [0.1, -0.05]}, 1920, (960 - 192, 540 - 96)),
        ({"focal_px": 1500, "center": [900, 500]}, 1500, (900, 500)),
    ],
)
def test_lenses(keys, focal, center):
    camera = camera_from_json({**{key: PLAIN[key] for key in ("image_size", "world_from_camera")}, **keys})
    np.testing.assert_allclose(camera.focal, [focal])
    np.testing.assert_allclose(camera.center, [center])


def test_axes_up_unit_and_scale():
    """The same camera, as a program with y up, centimetres, and cameras that look along -z has it, below a parent that is scaled."""
    y_up = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])  # from z up
    matrix = np.eye(4)
    matrix[:3, :3] = 3 * y_up @ MATRIX[:3, :3] @ np.diag([1, -1, -1])
    matrix[:3, 3] = 100 * y_up @ MATRIX[:3, 3]
    camera = camera_from_json({**PLAIN, "world_from_camera": matrix.tolist(), "axes": "blender", "up": "y", "unit": 0.01, "floor": 10})
    np.testing.assert_allclose(camera.world_from_camera, MATRIX[None], atol=1e-9)
    assert camera.floor == pytest.approx(0.1)


def test_a_path_with_a_zoom_comes_back_from_its_text(tmp_path):
    path = np.tile(MATRIX, (5, 1, 1))
    path[:, 0, 3] = np.linspace(0, 1, 5)
    content = {**PLAIN, "world_from_camera": path.tolist(), "focal_px": [1500, 1510, 1520, 1530, 1540], "first_frame": 1001}
    content |= {"distortion": [-0.1, 0.02], "floor": None}
    camera = camera_from_json(content, "shot")
    again = camera_from_text(camera_to_text(camera))
    (tmp_path / "camera.json").write_text(json.dumps(content))
    for other in (again, replace(read_camera_file(tmp_path / "camera.json"), source="shot")):
        for name in ("world_from_camera", "focal", "center", "image_size", "distortion"):
            np.testing.assert_allclose(getattr(other, name), getattr(camera, name), atol=1e-6)
        assert (other.first_frame, other.floor, other.source) == (1001, None, "shot")
    np.testing.assert_allclose(camera.distortion, [-0.1, 0.02, 0])


def test_a_camera_in_a_picture_of_another_size_and_in_some_frames():
    path = np.tile(MATRIX, (3, 1, 1))
    path[:, 0, 3] = [0, 1, 2]
    camera = camera_from_json({**PLAIN, "world_from_camera": path.tolist(), "center": [970, 530]})
    smaller = camera.in_picture((960, 540))
    np.testing.assert_allclose(smaller.intrinsics[0], [[750, 0, 485], [0, 750, 265], [0, 0, 1]])
    assert camera.at(np.array([-1, 1, 7])).world_from_camera[:, 0, 3].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    "changes",
    [
        {"image_size": [0, 5]},
        {"image_size": None},
        {"focal_px": 2.0},
        {"focal_px": "wide"},
        {"focal_px": [1500, 1500]},
        {"focal_px": float("nan")},
        {"world_from_camera": [[1, 0], [0, 1]]},
        {"world_from_camera": np.zeros((4, 4)).tolist()},
        {"world_from_camera": np.diag([1, 1, -1, 1]).tolist()},
        {"world_from_camera": (np.eye(4) + np.eye(4, k=1) * 0.5).tolist()},
        {"axes": "maya"},
        {"up": "x"},
        {"unit": 0},
        {"distortion": [1, 2, 3, 4]},
        {"distortion": "much"},
        {"floor": "low"},
        {"center": [1]},
        {"sensor_fit": "both"},
    ],
)
def test_what_is_no_camera_is_refused_in_a_sentence(changes):
    content = {**PLAIN, "world_from_camera": [MATRIX.tolist()] * 3, **changes}
    with pytest.raises(InputError, match=r"a\.json holds no camera") as raised:
        camera_from_json(content, "a.json")
    assert raised.value.remedy


@pytest.mark.parametrize("content", ["", "[]", "{", "7", '{"image_size": [4, 3]}', "[" * 100_000])
def test_other_files_are_refused(content, tmp_path):
    (tmp_path / "other.json").write_text(content)
    with pytest.raises(InputError):
        read_camera_file(tmp_path / "other.json")
    with pytest.raises(InputError, match="cannot be read"):
        read_camera_file(tmp_path / "missing.json")
