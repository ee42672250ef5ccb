"""The texture of each person, painted from the footage: a second, short look at some dozens of its frames after the solve.

Detection reads the footage once, when nobody knows yet where the skin is. A texture's frames can only be chosen, and projected, with the
solved mesh; those that were chosen are read again, in one pass that converts no other frame and keeps no whole picture.
"""

import time

import cv2
import numpy as np

from ...core.array_types import BoolArray, FloatArray, IntArray
from ...core.cameras import project, transform_points
from ...core.errors import MeshRecError
from ...core.messages import Message
from ...core.records import Observations, Recovery
from ...core.skeletons import KEYPOINT_SETS
from ..clip import Clip, Person
from ..texture.choose_frames import MAX_FRAMES, choose_frames, frame_quality
from ..texture.filmed_view import Shot
from ..texture.footage_cameras import FootageCamera, cameras_of_clip, read_pictures
from ..texture.keypoint_alignment import Anchors, anchors_of_body
from ..texture.mask_of_person import mask_in_picture, overlap
from ..texture.paint import Painter
from ..texture.surface import Surface, surface_of_body

MAX_CANDIDATES = 240  # frames of one camera among which some are chosen
CHOICE_VERTICES = 400
SURE_SHARE = 0.15  # of the skin, below which a texture is said to be mostly made up
_MASK_BONUS = 1.5  # of frames in which the detector has segmented the person
_POSE_CHUNK = 16  # frames skinned at once


def wants_texture(clip: Clip) -> bool:
    """Whether the people's textures are to be painted."""
    return clip.request.texture


