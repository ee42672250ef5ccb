"""Every residual of the whole-clip solve: its gradient is that of its energy, and its curvature is exact where it vanishes."""

from dataclasses import replace

import numpy as np
import pytest

from blender_meshrec.backend.fitting.clip_solve import weights
from blender_meshrec.backend.fitting.clip_solve.body_points import (
    ATTACHED,
    BONE_ROWS,
    FRAME_UNKNOWNS,
    MARKER_ROWS,
    MOVING,
    NUM_OFFSETS,
    SOLE_ROWS,
    BodyState,
    pose_points,
    shape_of_stature,
)
from blender_meshrec.backend.fitting.clip_solve.body_residuals import PosePrior, ShapePrior, StandingKnees
from blender_meshrec.backend.fitting.clip_solve.corrections import KeptPlaces, Pins
from blender_meshrec.backend.fitting.clip_solve.equations import NUM_WORLD, Equations
from blender_meshrec.backend.fitting.clip_solve.ground_residuals import ContactPlace, ContactSpeed, Heights, WorldPrior
from blender_meshrec.backend.fitting.clip_solve.image_residuals import LiftedBones, Reprojection
from blender_meshrec.backend.fitting.clip_solve.motion_residuals import ACCELERATING_ROWS, Acceleration, TurnAcceleration, second_difference
from blender_meshrec.backend.fitting.clip_solve.normal_equations import ProjectedEquations
from blender_meshrec.backend.fitting.clip_solve.residuals import World, cauchy, geman_mcclure
from blender_meshrec.backend.fitting.clip_solve.standing_balance import MASS_ROWS, StandingBalance
from blender_meshrec.backend.fitting.clip_solve.touches import Meeting
from blender_meshrec.core.rotations import rotmat_from_rotvec, rotvec_from_rotmat
from blender_meshrec.core.skeletons import SMPL_JOINTS
from tests.support.dense_system import dense_system

FRAMES = 7
TIMES = np.array([0, 1, 2, 3.5, 4.5, 5.5, 6.5]) / 30  # s, with a longer interval
WORLD = World(np.array([0.05, -0.99, -0.1]) / np.linalg.norm([0.05, -0.99, -0.1]), 1.2, np.zeros(3))
RESIDUALS = (
    Reprojection,
    LiftedBones,
    Acceleration,
    TurnAcceleration,
    ContactSpeed,
    ContactPlace,
    Heights,
    WorldPrior,
    PosePrior,
    StandingKnees,
    ShapePrior,
    Pins,
    KeptPlaces,
    Meeting,
    StandingBalance,
)


@pytest.fixture(scope="module")
def still(template):
    """A body that stands still in front of the camera with betas 0, for which every residual of `made` vanishes."""
    rotmats = np.tile(np.eye(3), (24, 1, 1))
    rotmats[0] = rotmat_from_rotvec([np.pi, 0.2, 0.1])
    for name in ("left_knee", "right_knee"):
        rotmats[SMPL_JOINTS.index(name)] = rotmat_from_rotvec([weights.STANDING_FLEXION, 0, 0])
    shape = shape_of_stature(template, np.zeros(10))
    state = BodyState(
        np.tile([0.1, 0.3, 4.0], (FRAMES, 1)), np.tile(rotmats, (FRAMES, 1, 1, 1)), np.zeros(shape.basis.shape[1]), np.zeros(NUM_OFFSETS)
    )
    return pose_points(shape, state)


