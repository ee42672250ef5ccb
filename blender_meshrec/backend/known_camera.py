"""A camera that is known beforehand (`--camera`), in the frames of a clip; and the size of people on its known floor."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..bridge.messages import ReconstructRequest
from ..core.array_types import BoolArray, FloatArray, IntArray
from ..core.cameras import points_on_rays, rays_from_pixels
from ..core.contacts import WEIGHT_BEARING_THRESHOLD, weight_bearing
from ..core.errors import InputError
from ..core.files.camera_file import SUFFIX, camera_from_text, read_camera_file
from ..core.focal_length import given_focal_length
from ..core.known_camera import KnownCamera
from ..core.messages import Message
from ..core.option_parsers import read_floor
from ..core.records import FootageInfo, Observations
from ..core.rotations import angle_between_rotmats
from ..core.time_series import weighted_median

MAX_HELD = 0.1  # share of the footage's frames in which a camera may be held because it has none
ASPECT_TOLERANCE = 0.01  # of the picture's sides, beyond which the camera's picture is another one
MIN_TILT = np.radians(2.0)  # of a still camera, from which people are seen as a level one would
STEEPEST = np.sin(np.radians(45.0))  # of a camera's pitch, up to which people are seen as a level one would
CANDIDATES = 60  # frames whose camera is tried as the steady view
# Factors by which people may be larger or smaller than estimated, and the height above the floor, m, from which a camera shows sizes.
SIZE_RANGE, MIN_CAMERA_HEIGHT = (0.4, 2.5), 0.3
CONTACT = 0.5  # probability from which a sole is on the ground


def read_known_camera(request: ReconstructRequest) -> KnownCamera | None:
    """The camera of a request, with its own frames; None without one. Raises InputError."""
    if request.camera_text is not None:
        camera = camera_from_text(request.camera_text, request.camera or "")
    elif request.camera is None:
        return None
    elif request.camera.lower().endswith(SUFFIX):
        camera = read_camera_file(request.camera)
    else:
        raise InputError("camera-not-read", "The camera of {name} was not read.", "Give the camera as a .json file.", name=request.camera)
    return camera if request.floor is None else replace(camera, floor=_floor(request.floor))


def _floor(text: str) -> float | None:
    """The height of the floor, m, that a request gives; None if it is to be found. Raises InputError."""
    try:
        return read_floor(text)
    except ValueError:
        raise InputError(
            "floor-unreadable", "{text} is no height of a floor.", "Give metres such as 0 or 0.15, or auto to have it found.", text=text
        ) from None


@dataclass(frozen=True)
class FilmingCamera:
    """A known camera in the frames of the footage. first_key: the scene's number of the footage range's first frame."""

    camera: KnownCamera
    first_key: int
    warnings: tuple[Message, ...]


def camera_of_frames(camera: KnownCamera, request: ReconstructRequest, frames: FootageInfo, range_rows: IntArray) -> FilmingCamera:
    """A known camera in the F frames of the footage that were looked at, and in its pixels.

    Args:
        range_rows: (F,), which frames of the range they are.

    Raises:
        InputError: it has no path in more than MAX_HELD of the frames.
    """
    warnings: list[Message] = []
    first = camera.first_frame if request.camera_frame is None else request.camera_frame
    rows = first - camera.first_frame + frames.first + range_rows
    outside = (rows < 0) | (rows >= len(camera))
    if len(camera) > 1 and outside.any():
        known = {"name": camera.source, "first": camera.first_frame, "last": camera.first_frame + len(camera) - 1}
        needed = {"begin": first + frames.first, "end": int(first + frames.first + range_rows[-1])}
        problem = "The camera {name} is known from frame {first} to {last}, and the footage is frames {begin} to {end} of its scene."
        if outside.mean() > MAX_HELD:
            remedy = "Check which frame of the scene belongs to the footage's first, or choose a range of frames."
            raise InputError("camera-too-short", problem, remedy, **known, **needed)
        warnings.append(
            Message(
                "camera-held", "{problem} Elsewhere it is held.", problem=Message("camera-too-short.problem", problem, **known, **needed)
            )
        )
    aspect = camera.image_size[0] / camera.image_size[1] / (frames.size[0] / frames.size[1])
    if abs(aspect - 1) > ASPECT_TOLERANCE:
        width, height = camera.image_size.round().astype(int)
        text = "The camera's picture of {width} x {height} has other proportions than the footage: it is taken to be as wide."
        warnings.append(Message("camera-of-another-aspect", text, width=int(width), height=int(height)))
    filming = camera.at(rows).in_picture(frames.size)
    if request.focal is not None:
        filming = replace(filming, focal=np.full(len(frames), given_focal_length(request.focal, request.sensor, frames.size)))
    return FilmingCamera(filming, first + frames.first, tuple(warnings))


# --- the view in which people are solved -----------------------------------------------------------------------------


def is_still(camera: KnownCamera) -> bool:
    """Whether a camera neither moves nor turns."""
    return bool(np.abs(camera.world_from_camera - camera.world_from_camera[:1]).max() < 1e-6)


def sight_of_people(people: Sequence[Observations], camera: KnownCamera, intrinsics: FloatArray) -> FloatArray:
    """Unit directions (N,3) in the world in which a camera of F frames sees people; intrinsics: (3,3) px, of their pixels."""
    found: list[FloatArray] = []
    for person in people:
        middles = (person.boxes[:, :2].astype(float) + person.boxes[:, 2:]) / 2
        rays = rays_from_pixels(middles, intrinsics)
        rays = points_on_rays(rays, np.ones(rays.shape[:-1]))
        directions = (camera.world_from_camera[:, :3, :3] @ rays[..., None])[..., 0]
        found.append((directions / np.linalg.norm(directions, axis=-1, keepdims=True))[person.visible])
    return np.concatenate(found)


def choose_view(world_from_camera: FloatArray, sight: FloatArray) -> tuple[FloatArray, float]:
    """The steady view of a camera whose turns are (F,3,3): the level one from whose axis people are least far.

    Args:
        sight: (N,3), unit directions to people in the world.

    Returns:
        world_from_view (3,3), and the largest angle, rad, of anybody from its axis.
    """
    candidates = world_from_camera[:: -(-len(world_from_camera) // CANDIDATES)]
    views = [level_view(rotation) for rotation in candidates]
    middle = sight.mean(0)
    if np.linalg.norm(middle) > 0.3:
        forward = middle / np.linalg.norm(middle)
        views.append(level_view(_turned_to(candidates[0], forward)))
    angles = [float(np.arccos(np.clip((sight @ view[:, 2]).min(), -1, 1))) for view in views]
    best = int(np.argmin(angles))
    return views[best], angles[best]


def level_view(world_from_camera: FloatArray) -> FloatArray:
    """A camera's turn (3,3) without its pitch and roll, as lifters know cameras; one that is steep keeps them."""
    forward = world_from_camera[:, 2]
    if abs(forward[2]) > STEEPEST:
        return world_from_camera
    forward = forward * [1, 1, 0] / np.hypot(forward[0], forward[1])
    down = np.array([0.0, 0.0, -1.0])
    return np.stack([np.cross(down, forward), down, forward], 1)


