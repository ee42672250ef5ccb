"""The accuracy page: a reconstruction with known errors has these numbers, and the tables hold them."""

import numpy as np
import pytest

from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.core.cameras import project, rigid_transform, transform_points
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.records import Observations, Recovery
from blender_meshrec.core.rotations import rotmat_from_rotvec, rotvec_from_rotmat
from blender_meshrec.core.skeletons import H36M17, SMPL_JOINTS, limb_indices
from scripts.evaluate import accuracy, accuracy_page
from scripts.evaluate.filmed_keypoints import write_keypoints
from scripts.evaluate.ground_truth import GroundTruth
from scripts.evaluate.world_measures import MEASURES, Comparison, pose_body
from scripts.train.data.camera_views import film_clip
from scripts.train.data.motion_clips import NODES, Clip
from scripts.train.data.recordings import FPS

FRAMES = 24
LEVEL = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])  # OpenCV axes of a level camera that looks along y
CAMERA = rigid_transform(LEVEL, [0, 1, 6.0])
INTRINSICS = np.array([[1000.0, 0, 500], [0, 1000, 500], [0, 0, 1]])
UPRIGHT = rotmat_from_rotvec(np.array([np.pi / 2, 0, 0]))  # a body at rest is y up


@pytest.fixture(scope="module")
def body():
    return make_body(load_body("open"))


@pytest.fixture(scope="module")
def truth(body):
    """A person who glides 1 m/s along x, 2 cm over the floor, and swings arms and legs; captured joints are the body's."""
    times = np.arange(FRAMES) / FPS
    poses = 0.3 * np.sin(2 * np.pi * times[:, None] + np.arange(72))
    poses[:, :3] = rotvec_from_rotmat(UPRIGHT)
    transl = times[:, None] * [1.0, 0, 0] + [0, 0, 1.2]
    betas = np.zeros(10)
    vertices, joints = pose_body(body, betas, poses, transl)
    transl = transl - [0, 0, vertices[..., 2].min() - 0.02]
    _vertices, joints = pose_body(body, betas, poses, transl)
    contacts = np.zeros((FRAMES, 4))
    contacts[:10, 0] = 1
    captured = np.zeros((FRAMES, 17, 3)) + joints[:, :1]
    captured[:, limb_indices(H36M17)] = joints[:, limb_indices(SMPL_JOINTS)]
    return GroundTruth(captured, betas, poses, transl, contacts)


def compare(body, truth, *, turn=0.0, pitch=0.0, speed=1.0, sink=0.0, bend=0.0, off=0.0, against=None, valid=None):
    """The numbers of a reconstruction with these errors: its world turned about z by `turn` rad, a camera pitched by `pitch` degrees,
    `speed` times too fast a path, `sink` m too low, the right elbow bent by `bend` rad, and keypoints `off` px beside. against: the
    truth that it is compared with, if another one."""
    heading = rotmat_from_rotvec(np.array([0, 0, turn]))
    poses = np.array(truth.poses)
    poses[:, :3] = rotvec_from_rotmat(heading @ rotmat_from_rotvec(poses[:, :3]))
    poses[:, 3 * SMPL_JOINTS.index("right_elbow")] += bend
    rest = body.template.rest_joints(truth.betas)[0]
    pelvis = (truth.transl + rest) * [speed, 1, 1] - [0, 0, sink]
    trans = pelvis @ heading.T - rest
    _vertices, joints = pose_body(body, truth.betas, poses, trans)
    camera = CAMERA.copy()
    camera[:3, :3] = rotmat_from_rotvec(np.radians([pitch, 0, 0])) @ LEVEL @ heading.T
    lifted = np.einsum("ij,fnj->fni", heading, truth.h36m17)
    keypoints = np.ones((FRAMES, 17, 3))
    keypoints[..., :2] = project(transform_points(CAMERA, truth.h36m17), INTRINSICS) + [off, 0]
    observations = Observations("h36m17", np.tile([0, 0, 100, 400.0], (FRAMES, 1)), keypoints, np.ones(FRAMES, bool))
    recovery = Recovery(
        poses=poses, trans=trans, betas=truth.betas, surface_model_type="open", mocap_framerate=FPS, timestamps=np.arange(FRAMES) / FPS,
        visible=np.ones(FRAMES, bool), joints=joints, confidence=np.ones((FRAMES, 24)), lifted_joints=lifted, contacts=truth.contacts,
        camera_intrinsics=INTRINSICS, camera_from_world=np.tile(camera, (FRAMES, 1, 1)), image_size=[1000, 1000],
    )  # fmt: skip
    true = against or truth
    valid = np.ones(FRAMES, bool) if valid is None else valid
    return Comparison(body, recovery, observations, true, CAMERA, valid).numbers()


def test_the_truth_has_no_errors_whatever_its_heading(body, truth):
    numbers = compare(body, truth, turn=0.7)
    assert {measure.name for measure in MEASURES} <= set(numbers)
    zero = ("lifted_pa", "joints_pa", "mpjpe", "heading_mpjpe", "wa_mpjpe", "wa_mpjpe_100", "w_mpjpe_100", "root", "pitch", "roll",
            "soles_below", "skin_below", "reprojection", "lifted_reprojection", "acceleration", "lifted_turn", "joints_turn")  # fmt: skip
    assert {name: numbers[name] for name in zero} == pytest.approx(dict.fromkeys(zero, 0), abs=0.02)
    assert numbers["f1"] == 1 and numbers["foot_speed"] == pytest.approx(numbers["true_foot_speed"], rel=1e-3)
    for name in ("jitter", "wrist_speed", "ankle_speed"):
        assert numbers[name] == pytest.approx(numbers["true_" + name], rel=1e-3)