def made(kind, still):
    """The residual of a kind that vanishes for `still`."""
    rng = np.random.default_rng(1)

    def some(*shape):
        return rng.uniform(0.3, 1, shape)

    def positive_definite(matrices):
        return matrices @ np.swapaxes(matrices, -1, -2) + np.eye(3)

    centres = 0.4 * some(FRAMES, 3) - 0.2
    seen, from_camera = still.markers - centres[:, None], still.rows[:, :24] - centres[:, None]
    intervals = np.diff(TIMES)
    soles, rows = SOLE_ROWS, still.rows
    heights = rows[:, soles] @ WORLD.up + WORLD.floor
    arguments = {
        Reprojection: lambda: (MARKER_ROWS, seen[..., :2] / seen[..., 2:], some(FRAMES, 17), 0.01 * some(FRAMES, 17), centres),
        LiftedBones: lambda: (rows[:, BONE_ROWS], 100 * positive_definite(some(FRAMES, 16, 3, 3))),
        Acceleration: lambda: (ACCELERATING_ROWS, second_difference(TIMES), some(FRAMES - 2), 20.0),
        TurnAcceleration: lambda: (intervals, some(FRAMES - 2), 40.0),
        ContactSpeed: lambda: (soles, intervals, some(FRAMES - 1, 4)),
        ContactPlace: lambda: (soles, rows[:, soles], some(FRAMES, 4)),
        Heights: lambda: (soles, heights[0], some(FRAMES, 4), 0.03, 0 * some(FRAMES), 0.02, True),
        WorldPrior: lambda: (WORLD.up, np.array([0.05, 0.03]), 0.2, 0.3, 2.0),
        PosePrior: lambda: (still.state.rotmats[:, list(MOVING)], some(FRAMES)),
        StandingKnees: lambda: (some(FRAMES, 2),),
        ShapePrior: lambda: (2.0,),
        Pins: lambda: (
            from_camera[..., :2] / from_camera[..., 2:],
            1e-3 * some(FRAMES, 24),
            from_camera[..., 2],
            1e-3 * some(FRAMES, 24),
            1e-3 * some(FRAMES),
            centres,
        ),
        KeptPlaces: lambda: (rows[:, :24], 1e-3 * some(FRAMES)),
        StandingBalance: lambda: (rows[:, MASS_ROWS], 0.3 * positive_definite(some(FRAMES, 3, 3)), some(FRAMES)),
        Meeting: lambda: (np.array([22, 9, 22]), rows[:, [22, 9, 22]], 1e-3 * some(FRAMES, 3)),
    }
    return kind(*arguments[kind]())


def directions(still, rng):
    """A random step of everything: of the frames (F,U), the shape (S,), the marker offsets (M,) and the world (W,)."""
    sizes = ((FRAMES, FRAME_UNKNOWNS), len(still.state.shape), NUM_OFFSETS, NUM_WORLD)
    return [rng.normal(size=size) for size in sizes]


def moved(points, world, steps, factor):
    """Points and world after `factor` times the steps."""
    frames, shape, offsets, shared = (factor * step for step in steps)
    return pose_points(points.shape, points.state.moved(frames, shape, offsets)), world.moved(shared)


def disturbed(still, size, seed=0):
    """Points and a world that are off by random steps of a size."""
    rng = np.random.default_rng(seed)
    return moved(still, WORLD, [scale * step for scale, step in zip((1, 3, 0.2, 0.1), directions(still, rng))], size)


def linearised(residual, points, world):
    equations = Equations(len(points.state))
    residual.add(points, world, equations)
    return ProjectedEquations(points, equations)


def flat(steps):
    """Steps as one vector, in the order of `dense_system`."""
    return np.concatenate([np.ravel(step) for step in steps])


@pytest.mark.parametrize("size", [0.02, 0.2])
@pytest.mark.parametrize("kind", RESIDUALS)
def test_gradients_equal_finite_differences(kind, size, still):
    """Also far from the solution, where robust losses let go."""
    residual = made(kind, still)
    points, world = disturbed(still, size)
    _matrix, gradient = dense_system(linearised(residual, points, world))
    rng, step = np.random.default_rng(2), 1e-5
    for only in (None, 0, 1, 2, 3):  # all unknowns, and each part alone
        steps = [part * (only in (None, i)) for i, part in enumerate(directions(still, rng))]
        above, below = (residual.add(*moved(points, world, steps, sign * step), None) for sign in (1, -1))
        expected, found = (above - below) / (2 * step), 2 * gradient @ flat(steps)
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-4 * max(1, residual.add(points, world, None)))


