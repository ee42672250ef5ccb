"""A camera that walks along is taken out: people move in the world as a camera that stands sees them move."""

from dataclasses import make_dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest

from blender_meshrec.backend import moving_camera
from blender_meshrec.backend.camera.path_scale import PathScale
from blender_meshrec.backend.camera.seen_depths import SeenDepths
from blender_meshrec.backend.camera.solve_camera import Shot, solve_camera
from blender_meshrec.backend.known_people import KnownPerson
from blender_meshrec.backend.passes import camera as camera_pass
from blender_meshrec.backend.pipeline import recover
from blender_meshrec.backend.quality import judge_people
from blender_meshrec.bridge.messages import ReconstructRequest
from blender_meshrec.core.cameras import invert_rigid_transform, project, rigid_transform, transform_points
from blender_meshrec.core.rotations import rotmat_from_rotvec
from blender_meshrec.core.verdict import Measure
from tests.support import synthetic_gait

FRAMES = 60
TIMES = np.arange(FRAMES) / 30
VIEW = synthetic_gait.make_view(distance=5, pitch=0.1)
UNIT = 4.0  # m


def test_the_camera_of_each_frame_is_where_the_path_says():
    turn = rotmat_from_rotvec(np.column_stack([np.zeros(3), [0, 0.1, 0.2], np.zeros(3)]))
    path = np.array([[0, 0, 0], [0.1, 0, 0], [0.2, 0, 0.1]])
    clip = SimpleNamespace(
        frames=TIMES[:3], world_from_camera=invert_rigid_transform(VIEW.camera_from_world), places=UNIT * path, camera_from_view=turn
    )
    places = moving_camera.camera_path_in_world(clip)
    assert transform_points(moving_camera.camera_from_world(clip), places[:, None]) == pytest.approx(0, abs=1e-9)
    assert places[0] == pytest.approx(clip.world_from_camera[:3, 3]) and np.linalg.norm(places[1] - places[0]) == pytest.approx(0.4)


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    """Somebody who walks, filmed by a camera that stands, and by one that walks along and turns; its places in units of UNIT."""
    folder = tmp_path_factory.mktemp("keypoints")
    truth = synthetic_gait.walk(TIMES, turn=0.8)
    path = np.column_stack([np.linspace(0, 0.3, FRAMES), 0.01 * np.sin(9 * TIMES), np.linspace(0, -0.1, FRAMES)])
    turns = rotmat_from_rotvec(np.column_stack([0 * TIMES, 0.1 * np.sin(2 * TIMES), 0 * TIMES]))
    moving = rigid_transform(turns, np.zeros(3)) @ rigid_transform(np.eye(3), -UNIT * path) @ VIEW.camera_from_world
    for name, camera in (("still", VIEW.camera_from_world), ("moving", moving)):
        in_camera = transform_points(camera, truth.h36m17)
        keypoints = np.concatenate([project(in_camera, VIEW.intrinsics), np.ones((*in_camera.shape[:2], 1))], -1)
        np.savez(folder / f"{name}.npz", keypoints=keypoints, keypoint_set="h36m17", image_size=VIEW.size, fps=30.0)
    return folder, path, turns


def reconstruct(walk, name, monkeypatch, **changes):
    folder, path, turns = walk
    unknown = solve_camera(None, VIEW.size, 1000.0, FRAMES)
    shot = Shot(0, FRAMES, "moving", 1.0, explained=0.95, uncertainty=0.02)
    camera = replace(unknown, kind="moving", camera_from_first=turns, centres=path, shots=(shot,))
    if name == "moving":
        monkeypatch.setattr(camera_pass, "solve_camera", lambda *_arguments: replace(camera, **changes))
    return recover(ReconstructRequest(str(folder / f"{name}.npz"), focal=f"{VIEW.intrinsics[0, 0]}px"))


def test_somebody_filmed_in_passing_moves_as_a_still_camera_sees_them(walk, monkeypatch):
    still, moving = (reconstruct(walk, name, monkeypatch) for name in ("still", "moving"))
    found, true = moving.recoveries[0], still.recoveries[0]
    assert np.linalg.norm(found.joints - true.joints, axis=-1).mean() < 0.1  # m, of a walk of 2 m and a camera's way of 1.3 m
    centres = -np.einsum("fji,fj->fi", found.camera_from_world[:, :3, :3], found.camera_from_world[:, :3, 3])
    length = np.linalg.norm(centres[-1] - centres[0])
    assert length == pytest.approx(UNIT * np.linalg.norm(walk[1][-1]), rel=0.1)
    report = moving.report["camera"]
    assert report["taken_out"] and report["path"]["length_is_told_by_feet"]
    assert any(sentence.startswith("Its path of 1.") and "taken out" in sentence for sentence in report["sentences"])
    assert still.report["camera"]["path"] is None


