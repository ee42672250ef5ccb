"""Messages between Blender and the backend: frozen dataclasses of numbers, strings and arrays."""

import json
from dataclasses import KW_ONLY, asdict, dataclass, field, fields
from typing import Any

from ..core.array_types import ImageArray, IntArray
from ..core.errors import MeshRecError
from ..core.messages import Message
from ..core.options import ReconstructOptions
from ..core.records import Recovery


@dataclass(frozen=True)
class ReconstructRequest(ReconstructOptions):
    """One input to reconstruct, and the options.

    source: path of an image, a video, a folder of images, or 2D keypoints. cache: folder of observations, or None for none.
    surface: path prefix of the exact surfaces of a method that calibrates a mesh, which adds ".personN.pc2" for person N; None to write
    none. camera_text: the camera that filmed, as the text of a camera file (core/files/camera_file.py), where `camera` names a scene that
    only Blender reads. views: paths of further views of the same scene, which `cameras` joins to the source's. people_text: the list of
    people (core/files/people_file.py) in place of the file that `people_list` names. only_find: find the people, and reconstruct nobody.
    """

    source: str
    _: KW_ONLY
    cache: str | None = None
    surface: str | None = None
    camera_text: str | None = None
    views: tuple[str, ...] = ()
    people_text: str | None = None
    only_find: bool = False


def request_to_text(request: ReconstructRequest) -> str:
    """A request as text that a .blend file can store."""
    return json.dumps(asdict(request))


def request_from_text(text: str) -> ReconstructRequest:
    """The inverse of `request_to_text`; options that this version does not have are left out. Raises ValueError or TypeError."""
    known = {entry.name for entry in fields(ReconstructRequest)}
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in json.loads(text).items() if name in known
    }
    return ReconstructRequest(**values)


def is_calibrated_method(method: str) -> bool:
    """Whether an Estimator of the catalogue gives calibrated joints and an exact surface."""
    return method.startswith("pc-hmr")


@dataclass(frozen=True)
class Progress:
    """Progress of a stage, by its label or a sentence: `done` of `total` (0 when unknown), counted in `unit`."""

    stage: str | Message
    done: int
    total: int
    unit: str = "frames"


@dataclass(frozen=True)
class Result:
    """The result of a finished job.

    recoveries: one per person; people: their numbers as the user sees them, in the same order. report: quality, speed and warnings.
    portraits: of each person found, recovered or not, in the report's order: a small picture (S,S,3) uint8 RGB, or None. picture: the
    content (N,) uint8 of a JPEG file that shows the result over the footage at its worst moment, if the backend was started to make one.
    people_text: the list of the people found (core/files/people_file.py), "" without one. thumbnails: (N,S,S,3) uint8 RGB, of the list's
    tracks, and thumbnail_places: (N,2), the track and the frame of the footage of each. textures: of each recovery, the content (N,) uint8
    of a PNG file for the UV map of the body, or None; () if no textures were asked for.
    """

    recoveries: tuple[Recovery, ...]
    people: tuple[int, ...]
    report: dict[str, Any] = field(default_factory=dict)
    portraits: tuple[ImageArray | None, ...] = ()
    picture: ImageArray | None = None
    people_text: str = ""
    thumbnails: ImageArray | None = None
    thumbnail_places: IntArray | None = None
    textures: tuple[ImageArray | None, ...] = ()


@dataclass(frozen=True)
class Failure:
    """Why a job ended without a result: the exit code, the problem, the remedy, and details for a bug report."""

    exit_code: int
    problem: Message
    remedy: Message
    details: str = ""


def failure_from_error(error: MeshRecError, details: str = "") -> Failure:
    """The Failure that stands for a MeshRecError on the wire."""
    return Failure(int(error.exit_code), error.problem, error.remedy, details)
