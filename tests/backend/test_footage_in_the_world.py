"""A real clip of squats, from images to an upright world: properties that must hold without tuning for the clip."""

import numpy as np
import pytest

from blender_meshrec.backend.fitting.camera_space import solve_camera_space
from blender_meshrec.backend.fitting.gravity_and_floor import GroundEvidence, estimate_camera_tilt, estimate_gravity_and_floor
from blender_meshrec.backend.tracking.detect_and_track import detect_and_track
from blender_meshrec.bridge.messages import ReconstructRequest
from blender_meshrec.core.cameras import default_intrinsics, transform_points
from blender_meshrec.core.contacts import detect_contacts
from blender_meshrec.core.metrics import bone_length_variation, jitter, reprojection_error
from blender_meshrec.core.skeletons import H36M17, H36M17_PARENTS, to_h36m17
from blender_meshrec.methods import blazepose


@pytest.fixture(scope="module")
def squats(shared_media):
    tracked = detect_and_track(ReconstructRequest(str(shared_media / "video" / "tfjs-models__pose_squats.mp4"), frames=(0, 30)))
    person, frames = tracked.people[0], tracked.frames
    intrinsics = default_intrinsics(frames.size)
    estimate = blazepose.estimate(person, intrinsics, frames.timestamps, "cpu")
    keypoints = to_h36m17(person.keypoints, person.keypoint_set)
    camera_space = solve_camera_space(estimate, keypoints, person.visible, intrinsics, frames.size, frames.timestamps)
    return person, frames.timestamps, intrinsics, keypoints, camera_space


def test_joints_match_the_picture_with_constant_bone_lengths(squats):
    person, times, intrinsics, keypoints, camera_space = squats
    assert reprojection_error(camera_space.joints, H36M17, keypoints, H36M17, intrinsics, person.boxes)[1] < 0.02
    assert bone_length_variation(camera_space.joints, H36M17_PARENTS).max() < 1e-6
    assert jitter(camera_space.joints, times) < 8
    assert camera_space.joints[:, 0, 2].min() > 1.5 and camera_space.joints[:, 0, 2].max() < 6  # m, a room


def test_the_camera_is_level_and_feet_stay_in_contact(squats):
    """Judged by eye, the camera is level within 10 degrees, and the feet never leave the ground."""
    person, times, _intrinsics, _keypoints, camera_space = squats
    ankles = camera_space.joints[:, [H36M17.index(f"{side}_ankle") for side in ("left", "left", "right", "right")]]
    evidence = GroundEvidence(camera_space.joints, ankles, person.visible)
    assert np.abs(np.degrees(estimate_camera_tilt([evidence], times)[0])).max() < 10
    world_from_camera, _sigma = estimate_gravity_and_floor([evidence], times)
    joints, feet = (transform_points(world_from_camera, points) for points in (camera_space.joints, ankles))
    head, hip = joints[:, H36M17.index("head_top")], joints[:, 0]
    assert (head[:, 2] - hip[:, 2] > 0.3).all()
    assert np.ptp(hip[:, 2]) > 0.25  # m: somebody squats
    assert (detect_contacts(feet, times, person.visible, world_from_camera[:3, 3]) > 0.5).mean() > 0.8
