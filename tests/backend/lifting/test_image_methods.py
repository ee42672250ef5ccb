"""Image methods: what is regressed of crops, when, in which axes it is used, and what is said where a file is missing."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from blender_meshrec.backend import registry
from blender_meshrec.backend.camera.steady_view import steady_observations
from blender_meshrec.backend.detection.detections import Detection
from blender_meshrec.backend.detection.detector import Detector
from blender_meshrec.backend.fitting.body_fit import fit_body
from blender_meshrec.backend.fitting.body_params import local_rotmats
from blender_meshrec.backend.fitting.regressed_rotations import with_rotations
from blender_meshrec.backend.footage.frame_source import Frame
from blender_meshrec.backend.lifting import crop_regressor, estimators, image_methods, released_lifter  # noqa: F401 - registers
from blender_meshrec.backend.lifting.crop_regressor import CropRegressor
from blender_meshrec.backend.lifting.image_estimates import estimate_from_crops
from blender_meshrec.backend.tracking.detect_and_track import detect_and_track
from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.bodies.skel import Skel
from blender_meshrec.bodies.uv_map import UvLayout
from blender_meshrec.bridge.messages import ReconstructRequest
from blender_meshrec.core.crop_regression import ROW_LENGTH, CropRegression
from blender_meshrec.core.errors import InputError, ModelError
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.records import Observations
from blender_meshrec.core.rotations import rotmat_from_rotvec
from blender_meshrec.core.skel.template import skel_from_arrays
from blender_meshrec.core.skeletons import COCO17, H36M17
from blender_meshrec.methods.blazepose import rotation_from_optical_axis
from blender_meshrec.methods.decomr import Decomr, DecomrOutput
from blender_meshrec.methods.hmr2 import SmplHead
from blender_meshrec.methods.hsmr_network import SkelRegression
from blender_meshrec.methods.image_networks.smpl_regression import SmplRegression
from blender_meshrec.methods.videopose3d import VideoPose3D, input_points, lift_clip, normalise_points
from tests.support.footage_files import make_frame, write_video
from tests.support.synthetic_gait import make_view, walk
from tests.support.synthetic_keypoints import animate_stick_figure, project_orthographic
from tests.support.synthetic_skel import skel_arrays

CPU = torch.device("cpu")
IDENTITIES = np.tile(np.eye(3), (24, 1, 1))


class Colour(image_methods.ImageMethod):
    """Regresses the mean of a crop as the betas, so that a row tells which picture it is of. Counts the crops of each run."""

    runs: ClassVar[list[int]] = []

    def load(self):
        return torch.nn.Identity()

    def cut(self, image, box):
        return image[:8, :8], np.array([*(box[:2] + box[2:]) / 2, 100.0])

    def regress(self, network, images, squares):
        self.runs.append(len(images))
        betas = network(images).mean((1, 2, 3))[:, None].repeat(1, 10).numpy()
        count = len(images)
        joints, rotmats = np.zeros((count, 17, 3)), np.tile(IDENTITIES, (count, 1, 1, 1))
        return CropRegression(joints, rotmats, betas, np.zeros((count, 3)), squares, np.ones(count, bool), np.ones(count, bool))


@pytest.fixture
def colour(monkeypatch, tmp_path):
    monkeypatch.setitem(image_methods.IMAGE_METHODS, "spin", Colour)
    monkeypatch.setattr(image_methods, "user_checkpoint", lambda kind: tmp_path / f"{kind}.safetensors")
    Colour.runs = []
    return Colour


def figure(shift=0.0):
    return project_orthographic(animate_stick_figure([0.0]), (40 + shift, 30), 20)[0]


def frame_of(row, value):
    return Frame(row, row / 30, 1 / 30, np.full((40, 40, 3), value, np.uint8))


# --- rows ---


def test_a_row_holds_everything():
    rng = np.random.default_rng(0)
    shapes = ((3, 17, 3), (3, 24, 3, 3), (3, 10), (3, 3), (3, 3))
    regression = CropRegression(*(rng.normal(size=shape) for shape in shapes), np.array([1, 0, 1], bool), np.array([0, 1, 1], bool))
    found = CropRegression.from_rows(regression.to_rows())
    for name in ("joints", "rotmats", "betas", "camera", "squares", "has_rotmats", "known"):
        assert np.array_equal(getattr(found, name), getattr(regression, name)), name
    assert not found.q.any()
    angles = replace(regression, q=rng.normal(size=(3, 46)))
    assert np.array_equal(CropRegression.from_rows(angles.to_rows()).q, angles.q)
    assert not CropRegression.from_rows(np.zeros((2, ROW_LENGTH))).known.any()


def test_a_batch_spans_frames_and_fills_rows_in_place(colour, monkeypatch):
    regressor = CropRegressor(ReconstructRequest("a.mp4", method="spin", device="cpu"))
    regressor._batch = 3
    detections = []
    for row in range(4):
        found = regressor.look_at(frame_of(row, 10 * row), [Detection(figure(), None, 0.9)], "blazepose33")
        detections += found
        assert (regressor.num_unfilled == 0) == (row == 2)
    assert colour.runs == [3] and not detections[3].regression.any()
    regressor.run()
    betas = CropRegression.from_rows(np.stack([detection.regression for detection in detections])).betas[:, 0]
    assert colour.runs == [3, 1] and (np.diff(betas) > 0).all()
    regressor.run()
    assert colour.runs == [3, 1]
    unseen = regressor.look_at(Frame(5, 0.2, 0.03, None), [Detection(figure(), None, 0.9)], "blazepose33")
    assert regressor.num_unfilled == 0 and not unseen[0].regression.any()


def test_too_small_a_memory_halves_the_batch_and_at_last_takes_the_processor(colour, monkeypatch):
    regressor = CropRegressor(ReconstructRequest("a.mp4", method="spin", device="cpu"))
    regressor.device, regressor._batch, plain = torch.device("meta"), 4, regressor._run_network
    sizes = []

    def run(people):
        sizes.append((len(people.crops), regressor.device.type))
        if regressor.device.type == "meta" and (len(people.crops) > 2 or len(sizes) > 2):
            raise RuntimeError("out of memory")
        device, regressor.device = regressor.device, CPU
        values = plain(people)
        regressor.device = device
        return values

    monkeypatch.setattr(regressor, "_run_network", run)
    found = regressor.look_at(frame_of(0, 50), [Detection(figure(shift), None, 0.9) for shift in range(4)], "blazepose33")
    assert [size for size, _kind in sizes] == [4, 2, 2, 1, 1, 1] and sizes[-1][1] == "cpu"
    assert all(detection.regression.any() for detection in found)
    with pytest.raises(RuntimeError, match="broken"):
        monkeypatch.setattr(regressor, "_run_network", lambda *_: (_ for _ in ()).throw(RuntimeError("broken")))
        regressor.look_at(frame_of(0, 50), [Detection(figure(), None, 0.9)], "blazepose33")


def test_boxes_are_of_a_size_that_can_be_cropped():
    picture = np.zeros((100, 200, 3), np.uint8)
    assert crop_regressor.bounded_box(np.array([20, 10, 60, 90.0]), picture).tolist() == [20, 10, 60, 90]
    assert crop_regressor.bounded_box(np.array([-1e6, 10, 1e6, 1e5]), picture).tolist() == [-200, 10, 400, 200]
    assert crop_regressor.bounded_box(np.array([50, 50, 50, 50.0]), picture).tolist() == [46, 46, 54, 54]


def test_a_long_run_is_forecast_once_the_network_is_warm(colour):
    regressor = CropRegressor(ReconstructRequest("a.mp4", method="spin", device="cpu"))
    regressor._seconds = [60.0]
    assert regressor.forecast(1000, 1) is None  # the first one loads the network
    regressor._seconds = [60.0, 2.0, 2.2, 2.0]
    told = regressor.forecast(900, 2)
    assert told.name == "image-method-forecast" and "SPIN takes 2.0 s" in told and "about 60 minutes" in told
    assert regressor.forecast(30, 1) is None and regressor.forecast(0, 1) is None


def test_rows_go_through_the_tracker_and_the_cache(colour, monkeypatch, tmp_path):
    class OneFigure(Detector):
        calls = 0

        def identity(self):
            return "one figure"

        def detect(self, frame, expected):
            type(self).calls += 1
            return [Detection(figure(), None, 0.9)]

    monkeypatch.setitem(registry.DETECTORS.implementations, "one", OneFigure)
    film = write_video(tmp_path / "film.mp4", [make_frame(number) for number in range(24)])
    request = ReconstructRequest(str(film), detector="one", method="spin", device="cpu", cache=str(tmp_path / "cache"))
    monkeypatch.setattr(crop_regressor, "BATCH_ON_PROCESSOR", 5)
    (first,) = detect_and_track(request).people
    assert colour.runs == [5, 5, 5, 5, 4] and first.regression.shape == (24, ROW_LENGTH)
    assert CropRegression.from_rows(first.regression).known.all() and OneFigure.calls == 24
    (second,) = detect_and_track(request).people
    assert np.array_equal(second.regression, first.regression) and len(colour.runs) == 5 and OneFigure.calls == 24
    (plain,) = detect_and_track(replace(request, method="auto")).people
    assert plain.regression is None and OneFigure.calls == 48  # another entry of the cache
    keypoints = tmp_path / "keypoints.npz"
    keypoints.touch()
    with pytest.raises(InputError) as caught:
        detect_and_track(replace(request, source=str(keypoints), detector="keypoints"))
    assert caught.value.name == "image-method-needs-footage"


# --- estimates ---


@pytest.fixture
def seen():
    """A person who walks through a picture, and rows as an image method that is right would give them."""
    times = np.arange(20) / 30
    truth, view = walk(times), make_view(distance=4)
    in_camera = view.joints(truth.h36m17)
    pixels = view.keypoints(truth.h36m17)
    hips = in_camera[:, :1]
    directions = hips[:, 0] / np.linalg.norm(hips[:, 0], axis=-1, keepdims=True)
    camera_from_crop = rotation_from_optical_axis(directions)
    rotmats = np.tile(IDENTITIES, (20, 1, 1, 1))
    rotmats[:, 0] = np.swapaxes(camera_from_crop, -1, -2) @ rotmat_from_rotvec([0.1, 0.2, 0.3])
    squares = np.column_stack([pixels[:, 0, :2], np.full(20, 300.0)])
    rows = CropRegression(
        (in_camera - hips) @ camera_from_crop, rotmats, np.zeros((20, 10)), np.zeros((20, 3)), squares, np.ones(20, bool), np.ones(20, bool)
    ).to_rows()
    boxes = np.concatenate([pixels[..., :2].min(1), pixels[..., :2].max(1)], 1)
    observations = Observations("h36m17", boxes, pixels, np.ones(20, bool), regression=rows)
    return observations, view.intrinsics, times, in_camera - hips


def test_an_estimate_is_in_the_cameras_axes(seen):
    observations, intrinsics, times, joints = seen
    estimate = estimate_from_crops(observations, intrinsics, times, CPU)
    np.testing.assert_allclose(estimate.joints, joints, atol=1e-4)
    np.testing.assert_allclose(estimate.rotmats[:, 0], np.tile(rotmat_from_rotvec([0.1, 0.2, 0.3]), (20, 1, 1)), atol=1e-5)
    assert estimate.body is None and not estimate.is_temporal and (estimate.confidence == 1).all()


def test_frames_without_a_crop_lie_between_those_with_one(seen):
    observations, intrinsics, times, joints = seen
    rows, visible = np.array(observations.regression), np.ones(20, bool)
    rows[8:11], visible[:2] = 0, False
    estimate = estimate_from_crops(replace(observations, regression=rows, visible=visible), intrinsics, times, CPU)
    assert not estimate.joints[:2].any() and not estimate.confidence[:2].any()
    assert np.abs(estimate.joints[8:11] - joints[8:11]).max() < 0.05 and estimate.joints[9].any()
    np.testing.assert_allclose(estimate.rotmats[0], IDENTITIES)


def test_without_any_row_the_method_is_refused(seen):
    observations, intrinsics, times, _joints = seen
    for rows in (None, np.zeros((20, ROW_LENGTH))):
        with pytest.raises(InputError) as caught:
            estimate_from_crops(replace(observations, regression=rows), intrinsics, times, CPU)
        assert caught.value.name == "nothing-regressed"


def test_methods_without_rotations_give_none(seen):
    observations, intrinsics, times, _joints = seen
    rows = np.array(observations.regression)
    rows[:, 1] = 0
    assert estimate_from_crops(replace(observations, regression=rows), intrinsics, times, CPU).rotmats is None


def test_a_turning_camera_gives_the_same_person_as_a_still_one(seen):
    """The view's answer, turned back by each frame's camera, is the footage's."""
    observations, intrinsics, times, joints = seen
    camera_from_view = rotmat_from_rotvec(np.column_stack([np.linspace(0, 0.1, 20), np.linspace(0, 0.3, 20), np.linspace(0, 0.05, 20)]))
    steady = steady_observations(observations, camera_from_view, intrinsics, (1920, 1080))
    estimate = estimate_from_crops(steady, intrinsics, times, CPU)
    np.testing.assert_allclose(estimate.joints, joints @ camera_from_view, atol=1e-4)
    expected = np.swapaxes(camera_from_view, -1, -2) @ rotmat_from_rotvec([0.1, 0.2, 0.3])
    np.testing.assert_allclose(estimate.rotmats[:, 0], expected, atol=1e-5)


