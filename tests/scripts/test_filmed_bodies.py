"""Filmed bodies: the renderer shows what is in front, sides are not swapped, the truth is where the picture shows it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from blender_meshrec.bodies.lbs import forward_kinematics
from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.rotations import rotmat_from_rotvec
from blender_meshrec.core.skeletons import BLAZEPOSE33, H36M17, H36M17_PARENTS, SMPL_JOINTS, SMPL_PARENTS
from scripts.train.data.filmed_bodies import measure, pictures
from scripts.train.data.filmed_bodies.cameras import StaticCamera, draw_camera
from scripts.train.data.filmed_bodies.clips import FilmedClip, draw_scene
from scripts.train.data.filmed_bodies.motion import MAX_FRAMES, Motion, MotionDrawer, kind_of, part_of
from scripts.train.data.filmed_bodies.performer import perform
from scripts.train.data.filmed_bodies.renderer import NOTHING, Light, Window, paint_triangles, shade
from scripts.train.data.filmed_bodies.scenery import draw_occluder
from scripts.train.data.filmed_bodies.shards import read_shards, write_shard
from scripts.train.data.filmed_bodies.straight_legs import straighten_legs
from scripts.train.data.filmed_bodies.wardrobe import dress
from scripts.train.data.motion_clips import clip_from_recording
from scripts.train.data.recordings import TEST_SUBJECTS, VALIDATION_SUBJECTS, Recording

SIDE = 40  # px
WINDOW = Window(0, 0, SIDE, SIDE)


@pytest.fixture(scope="module")
def body():
    return make_body(load_body())


@pytest.fixture
def rng():
    return np.random.default_rng(3)


@pytest.fixture(scope="module")
def recordings():
    """The open body's own skeleton at rest, one recording for each of several subjects, in slow steps forward."""
    rest = load_body().rest_joints(np.zeros(10))
    offsets = rest - rest[np.maximum(SMPL_PARENTS, 0)]
    frames = 90
    quats = np.tile(np.array([32767, 0, 0, 0], np.int16), (frames, 24, 1))
    trans = np.tile([0, 0.93, 0], (frames, 1)) + np.linspace(0, 1, frames)[:, None] * [0, 0, 1]
    valid = np.ones(frames, bool)
    subjects = (*TEST_SUBJECTS, *VALIDATION_SUBJECTS, "77", "78")
    return [Recording(f"{one}_01", one, "walk", quats, trans, valid, offsets, np.zeros((6, 3))) for one in subjects]


def level_camera(distance=4.0, size=(400, 400), focal=360.0):
    """A camera in front of the body at the origin, at the height of its pelvis, looking along -z."""
    intrinsics = np.array([[focal, 0, size[0] / 2], [0, focal, size[1] / 2], [0, 0, 1]])
    return StaticCamera(np.diag([1.0, -1.0, -1.0]), np.array([0, 0.9, distance]), intrinsics, size)


def paint_slowly(points, depth, faces):
    """Every pixel and triangle one by one."""
    image = np.full((SIDE, SIDE), NOTHING)
    nearest = np.full((SIDE, SIDE), np.inf)
    for index, face in enumerate(faces):
        (xa, ya), (xb, yb), (xc, yc) = points[face]
        area = (yb - ya) * (xc - xa) - (xb - xa) * (yc - ya)
        if area <= 1e-9:
            continue
        for line in range(SIDE):
            for column in range(SIDE):
                dx, dy = column + 0.5 - xa, line + 0.5 - ya
                v = (dy * (xc - xa) - dx * (yc - ya)) / area
                w = (dx * (yb - ya) - dy * (xb - xa)) / area
                if v >= 0 and w >= 0 and v + w <= 1 and depth[face].mean() < nearest[line, column]:
                    nearest[line, column], image[line, column] = depth[face].mean(), index
    return image


def test_renderer_agrees_with_a_slow_one(rng):
    points, depth = rng.uniform(-5, SIDE + 5, (36, 2)), rng.uniform(1, 5, 36)
    faces = np.arange(36).reshape(-1, 3)
    painted = paint_triangles(points, depth, faces, WINDOW)
    assert (painted >= 0).any()
    assert (painted == paint_slowly(points, depth, faces)).mean() > 0.999  # single precision on the edges


