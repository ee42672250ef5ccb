"""An artist's own camera as a KnownCamera: of the open scene, or of a file of Blender or another program."""

import contextlib
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ...core.array_types import FloatArray
from ...core.errors import InputError
from ...core.files.camera_file import MAX_FRAMES, camera_from_json, camera_to_text
from ...core.files.fbx import check_fbx
from ...core.known_camera import KnownCamera, blender_lens
from ...core.messages import describe_exception
from ..bundled_addons import enable_addon
from ..character.rig_import import open_blend
from ..context import active_scene, assigned_action, camera_data, expect_type
from ..motion.keyframes import blender_rate
from ..unit_scale import metres_per_unit

_RATES = (24.0, 25.0, 30.0, 24 / 1.001, 30 / 1.001, 48.0, 50.0, 60.0, 60 / 1.001, 15.0, 120.0, 240.0)  # frames a second
_FINE_RATE = 3000  # frames a second, at which times are read
_FITS = {"AUTO": "auto", "HORIZONTAL": "horizontal", "VERTICAL": "vertical"}


def camera_of_object(
    camera_object: bpy.types.Object, scene: bpy.types.Scene, first: int | None = None, last: int | None = None
) -> KnownCamera:
    """A camera object over frames first .. last of its scene, as Blender evaluates it.

    Args:
        first: the scene's first frame by default. last: that of the scene or of the camera's keys, whichever is later.

    Raises:
        InputError: it is no camera with perspective, or its transform is no place and turn.
    """
    if camera_object.type != "CAMERA" or camera_data(camera_object).type != "PERSP":
        raise InputError(
            "camera-object-unfit", '"{name}" is no camera with perspective.', "Choose another camera.", name=camera_object.name
        )
    first = scene.frame_start if first is None else first
    last = int(max(scene.frame_end, _last_key(camera_object), first)) if last is None else last
    frames = range(first, min(last, first + MAX_FRAMES - 1) + 1)
    with _scene_with_camera_alone(camera_object, scene) as alone:
        matrices, lenses = _sample(camera_object, alone, frames)
    focal, center, size = zip(*lenses, strict=True)
    content = {
        "image_size": size[0].tolist(),
        "first_frame": first,
        "axes": "blender",
        "unit": metres_per_unit(camera_object),
        "focal_px": list(focal),
        "center": np.array(center).tolist(),
        "distortion": _distortion(camera_object).tolist(),
        "world_from_camera": matrices.tolist(),
    }
    return camera_from_json(content, camera_object.name)


def _sample(
    camera_object: bpy.types.Object, scene: bpy.types.Scene, frames: range
) -> tuple[FloatArray, list[tuple[float, FloatArray, FloatArray]]]:
    """Matrices (N,4,4), Blender's axes and units, and lenses as of `blender_lens`, in some frames of a scene."""
    render, layer = scene.render, scene.view_layers[0]
    aspect = render.pixel_aspect_y / render.pixel_aspect_x
    matrices: list[FloatArray] = []
    lenses: list[tuple[float, FloatArray, FloatArray]] = []
    for frame in frames:
        scene.frame_set(frame)
        evaluated = camera_object.evaluated_get(expect_type(layer.depsgraph, bpy.types.Depsgraph))
        camera = camera_data(evaluated)
        matrices.append(np.array(evaluated.matrix_world))
        sensor, shift = (camera.sensor_width, camera.sensor_height), (camera.shift_x, camera.shift_y)
        size = (render.resolution_x, render.resolution_y)
        lenses.append(blender_lens(camera.lens, sensor, _FITS[camera.sensor_fit], shift, size, aspect))
    return np.array(matrices), lenses


@contextlib.contextmanager
def _scene_with_camera_alone(camera_object: bpy.types.Object, scene: bpy.types.Scene) -> Generator[bpy.types.Scene, None, None]:
    """A scene of the same timeline and picture with nothing but the camera, and what it hangs on: sampling it takes no time."""
    alone = bpy.data.scenes.new("meshrec camera")
    try:
        for name in (
            "fps",
            "fps_base",
            "frame_map_old",
            "frame_map_new",
            "resolution_x",
            "resolution_y",
            "pixel_aspect_x",
            "pixel_aspect_y",
        ):
            setattr(alone.render, name, getattr(scene.render, name))
        alone.frame_start, alone.frame_end, alone.active_clip = scene.frame_start, scene.frame_end, scene.active_clip
        alone.camera = camera_object
        alone.collection.objects.link(camera_object)
        yield alone
    finally:
        bpy.data.scenes.remove(alone)


def _last_key(camera_object: bpy.types.Object) -> float:
    """The last frame with a key of the camera, its lens or its parents."""
    return max((action.frame_range[1] for action in _actions(camera_object)), default=-np.inf)


def _first_key(camera_object: bpy.types.Object) -> float:
    """The first frame with such a key."""
    return min((action.frame_range[0] for action in _actions(camera_object)), default=np.inf)


def _actions(camera_object: bpy.types.Object) -> list[bpy.types.Action]:
    owners: list[bpy.types.ID] = [camera_data(camera_object)]
    parent: bpy.types.Object | None = camera_object
    while parent is not None:
        owners.append(parent)
        parent = parent.parent
    return [action for owner in owners if (action := assigned_action(owner)) is not None]


