"""Posed clips: their truth touches and flies as it says, their keypoints show it, and the measures give known answers on made-up errors."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from blender_meshrec.backend.detection.keypoints_npz import open_npz
from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.core.cameras import project, rigid_transform, transform_points
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.records import Recovery
from blender_meshrec.core.rotations import rotmat_from_rotvec
from blender_meshrec.core.skeletons import H36M17, KEYPOINT_SETS, SMPL_JOINTS
from scripts.evaluate.posed import measures
from scripts.evaluate.posed.body_parts import JOINT, centre_of_mass_weights, part_vertices
from scripts.evaluate.posed.clips import clip_of_motion
from scripts.evaluate.posed.filming import IMAGE_SIZE, film, views_of, write_keypoints
from scripts.evaluate.posed.key_poses import Contact, Flight, Motion, Pose
from scripts.evaluate.posed.motions import FEET, STAND, all_motions, on_floor
from scripts.evaluate.posed.rendering import RENDER_SIZE, clip_and_camera
from scripts.evaluate.posed.settle import GRAVITY
from scripts.evaluate.posed.summary import keeps_limits, summary, table
from scripts.evaluate.posed.truth import FPS, load_clip
from scripts.evaluate.posed_clips import main

CHAIR = 0.45  # m


def short_jump():
    """Stand, crouch, jump and land."""
    low = Pose(root=(0, 30, 0), spine=(16, 0, 0), legs=(70, 6, 8, 76, 26))
    push = Pose(root=(0, 2, 0), legs=(0, 4, 6, 4, -30))
    land = Pose(root=(0, 8, 0), legs=(22, 6, 8, 26, -6))
    keys = [(0.0, STAND), (0.2, STAND), (0.6, low), (0.9, push), (1.2, land), (1.5, low)]
    contacts = [*on_floor(FEET, 0, 0.8), *on_floor(("left_toe", "right_toe"), 0.8, 0.9), *on_floor(FEET, 1.25, 1.5)]
    flight = Flight(0.92, 1.18)
    return Motion("short_jump", keys, contacts, [flight], straight=[(0, 0.15)], jumps=[flight])


def short_sit():
    """Sit on a chair, without moving."""
    sit = Pose(root=(0, -6, 0), spine=(10, 0, 0), legs=(82, 9, 8, 84, 4))
    contacts = [*on_floor(FEET, 0, 0.2), Contact("seat", 0, 0.2, "chair")]
    return Motion("short_sit", [(0.0, sit), (0.2, sit)], contacts, supports={"chair": CHAIR}, still=True)


@pytest.fixture(scope="module")
def template():
    return load_body("open")


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Small problems are slower on more threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def jump(template):
    return clip_of_motion(template, short_jump())


@pytest.fixture(scope="module")
def sit(template):
    return clip_of_motion(template, short_sit())


def part_heights(template, clip):
    """Heights, m, of the lowest point of each of a clip's parts (F,C), and of the body (F,)."""
    vertices = make_body(template)(clip.betas, clip.poses[:, :3], clip.poses[:, 3:], clip.transl)[1].numpy()
    members = part_vertices(template)
    return np.stack([vertices[:, members[part], 2].min(1) for part in clip.parts], 1), vertices[:, members["body"], 2].min(1)


def true_recovery(clip, view, **changes):
    """The truth of a clip as a perfect reconstruction."""
    frames = len(clip)
    lifted = np.stack([clip.joints[:, SMPL_JOINTS.index(name)] if name in SMPL_JOINTS else clip.joints[:, 0] for name in H36M17], 1)
    values = dict(
        poses=clip.poses, trans=clip.transl, betas=clip.betas, surface_model_type="open", mocap_framerate=FPS,
        timestamps=np.arange(frames) / FPS, visible=np.ones(frames, bool), joints=clip.joints, confidence=np.ones((frames, 24)),
        lifted_joints=lifted, contacts=np.zeros((frames, 4)), camera_intrinsics=view.intrinsics,
        camera_from_world=np.tile(view.camera_from_world, (frames, 1, 1)), image_size=IMAGE_SIZE,
    )  # fmt: skip
    return Recovery(**{**values, **changes})


def measured(template, clip, **changes):
    """The measures of a clip's truth with changes."""
    view = views_of(clip)[0]
    keypoints = film(template, clip, view, "h36m17", noisy=False)
    return measures.measure(make_body(template), clip, view, true_recovery(clip, view, **changes), keypoints, "h36m17")


