"""What Blender and the backend say to each other: plain dataclasses of numbers, strings and arrays."""

from dataclasses import dataclass, field

from ..core.catalog import DEFAULT_REFINERS
from ..core.messages import Message


@dataclass(frozen=True)
class ReconstructRequest:
    """One input to reconstruct: what the panel's settings and the command line's options come down to.

    source: an image, a video, a folder of images, or 2D keypoints. person: "largest", "all" or a number from 1.
    frames: (first, end) half-open, counted from 0, or None for all. fps: resample to this rate, or None.
    body: "open" or the path of an SMPL-family file. skeleton: "smpl", or "skel" for SKEL's angles beside SMPL's; skel_body: "open"
    or the path of a SKEL file. method: an Estimator of the catalogue; refine: Refiners in order.
    smoothing: 0 is off, 1 the default strength. contacts: detect heel and toe contacts and lock the feet while they
    last. upright: stand the world up with z up and the floor at zero. cache: folder of observations, or None for none.
    surface: of a method that calibrates a mesh, the exact surface of person N is written to this path and ".personN.pc2"; or None.
    """

    source: str
    person: str = "largest"
    frames: tuple | None = None
    fps: float | None = None
    body: str = "open"
    skeleton: str = "smpl"
    skel_body: str = "open"
    detector: str = "auto"
    method: str = "auto"
    refine: tuple = DEFAULT_REFINERS
    device: str = "auto"
    smoothing: float = 1.0
    contacts: bool = True
    upright: bool = True
    cache: str | None = None
    surface: str | None = None


def is_calibrated_method(method):
    """Whether an Estimator of the catalogue gives calibrated joints and an exact surface."""
    return method.startswith("pc-hmr")


@dataclass(frozen=True)
class Progress:
    """How far a stage has come: `done` of `total` (0 when not known), counted in `unit`."""

    stage: str
    done: int
    total: int
    unit: str = "frames"


@dataclass(frozen=True)
class Result:
    """A finished job: one Recovery a person, in the order of the numbers the user sees, and the report.

    portraits: of everybody found, whether recovered or not, person 1 first: a small picture (S,S,3) uint8 RGB, or None.
    """

    recoveries: tuple
    people: tuple
    report: dict = field(default_factory=dict)
    portraits: tuple = ()


@dataclass(frozen=True)
class Failure:
    """Why a job ended without a result: an exit code, the problem, the remedy, and details for a bug report."""

    exit_code: int
    problem: Message
    remedy: Message
    details: str = ""


def failure_from_error(error, details=""):
    """The Failure that carries a MeshRecError over the wire."""
    return Failure(int(error.exit_code), error.problem, error.remedy, details)