def test_contacts_are_those_that_a_still_camera_shows(walk, monkeypatch):
    still, moving = (reconstruct(walk, name, monkeypatch).recoveries[0].contacts > 0.5 for name in ("still", "moving"))
    assert still.mean() > 0.3 and (still != moving).mean() < 0.12
    monkeypatch.setattr("blender_meshrec.backend.still_contacts.contacts_of_joints", lambda rays, *_others: np.full((len(rays), 4), 0.1))
    assert not (reconstruct(walk, "moving", monkeypatch).recoveries[0].contacts > 0.5).any()


def test_a_path_that_ends_at_a_cut_is_taken_out_of_its_shot(walk, monkeypatch):
    shots = (Shot(0, 30, "moving", 1.0, explained=0.9, uncertainty=0.02), Shot(30, FRAMES, "still", 1.0))
    report = reconstruct(walk, "moving", monkeypatch, shots=shots).report["camera"]
    moving, still = report["shots"]
    assert moving["taken_out"] and moving["path"]["length_m"] > 0
    assert not still["taken_out"] and still["path"] is None


def test_the_scale_that_no_foot_tells_is_said():
    clip = SimpleNamespace(camera_centres=np.zeros((3, 3)), people=[], motion_times=TIMES[:3], warnings=[])
    told, guessed = PathScale(2.0, 0.1, 3.0), PathScale(2.0, 0.7, 0.0)
    for scale, warnings in ((told, 0), (guessed, 1)):
        clip.warnings.clear()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(moving_camera, "scale_from_feet", lambda *_arguments, scale=scale: scale)
            moving_camera.scale_camera_path(clip)
        moving_camera.say_unsure_length(clip)
        assert clip.path_scale is scale and len(clip.warnings) == warnings


def points_of_floor(path, turns, height):
    """Points of a level floor `height` m below the first camera, as each frame sees them."""
    ahead = np.arange(3.0, 9.0, 0.6)
    floor = np.array([[x, z] for x in np.arange(-3.0, 3.1, 0.75) for z in ahead])
    level_from_view = rotmat_from_rotvec([-0.1, 0.0, 0.0])  # VIEW looks down by 0.1
    places = np.column_stack([floor[:, 0], np.full(len(floor), height), floor[:, 1]]) @ level_from_view / UNIT
    frames, points = (index.ravel() for index in np.meshgrid(np.arange(FRAMES), np.arange(len(places)), indexing="ij"))
    seen = np.einsum("nij,nj->ni", turns[frames], places[points] - path[frames])
    return SeenDepths(frames, points, VIEW.intrinsics[0, 0] * seen[:, :2] / seen[:, 2:], seen[:, 2])


def test_the_floor_along_the_path_levels_the_world_and_scales_the_path(walk, monkeypatch):
    height = invert_rigid_transform(VIEW.camera_from_world)[2, 3]
    seen = points_of_floor(walk[1], walk[2], height)
    shot = Shot(0, FRAMES, "moving", 1.0, explained=0.95, uncertainty=0.02, points=seen)
    result = reconstruct(walk, "moving", monkeypatch, shots=(shot,))
    report, gravity = result.report["camera"]["path"], result.report["gravity"]
    assert report["is_on_floor"] and report["floor_points"] > 60
    assert "from the floor along the camera's path" in gravity["sentence"]
    assert gravity["pitch"] == pytest.approx(np.degrees(0.1), abs=1.0) and gravity["roll"] == pytest.approx(0.0, abs=1.0)
    true = UNIT * np.linalg.norm(np.diff(walk[1], axis=0), axis=1).sum()
    assert report["length_m"] == pytest.approx(true, rel=0.05)


def test_a_background_that_moves_by_a_path_taken_out_makes_nobody_doubtful(monkeypatch):
    given = {}
    level = {"camera_rolled": Measure(0.0)}
    measure = lambda _recovery, _observations, _body, background, *_others: given.update(background=background) or level  # noqa: E731
    monkeypatch.setattr("blender_meshrec.backend.quality.measure_person", measure)
    person = SimpleNamespace(
        number=1,
        recovery=make_dataclass("Timed", ["timestamps"])(TIMES),
        observations=None,
        judged={},
        fit=SimpleNamespace(feet_backwards=None),
        known=KnownPerson(),
    )
    clip = SimpleNamespace(
        people=[person],
        motion_times=TIMES,
        body=None,
        background=np.ones((3, 3)),
        tilt_sigma=np.zeros(2),
        warnings=[],
        camera_from_view=None,
        path_scale=None,
        known_camera=None,
        camera=SimpleNamespace(kind="moving"),
        parts=(),
        breaks=[],
    )
    judge_people(clip)
    assert given["background"] is not None
    clip.path_scale = PathScale(2.0, 0.7, 0.0)  # a guess: the path cannot be trusted
    judge_people(clip)
    assert given["background"] is not None
    clip.path_scale = PathScale(2.0, 0.1, 3.0)
    judge_people(clip)
    assert given["background"] is None
