"""A camera that is known: people come out where they stood in its world, as tall as they are, frame for frame."""

import json
from dataclasses import replace

import numpy as np
import pytest

from blender_meshrec.backend.camera.through_lens import through_ideal_lens
from blender_meshrec.backend.fitting.lean import lean_of_person, straightening_turns
from blender_meshrec.backend.fitting.stature import stature
from blender_meshrec.backend.known_camera import (
    camera_of_frames,
    choose_view,
    level_view,
    read_known_camera,
    size_on_floor,
)
from blender_meshrec.backend.pipeline import recover
from blender_meshrec.bridge.messages import ReconstructRequest
from blender_meshrec.core.cameras import invert_rigid_transform
from blender_meshrec.core.errors import InputError
from blender_meshrec.core.files.camera_file import camera_to_text
from blender_meshrec.core.known_camera import KnownCamera
from blender_meshrec.core.lens_distortion import distort_pixels
from blender_meshrec.core.records import FootageInfo, Observations
from blender_meshrec.core.rotations import rotmat_from_rotvec
from blender_meshrec.core.silhouettes import MASK_SIZE, Silhouettes
from blender_meshrec.core.skeletons import H36M17, SMPL_JOINTS
from tests.support import synthetic_gait

FRAMES = 50
ANKLES = [SMPL_JOINTS.index("left_ankle"), SMPL_JOINTS.index("right_ankle")]


@pytest.fixture(scope="module")
def filmed(body):
    """Exact 2D joints of somebody tall, in each of the evaluation's cameras: {name: Filmed}, of the motion's first frames."""
    from scripts.evaluate.known_camera import Filmed, cameras, perform

    betas, joints, points, vertices, contacts = perform(body, 3)
    part = slice(0, FRAMES)
    return {
        name: Filmed(name, betas, joints[part], points[part], vertices[:1], np.zeros(3), contacts[part], camera.at(np.arange(FRAMES)))
        for name, camera in cameras(len(joints)).items()
    }


def write(folder, filmed):
    from scripts.evaluate.known_camera import SIZE, exact_keypoints

    path = folder / f"{filmed.name}.npz"
    np.savez(path, keypoints=exact_keypoints(filmed), keypoint_set="h36m17", image_size=SIZE, fps=25.0)
    (folder / f"{filmed.name}.json").write_text(camera_to_text(filmed.camera))
    return path


@pytest.mark.parametrize("name", ["still", "carried", "distorted", "zoom"])
def test_people_stand_where_they_stood(name, filmed, template, tmp_path):
    """Feet within 2 cm of their place on the floor, and the stature within 2 %."""
    truth = filmed[name]
    path = write(tmp_path, truth)
    result = recover(ReconstructRequest(str(path), camera=str(path.with_suffix(".json"))))
    (recovery,) = result.recoveries
    off = np.linalg.norm((recovery.joints - truth.joints[:, :24])[:, ANKLES, :2], axis=-1)
    assert np.median(off) < 0.02  # m
    assert stature(template, recovery.betas) == pytest.approx(stature(template, truth.betas), rel=0.02)
    np.testing.assert_allclose(recovery.camera_from_world, invert_rigid_transform(truth.camera.world_from_camera), atol=1e-6)
    report = json.loads(json.dumps(result.report))
    assert report["lens"]["source"] == "given" and report["camera"]["kind"] == {"carried": "moving"}.get(name, "still")
    assert report["camera"]["sentences"] == [f"The camera is the given one, {name}."]
    if name == "distorted":
        assert report["camera"]["distortion"] == {"k1": -0.25, "k2": 0.06, "k3": 0.0, "source": "given"}
        np.testing.assert_allclose(recovery.camera_distortion, [-0.25, 0.06, 0])
    else:
        assert report["camera"]["distortion"] is None and recovery.camera_distortion is None
    if name == "zoom":
        focal = recovery.camera_intrinsics[0, 0] * recovery.camera_zoom
        np.testing.assert_allclose(focal, truth.camera.focal, rtol=1e-6)
    else:
        assert recovery.camera_zoom is None


def test_frames_of_the_scene_and_a_floor_above_zero(filmed, tmp_path):
    """Footage that begins at frame 1011 of a scene of frames 1001 on, of which a part is taken; people stand on a stage 0.4 m high."""
    truth = filmed["carried"]
    lifted = truth.camera.world_from_camera.copy()
    lifted[:, 2, 3] += 0.4
    scene = replace(truth.camera, world_from_camera=lifted, first_frame=1001).at(np.maximum(np.arange(-10, FRAMES), 0))
    path = write(tmp_path, truth)
    given = {"camera": "shot", "camera_text": camera_to_text(scene), "camera_frame": 1011, "floor": "0.4"}
    (recovery,) = recover(ReconstructRequest(str(path), frames=(5, 45), **given)).recoveries
    assert recovery.scene_frame == 1016 and len(recovery) == 40
    np.testing.assert_allclose(recovery.camera_from_world, invert_rigid_transform(lifted[5:45]), atol=1e-6)
    off = (recovery.joints - truth.joints[5:45, :24] - [0, 0, 0.4])[:, ANKLES]
    assert np.abs(np.median(off, axis=(0, 1))).max() < 0.02  # m


