"""The lifter's input and output without its network: features against a slow version, gaps, frame rates."""

import numpy as np
import pytest
import torch

from blender_meshrec.core.array_types import FloatArray
from blender_meshrec.core.skeletons import H36M17
from blender_meshrec.methods import skeleton2mesh as lifting
from blender_meshrec.methods.skeleton2mesh import MIN_CONFIDENCE, POINTS, TOTAL_BONE_LENGTH

FRAMES, RATE = 60, 1 / 30
ROW = {name: row for row, name in enumerate(POINTS)}
SIDED = ("hip", "knee", "ankle", "big_toe", "heel")
LEGS = [ROW[f"{side}_{part}"] for side in ("left", "right") for part in SIDED]
HIPS, ANKLES, TORSO = (
    [ROW[f"{side}_{part}"] for part in parts for side in ("left", "right")] for parts in (("hip",), ("ankle",), ("shoulder", "hip"))
)
SIZE = [row for row, name in enumerate(H36M17) if name not in ("hip", "spine", "thorax", "head_top")]


def clip(seed: int = 0, distance: float = 4.0) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Rays (F,23,2), confidence (F,23) and lifted joints (F,17,3) in units of the bone-length sum, of somebody who moves about."""
    rng = np.random.default_rng(seed)
    steps = np.cumsum(rng.normal(0, 0.02, (FRAMES, len(POINTS), 3)), 0)
    points = rng.normal(0, 0.4, (len(POINTS), 3)) * [1, 1, 0.3] + steps + 0.3 * np.sin(np.arange(FRAMES) / 9)[:, None, None]
    place = points + [0.4, 0.2, distance]
    place[::7, LEGS[::3], :2] += rng.choice([-1, 1], (len(place[::7]), len(LEGS[::3]), 2)) * 4 * distance  # beyond every limit
    confidence = np.where(rng.random((FRAMES, len(POINTS))) < 0.2, 0.1, rng.uniform(0.4, 1, (FRAMES, len(POINTS))))
    confidence[20:24] = 0.0
    joints = points[:, :17] - points[:, HIPS].mean(1, keepdims=True)
    return place[..., :2] / place[..., 2:], confidence, joints / TOTAL_BONE_LENGTH


def around(values: FloatArray, frame: int, frames: int) -> FloatArray:
    """The mean over a window of frames about one, of those that exist."""
    return values[max(frame - frames // 2, 0) : frame + frames // 2 + 1].mean(0)


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
    found = lifting.contact_features(*two, torch.tensor([1.0, 0.0]).double(), torch.tensor([RATE, 2 * RATE]))
    assert found.dtype == torch.float32
    for k, (detected, step, order) in enumerate(((1.0, RATE, 1), (0.0, 2 * RATE, -1))):
        expected = slow_contact_features(rays[::order], confidence[::order], joints[::order], detected, step)
        assert found[k].shape == expected.shape == (FRAMES, lifting.NUM_CONTACT_FEATURES)
        np.testing.assert_allclose(found[k], expected, atol=2e-3)


def slow_encoding(rays: FloatArray, confidence: FloatArray, detected: float) -> FloatArray:
    usable = (confidence >= MIN_CONFIDENCE).astype(float)
    weight = 0.02 * usable
    weight[:, TORSO] = usable[:, TORSO]
    total, ray = weight.sum(1), (weight[..., None] * rays).sum(1)
    centre = np.zeros((FRAMES, 2))
    for f in range(FRAMES):
        share = total[f] + 1e-3 * around(total, f, 81) + 1e-6 * total.mean()
        centre[f] = (ray[f] + 1e-3 * around(ray, f, 81) + 1e-6 * ray.mean(0)) / max(share, 1e-9)
    view = np.array([around(centre, f, 5) for f in range(FRAMES)])
    turns = lifting.rotation_to_optical_axis(torch.as_tensor(view)).numpy()

    def turned(at: FloatArray, f: int) -> FloatArray:
        direction = turns[f] @ [*at, 1.0]
        return direction[:2] / max(direction[2], 0.05)

    offset = np.array([[turned(rays[f, p], f) - turned(centre[f], f) for p in range(len(POINTS))] for f in range(FRAMES)])
    spread = ((offset[:, SIZE] ** 2).sum(-1) * usable[:, SIZE]).sum(1)
    count = usable[:, SIZE].sum(1)
    rows = []
    for f in range(FRAMES):
        size = max(np.sqrt(around(spread, f, 81) / max(around(count, f, 81), 1e-6)), 1e-4)
        frame_size = max(np.sqrt(spread[f] / max(count[f], 1e-6)), 1e-4)
        present = float(usable[f].any())
        points = [[*(np.clip(offset[f, p] / size, -5, 5) * usable[f, p]), confidence[f, p] * usable[f, p]] for p in range(len(POINTS))]
        away = np.clip((centre[f] - around(centre, f, 81)) / size, -5, 5)
        whole = [*view[f], np.log(size) + 2, np.clip(np.log(frame_size / size), -2, 2), *away, present, detected]
        rows.append(present * np.array([*np.ravel(points), *whole]))
    return np.array(rows)


@pytest.mark.parametrize("distance", [4.0, 0.9])
def test_the_lifters_input_is_that_of_a_slow_version(distance: float):
    rays, confidence, _ = clip(1, distance)
    inputs = torch.as_tensor(rays)[None], torch.as_tensor(confidence)[None]
    found, view = lifting.encode_keypoints(*inputs, torch.tensor([1.0]))
    np.testing.assert_allclose(found[0], slow_encoding(rays, confidence, 1.0), atol=1e-5)
    assert view.shape == (1, FRAMES, 2) and not found[0, 20:24].any() and found[0, 19].any()
    assert found.dtype == torch.float64


def test_a_person_in_a_plane_tells_the_distance():
    """Without depth, rays per metre are the inverse of the distance, however few points are seen, between 0.01 and 2."""
    rng = np.random.default_rng(0)
    joints = np.concatenate([rng.normal(0, 0.5, (1, 17, 2)), np.zeros((1, 17, 1))], -1).repeat(FRAMES, 0)
    joints[:, HIPS[1]] = -joints[:, HIPS[0]]
    usable = (rng.random((FRAMES, 23)) < 0.5).astype(float)
    for distance, expected in ((4.0, 0.25), (0.4, 2.0), (200.0, 0.01)):
        rays = np.zeros((FRAMES, 23, 2))
        rays[:, :17] = joints[..., :2] / distance + [0.2, -0.1]
        found = lifting._rays_per_metre(*(torch.as_tensor(values)[None] for values in (rays, usable, joints)))
        np.testing.assert_allclose(found[0, :, 0], expected, rtol=1e-4)


# --- gaps and frame rates ---------------------------------------------------------------------------------------------------


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
    filled = lifting.fill_gaps(points, 0.05)
    np.testing.assert_array_equal(filled[known], points[known])
    assert not filled[0].any() and not filled[4 + gap :].any(), "nothing is known on one side"
    for frame in range(3, 2 + gap):
        expected = [frame, 2 * frame, 0.52] if is_filled else [0, 0, 0]
        np.testing.assert_allclose(filled[frame], [expected, expected])


@pytest.mark.parametrize("known, filled", [([], []), ([3], []), ([2, 4], [3])])
def test_gaps_have_two_ends(known: list[int], filled: list[int]):
    points = walk_of_points(known, 6)
    found = lifting.fill_gaps(points, 0.03)
    assert np.flatnonzero(found[..., 2].any(1)).tolist() == sorted([*known, *filled])


def test_a_blend_is_exact_at_its_ends_and_certain_as_its_worse_part():
    before, after = np.array([[[0.0, 0, 0.9]]]), np.array([[[4.0, 8, 0.3]]])
    for fraction, expected in ((0.0, [0, 0, 0.9]), (0.25, [1, 2, 0.3]), (1.0, [4, 8, 0.3]), (1e-7, [0, 0, 0.9])):
        np.testing.assert_allclose(lifting._blend_points(before, after, np.array([fraction]))[0, 0], expected, atol=1e-6)


@pytest.mark.parametrize(
    "fps, subdivided, interleaved", [(30, 1, 1), (60, 1, 2), (15, 2, 1), (10, 3, 1), (25, 1, 1), (120, 1, 4), (44, 1, 1)]
)
@pytest.mark.parametrize("start", [0.0, 12.5])
def test_times_include_frames_and_are_near_the_networks_rate(fps: float, subdivided: int, interleaved: int, start: float):
    times, interleave = lifting.resample_times(start + np.arange(9) / fps)
    assert interleave == interleaved
    np.testing.assert_allclose(times, start + np.arange(8 * subdivided + 1) / (fps * subdivided))
    single, count = lifting.resample_times([start])
    assert single.tolist() == [start] and count == 1


def test_frames_close_in_time_are_blended_and_others_are_kept():
    timestamps = 3.0 + np.array([0.0, 0.04, 0.3, 0.34])
    points = np.zeros((4, 1, 3))
    points[:, 0] = [[0, 0, 0.9], [4, 0, 0.5], [30, 0, 0.8], [34, 0, 0.8]]
    # Half a step of the even times is 0.01 s: as near has a time to be to a frame beside a gap of more than one and a half frames.
    expected = {
        0.0: 0, 0.02: 2, 0.04: 4, 0.049: 4, 0.051: None, 0.1: None, 0.18: None, 0.289: None, 0.291: 30, 0.3: 30, 0.33: 33, 0.34: 34
    }  # fmt: skip
    found, known = lifting._resample(points, timestamps, 3.0 + np.array(list(expected)))
    assert known.tolist() == [value is not None for value in expected.values()]
    np.testing.assert_allclose(found[known, 0, 0], [value for value in expected.values() if value is not None], atol=1e-9)
    np.testing.assert_allclose(found[[0, 1, 2], 0, 2], [0.9, 0.5, 0.5])
    assert found[~known, 0, 0].tolist() == [4, 4, 30, 30], "the nearer frame"
    same, all_known = lifting._resample(points, timestamps, timestamps + 5e-5)
    assert all_known.all() and np.array_equal(same, points) and same is not points


def test_values_are_interpolated_from_even_times_wherever_they_begin():
    times, values = 7.0 + np.arange(5) / 30, np.arange(10.0).reshape(5, 2)
    wanted = 7.0 + np.array([0, 0.5, 2, 2 + 5e-4, 4]) / 30
    np.testing.assert_allclose(lifting._interpolate(values, times, wanted)[:, 0], [0, 1, 4, 4, 8], atol=1e-9)
    np.testing.assert_allclose(lifting._interpolate(values[:1], times[:1], wanted), np.repeat(values[:1], 5, 0))


def test_running_means_are_over_the_frames_that_exist():
    values = torch.arange(7.0)[None, :, None] ** 2
    found = lifting._moving_average(values, 5)[0, :, 0]
    expected = [np.mean([k**2 for k in range(max(f - 2, 0), min(f + 3, 7))]) for f in range(7)]
    np.testing.assert_allclose(found, expected)


def test_a_contact_depends_on_a_second_on_either_side():
    torch.manual_seed(0)
    network = lifting.ContactNetwork().eval()
    frames = torch.randn(1, 80, lifting.NUM_CONTACT_FEATURES)
    with torch.no_grad():
        plain = network(frames)[0, 40]
        for away, changes in ((32, True), (-32, True), (33, False), (-33, False)):
            moved = frames.clone()
            moved[0, 40 + away] += 100
            assert bool((network(moved)[0, 40] - plain).abs().max() > 0) == changes
