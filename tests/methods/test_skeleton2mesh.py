"""The lifter: what must not matter to it (picture size, mirror, unseen points, frame rate), what it is made of, how well it does."""

import numpy as np
import pytest
import torch

from blender_meshrec.core.errors import ModelError
from blender_meshrec.core.metrics import contact_f1, pa_mpjpe
from blender_meshrec.core.records import Observations
from blender_meshrec.core.skeletons import H36M17, H36M17_PARENTS, KEYPOINT_SETS, limb_indices
from blender_meshrec.methods import skeleton2mesh as lifting
from tests.support.synthetic_gait import make_view, squat, walk

LIMBS = limb_indices(H36M17)
CPU = torch.device("cpu")


def seen(walker, camera, keypoint_set="h36m17", confidence=0.9):
    """Observations of a Walker by any keypoint set; what a walker has no point for lies at its nearest one."""
    at = {name: walker.h36m17[:, i] for i, name in enumerate(H36M17)}
    face, up = at["nose"], at["head_top"] - at["thorax"]
    left = at["left_shoulder"] - at["right_shoulder"]
    behind = np.cross(left, up)
    behind *= 0.1 / np.linalg.norm(behind, axis=-1, keepdims=True)
    at |= {f"{side}_ear": face - behind * 1.0 + sign * 0.2 * left for side, sign in (("left", 1), ("right", -1))}
    at |= {f"{side}_{name}": walker.points[:, i] for i, (side, name) in enumerate(_FEET)}
    at["neck"] = at["thorax"]
    near = {"eye": "nose", "mouth": "nose", "small": "toe", "pinky": "wrist", "index": "wrist", "thumb": "wrist"}

    def point(name):
        if name in at:
            return at[name]
        kind = next(kind for part, kind in near.items() if part in name)
        side = "left" if "left" in name else "right"
        return at["nose"] if kind == "nose" else at[f"{side}_big_toe" if kind == "toe" else f"{side}_wrist"]

    points = np.stack([point(name) for name in KEYPOINT_SETS[keypoint_set].points], 1)
    return observed(camera.keypoints(points, confidence), keypoint_set)


_FEET = (("left", "heel"), ("left", "big_toe"), ("right", "heel"), ("right", "big_toe"))


def observed(keypoints, keypoint_set="h36m17", visible=None):
    boxes = np.concatenate([keypoints[..., :2].min(1), keypoints[..., :2].max(1)], -1)
    return Observations(keypoint_set, boxes, keypoints, np.ones(len(keypoints), bool) if visible is None else visible)


def lifted(observations, camera, times):
    return lifting.estimate(observations, camera.intrinsics, times, CPU)


@pytest.fixture(scope="module")
def times():
    return np.arange(60) / 30


@pytest.fixture(scope="module")
def camera():
    return make_view(distance=5.0, bearing=0.7)


@pytest.fixture(scope="module")
def walker(times):
    return walk(times)


def truth(walker, camera):
    joints = camera.joints(walker.h36m17)
    return joints - joints[:, :1]


@pytest.mark.parametrize("keypoint_set", KEYPOINT_SETS)
def test_every_keypoint_set_is_lifted(keypoint_set, walker, camera, times):
    estimate = lifted(seen(walker, camera, keypoint_set), camera, times)
    assert estimate.joints.shape == (60, 17, 3)
    assert estimate.confidence.shape == (60, 17)
    np.testing.assert_array_equal(estimate.joints[:, 0], 0)
    error = pa_mpjpe(estimate.joints[:, LIMBS], truth(walker, camera)[:, LIMBS])
    assert error < 80, f"{error:.0f} mm"


@pytest.mark.parametrize("motion, bearing", [(walk, 0.0), (walk, 1.5), (walk, 2.5)])
def test_made_up_motion_is_lifted_well(motion, bearing, times):
    camera, walker = make_view(distance=4.5, bearing=bearing), motion(times)
    true = truth(walker, camera)
    estimate = lifted(seen(walker, camera), camera, times)
    error = pa_mpjpe(estimate.joints[:, LIMBS], true[:, LIMBS])
    assert error < 70, f"{error:.0f} mm"
    # Facing the right way and standing up: the left is on the left, the head above.
    for a, b in (("left_shoulder", "right_shoulder"), ("left_hip", "right_hip"), ("head_top", "hip")):
        line, expected = (j[:, H36M17.index(a)] - j[:, H36M17.index(b)] for j in (estimate.joints, true))
        cosine = (line * expected).sum(-1) / np.linalg.norm(line, axis=-1) / np.linalg.norm(expected, axis=-1)
        assert cosine.min() > 0.8


