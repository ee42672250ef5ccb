"""The state of a reconstruction: a Clip with a Person for each subject, filled in by the passes of pipeline.py."""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from ..bodies.skel import Skel
from ..bodies.smpl import Smpl
from ..bridge.messages import Progress, ReconstructRequest
from ..core.array_types import BoolArray, FloatArray, ImageArray, IntArray
from ..core.files.body_template import BodyTemplate
from ..core.known_camera import KnownCamera
from ..core.messages import Message
from ..core.quality_levels import QUALITY_LEVELS, QualityLevel, chosen_refiners
from ..core.records import BodyParams, Estimate, FootageInfo, Observations, Recovery
from .camera.map_floor import MapFloor
from .camera.path_scale import PathScale
from .camera.solve_camera import CameraPath
from .camera.tracks import BackgroundTracks
from .camera.vertical_lines import VerticalLines
from .fitting.body_fit import BodyFit
from .fitting.camera_space import CameraSpaceJoints
from .fitting.tilt_from_lines import EdgeEvidence, PerpendicularEdges
from .footage.looked_at import LookedAt
from .known_people import KnownPerson
from .views.join_views import JoinedPerson, JoinedViews

OnProgress = Callable[[Progress], None]

TIME_CUT_OUT = 3.0  # s, by a jump cut: so long that nothing is smoothed or filled in across it


class Stages:
    """Wall time by stage, and a Progress as each stage begins."""

    def __init__(self, on_progress: OnProgress) -> None:
        self.seconds: dict[str, float] = {}
        self._on_progress = on_progress
        self._current = ""

    @contextmanager
    def __call__(self, name: str) -> Generator[None, None, None]:
        """Time a stage. Successive uses of one name are one stage."""
        stage = name[:1].upper() + name[1:]
        if stage != self._current:
            self._on_progress(Progress(stage, 0, 0))
        self._current = stage
        begun = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begun

    def count(self, done: int, total: int) -> None:
        """Report progress within the current stage."""
        self._on_progress(Progress(self._current, done, total))


@dataclass
class Person:
    """One person on the way from keypoints to a motion. A field exists once the pass that makes it has run.

    number: as the interface counts people, from 1; place: among those who were found, number - 1 by default. observations: in the
    footage; steady: as a still camera would see them. known: what the user knows of them. betas: (B,), if their shape is known, or has
    the known height. scale: factor that puts the feet of a person of unknown size on the shared floor.
    ankles_seen: (F,2), whether the left and right ankle are in view. start: the body before the whole-clip solve, in camera axes. sigma:
    (F,24) m, how sure the solve is of each joint relative to the pelvis.
    free, locked: the body in the world before and after foot locking. contacts: (F,4). foot_slide: cm/s before and after locking.
    generated: PC-HMR's generated mesh, or None.
    judged: verdict, reasons, worst frames and measures for the report, as of quality.py; empty if not judged.
    kept: (F,), the rows that stay as they are in the result that an artist has corrected, or None.
    in_views: what several views show of the person, and joined_joints: where they see them together; None with a single view.
    refined: the reports of body refiners, by name. skel_report: the report of the conversion to SKEL and its refiners, or None.
    texture: the content (N,) uint8 of a PNG file, painted from the footage, or None.
    """

    number: int
    observations: Observations
    known: KnownPerson = field(default_factory=KnownPerson)
    betas: FloatArray | None = None
    scale: float = 1.0
    stature: float | None = None
    stands_with_others: bool = False
    steady: Observations = field(init=False)
    estimate: Estimate = field(init=False)
    camera_space: CameraSpaceJoints = field(init=False)
    fit: BodyFit = field(init=False)
    ankles_seen: BoolArray = field(init=False)
    start: BodyParams = field(init=False)
    sigma: FloatArray = field(init=False)
    free: BodyParams = field(init=False)
    locked: BodyParams = field(init=False)
    contacts: FloatArray = field(init=False)
    foot_slide: tuple[float, float] = field(init=False)
    recovery: Recovery = field(init=False)
    generated: Recovery | None = None
    judged: dict[str, Any] = field(default_factory=dict)
    refined: dict[str, Any] = field(default_factory=dict)
    skel_report: dict[str, Any] | None = None
    texture: ImageArray | None = None
    kept: BoolArray | None = None
    in_views: JoinedPerson | None = None
    joined_joints: CameraSpaceJoints | None = None
    place: int = -1

    def __post_init__(self) -> None:
        self.steady = self.observations
        if self.place < 0:
            self.place = self.number - 1


@dataclass(frozen=True)
class LeftOut:
    """A person who was found, but is not delivered since they are doubtful; number: as of `Person`; reasons: the gravest first."""

    number: int
    reasons: tuple[Message, ...]


