"""The lens of a clip: the focal length that the user gives, else that of the footage's metadata, else an assumed one that is solved for."""

from dataclasses import dataclass

from ..bridge.messages import ReconstructRequest
from ..core.array_types import FloatArray
from ..core.cameras import default_intrinsics, intrinsics_of_focal_length
from ..core.focal_length import given_focal_length
from ..core.records import FootageInfo
from .fitting.clip_solve import weights


@dataclass(frozen=True)
class Lens:
    """The lens before the solve.

    intrinsics: (3,3) px. sigma: the standard deviation of the logarithm of the focal length, 0 if it is given and fixed. source:
    "given", "metadata" or "solved"; of a clip also "camera", how it turned, and "edges", those of the background.
    """

    intrinsics: FloatArray
    sigma: float
    source: str


def choose_lens(request: ReconstructRequest, frames: FootageInfo) -> Lens:
    """The lens of a request's footage. Raises InputError: the given focal length is none, or that of no lens."""
    if request.focal is not None:
        focal = given_focal_length(request.focal, request.sensor, frames.size)
        return Lens(intrinsics_of_focal_length(focal, frames.size), 0.0, "given")
    if frames.focal is not None:
        return Lens(intrinsics_of_focal_length(frames.focal, frames.size), frames.focal_sigma, "metadata")
    return Lens(default_intrinsics(frames.size), weights.LENS_SIGMA, "solved")
