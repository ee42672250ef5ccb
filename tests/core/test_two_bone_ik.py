"""Two-bone inverse kinematics on random legs and on the legs of synthetic performers."""

from dataclasses import replace

import numpy as np
import pytest

from blender_meshrec.core.axis_rotations import rotation_between
from blender_meshrec.core.rotations import rotmat_from_rotvec
from blender_meshrec.core.two_bone_ik import (
    MAX_EXTENSION,
    Limb,
    reachable_distance,
    soft_reachable_distance,
    soft_shortfall,
    solve_two_bone_ik,
)
from tests.support import synthetic_gait
from tests.support.synthetic_gait import Walker

TIMES = np.arange(60) / 30
X = np.array([1.0, 0.0, 0.0])


def walker_leg(walker: Walker, leg: int = 0) -> Limb:
    """A leg of a synthetic performer, with its thigh's x axis as the hinge."""
    hip, knee, ankle, _toes = synthetic_gait.LEGS[leg]
    thigh_rotation = walker.rotmats[:, 0] @ walker.rotmats[:, hip]
    return Limb(walker.joints[:, hip], walker.joints[:, knee], walker.joints[:, ankle], thigh_rotation @ X)


def random_leg(rng: np.random.Generator, frames: int = 50) -> Limb:
    """A bent leg that hangs from the origin and flexes about x."""
    thigh, shin = rng.uniform(0.3, 0.5, 2)
    swing, bend = rng.uniform(-0.5, 1.0, frames), rng.uniform(0.1, 2, frames)

    def down(angle):
        return np.stack([0 * angle, -np.sin(angle), -np.cos(angle)], 1)

    knee = thigh * down(swing)
    return Limb(np.zeros((frames, 3)), knee, knee + shin * down(swing - bend), np.tile(X, (frames, 1)))


def solve(limb: Limb, root: np.ndarray, target: np.ndarray) -> tuple[Limb, np.ndarray, np.ndarray]:
    """The limb after IK, and the rotations of its parts."""
    upper, lower = solve_two_bone_ik(limb, root, target)
    middle = root + np.einsum("fij,fj->fi", upper, limb.middle - limb.root)
    end = middle + np.einsum("fij,fj->fi", lower, limb.end - limb.middle)
    return Limb(root, middle, end, np.einsum("fij,fj->fi", upper, limb.hinge)), upper, lower


def flexion(limb: Limb) -> np.ndarray:
    """The component of (upper part x lower part) along the hinge, (F,) m^2: positive where the limb bends the right way."""
    return (np.cross(limb.middle - limb.root, limb.end - limb.middle) * limb.hinge).sum(1)


@pytest.mark.parametrize("seed", range(5))
def test_limbs_reach_targets(seed):
    """Targets within reach are met to 1e-9 m, and the knee keeps bending forward; beyond reach the leg points to the target."""
    rng = np.random.default_rng(seed)
    leg = random_leg(rng)
    wanted = rng.normal(size=(50, 3)) * [0.3, 0.3, 0.1] - [0, 0, 0.7 * leg.length]
    wanted *= (np.clip(np.linalg.norm(wanted, axis=1), 0.3 * leg.length, 0.99 * leg.length) / np.linalg.norm(wanted, axis=1))[:, None]
    root = rng.normal(size=(50, 3))
    solved, _upper, _lower = solve(leg, root, root + wanted)
    np.testing.assert_allclose(solved.end - root, wanted, atol=1e-9)
    assert (flexion(solved) > 0).all()
    direction = solve(leg, root, root + 10 * wanted)[0].end - root
    np.testing.assert_allclose(
        direction / np.linalg.norm(direction, axis=1)[:, None], wanted / np.linalg.norm(wanted, axis=1)[:, None], atol=1e-9
    )


@pytest.mark.parametrize("leg", [0, 1])
def test_knee_keeps_its_plane(leg):
    rng = np.random.default_rng(0)
    limb = walker_leg(synthetic_gait.squat(TIMES), leg)
    root = limb.root + rng.normal(scale=0.01, size=(60, 3))
    target = limb.end + rng.normal(scale=0.02, size=(60, 3)) + [0, 0, 0.05]
    solved, upper, lower = solve(limb, root, target)
    np.testing.assert_allclose(solved.end, target, atol=1e-9)
    for rotmats in (upper, lower):
        np.testing.assert_allclose(rotmats @ np.swapaxes(rotmats, -1, -2), np.broadcast_to(np.eye(3), rotmats.shape), atol=1e-9)
    before, after = (np.cross(one.middle - one.root, one.end - one.middle) for one in (limb, solved))
    clear = np.linalg.norm(before, axis=-1) > 0.3 * 0.38 * 0.4  # bent by 17 degrees or more
    assert clear.sum() > 30
    cosine = (before * after).sum(-1) / np.linalg.norm(before, axis=-1) / np.linalg.norm(after, axis=-1)
    assert np.degrees(np.arccos(np.clip(cosine[clear], -1, 1))).max() < 15


