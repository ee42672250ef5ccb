"""Calibrations of Pose2Sim and anipose (.toml): a table for each camera, in OpenCV's terms."""

import tomllib

from ...camera_calibration import CalibratedCamera
from .opencv_camera import opencv_camera, with_metres


def parse_pose2sim(text: str) -> list[CalibratedCamera]:
    """The cameras of a .toml. Raises ValueError, KeyError or TypeError."""
    tables = {key: table for key, table in tomllib.loads(text).items() if isinstance(table, dict) and "matrix" in table}
    cameras = [
        opencv_camera(
            str(table.get("name", key)),
            table["matrix"],
            table.get("distortions", ()),
            table["rotation"],
            table["translation"],
            table.get("size"),
            bool(table.get("fisheye", False)),
        )
        for key, table in tables.items()
    ]
    return with_metres(cameras)
