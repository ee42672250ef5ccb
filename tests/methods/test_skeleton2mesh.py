"""The lifter: its invariances (picture size, mirror, unconfident keypoints, frame rate), its layers, and its accuracy."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from blender_meshrec.bodies.alignment import rotation_to_optical_axis
from blender_meshrec.core.errors import ModelError
from blender_meshrec.core.metrics import contact_f1, pa_mpjpe
from blender_meshrec.core.records import Observations
from blender_meshrec.core.skeletons import H36M17, H36M17_PARENTS, KEYPOINT_SETS, limb_indices
from blender_meshrec.methods import skeleton2mesh as lifting
from blender_meshrec.methods.lifter.foot_contacts import read_contact_network
from tests.support.synthetic_gait import make_view, squat, walk

LIMBS = limb_indices(H36M17)
CPU = torch.device("cpu")


def seen(walker, camera, keypoint_set="h36m17", confidence=0.9):
    """Observations of a Walker by any keypoint set; keypoints that a walker lacks are at its nearest point."""
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
def test_synthetic_motion_is_lifted_accurately(motion, bearing, times):
    camera, walker = make_view(distance=4.5, bearing=bearing), motion(times)
    true = truth(walker, camera)
    estimate = lifted(seen(walker, camera), camera, times)
    error = pa_mpjpe(estimate.joints[:, LIMBS], true[:, LIMBS])
    assert error < 70, f"{error:.0f} mm"
    # Facing the right way and upright: the left is on the left, the head above.
    for a, b in (("left_shoulder", "right_shoulder"), ("left_hip", "right_hip"), ("head_top", "hip")):
        line, expected = (j[:, H36M17.index(a)] - j[:, H36M17.index(b)] for j in (estimate.joints, true))
        cosine = (line * expected).sum(-1) / np.linalg.norm(line, axis=-1) / np.linalg.norm(expected, axis=-1)
        assert cosine.min() > 0.8


def test_the_scale_is_that_of_an_average_person(walker, camera, times):
    joints = lifted(seen(walker, camera), camera, times).joints
    bones = joints[:, 1:] - joints[:, H36M17_PARENTS[1:]]
    assert np.linalg.norm(bones, axis=-1).sum(-1).mean() == pytest.approx(lifting.TOTAL_BONE_LENGTH, rel=0.1)


def test_picture_size_has_no_influence(walker, camera, times):
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


def test_contacts_of_a_walker_are_predicted_from_joints(walker, camera, times):
    contacts = lifted(seen(walker, camera), camera, times).contacts
    assert contact_f1(contacts, walker.contacts) > 0.8


def test_mirroring_swaps_the_contacts_of_the_feet(walker, camera, times):
    plain = seen(walker, camera)
    keypoints = np.array(plain.keypoints)[:, lifting.H36M17_MIRROR]
    keypoints[..., 0] = camera.size[0] - keypoints[..., 0]
    contacts, mirrored = (lifted(observations, camera, times).contacts for observations in (plain, observed(keypoints)))
    np.testing.assert_allclose(mirrored, contacts[:, [2, 3, 0, 1]], atol=1e-4)


def test_positions_of_unconfident_keypoints_have_no_influence(walker, camera, times):
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
    assert (estimate.contacts[~visible] == 0).all() and (estimate.contacts[visible] > 0).all() and estimate.contacts.max() <= 1
    assert np.abs(estimate.joints[visible]).max() > 0.3  # m


@pytest.mark.parametrize("bearing", [0.0, 0.6, 1.5])
def test_the_legs_of_a_squat_are_accurate(bearing, times):
    # Legs only: the synthetic squatter's arms swing unnaturally.
    legs = [i for i in LIMBS if H36M17[i].split("_")[1] in ("hip", "knee", "ankle")]
    camera, walker = make_view(distance=4.5, bearing=bearing), squat(times)
    error = pa_mpjpe(lifted(seen(walker, camera), camera, times).joints[:, legs], truth(walker, camera)[:, legs])
    assert error < 60, f"{error:.0f} mm"


@pytest.mark.parametrize("frames", [1, 2, 4])
def test_single_images_and_short_clips_are_lifted(frames, camera):
    errors = []
    for begin in np.linspace(0, 1, 6):
        times = begin + np.arange(frames) / 24
        walker = walk(times)
        joints = lifted(seen(walker, camera), camera, times).joints
        assert joints.shape == (frames, 17, 3)
        errors.append(pa_mpjpe(joints[:, LIMBS], truth(walker, camera)[:, LIMBS]))
    assert np.mean(errors) < 90, f"{np.mean(errors):.0f} mm"


@pytest.mark.parametrize("fps", [24, 50, 60, 120])
def test_the_frame_rate_has_little_influence(fps, camera):
    # Both rates have frames at the same times every 0.5 s, and more or fewer of the same motion in between.
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


def test_uneven_timestamps_are_lifted_accurately(camera):
    rng = np.random.default_rng(3)
    times = np.cumsum(rng.choice([1 / 30, 2 / 30, 0.036], 60, p=[0.7, 0.2, 0.1]))
    walker = walk(times)
    joints = lifted(seen(walker, camera), camera, times).joints
    error = pa_mpjpe(joints[:, LIMBS], truth(walker, camera)[:, LIMBS])
    assert error < 80, f"{error:.0f} mm"


@pytest.mark.parametrize("fps", [5, 12, 24000 / 1001, 25, 30, 50, 60, 240])
def test_resampled_times_include_frames_of_a_constant_rate(fps):
    stamps = 3 + np.arange(40) / fps
    times, ways = lifting.resample_times(stamps)
    nearest = np.abs(times[:, None] - stamps).min(0)
    assert nearest.max() < 1e-9
    network_rate = 1 / (times[1] - times[0]) / ways
    assert 20 <= network_rate <= 45


@pytest.mark.parametrize("count", [2, 3, 7])
def test_a_few_high_speed_frames_agree_with_one(count, camera):
    times = np.arange(count) / 1000  # fewer frames than there are interleaved clips at the network's rate
    walker = walk(times)
    joints = lifted(seen(walker, camera), camera, times).joints
    alone = lifted(seen(walk(times[:1]), camera), camera, times[:1]).joints
    np.testing.assert_allclose(joints, np.broadcast_to(alone, joints.shape), atol=0.02)  # m: nobody moves in 7 ms


def test_lifting_is_deterministic(walker, camera, times):
    one, other = (lifted(seen(walker, camera), camera, times).joints for _ in range(2))
    np.testing.assert_array_equal(one, other)


def test_a_detectors_own_3d_counts_half(walker, camera, times, monkeypatch):
    """The result is the mean of what the network makes of the keypoints with the detector's own 3D and without."""
    plain = seen(walker, camera, "blazepose33")
    own = np.random.default_rng(0).normal(0, 0.3, (*plain.keypoints.shape[:2], 3))
    monkeypatch.setattr(lifting, "straighten_knees", lambda joints: joints)  # which is not linear
    both, without = lifted(replace(plain, keypoints_3d=own), camera, times), lifted(plain, camera, times)
    monkeypatch.setattr(lifting, "_lift_averaged", torch.inference_mode()(lifting._lift_with))
    alone = lifted(replace(plain, keypoints_3d=own), camera, times)
    assert np.linalg.norm(alone.joints - without.joints, axis=-1).max() > 0.01  # m
    np.testing.assert_allclose(both.joints, (alone.joints + without.joints) / 2, atol=1e-5)
    np.testing.assert_allclose(both.spread, (alone.spread + without.spread) / 2, atol=1e-5)


