"""Detections of many frames packed into named arrays, as the observation cache stores them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from ...core.array_types import AnyArray
from ..detection.detections import Detection

DetectedFrame: TypeAlias = tuple[float, list[Detection]]  # time in s, everybody in the frame

# Fields that a Detection may lack -> their names among the arrays.
OPTIONAL_FIELDS = {
    "keypoints_3d": "keypoints_3d",
    "appearance": "look",
    "silhouette": "silhouette",
    "square": "square",
    "portrait": "portrait",
    "regression": "regression",
    "second_look": "second_look",
}
_FIRST_FIELDS = ("keypoints_3d", "look", "silhouette", "square", "portrait")  # which files of earlier versions have, too


def pack_frames(frames: Sequence[DetectedFrame]) -> dict[str, AnyArray]:
    """Frames as named arrays: their times and numbers of detections, and the fields of all detections one after another.

    Of an optional field NAME, the array "has_NAME" says which detections have it, and NAME holds the values of those.
    """
    detections = [detection for _time, in_frame in frames for detection in in_frame]
    arrays: dict[str, AnyArray] = {
        "times": np.array([time for time, _in_frame in frames]),
        "counts": np.array([len(in_frame) for _time, in_frame in frames]),
    }
    if not detections:
        return arrays
    arrays["keypoints"] = np.stack([detection.keypoints for detection in detections])
    arrays["scores"] = np.array([detection.score for detection in detections])
    for field, name in OPTIONAL_FIELDS.items():
        values = [getattr(detection, field) for detection in detections]
        present = [value for value in values if value is not None]
        arrays[f"has_{name}"] = np.array([value is not None for value in values])
        if present:
            arrays[name] = np.stack(present)
    return arrays


def unpack_frames(arrays: Mapping[str, AnyArray]) -> list[DetectedFrame]:
    """The inverse of `pack_frames`. Raises KeyError or ValueError if arrays are missing or of wrong sizes."""
    counts, times = arrays["counts"], arrays["times"]
    num_detections = int(counts.sum())
    detections: list[Detection] = []
    if num_detections:
        keypoints, scores = arrays["keypoints"], arrays["scores"]
        optional = {
            field: list(_optional_values(arrays, name))
            for field, name in OPTIONAL_FIELDS.items()
            if name in _FIRST_FIELDS or f"has_{name}" in arrays
        }
        for i in range(num_detections):
            fields = {field: values[i] for field, values in optional.items()}
            detections.append(Detection(keypoints[i], score=float(scores[i]), identity=None, **fields))
    ends = np.cumsum(counts)
    return [(float(time), detections[end - count : end]) for time, count, end in zip(times, counts, ends)]


def _optional_values(arrays: Mapping[str, AnyArray], name: str) -> Iterator[AnyArray | None]:
    """The value of an optional field for every detection, None for those without."""
    has_value = arrays[f"has_{name}"]
    values = iter(arrays[name] if has_value.any() else ())
    for has in has_value:
        yield next(values) if has else None
