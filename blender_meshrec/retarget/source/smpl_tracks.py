"""Motions that are stored frame by frame: the tracks of 4D-Humans (PHALP), and people by picture as ROMP lists them."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...core.array_types import FloatArray
from ...core.rotations import quat_from_rotmat, rotmat_from_quat, slerp
from ...core.time_series import bracketing_samples, interpolate_over_time
from .smpl_arrays import LayoutError

_PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")
# PHALP assumes a focal length of this many times the picture's longer side; a camera's usual one is about 1.
_PHALP_FOCAL = 5000 / 256
_NUM_BODY_ROTATIONS = 23


def is_tracked_frames(content: Mapping[Any, Any]) -> bool:
    """Whether a file's content is a table of frames with tracked people, as 4D-Humans writes it."""
    frames = [value for value in content.values() if isinstance(value, Mapping)]
    return bool(frames) and len(frames) == len(content) and all("smpl" in frame and "tid" in frame for frame in frames)


def is_frames(content: Mapping[Any, Any]) -> bool:
    """Whether a file's content is a table by the paths of pictures."""
    return all(str(key).lower().endswith(_PICTURE_SUFFIXES) for key in content)


def frames_of_first_person(content: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Arrays by name of each frame's first person, from a table by the paths of pictures."""
    frames = [content[key] for key in sorted(content)]
    names = set.intersection(*(set(frame) for frame in frames))
    arrays = {name: [frame[name] for frame in frames] for name in names if all(isinstance(frame[name], np.ndarray) for frame in frames)}
    return {
        name: np.stack([row[0] for row in rows])
        for name, rows in arrays.items()
        if all(row.ndim and len(row) and row[0].shape == rows[0][0].shape for row in rows)
    }


def longest_track(content: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, Any], int]:
    """The person of most frames in the tracks of 4D-Humans, and the number of people.

    Returns:
        arrays by name: global_orient (F,1,3,3), body_pose (F,23,3,3), cam_trans (F,3) m, betas (B,). Frames between a person's first and
        last one where the person is not seen are interpolated.
    """
    frames = [content[key] for key in sorted(content)]
    counts = Counter(track for frame in frames for track, body in zip(_as_list(frame["tid"]), _as_list(frame["smpl"])) if _is_body(body))
    if not counts:
        raise LayoutError("it holds no person")
    track = max(counts, key=lambda key: counts[key])
    rows: list[int] = []
    bodies: list[Mapping[str, Any]] = []
    places: list[FloatArray] = []
    for row, frame in enumerate(frames):
        tracks = _as_list(frame["tid"])
        index = tracks.index(track) if track in tracks else -1
        if index < 0 or index >= len(_as_list(frame["smpl"])) or not _is_body(_as_list(frame["smpl"])[index]):
            continue
        rows.append(row)
        bodies.append(_as_list(frame["smpl"])[index])
        cameras = _as_list(frame.get("camera", []))
        places.append(np.asarray(cameras[index], float).reshape(-1)[:3] if index < len(cameras) else np.zeros(3))
    return _fill_gaps(np.array(rows), bodies, np.array(places)), len(counts)


def _fill_gaps(rows: FloatArray, bodies: list[Mapping[str, Any]], places: FloatArray) -> dict[str, Any]:
    rotmats = np.array(
        [
            np.concatenate(
                [np.asarray(body["global_orient"], float).reshape(1, 3, 3), np.asarray(body["body_pose"], float).reshape(-1, 3, 3)]
            )
            for body in bodies
        ]
    )
    if rotmats.shape[1] != 1 + _NUM_BODY_ROTATIONS or places.shape != (len(rows), 3) or not np.isfinite(rotmats).all():
        raise LayoutError("its rotations are not those of a body")
    times = np.arange(rows[0], rows[-1] + 1)
    if len(times) > len(rows):
        before, after, weight = bracketing_samples(times, rows)
        quats = quat_from_rotmat(rotmats)
        rotmats = rotmat_from_quat(slerp(quats[before], quats[after], weight[:, None]))
        places = interpolate_over_time(times, rows, places)
    places = places / [1, 1, _PHALP_FOCAL]
    betas = np.mean([np.asarray(body.get("betas", np.zeros(10)), float).reshape(-1)[:10] for body in bodies], axis=0)
    return {"global_orient": rotmats[:, :1], "body_pose": rotmats[:, 1:], "cam_trans": places, "betas": betas}


def _is_body(value: object) -> bool:
    return isinstance(value, Mapping) and {"global_orient", "body_pose"} <= set(value)


def _as_list(value: Any) -> list[Any]:
    return value.tolist() if isinstance(value, np.ndarray) else list(value) if isinstance(value, (list, tuple)) else [value]