def test_chunks_of_a_clip_give_the_same_result(monkeypatch):
    lifter = lifting.load_lifter()
    encoded = torch.randn(1, 300, lifting.LifterConfig().channels, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        whole = lifting._lift_in_chunks(lifter, encoded).joints
        monkeypatch.setattr(lifting, "CHUNK_TOKENS", 20)
        torch.testing.assert_close(lifting._lift_in_chunks(lifter, encoded).joints, whole, atol=1e-5, rtol=0)


def test_a_token_depends_on_its_receptive_field_only():
    lifter = lifting.Lifter(lifting.LifterConfig(width=16)).eval()
    encoded = torch.randn(1, 3 * 60, lifting.LifterConfig().channels, generator=torch.Generator().manual_seed(0), requires_grad=True)
    lifter(encoded).joints[:, 3 * 30 : 3 * 31].square().sum().backward()
    tokens = encoded.grad[0].reshape(60, -1).abs().sum(1).nonzero()[:, 0]
    assert (tokens.min(), tokens.max()) == (30 - lifting.RECEPTIVE_TOKENS, 30 + lifting.RECEPTIVE_TOKENS)


def test_res2_shortcuts_take_features_and_points():
    config = lifting.LifterConfig()
    lifter = lifting.Lifter(config)
    assert len(lifter.res2) + 1 == 5
    assert all(block.skip.in_channels == config.width + config.inputs for block in lifter.res2)


def test_lines_of_sight_are_rotated_onto_the_axis():
    rng = np.random.default_rng(0)
    towards = torch.tensor(rng.normal(0, 0.6, (50, 2)))
    turn = rotation_to_optical_axis(towards)
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
        read_contact_network(path)
