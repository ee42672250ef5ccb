"""The pass that paints people: frames chosen from the footage and read again, by every camera; sentences where nothing can be painted."""

from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from blender_meshrec.backend.footage.looked_at import LookedAt
from blender_meshrec.backend.footage.video import open_footage
from blender_meshrec.backend.passes import texture
from blender_meshrec.backend.texture.footage_cameras import cameras_of_clip, read_pictures
from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.bridge.messages import ReconstructRequest, Result
from blender_meshrec.bridge.wire import WireError, read_message, write_message
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.records import FootageInfo, Observations, Recovery
from blender_meshrec.core.rotations import rotmat_from_rotvec, rotvec_from_rotmat
from blender_meshrec.core.skeletons import COCO17
from tests.support.synthetic_bodies import make_tube_body

FRAMES, SIZE = 8, (120, 160)
K = np.array([[150.0, 0, 60], [0, 150.0, 80], [0, 0, 1]])
SKIN, BACKGROUND = (200, 60, 40), (40, 120, 60)


@pytest.fixture(scope="module")
def body():
    return make_body(load_body("open"))


@pytest.fixture
def clip(body, tmp_path):
    """Somebody in one colour who turns around before a still camera, in a folder of pictures."""
    upright = rotmat_from_rotvec(np.array([np.pi / 2, 0, 0]))
    turns = np.stack([rotmat_from_rotvec(np.array([0, 0, 2 * np.pi * k / FRAMES])) for k in range(FRAMES)])
    poses = np.zeros((FRAMES, 72), np.float32)
    poses[:, :3] = rotvec_from_rotmat(turns @ upright)
    camera_from_world = np.tile(np.array([[1.0, 0, 0, 0], [0, 0, -1, 0.0], [0, 1, 0, 2.6], [0, 0, 0, 1]]), (FRAMES, 1, 1))
    joints, vertices = body(np.zeros(10), poses[:, :3], poses[:, 3:], np.zeros((FRAMES, 3)))
    seen = vertices.numpy() @ camera_from_world[0, :3, :3].T + camera_from_world[0, :3, 3]
    pixels = seen[..., :2] / seen[..., 2:] * 150 + [60, 80]
    for row in range(FRAMES):
        picture = np.full((SIZE[1], SIZE[0], 3), BACKGROUND, np.uint8)
        for triangle in body.faces:
            cv2.fillConvexPoly(picture, (pixels[row, triangle] - 0.5).round().astype(np.int32), SKIN)
        cv2.imwrite(str(tmp_path / f"{row:03d}.png"), picture[..., ::-1])
    boxes = np.concatenate([pixels.min(1), pixels.max(1)], 1)
    observed = Observations("coco17", boxes, np.ones((FRAMES, 17, 3)), np.ones(FRAMES, bool))
    times = np.arange(FRAMES) / 30
    recovery = Recovery(
        poses, np.zeros((FRAMES, 3)), np.zeros(10), "open", 30.0, times, np.ones(FRAMES, bool), joints.numpy(), np.ones((FRAMES, 24)),
        np.zeros((FRAMES, 17, 3)), np.zeros((FRAMES, 4)), K, camera_from_world, np.array(SIZE),
    )  # fmt: skip
    person = SimpleNamespace(number=1, place=0, recovery=recovery, observations=observed, refined={}, texture=None)
    return SimpleNamespace(
        request=ReconstructRequest(str(tmp_path), texture=True, texture_size="512"), people=[person], joined=None, zoom=None, parts=(),
        distortion=np.zeros(3), intrinsics=K, frames=FootageInfo(str(tmp_path), times, 30.0, SIZE),
        looked_at=LookedAt(np.arange(len(times)), times),
        warnings=[],
        tracked_people=(observed,), body=body, template=body.template, stages=SimpleNamespace(count=lambda done, total: None),
    )  # fmt: skip


def painted(person):
    return cv2.imdecode(person.texture, cv2.IMREAD_COLOR)[..., ::-1].astype(int)


def test_people_are_painted_from_the_frames_of_their_footage(clip):
    texture.paint_people(clip)
    (person,) = clip.people
    report = person.refined["texture"]
    assert clip.warnings == [] and report["size"] == 512 and 4 <= report["frames"] <= FRAMES and report["seen_share"] > 0.4
    picture = painted(person)
    assert picture.shape == (512, 512, 3) and np.abs(picture - SKIN).mean() < 8


