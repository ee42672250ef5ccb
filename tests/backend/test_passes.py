"""The passes around the whole-clip solve: what they hand to it, and the world they leave."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from blender_meshrec.backend import pipeline
from blender_meshrec.backend.camera.solve_camera import Shot, solve_camera
from blender_meshrec.backend.camera.vertical_lines import VerticalLines
from blender_meshrec.backend.passes import camera as camera_pass
from blender_meshrec.backend.passes import solve as solve_pass
from blender_meshrec.backend.pipeline import PASSES, recover
from blender_meshrec.bridge.messages import ReconstructRequest
from blender_meshrec.core.cameras import project, rigid_transform, transform_points
from blender_meshrec.core.contacts import contact_runs
from blender_meshrec.core.foot_planting.leg_kinematics import pose_legs, soles_from_template
from blender_meshrec.core.rotations import angle_between_rotmats, rotmat_from_rotvec
from blender_meshrec.core.skeletons import H36M17
from tests.support import synthetic_gait

TIMES = np.arange(40) / 30
VIEW = synthetic_gait.make_view(distance=5, pitch=0.15)


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    """Somebody who walks, as a file of exact keypoints, and their truth."""
    truth = synthetic_gait.walk(TIMES)
    return synthetic_gait.write_keypoints(tmp_path_factory.mktemp("keypoints") / "walk.npz", truth, VIEW), truth


@pytest.fixture(scope="module")
def recovery(walk):
    return recover(ReconstructRequest(str(walk[0]))).recoveries[0]


def test_the_solve_comes_between_the_fit_and_the_foot_lock():
    stages = [step.stage for step in PASSES]
    assert stages.index("stand up") < stages.index("solve") < stages.index("contacts")


def test_the_solved_world_is_upright_and_starts_below_the_pelvis(recovery):
    rotation = recovery.camera_from_world[0, :3, :3]
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-6)
    np.testing.assert_allclose(recovery.joints[0, 0, :2], 0, atol=1e-4)
    assert (recovery.joints[:, 15, 2] > recovery.joints[:, 0, 2] + 0.3).all()  # the head above the pelvis, m


def test_the_solved_body_is_where_it_was_seen(recovery, walk):
    """Its limbs' joints against the keypoints, as a fraction of the person's height in the image."""
    pixels = project(transform_points(recovery.camera_from_world, recovery.joints), recovery.camera_intrinsics)
    seen = VIEW.keypoints(walk[1].h36m17)[..., :2]
    names = {"left_knee": 4, "right_knee": 5, "left_ankle": 7, "right_ankle": 8, "left_elbow": 18, "right_elbow": 19, "left_wrist": 20}
    off = [np.linalg.norm(pixels[:, joint] - seen[:, H36M17.index(name)], axis=-1) for name, joint in names.items()]
    assert np.mean(off) < 0.01 * np.ptp(seen[..., 1])


def test_toes_in_contact_hold_still_on_the_floor(recovery, template):
    """A foot rolls over its toe, which moves by less than a centimetre."""
    rotmats = rotmat_from_rotvec(recovery.poses.astype(float).reshape(len(recovery), -1, 3))
    rest = template.rest_joints(recovery.betas)
    soles = pose_legs(rotmats, recovery.trans + rest[0], rest, soles_from_template(template, recovery.betas)).points
    held = [(toe, first, last) for toe in (1, 3) for first, last in contact_runs(recovery.contacts[:, toe] > 0.5)]
    assert len(held) >= 2
    for toe, first, last in held:
        assert np.ptp(soles[first:last, toe], axis=0).max() < 0.01
        assert np.abs(soles[first:last, toe, 2]).max() < 0.01


def clip_and_person(contacts, template, wanted=True):
    """A clip and a person whose left foot alone is in view, as `start_contacts` takes them."""
    clip = SimpleNamespace(
        frames=TIMES,
        motion_times=TIMES,
        request=SimpleNamespace(contacts=wanted),
        template=template,
        world_from_camera=np.eye(4),
        camera_centres=None,
    )
    seen = np.tile([True, False], (len(TIMES), 1))
    return SimpleNamespace(ankles_seen=seen, estimate=SimpleNamespace(contacts=contacts)), clip


def test_contacts_of_feet_out_of_view_are_not_evidence(template):
    found = solve_pass.start_contacts(*clip_and_person(np.full((len(TIMES), 4), 0.8), template))
    np.testing.assert_array_equal(found, np.tile([0.8, 0.8, 0, 0], (len(TIMES), 1)))


def test_contacts_can_be_turned_off(template, walk):
    assert not solve_pass.start_contacts(*clip_and_person(np.full((len(TIMES), 4), 0.8), template, wanted=False)).any()
    free = recover(ReconstructRequest(str(walk[0]), contacts=False)).recoveries[0]
    assert not free.contacts.any()
    assert (free.joints[:, 15, 2] > free.joints[:, 0, 2] + 0.3).all()


def test_a_camera_that_turns_gives_the_motion_that_a_still_one_sees(tmp_path, walk, monkeypatch):
    """The same walk, filmed while the camera pans by 11 degrees: the same joints within 2 cm, and the camera's turn in the motion."""
    path, truth = walk
    focal = f"{VIEW.intrinsics[0, 0]}px"
    still = recover(ReconstructRequest(str(path), focal=focal)).recoveries[0]
    turn = rotmat_from_rotvec(np.linspace(-0.1, 0.1, len(TIMES))[:, None] * [0, 1.0, 0])
    in_camera = VIEW.joints(truth.h36m17) @ np.swapaxes(turn, -1, -2)
    keypoints = np.concatenate([project(in_camera, VIEW.intrinsics), np.ones((*in_camera.shape[:2], 1))], -1)
    np.savez(tmp_path / "pan.npz", keypoints=keypoints, keypoint_set="h36m17", image_size=VIEW.size, fps=30.0)
    unknown = solve_camera(None, VIEW.size, 1000.0, len(TIMES))
    panned = replace(unknown, kind="turning", camera_from_first=turn @ turn[0].T, shots=(Shot(0, len(TIMES), "turning", 1.0),))
    monkeypatch.setattr(camera_pass, "solve_camera", lambda *_arguments: panned)
    result = recover(ReconstructRequest(str(tmp_path / "pan.npz"), focal=focal))
    found = result.recoveries[0]
    assert result.report["camera"]["taken_out"]
    assert np.linalg.norm(found.joints - still.joints, axis=-1).mean() < 0.02
    first, last = found.camera_from_world[[0, -1], :3, :3]
    assert angle_between_rotmats(first, last) == pytest.approx(0.2, rel=1e-3)


