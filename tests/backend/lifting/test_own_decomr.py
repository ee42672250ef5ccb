"""DecoMR with the weights that ship: when it is taken, what its network sees, and its mesh as estimate, armature and generator."""

import numpy as np
import pytest
import torch
from torch import nn

from blender_meshrec.backend import registry
from blender_meshrec.backend.detection.detections import Detection
from blender_meshrec.backend.footage.frame_source import Frame
from blender_meshrec.backend.lifting import crop_regressor, estimators, image_methods  # noqa: F401 - registers
from blender_meshrec.backend.lifting.crop_regressor import CropRegressor
from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.bodies.open_body_uv import open_body_uv
from blender_meshrec.bodies.uv_map import MapPainter
from blender_meshrec.bridge.messages import ReconstructRequest
from blender_meshrec.core.errors import InputError, ModelError
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.records import Observations
from blender_meshrec.core.rotations import rotmat_from_rotvec
from blender_meshrec.core.skeletons import H36M17, SMPL_JOINTS
from blender_meshrec.methods import decomr_small, pc_hmr
from blender_meshrec.methods.decomr import DecomrOutput
from blender_meshrec.methods.decomr_small import MAP_SIZE

CPU = torch.device("cpu")
SIZE = (640, 480)  # px
INTRINSICS = np.array([[600.0, 0, 320], [0, 600, 240], [0, 0, 1]])
REQUEST = ReconstructRequest("a.mp4", method="decomr", device="cpu")
CAMERA = (0.7, 0.1, -0.05)


class Seen(nn.Module):
    """In place of the network: a body with a bent left elbow that faces the camera; remembers its input."""

    def __init__(self) -> None:
        super().__init__()
        body = make_body(load_body())
        rotvecs = np.zeros((1, 24, 3))
        rotvecs[0, SMPL_JOINTS.index("left_elbow")] = (0, -1.2, 0)
        rotmats = torch.as_tensor(rotmat_from_rotvec(rotvecs), dtype=torch.float32)
        rotmats[:, 0] = torch.diag(torch.tensor([1.0, -1, -1]))
        joints, vertices = body(torch.zeros(10), rotmats[:, 0], rotmats[:, 1:])
        hip = (joints[:, 1:2] + joints[:, 2:3]) / 2
        self.joints = (joints - hip)[0]
        self.location_map = MapPainter(open_body_uv(), MAP_SIZE)(vertices - hip)
        self.crops: list[decomr_small.Crops] = []

    def forward(self, crops):
        self.crops.append(crops)
        count = len(crops.images)
        return DecomrOutput(
            torch.zeros(count, 3, 32, 32), self.location_map.expand(count, -1, -1, -1), torch.tensor([CAMERA]).expand(count, -1)
        )


@pytest.fixture
def nothing_added(monkeypatch, tmp_path):
    monkeypatch.setattr("blender_meshrec.core.files.user_models.data_folder", lambda: tmp_path)


@pytest.fixture
def network(monkeypatch, nothing_added):
    seen = Seen()
    monkeypatch.setattr(image_methods.OwnDecomrMethod, "load", lambda self: seen)
    monkeypatch.setattr(crop_regressor, "take_model", lambda key, load: load())
    return seen


def keypoints_at(x: float) -> np.ndarray:
    """h36m17 (17,3) px: joints spread over 200 px around x."""
    rng = np.random.default_rng(0)
    return np.concatenate([rng.uniform(-100, 100, (17, 2)) + [x, 240], np.full((17, 1), 0.9)], 1)


def regressed(network, frames=3) -> Observations:
    """What the regressor makes of a person who walks to the right."""
    regressor = CropRegressor(REQUEST)
    image = np.random.default_rng(1).integers(0, 255, (*SIZE[::-1], 3), np.uint8)
    keypoints = np.stack([keypoints_at(200 + 100 * frame) for frame in range(frames)])
    rows = []
    for row, points in enumerate(keypoints):
        rows += [
            found.regression for found in regressor.look_at(Frame(row, row / 30, 1 / 30, image), [Detection(points, None, 0.9)], "h36m17")
        ]
    regressor.run()
    boxes = np.concatenate([keypoints[..., :2].min(1), keypoints[..., :2].max(1)], 1)
    return Observations("h36m17", boxes, keypoints, np.ones(frames, bool), regression=np.array(rows))