def test_regressed_rotations_replace_those_of_dik_where_the_person_is(seen):
    _observations, _intrinsics, times, joints = seen
    fit = fit_body(load_body(), joints + [0, 0, 4], np.ones((20, 17)), None, times)
    visible = np.arange(20) < 12
    rotmats = rotmat_from_rotvec(np.random.default_rng(0).normal(0, 0.4, (20, 24, 3)))
    changed = with_rotations(fit, rotmats, visible)
    before, after = local_rotmats(fit.body), local_rotmats(changed.body)
    np.testing.assert_allclose(after[:12, :22], rotmats[:12, :22], atol=1e-5)
    np.testing.assert_allclose(after[12:], before[12:], atol=1e-6)
    np.testing.assert_allclose(after[:, 22:], before[:, 22:], atol=1e-6)
    assert np.array_equal(changed.body.betas, fit.body.betas) and np.array_equal(changed.body.transl, fit.body.transl)


# --- bodies ---


def test_smpls_rotations_become_joints_of_the_users_body(monkeypatch):
    body = make_body(load_body())
    monkeypatch.setattr(image_methods, "_smpl_body", lambda request, device: body)
    method = image_methods.Hmr2Method(ReconstructRequest("a", method="hmr2"), None, CPU)
    rotmats = torch.as_tensor(rotmat_from_rotvec(np.random.default_rng(0).normal(0, 0.5, (2, 24, 3))), dtype=torch.float32)
    betas = torch.randn(2, 10)
    network = torch.nn.Module()
    network.forward = lambda images: SmplRegression(rotmats, betas, torch.ones(2, 3))
    found = method.regress(network, torch.zeros(2, 3, 4, 4), np.zeros((2, 3)))
    expected = body.h36m17(betas, rotmats[:, 0], rotmats[:, 1:])
    np.testing.assert_allclose(found.joints, (expected - expected[:, :1]).numpy(), atol=1e-6)
    np.testing.assert_allclose(found.rotmats, rotmats.numpy(), atol=1e-6)
    assert found.has_rotmats.all() and found.known.all()