def paint_people(clip: Clip) -> None:
    """Paint everybody's texture; a warning says why somebody has none."""
    surface = surface_of_body(clip.template)
    if surface is None:
        text = "The body {name} has no UV map that is known: no texture is painted. The body that comes with MeshRec has one."
        clip.warnings.append(Message("texture-without-uv-map", text, name=clip.template.name))
        return
    cameras = cameras_of_clip(clip)
    if not cameras:
        clip.warnings.append(Message("texture-without-pictures", "2D keypoints have no pictures: no texture is painted."))
        return
    begun = time.perf_counter()
    painters = {person.number: Painter(surface, int(clip.request.texture_size)) for person in clip.people}
    anchors = anchors_of_body(surface, clip.template.landmarks)
    try:
        for camera in cameras:
            chosen = _chosen_frames(clip, camera, surface, MAX_FRAMES // len(cameras) + (len(cameras) > 1))
            _look_through(clip, camera, painters, anchors, chosen)
    except MeshRecError as error:
        text = "The footage could not be read a second time, for the texture: {reason}"
        clip.warnings.append(Message("texture-footage-gone", text, reason=error.problem))
    for person in clip.people:
        _paint_person(person, painters.pop(person.number), clip, begun)
        begun = time.perf_counter()


def _paint_person(person: Person, painter: Painter, clip: Clip, begun: float) -> None:
    painted = painter.paint()
    if painted is None:
        text = "Person {number} is in no frame that could be read again: no texture is painted."
        clip.warnings.append(Message("texture-of-nobody", text, number=person.number))
        return
    if painted.share < SURE_SHARE:
        text = "Only {share:.0f} % of person {number} was seen well enough for the texture; the rest is made up from it."
        clip.warnings.append(Message("texture-mostly-unseen", text, share=100 * painted.share, number=person.number))
    is_encoded, content = cv2.imencode(".png", cv2.cvtColor(painted.texture, cv2.COLOR_RGB2BGR))
    if is_encoded:
        person.texture = np.asarray(content, np.uint8).ravel()
    person.refined["texture"] = {
        "size": len(painted.texture),
        "frames": painted.views,
        "seen_share": round(painted.share, 4),
        "seconds": round(time.perf_counter() - begun, 3),
    }


def _chosen_frames(clip: Clip, camera: FootageCamera, surface: Surface, count: int) -> list[set[int]]:
    """Up to `count` rows of the clip for each person, which show them best in one camera's footage."""
    return [set(_chosen_rows(clip, index, camera, surface, count)) for index in range(len(clip.people))]


def _look_through(clip: Clip, camera: FootageCamera, painters: dict[int, Painter], anchors: Anchors, chosen: list[set[int]]) -> None:
    """Look at the chosen rows of each person in one camera's footage, in one pass."""
    rows = sorted({row for own in chosen for row in own})
    if not rows:
        return
    clip_rows = {int(camera.rows[row]): row for row in rows}
    for done, (footage_row, image) in enumerate(read_pictures(camera, list(clip_rows), clip.request)):
        row = clip_rows[footage_row]
        placed = [_placed(clip, index, camera, row, anchors) for index in range(len(clip.people))]
        for index, person in enumerate(clip.people):
            if row not in chosen[index]:
                continue
            others = [other for number, other in enumerate(placed) if number != index and clip.people[number].recovery.visible[row]]
            mask = _mask(camera, index, footage_row, row, image.shape[:2])
            hidden = _boxes(camera.others, footage_row)
            painters[person.number].add(Shot(image, camera.lens(row), placed[index], tuple(others), mask, hidden))
        clip.stages.count(done + 1, len(rows))


def _placed(clip: Clip, index: int, camera: FootageCamera, row: int, anchors: Anchors) -> FloatArray:
    """A person's vertices (V,3) m in a row of the clip, in the camera's axes, moved to where the face's keypoints are."""
    vertices = _vertices(clip, clip.people[index], camera, np.array([row]))[0]
    vertices[:, :2] += anchors.shifts(vertices, _rays(camera, index, int(camera.rows[row])))
    return vertices


def _rays(camera: FootageCamera, index: int, footage_row: int) -> dict[str, FloatArray]:
    """The keypoints of a person in a row of the footage by name, (3,): x/z, y/z and the confidence."""
    for seen in camera.seen[index]:
        if seen.visible[footage_row]:
            keypoints = seen.keypoints[footage_row].astype(float)
            keypoints[:, :2] = (keypoints[:, :2] - camera.ideal[:2, 2]) / camera.ideal[[0, 1], [0, 1]]
            return dict(zip(KEYPOINT_SETS[seen.keypoint_set].points, keypoints, strict=True))
    return {}


def _chosen_rows(clip: Clip, index: int, camera: FootageCamera, surface: Surface, count: int) -> list[int]:
    """The rows of the clip that show a person best in a camera's footage."""
    person = clip.people[index]
    trust = _trust(camera, index, person.recovery)
    rows = np.flatnonzero(trust > 0)
    if not len(rows):
        return []
    has_mask = np.isin(rows, _rows_with_mask(camera, index))
    rows = np.unique(np.concatenate([rows[has_mask], rows[_even_steps(len(rows), MAX_CANDIDATES)]]))
    points, normals = _points_of_frames(clip, person, camera, surface, rows)
    pixels = np.nan_to_num(project(points, camera.ideal), nan=-1.0)
    inside = np.asarray((pixels > 0).all(-1) & (pixels < camera.size).all(-1), bool)
    bonus = np.where(np.isin(rows, _rows_with_mask(camera, index)), _MASK_BONUS, 1.0)
    speed = _speed(person.recovery, rows)
    quality = frame_quality(points, normals, camera.intrinsics[rows, 0, 0], speed[:, None], trust[rows] * bonus, inside)
    return rows[choose_frames(quality, rows, count)].tolist()


def _points_of_frames(clip: Clip, person: Person, camera: FootageCamera, surface: Surface, rows: IntArray) -> tuple[FloatArray, FloatArray]:
    """Some points of the skin in the rows of a clip, (R,N,3) m in the camera's axes, and their normals."""
    some = _even_steps(len(surface.vertices), CHOICE_VERTICES)
    points, normals = np.zeros((2, len(rows), len(some), 3))
    for start in range(0, len(rows), _POSE_CHUNK):
        for number, vertices in enumerate(_vertices(clip, person, camera, rows[start : start + _POSE_CHUNK]), start):
            points[number], normals[number] = vertices[some], surface.normals(vertices)[some]
    return points, normals


def _even_steps(length: int, count: int) -> IntArray:
    """At most `count` indices below a length, evenly spread."""
    return np.unique(np.linspace(0, length - 1, min(length, count)).round().astype(int))


def _trust(camera: FootageCamera, index: int, recovery: Recovery) -> FloatArray:
    """How sure (F,) 0..1 it is that rows of the clip show a person, alone; 0 where they do not."""
    trust = np.zeros(len(recovery))
    for seen in camera.seen[index]:
        known = (camera.rows >= 0) & recovery.visible
        rows = np.flatnonzero(known)[seen.visible[camera.rows[known]]]
        own = seen.boxes[camera.rows[rows]].astype(float)
        alone = np.ones(len(rows))
        for other in camera.others:
            alone *= 1 - overlap(own, other.boxes[camera.rows[rows]].astype(float))
        trust[rows] = np.maximum(trust[rows], recovery.confidence[rows].mean(1) * alone)
    return trust


def _speed(recovery: Recovery, rows: IntArray) -> FloatArray:
    """How far (R,) m joints move between two frames, the mean of their fastest half."""
    joints = recovery.joints.astype(float)
    moved = np.linalg.norm(np.gradient(joints, axis=0) if len(joints) > 1 else np.zeros_like(joints), axis=-1)
    return np.sort(moved, axis=1)[rows, moved.shape[1] // 2 :].mean(1)


def _vertices(clip: Clip, person: Person, camera: FootageCamera, rows: IntArray) -> FloatArray:
    """The posed vertices (R,V,3) m of rows, in the camera's axes."""
    recovery = person.recovery
    poses = recovery.poses[rows]
    _joints, vertices = clip.body(recovery.betas, poses[:, :3], poses[:, 3:], recovery.trans[rows])
    return transform_points(camera.camera_from_world[rows], vertices.detach().cpu().numpy().astype(float))


def _rows_with_mask(camera: FootageCamera, index: int) -> IntArray:
    """The rows of the clip in which a person was segmented."""
    masked = [seen.silhouettes.rows for seen in camera.seen[index] if seen.silhouettes is not None]
    return np.flatnonzero(np.isin(camera.rows, np.concatenate(masked))) if masked else np.zeros(0, np.int64)


def _mask(camera: FootageCamera, index: int, footage_row: int, row: int, shape: tuple[int, ...]) -> BoolArray | None:
    """Where a person was seen in a row, if they were segmented in it."""
    for seen in camera.seen[index]:
        mask = mask_in_picture(seen.silhouettes, footage_row, shape, camera.lens(row), camera.ideal)
        if mask is not None:
            return mask
    return None


def _boxes(others: tuple[Observations, ...], footage_row: int) -> FloatArray:
    """The boxes (B,4) px of people who are not reconstructed."""
    found = [other.boxes[footage_row] for other in others if other.visible[footage_row]]
    return np.array(found, float).reshape(-1, 4)