@dataclass
class Clip:
    """Footage, models and people of one reconstruction.

    intrinsics: (3,3) px; lens_sigma: the standard deviation of the logarithm of its focal length, 0 if it is given; lens_source: where
    it is from, as of lens.py. world_from_camera: (4,4), and tilt_sigma: (2,) rad, set by the pass `estimate_world`. skel: None unless the
    request asks for SKEL. background: (F,3), its movement since the frame before, as of camera/background_matcher.py; None if unknown.
    lines: edges of the background, and edges: what they say of up, set by `estimate_world`; None if nobody looked. perpendicular: what
    those in three perpendicular directions say of the lens and of up, set by `look_at_perpendicular_edges`.
    looked_at: which frames of the range the F of all arrays are. camera_from_view: (F,3,3), of the steady view in which people are
    solved, or None if they are solved in the footage. camera_centres: (F,3), the places of a camera whose path is taken out, in the
    steady view's axes and the path's units, else None; path_scale: those in metres. map_floor: of the
    background along that path, or None. known_camera: the camera that filmed, in these
    frames and pixels, if it is known beforehand, else None; known_key: the number in its scene of the range's first frame; known_world:
    (4,4), of the steady view in its world. distortion: (3,), as of core/lens_distortion.py, of the footage, which is taken out of all
    observations; distortion_source: "given", "camera", or "" where it is not known. zoom: (F,), the focal length over that of
    `intrinsics`, or None where it does not change. joined: the views of several cameras, the clip's own first, or None. parts: the shots
    of footage with cuts, each solved as a clip of its own, and main_part: the number of the longest of them; empty if there is one.
    tracked_people: everybody in the footage as the detector saw them, a Person's own at its `place`. left_out: people who are doubtful.
    is_listed: whether the people are those of a list, which says who is doubtful. has_long_lens: whether people who stand near and far
    showed that the lens is a long one. playing_speed: how many times slower than in truth people seem to move, of playing_speed.py.
    jumps: the first rows after jump cuts, of tracking/jump_cuts.py.
    """

    request: ReconstructRequest
    stages: Stages
    device: torch.device
    body: Smpl
    skel: Skel | None
    frames: FootageInfo
    looked_at: LookedAt
    intrinsics: FloatArray
    people: list[Person]
    warnings: list[str]
    background: FloatArray | None = None
    tracks: BackgroundTracks | None = None
    lines: VerticalLines | None = None
    lens_sigma: float = 0.0
    lens_source: str = "solved"
    world_from_camera: FloatArray = field(init=False)
    tilt_sigma: FloatArray = field(init=False)
    edges: EdgeEvidence | None = None
    perpendicular: PerpendicularEdges | None = None
    camera: CameraPath = field(init=False)
    camera_from_view: FloatArray | None = None
    camera_centres: FloatArray | None = None
    path_scale: PathScale | None = None
    map_floor: MapFloor | None = None
    known_camera: KnownCamera | None = None
    known_key: int | None = None
    known_world: FloatArray = field(init=False)
    distortion: FloatArray = field(default_factory=lambda: np.zeros(3))
    distortion_source: str = ""
    zoom: FloatArray | None = None
    joined: JoinedViews | None = None
    tracked_people: tuple[Observations, ...] = ()
    left_out: list[LeftOut] = field(default_factory=list)
    is_listed: bool = False
    has_long_lens: bool = False
    playing_speed: int = 1
    jumps: tuple[int, ...] = ()
    parts: tuple["Clip", ...] = ()
    main_part: int = 0

    @property
    def cuts(self) -> list[int]:
        """The first rows of all shots but the first."""
        return self.camera.cuts

    @property
    def breaks(self) -> list[int]:
        """The first rows after all cuts, jump cuts included: people do not go on there as they moved before."""
        return sorted({*self.cuts, *self.jumps})

    def contacts_within_takes(self, contacts: FloatArray) -> FloatArray:
        """Contacts (F,C) without those of the last frame before each jump cut: no foot stands across it."""
        within = np.array(contacts, float)
        within[[row - 1 for row in self.jumps]] = 0.0
        return within

    @property
    def places(self) -> FloatArray:
        """The camera's places (F,3) m in the axes of the view in which people are solved; 0 for a camera that does not move."""
        if self.camera_centres is None or self.path_scale is None:
            return np.zeros((len(self.frames), 3))
        return self.path_scale.scale * self.camera_centres

    @property
    def template(self) -> BodyTemplate:
        """The body at rest."""
        return self.body.template

    @property
    def level(self) -> QualityLevel:
        """What the request's quality chooses."""
        return QUALITY_LEVELS[self.request.quality]

    @property
    def refiners(self) -> tuple[str, ...]:
        """The names of the refiners that run."""
        return chosen_refiners(self.request.refine, self.request.quality)

    @property
    def view_size(self) -> FloatArray:
        """(width, height) px of the picture in which people are solved; a steady view of a turning camera has no edges."""
        return np.array(self.frames.size, float) if self.camera_from_view is None else np.full(2, np.inf)

    def require_known_camera(self) -> KnownCamera:
        """The known camera, for passes that run only where there is one."""
        if self.known_camera is None:
            raise ValueError("This clip has no known camera")
        return self.known_camera

    def require_views(self) -> JoinedViews:
        """The joined views, for passes that run only where there are several."""
        if self.joined is None:
            raise ValueError("This clip has one view")
        return self.joined

    def require_skel(self) -> Skel:
        """The SKEL body, for passes and refiners that run only where the request asks for SKEL."""
        if self.skel is None:
            raise ValueError("This clip was opened without a SKEL body")
        return self.skel

    @property
    def frame_numbers(self) -> IntArray:
        """The number in the footage of each row, (F,)."""
        return self.frames.first + self.looked_at.rows

    @property
    def motion_times(self) -> FloatArray:
        """(F,) s, at which people move as fast as they do in truth: the file's `frames.timestamps`, but in slow motion, and with the time
        that a jump cut took out.
        """
        times = self.frames.timestamps
        if self.playing_speed == 1 and not self.jumps and not self.parts:
            return times
        speeds = np.concatenate([np.full(len(part.frames), part.playing_speed) for part in self.parts or [self]])
        steps = np.diff(times, prepend=times[0]) / speeds
        steps[list(self.jumps)] += TIME_CUT_OUT
        return np.cumsum(steps)