def test_a_floor_that_is_to_be_found_leaves_sizes_open(filmed, template, tmp_path):
    """Somebody tall is taken to be of usual size, and so nearer and on a higher floor; with the height given the floor is found."""
    truth, camera_height, ankle = filmed["still"], 1.5, 0.08  # m
    path = write(tmp_path, truth)
    given, height = {"camera": str(path.with_suffix(".json")), "floor": "auto"}, stature(template, truth.betas)
    (found,) = recover(ReconstructRequest(str(path), **given)).recoveries
    (known,) = recover(ReconstructRequest(str(path), height=100 * height, **given)).recoveries
    floors = [float(np.median(recovery.joints[:, ANKLES, 2])) - ankle for recovery in (found, known)]
    assert camera_height / (camera_height - floors[0]) == pytest.approx(height / stature(template, found.betas), abs=0.03)
    assert floors[0] > 0.08 and abs(floors[1]) < 0.04


# --- the camera of a request -------------------------------------------------------------------------------------------


def some_camera(frames=20, **changes):
    path = np.tile(np.eye(4), (frames, 1, 1))
    path[:, 0, 3] = np.arange(frames)
    camera = KnownCamera(path, np.full(frames, 900.0), np.tile([640.0, 360.0], (frames, 1)), np.array([1280, 720]), np.zeros(3), 101)
    return replace(camera, **changes)


def footage(frames, first=0, size=(1280, 720)):
    return FootageInfo("a.mp4", np.arange(frames) / 25, 25.0, size, first)


@pytest.mark.parametrize(
    ("options", "frames", "first", "step", "places", "key"),
    [
        ({}, 20, 0, 1, range(20), 101),
        ({"camera_frame": 106}, 10, 2, 1, range(7, 17), 108),
        ({}, 10, 0, 2, range(0, 20, 2), 101),
    ],
)
def test_each_frame_of_the_footage_has_its_frame_of_the_scene(options, frames, first, step, places, key):
    filming = camera_of_frames(some_camera(), ReconstructRequest("a.mp4", **options), footage(frames, first), step * np.arange(frames))
    assert filming.camera.world_from_camera[:, 0, 3].tolist() == list(places)
    assert filming.first_key == key and not filming.warnings


def test_a_camera_that_is_a_little_short_is_held_and_one_that_is_shorter_refused():
    filming = camera_of_frames(some_camera(), ReconstructRequest("a.mp4"), footage(21), np.arange(21))
    assert filming.camera.world_from_camera[-1, 0, 3] == 19 and "101 to 120" in filming.warnings[0] and "101 to 121" in filming.warnings[0]
    with pytest.raises(InputError, match="from frame 101 to 120"):
        camera_of_frames(some_camera(), ReconstructRequest("a.mp4"), footage(30), np.arange(30))
    assert not camera_of_frames(some_camera(1), ReconstructRequest("a.mp4"), footage(500), np.arange(500)).warnings  # it stands still


def test_another_picture_and_another_lens():
    filming = camera_of_frames(some_camera(), ReconstructRequest("a.mp4"), footage(20, size=(640, 480)), np.arange(20))
    assert filming.camera.focal[0] == 450 and filming.camera.center[0].tolist() == [320, 240]
    assert "other proportions" in filming.warnings[0]
    filming = camera_of_frames(some_camera(), ReconstructRequest("a.mp4", focal="1000px"), footage(20), np.arange(20))
    assert (filming.camera.focal == 1000).all()


@pytest.mark.parametrize("options", [{"camera": "a.blend"}, {"camera": "missing.json"}, {"floor": "low"}, {"camera_text": "{"}])
def test_a_request_that_cannot_be_understood_is_refused(options):
    if "floor" in options:
        options = {**options, "camera_text": camera_to_text(some_camera())}
    with pytest.raises(InputError):
        read_known_camera(ReconstructRequest("a.mp4", **options))
    assert read_known_camera(ReconstructRequest("a.mp4")) is None


# --- parts ------------------------------------------------------------------------------------------------------------