def see_poles(monkeypatch, camera_from_world):
    """Give every clip the edges of 16 poles that stand about the origin of the world."""
    generator, tracked = np.random.default_rng(0), pipeline.detect_and_track
    foot = np.column_stack([generator.uniform(-2, 2, 16), generator.uniform(0, 3, 16), np.zeros(16)])
    ends = transform_points(camera_from_world, np.concatenate([foot + [0, 0, 2.5], foot]))
    pixels = project(ends, VIEW.intrinsics).reshape(2, 16, 2)
    lines = VerticalLines(np.zeros(16, int), np.concatenate([pixels[0], pixels[1]], 1), 1.0)
    monkeypatch.setattr(pipeline, "detect_and_track", lambda *arguments: replace(tracked(*arguments), lines=lines))


def test_gravity_follows_the_edges_of_the_background(walk, monkeypatch):
    """The picture is rolled by 0.2 rad, which people who balance show only in part; the report says where gravity is from."""
    path, truth = walk
    roll = rigid_transform(rotmat_from_rotvec([0, 0, -0.2]), np.zeros(3))
    rolled = roll @ VIEW.camera_from_world
    points = project(transform_points(rolled, truth.h36m17), VIEW.intrinsics)
    keypoints = np.concatenate([points, np.ones((*points.shape[:2], 1))], -1)
    np.savez(path.parent / "rolled.npz", keypoints=keypoints, keypoint_set="h36m17", image_size=VIEW.size, fps=30.0)
    request = ReconstructRequest(str(path.parent / "rolled.npz"), focal=f"{VIEW.intrinsics[0, 0]}px")
    people = recover(request)
    see_poles(monkeypatch, rolled)
    edges = recover(request)
    ups = [result.recoveries[0].camera_from_world[0, :3, 2] for result in (people, edges)]
    off = [np.degrees(np.arccos(np.clip(up @ rolled[:3, 2], -1, 1))) for up in ups]
    assert off[1] < 1.5 and off[1] < 0.5 * off[0]
    gravity = edges.report["gravity"]
    assert gravity["vertical_edges"] > 10 and gravity["sentence"].startswith(f"Gravity is from {gravity['vertical_edges']} vertical edges")
    assert abs(np.radians(gravity["roll"]) - 0.2) < 0.03 and max(gravity["sigma"]) < 3
    assert people.report["gravity"]["sentence"].startswith("Gravity is from how people stand")
    level = recover(replace(request, upright=False))
    assert level.report["gravity"]["sentence"] == "The camera is taken to be level." and level.report["gravity"]["roll"] == 0
