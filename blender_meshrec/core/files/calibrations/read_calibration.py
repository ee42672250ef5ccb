"""Read a calibration of cameras, whatever its format."""

from pathlib import Path

from ...camera_calibration import CalibratedCamera, calibration_error, checked_cameras
from ...errors import InputError
from ..input_file import parse_json, refuse_special_file
from .cameras_json import parse_cameras_json
from .opencv_storage import parse_opencv_xml, parse_opencv_yaml
from .pose2sim import parse_pose2sim
from .qualisys import parse_qualisys

MAX_BYTES = 1 << 22
SUFFIXES = (".toml", ".qca.txt", ".yml", ".yaml", ".xml", ".json")


def read_calibration(path: str | Path) -> tuple[CalibratedCamera, ...]:
    """The cameras of a calibration file, at least one.

    Raises:
        InputError: it cannot be read, is too large or holds no calibration.
    """
    path = Path(path)
    refuse_special_file(path)
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(
            "calibration-unreadable", "{name} cannot be read: {reason}.", "Check the path of the calibration.",
            name=path, reason=error.strerror or error,
        ) from error  # fmt: skip
    if len(content) > MAX_BYTES:
        raise calibration_error(path.name, f"it is larger than {MAX_BYTES >> 20} MB")
    try:
        cameras = _parse(path.name.lower(), content.decode("utf-8-sig"))
    except KeyError as error:
        raise calibration_error(path.name, f"{error.args[0]} is missing") from error
    except UnicodeDecodeError as error:
        raise calibration_error(path.name, "it is no text") from error
    except (ValueError, TypeError, OverflowError) as error:
        raise calibration_error(path.name, str(error).rstrip(".")) from error
    return checked_cameras(cameras, path.name)


def _parse(name: str, text: str) -> list[CalibratedCamera]:
    """The cameras of a text, by the name of its file. Raises ValueError, KeyError, TypeError or InputError."""
    if name.endswith(".toml"):
        return parse_pose2sim(text)
    if name.endswith((".yml", ".yaml")):
        return parse_opencv_yaml(text)
    if name.endswith(".json"):
        return parse_cameras_json(parse_json(text))
    if name.endswith((".xml", ".txt", ".qca")):
        return parse_opencv_xml(text) if "<opencv_storage" in text[:2000] else parse_qualisys(text)
    raise ValueError("its name has none of the known endings")