def test_metres_are_those_of_an_ordinary_person(walker, camera, times):
    joints = lifted(seen(walker, camera), camera, times).joints
    bones = joints[:, 1:] - joints[:, H36M17_PARENTS[1:]]
    assert np.linalg.norm(bones, axis=-1).sum(-1).mean() == pytest.approx(lifting.TOTAL_BONE_LENGTH, rel=0.1)


def test_the_pictures_size_does_not_matter(walker, camera, times):
    small = seen(walker, camera)
    large = observed(np.array(small.keypoints) * [3, 3, 1])
    of_large = lifting.estimate(large, np.diag([3, 3, 1]) @ camera.intrinsics, times, CPU)
    np.testing.assert_allclose(of_large.joints, lifted(small, camera, times).joints, atol=1e-4)  # m


def test_a_mirrored_person_is_lifted_to_the_mirrored_joints(walker, camera, times):
    plain = seen(walker, camera)
    keypoints = np.array(plain.keypoints)[:, lifting.H36M17_MIRROR]
    keypoints[..., 0] = camera.size[0] - keypoints[..., 0]
    mirrored = lifted(observed(keypoints), camera, times).joints
    expected = lifted(plain, camera, times).joints[:, lifting.H36M17_MIRROR] * [-1, 1, 1]
    np.testing.assert_allclose(mirrored, expected, atol=1e-4)  # m


def test_contacts_of_a_walker_are_told_from_joints_alone(walker, camera, times):
    told = lifted(seen(walker, camera), camera, times).contacts
    assert contact_f1(told, walker.contacts) > 0.8


def test_a_mirrored_persons_other_feet_touch(walker, camera, times):
    plain = seen(walker, camera)
    keypoints = np.array(plain.keypoints)[:, lifting.H36M17_MIRROR]
    keypoints[..., 0] = camera.size[0] - keypoints[..., 0]
    told, mirrored = (lifted(observations, camera, times).contacts for observations in (plain, observed(keypoints)))
    np.testing.assert_allclose(mirrored, told[:, [2, 3, 0, 1]], atol=1e-4)


def test_where_an_unsure_point_lies_does_not_matter(walker, camera, times):
    keypoints = np.array(seen(walker, camera).keypoints)
    lost = [H36M17.index("left_wrist"), H36M17.index("right_knee")]
    keypoints[10:30, lost, 2] = 0.1
    elsewhere = keypoints.copy()
    elsewhere[10:30, lost, :2] += 400
    one, other = (lifted(observed(k), camera, times).joints for k in (keypoints, elsewhere))
    np.testing.assert_array_equal(one, other)
    error = pa_mpjpe(one[:, LIMBS], truth(walker, camera)[:, LIMBS])
    assert error < 90, f"{error:.0f} mm"


def test_frames_without_the_person_hold_zeros(walker, camera, times):
    visible = np.ones(60, bool)
    visible[20:25] = False
    keypoints = np.array(seen(walker, camera).keypoints) * visible[:, None, None]
    estimate = lifted(observed(keypoints, visible=visible), camera, times)
    assert not estimate.joints[~visible].any()
    assert not estimate.confidence[~visible].any()
    assert np.abs(estimate.joints[visible]).max() > 0.3  # m


@pytest.mark.parametrize("bearing", [0.0, 0.6, 1.5])
def test_the_legs_of_a_squat(bearing, times):
    # Legs only: the made-up squatter's arms swing apart as no squatter's do.
    legs = [i for i in LIMBS if H36M17[i].split("_")[1] in ("hip", "knee", "ankle")]
    camera, walker = make_view(distance=4.5, bearing=bearing), squat(times)
    error = pa_mpjpe(lifted(seen(walker, camera), camera, times).joints[:, legs], truth(walker, camera)[:, legs])
    assert error < 60, f"{error:.0f} mm"


@pytest.mark.parametrize("frames", [1, 2, 4])
def test_single_images_and_the_shortest_clips(frames, camera):
    errors = []
    for begin in np.linspace(0, 1, 6):
        times = begin + np.arange(frames) / 24
        walker = walk(times)
        joints = lifted(seen(walker, camera), camera, times).joints
        assert joints.shape == (frames, 17, 3)
        errors.append(pa_mpjpe(joints[:, LIMBS], truth(walker, camera)[:, LIMBS]))
    assert np.mean(errors) < 90, f"{np.mean(errors):.0f} mm"