def test_it_is_taken_where_no_checkpoint_was_added(nothing_added, monkeypatch, tmp_path):
    for method in ("decomr", "pc-hmr-decomr"):
        assert isinstance(image_methods.open_image_method(ReconstructRequest("a.mp4", method=method), CPU), image_methods.OwnDecomrMethod)
        assert image_methods.is_image_method(method)
    monkeypatch.setattr(image_methods, "user_checkpoint", lambda kind: tmp_path / kind)
    with pytest.raises(ModelError) as caught:  # the released one poses SMPL
        image_methods.open_image_method(REQUEST, CPU)
    assert caught.value.name == "method-needs-smpl"


def test_the_network_sees_the_joints_where_they_are_in_the_crop(network):
    regressed(network, 1)
    (crops,) = network.crops
    assert crops.images.shape == (1, 3, 128, 128)
    pixels = keypoints_at(200)[:, :2]
    low, high = pixels.min(0), pixels.max(0)
    wanted = (pixels - (low + high) / 2) / (1.2 * (high - low).max() / 2)
    np.testing.assert_allclose(crops.points[0, :, :2], wanted, atol=1e-4)
    assert (crops.points[0, :, 2] > 0.89).all()


def test_its_mesh_is_an_estimate_in_the_cameras_axes(network):
    observations = regressed(network)
    estimate = registry.ESTIMATORS.get("decomr")(observations, INTRINSICS, np.arange(3) / 30, CPU)
    middle = estimate.joints[1]  # seen at the middle of the picture: no turn
    wanted = network.joints.numpy()
    for name in ("left_knee", "right_shoulder", "left_wrist"):
        np.testing.assert_allclose(middle[H36M17.index(name)], wanted[SMPL_JOINTS.index(name)], atol=0.03, err_msg=name)
    left, right = estimate.joints[0], estimate.joints[2]
    across = [points[H36M17.index("left_hip")] - points[H36M17.index("right_hip")] for points in (left, right)]
    assert across[0][2] * across[1][2] < 0  # turned towards the camera from either side


def test_its_armature_is_a_generator_for_pc_hmr(network):
    observations, times = regressed(network), np.arange(3) / 30
    generated = registry.GENERATORS.get("decomr")(observations, INTRINSICS, times, CPU)
    elbow = generated.body.body_pose.reshape(3, 23, 3)[1, SMPL_JOINTS.index("left_elbow") - 1]
    np.testing.assert_allclose(elbow, [0, -1.2, 0], atol=0.15)  # rad
    assert np.abs(generated.body.betas[:3]).max() < 0.4  # the others change a skin by what a map of 64 texels smooths
    square = observations.boxes[1, :2] / 2 + observations.boxes[1, 2:] / 2
    half = (observations.boxes[1, 2:] - observations.boxes[1, :2]).max() * 1.2 / 2
    np.testing.assert_allclose(generated.points[1, 0], square + half * np.array(CAMERA[1:]), rtol=0.1, atol=8)  # px
    knee = generated.points[1, H36M17.index("left_knee")] - generated.points[1, 0]
    wanted = network.joints[SMPL_JOINTS.index("left_knee"), :2].numpy() * CAMERA[0] * half
    np.testing.assert_allclose(knee, wanted, atol=3)  # px
    estimated = registry.ESTIMATORS.get("decomr")
    both = pc_hmr.parallel(registry.GENERATORS.get("decomr"), estimated)(observations, INTRINSICS, times, CPU)
    assert both.body is not None and both.joints.shape == (3, 17, 3)


def test_a_generator_without_pictures_says_so():
    observations = Observations("h36m17", np.zeros((2, 4)), np.ones((2, 17, 3)), np.ones(2, bool))
    with pytest.raises(InputError) as caught:
        registry.GENERATORS.get("decomr")(observations, INTRINSICS, np.arange(2) / 30, CPU)
    assert caught.value.name == "nothing-regressed"
