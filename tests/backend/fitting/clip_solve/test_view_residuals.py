"""Residuals of further views: their derivatives, and a solve that several views agree on."""

from dataclasses import replace

import numpy as np
import pytest

from blender_meshrec.backend.fitting.clip_solve.body_points import (
    BONE_ROWS,
    FRAME_UNKNOWNS,
    MARKER_ROWS,
    NUM_OFFSETS,
    BodyState,
    pose_points,
    shape_of_stature,
)
from blender_meshrec.backend.fitting.clip_solve.equations import NUM_VIEW, NUM_WORLD, Equations, shared_columns
from blender_meshrec.backend.fitting.clip_solve.normal_equations import ProjectedEquations
from blender_meshrec.backend.fitting.clip_solve.residuals import ViewPlace, World
from blender_meshrec.backend.fitting.clip_solve.solve_clip import solve_clip
from blender_meshrec.backend.fitting.clip_solve.view_evidence import PersonInView, ViewEvidence
from blender_meshrec.backend.fitting.clip_solve.view_residuals import ViewBones, ViewPrior, ViewReprojection, ViewSigma
from blender_meshrec.core.cameras import invert_rigid_transform, project, transform_points
from blender_meshrec.core.rotations import rotmat_from_rotvec
from tests.support.dense_system import dense_system
from tests.support.made_up_clips import squat, wrong_start
from tests.support.synthetic_gait import make_view

FRAMES = 6
PLACE = ViewPlace(rotmat_from_rotvec([0.1, 1.2, -0.2]), np.array([-2.5, 0.3, 1.5]), 0.1, np.array([0.02, -0.01, 0.03]))
OTHER = ViewPlace(rotmat_from_rotvec([0.3, -0.8, 0.1]), np.array([1.0, 0.1, 2.5]), -0.2, np.zeros(3))
WORLD = World(np.array([0.1, -0.95, -0.2]) / np.linalg.norm([0.1, -0.95, -0.2]), 1.4, np.zeros(3), views=(OTHER, PLACE))
KINDS = ("reprojection", "bones", "prior")


@pytest.fixture(scope="module")
def still(template):
    """A body in front of both cameras in a random pose."""
    rng = np.random.default_rng(0)
    shape = shape_of_stature(template, np.zeros(template.shapedirs.shape[-1]))
    rotmats = rotmat_from_rotvec(0.3 * rng.normal(size=(FRAMES, 24, 3)))
    state = BodyState(
        np.array([0.1, 0.2, 4.0]) + 0.1 * rng.normal(size=(FRAMES, 3)),
        rotmats,
        rng.normal(size=shape.basis.shape[1]),
        0.01 * rng.normal(size=NUM_OFFSETS),
    )
    return pose_points(shape, state)


def made(kind, still):
    """A residual of the second view that vanishes for `still`."""
    rng = np.random.default_rng(1)
    if kind == "prior":
        return ViewPrior(1, PLACE, ViewSigma(0.1, 0.2, 0.3), 2.0)
    if kind == "bones":
        root = rng.uniform(0.3, 1, (FRAMES, 16, 3, 3))
        bones = still.rows[:, BONE_ROWS] @ PLACE.rotmat.T
        lifted = np.linalg.solve(np.eye(3) + np.cross(np.eye(3), PLACE.lean), bones[..., None])[..., 0]
        return ViewBones(1, lifted, 100 * (root @ np.swapaxes(root, -1, -2) + np.eye(3)))
    seen = still.markers @ PLACE.rotmat.T + PLACE.transl
    rays = np.exp(PLACE.zoom) * seen[..., :2] / seen[..., 2:]
    return ViewReprojection(1, MARKER_ROWS, rays, rng.uniform(0.3, 1, (FRAMES, 17)), 0.01 * rng.uniform(0.3, 1, (FRAMES, 17)))


def directions(still, rng):
    """A random step of the frames, the shape, the marker offsets and the world with its views."""
    sizes = ((FRAMES, FRAME_UNKNOWNS), len(still.state.shape), NUM_OFFSETS, NUM_WORLD + 2 * NUM_VIEW)
    return [rng.normal(size=size) for size in sizes]