def test_the_mesh_is_moved_to_the_keypoints_before_it_is_painted(clip, body, monkeypatch):
    """The solve has put the person 6 cm too high; the detector sees where nose, eyes and ears are."""
    (person,) = clip.people
    keypoints = np.zeros((FRAMES, 17, 3), np.float32)
    placed = [texture._vertices(clip, person, cameras_of_clip(clip)[0], np.array([row]))[0] for row in range(FRAMES)]
    for number, name in enumerate(COCO17[:5]):
        points = np.stack([vertices[body.template.landmarks[name]] for vertices in placed])
        keypoints[:, number] = np.concatenate([points[:, :2] / points[:, 2:] * 150 + [60, 80], np.ones((FRAMES, 1))], 1)
    person.observations = replace(person.observations, keypoints=keypoints)
    person.recovery = replace(person.recovery, trans=np.tile([0, 0, 0.06], (FRAMES, 1)))
    shots = []
    monkeypatch.setattr(texture.Painter, "add", lambda self, shot: shots.append(shot))
    texture.paint_people(clip)
    nose, heel = (body.template.landmarks[name] for name in ("nose", "left_heel"))
    off = {k: [np.linalg.norm(shot.vertices[k] - np.stack(placed)[:, k], axis=1).min() for shot in shots] for k in (nose, heel)}  # m
    assert len(shots) >= 4 and max(off[nose]) < 0.01 and min(off[heel]) > 0.05


def test_another_body_has_no_map_and_2d_keypoints_have_no_pictures(clip, tmp_path):
    tubes = make_tube_body()
    clip.template = tubes
    texture.paint_people(clip)
    assert [warning.name for warning in clip.warnings] == ["texture-without-uv-map"] and clip.people[0].texture is None
    clip.template, clip.warnings = clip.body.template, []
    keypoints = tmp_path / "a.npz"
    np.savez(keypoints, keypoints=np.zeros((1, 17, 3)))
    clip.frames = FootageInfo(str(keypoints), clip.frames.timestamps, 30.0, SIZE)
    texture.paint_people(clip)
    assert [warning.name for warning in clip.warnings] == ["texture-without-pictures"] and clip.people[0].texture is None


def test_footage_that_is_gone_is_a_warning(clip, tmp_path):
    for file in tmp_path.iterdir():
        file.unlink()
    texture.paint_people(clip)
    assert [warning.name for warning in clip.warnings] == ["texture-footage-gone", "texture-of-nobody"]


def test_only_wanted_pictures_are_converted(clip, monkeypatch):
    (camera,) = cameras_of_clip(clip)
    found = dict(read_pictures(camera, [2, 5], clip.request))
    assert sorted(found) == [2, 5] and found[2].shape == (160, 120, 3)
    footage = open_footage(clip.request.source)
    footage.convert_only([3])
    assert [frame.row for frame in footage.read() if frame.image is not None] == [3]


def test_cameras_of_several_views_show_the_rows_at_their_times(clip):
    own = clip.people[0]
    late = SimpleNamespace(
        frames=FootageInfo(clip.request.source, clip.frames.timestamps, 30.0, SIZE), looked_at=clip.looked_at,
        people=(own.observations,), intrinsics=K, delay=2 / 30,
        persons=[(0,)], calibrated=None, view_from_first=np.eye(4),
    )  # fmt: skip
    first = SimpleNamespace(**{**vars(late), "delay": 0.0})
    clip.joined = SimpleNamespace(views=[first, late])
    clip.require_views = lambda: clip.joined
    cameras = cameras_of_clip(clip)
    assert cameras[0].rows.tolist() == list(range(FRAMES)) and cameras[1].rows.tolist() == [2, 3, 4, 5, 6, 7, -1, -1]
    clip.people[0].recovery = own.recovery
    with torch.inference_mode():
        texture.paint_people(clip)
    assert clip.people[0].texture is not None and clip.warnings == []


def test_textures_travel_as_files(tmp_path):
    content = np.arange(5, dtype=np.uint8)
    with (tmp_path / "a").open("w+b") as stream:
        write_message(stream, Result((), (), textures=(content, None)))
        stream.seek(0)
        found = read_message(stream).textures
        assert (found[0] == content).all() and found[1] is None
        stream.seek(0)
        write_message(stream, Result((), (), textures=(content[None],)))
        stream.seek(0)
        with pytest.raises(WireError):
            read_message(stream)
