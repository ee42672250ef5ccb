"""The contact network's input against a slow version, gaps, and its reach in time."""

import numpy as np
import pytest
import torch

from blender_meshrec.core.array_types import FloatArray
from blender_meshrec.core.skeletons import H36M17
from blender_meshrec.methods.lifter import foot_contacts
from blender_meshrec.methods.lifter.lifter_input import MIN_CONFIDENCE, TOTAL_BONE_LENGTH
from tests.support.keypoint_clip import ANKLES, FRAMES, HIPS, LEGS, RATE, SIZE, around, clip


def slow_rays_per_metre(rays: FloatArray, usable: FloatArray, joints: FloatArray) -> FloatArray:
    product, square = np.zeros(FRAMES), np.zeros(FRAMES)
    for frame in range(FRAMES):
        hips = rays[frame, HIPS].mean(0)
        for row in SIZE:
            across = joints[frame, row, :2] - joints[frame, row, 2] * hips
            weight = usable[frame, row] * usable[frame, HIPS].min()
            product[frame] += weight * (rays[frame, row] - hips) @ across
            square[frame] += weight * across @ across
    both = [[around(values, frame, 81) + 1e-3 * values.mean() for frame in range(FRAMES)] for values in (product, square)]
    return np.clip(np.array(both[0]) / np.maximum(both[1], 1e-6), 0.01, 2)


def slow_contact_features(rays: FloatArray, confidence: FloatArray, joints: FloatArray, detected: float, step: float) -> FloatArray:
    """Frame by frame and point by point, as the docstrings of the fast version say."""
    usable, joints = (confidence >= MIN_CONFIDENCE).astype(float), TOTAL_BONE_LENGTH * joints
    per_metre = slow_rays_per_metre(rays, usable, joints)
    hip, hip_weight = rays[:, HIPS].mean(1), usable[:, HIPS].min(1)
    points = [(rays[:, row], usable[:, row]) for row in LEGS] + [(hip, hip_weight)]
    lowest = [max([rays[f, row, 1] for row in ANKLES if usable[f, row]], default=-100.0) for f in range(FRAMES)]
    rows = []
    for frame in range(FRAMES):
        row: list[float] = []
        for point, weight in points:
            velocity = np.zeros(2)
            if frame + 1 < FRAMES:  # to the next frame
                both = weight[frame] * weight[frame + 1]
                velocity = (point[frame + 1] - point[frame]) / per_metre[frame + 1] / step * both
            known = weight[max(frame - 15, 0) : frame + 16]
            mean = (point[max(frame - 15, 0) : frame + 16] * known[:, None]).mean(0) / max(known.mean(), 1e-6)
            from_mean = (point[frame] - mean) / per_metre[frame] * weight[frame]
            from_hip = (point[frame] - hip[frame]) / per_metre[frame] * weight[frame] * hip_weight[frame]
            row += [*np.clip(velocity / 0.5, -8, 8), *np.clip(10 * from_mean, -5, 5), *np.clip(from_hip, -3, 3), weight[frame]]
        floor = max(lowest[max(frame - 15, 0) : frame + 16])
        row += [5 * np.clip((floor - rays[frame, a, 1]) / per_metre[frame], 0, 1) * usable[frame, a] for a in ANKLES]
        legs = [H36M17.index(f"{side}_{part}") for side in ("left", "right") for part in ("hip", "knee", "ankle")]
        row += joints[frame, [*legs, H36M17.index("thorax")]].ravel().tolist()
        rows.append([*row, *hip[frame], np.log(per_metre[frame]), hip_weight[frame], detected])
    return np.array(rows)


@pytest.mark.parametrize("distance", [4.0, 0.9, 150.0])
def test_contact_features_are_those_of_a_slow_version(distance: float):
    rays, confidence, joints = clip(distance=distance)
    two = [torch.as_tensor(np.stack([values, values[::-1].copy()]), dtype=torch.float64) for values in (rays, confidence, joints)]
    found = foot_contacts.contact_features(*two, torch.tensor([1.0, 0.0]).double(), torch.tensor([RATE, 2 * RATE]))
    assert found.dtype == torch.float32
    for k, (detected, step, order) in enumerate(((1.0, RATE, 1), (0.0, 2 * RATE, -1))):
        expected = slow_contact_features(rays[::order], confidence[::order], joints[::order], detected, step)
        assert found[k].shape == expected.shape == (FRAMES, foot_contacts.NUM_CONTACT_FEATURES)
        np.testing.assert_allclose(found[k], expected, atol=2e-3)


def test_a_person_in_a_plane_tells_the_distance():
    """Without depth, rays per metre are the inverse of the distance, however few points are seen, between 0.01 and 2."""
    rng = np.random.default_rng(0)
    joints = np.concatenate([rng.normal(0, 0.5, (1, 17, 2)), np.zeros((1, 17, 1))], -1).repeat(FRAMES, 0)
    joints[:, HIPS[1]] = -joints[:, HIPS[0]]
    usable = (rng.random((FRAMES, 23)) < 0.5).astype(float)
    for distance, expected in ((4.0, 0.25), (0.4, 2.0), (200.0, 0.01)):
        rays = np.zeros((FRAMES, 23, 2))
        rays[:, :17] = joints[..., :2] / distance + [0.2, -0.1]
        found = foot_contacts._rays_per_metre(*(torch.as_tensor(values)[None] for values in (rays, usable, joints)))
        np.testing.assert_allclose(found[0, :, 0], expected, rtol=1e-4)


def walk_of_points(known: list[int], frames: int) -> FloatArray:
    """Points (F,2,3) that move by (1, 2) a frame; only known frames have any."""
    points = np.zeros((frames, 2, 3))
    points[known] = np.stack([np.array(known), 2.0 * np.array(known), 0.5 + 0.01 * np.array(known)], -1)[:, None]
    return points


@pytest.mark.parametrize("gap, is_filled", [(2, True), (5, True), (6, False)])
def test_gaps_of_a_quarter_second_are_filled(gap: int, is_filled: bool):
    """At 20 frames a second five frames are 0.25 s. Between, the lower confidence of the two counts."""
    known = [1, 2, 2 + gap, 3 + gap]
    points = walk_of_points(known, 6 + gap)
    filled = foot_contacts.fill_gaps(points, 0.05)
    np.testing.assert_array_equal(filled[known], points[known])
    assert not filled[0].any() and not filled[4 + gap :].any(), "nothing is known on one side"
    for frame in range(3, 2 + gap):
        expected = [frame, 2 * frame, 0.52] if is_filled else [0, 0, 0]
        np.testing.assert_allclose(filled[frame], [expected, expected])


@pytest.mark.parametrize("known, filled", [([], []), ([3], []), ([2, 4], [3])])
def test_gaps_have_two_ends(known: list[int], filled: list[int]):
    points = walk_of_points(known, 6)
    found = foot_contacts.fill_gaps(points, 0.03)
    assert np.flatnonzero(found[..., 2].any(1)).tolist() == sorted([*known, *filled])


def test_a_contact_depends_on_a_second_on_either_side():
    torch.manual_seed(0)
    network = foot_contacts.ContactNetwork().eval()
    frames = torch.randn(1, 80, foot_contacts.NUM_CONTACT_FEATURES)
    with torch.no_grad():
        plain = network(frames)[0, 40]
        for away, changes in ((32, True), (-32, True), (33, False), (-33, False)):
            moved = frames.clone()
            moved[0, 40 + away] += 100
            assert bool((network(moved)[0, 40] - plain).abs().max() > 0) == changes