def test_limb_at_its_target_does_not_move():
    limb = walker_leg(synthetic_gait.walk(TIMES))
    for rotmats in solve_two_bone_ik(limb, limb.root, limb.end):
        angle = np.degrees(np.arccos(np.clip((np.trace(rotmats, axis1=1, axis2=2) - 1) / 2, -1, 1)))
        assert np.abs(rotmats - np.eye(3)).max() < 2e-6 and angle.max() < 1e-4


def test_out_of_reach_never_reverses_the_knee():
    limb = walker_leg(synthetic_gait.squat(TIMES))
    direction = (limb.end - limb.root) / limb.extent[:, None]
    far = limb.root + 2.0 * direction
    solved, _upper, _lower = solve(limb, limb.root, far)
    distance = reachable_distance(limb, np.full(60, 2.0))
    np.testing.assert_allclose(solved.end, limb.root + distance[:, None] * direction, atol=1e-6)
    np.testing.assert_allclose(solved.extent, MAX_EXTENSION * limb.length, atol=1e-6)
    assert (flexion(solved) > -1e-3).all()  # m^2: a straight knee, but not one bent backwards


def test_straight_leg_folds_about_its_hinge():
    """Only the thigh's own axis shows which way a straight knee bends: forwards."""
    thigh_rotation = rotmat_from_rotvec([np.pi / 2, 0, 0])
    limb = Limb(np.array([[0, 0, 0.9]]), np.array([[0, 0, 0.5]]), np.array([[0, 0, 0.1]]), (thigh_rotation @ X)[None])
    solved, _upper, _lower = solve(limb, limb.root, np.array([[0, 0, 0.2]]))
    assert solved.middle[0, 1] < -0.1  # the subject faces -y


def test_soft_extension_reaches_at_most_as_far():
    rng = np.random.default_rng(1)
    limb = walker_leg(synthetic_gait.walk(TIMES))
    np.testing.assert_allclose(soft_shortfall(limb, limb.root, limb.end), 0, atol=1e-12)
    target = limb.end + rng.normal(scale=0.1, size=(60, 3))
    distance = np.linalg.norm(target - limb.root, axis=-1)
    hard, soft = (distance - reach(limb, distance) for reach in (reachable_distance, soft_reachable_distance))
    assert (soft >= hard - 1e-12).all() and (soft < hard + 0.1).all()
    np.testing.assert_allclose(np.linalg.norm(soft_shortfall(limb, limb.root, target), axis=-1), soft, atol=1e-12)
    shifted = replace(limb, root=limb.root + 1, middle=limb.middle + 1, end=limb.end + 1)
    np.testing.assert_allclose(soft_shortfall(shifted, shifted.root, target + 1), soft_shortfall(limb, limb.root, target), atol=1e-9)


def test_rotation_between_is_the_shortest():
    rng = np.random.default_rng(4)
    source, target = rng.normal(size=(30, 3)), rng.normal(size=(30, 3))
    turned = (rotation_between(source, target) @ source[..., None])[..., 0]
    np.testing.assert_allclose(
        turned / np.linalg.norm(turned, axis=-1, keepdims=True), target / np.linalg.norm(target, axis=-1, keepdims=True), atol=1e-12
    )
    np.testing.assert_allclose(rotation_between(source, 2 * source), np.broadcast_to(np.eye(3), (30, 3, 3)), atol=1e-7)


@pytest.mark.parametrize("sine, share", [(0.005, 0.1), (0.05, 1.0)])
def test_the_plane_of_the_bones_counts_as_much_as_the_hinge_at_a_bend_of_3_degrees(sine: float, share: float):
    """A leg bent across its hinge, by a sine of 0.05: it bends on midway between the two. share: of the plane's normal to the hinge."""
    down, aside = np.array([0, 0, -1.0]), np.array([sine, 0, -np.sqrt(1 - sine**2)])
    limb = Limb(np.zeros((1, 3)), 0.4 * down[None], 0.4 * (down + aside)[None], X[None])
    solved, _, _ = solve(limb, np.zeros((1, 3)), 0.5 * down[None])
    normal = np.cross(solved.middle - solved.root, solved.end - solved.middle)[0]
    assert abs(normal[1] / normal[0]) == pytest.approx(share, rel=0.1)