def test_skels_angles_become_the_same_joints_by_smpls_names(monkeypatch, tmp_path):
    np.savez(tmp_path / "skel_male.npz", **skel_arrays())
    request = ReconstructRequest("a", method="hsmr", skel_body=str(tmp_path / "skel_male.npz"))
    method = image_methods.HsmrMethod(request, None, CPU)
    q, betas = torch.zeros(2, 46), torch.randn(2, 10)
    q[:, 3] = 0.4  # the right hip bends
    network = torch.nn.Module()
    network.forward = lambda images: SkelRegression(q, betas, torch.ones(2, 3))
    found = method.regress(network, torch.zeros(2, 3, 4, 4), np.zeros((2, 3)))
    posed, rotations, *_ = Skel(skel_from_arrays(skel_arrays(), "skel"), CPU)(q, betas, with_skin=False)
    hip = (posed[:, 1] + posed[:, 6]) / 2
    for name, joint in {"right_knee": 2, "left_ankle": 8, "right_shoulder": 15, "left_elbow": 21, "right_wrist": 18}.items():
        np.testing.assert_allclose(found.joints[:, H36M17.index(name)], (posed[:, joint] - hip).numpy(), atol=1e-5, err_msg=name)
    rotmats = torch.as_tensor(found.rotmats, dtype=torch.float32)
    torch.testing.assert_close(rotmats[:, 0] @ rotmats[:, 2], rotations[:, 1], atol=1e-5, rtol=0)  # pelvis, then the right hip
    assert found.has_rotmats.all() and rotmats[0, 2, 0, 0] < 0.999
    np.testing.assert_allclose(found.q, q.numpy(), atol=1e-6)  # which the fit of SKEL's angles starts from


