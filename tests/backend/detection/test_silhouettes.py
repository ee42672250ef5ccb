"""Silhouettes: resampled to the person's place, a few per clip, kept by the cache, and without effect on the landmarks."""

import numpy as np
import pytest

from blender_meshrec.backend.detection.crops import Square, crop_square
from blender_meshrec.backend.detection.detections import Detection
from blender_meshrec.backend.detection.landmarkers import CROP_SIDE, LandmarkerPool, _resample_mask
from blender_meshrec.backend.footage.images import decode_image
from blender_meshrec.backend.tracking.detect_and_track import detect_and_track
from blender_meshrec.backend.tracking.packing import pack_frames, unpack_frames
from blender_meshrec.backend.tracking.track import Candidate, Track
from blender_meshrec.backend.tracking.tracker import select_silhouettes
from blender_meshrec.bridge.messages import ReconstructRequest
from blender_meshrec.core.files.model_files import model_file
from blender_meshrec.core.silhouettes import MASK_SIZE, MAX_SILHOUETTES, Silhouettes, evenly_spaced_indices


def disc(x, y, radius, size):
    columns, rows = np.meshgrid(np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5)
    return np.hypot(columns - x, rows - y) < radius


@pytest.mark.parametrize("quarter_turns", range(4))
def test_a_mask_is_resampled_to_the_persons_place(quarter_turns):
    picture = np.repeat(disc(300, 200, 60, (640, 400))[..., None] * np.uint8(255), 3, 2)
    crop, image_from_crop = crop_square(picture, Square(320, 190, 220, quarter_turns), CROP_SIDE)
    square = Square(310, 205, 160)
    found = _resample_mask(crop[..., :1] / np.float32(255), image_from_crop, square)
    shown = disc((300 - 230) / 160 * MASK_SIZE, (200 - 125) / 160 * MASK_SIZE, 60 / 160 * MASK_SIZE, (MASK_SIZE, MASK_SIZE))
    assert (found & shown).sum() / (found | shown).sum() > 0.98


def test_a_silhouette_is_empty_outside_the_crop():
    _crop, image_from_crop = crop_square(np.zeros((400, 640, 3), np.uint8), Square(320, 190, 100), CROP_SIDE)
    found = _resample_mask(np.ones((CROP_SIDE, CROP_SIDE, 1), np.float32), image_from_crop, Square(320, 190, 200))
    assert found[MASK_SIZE // 4 + 1 : -MASK_SIZE // 4 - 1, MASK_SIZE // 4 + 1 : -MASK_SIZE // 4 - 1].all()
    assert found.mean() == pytest.approx(0.25, abs=0.02)


def segmented_detection(score=0.9):
    return Detection(np.zeros((33, 3)), None, score, silhouette=np.ones((MASK_SIZE, MASK_SIZE)), square=(10, 20, 30))


def track_of(rows, detections):
    return Track(rows=rows, candidates=[Candidate(detection, np.zeros(4), np.zeros(2)) for detection in detections])


def test_selected_silhouettes_are_few_and_evenly_spaced_and_confident():
    rows = list(range(0, 1000, 4))
    detections = [segmented_detection(0.1 if row < 200 else 0.9) for row in rows]
    kept = select_silhouettes(track_of([*rows, 1001], [*detections, Detection(np.zeros((33, 3)), None, 0.9)]))
    assert len(kept) <= MAX_SILHOUETTES and kept.rows[0] == 200 and kept.rows[-1] == 996
    assert np.diff(kept.rows).max() < 2 * 800 / MAX_SILHOUETTES
    assert kept.masks.shape == (len(kept), MASK_SIZE, MASK_SIZE) and kept.squares[0].tolist() == [10, 20, 30]


def test_a_clip_without_silhouettes_has_none():
    assert select_silhouettes(track_of([0], [Detection(np.zeros((33, 3)), None, 0.9)])) is None


@pytest.mark.parametrize("count", [1, MAX_SILHOUETTES, MAX_SILHOUETTES + 1, 500])
def test_even_spacing_keeps_the_first_and_last_row(count):
    kept = evenly_spaced_indices(np.arange(count) * 3)
    assert len(kept) <= MAX_SILHOUETTES and kept[0] == 0 and kept[-1] == count - 1
    assert len(kept) >= min(count, MAX_SILHOUETTES) - 1


def test_silhouettes_of_unequal_lengths_are_refused():
    with pytest.raises(ValueError, match="2 rows"):
        Silhouettes([0, 1], [[0, 0, 1]], np.zeros((2, MASK_SIZE, MASK_SIZE)))


def test_packing_keeps_silhouettes_bit_for_bit():
    rng = np.random.default_rng(3)
    mask = rng.random((MASK_SIZE, MASK_SIZE)) < 0.5
    frames = [
        (0.0, [Detection(np.zeros((33, 3)), None, 0.9), Detection(np.ones((33, 3)), None, 0.8, silhouette=mask, square=(1, 2, 3))]),
        (0.1, []),
    ]
    (_, (without, with_mask)), (_, nobody) = unpack_frames(pack_frames(frames))
    assert without.silhouette is None and without.square is None and nobody == []
    np.testing.assert_array_equal(with_mask.silhouette, mask)
    assert with_mask.silhouette.dtype == bool and with_mask.square.tolist() == [1, 2, 3]


def test_segmentation_does_not_change_the_landmarks(shared_media):
    image = decode_image(shared_media / "image" / "debian-opencv-doc__messi5.jpg")
    landmarkers = LandmarkerPool(model_file("pose_landmarker.task"))
    try:
        square = Square(260, 200, 330)
        (plain,) = landmarkers.submit(landmarkers.detect, image, square).result()
        (segmented,) = landmarkers.submit(landmarkers.detect, image, square, True).result()
        nobody = landmarkers.submit(landmarkers.detect, np.zeros_like(image), square, True).result()
    finally:
        landmarkers.close()
    np.testing.assert_array_equal(segmented.keypoints, plain.keypoints)
    np.testing.assert_array_equal(segmented.keypoints_3d, plain.keypoints_3d)
    assert plain.silhouette is None and nobody == []
    # Confident joints are on the person.
    pixels = np.floor(
        (segmented.keypoints[:, :2] - (segmented.square[:2] - segmented.square[2] / 2)) / segmented.square[2] * MASK_SIZE
    ).astype(int)
    limbs = [11, 12, 23, 24, 25, 26]
    assert segmented.silhouette[pixels[limbs, 1], pixels[limbs, 0]].all()


def test_a_clip_has_silhouettes_of_some_frames(shared_media):
    (person,) = detect_and_track(ReconstructRequest(str(shared_media / "video" / "HybrIK__taiji.mp4"), frames=(0, 12))).people
    silhouettes = person.silhouettes
    assert silhouettes.rows.tolist() == [0, 4, 8]
    box = person.boxes[silhouettes.rows]
    size = (box[:, 2:] - box[:, :2]).max()  # the square is around what the detector saw, the box around what the second look adds, too
    np.testing.assert_allclose(silhouettes.squares[:, :2], (box[:, :2] + box[:, 2:]) / 2, atol=0.02 * size)
    area = silhouettes.masks.mean((1, 2)) * silhouettes.squares[:, 2] ** 2
    assert ((area > 0.3 * np.prod(box[:, 2:] - box[:, :2], axis=1)) & (area < np.prod(box[:, 2:] - box[:, :2], axis=1))).all()
