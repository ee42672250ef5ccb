"""The lifter's training: augmented bodies stay valid, views are consistent, seeds repeat, and a few steps reduce the loss."""

from argparse import Namespace

import numpy as np
import pytest
import torch

from blender_meshrec.core.skeletons import H36M17, H36M17_PARENTS
from blender_meshrec.methods.lifter.lifter_input import POINTS
from blender_meshrec.methods.skeleton2mesh import Lifter, LifterConfig
from scripts.train import lifter, spread_calibration
from scripts.train.data import camera_views, motion_augmentation, motion_clips
from scripts.train.widening import widened
from tests.support.synthetic_gait import walk


def made_up_clip(frames=150):
    """A synthetic walk as a Clip: y up, with face and feet derived from its joints, and the same axes for pelvis, thorax and head."""
    walker = walk(np.arange(frames) / 30)
    joints = walker.h36m17[..., [0, 2, 1]] * [1, 1, -1]
    left, up = joints[:, 4] - joints[:, 1], joints[:, 8] - joints[:, 0]
    left /= np.linalg.norm(left, axis=-1, keepdims=True)
    front = np.cross(left, up)
    front /= np.linalg.norm(front, axis=-1, keepdims=True)
    frame = np.stack([left, np.cross(front, left), front], -1)
    at = dict(zip(H36M17, np.moveaxis(joints, 1, 0)))
    at |= {name: at["nose"] + frame @ np.array(offset) for name, offset in motion_clips._FACE_OFFSETS.items()}
    at |= {f"{s}_{n}": at[f"{s}_ankle"] + x * front for s in ("left", "right") for n, x in (("big_toe", 0.2), ("heel", -0.05))}
    points = np.stack([at[name] for name in motion_clips.NODES], 1)
    vectors = points - points[:, np.maximum(motion_clips.PARENTS, 0)]
    axes = np.repeat(frame[:, None], 3, 1)
    arrays = (a.astype(np.float32) for a in (joints[:, 0], vectors, axes))
    return motion_clips.Clip("walk", "nobody", "walk", *arrays, np.ones(frames, bool)), points


@pytest.fixture(scope="module")
def clip():
    return made_up_clip()[0]


@pytest.fixture
def drawn(clip):
    rng = np.random.default_rng(5)
    return rng, *motion_augmentation.WindowSampler([clip], 27).draw(rng, 64)


def test_vectors_rebuild_the_points():
    clip, points = made_up_clip()
    np.testing.assert_allclose(clip.points(), points, atol=1e-5)  # m


def test_augmented_bones_have_constant_symmetric_lengths(drawn):
    _rng, points, _axes, _valid = drawn
    bones = np.linalg.norm(points[:, :, 1:] - points[:, :, motion_clips.PARENTS[1:]], axis=-1)
    assert (bones.std(1) / bones.mean(1)).max() < 0.02  # linear in time between recorded frames, so not quite zero
    left, right = (motion_clips.NODES.index(f"{side}_knee") - 1 for side in ("left", "right"))
    ratio = (bones[..., left] / bones[..., right]).mean(1)
    assert np.abs(np.log(ratio)).max() < 0.06


def test_axes_follow_the_body_also_when_mirrored(drawn):
    _rng, points, axes, _valid = drawn
    across = points[:, :, motion_clips.NODES.index("left_hip")] - points[:, :, motion_clips.NODES.index("right_hip")]
    assert ((axes[:, :, 0, :, 0] * across).sum(-1) > 0).all()
    np.testing.assert_allclose(np.linalg.det(axes), 1, atol=0.02)


def test_noise_free_rays_pass_through_the_joints(drawn):
    rng, *moving = drawn
    views = camera_views.film_bodies(rng, *moving, sets=[0] * 64, noisy=False)
    rays = views.rays[:, :, : len(H36M17)] / views.zoom[:, None, None, None]
    # With an unknown hip (x, y, z), joints + hip are on their rays: three linear unknowns per frame.
    x, y, z = np.moveaxis(views.joints.astype(float), -1, 0)
    u, v = np.moveaxis(rays.astype(float), -1, 0)
    one, zero = np.ones_like(u), np.zeros_like(u)
    matrix = np.concatenate([np.stack([one, zero, -u], -1), np.stack([zero, one, -v], -1)], 2)
    known = np.concatenate([u * z - x, v * z - y], 2)[..., None]
    hip = np.linalg.pinv(matrix) @ known
    assert np.abs(matrix @ hip - known).max() < 1e-4  # of the bone-length sum
    assert (hip[..., 2, 0] > 0).all()


def test_missing_points_have_zero_confidence(drawn):
    rng, *moving = drawn
    numbers = np.arange(64) % len(camera_views.DETECTOR_SETS)
    views = camera_views.film_bodies(rng, *moving, sets=numbers)
    for number, (_probability, missing) in enumerate(camera_views.DETECTOR_SETS.values()):
        assert not views.confidence[numbers == number][..., [POINTS.index(p) for p in missing]].any()
    assert np.isfinite(views.rays).all()
    assert 0 <= views.confidence.min() <= views.confidence.max() <= 1