def moved(points, world, steps, factor):
    frames, shape, offsets, shared = (factor * step for step in steps)
    return pose_points(points.shape, points.state.moved(frames, shape, offsets)), world.moved(shared)


@pytest.mark.parametrize("size", [0.02, 0.1])
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_equal_finite_differences(kind, size, still):
    residual, rng, step = made(kind, still), np.random.default_rng(2), 1e-5
    points, world = moved(still, WORLD, directions(still, np.random.default_rng(3)), size)
    equations = Equations(FRAMES, 2)
    assert residual.add(points, world, equations) == residual.add(points, world, None)
    _matrix, gradient = dense_system(ProjectedEquations(points, equations))
    for only in (None, 0, 3):
        steps = [part * (only in (None, i)) for i, part in enumerate(directions(still, rng))]
        above, below = (residual.add(*moved(points, world, steps, sign * step), None) for sign in (1, -1))
        found = 2 * gradient @ np.concatenate([np.ravel(part) for part in steps])
        assert found == pytest.approx((above - below) / (2 * step), rel=1e-4, abs=1e-4 * max(1, residual.add(points, world, None)))


@pytest.mark.parametrize("kind", KINDS)
def test_curvature_is_exact_where_a_residual_vanishes(kind, still):
    residual, rng, step = made(kind, still), np.random.default_rng(4), 1e-5
    assert residual.add(still, WORLD, None) == pytest.approx(0, abs=1e-9)
    equations = Equations(FRAMES, 2)
    residual.add(still, WORLD, equations)
    matrix, _gradient = dense_system(ProjectedEquations(still, equations))
    steps = directions(still, rng)
    energy = np.mean([residual.add(*moved(still, WORLD, steps, sign * step), None) for sign in (1, -1)]) / step**2
    flat = np.concatenate([np.ravel(part) for part in steps])
    assert flat @ matrix @ flat == pytest.approx(energy, rel=1e-3)


def test_people_share_cameras_but_not_how_their_lifters_lean():
    assert shared_columns(2)[NUM_WORLD:].tolist() == 2 * ([True] * 7 + [False] * 3)
    assert not ViewSigma().free_columns(0)
    assert len(ViewSigma(0.1, 0.1).free_columns(0)) == 2


def test_a_second_view_halves_the_error_in_depth(template, body):
    """A start that is 12 cm off along the line of sight: one view does not show it, a view from the side does."""
    clip = squat(template, np.arange(20) / 30)
    side = make_view(pitch=0.1, bearing=1.3)
    view_from_first = side.camera_from_world @ invert_rigid_transform(clip.view.camera_from_world)
    markers = transform_points(view_from_first, pose_points(clip.shape, clip.truth).markers)
    keypoints = np.concatenate([project(markers, side.intrinsics), np.ones((20, 17, 1))], -1)
    seen = PersonInView(keypoints, markers - markers[:, :1], np.ones(20, bool))
    view = ViewEvidence(side.intrinsics, np.array(side.size), view_from_first, ViewSigma())
    person = clip.evidence(wrong_start(clip))
    truth = body_joints(body, clip.params(clip.truth))

    def error(person, shared):
        (solved,), world = solve_clip(template, [person], replace(shared, tilt_sigma=np.zeros(2)))
        return np.linalg.norm(body_joints(body, solved.body) - truth, axis=-1).mean(), world

    alone, _world = error(person, clip.shared())
    together, world = error(replace(person, views=(seen,), is_size_open=True), replace(clip.shared(), views=(view,)))
    assert together < min(0.5 * alone, 0.015)  # m
    np.testing.assert_allclose(world.views[0].rotmat, view_from_first[:3, :3], atol=1e-9)  # a camera that is given does not move


def body_joints(body, params):
    return body.joints(params.betas, params.global_orient, params.body_pose, params.transl).numpy().astype(float)