def test_known_errors_are_measured(body, truth):
    assert compare(body, truth, pitch=5.0)["pitch"] == pytest.approx(5.0, abs=0.01)
    deep, half = compare(body, truth, sink=1.0), compare(body, truth, sink=0.5)
    assert 900 < deep["skin_below"] < 980 and 900 < deep["soles_below"] < 980  # the lowest frame was 20 mm over the floor
    assert deep["skin_below"] - half["skin_below"] == pytest.approx(500, abs=0.1)
    assert compare(body, truth, sink=0.01)["skin_below"] == 0
    assert compare(body, truth, off=4.0)["reprojection"] == pytest.approx(1.0, abs=0.01)  # 4 px of 400
    assert compare(body, truth, off=4.0)["lifted_reprojection"] == pytest.approx(1.0, abs=0.01)
    fast = compare(body, truth, speed=1.2)
    path = 1000 * (FRAMES - 1) / FPS
    assert fast["root"] == pytest.approx(5, rel=0.1)  # the mean distance of paths 20 % apart, aligned in the middle
    assert fast["w_mpjpe_100"] == pytest.approx(0.1 * path, rel=0.2) and fast["mpjpe"] < 0.02
    assert fast["foot_speed"] > fast["true_foot_speed"] + 10 and fast["ankle_speed"] > 1.1 * fast["true_ankle_speed"]
    bent = compare(body, truth, bend=0.5)
    assert bent["joints_pa"] > 1 > 0.02 > bent["lifted_pa"]
    assert bent["joints_turn"] < 0.1  # one limb of eight: the median does not see it


def test_frames_that_are_not_valid_do_not_count(body, truth):
    valid = np.ones(FRAMES, bool)
    valid[5:9] = False
    wrong = GroundTruth(truth.h36m17.copy(), truth.betas, truth.poses, truth.transl.copy(), truth.contacts.copy())
    for array in (wrong.h36m17, wrong.transl):
        array[5:9] += np.random.default_rng(0).normal(size=(4, *array.shape[1:]))
    wrong.contacts[5:9] = 1 - wrong.contacts[5:9]
    counted = compare(body, truth, against=wrong, valid=valid)
    for name, value in compare(body, truth, valid=valid).items():
        assert counted[name] == pytest.approx(value, abs=1e-9), name
    everything = compare(body, truth, against=wrong)
    assert everything["joints_pa"] > 1 and everything["acceleration"] > 1 and everything["f1"] < 1 and everything["heading_mpjpe"] > 10


def test_a_table_divides_means_and_shows_the_largest():
    row = {measure.name: 1.0 for measure in MEASURES} | {"true_jitter": 4.0, "true_wrist_speed": 1.0, "true_ankle_speed": 1.0}
    rows = [
        {**row, "clip": clip, "kind": kind, "noisy": noisy, "lens": lens, "camera": 0, "pitch": pitch, "jitter": jitter}
        for clip, kind, pitch, jitter in (("a", "walking", 2.0, 1.0), ("b", "other", 9.0, 5.0))
        for noisy in (False, True)
        for lens in ("unknown", "known")
    ]
    text = accuracy_page.accuracy_tables(rows, 2, 1)
    assert "| camera pitch error, degrees (largest) | 5.5 (9.0) |" in text
    assert "| jitter, of the truth's | 0.75 |" in text
    assert "| exact | walking | 1 | 1.0 |" in text
    rows[0]["f1"] = float("nan")  # a clip without contacts
    assert "| contact F1 | 1.000 |" in accuracy_page.accuracy_tables(rows, 2, 1)


def test_filmed_keypoints_are_projections_by_the_returned_lens(tmp_path):
    rng = np.random.default_rng(4)
    vectors = rng.normal(0, 0.15, (6, len(NODES), 3)).astype(np.float32)
    vectors[:, 0] = 0
    hip = np.tile(np.float32([0, 1, 0]), (6, 1))
    clip = Clip("a", "02", "walk", hip, vectors, np.tile(np.eye(3, dtype=np.float32), (6, 3, 1, 1)), np.ones(6, bool))
    views = film_clip(np.random.default_rng(1), clip, "h36m17", 3, noisy=False)
    for camera in range(3):
        intrinsics = write_keypoints(tmp_path / "keypoints.npz", views, camera)
        with np.load(tmp_path / "keypoints.npz") as file:
            keypoints = file["keypoints"]
        points = transform_points(rigid_transform(views.rotmats[camera], views.transl[camera]), clip.points()[:, :17].astype(float))
        np.testing.assert_allclose(keypoints[..., :2], project(points, intrinsics), atol=0.5)  # px; rays are float32


def test_a_known_lens_reaches_the_reconstruction(monkeypatch, tmp_path, truth):
    seen = []
    path = tmp_path / "keypoints.npz"
    keypoints = np.ones((FRAMES, 17, 3))
    keypoints[..., :2] = project(transform_points(CAMERA, truth.h36m17), INTRINSICS)
    np.savez(path, keypoints=keypoints, keypoint_set="h36m17", image_size=[1000, 1000], fps=FPS)
    step = accuracy.PASSES[0].__class__("watch", lambda clip: seen.append(clip.intrinsics))
    monkeypatch.setattr(accuracy, "PASSES", (step,))
    accuracy.reconstruct(path, INTRINSICS)
    accuracy.reconstruct(path, None)
    assert seen[0][0, 0] == 1000 and seen[1][0, 0] == pytest.approx(1000 * np.sqrt(2))
