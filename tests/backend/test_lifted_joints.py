"""The second lift, of the joints in the picture: the mean is nearer to the truth where the detector puts points beside joints."""

from types import SimpleNamespace

import numpy as np
import torch

from blender_meshrec.backend.passes.start import SHARE_IN_PICTURE, is_lifted, lift_joints_in_picture, lift_keypoints
from blender_meshrec.core.cameras import project
from blender_meshrec.core.metrics import pa_mpjpe
from blender_meshrec.core.records import Observations
from blender_meshrec.core.skeletons import H36M17, limb_indices
from tests.support.walk_before_camera import walk_about_hip

INTRINSICS = np.array([[900.0, 0, 640], [0, 900, 360], [0, 0, 1]])
TIMES = np.arange(60) / 30
LIMBS = limb_indices(H36M17)


def lifted_clip(keypoints, joints, boxes):
    """A clip of one person, whose keypoints (F,17,3) were lifted and whose joints in the picture (F,17,3) are known, or None."""
    seen = Observations("h36m17", boxes, keypoints, np.ones(len(TIMES), bool), joints=joints)
    person = SimpleNamespace(steady=seen, estimate=None)
    clip = SimpleNamespace(people=[person], intrinsics=INTRINSICS, motion_times=TIMES, joined=None, contacts_within_takes=np.array)
    clip.request, clip.device, clip.warnings, clip.refiners = SimpleNamespace(method="auto"), torch.device("cpu"), [], ()
    lift_keypoints(clip)
    return clip


def test_the_mean_with_lifted_joints_is_nearer_to_the_truth():
    true = walk_about_hip(TIMES)[:, : len(H36M17)]
    pixels = project(true + [0.0, 0, 5], INTRINSICS)
    boxes = np.concatenate([pixels.min(1), pixels.max(1)], -1)
    keypoints = np.concatenate([pixels, np.ones((*pixels.shape[:2], 1))], -1)
    joints = np.concatenate([pixels, np.full((*pixels.shape[:2], 1), 3.0)], -1)
    beside = keypoints + [*np.random.default_rng(0).normal(0, 12, 2), 0]  # which moves the person, and no joint against another
    beside[:, LIMBS, :2] += np.random.default_rng(1).normal(0, 12, (len(LIMBS), 2))
    clip = lifted_clip(beside, joints, boxes)
    first = clip.people[0].estimate
    lift_joints_in_picture(clip)
    second = clip.people[0].estimate
    assert pa_mpjpe(second.joints[:, LIMBS], true[:, LIMBS]) < pa_mpjpe(first.joints[:, LIMBS], true[:, LIMBS]) - 3  # mm
    np.testing.assert_array_equal(second.confidence, first.confidence)
    alone = lifted_clip(keypoints, None, boxes).people[0].estimate.joints
    np.testing.assert_allclose(second.joints, (1 - SHARE_IN_PICTURE) * first.joints + SHARE_IN_PICTURE * alone, atol=1e-5)


def test_without_joints_in_the_picture_one_lift_is_all():
    pixels = project(walk_about_hip(TIMES)[:, : len(H36M17)] + [0.0, 0, 5], INTRINSICS)
    keypoints = np.concatenate([pixels, np.ones((*pixels.shape[:2], 1))], -1)
    clip = lifted_clip(keypoints, None, np.concatenate([pixels.min(1), pixels.max(1)], -1))
    before = clip.people[0].estimate
    lift_joints_in_picture(clip)
    assert clip.people[0].estimate is before


def test_only_lifted_poses_are_lifted_again():
    for method, lifted in (("auto", True), ("skeleton2mesh", True), ("pc-hmr", False)):
        assert is_lifted(SimpleNamespace(request=SimpleNamespace(method=method))) == lifted