def test_a_shape_that_nobody_has_costs_more_than_its_distance_from_the_start(still):
    """Beyond the limit of betas, with the gradient of finite differences; a start beyond it is its own limit."""
    residual = ShapePrior(2.0)
    unknowns = np.zeros(len(still.state.shape))
    unknowns[0] = 4 * weights.SHAPE_LIMIT
    beyond = pose_points(still.shape, replace(still.state, shape=unknowns))
    assert residual.add(beyond, WORLD, None) > 2 * 2.0 * (unknowns[0] / weights.SHAPE_SIGMA) ** 2
    _matrix, gradient = dense_system(linearised(residual, beyond, WORLD))
    step = np.zeros(len(unknowns))
    step[0] = 1e-5
    above, below = (
        residual.add(pose_points(still.shape, replace(still.state, shape=unknowns + sign * step)), WORLD, None) for sign in (1, -1)
    )
    of_shape = gradient[FRAMES * FRAME_UNKNOWNS : FRAMES * FRAME_UNKNOWNS + len(unknowns)]
    assert 2 * of_shape[0] == pytest.approx((above - below) / 2e-5, rel=1e-4)
    own = replace(still.shape, start=still.shape.betas(unknowns))
    at_start = pose_points(own, replace(still.state, shape=np.zeros(len(unknowns))))
    assert residual.add(at_start, WORLD, None) == 0


