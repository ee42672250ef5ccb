"""DecoMR's training: rendered crops say where the body is, and each loss is zero where it should be."""

from pathlib import Path

import numpy as np
import pytest
import torch

from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.bodies.open_body_uv import open_body_uv
from blender_meshrec.bodies.uv_map import vertices_from_map
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.skeletons import SMPL_PARENTS
from blender_meshrec.methods.decomr import DecomrOutput
from blender_meshrec.methods.decomr_small import StartPose, project
from blender_meshrec.methods.hmr import load_hmr
from scripts.train.data.corresponding_crops import FRAMES, CropFilm, film_crops, open_crops
from scripts.train.data.filmed_bodies.motion import MotionDrawer
from scripts.train.data.recordings import Recording
from scripts.train.decomr import detect, make_batch
from scripts.train.decomr_losses import LOSS_WEIGHTS, PART_WEIGHTS, DecomrLosses, Truth, consistency, part_weights


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Rendered crops of the open body at rest, walking sideways."""
    rest = load_body().rest_joints(np.zeros(10))
    offsets, frames = rest - rest[np.maximum(SMPL_PARENTS, 0)], 60
    quats = np.tile(np.array([32767, 0, 0, 0], np.int16), (frames, 24, 1))
    trans = np.tile([0, 0.93, 0], (frames, 1)) + np.linspace(0, 1, frames)[:, None] * [1, 0, 0]
    motions = MotionDrawer([Recording("a", "77", "walk", quats, trans, np.ones(frames, bool), offsets, np.zeros((6, 3)))], "train")
    path = tmp_path_factory.mktemp("crops")
    film_crops(CropFilm(motions), (0, 0), 2 * FRAMES, path, with_vertices=True)
    return path


@pytest.fixture(scope="module")
def pool(folder):
    return open_crops(folder)


@pytest.fixture(scope="module")
def losses():
    return DecomrLosses(make_body(load_body()), open_body_uv())


def weak_cameras(truth: Truth) -> torch.Tensor:
    """The cameras (B,3), s and t, that project the true joints best."""
    found = []
    for joints, points in zip(truth.joints[:, :17, :2].numpy(), truth.points.numpy()):
        one, zero = np.ones(17), np.zeros(17)
        columns = np.concatenate([np.stack([joints[:, 0], one, zero], 1), np.stack([joints[:, 1], zero, one], 1)])
        found.append(np.linalg.lstsq(columns, points.T.ravel(), rcond=None)[0])
    return torch.tensor(np.array(found), dtype=torch.float32)


def true_output(pool) -> tuple[DecomrOutput, Truth]:
    _crops, truth = make_batch(np.random.default_rng(0), pool, np.arange(len(pool.images)), StartPose(load_hmr()))
    return DecomrOutput(truth.iuv, truth.maps, weak_cameras(truth)), truth


def test_pixels_show_the_points_of_the_body_that_the_correspondence_says(pool):
    output, truth = true_output(pool)
    assert 0.02 < truth.iuv[:, 0].mean() < 0.6
    # Half a pixel of 32, clothes, and perspective; a correspondence mirrored or turned would be off by a body's width.
    assert consistency(output, truth.iuv[:, 0]) < 0.08  # half crops, both axes together
    swapped = output._replace(iuv=output.iuv[:, [0, 2, 1]])
    assert consistency(swapped, truth.iuv[:, 0]) > 0.2


def test_location_maps_and_joints_are_those_of_the_vertices(folder, pool, losses):
    _output, truth = true_output(pool)
    vertices = torch.as_tensor(np.load(folder / "vertices.npy").astype(np.float32))
    assert (vertices_from_map(truth.maps, open_body_uv()) - vertices).norm(dim=-1).mean() < 0.006  # m
    assert (losses.joints_from_map @ truth.maps.flatten(1, 2) - truth.joints).norm(dim=-1).mean() < 0.02  # m
    projected = project(truth.joints[:, :17], weak_cameras(truth))
    assert (projected - truth.points).abs().mean() < 0.03  # half crops


def test_a_true_answer_costs_nothing_but_what_a_map_smooths(pool, losses):
    output, truth = true_output(pool)
    terms = losses(output, truth)
    assert set(terms) == set(LOSS_WEIGHTS)
    assert terms["mask"] < 1e-4 and terms["uv"] == 0 and terms["map"] == 0
    assert terms["key2d"] < 0.03 and terms["key3d"] < 0.03 and 10 < terms["tv"] < 1000


def test_hands_weigh_25_times_as_much_as_the_trunk(losses):
    body = load_body()
    weights = part_weights(body)
    of = {
        name: weights[body.lbs_weights[:, body.joint_names.index(name)] > 0.9].unique().tolist() for name in ("spine3", "head", "left_knee")
    }
    hand = weights[body.lbs_weights[:, body.joint_names.index("left_wrist")] > 0.9].unique().tolist()
    assert of == {"spine3": [1.0], "head": [2.0], "left_knee": [5.0]} and hand == [25.0] and PART_WEIGHTS["foot"] == 25
    assert losses.texel_weights[losses.covered].mean() == pytest.approx(1, abs=1e-5)


def test_each_loss_moves_what_it_is_of(pool, losses):
    output, truth = true_output(pool)
    values = DecomrOutput(*(part.clone().mul(0.9).add(0.04).requires_grad_() for part in output))
    terms = losses(values, truth)
    moved = {
        "mask": {0}, "uv": {0}, "map": {1}, "tv": {1}, "consistency": {0, 1, 2}, "key2d": {1, 2}, "key3d": {1},
    }  # fmt: skip
    for name, parts in moved.items():
        gradients = torch.autograd.grad(terms[name], values, retain_graph=True, allow_unused=True)
        assert {index for index, gradient in enumerate(gradients) if gradient is not None and gradient.abs().sum() > 0} == parts, name


def test_without_part_weights_every_texel_counts_the_same():
    plain = DecomrLosses(make_body(load_body()), open_body_uv(), by_part=False)
    assert plain.texel_weights[plain.covered].std() < 1e-5


def test_detections_are_noisy_and_forget_what_the_picture_does_not_show(pool):
    points = np.repeat(np.asarray(pool.points[:1]), 400, 0)
    points[:, 3, 2] = 0
    seen = detect(np.random.default_rng(0), points)
    assert 0.1 < seen[:, 3, 2].mean() < 0.4 < 0.9 < seen[:, 4, 2].mean() < 1
    error = np.abs(seen[:, 4, :2] - points[:, 4, :2])
    assert 0 < np.median(error) < 0.05
