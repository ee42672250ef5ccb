"""The small DecoMR: what it sees of joints, where features go, and the weights that ship."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from blender_meshrec.bodies.joint_projector import JointProjector
from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.bodies.network_file import load_network
from blender_meshrec.bodies.open_body_uv import open_body_uv
from blender_meshrec.bodies.uv_map import vertices_from_map
from blender_meshrec.core.errors import ModelError
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.rotations import rotmat_from_rotvec
from blender_meshrec.core.skeletons import SMPL_JOINTS
from blender_meshrec.methods import decomr_small
from blender_meshrec.methods.decomr_small import (
    Crops,
    DecomrSmall,
    StartImage,
    StartPose,
    fit_cameras,
    heat_maps,
    points_in_crops,
    project,
    read_decomr,
    sample,
)
from blender_meshrec.methods.hkmr import MirrorAverage, load_hkmr


def crops_of(count=2, seed=0):
    rng = np.random.default_rng(seed)
    points = np.concatenate([rng.uniform(-0.8, 0.8, (count, 17, 2)), np.ones((count, 17, 1))], -1)
    start_map, camera = rng.normal(size=(count, 64, 64, 3)), np.tile([0.8, 0.1, -0.1], (count, 1))
    values = rng.normal(size=(count, 3, 128, 128)), points, start_map, camera
    return Crops(*(torch.as_tensor(value, dtype=torch.float32) for value in values))


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    network = DecomrSmall().eval().requires_grad_(False)
    torch.nn.init.normal_(network.LNet.uv_end[1].weight, std=0.1)
    return network


def test_outputs_are_of_the_documented_sizes(network):
    output = network(crops_of())
    assert output.iuv.shape == (2, 3, 32, 32) and output.location_map.shape == (2, 64, 64, 3) and output.camera.shape == (2, 3)
    assert output.iuv.min() >= 0 and output.iuv.max() <= 1


def test_a_heat_map_is_highest_at_its_joint():
    places = torch.tensor([[[-0.5, 0.25]] * 17])
    maps = heat_maps(places, 32)
    row, column = divmod(int(maps[0, 3].argmax()), 32)
    assert abs((column + 0.5) / 16 - 1 + 0.5) < 0.05 and abs((row + 0.5) / 16 - 1 - 0.25) < 0.05
    assert maps.max() <= 1 and maps[0, 0, 0, 31] < 1e-6


def test_a_joint_that_is_not_known_is_not_looked_at(network):
    crops = crops_of()
    points = crops.points.clone()
    points[:, 4, 2] = 0.1
    moved = points.clone()
    moved[:, 4, :2] += 0.7
    for first, second in zip(network(crops._replace(points=points)), network(crops._replace(points=moved))):
        torch.testing.assert_close(first, second)
    assert not torch.allclose(network(crops).location_map, network(crops._replace(points=points)).location_map)


def test_points_are_measured_in_half_crops_from_the_centre():
    keypoints = np.zeros((1, 17, 3))
    keypoints[0, 0], keypoints[0, 1] = (140, 90, 0.7), (100, 50, 0.2)
    points = points_in_crops(keypoints, np.array([[100.0, 50.0, 80.0]]))
    np.testing.assert_allclose(points[0, :2], [[1, 1, 0.7], [0, 0, 0.2]])


def test_an_untrained_network_gives_the_start():
    crops = crops_of()
    output = DecomrSmall()(crops)
    assert torch.equal(output.location_map, crops.start_map) and torch.equal(output.camera, crops.start_camera)


@pytest.fixture(scope="module")
def standing():
    """Crops of a person who stands in front of the camera, arms down, as StartPose makes them."""
    body, upright = make_body(load_body()), torch.diag(torch.tensor([1.0, -1, -1]))[None]
    joints = body.h36m17(torch.zeros(10), upright, torch.eye(3).expand(1, 23, 3, 3))
    places = 0.8 * (joints - joints[:, :1])[..., :2] + torch.tensor([0.05, -0.1])
    start = StartPose(MirrorAverage(load_hkmr()))
    return start.crops(torch.zeros(1, 3, 128, 128), torch.cat([places, torch.ones(1, 17, 1)], -1))


def test_a_pixel_of_the_start_shows_what_is_projected_there(standing):
    covered = DecomrSmall().is_covered
    image = StartImage(standing, covered)
    rows, columns = torch.nonzero(image.mask[0, 0], as_tuple=True)
    assert 60 < len(rows) < 500  # of 1024 px
    uv = image.uv[0, :, rows, columns].T
    texels = (uv * 63).round().long()
    shown = standing.start_map[:, texels[:, 1], texels[:, 0]]
    centres = (torch.stack([columns, rows], -1) + 0.5) / 16 - 1
    assert (project(shown, standing.start_camera)[0] - centres).abs().max() <= 1 / 16 + 1e-5  # half a pixel
    assert torch.equal(shown[0, :, 2], image.depth[0, 0, rows, columns])


def test_texels_at_the_back_are_hidden(standing):
    image = StartImage(standing, DecomrSmall().is_covered)
    of_start = standing.start_map[0, ::2, ::2]
    nearest = sample(image.depth, image.places)[0, 0]
    behind = of_start[..., 2] - nearest
    assert (image.hidden[0, 0][behind > 0.18] > 0.9).all() and (image.hidden[0, 0][behind < 0] < 0.05).all()
    assert (behind > 0.18).any() and (behind < 0).any()


def test_an_untrained_network_finds_the_start_in_the_picture(standing):
    network = DecomrSmall()
    iuv, start = network.correspondence(standing), StartImage(standing, network.is_covered)
    assert torch.equal(iuv[:, :1] > 0.5, start.mask > 0.5)
    inside = start.mask[0, 0] > 0
    torch.testing.assert_close(iuv[0, 1:][:, inside], start.uv[0][:, inside].clamp(0.01, 0.99))


def test_the_start_is_a_body_whose_joints_are_projected_where_they_were_seen():
    """A person who stands in front of the camera, seen off the crop's centre."""
    body = make_body(load_body())
    upright = torch.diag(torch.tensor([1.0, -1, -1]))[None]
    rotvecs = np.zeros((1, 23, 3))
    rotvecs[0, SMPL_JOINTS.index("left_shoulder") - 1], rotvecs[0, SMPL_JOINTS.index("right_shoulder") - 1] = (0, 0, -1.2), (0, 0, 1.2)
    joints = body.h36m17(torch.zeros(10), upright, torch.as_tensor(rotmat_from_rotvec(rotvecs), dtype=torch.float32))
    places = 0.7 * (joints - joints[:, :1])[..., :2] + torch.tensor([0.15, -0.1])
    start = StartPose(MirrorAverage(load_hkmr()))
    location_map, camera = start(torch.cat([places, torch.ones(1, 17, 1)], -1))
    vertices = vertices_from_map(location_map, open_body_uv())
    found = JointProjector(body).h36m17_image @ vertices
    projected = camera[:, None, :1] * found[..., :2] + camera[:, None, 1:]
    assert (projected - places).norm(dim=-1).mean() < 0.1  # half crops
    assert np.ptp(vertices[0, :, 1].numpy()) > 1.2  # m, from head to feet