@pytest.mark.parametrize("kind", RESIDUALS)
def test_curvature_is_exact_where_a_residual_vanishes(kind, still):
    """There Gauss-Newton's matrix is the Hessian: the energy of a small step is the step's own quadratic form."""
    residual = made(kind, still)
    assert residual.add(still, WORLD, None) == pytest.approx(0, abs=1e-9)
    matrix, gradient = dense_system(linearised(residual, still, WORLD))
    np.testing.assert_allclose(gradient, 0, atol=1e-6)
    rng, step = np.random.default_rng(3), 1e-5
    for only in (None, 0, 1, 2, 3):
        steps = [part * (only in (None, i)) for i, part in enumerate(directions(still, rng))]
        # The mean of both signs leaves no third order.
        energy = np.mean([residual.add(*moved(still, WORLD, steps, sign * step), None) for sign in (1, -1)]) / step**2
        assert flat(steps) @ matrix @ flat(steps) == pytest.approx(energy, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("kind", RESIDUALS)
def test_energy_is_the_same_with_and_without_derivatives(kind, still):
    residual = made(kind, still)
    points, world = disturbed(still, 0.1)
    energy = residual.add(points, world, None)
    assert energy == residual.add(points, world, Equations(FRAMES))
    assert energy > 0


def test_below_the_floor_only_sinking_points_count(still):
    """Points below the floor are pushed up, points above it are left alone, and their gradient is that of the energy."""
    rows = SOLE_ROWS
    heights = (still.rows[:, rows] @ WORLD.up + WORLD.floor)[0]
    none = np.zeros((FRAMES, 4))
    above = Heights(rows, heights - 0.05, none, 0.02, np.ones(FRAMES), 0.01, False)
    below = Heights(rows, heights + 0.05, none, 0.02, np.ones(FRAMES), 0.01, False)
    assert above.add(still, WORLD, None) == 0
    assert below.add(still, WORLD, None) == pytest.approx(FRAMES * 4 * 25)
    _matrix, gradient = dense_system(linearised(below, still, WORLD))
    step = [np.zeros((FRAMES, FRAME_UNKNOWNS)), np.zeros(len(still.state.shape)), np.zeros(NUM_OFFSETS), np.zeros(NUM_WORLD)]
    step[0][:, :3] = WORLD.up
    assert gradient @ flat(step) == pytest.approx(-FRAMES * 4 * 5 / 0.01)


def test_a_camera_below_the_floor_is_raised(still):
    """Its energy grows with how far it is below its least height, and only there; the gradient is the energy's."""
    prior = WorldPrior(WORLD.up, np.array([0.05, 0.03]), 0.2, 0.3, 2.0)
    below, above = replace(WORLD, floor=-0.2), replace(WORLD, floor=0.11)
    assert prior.add(still, above, None) == 0
    assert prior.add(still, below, None) == pytest.approx(2 * 9 * np.log1p(2.0**2 / 9))
    matrix, gradient = dense_system(linearised(prior, still, below))
    step = 1e-5
    energies = [prior.add(still, replace(below, floor=-0.2 + change), None) for change in (step, -step)]
    assert 2 * gradient[-1] == pytest.approx((energies[0] - energies[1]) / (2 * step), rel=1e-6)
    assert matrix[-1, -1] == pytest.approx(2 / 0.15**2 / (1 + 4 / 9))


def test_the_projection_does_not_depend_on_its_chunks(still):
    """Frames are projected a chunk at a time, and those at its end share residuals with the next chunk's."""
    points, world = disturbed(still, 0.1)
    equations = Equations(FRAMES)
    for kind in RESIDUALS:
        made(kind, still).add(points, world, equations)
    whole = dense_system(ProjectedEquations(points, equations))
    for chunk in (2, 4, 6):
        for expected, found in zip(whole, dense_system(ProjectedEquations(points, equations, chunk_frames=chunk))):
            np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("loss", [geman_mcclure, cauchy])
def test_robust_losses_begin_as_squares_and_let_go(loss):
    """The weight is the derivative of the loss, 1 at zero, and falls."""
    squared = np.linspace(0, 100, 200)
    values, weight = loss(squared, 2.0)
    step = 1e-6
    np.testing.assert_allclose((loss(squared + step, 2.0)[0] - values) / step, weight, rtol=1e-3)
    assert values[0] == 0 and weight[0] == 1
    assert (np.diff(weight) < 0).all() and weight[-1] < 0.05


def test_second_differences_of_uneven_times():
    times = np.array([0.0, 0.1, 0.25, 0.3])
    stencil = second_difference(times)
    path = 3 + 2 * times + 5 * times**2
    found = (stencil * np.stack([path[:-2], path[1:-1], path[2:]], -1)).sum(-1)
    np.testing.assert_allclose(found, 10)


def test_up_stays_a_unit_vector():
    world = WORLD.moved(np.array([0.1, 0, 0, 0.3, -0.2, 0.4, 0.25, 0.5]))
    assert np.linalg.norm(world.up) == pytest.approx(1)
    assert world.floor == pytest.approx(WORLD.floor + 0.5)
    assert (world.zoom, world.growth) == (pytest.approx(0.4), pytest.approx(0.25))
    np.testing.assert_allclose(world.lean, [0.1, 0, 0])
    np.testing.assert_allclose(WORLD.up_basis @ WORLD.up, 0, atol=1e-12)


def test_points_are_those_of_the_posed_body(template, body, still):
    """Joints agree with those of the body in torch, m."""
    state = replace(still.state, shape=np.random.default_rng(0).normal(size=len(still.state.shape)))
    points = pose_points(still.shape, state)
    betas = points.shape.betas(state.shape)
    rotvecs = rotvec_from_rotmat(state.rotmats)
    transl = state.pelvis - template.rest_joints(betas)[0]
    joints = body.joints(betas, rotvecs[:, 0], rotvecs[:, 1:].reshape(FRAMES, -1), transl).numpy()
    np.testing.assert_allclose(points.rows[:, :24], joints, atol=1e-5)
    assert len(ATTACHED) + 24 == MARKER_ROWS[0]


def test_shapes_keep_the_stature(template):
    """From the soles to the top of the head, m."""
    shape = shape_of_stature(template, np.zeros(10))
    rng = np.random.default_rng(0)
    heights = []
    for unknowns in (np.zeros(shape.basis.shape[1]), *rng.normal(size=(5, shape.basis.shape[1]))):
        rest = shape.rest + shape.directions @ unknowns
        heights.append(rest[24 + list(ATTACHED).index("head_top"), 1] - rest[SOLE_ROWS, 1].mean())
    np.testing.assert_allclose(heights, heights[0], atol=1e-3)
