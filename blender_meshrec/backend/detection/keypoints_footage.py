"""Footage that is 2D keypoints instead of images, and checks of such keypoints."""

from collections.abc import Iterator

import numpy as np

from ...core.array_types import AnyArray, FloatArray
from ...core.conventions import standard_fps
from ...core.errors import InputError
from ..footage.frame_source import FixedRateFootage, Frame, FrameRange, PathArgument

# Fewer points than this are no person.
MIN_POINTS = 3
# Limits of what a file may hold: values of all keypoints together (two hours of one person), people in a frame, and px.
MAX_VALUES = 1 << 25
MAX_PEOPLE = 100
MAX_COORDINATE = 1e5
# Fraction of frames in which a person may be nearest to another person's previous position, if their order is stable.
MAX_FRACTION_NEARER_TO_OTHERS = 0.1


class KeypointsFootage(FixedRateFootage):
    """Frames without images. keypoints: (F,P,K,3), zeros for missing people; has_stable_order: whether index P is always one person."""

    def __init__(
        self,
        path: PathArgument,
        frames: FrameRange | None,
        keypoints: FloatArray,
        image_size: tuple[int, int],
        fps: float,
        has_stable_order: bool,
    ) -> None:
        super().__init__(path, frames)
        if self.first >= len(keypoints):
            raise self.past_end_error(len(keypoints))
        self.keypoints = keypoints[self.first : self.end]
        self.size = image_size
        self.rotation = 0
        self.num_declared_frames = len(self.keypoints)
        self.has_stable_order = has_stable_order
        self.fps = standard_fps(fps)

    def read(self, decode_from: int = 0) -> Iterator[Frame]:
        for row in range(self.num_declared_frames):
            yield self.fixed_rate_frame(row, None)


def is_normalized(keypoints: FloatArray) -> bool:
    """Whether keypoints (...,3) are fractions of the image's sides: nobody is two pixels high."""
    return bool(0 < keypoints[..., :2].max(initial=0) <= 2)


def clean_keypoints(keypoints: AnyArray) -> FloatArray:
    """Set points that are not finite, or have no confidence, to zero, and limit confidence to 1."""
    cleaned = np.array(keypoints, float)
    invalid = ~np.isfinite(cleaned).all(-1) | (cleaned[..., 2] <= 0)
    cleaned[invalid] = 0.0
    cleaned[..., 2] = np.minimum(cleaned[..., 2], 1.0)
    return cleaned


def check_people(keypoints: FloatArray, name: str) -> None:
    """Check that the cleaned keypoints (F,P,K,3) of the file `name` can be people in a picture. Raises InputError."""
    if keypoints.shape[1] > MAX_PEOPLE:
        raise too_many_people_error(keypoints.shape[1], name)
    if np.abs(keypoints).max(initial=0) > MAX_COORDINATE:
        raise InputError(
            "keypoints-out-of-range",
            "{name} holds keypoints farther than {limit} pixels from the picture's corner.",
            "Write the keypoints again, in pixels, with confidence 0 for points that were not found.",
            name=name,
            limit=int(MAX_COORDINATE),
        )


def too_many_people_error(count: int, name: str) -> InputError:
    """The error of a file `name` with `count` people in a frame."""
    return InputError(
        "keypoints-too-many-people",
        "{name} holds {count} people in one frame; the limit is {limit}.",
        "Keep the people you need, and write the keypoints again.",
        name=name,
        count=count,
        limit=MAX_PEOPLE,
    )


def has_stable_order(keypoints: FloatArray) -> bool:
    """Whether index P of (F,P,K,3) is always the same person: from frame to frame people are nearest to their own positions.

    Detectors that do not track list people in any order; then the tracker joins them by their positions.
    """
    if keypoints.shape[1] == 1:
        return True
    is_present = (keypoints[..., 2] > 0).sum(-1) >= MIN_POINTS
    weights = keypoints[..., 2:]
    centres = (keypoints[..., :2] * weights).sum(2) / np.maximum(weights.sum(2), 1e-6)
    distances = np.linalg.norm(centres[1:, :, None] - centres[:-1, None], axis=-1)
    distances[~(is_present[1:, :, None] & is_present[:-1, None])] = np.inf
    to_self = np.einsum("fpp->fp", distances)
    in_both = np.isfinite(to_self)
    # A crossing makes a few frames in which somebody else's position is nearer, a shuffled order many.
    nearer_to_others = (distances.min(2) < to_self)[in_both]
    return bool(in_both.any() and nearer_to_others.mean() < MAX_FRACTION_NEARER_TO_OTHERS)
