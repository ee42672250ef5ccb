"""The bundled clip and its truth belong together, and are small enough to carry."""

from pathlib import Path

import numpy as np
import pytest

from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.core.cameras import project, transform_points
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.files.motion_npz import read_motion

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
CLIP, TRUTH = SCRIPTS / "demo_clip.mp4", SCRIPTS / "demo_clip_truth.npz"


@pytest.fixture(scope="module")
def truth():
    return read_motion(TRUTH)


@pytest.fixture(scope="module")
def body():
    return make_body(load_body("open"))


def posed(body, truth):
    joints, vertices = body(truth.betas, truth.poses[:, :3], truth.poses[:, 3:], truth.trans)
    return joints.numpy(), vertices.numpy()


def test_the_clip_has_the_frames_of_its_truth(truth):
    av = pytest.importorskip("av")
    with av.open(str(CLIP)) as container:
        stream = container.streams.video[0]
        assert float(stream.average_rate) == truth.mocap_framerate
        assert (stream.width, stream.height) == tuple(truth.image_size)
        assert sum(1 for _ in container.decode(stream)) == len(truth)
    assert CLIP.stat().st_size < 600e3 and TRUTH.stat().st_size < 200e3  # bytes


def test_the_truth_is_what_the_open_body_does(body, truth):
    joints, vertices = posed(body, truth)
    assert np.abs(joints - truth.joints).max() < 1e-4  # m
    h36m17 = body.h36m17(truth.betas, truth.poses[:, :3], truth.poses[:, 3:], truth.trans).numpy()
    assert np.abs(h36m17 - truth.lifted_joints).max() < 1e-4  # m
    # It stands on the floor, and the camera sees all of it.
    lowest = vertices[..., 2].min(1)
    assert np.abs(lowest).max() < 0.02  # m
    seen = project(transform_points(truth.camera_from_world, vertices), truth.camera_intrinsics)
    assert (seen > 0).all() and (seen < truth.image_size).all()


def test_feet_that_stand_stand_still(truth):
    for columns, joints in (((0, 1), (7, 10)), ((2, 3), (8, 11))):
        both = (truth.contacts[1:, columns] > 0.5).all(1) & (truth.contacts[:-1, columns] > 0.5).all(1)
        assert both.mean() > 0.5
        steps = np.linalg.norm(np.diff(truth.joints[:, joints], axis=0), axis=-1)
        assert steps[both].max() < 1e-4  # m a frame


def test_the_performer_moves_as_people_can(truth):
    speed = np.linalg.norm(np.diff(truth.joints, axis=0), axis=-1) * truth.mocap_framerate
    assert 1.5 < speed.max() < 9  # m/s: a lively wave, nothing faster
    height = truth.joints[:, 15, 2]
    assert height.min() < 0.75 * height.max()  # the squat
    assert (truth.joints[:, [20, 21], 2].min(1) > truth.joints[:, 15, 2]).any()  # both arms up
