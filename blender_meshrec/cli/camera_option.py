"""The value of --camera: a camera file, which the backend reads, or a scene's camera, which a Blender reads."""

import os
from pathlib import Path

from ..bridge.scene_process import run_camera_process
from ..core.errors import InputError
from ..core.files.camera_file import SUFFIX

SCENE_SUFFIXES = (".blend", ".fbx", ".abc", ".usd", ".usdc", ".usda")


def split_camera_path(spec: str) -> tuple[Path, str]:
    """Split `FILE` or `FILE#NAME` into the path and the camera's name, "" if none is given.

    Raises:
        InputError: there is no such file, or its suffix is not that of a camera's.
    """
    path, name = Path(spec), ""
    if not os.path.exists(path) and "#" in path.name:
        before, _, name = spec.rpartition("#")
        path = Path(before)
    if path.suffix.lower() not in (SUFFIX, *SCENE_SUFFIXES):
        raise InputError(
            "camera-format-unknown",
            "{name} is no file whose camera can be read.",
            "Give a camera as one of: {known}.",
            name=path.name,
            known=" ".join((*SCENE_SUFFIXES, SUFFIX)),
        )
    if not os.path.isfile(path):
        raise InputError("camera-file-not-found", "There is no file {path}.", "Check the path of the camera.", path=path)
    return path, name


def read_camera_text(spec: str | None, first: int | None, blender: str | None) -> str | None:
    """The text of the camera file of a scene's camera; None where the backend reads it, or there is none.

    Args:
        spec: of --camera. first: of --camera-frame. blender: path of the Blender that reads scenes, or None.

    Raises:
        InputError: it cannot be read.
    """
    if spec is None:
        return None
    path, name = split_camera_path(spec)
    return None if path.suffix.lower() == SUFFIX else run_camera_process(str(path), name, first, blender)