def test_decomrs_map_becomes_joints_by_way_of_its_vertices():
    torch.manual_seed(0)
    network = Decomr.__new__(Decomr)
    torch.nn.Module.__init__(network)
    ramp = torch.linspace(0, 1, 128)
    location_map = torch.stack([*torch.meshgrid(ramp, ramp, indexing="xy"), torch.zeros(128, 128)], -1)[None]  # each texel at its own UV
    network.forward = lambda images: DecomrOutput(torch.zeros(1, 3, 56, 56), location_map, torch.ones(1, 3))
    method = image_methods.DecomrMethod.__new__(image_methods.DecomrMethod)
    texcoords = np.random.default_rng(0).uniform(0.1, 0.9, (40, 2))
    method.device, method.layout, method.projector = CPU, UvLayout(texcoords, np.arange(40)), torch.eye(40)[:17]
    found = method.regress(network, torch.zeros(1, 3, 4, 4), np.zeros((1, 3)))
    np.testing.assert_allclose(found.joints[0, :, :2], texcoords[:17] - texcoords[0], atol=1e-5)
    assert not found.has_rotmats.any() and found.known.all()


def test_a_missing_checkpoint_or_body_is_told_before_the_footage_is_read(monkeypatch, tmp_path):
    request = ReconstructRequest("nowhere.mp4", method="hmr2", device="cpu")
    monkeypatch.setattr("blender_meshrec.core.files.user_models.data_folder", lambda: tmp_path)
    cases = [("hmr2", "checkpoint-not-added"), ("spin", "checkpoint-not-added")]
    for method, name in cases:
        with pytest.raises(ModelError) as caught:
            detect_and_track(replace(request, method=method))
        assert caught.value.name == name and caught.value.exit_code == 4
    monkeypatch.setattr(image_methods, "user_checkpoint", lambda kind: tmp_path / kind)
    monkeypatch.setattr(image_methods, "user_checkpoints", lambda: {"hsmr": (tmp_path, "hsmr")})
    for method, name in (
        ("hmr2", "method-needs-smpl"),
        ("spin", "method-needs-smpl"),
        ("hsmr", "method-needs-skel"),
        ("decomr", "method-needs-smpl"),
    ):
        with pytest.raises(ModelError) as caught:
            detect_and_track(replace(request, method=method))
        assert caught.value.name == name and caught.value.exit_code == 4