def test_nearer_triangle_hides_the_farther_one_in_any_order():
    square = np.array([[10.0, 10], [10, 30], [30, 30]])
    points, depth = np.concatenate([square, square]), np.array([2.0, 2, 2, 3, 3, 3])
    for faces, near in (([[0, 1, 2], [3, 4, 5]], 0), ([[3, 4, 5], [0, 1, 2]], 1)):
        painted = paint_triangles(points, depth, np.array(faces), WINDOW)
        assert set(np.unique(painted)) == {NOTHING, near}


def test_light_brightens_the_side_that_faces_it():
    vertices = np.array([[-1.0, -1, 4], [-1, 1, 4], [1, 1, 4]])
    faces = np.array([[0, 1, 2]])
    points = vertices[:, :2] * 10 + 20
    painted = paint_triangles(points, vertices[:, 2], faces, WINDOW)
    lit, covered = shade(vertices, faces, painted, np.ones((1, 3), np.float32), Light(np.array([0, 0, -1.0]), 0.3, 0))
    unlit, _covered = shade(vertices, faces, painted, np.ones((1, 3), np.float32), Light(np.array([0, 0, 1.0]), 0.3, 0))
    assert covered.sum() == len(lit) > 0
    assert np.allclose(lit, 1, atol=1e-6)
    assert np.allclose(unlit, 0.3, atol=1e-6)


def test_truth_is_the_recordings_skeleton_on_the_body(body, recordings):
    clip = clip_from_recording(recordings[0])
    motion = Motion("02", "walk", "02_01", np.tile(np.eye(3), (3, 24, 1, 1)), clip.hip[:3].astype(float), 0.8)
    joints = perform(body, motion, np.zeros(10), np.zeros_like(body.template.v_template)).joints
    expected = clip.points()[0, : len(H36M17)]
    for name in H36M17:
        if any(word in name for word in ("knee", "ankle", "elbow", "wrist", "shoulder", "_hip")):
            row = H36M17.index(name)
            assert np.allclose(joints[0, row] - joints[0, 0], expected[row] - expected[0], atol=1e-4), name
    torso = joints[0, H36M17.index("left_shoulder"), 1] - joints[0, 0, 1]
    heights = {name: (joints[0, H36M17.index(name), 1] - joints[0, 0, 1]) / torso for name in ("thorax", "nose", "head_top")}
    # The means of the motion capture's skeletons.
    assert heights == pytest.approx({"thorax": 1.071, "nose": 1.255, "head_top": 1.489}, abs=0.012)


def test_feet_reach_the_floor(body):
    for leg_length in (0.8, 1.0):
        transl = np.tile([0, leg_length * 1.12, 0], (2, 1))
        motion = Motion("77", "walk", "77_01", np.tile(np.eye(3), (2, 24, 1, 1)), transl, leg_length)
        ankle = perform(body, motion, np.zeros(10), np.zeros_like(body.template.v_template)).joints[0, H36M17.index("left_ankle")]
        assert -0.02 < ankle[1] < 0.15


def knee_bend(joints):
    """Degrees (F,2)."""
    legs = [[H36M17.index(f"{side}_{joint}") for joint in ("hip", "knee", "ankle")] for side in ("left", "right")]
    thigh, shin = (np.stack([joints[:, leg[i + 1]] - joints[:, leg[i]] for leg in legs], 1) for i in range(2))
    cosine = (thigh * shin).sum(-1) / np.linalg.norm(thigh, axis=-1) / np.linalg.norm(shin, axis=-1)
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def test_straightened_legs_are_straight_stand_on_the_same_floor_and_turn_no_foot(body):
    rotmats = np.tile(np.eye(3), (2, 24, 1, 1))
    knee = SMPL_JOINTS.index("left_knee")
    rotmats[1, knee] = rotmat_from_rotvec(np.array([1.0, 0, 0]))  # a raised left foot
    straight, lower = straighten_legs(body, rotmats, np.zeros(10), most=0.3)
    motion = Motion("77", "walk", "77_01", rotmats, np.tile([0, 0.95, 0.0], (2, 1)), 0.84)
    after = replace(motion, rotmats=straight, transl=motion.transl + lower[:, None] * [0, 1, 0])
    bare = np.zeros_like(body.template.v_template)
    first, second = (perform(body, one, np.zeros(10), bare) for one in (motion, after))
    bend, straightened = knee_bend(first.joints), knee_bend(second.joints)
    assert bend[0].min() > 7
    assert straightened[0].max() < 0.5
    assert straightened[1, 0] == pytest.approx(bend[1, 0] - np.degrees(0.3), abs=0.1)
    ankle = H36M17.index("right_ankle")  # the pelvis's scale is that of the legs
    assert np.allclose(first.joints[:, ankle, 1], second.joints[:, ankle, 1], atol=2e-3)
    feet = global_rotations(body, straight)[:, SMPL_JOINTS.index("left_ankle")]
    assert np.allclose(feet, global_rotations(body, rotmats)[:, SMPL_JOINTS.index("left_ankle")], atol=1e-5)


