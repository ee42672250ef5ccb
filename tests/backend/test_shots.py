"""Footage with cuts: every shot is solved by itself, with its own camera, and a person goes on behind a cut."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from blender_meshrec.backend.camera.solve_camera import Shot, solve_camera
from blender_meshrec.backend.passes import camera as camera_pass
from blender_meshrec.backend.passes.shots import joints_of_shots, movement_left, way_behind_cut
from blender_meshrec.backend.pipeline import recover
from blender_meshrec.bridge.messages import ReconstructRequest
from blender_meshrec.core.cameras import project, rigid_transform, transform_points
from blender_meshrec.core.rotations import rotmat_from_rotvec
from blender_meshrec.core.skeletons import H36M17, SMPL_JOINTS
from tests.support import synthetic_gait

FRAMES, CUT = 50, 28
TIMES = np.arange(FRAMES) / 30
FIRST = synthetic_gait.make_view(distance=5, pitch=0.1)
PAN, ZOOM = np.linspace(0, -0.24, FRAMES - CUT), np.linspace(1.0, 1.3, FRAMES - CUT)


def film(folder, name, rows):
    """Exact keypoints of somebody who walks: before CUT by a camera that stands, then from the side by one that pans and zooms."""
    truth = synthetic_gait.walk(TIMES, turn=0.5)
    side = np.tile(FIRST.camera_from_world @ rigid_transform(rotmat_from_rotvec([0, 0, 1.0]), [0.3, 0.2, 0]), (FRAMES, 1, 1))
    side[CUT:] = rigid_transform(rotmat_from_rotvec(PAN[:, None] * [0, 1.0, 0]), np.zeros(3)) @ side[CUT:]
    focal = np.ones(FRAMES)
    focal[CUT:] = ZOOM
    in_camera = np.where(
        (np.arange(FRAMES) < CUT)[:, None, None],
        transform_points(FIRST.camera_from_world, truth.h36m17),
        transform_points(side, truth.h36m17),
    )
    middle = FIRST.intrinsics[:2, 2]
    pixels = (project(in_camera, FIRST.intrinsics) - middle) * focal[:, None, None] + middle
    keypoints = np.concatenate([pixels, np.ones((*pixels.shape[:2], 1))], -1)[rows]
    np.savez(folder / f"{name}.npz", keypoints=keypoints, keypoint_set="h36m17", image_size=FIRST.size, fps=30.0)
    return keypoints


@pytest.fixture(scope="module")
def filmed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keypoints")
    whole, alone = film(folder, "whole", slice(0, FRAMES)), film(folder, "alone", slice(0, CUT))
    unknown = solve_camera(None, FIRST.size, 1000.0, FRAMES)
    rotations, zoom = unknown.camera_from_first.copy(), np.ones(FRAMES)
    rotations[CUT:], zoom[CUT:] = rotmat_from_rotvec(PAN[:, None] * [0, 1.0, 0]), ZOOM
    shots = (Shot(0, CUT, "still", 1.0), Shot(CUT, FRAMES, "turning", 1.0))
    cut = replace(unknown, kind="turning", camera_from_first=rotations, zoom=zoom, shots=shots)
    focal = f"{FIRST.intrinsics[0, 0]}px"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(camera_pass, "solve_camera", lambda *_arguments: cut)
        result = recover(ReconstructRequest(str(folder / "whole.npz"), focal=focal))
    return result, recover(ReconstructRequest(str(folder / "alone.npz"), focal=focal)), whole, alone


def test_nothing_of_a_shot_depends_on_what_comes_after_the_cut(filmed):
    found, alone = filmed[0].recoveries[0], filmed[1].recoveries[0]
    assert found.joints[:CUT] == pytest.approx(alone.joints, abs=1e-4)
    assert found.camera_from_world[:CUT] == pytest.approx(alone.camera_from_world, abs=1e-6)
    assert found.betas == pytest.approx(alone.betas)


def test_somebody_goes_on_behind_the_cut_as_they_were(filmed):
    pelvis = filmed[0].recoveries[0].joints[:, 0].astype(float)
    steps = np.linalg.norm(np.diff(pelvis, axis=0), axis=1)
    assert steps[CUT - 1] < 0.03  # m
    before, after = pelvis[CUT - 1] - pelvis[CUT - 16], pelvis[CUT + 15] - pelvis[CUT]
    cosine = before[:2] @ after[:2] / np.linalg.norm(before[:2]) / np.linalg.norm(after[:2])
    assert cosine > 0.9  # a walk straight on stays one


def test_each_frame_has_its_own_lens(filmed):
    found, keypoints = filmed[0].recoveries[0], filmed[2]
    assert found.camera_zoom is not None and found.camera_zoom[-1] / found.camera_zoom[CUT] == pytest.approx(1.3, rel=1e-3)
    middle = found.camera_intrinsics[:2, 2]
    pixels = project(transform_points(found.camera_from_world, found.joints.astype(float)), found.camera_intrinsics) - middle
    pixels = pixels * found.camera_zoom[:, None, None] + middle
    height = np.ptp(keypoints[..., 1], axis=1)
    for name in ("left_knee", "right_knee", "left_wrist", "right_ankle"):
        off = np.linalg.norm(pixels[:, SMPL_JOINTS.index(name)] - keypoints[:, H36M17.index(name), :2], axis=-1) / height
        assert np.median(off[:CUT]) < 0.04 and np.median(off[CUT:]) < 0.04


def test_the_report_has_a_camera_for_each_shot(filmed):
    report = filmed[0].report["camera"]
    still, turning = report["shots"]
    assert (still["kind"], turning["kind"]) == ("still", "turning")
    assert turning["taken_out"] and not still["taken_out"]
    assert turning["zoom"] == pytest.approx(1.3, rel=1e-3) and turning["lens"]["source"] == "given"
    assert "pitch" in still["gravity"] and "pitch" in turning["gravity"]


def test_a_stance_is_taken_to_the_one_before_the_cut():
    before = rotmat_from_rotvec([1.5, 0, 0.2]), np.array([1.0, 2.0, 0.9])
    turn = rotmat_from_rotvec([0, 0, 0.8])
    after = turn @ before[0], np.array([4.0, -1.0, 0.95])
    way = way_behind_cut(before, after)
    assert way[:3, :3] @ after[0] == pytest.approx(before[0], abs=1e-9)
    assert (way[:3, :3] @ after[1] + way[:3, 3])[:2] == pytest.approx(before[1][:2])
    assert way[2, 3] == 0  # the floor stays the floor


def test_joints_of_all_shots_are_seen_through_one_lens():
    """The second shot's lens is twice as long, and the third does not show the person."""
    short, long = (np.array([[focal, 0, 320], [0, focal, 240], [0, 0, 1]]) for focal in (900.0, 1800.0))
    joints = np.random.default_rng(0).uniform(100, 300, (4, 17, 3)).astype(np.float32)
    person = SimpleNamespace(observations=SimpleNamespace(joints=joints, visible=np.array([True, True, True, False])))
    nobody = SimpleNamespace(observations=SimpleNamespace(joints=None, visible=np.zeros(4, bool)))
    parts = [SimpleNamespace(frames=np.arange(4), intrinsics=intrinsics) for intrinsics in (short, long, short)]
    found = joints_of_shots(SimpleNamespace(parts=parts, intrinsics=short), [person, person, None])
    np.testing.assert_allclose(found[:3], joints[:3])
    np.testing.assert_allclose(found[4:7, :, :2], (joints[:3, :, :2] - [320, 240]) / 2 + [320, 240], rtol=1e-5)
    np.testing.assert_allclose(found[4:7, :, 2:], joints[:3, :, 2:] * 0.5, rtol=1e-6)
    assert not found[[3, 7]].any() and not found[8:].any()
    assert joints_of_shots(SimpleNamespace(parts=parts, intrinsics=short), [nobody, None, nobody]) is None


def test_a_camera_that_moves_where_nobody_is_seen_takes_no_path_along():
    moved = np.full((5, 3), 0.2)
    part = SimpleNamespace(people=[], background=moved, frames=range(5))
    assert movement_left(part).shape == (5, 3) and not movement_left(part).any()
    seen = SimpleNamespace(
        people=["somebody"], background=moved, frames=range(5), known_camera=None, path_scale=None, camera_from_view=None
    )
    seen.camera = SimpleNamespace(kind="moving")
    np.testing.assert_array_equal(movement_left(seen), moved)
