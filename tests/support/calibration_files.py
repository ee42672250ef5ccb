"""One calibration of three cameras in every format that is read: as texts."""

import json

import numpy as np

from blender_meshrec.core.array_types import ArrayLike
from blender_meshrec.core.rotations import rotmat_from_rotvec
from tests.support.several_views import cameras_around, opencv_values

NAMES = ("cam01", "cam02", "cam03")
VIEWS = cameras_around(3)


def rows(values: ArrayLike) -> str:
    """Numbers, separated by commas."""
    return ", ".join(f"{value:.9f}" for value in np.ravel(values))


def as_toml() -> str:
    """Of Pose2Sim."""
    tables = []
    for number, (name, view) in enumerate(zip(NAMES, VIEWS), 1):
        values = opencv_values(view)
        matrix = ", ".join(f"[{rows(row)}]" for row in values["K"])
        tables.append(
            f'[cam_{number}]\nname = "{name}"\nsize = [1280.0, 720.0]\nmatrix = [{matrix}]\ndistortions = [0.1, 0.0, 0.0, 0.0]\n'
            f"rotation = [{rows(values['R'])}]\ntranslation = [{rows(values['t'])}]\nfisheye = false\n"
        )
    return "\n".join([*tables, "[metadata]\nadjusted = false\nerror = 0.0\n"])


def as_qualisys() -> str:
    """Of Qualisys."""
    cameras = []
    for name, view in zip(NAMES, VIEWS):
        turn = np.diag([1.0, -1.0, -1.0]) @ view.camera_from_world[:3, :3]
        place = -view.camera_from_world[:3, :3].T @ view.camera_from_world[:3, 3] * 1000
        entries = " ".join(f'r{i + 1}{j + 1}="{turn[i, j]:.12f}"' for i in range(3) for j in range(3))
        matrix = view.intrinsics
        lens = (
            f'centerPointU="{64 * (matrix[0, 2] - 0.5)}" centerPointV="{64 * (matrix[1, 2] - 0.5)}" focalLengthU="{64 * matrix[0, 0]}" '
            f'focalLengthV="{64 * matrix[1, 1]}" radialDistortion1="6.4" radialDistortion2="0" radialDistortion3="0" '
            'tangentalDistortion1="0" tangentalDistortion2="0"'
        )
        cameras.append(
            f'<camera serial="{name}"><fov_video left="0" top="0" right="1279" bottom="719"/>'
            f'<transform {entries} x="{place[0]}" y="{place[1]}" z="{place[2]}"/><intrinsic {lens}/></camera>'
        )
    return f"<?xml version='1.0' encoding='ASCII'?><calibration><cameras>{''.join(cameras)}</cameras></calibration>"


def as_opencv_yaml() -> str:
    """Of OpenCV's FileStorage."""
    lines = ["%YAML:1.0", "---"]
    for name, view in zip(NAMES, VIEWS):
        values = opencv_values(view)
        turn = rotmat_from_rotvec(values["R"])
        for part, matrix in (("K", values["K"]), ("dist", [0.1, 0, 0, 0, 0]), ("Rot", turn), ("T", values["t"])):
            shape = np.atleast_2d(matrix).shape
            lines += [f"{part}_{name}: !!opencv-matrix", f"   rows: {shape[0]}", f"   cols: {shape[1]}", "   dt: d"]
            words = rows(matrix).split(", ")
            lines += [f"   data: [ {', '.join(words[:2])},", f"       {', '.join(words[2:])} ]"]
    return "\n".join([*lines, "image_width: 1280", "image_height: 720", ""])


def as_opencv_xml() -> str:
    """Of OpenCV's FileStorage."""
    parts = []
    for name, view in zip(NAMES, VIEWS):
        values = opencv_values(view)
        for part, matrix in (("K", values["K"]), ("D", [0.1, 0, 0, 0, 0]), ("R", values["R"]), ("t", values["t"])):
            data = rows(matrix).replace(",", "")
            parts.append(
                f'<{part}_{name} type_id="opencv-matrix"><rows>1</rows><cols>9</cols><dt>d</dt><data>{data}</data></{part}_{name}>'
            )
    return f"<?xml version='1.0'?><opencv_storage>{''.join(parts)}<image_size>1280 720</image_size></opencv_storage>"


def as_json() -> str:
    """In OpenCV's terms."""
    return json.dumps({name: {**opencv_values(view), "dist": [0.1, 0, 0, 0]} for name, view in zip(NAMES, VIEWS)})


def as_camera_files() -> str:
    """As camera files."""
    cameras = [
        {
            "name": name,
            "image_size": [1280, 720],
            "focal_px": view.intrinsics[0, 0],
            "center": view.intrinsics[:2, 2].tolist(),
            "distortion": [0.1],
            "world_from_camera": np.linalg.inv(view.camera_from_world).tolist(),
        }
        for name, view in zip(NAMES, VIEWS)
    ]
    return json.dumps({"cameras": cameras})
