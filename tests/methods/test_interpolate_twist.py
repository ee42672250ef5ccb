"""The twist of limbs too straight to show it is interpolated over time; no bone changes direction and bent limbs stay unchanged."""

import numpy as np
import pytest
import roma
import torch

from blender_meshrec.core.rotations import rotmat_from_quat
from blender_meshrec.core.skeletons import SMPL_JOINTS
from blender_meshrec.methods import dik
from tests.methods.test_dik import degrees_between, forward, rest_of, rotvec

FRAMES = 120
UPPER = [SMPL_JOINTS.index(limb.upper) for limb in dik.LIMBS]
MIDDLE = [SMPL_JOINTS.index(limb.middle) for limb in dik.LIMBS]


def clip(bends, twists=0.0):
    """A clip (F,24,3,3) in which all limbs bend by `bends` (F,) rad, their upper bones turned by `twists` (F,) rad about themselves."""
    rest = rest_of("smpl-like")
    rotmats = torch.eye(3, dtype=torch.float64).repeat(len(bends), 24, 1, 1)
    rotmats[:, 0] = roma.rotvec_to_rotmat(torch.linspace(0, 1, len(bends))[:, None].double() * rotvec(0.2, 1.0, 0.1))
    bends, twists = (torch.as_tensor(value, dtype=torch.float64).expand(len(bends))[:, None] for value in (bends, twists))
    for i, limb in enumerate(dik.LIMBS):
        bone = rest[MIDDLE[i]] - rest[UPPER[i]]
        rotmats[:, UPPER[i]] = roma.rotvec_to_rotmat(twists * bone / bone.norm())
        rotmats[:, MIDDLE[i]] = roma.rotvec_to_rotmat(bends * rotvec(*limb.hinge))
    return rotmats