@pytest.mark.parametrize("fps", [24, 50, 60, 120])
def test_the_frame_rate_matters_little(fps, camera):
    # Both rates film the same moments every 0.5 s; in between they see more or less of the same motion.
    at_30, at_fps = (np.arange(round(3 * rate) + 1) / rate for rate in (30, fps))
    reference = lifted(seen(walk(at_30), camera), camera, at_30).joints[::15]
    joints = lifted(seen(walk(at_fps), camera), camera, at_fps).joints[:: fps // 2]
    apart = 1000 * np.linalg.norm(joints - reference, axis=-1).mean()
    assert apart < 40, f"{apart:.0f} mm"


@pytest.mark.parametrize("fps", [5, 10, 15])
def test_slow_clips_are_lifted_too(fps, camera):
    times = np.arange(3 * fps) / fps
    walker = walk(times)
    joints = lifted(seen(walker, camera), camera, times).joints
    error = pa_mpjpe(joints[:, LIMBS], truth(walker, camera)[:, LIMBS])
    assert error < 80, f"{error:.0f} mm"


def test_uneven_timestamps(camera):
    rng = np.random.default_rng(3)
    times = np.cumsum(rng.choice([1 / 30, 2 / 30, 0.036], 60, p=[0.7, 0.2, 0.1]))
    walker = walk(times)
    joints = lifted(seen(walker, camera), camera, times).joints
    error = pa_mpjpe(joints[:, LIMBS], truth(walker, camera)[:, LIMBS])
    assert error < 80, f"{error:.0f} mm"


@pytest.mark.parametrize("fps", [5, 12, 24000 / 1001, 25, 30, 50, 60, 240])
def test_the_clock_meets_the_frames_of_a_constant_rate(fps):
    stamps = 3 + np.arange(40) / fps
    times, ways = lifting.resample_times(stamps)
    nearest = np.abs(times[:, None] - stamps).min(0)
    assert nearest.max() < 1e-9
    network_rate = 1 / (times[1] - times[0]) / ways
    assert 20 <= network_rate <= 45


@pytest.mark.parametrize("count", [2, 3, 7])
def test_a_few_frames_of_a_high_speed_camera(count, camera):
    times = np.arange(count) / 1000  # fewer frames than there are interleaved clips at the network's rate
    walker = walk(times)
    joints = lifted(seen(walker, camera), camera, times).joints
    alone = lifted(seen(walk(times[:1]), camera), camera, times[:1]).joints
    np.testing.assert_allclose(joints, np.broadcast_to(alone, joints.shape), atol=0.02)  # m: nobody moves in 7 ms


def test_the_same_twice(walker, camera, times):
    one, other = (lifted(seen(walker, camera), camera, times).joints for _ in range(2))
    np.testing.assert_array_equal(one, other)


def test_long_clips_in_chunks_are_as_at_once(monkeypatch):
    lifter = lifting.load_lifter()
    encoded = torch.randn(1, 300, lifting.LifterConfig().inputs // lifting.TOKEN_FRAMES, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        whole = lifting._lift_in_chunks(lifter, encoded)
        monkeypatch.setattr(lifting, "CHUNK_TOKENS", 20)
        torch.testing.assert_close(lifting._lift_in_chunks(lifter, encoded), whole, atol=1e-5, rtol=0)


def test_a_token_depends_on_its_reach_and_no_more():
    lifter = lifting.Lifter(lifting.LifterConfig(width=16)).eval()
    encoded = torch.randn(1, 3 * 60, lifting.LifterConfig().inputs // 3, generator=torch.Generator().manual_seed(0), requires_grad=True)
    lifter(encoded)[:, 3 * 30 : 3 * 31].square().sum().backward()
    tokens = encoded.grad[0].reshape(60, -1).abs().sum(1).nonzero()[:, 0]
    assert (tokens.min(), tokens.max()) == (30 - lifting.RECEPTIVE_TOKENS, 30 + lifting.RECEPTIVE_TOKENS)


def test_res2_shortcuts_see_features_and_points_together():
    config = lifting.LifterConfig()
    lifter = lifting.Lifter(config)
    assert len(lifter.res2) + 1 == 5
    assert all(block.skip.in_channels == config.width + config.inputs for block in lifter.res2)


def test_turning_a_line_of_sight_onto_the_axis():
    rng = np.random.default_rng(0)
    towards = torch.tensor(rng.normal(0, 0.6, (50, 2)))
    turn = lifting.rotation_to_optical_axis(towards)
    torch.testing.assert_close(turn @ turn.transpose(-1, -2), torch.eye(3, dtype=turn.dtype).expand(50, 3, 3))
    line = torch.cat([towards, torch.ones(50, 1)], -1)
    line = line / line.norm(dim=-1, keepdim=True)
    torch.testing.assert_close((turn @ line[..., None])[..., 0], torch.tensor([0.0, 0.0, 1.0], dtype=turn.dtype).expand(50, 3))


def test_weights_of_another_network_are_refused(tmp_path):
    from safetensors.torch import save_file

    path = tmp_path / "other.safetensors"
    save_file({"out.weight": torch.zeros(3, 8, 1)}, path)
    with pytest.raises(ModelError, match="lifting network"):
        lifting.read_lifter(path)
    with pytest.raises(ModelError, match="contact network"):
        lifting.read_contact_network(path)