def trained(clip, path, steps):
    """The averaged weights after a training of some steps."""
    lifter.train(Namespace(seed=3, width=32, device="cpu", steps=steps, state=path, start=None, filmed=None), [clip])
    return torch.load(path, weights_only=True)["mean"]


def test_training_is_reproducible(clip, tmp_path):
    one, other = (trained(clip, tmp_path / name, 6) for name in ("one.pt", "other.pt"))
    for name in one:
        torch.testing.assert_close(one[name], other[name], atol=0, rtol=0)


def test_training_reduces_the_loss(clip, tmp_path, monkeypatch):
    monkeypatch.setattr(lifter, "WARM_UP_STEPS", 1)
    rng = np.random.default_rng(1)
    unseen = camera_views.film_bodies(rng, *motion_augmentation.WindowSampler([clip], 27).draw(rng, 32))
    losses = []
    for state in (trained(clip, tmp_path / "begun.pt", 1), trained(clip, tmp_path / "trained.pt", 40)):
        network = Lifter(LifterConfig(width=32))
        network.load_state_dict(state)
        losses.append(lifter.lifting_loss(network.eval(), unseen, "cpu").item())
    assert losses[1] < 0.8 * losses[0]


def test_a_widened_lifter_computes_the_same():
    torch.manual_seed(0)
    old, new = Lifter(LifterConfig(width=16, takes_own_3d=False, has_spread=False)).eval(), Lifter(LifterConfig(width=24)).eval()
    new.load_state_dict(widened(old.state_dict(), old.config, new))
    encoded = torch.randn(2, 30, new.config.channels)
    torch.testing.assert_close(new(encoded).joints, old(encoded).joints)
    assert new(encoded).spread is not None and old(encoded).spread is None


def test_weights_with_a_spread_are_continued_with_it():
    old, new = (Lifter(LifterConfig(width=width)).eval() for width in (16, 24))
    new.load_state_dict(widened(old.state_dict(), old.config, new))
    encoded = torch.randn(2, 30, new.config.channels)
    for mine, theirs in zip(new(encoded), old(encoded), strict=True):
        torch.testing.assert_close(mine, theirs)


def test_the_least_spread_loss_is_at_the_quantile():
    errors = torch.randn(1, 4000, 17, 3, generator=torch.Generator().manual_seed(0))
    parents = list(H36M17_PARENTS[1:])
    bones = (errors[:, :, 1:] - errors[:, :, parents]).abs()
    sigma = float(bones.flatten().quantile(lifter.WITHIN_SPREAD))
    losses = [float(lifter.spread_loss(errors, torch.full_like(errors, factor * sigma)).mean()) for factor in (0.8, 1.0, 1.25)]
    assert losses[1] < losses[0] and losses[1] < losses[2]


def test_calibrated_spreads_hold_their_share_of_the_errors(clip):
    torch.manual_seed(0)
    network = Lifter(LifterConfig(width=16)).eval().requires_grad_(False)
    spread_calibration.calibrate_spread(network, [clip], 0.6827)
    assert spread_calibration.summarise_spread(network, [clip])["within"] == pytest.approx(0.6827, abs=0.02)


def test_legs_are_straightened_at_most_to_straight(monkeypatch):
    """Lengths stay, feet stay as they are turned, and no knee bends the other way."""
    monkeypatch.setattr(motion_augmentation, "MAX_STRAIGHTENING", 0.6)
    rng = np.random.default_rng(0)
    vectors = np.repeat(made_up_clip()[0].vectors[None, :30], 64, 0).astype(float)
    before = vectors.copy()
    motion_augmentation._straighten_legs(rng, vectors)
    knee, ankle, toe = (motion_clips.NODES.index(f"left_{name}") for name in ("knee", "ankle", "big_toe"))

    def flexion(of):
        cosine = (of[..., knee, :] * of[..., ankle, :]).sum(-1) / np.linalg.norm(of[..., [knee, ankle], :], axis=-1).prod(-1)
        return np.arccos(np.clip(cosine, -1, 1))

    less = flexion(before) - flexion(vectors)
    assert less.min() > -1e-6 and less.max() < motion_augmentation.MAX_STRAIGHTENING + 1e-6 and 0.3 < (less > 1e-3).mean() < 0.9
    assert (flexion(vectors) < 0.02).mean() > (flexion(before) < 0.02).mean()
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=-1), np.linalg.norm(before, axis=-1), atol=1e-9)
    np.testing.assert_array_equal(vectors[..., toe, :], before[..., toe, :])
    plane = np.cross(before[..., knee, :], before[..., ankle, :])
    assert ((np.cross(vectors[..., knee, :], vectors[..., ankle, :]) * plane).sum(-1) > -1e-9).all()
