"""The crops that released networks were trained on, and their cameras."""

import numpy as np
import pytest
import torch

from blender_meshrec.methods.image_networks import crop_camera, crops

HEIGHT, WIDTH = 300, 400


@pytest.fixture
def ramp():
    """A picture whose red is half its column, whose green is half its row, and whose blue is 200."""
    columns, rows = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    return np.stack([columns // 2, rows // 2, np.full_like(rows, 200)], -1).astype(np.uint8)


def test_the_transformers_square_holds_the_box_at_192_to_256():
    assert crops.transformer_square(np.array([10, 20, 40, 120.0])).tolist() == [25, 70, 100]  # tall enough
    assert crops.transformer_square(np.array([0, 0, 90, 60.0])).tolist() == [45, 30, 120]  # 90 wide needs 120


def test_the_resnets_square_is_larger_than_the_box_by_a_fifth():
    np.testing.assert_allclose(crops.resnet_square(np.array([10, 20, 40, 120.0])), [25, 70, 120], rtol=1e-12)


@pytest.mark.parametrize("side", [128, 256, 400])
def test_a_smoothed_crop_samples_its_square(ramp, side):
    crop = crops.smoothed_crop(ramp, np.array([200.0, 150.0, side]), 256)
    places = 200 + (np.arange(256) - 128) * side / 256
    inside = (places > 2) & (places < WIDTH - 3)
    np.testing.assert_allclose(crop[128, inside, 0], places[inside] / 2, atol=1.1)


def test_only_a_picture_that_shrinks_is_blurred():
    noise = np.random.default_rng(0).integers(0, 256, (700, 700, 3), np.uint8)
    unblurred, blurred = (crops.smoothed_crop(noise, np.array([350.0, 350.0, side]), 64) for side in (140, 145))
    assert np.array_equal(unblurred, np.round(unblurred)) and not np.array_equal(blurred, np.round(blurred))
    # sigma is (145 / 64 / 2 - 1) / 2 = 0.066 px, nearly nothing; of a square of 640 px it is 2 px, and averages about 50 pixels.
    assert np.std(crops.smoothed_crop(noise, np.array([350.0, 350.0, 640]), 64)) < 0.25 * np.std(blurred)


def test_a_blur_of_a_part_is_that_of_the_whole():
    noise = np.random.default_rng(0).integers(0, 256, (900, 900, 3), np.uint8)
    square = np.array([450.0, 450.0, 500])
    surrounded = np.zeros((1500, 1700, 3), np.uint8)
    surrounded[300:1200, 500:1400] = noise
    found = [crops.smoothed_crop(image, square + shift, 128) for image, shift in ((noise, 0), (surrounded, np.array([500, 300, 0])))]
    np.testing.assert_allclose(*found, atol=1e-6)


def test_beyond_the_picture_crops_are_black(ramp):
    square = np.array([0.0, 0.0, 200.0])
    for crop in (crops.smoothed_crop(ramp, square), crops.whole_pixel_crop(ramp, square), crops.stretched_crop(ramp, square)):
        half = len(crop) // 2
        assert not crop[: half - 4].any() and not crop[:, : half - 4].any() and crop[half + 4 :, half + 4 :, 2].all()
    assert not crops.whole_pixel_crop(ramp, np.array([-1000.0, 0.0, 100.0])).any()


def test_a_whole_pixel_crop_of_its_own_size_is_a_part_of_the_picture(ramp):
    assert np.array_equal(crops.whole_pixel_crop(ramp, np.array([200.0, 150.0, 256.0])), ramp[22:278, 72:328])
    assert np.array_equal(crops.whole_pixel_crop(ramp, np.array([200.9, 150.9, 256.0])), ramp[22:278, 72:328])  # truncated


def test_a_stretched_crop_of_its_own_size_has_the_whole_range(ramp):
    crop = crops.stretched_crop(ramp, np.array([224.0, 112.0, 224.0])).astype(float)
    part = ramp[:224, 112:336].astype(float)
    low, high = part.min(), part.max()
    np.testing.assert_allclose(crop, (part - low) / (high - low) * 255, atol=0.51)
    assert crop.min() == 0 and crop.max() == 255
    flat = np.full((300, 300, 3), 9, np.uint8)
    assert not crops.stretched_crop(flat, np.array([150.0, 150.0, 100.0])).any()  # no range at all


def test_a_stretched_crop_that_shrinks_averages():
    noise = np.random.default_rng(0).integers(0, 256, (900, 900, 3), np.uint8)
    assert crops.stretched_crop(noise, np.array([450.0, 450.0, 896.0])).std() < 0.45 * noise.std()


def test_crops_are_normalised_by_imagenets_mean_and_deviation():
    gray = np.broadcast_to(np.array([0.485, 0.456, 0.406]) * 255, (2, 4, 4, 3))
    assert crops.normalised_crops(gray).abs().max() < 1e-5 and crops.normalised_crops(gray).shape == (2, 3, 4, 4)
    white = crops.normalised_crops(np.full((1, 2, 2, 3), 255, np.uint8))[0, :, 0, 0]
    np.testing.assert_allclose(white, (1 - np.array([0.485, 0.456, 0.406])) / [0.229, 0.224, 0.225], rtol=1e-5)


# --- cameras ---


def project(points, translation, focal, size):
    """Pixels of points (N,3) m before a perspective camera in the middle of a picture of (width, height) px."""
    moved = points + translation
    return focal * moved[:, :2] / moved[:, 2:] + np.array(size) / 2


@pytest.mark.parametrize("focal", [5000.0, crop_camera.hmr2_focal_length((1920, 1080))])
def test_both_cameras_show_points_at_the_bodys_depth_where_the_network_saw_them(focal):
    rng = np.random.default_rng(0)
    points = torch.as_tensor(rng.normal(0, 0.5, (1, 20, 3)))
    points[..., 2] = 0  # at other depths, a perspective camera and a weak one differ
    camera, square = torch.tensor([[0.9, 0.05, -0.1]]), torch.tensor([[700.0, 300.0, 420.0]])
    weak = crop_camera.project_weakly(points, camera, square)[0].numpy()
    full = crop_camera.full_translation(camera, square, (1920, 1080), focal)[0].numpy()
    np.testing.assert_allclose(project(points[0].numpy(), full, focal, (1920, 1080)), weak, atol=1e-3)
    crop = crop_camera.crop_translation(camera, 256)[0].numpy()
    in_crop = project(points[0].numpy(), crop, crop_camera.FOCAL_LENGTH, (256, 256))
    np.testing.assert_allclose((in_crop - 128) * 420 / 256 + [700, 300], weak, atol=1e-3)


def test_hmr2_shows_its_bodies_with_a_lens_of_the_pictures_size():
    assert crop_camera.hmr2_focal_length((1920, 1080)) == 5000 / 256 * 1920
