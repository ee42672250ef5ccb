"""Which axis of an SMPL-family file is up, and the height of its floor."""

import numpy as np

from ...core.array_types import FloatArray
from ...core.conventions import WORLD_FROM_BODY
from ...core.messages import Message
from .smpl_arrays import SmplArrays, UpAxis

AUTO_UP = "auto"
# World axes (z up) from those of a file.
WORLD_FROM_FILE: dict[UpAxis, FloatArray] = {
    "z": np.eye(3),
    "y": WORLD_FROM_BODY,
    "-y": np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]),  # OpenCV's camera: x right, y down, z forward
}
# Of a body that lies or crawls on the floor or on something low, m: heights of the lowest joint and of the pelvis.
_MIN_JOINT_HEIGHT, _MAX_JOINT_HEIGHT, _MIN_PELVIS_HEIGHT = -0.1, 1.0, 0.05
_STANDING_TOLERANCE = 0.2  # m, of the lowest joint to the floor, of a person who stands


def choose_up(stored: SmplArrays, joints: FloatArray, up: str, name: str) -> tuple[UpAxis, tuple[Message, ...]]:
    """The axis that is up, and a note where it could be another.

    Args:
        joints: (F,J,3) m, in the file's axes. up: the user's choice: "z", "y" or "auto".

    The format decides where it states an axis. A body that lies along y in a file whose format says z is taken for one that stands in
    y-up axes only if it stands on the plane y = 0 and would lie below the plane z = 0.
    """
    if up in ("y", "z"):
        return ("y" if up == "y" else "z"), ()
    if stored.up in ("y", "-y"):
        return stored.up, ()
    body_up = np.median(_trunks(joints), axis=0)
    if abs(body_up[2]) >= abs(body_up[1]):
        return "z", () if stored.up == "z" else _guess_notes("z", name)
    if stored.up is None:
        guess = _guess_up(joints, body_up)
        return guess, _guess_notes(guess, name)
    if _stands(joints, 1) and body_up[1] > 0 and not _is_above_floor(joints):
        text = (
            "{name} has y up, unlike other files of its kind: the person stands on the plane y = 0. Give --up z if the person should lie."
        )
        return "y", (Message("smpl-up-is-y", text, name=name),)
    text = "{name} has z up, as its format says: the person lies or crawls. Give --up y if the person should stand."
    return "z", (Message("smpl-person-lies", text, name=name),)


def _trunks(joints: FloatArray) -> FloatArray:
    """Unit vectors (F,3) from the pelvis to the neck."""
    trunks = joints[:, 12] - joints[:, 0]
    return trunks / np.maximum(np.linalg.norm(trunks, axis=1, keepdims=True), 1e-9)


def _guess_up(joints: FloatArray, body_up: FloatArray) -> UpAxis:
    """The axis that is up where no format says so, of a body that is along y."""
    if _stands(joints, 2) and not _stands(joints, 1) and _is_above_floor(joints):
        return "z"  # lies on the floor
    return "y" if body_up[1] > 0 else "-y"


def _stands(joints: FloatArray, axis: int) -> bool:
    """Whether the lowest joint along an axis is near 0 in most frames."""
    return bool(abs(np.median(joints[:, :, axis].min(1))) < _STANDING_TOLERANCE)


def _is_above_floor(joints: FloatArray) -> bool:
    """Whether a person with z up would be on or a little above the plane z = 0."""
    lowest = np.median(joints[:, :, 2].min(1))
    return bool(_MIN_JOINT_HEIGHT < lowest < _MAX_JOINT_HEIGHT and np.median(joints[:, 0, 2]) > _MIN_PELVIS_HEIGHT)


def _guess_notes(up: UpAxis, name: str) -> tuple[Message, ...]:
    if up == "z":
        return ()
    text = "{name} does not say which axis is up: the one along which the body is upright is taken. Give --up if that is wrong."
    return (Message("smpl-up-guessed", text, name=name),)
