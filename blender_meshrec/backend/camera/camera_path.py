"""What is known of a clip's camera, and the sentences that say it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ...core.array_types import FloatArray
from ...core.messages import Message
from ...core.rotations import angle_between_rotmats
from .seen_depths import SeenDepths

Kind = Literal["still", "turning", "moving", "unknown"]


@dataclass(frozen=True)
class Shot:
    """first, last: rows, last excluded. kind: of the camera. seen: share of its frames in which the background was found.

    focal: px, in its first frame; focal_sigma: px; both nan where the shot does not tell. explained: share of the background that the
    path of a moving camera explains, and uncertainty: standard deviation of its places, as a share of its extent; nan without a path.
    problem: why a moving camera has no path. points: of the background along a path, frames counted from the shot's first. doubt: why
    what was found may be wrong.
    """

    first: int
    last: int
    kind: Kind
    seen: float
    focal: float = float("nan")
    focal_sigma: float = float("nan")
    explained: float = float("nan")
    uncertainty: float = float("nan")
    problem: Message | None = None
    points: SeenDepths | None = None
    doubt: Message | None = None

    @property
    def has_path(self) -> bool:
        """Whether the path of a moving camera is known."""
        return bool(np.isfinite(self.explained))


@dataclass(frozen=True)
class CameraPath:
    """A clip's camera, F frames.

    kind: the least still of its shots'. camera_from_first: (F,3,3), turns directions from the axes of the camera in the shot's first frame
    to those in this frame (OpenCV axes: x right, y down, z forward); the identity throughout shots that do not turn. zoom: (F,), focal
    length over that in the shot's first frame. focal: px in the first frame of the longest shot that tells it, and focal_sigma: px, its
    standard deviation; nan if none does. distortion: k1 of undistorted = distorted * (1 + k1 r^2), r in focal lengths, 0 if unknown.
    confidence: (F,) 0..1, 0 where the background was not found. shots: in order. sentences: for the report. centres: (F,3), the camera's
    places in the axes of the shot's first frame, in which the background is about 1 away; 0 in shots without a path, None if none has one.
    """

    kind: Kind
    camera_from_first: FloatArray
    zoom: FloatArray
    focal: float
    focal_sigma: float
    distortion: float
    confidence: FloatArray
    shots: tuple[Shot, ...]
    sentences: tuple[Message, ...]
    centres: FloatArray | None = None

    @property
    def cuts(self) -> list[int]:
        """The first rows of all shots but the first."""
        return [shot.first for shot in self.shots[1:]]

    def of_shot(self, number: int) -> "CameraPath":
        """The camera of one shot's frames."""
        shot = self.shots[number]
        rows = slice(shot.first, shot.last)
        rotations, zoom = self.camera_from_first[rows], self.zoom[rows]
        alone = replace(shot, first=0, last=shot.last - shot.first)
        return replace(
            self,
            kind=shot.kind,
            camera_from_first=rotations,
            zoom=zoom,
            focal=shot.focal,
            focal_sigma=shot.focal_sigma,
            confidence=self.confidence[rows],
            shots=(alone,),
            sentences=camera_sentences(shot.kind, [alone], rotations, zoom),
            centres=self.centres[rows] if self.centres is not None and shot.has_path else None,
        )


def unknown_camera(frames: int) -> CameraPath:
    """The camera of footage whose background nobody looked at."""
    nan = float("nan")
    sentence = Message("camera-not-looked-at", "The camera is taken to stand still: its background was not stored.")
    shots = (Shot(0, frames, "unknown", 0.0),)
    return CameraPath("unknown", np.tile(np.eye(3), (frames, 1, 1)), np.ones(frames), nan, nan, 0.0, np.zeros(frames), shots, (sentence,))


def camera_sentences(kind: Kind, shots: Sequence[Shot], rotations: FloatArray, zoom: FloatArray) -> tuple[Message, ...]:
    """What the report says of the camera."""
    said: list[Message] = []
    if kind == "unknown":
        said.append(Message("camera-unknown", "The camera is taken to stand still: the background shows too little to follow."))
    elif kind == "still":
        said.append(Message("camera-still", "The camera stands still."))
    elif kind == "turning":
        said.append(_turning_sentence(shots, rotations, zoom))
    elif any(shot.has_path for shot in shots):
        share = 100 * min(shot.explained for shot in shots if shot.has_path)
        said.append(
            Message("camera-path", "The camera moves through the scene; its path explains {share:.0f} % of the background.", share=share)
        )
    else:
        said.append(Message("camera-moving", "The camera moves through the scene; its motion is not taken out."))
    said += _doubts(shots)
    if len(shots) > 1:
        said.append(Message("camera-shots", "The footage has {shots} shots; each has a camera of its own.", shots=len(shots)))
    unseen = 1 - sum((shot.last - shot.first) * shot.seen for shot in shots) / max(shots[-1].last, 1)
    if kind != "unknown" and unseen > 0.02:
        said.append(
            Message(
                "camera-unseen-at-times",
                "In {share:.0f} % of the frames the background was not found; the camera is interpolated there.",
                share=100 * unseen,
            )
        )
    return tuple(said)


def _turning_sentence(shots: Sequence[Shot], rotations: FloatArray, zoom: FloatArray) -> Message:
    parts = [slice(shot.first, shot.last) for shot in shots]
    angle = max(float(np.degrees(angle_between_rotmats(np.eye(3), rotations[part])).max()) for part in parts)
    growth = 100 * max(float(np.exp(np.ptp(np.log(zoom[part])))) - 1 for part in parts)
    if growth > 0:
        return Message(
            "camera-turning-and-zooming",
            "The camera turns in place by up to {angle:.1f} degrees and zooms by {growth:.0f} %.",
            angle=angle,
            growth=growth,
        )
    return Message("camera-turning", "The camera turns in place by up to {angle:.1f} degrees.", angle=angle)


def _doubts(shots: Sequence[Shot]) -> list[Message]:
    """Why the first shot without a path has none, and why the first that is doubtful is."""
    text = "Its path through the scene is not taken out: {why}."
    problems = [Message("camera-no-path", text, why=shot.problem) for shot in shots if shot.problem is not None]
    return problems[:1] + [shot.doubt for shot in shots if shot.doubt is not None][:1]