def test_the_view_is_level_and_people_are_near_its_middle():
    pan = (
        rotmat_from_rotvec(np.linspace(-1, 1, 30)[:, None] * [0, 0, 1])
        @ synthetic_gait.make_view(pitch=0.4, roll=0.1).camera_from_world[:3, :3].T
    )
    sight = np.array([[np.sin(a), np.cos(a), -0.2] for a in np.linspace(0.3, 1.3, 20)])
    view, angle = choose_view(pan, sight / np.linalg.norm(sight, axis=1, keepdims=True))
    np.testing.assert_allclose(view[2], [0, -1, 0], atol=1e-9)  # its y axis points down
    np.testing.assert_allclose(np.linalg.det(view), 1)
    assert 0.5 < angle < 0.65
    steep = rotmat_from_rotvec([-3.0, 0, 0])
    np.testing.assert_allclose(level_view(steep), steep)


def test_the_floor_tells_the_size():
    """Somebody seen from 1.5 m above the floor, whose soles come out 0.1 m above it, is larger by 15 / 14."""
    soles, camera = np.zeros((10, 4, 3)), np.tile([0, -4, 1.5], (10, 1))
    soles[..., 2] = 0.1
    assert size_on_floor(soles, camera, np.ones((10, 4), bool), np.arange(10) / 25) == pytest.approx(1.5 / 1.4)
    assert size_on_floor(soles, camera, np.zeros((10, 4), bool), np.arange(10) / 25) == 1  # in the air
    assert size_on_floor(soles, camera * [1, 1, 0.1], np.ones((10, 4), bool), np.arange(10) / 25) == 1  # from the ground nothing shows


def test_somebody_who_leans_from_the_camera_is_straightened():
    walker = synthetic_gait.stand(np.arange(60) / 30)
    camera, seen = np.tile([0, -5, 1.3], (60, 1)), np.ones(60, bool)
    lean = rotmat_from_rotvec([-np.radians(5.0), 0, 0])  # away from a camera that looks along +y
    arguments = walker.points, np.ones((60, 4), bool), camera, walker.times, seen
    leaning = lean_of_person(walker.h36m17 @ lean.T, *arguments)
    upright = lean_of_person(walker.h36m17, *arguments)
    assert np.degrees(leaning.angles[0] - upright.angles[0]) == pytest.approx(5, abs=0.8)
    joints = (walker.h36m17 - walker.h36m17[:, :1]) @ lean.T
    straight = joints @ np.swapaxes(straightening_turns(leaning, walker.h36m17[:, 0] - camera), -1, -2)
    head = H36M17.index("head_top")
    truth = (walker.h36m17 - walker.h36m17[:, :1])[:, head, 1]
    assert np.abs(straight[:, head, 1] - truth).mean() < 0.25 * np.abs(joints[:, head, 1] - truth).mean()
    lying = walker.h36m17 * [1, 1, 0.2]
    assert not lean_of_person(lying, *arguments).angles.any()


def test_observations_are_seen_through_an_ideal_lens():
    """Keypoints, boxes and silhouettes of a lens that distorts and zooms, where a straight one without a zoom has them."""
    ideal = np.array([[900.0, 0, 640], [0, 900, 360], [0, 0, 1]])
    lenses = np.stack([ideal, ideal * [[1.3, 1, 1], [1, 1.3, 1], [1, 1, 1]]])
    straight = np.random.default_rng(0).uniform((300, 150), (900, 560), (17, 2))
    rays = (straight - ideal[:2, 2]) / 900
    pixels = [distort_pixels(rays * lens[0, 0] + lens[:2, 2], lens, (-0.2, 0.05, 0)) for lens in lenses]
    keypoints = np.concatenate([np.array(pixels), np.ones((2, 17, 1))], -1)
    keypoints[0, 0, :2] = [-200, 300]  # extrapolated
    boxes = np.concatenate([keypoints[:, 1:, :2].min(1), keypoints[:, 1:, :2].max(1)], -1)
    masks = Silhouettes(np.array([1]), np.array([[*(boxes[1, :2] + boxes[1, 2:]) / 2, 300]]), np.ones((1, MASK_SIZE, MASK_SIZE)))
    seen = Observations("h36m17", boxes, keypoints, np.ones(2, bool), silhouettes=masks)
    found = through_ideal_lens(seen, lenses, np.array([-0.2, 0.05, 0]), ideal, (1280, 720))
    np.testing.assert_allclose(found.keypoints[:, 1:, :2], np.stack([straight, straight])[:, 1:], atol=0.02)  # px
    assert found.keypoints[0, 0, 2] == 0 and found.keypoints[1, 0, 2] == 1
    assert (found.boxes[:, :2] <= straight[1:].min(0) + 25).all() and (found.boxes[:, 2:] >= straight[1:].max(0) - 25).all()
    assert found.silhouettes.squares[0, 2] == pytest.approx(300 / 1.3, rel=0.1)