def test_parts_touch_where_and_when_the_truth_says(template, jump):
    heights, lowest = part_heights(template, jump)
    assert np.percentile(np.abs(heights[jump.touching]), 95) < 0.008  # m
    assert lowest.min() > -0.012
    first, last = jump.flights[0].astype(int)
    assert heights[(first + last) // 2].min() > 0.03
    assert not jump.touching[first : last + 1].any()


def test_seat_touches_the_chair(template, sit):
    heights, _ = part_heights(template, sit)
    assert sit.heights[sit.parts.index("seat")] == CHAIR
    assert np.abs(heights - sit.heights).max() < 0.005  # m
    assert measured(template, sit)["touch"] < 0.5  # cm


def test_flight_is_ballistic(jump):
    centre = jump.joints.transpose(0, 2, 1) @ centre_of_mass_weights()
    fall = (centre[2:] - 2 * centre[1:-1] + centre[:-2])[:, 2] * FPS**2  # of frames 1, 2, ...
    first, last = jump.flights[0].astype(int)
    assert np.abs(fall[first : last - 1] + GRAVITY)[1:-1].max() < 1.5  # m/s^2
    assert np.abs(fall[:4]).max() < 3  # standing


def test_standing_feet_do_not_slide(template, jump):
    vertices = make_body(template)(jump.betas, jump.poses[:, :3], jump.poses[:, 3:], jump.transl)[1].numpy()
    toe = vertices[:6, part_vertices(template)["left_toe"]]
    assert np.linalg.norm(np.diff(toe, axis=0), axis=-1).max() < 0.002  # m from one frame to the next


def test_a_file_holds_the_clip(tmp_path, jump):
    jump.save(tmp_path / "jump.npz")
    loaded = load_clip(tmp_path / "jump.npz")
    assert loaded.name == jump.name and loaded.parts == jump.parts
    for name in ("poses", "transl", "betas", "joints", "touching", "heights", "straight", "still", "flights"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(jump, name))


def test_views_show_the_whole_person_and_their_keypoints_are_exact(tmp_path, template, jump):
    joints = KEYPOINT_SETS["h36m17"].points
    for view in views_of(jump):
        keypoints = film(template, jump, view, "h36m17", noisy=False)
        assert (keypoints[..., :2] > 0).all() and (keypoints[..., :2] < IMAGE_SIZE).all()
        pixels = project(transform_points(view.camera_from_world, jump.joints[:, JOINT["left_knee"]]), view.intrinsics)
        np.testing.assert_allclose(keypoints[:, joints.index("left_knee"), :2], pixels, atol=0.1)  # px
    write_keypoints(tmp_path / "keypoints.npz", keypoints, "h36m17")
    footage, keypoint_set = open_npz(tmp_path / "keypoints.npz", None)
    assert (keypoint_set, len(footage.keypoints)) == ("h36m17", len(jump))


def test_rendered_images_have_the_view_of_the_keypoints(tmp_path, jump):
    view = views_of(jump)[1]
    jump.save(tmp_path / "short_jump.truth.npz")
    np.savez(tmp_path / "short_jump.oblique.camera.npz", intrinsics=view.intrinsics, world_from_camera=view.world_from_camera)
    _, intrinsics, world_from_camera = clip_and_camera(tmp_path, "short_jump", "oblique")
    seen = transform_points(view.camera_from_world, jump.joints)
    np.testing.assert_allclose(project(seen, intrinsics) * IMAGE_SIZE[0] / RENDER_SIZE[0], project(seen, view.intrinsics))
    np.testing.assert_allclose(world_from_camera, view.world_from_camera)


def test_the_truth_has_no_error(template, jump):
    numbers = measured(template, jump)
    for key in ("pelvis", "pelvis_p95", "knees", "gravity", "jump", "inclination", "pa"):
        assert abs(numbers[key]) < 1e-3
    assert numbers["touch"] < 0.8 and numbers["depth"] < 1.2  # cm
    assert abs(numbers["distance"] - 1) < 1e-6 and abs(numbers["size"] - 1) < 1e-6
    assert numbers["reprojection"] < 0.1 and np.isnan(numbers["drift"])
    assert keeps_limits(numbers)


def test_a_shifted_body_is_off_by_the_shift(template, jump):
    true = measured(template, jump)
    for shift in (-0.1, 0.1):
        up = np.array([0, 0, shift])
        numbers = measured(template, jump, trans=jump.transl + up, joints=jump.joints + up)
        assert abs(numbers["pelvis"] - 10) < 1e-3  # cm
        assert abs(numbers["touch"] - 10) < 2 * true["touch"]
        assert numbers["depth"] == 0 if shift > 0 else abs(numbers["depth"] - 10) < 1.5
        assert numbers["reprojection_gain"] > 2  # % of the box
        assert not keeps_limits(numbers)


def test_a_tilted_camera_is_an_error_of_gravity(template, jump):
    view = views_of(jump)[0]
    tilt = rigid_transform(rotmat_from_rotvec(np.radians([5.0, 0, 0])), np.zeros(3))
    turned = np.tile(tilt @ view.camera_from_world, (len(jump), 1, 1))
    assert abs(measured(template, jump, camera_from_world=turned)["gravity"] - 5) < 1e-3  # degrees


def test_knees_and_jumps_and_trunks_are_compared_with_the_truth(jump):
    thigh, shin = np.array([0, 0, -0.4]), np.array([0, 0.4 * np.sin(np.radians(30)), -0.4 * np.cos(np.radians(30))])
    bent = np.zeros((1, 24, 3))
    for side in ("left", "right"):
        bent[:, JOINT[f"{side}_knee"]] = thigh
        bent[:, JOINT[f"{side}_ankle"]] = thigh + shin
    np.testing.assert_allclose(measures.knee_bends(bent), 30)  # degrees
    higher = jump.joints.copy()
    rest = np.median(higher[jump.straight, 0, 2])
    higher[..., 2] = rest + 1.25 * (higher[..., 2] - rest)
    assert abs(measures.jump_error(higher, jump.joints, jump) - 25) < 1e-6  # %
    assert np.isnan(measures.jump_error(jump.joints, jump.joints, replace(jump, flights=np.zeros((0, 2)))))


def test_drift_is_the_largest_distance_from_the_first_second():
    still = np.zeros((120, 24, 3))
    drifting = still.copy()
    drifting[40:80, :, 0] = 0.03  # m
    drifting[80:, :, 0] = 0.01
    assert abs(measures.root_drift(drifting, still, np.ones(120, bool)) - 3) < 1e-9  # cm
    assert np.isnan(measures.root_drift(drifting, still, np.zeros(120, bool)))


def test_the_beginning_of_a_clip_has_the_jumps_that_end_in_it(jump):
    last = int(jump.flights[0, 1])
    assert len(jump.beginning(last)) == last and len(jump.beginning(last).flights) == 0
    assert len(jump.beginning(last + 1).flights) == 1


def test_summary_counts_the_files_within_the_limits():
    good = dict.fromkeys(measures.COLUMNS, 0.0) | {"drift": np.nan}
    rows = {"sit.front": good, "sit.oblique": good | {"touch": 3.5}, "hop.front": good, "hop.oblique": {"error": "Nobody was found."}}
    lines = summary(rows).splitlines()
    headings, limits, hop, sit, within, failed = (line.split() for line in lines)
    assert limits[:4] == ["limit", "6", "3", "2"] and headings[2] == "touch"
    assert sit[2] == "3.5*" and sit[-3:] == ["1", "of", "2"]
    assert hop[2] == "0.0" and hop[-3:] == ["1", "of", "2"]
    assert within[2:8] == ["3", "of", "3", "2", "of", "3"] and within[-3:] == ["2", "of", "4"]
    assert failed[0] == "hop.oblique:"
    assert "| **3.5** |" in table(rows)


@pytest.mark.parametrize("motion", all_motions(), ids=lambda motion: motion.name)
def test_keys_and_contacts_lie_in_the_motion(motion):
    times = [time for time, _ in motion.keys]
    assert times == sorted(set(times))
    for contact in motion.contacts:
        assert 0 <= contact.begin < contact.end <= motion.seconds + 1e-6
        assert contact.support == "floor" or contact.support in motion.supports
    for flight in motion.flights:  # nothing touches in mid-air
        middle = (flight.begin + flight.end) / 2
        assert not [c.part for c in motion.contacts if c.begin < middle < c.end]


def test_summary_reads_what_measure_wrote(tmp_path, capsys, monkeypatch):
    path = tmp_path / "table.json"
    path.write_text(json.dumps({"sit.front": {"touch": float("nan"), "depth": 2.5, "verdict": "good"}}), encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["posed_clips", "summary", str(path)])
    main()
    assert "2.5*" in capsys.readouterr().out
