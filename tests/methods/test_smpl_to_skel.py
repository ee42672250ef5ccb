"""SMPL motion becomes SKEL's angles: skins agree, limits hold, accelerations do not increase."""

import numpy as np
import pytest
import torch

from blender_meshrec.bodies.skel import Skel
from blender_meshrec.core.conventions import WORLD_FROM_BODY
from blender_meshrec.core.errors import InputError
from blender_meshrec.core.rotations import rotmat_from_rotvec, rotvec_from_rotmat
from blender_meshrec.core.skel.vocabulary import limit_excess
from blender_meshrec.core.skeletons import SMPL_JOINTS
from blender_meshrec.methods.smpl_to_skel import FLAG_DISTANCE, STAGES, _SkelFit, convert_smpl_to_skel
from tests.support.synthetic_skel import synthetic_skel


def exercise(frames=24, strength=1.0):
    """A person who turns around, squats a little, swings the arms and nods: poses (F,72) rad and trans (F,3) m, z up."""
    times = np.arange(frames) / 24
    wave = 0.5 - 0.5 * np.cos(2 * np.pi * times)
    poses = np.zeros((frames, 24, 3))

    def turn(joint, axis, angle):
        poses[:, SMPL_JOINTS.index(joint), axis] = strength * angle

    for side, sign in (("left", 1), ("right", -1)):
        turn(f"{side}_hip", 0, -0.9 * wave)
        turn(f"{side}_knee", 0, 1.4 * wave)
        turn(f"{side}_ankle", 0, -0.5 * wave)
        turn(f"{side}_shoulder", 2, -1.1 * sign + 0.4 * sign * wave)
        turn(f"{side}_elbow", 1, -0.8 * sign * wave)
    turn("spine2", 0, 0.3 * wave)
    turn("neck", 0, 0.2 * wave)
    heading = rotmat_from_rotvec(np.outer(2 * times, [0, 0, 1.0]))
    poses[:, 0] = rotvec_from_rotmat(heading @ WORLD_FROM_BODY)
    return poses.reshape(frames, 72), np.stack([times, 0 * times, 1 - 0.3 * wave], -1)


@pytest.fixture(scope="module")
def converted(body, skel):
    poses, trans = exercise()
    betas = np.random.default_rng(0).normal(0, 0.7, 10)
    return poses, betas, trans, convert_smpl_to_skel(body, skel, poses, betas, trans)


def test_the_fitted_skin_agrees_in_the_world(body, skel, converted):
    poses, betas, trans, found = converted
    with torch.no_grad():
        wanted = body(betas, poses[:, :3], poses[:, 3:], trans)[1]
        made = skel(found.q, found.skel_betas, found.skel_trans).vertices
    apart = (made - wanted).norm(dim=-1).numpy()
    assert np.abs(apart.mean(1) - found.pve).max() < 1e-5 and np.abs(apart.max(1) - found.max_pve).max() < 1e-5  # m
    assert found.pve.mean() < 0.012 and found.max_pve.max() < FLAG_DISTANCE
    assert not found.flagged.any()


def test_angles_stay_within_limits_that_the_source_exceeds(body, skel):
    poses, trans = (each[9:15] for each in exercise(24, strength=2.2))
    found = convert_smpl_to_skel(body, skel, poses, np.zeros(10), trans)
    assert limit_excess(found.q).max() < np.radians(0.01)
    assert not found.within_limits.all()


def test_accelerations_do_not_increase(body, skel, converted):
    poses, betas, trans, found = converted
    with torch.no_grad():
        before = body.joints(betas, poses[:, :3], poses[:, 3:], trans).numpy()
        after = skel.joints(found.q, found.skel_betas, found.skel_trans).numpy()

    def acceleration(joints):
        return np.quantile(np.linalg.norm(np.diff(joints, 2, axis=0), axis=-1), 0.99)

    assert acceleration(after) < 1.1 * acceleration(before)


def test_a_single_image_is_a_clip_of_one_frame(body, skel):
    poses, trans = exercise(13)
    found = convert_smpl_to_skel(body, skel, poses[12:], np.zeros(10), trans[12:])
    assert found.q.shape == (1, 46) and found.max_pve[0] < FLAG_DISTANCE