def test_released_weights_are_loaded_once_and_checked(tmp_path):
    torch.manual_seed(0)
    head = SmplHead(16)
    save_file({name: tensor.contiguous() for name, tensor in head.state_dict().items()}, tmp_path / "a.safetensors")
    loaded = image_methods.load_released(lambda: SmplHead(16), tmp_path / "a.safetensors", "HMR2.0")
    features = torch.randn(1, 192, 16)
    torch.testing.assert_close(loaded(features).rotmats, head(features).rotmats.detach())
    assert not loaded.training and not any(parameter.requires_grad for parameter in loaded.parameters())
    with pytest.raises(ModelError) as caught:
        image_methods.load_released(lambda: SmplHead(8), tmp_path / "a.safetensors", "HMR2.0")
    assert caught.value.name == "checkpoint-of-another-version" and caught.value.exit_code == 4


# --- VideoPose3D ---


@pytest.mark.parametrize("keypoints", ["h36m17", "coco17"])
def test_videopose3d_lifts_with_the_users_checkpoint(monkeypatch, tmp_path, keypoints):
    torch.manual_seed(0)
    network = VideoPose3D(2)
    tensors = {f"model_pos.{name}": value for name, value in network.state_dict().items() if value.is_floating_point()}
    tensors |= {f"model_traj.{name}": value for name, value in VideoPose3D(2, 1).state_dict().items() if value.is_floating_point()}
    save_file(tensors, tmp_path / "a.safetensors", {"meshrec_system": "videopose3d", "keypoints": keypoints})
    monkeypatch.setattr(released_lifter, "user_checkpoint", lambda kind: tmp_path / "a.safetensors")
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.uniform(0, 900, (12, 17, 2)), np.ones((12, 17, 1))], -1)
    visible = np.arange(12) != 5
    observations = Observations(keypoints, np.tile([0.0, 0, 9, 9], (12, 1)), points, visible)
    intrinsics = np.array([[1000.0, 0, 960], [0, 1000, 540], [0, 0, 1]])
    estimate = registry.ESTIMATORS.get("videopose3d")(observations, intrinsics, np.arange(12) / 30, CPU)
    assert estimate.joints.shape == (12, 17, 3) and not estimate.joints[5].any() and estimate.is_temporal
    names = COCO17 if keypoints == "coco17" else H36M17
    pixels = input_points(observations.keypoints, keypoints, names, visible)
    expected = lift_clip(network.eval(), normalise_points(pixels, (1920, 1080)), names)
    np.testing.assert_allclose(estimate.joints[visible], expected[visible], atol=1e-5)