def test_a_camera_is_found_from_the_joints_that_are_known():
    joints = torch.randn(2, 17, 3)
    points = torch.cat([0.6 * joints[..., :2] + torch.tensor([0.2, -0.3]), torch.ones(2, 17, 1)], -1)
    points[:, 5:9] = torch.tensor([9.0, 9.0, 0.0])  # not known
    torch.testing.assert_close(fit_cameras(joints, points, torch.full((2, 1), 0.6)), torch.tensor([[0.6, 0.2, -0.3]]).expand(2, 3))
    points[..., 2] = 0
    assert torch.isfinite(fit_cameras(joints, points, torch.full((2, 1), 0.6))).all()


def test_the_weights_that_ship_are_read():
    network = load_network(read_decomr, decomr_small.WEIGHTS_FILE)
    crops = crops_of()
    output = network(crops)
    assert not network.training and torch.isfinite(output.location_map).all()
    assert not torch.allclose(output.location_map, crops.start_map)  # trained


def test_weights_of_another_network_are_refused(tmp_path):
    save_file({"CNet.stem.0.weight": torch.zeros(3)}, tmp_path / "decomr.safetensors")
    with pytest.raises(ModelError) as caught:
        read_decomr(tmp_path / "decomr.safetensors")
    assert caught.value.name == "network-file-of-another-version"