def test_bodies_of_different_meshes_are_refused(body):
    with pytest.raises(InputError, match="different skins"):
        convert_smpl_to_skel(body, Skel(synthetic_skel()), np.zeros((1, 72)), np.zeros(10), np.zeros((1, 3)))


def test_progress_is_reported_and_can_cancel(body, skel):
    poses, trans = exercise(4)

    def stop(done, total):
        assert total == 4
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert_smpl_to_skel(body, skel, poses, np.zeros(10), trans, on_progress=stop)


def test_smoothing_reduces_noise_and_preserves_the_skin(body, skel):
    poses, trans = exercise(24)
    noisy_poses = poses + np.random.default_rng(1).normal(0, 0.03, poses.shape)
    alone, smoothed = (convert_smpl_to_skel(body, skel, noisy_poses, np.zeros(10), trans, smooth=smooth) for smooth in (0.0, 2e-3))

    def squared_accelerations(found):
        return np.square(np.diff(found.q[:, 3:], 2, axis=0)).sum()

    assert squared_accelerations(smoothed) < 0.25 * squared_accelerations(alone)
    assert smoothed.pve.mean() < alone.pve.mean() + 0.005 and limit_excess(smoothed.q).max() < np.radians(0.01)


class StubFit(_SkelFit):
    """A fit whose new skins are as far away as it is told."""

    def __init__(self, new_max_pve):
        self.asked, self.new_max_pve = [], np.array(new_max_pve)

    def solve(self, rows, q, transl, stages=STAGES):
        self.asked.append((rows, q, transl, stages))
        return q + 100, transl + 100

    def distances(self, q, transl, rows):
        return self.new_max_pve / 2, self.new_max_pve


def test_flagged_frames_are_fitted_again_from_the_frames_around_them():
    """What gains less than a millimetre stays as it was."""
    q, transl = np.arange(7.0)[:, None] ** 2 * np.ones(46), np.arange(7.0)[:, None] * np.ones(3)
    max_pve = np.array([0.01, 0.06, 0.1, 0.1, 0.1, 0.02, 0.061])
    pve, before = max_pve / 4, q.copy()
    fit = StubFit([0.05, 0.0995, 0.2, 0.0598])
    repaired = fit.repair(q, transl, pve, max_pve)
    ((rows, start, start_transl, stages),) = fit.asked
    assert rows.tolist() == [2, 3, 4, 6] and stages == STAGES[-1:]
    np.testing.assert_allclose(start[:, 45], [1 + 6, 1 + 12, 1 + 18, 25])  # between the frames 1 and 5, and after the last good one
    np.testing.assert_allclose(start_transl[:, 0], [2, 3, 4, 5])
    assert np.flatnonzero(repaired).tolist() == [2, 6]
    np.testing.assert_allclose([q[2, 0], transl[6, 0]], [107, 105])
    np.testing.assert_array_equal(np.delete(q, [2, 6], 0), np.delete(before, [2, 6], 0))
    np.testing.assert_allclose(max_pve, [0.01, 0.06, 0.05, 0.1, 0.1, 0.02, 0.0598])
    np.testing.assert_allclose(pve, [0.0025, 0.015, 0.025, 0.025, 0.025, 0.005, 0.0299])


@pytest.mark.parametrize("distance", [0.01, 0.1])
def test_clips_of_good_or_of_bad_frames_alone_are_left_alone(distance):
    fit = StubFit([0.0] * 3)
    assert not fit.repair(np.zeros((3, 46)), np.zeros((3, 3)), np.full(3, distance), np.full(3, distance)).any() and not fit.asked


@pytest.mark.parametrize("what", ["nothing", "poses", "betas", "trans"])
def test_motions_that_are_empty_or_not_finite_are_refused(body, skel, what):
    values = {"poses": np.zeros((0 if what == "nothing" else 2, 72)), "betas": np.zeros(10), "trans": np.zeros((2, 3))}
    if what in values:
        values[what].flat[-1] = np.nan
    with pytest.raises(InputError, match="empty or has values that are not finite"):
        convert_smpl_to_skel(body, skel, **values)