def _turned_to(world_from_camera: FloatArray, forward: FloatArray) -> FloatArray:
    """A turn (3,3) near another whose axis is `forward` (3,)."""
    right = np.cross(world_from_camera[:, 1], forward)
    norm = np.linalg.norm(right)
    right = world_from_camera[:, 0] if norm < 1e-6 else right / norm
    return np.stack([right, np.cross(forward, right), forward], 1)


def tilt_of(world_from_camera: FloatArray) -> float:
    """How far a camera (3,3) is pitched and rolled, rad; 0 for one that is steep."""
    return float(angle_between_rotmats(level_view(world_from_camera), world_from_camera))


# --- sizes -----------------------------------------------------------------------------------------------------------


def soles_on_ground(soles: FloatArray, camera: FloatArray, contacts: FloatArray | None, timestamps: FloatArray) -> BoolArray:
    """Which soles (F,4) are on the ground, of places (F,4,3) m in the world; camera: (F,3) m; contacts: (F,4) 0..1, or None."""
    if contacts is not None:
        return np.asarray(contacts) > CONTACT
    return weight_bearing(soles - camera[:, None], timestamps, np.ones(len(soles), bool)) > WEIGHT_BEARING_THRESHOLD


def size_on_floor(soles: FloatArray, camera: FloatArray, touching: BoolArray, timestamps: FloatArray) -> float:
    """The factor by which a person must be larger, and farther from the camera, to stand on the floor at z = 0; 1 if nothing tells it.

    Args:
        soles: (F,4,3) m, and camera: (F,3) m, places in the world. touching: (F,4), which soles are on the ground.
    """
    height = np.broadcast_to(camera[:, None, 2], touching.shape)
    drop = height - soles[..., 2]
    used = touching & (height > MIN_CAMERA_HEIGHT) & (drop > 0.1 * height)
    if not used.any():
        return 1.0
    seconds = np.gradient(timestamps) if len(timestamps) > 1 else np.ones(1)
    weights = np.broadcast_to(seconds[:, None], touching.shape)[used]
    factor = float(weighted_median((height / np.where(used, drop, 1.0))[used], weights))
    return factor if SIZE_RANGE[0] < factor < SIZE_RANGE[1] else 1.0
