"""The bundled clip and its ground truth are consistent and small."""

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


def test_clip_and_truth_have_equal_frames(truth):
    av = pytest.importorskip("av")
    with av.open(str(CLIP)) as container:
        stream = container.streams.video[0]
        assert float(stream.average_rate) == truth.mocap_framerate
        assert (stream.width, stream.height) == tuple(truth.image_size)
        assert sum(1 for _ in container.decode(stream)) == len(truth)
    assert CLIP.stat().st_size < 600e3 and TRUTH.stat().st_size < 200e3  # bytes


def test_truth_is_consistent_with_the_open_body(body, truth):
    joints, vertices = posed(body, truth)
    assert np.abs(joints - truth.joints).max() < 1e-4  # m
    h36m17 = body.h36m17(truth.betas, truth.poses[:, :3], truth.poses[:, 3:], truth.trans).numpy()
    assert np.abs(h36m17 - truth.lifted_joints).max() < 1e-4  # m
    # The body is on the floor and completely in the image.
    lowest = vertices[..., 2].min(1)
    assert np.abs(lowest).max() < 0.02  # m
    pixels = project(transform_points(truth.camera_from_world, vertices), truth.camera_intrinsics)
    assert (pixels > 0).all() and (pixels < truth.image_size).all()


def test_feet_in_contact_do_not_move(truth):
    for columns, joints in (((0, 1), (7, 10)), ((2, 3), (8, 11))):
        both = (truth.contacts[1:, columns] > 0.5).all(1) & (truth.contacts[:-1, columns] > 0.5).all(1)
        assert both.mean() > 0.5
        steps = np.linalg.norm(np.diff(truth.joints[:, joints], axis=0), axis=-1)
        assert steps[both].max() < 1e-4  # m a frame


def test_motion_is_humanly_possible(truth):
    speed = np.linalg.norm(np.diff(truth.joints, axis=0), axis=-1) * truth.mocap_framerate
    assert 1.5 < speed.max() < 9  # m/s: a lively wave, nothing faster
    height = truth.joints[:, 15, 2]
    assert height.min() < 0.75 * height.max()  # the squat
    assert (truth.joints[:, [20, 21], 2].min(1) > truth.joints[:, 15, 2]).any()  # both arms up