def noisy(joints, metres=0.01):
    """Joints with noise of this standard deviation at knees, ankles, elbows and wrists, and none at the torso."""
    noise = metres * torch.randn(joints.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    moved = torch.zeros(24, 1).double()
    moved[[*MIDDLE, *(SMPL_JOINTS.index(limb.end) for limb in dik.LIMBS)]] = 1
    return joints + moved * noise


def jumps(rotmats):
    """Degrees from frame to frame, (F-1,4), of thighs and upper arms."""
    return degrees_between(rotmats[1:, UPPER], rotmats[:-1, UPPER])


def straight_in_the_middle():
    """Bent, straight from frame 40 to 80, bent again; turning by 40 degrees about itself meanwhile."""
    ramp = np.interp(np.arange(FRAMES), [0, 30, 40, 80, 90, 119], [1.2, 1.2, 0.02, 0.02, 1.2, 1.2])
    return ramp, np.linspace(0, np.radians(40), FRAMES)


def test_a_straight_limb_stops_jumping():
    rest = rest_of("smpl-like")
    truth = clip(*straight_in_the_middle())
    found, _ = dik.solve_dik(noisy(forward(truth, rest)), rest)
    interpolated = dik.interpolate_twist(found, rest)
    assert jumps(found)[40:80].max() > 60  # the plane of a straight limb is noise
    assert jumps(interpolated).max() < 20  # 1 cm of noise turns the bones themselves by up to 13 degrees a frame
    error = degrees_between(interpolated[:, UPPER], truth[:, UPPER])
    assert error[45:75].max() < 20 and error[45:75].mean() < 10


def test_bent_limbs_stay_unchanged():
    rest = rest_of("smpl-like")
    bends, twists = straight_in_the_middle()
    found, _ = dik.solve_dik(noisy(forward(clip(bends, twists), rest)), rest)
    interpolated = dik.interpolate_twist(found, rest)
    bent = [*range(30), *range(90, FRAMES)]
    torch.testing.assert_close(interpolated[bent], found[bent], atol=1e-12, rtol=0)


@pytest.mark.parametrize("joints", [24, 17])
def test_no_bone_changes_its_direction(joints):
    rest = rest_of("smpl-like")
    generator = torch.Generator().manual_seed(1)
    truth = clip(*straight_in_the_middle())
    truth[:, UPPER] = truth[:, UPPER] @ roma.rotvec_to_rotmat(torch.randn(4, 3, generator=generator, dtype=torch.float64))
    found, _ = dik.solve_dik(noisy(forward(truth, rest)), rest)
    interpolated = dik.interpolate_twist(found, rest_of("smpl-like", joints))
    assert (found - interpolated).abs().max() > 0.1
    moved = (forward(interpolated, rest) - forward(found, rest)).norm(dim=-1)
    # With 17 joints feet and hands were not observed, and turn with shin and forearm.
    assert moved[:, :22].max() < 1e-12 if joints == 24 else moved[:, [0, 4, 5, 7, 8, 18, 19, 20, 21]].max() < 1e-12
    assert moved.max() < 1e-12 or joints == 17


def test_a_reversed_clip_gives_the_reversed_result():
    """Zero-phase: the clip played backwards gets the same rotations."""
    rest = rest_of("smpl-like")
    found, _ = dik.solve_dik(noisy(forward(clip(*straight_in_the_middle()), rest)), rest)
    there, back = dik.interpolate_twist(found, rest), dik.interpolate_twist(found.flip(0), rest).flip(0)
    torch.testing.assert_close(there, back, atol=1e-9, rtol=0)


def test_twist_is_constant_at_ends_and_zero_if_unobserved():
    rest = rest_of("smpl-like")
    bends = np.interp(np.arange(FRAMES), [0, 50, 60, 119], [0.0, 0.0, 1.0, 1.0])
    twist = np.radians(30)
    found, _ = dik.solve_dik(noisy(forward(clip(bends, twist), rest), 0.003), rest)
    early = dik.interpolate_twist(found, rest)[:40, UPPER]
    assert degrees_between(early, clip(bends, twist)[:40, UPPER]).max() < 8
    never, _ = dik.solve_dik(noisy(forward(clip(bends * 0, twist), rest), 0.003), rest)
    assert degrees_between(dik.interpolate_twist(never, rest)[:, UPPER], clip(bends * 0)[:, UPPER]).max() < 6
    single = dik.interpolate_twist(never[:1], rest)
    assert degrees_between(single[:, UPPER], clip(bends[:1] * 0)[:, UPPER]).max() < 6


def test_a_backward_knee_does_not_spin_the_thigh():
    """A depth error bends knees and elbows backwards for ten frames: bones keep their directions and thighs still face forward."""
    rest = rest_of("smpl-like")
    bends = np.full(FRAMES, 0.8)
    bends[50:60] = -0.8
    found, _ = dik.solve_dik(forward(clip(bends), rest), rest)
    interpolated = dik.interpolate_twist(found, rest)
    assert degrees_between(found[:, UPPER], clip(bends)[:, UPPER])[50:60].max() > 150
    assert degrees_between(interpolated[:, UPPER], clip(bends)[:, UPPER]).max() < 1
    torch.testing.assert_close(forward(interpolated, rest), forward(found, rest), atol=1e-12, rtol=0)


def test_hinge_axis_evidence_twists_a_straight_limb():
    """A foot shows the direction of its knee's hinge: a straight leg follows it, a bent one does not."""
    rest = rest_of("smpl-like")
    bends, twist = straight_in_the_middle()[0], np.radians(50)
    truth = clip(bends, twist)
    found, _ = dik.solve_dik(noisy(forward(truth, rest), 0.003), rest)
    world = dik.global_rotmats(truth)
    axes = torch.stack([world[limb.upper] @ rotvec(*limb.hinge) for limb in dik.LIMBS], 1)
    interpolated = dik.interpolate_twist(found, rest, hinge_axes=axes)
    assert degrees_between(interpolated[40:80, UPPER], truth[40:80, UPPER]).max() < 3
    wrong = dik.interpolate_twist(found, rest, hinge_axes=-axes)
    torch.testing.assert_close(wrong[:30], found[:30], atol=1e-12, rtol=0)
    ignored = dik.interpolate_twist(found, rest, hinge_axes=-axes, axes_confidence=torch.zeros(FRAMES, 4).double())
    torch.testing.assert_close(ignored, dik.interpolate_twist(found, rest), atol=1e-12, rtol=0)


def test_uneven_timestamps_are_used():
    """In a gap of straight frames, halfway in time is halfway in twist, whatever the frame number."""
    rest = rest_of("smpl-like")
    bends = np.array([1.0, 0.0, 0.0, 1.0])
    truth = clip(bends, np.radians([0.0, 0, 0, 60]))
    found, _ = dik.solve_dik(forward(truth, rest), rest)
    interpolated = dik.interpolate_twist(found, rest, times=rotvec(0.0, 0.5, 0.9, 1.0))
    halfway = clip(bends, np.radians([0.0, 30, 60, 60]))
    assert degrees_between(interpolated[1, UPPER], halfway[1, UPPER]).max() < 1e-4
    assert degrees_between(interpolated[2, UPPER], halfway[2, UPPER]).max() < 3


def test_real_motion_keeps_its_joints(recordings):
    """Every tenth recording: limb joints stay in place, and the mean largest step of thighs and upper arms decreases."""
    steps = []
    for recording in recordings[::10]:
        rest = torch.tensor(recording.rest_joints())
        found, _ = dik.solve_dik(forward(torch.tensor(rotmat_from_quat(recording.quats)), rest), rest)
        interpolated = dik.interpolate_twist(found, rest)
        assert (forward(interpolated, rest) - forward(found, rest)).norm(dim=-1).max() < 1e-9
        steps.append((jumps(found).max().item(), jumps(interpolated).max().item()))
    before, after = np.mean(steps, 0)
    assert after < 0.75 * before


def straight_hinge():
    """The hinges of limbs that are straight at rest."""
    bones = torch.tensor([[[0.0, -1, 0], [0, -1, 0], [1, 0, 0], [-1, 0, 0]]], dtype=torch.float64)
    return dik._Hinge(bones, bones)


def test_axes_almost_along_the_bone_still_show_the_twist():
    """The evidence is the part across the bone, down to a millionth of its length."""
    hinge = straight_hinge()
    for size, is_known in ((1.0, True), (1e-3, True), (2e-6, True), (5e-7, False), (0.0, False)):
        twist = 0.7
        turned = hinge.twist_rotmats(torch.full((1, 4), twist, dtype=torch.float64)) @ hinge.axis.expand(1, 4, 3)[..., None].double()
        found = hinge.twist_of_axis(size * turned[..., 0] + (1 - size) * hinge.upper)
        torch.testing.assert_close(found, torch.full_like(found, twist if is_known else 0.0), atol=1e-6, rtol=0)


def test_hinges_flex_nearest_to_a_direction_unless_it_is_along_their_axis():
    hinge = straight_hinge()
    axis = hinge.axis.expand(1, 4, 3).double()
    for angle in (-2.0, -0.3, 0.0, 1.0, 3.0):
        given = torch.full((1, 4), angle, dtype=torch.float64)
        lower = (hinge.flexion_rotmats(given.cos(), given.sin()) @ hinge.lower[..., None])[..., 0]
        for along, across in ((0.0, 1.0), (0.8, 0.6), (1.0, 2e-6)):
            cosine, sine = hinge.nearest_flexion(along * axis + across * lower)
            torch.testing.assert_close(torch.atan2(sine, cosine), given, atol=1e-6, rtol=0)
    cosine, sine = hinge.nearest_flexion(axis)
    assert (cosine == 1).all() and (sine == 0).all()


def test_limbs_that_get_a_new_twist_turn_their_lower_bones_no_more_than_they_must():
    """From the flexion nearest to its direction, by the least rotation: no flexion of the hinge is nearer to the lower bone's."""
    rotmats = clip(np.full(12, np.radians(12.0)), np.linspace(0.0, 1.2, 12))
    rest = rest_of("smpl-like")
    axes = torch.tensor([limb.hinge for limb in dik.LIMBS]).double().expand(12, 4, 3)
    found = dik.interpolate_twist(rotmats, rest, axes)
    local = found[:, MIDDLE]
    for i, limb in enumerate(dik.LIMBS):
        angles = torch.linspace(-np.pi, np.pi, 721).double()
        flexed = roma.rotvec_to_rotmat(angles[:, None] * rotvec(*limb.hinge))
        lower = rest[SMPL_JOINTS.index(limb.end)] - rest[MIDDLE[i]]
        lower = lower / lower.norm()
        turned = roma.rotmat_geodesic_distance(local[:, None, i], flexed[None])
        apart = torch.linalg.vecdot((local[:, i] @ lower)[:, None], flexed @ lower).clamp(-1, 1).arccos()
        assert (turned.min(1).values - apart.min(1).values).abs().max() < np.radians(0.5)