def global_rotations(body, rotmats):
    rest = body.rest_joints(torch.zeros(1, 10))
    return forward_kinematics(torch.as_tensor(rotmats, dtype=torch.float32), rest, body.tree)[1].numpy()


def test_true_points_lie_on_the_limbs_in_the_picture_and_sides_are_not_swapped(body):
    rotmats = np.tile(np.eye(3), (1, 24, 1, 1))
    motion = Motion("77", "walk", "77_01", rotmats, np.array([[0, 0.95, 0.0]]), 0.84)
    outfit = dress(np.random.default_rng(0), body.template, np.zeros(10))
    performance = perform(body, motion, np.zeros(10), outfit.displacement)
    camera = level_camera()
    pixels = camera.pixels(performance.joints)[0]
    # A person who faces the camera has their left on the right of the picture.
    for name in ("shoulder", "wrist", "hip", "ankle"):
        assert pixels[H36M17.index(f"left_{name}"), 0] > pixels[H36M17.index(f"right_{name}"), 0] + 10
    seen = camera.to_camera(performance.vertices[0].astype(float))
    points = camera.pixels(performance.vertices[0].astype(float))
    painted = paint_triangles(points, seen[:, 2], body.faces, Window(0, 0, 400, 400))
    bone = body.template.lbs_weights[body.faces].sum(1).argmax(1)
    for side in ("left", "right"):
        for upper, lower in (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle")):
            middle = (pixels[H36M17.index(f"{side}_{upper}")] + pixels[H36M17.index(f"{side}_{lower}")]) / 2
            face = painted[int(middle[1]), int(middle[0])]
            assert face != NOTHING
            assert SMPL_JOINTS[bone[face]] == f"{side}_{upper}"


def test_true_2d_is_the_projection_of_the_true_3d(body, recordings, rng):
    scene = draw_scene(rng, body, MotionDrawer(recordings, "train"))
    seen = scene.camera.to_camera(scene.joints)
    expected = seen[..., :2] / seen[..., 2:] * scene.camera.intrinsics[0, 0] + np.array(scene.camera.size) / 2
    assert np.allclose(scene.camera.pixels(scene.joints), expected)


def test_pictures_show_the_person_at_the_true_points(body, recordings, monkeypatch):
    """The joints of the trunk are where a picture differs from the same one without the person; its corners do not differ."""
    motions = MotionDrawer(recordings, "train")
    scene = draw_scene(np.random.default_rng(4), body, motions)
    with_person = next(scene.pictures).astype(int)
    monkeypatch.setattr(
        pictures, "paint_triangles", lambda _points, _depth, _faces, window: np.full((window.height, window.width), NOTHING)
    )
    difference = np.abs(with_person - next(draw_scene(np.random.default_rng(4), body, motions).pictures)).max(-1)
    width, height = scene.camera.size
    assert difference.shape == (height, width)
    trunk = [H36M17.index(name) for name in ("hip", "spine", "thorax")]
    columns, lines = scene.camera.pixels(scene.joints[0, trunk]).astype(int).T
    assert difference[lines, columns].min() > 10
    assert (difference > 10).mean() < 0.4


def test_camera_has_the_hip_in_the_image(rng):
    joints = np.zeros((20, 17, 3)) + [0, 0.9, 0] + np.linspace(0, 2, 20)[:, None, None] * [1, 0, 0] + rng.normal(0, 0.3, (17, 3))
    for _ in range(20):
        camera = draw_camera(rng, joints)
        hip = camera.pixels(joints[:, 0])
        assert ((hip >= 0) & (hip <= camera.size)).all()
        assert np.allclose(camera.rotmat @ camera.rotmat.T, np.eye(3), atol=1e-6)


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_every_part_has_its_own_subjects(recordings, part, rng):
    drawn = [MotionDrawer(recordings, part).draw(rng) for _ in range(30)]
    assert {part_of(motion.subject) for motion in drawn} == {part}
    assert (part == "test") == any(motion.subject in TEST_SUBJECTS for motion in drawn)
    assert all(len(motion.rotmats) == len(motion.transl) <= MAX_FRAMES for motion in drawn)
    assert np.allclose(np.linalg.det(drawn[0].rotmats), 1)


def test_part_without_motion_raises(recordings):
    with pytest.raises(ValueError, match="no run of"):
        MotionDrawer([one for one in recordings if one.subject == "77"], "test")


def test_kinds_of_motion():
    assert [kind_of(text) for text in ("Cartwheels", "sit on high stool", "salsa dance", "walk", "laugh")] == [
        "acrobatics",
        "floor",
        "dance",
        "walk",
        "other",
    ]


def test_same_seed_draws_the_same_scene(body, recordings):
    motions = MotionDrawer(recordings, "train")
    first, second = (next(draw_scene(np.random.default_rng(5), body, motions).pictures) for _ in range(2))
    assert np.array_equal(first, second)


def test_occluder_covers_some_of_the_person():
    camera = level_camera()
    points = np.tile(np.array([200.0, 200]) + 60 * np.random.default_rng(1).normal(size=(17, 2)), (2, 1, 1))
    drawn = [draw_occluder(np.random.default_rng(seed), camera, points) for seed in range(40)]
    masks = [one[1] for one in drawn if one is not None]
    assert 0 < len(masks) < len(drawn)
    low, high = points.min((0, 1)).astype(int), points.max((0, 1)).astype(int)
    assert np.mean([mask[low[1] : high[1], low[0] : high[0]].any() for mask in masks]) > 0.8


def make_clip(rng, frames, subject="77"):
    joints = rng.normal(size=(frames, 17, 3))
    joints -= joints[:, :1]
    hip = np.tile([0.1, 0.2, 4.0], (frames, 1))
    intrinsics = level_camera().intrinsics
    seen = (joints + hip[:, None]) @ intrinsics.T
    visible = rng.random(frames) < 0.8
    return FilmedClip(
        *(f"{subject}_01", subject, "walk", rng.normal(size=(frames, 33, 3)), rng.normal(size=(frames, 33, 3)), visible),
        *(joints, seen[..., :2] / seen[..., 2:], hip, intrinsics, np.array([400, 400]), np.eye(4), np.zeros(10)),
    )


def test_shards_hold_the_clips_that_were_written(tmp_path, rng):
    clips = [make_clip(rng, frames, subject) for frames, subject in ((5, "77"), (3, "78"), (4, "77"))]
    write_shard(tmp_path / "shard_0000.npz", clips[:2], 1)
    write_shard(tmp_path / "shard_0001.npz", [], 2)
    write_shard(tmp_path / "shard_0002.npz", clips[2:], 0)
    shard = read_shards(tmp_path)
    assert len(shard) == 3
    assert shard.dropped == 3
    assert shard.arrays["clip_start"].tolist() == [0, 5, 8, 12]
    for index, clip in enumerate(clips):
        again = shard.clip(index)
        assert (again.name, again.subject, again.text) == (clip.name, clip.subject, clip.text)
        for name in ("keypoints", "keypoints_3d", "visible", "joints", "points", "hip", "intrinsics", "size", "camera_from_world"):
            assert np.allclose(getattr(again, name), getattr(clip, name), atol=1e-4, rtol=1e-5), name
        lengths = np.linalg.norm(clip.joints[:, 1:] - clip.joints[:, H36M17_PARENTS[1:]], axis=-1)
        assert shard.arrays["bone_sum"][index] == pytest.approx(lengths.sum(1).mean(), rel=1e-5)


def test_folder_without_clips_raises(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no shard"):
        read_shards(tmp_path)
    write_shard(tmp_path / "shard_0000.npz", [], 2)
    with pytest.raises(FileNotFoundError, match="holds a clip"):
        read_shards(tmp_path)


def test_keypoint_error_is_a_fraction_of_the_body_s_height(rng):
    clip = make_clip(rng, 6)
    clip = replace(clip, visible=np.ones(6, bool))
    keypoints = np.zeros((6, 33, 3))
    for name in ("left_knee", "right_wrist"):
        keypoints[:, BLAZEPOSE33.index(name), :2] = clip.points[:, H36M17.index(name)] + [0, 3.6 * 1.7 / 4]  # 1 % of 1.7 m at 4 m
    errors = measure.keypoint_errors(replace(clip, keypoints=keypoints))
    assert np.allclose(errors[:, [H36M17.index("left_knee"), H36M17.index("right_wrist")]], 1.0)