def _distortion(camera_object: bpy.types.Object) -> FloatArray:
    """k1, k2 and k3 of the footage behind a camera, if Blender's tracker knows them; else zeros."""
    for background in camera_data(camera_object).background_images:
        tracking = None if background.clip is None or background.source != "MOVIE_CLIP" else background.clip.tracking
        lens = None if tracking is None else tracking.camera
        if lens is not None and lens.distortion_model == "POLYNOMIAL":
            return np.array([lens.k1, lens.k2, lens.k3])
    return np.zeros(3)


# --- files -----------------------------------------------------------------------------------------------------------


def camera_of_file(path: str | Path, name: str = "", first: int | None = None) -> str:
    """The text of the camera file of a camera in a .blend, .fbx, .abc or .usd, which replaces the open file.

    Args:
        name: of the camera object; the scene's camera, or the only one, by default. first: the frame that belongs to the footage's first;
            the scene's first by default, or the first key of an .fbx.

    Raises:
        InputError: the file cannot be read, or has no such camera.
    """
    path = Path(path)
    read = _READERS.get(path.suffix.lower())
    if read is None:
        raise InputError(
            "camera-format-unknown",
            "{name} is no file whose camera can be read.",
            "Give a camera as one of: {known}.",
            name=path.name,
            known=" ".join((*_READERS, ".json")),
        )
    read(path)
    camera_object = _find_camera(path, name)
    scene = next((scene for scene in bpy.data.scenes if scene.objects.get(camera_object.name) == camera_object), active_scene())
    if first is None and path.suffix.lower() in _TIMELESS and np.isfinite(_first_key(camera_object)):
        first = int(np.floor(_first_key(camera_object) + 1e-3))
    last = int(_last_key(camera_object)) if path.suffix.lower() in _TIMELESS and _actions(camera_object) else None
    return camera_to_text(camera_of_object(camera_object, scene, first, None if last is None else max(last, first or 0)))


def _find_camera(path: Path, name: str) -> bpy.types.Object:
    """The camera object of the open file that a user means. Raises InputError."""
    cameras = [obj for obj in bpy.data.objects if obj.type == "CAMERA"]
    known = [obj.name for obj in cameras]
    if not cameras:
        raise InputError("camera-not-in-file", "There is no camera in {name}.", "Choose another file.", name=path.name)
    if name:
        found = next((obj for obj in cameras if name in (obj.name, obj.data.name if obj.data else "")), None)
        if found is None:
            remedy = "Choose one of: {known}."
            raise InputError(
                "camera-name-unknown", "There is no camera {wanted} in {name}.", remedy, wanted=name, name=path.name, known=known
            )
        return found
    scene_camera = active_scene().camera
    if scene_camera is not None and scene_camera in cameras:
        return scene_camera
    if len(cameras) > 1:
        remedy = "Add # and the name of one: {known}."
        raise InputError("camera-ambiguous", "{name} has several cameras.", remedy, name=path.name, known=known)
    return cameras[0]


@contextlib.contextmanager
def _wrap_errors(path: Path) -> Generator[None, None, None]:
    """Report any exception of an importer as an InputError: damaged files make them fail in many ways."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            "camera-scene-unreadable",
            "{name} cannot be read ({what}).",
            "Export it again, or give another file.",
            name=path.name,
            what=describe_exception(error).rstrip(".") or type(error).__name__,
        ) from error


def _empty_file() -> None:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)


def _read_fbx(path: Path) -> None:
    check_fbx(path)
    _empty_file()
    with _wrap_errors(path):
        try:
            enable_addon("io_scene_fbx")
            bpy.ops.import_scene.fbx(filepath=str(path))
        except (RuntimeError, AttributeError):  # AttributeError: a Blender without that add-on
            importer: Any = bpy.ops.wm
            if "fbx_import" not in dir(importer):
                raise
            _empty_file()
            importer.fbx_import(filepath=str(path))


def _read_abc(path: Path) -> None:
    """Import an archive at the frame rate at which it was sampled: it holds times, in seconds, and no rate."""
    _import_abc(path, float(_FINE_RATE))
    scene = active_scene()
    rate = likely_rate(scene.frame_start / _FINE_RATE, scene.frame_end / _FINE_RATE)
    _import_abc(path, rate)


def _import_abc(path: Path, rate: float) -> None:
    _empty_file()
    render = active_scene().render
    render.fps, render.fps_base = blender_rate(rate)
    with _wrap_errors(path):
        bpy.ops.wm.alembic_import(filepath=str(path), set_frame_range=True, as_background_job=False)


def likely_rate(begin: float, end: float) -> float:
    """The frame rate of which two times, s, are whole frames; the film's, if none is usual."""
    for rate in _RATES:
        frames = rate * np.array([begin, end])
        if np.abs(frames - np.round(frames)).max() < rate / _FINE_RATE + 1e-3:
            return rate
    return _RATES[0]


def _read_usd(path: Path) -> None:
    _empty_file()
    with _wrap_errors(path):
        bpy.ops.wm.usd_import(filepath=str(path), import_meshes=False, set_frame_range=True)


_READERS: dict[str, Callable[[Path], None]] = {
    ".blend": open_blend,
    ".fbx": _read_fbx,
    ".abc": _read_abc,
    ".usd": _read_usd,
    ".usdc": _read_usd,
    ".usda": _read_usd,
}
_TIMELESS = (".fbx",)  # formats that do not say where a scene begins
