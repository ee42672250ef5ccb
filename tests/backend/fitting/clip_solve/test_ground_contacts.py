"""Which parts of a body touch the ground, and for how much they count."""

from dataclasses import replace

import numpy as np
import pytest

from blender_meshrec.backend.fitting.clip_solve.body_points import SOLE_ROWS, point_rows, pose_points
from blender_meshrec.backend.fitting.clip_solve.ground_contacts import (
    GROUND_ROWS,
    PARTS,
    RESTING_TIME,
    SoleContacts,
    count_once,
    ground_radii,
    ground_skin,
    ground_weights,
    resting_places,
)
from blender_meshrec.core.foot_planting.leg_kinematics import soles_from_template
from blender_meshrec.core.rotations import rotmat_from_rotvec
from tests.support.made_up_clips import lie, squat

TIMES = np.arange(60) / 30


def weights_of(clip, lift=0.0, floor=True):
    """Weights (F,K) of a clip's truth, raised by `lift` m; floor: whether its height is known."""
    points, shared = pose_points(clip.shape, clip.truth), clip.shared()
    points.rows[...] += lift * shared.up
    radii = ground_skin(clip.template, clip.shape.start).radii(points.rotations, shared.up)
    return ground_weights(points, shared.up, shared.floor if floor else None, radii, TIMES, SoleContacts(clip.contacts))


def test_a_squatting_person_touches_with_the_soles_alone(template):
    weights = weights_of(squat(template, TIMES))
    assert weights[:, : len(SOLE_ROWS)].min() > 0.95
    assert weights[:, len(SOLE_ROWS) :].max() < 0.05


def test_a_lying_person_touches_with_the_back(template):
    parts = weights_of(lie(template, TIMES))[:, len(SOLE_ROWS) :].mean(0)
    touching = {name for name, weight in zip(PARTS, parts) if weight > 0.5}
    assert touching & {"pelvis", "spine2", "spine3", "head", "left_shoulder", "right_shoulder"}
    assert not touching & {"nose", "left_knee", "right_knee"}


def test_nothing_touches_in_the_air(template):
    """Half a metre above a floor of known height, whatever the network says; where the floor is not known, the lowest part may."""
    clip = squat(template, TIMES)
    assert weights_of(clip, lift=0.5).max() < 0.05
    assert weights_of(clip, lift=0.5, floor=False)[:, : len(SOLE_ROWS)].min() > 0.95


def test_a_lying_body_touches_where_its_skin_does(template, body):
    """On its back and turned over: the lowest skin of a trunk and a head is below their joints by the radius, within a centimetre."""
    clip = lie(template, TIMES[:1])
    for turn in (0.0, np.pi):
        rotmats = clip.truth.rotmats.copy()
        rotmats[:, 0] = rotmats[:, 0] @ rotmat_from_rotvec([0.0, turn, 0.0])
        state = replace(clip.truth, rotmats=rotmats, shape=np.zeros_like(clip.truth.shape))
        points, params, up = pose_points(clip.shape, state), clip.params(state), clip.shared().up
        radii = ground_skin(template, clip.shape.start).radii(points.rotations, up)[0]
        skin = body(params.betas, params.global_orient, params.body_pose, params.transl)[1].numpy()[0].astype(float)
        for name in ("pelvis", "spine3", "head"):
            joint = points.rows[0, point_rows((name,))[0]]
            below = skin[np.linalg.norm(skin - joint - up * ((skin - joint) @ up)[:, None], axis=1) < 0.04]
            depth = -((below - joint) @ up).min()
            assert radii[list(GROUND_ROWS).index(point_rows((name,))[0])] == pytest.approx(depth, abs=0.01), (name, turn)


def test_soles_lie_on_the_skin_and_hinges_are_a_few_centimetres_under_it(template):
    radii = ground_skin(template, np.zeros(10)).radii(np.eye(3)[None, None].repeat(24, 1), np.array([0.0, 1.0, 0.0]))[0]
    assert (radii[GROUND_ROWS >= 24] == 0).all()
    assert radii[GROUND_ROWS < 24].min() > 0.02 and radii.max() < 0.12


def test_a_foot_lies_on_its_edge_or_on_its_instep_with_its_leg(template):
    """How far the skin is below the soles then, within a centimetre; a foot that is rolled below an upright leg counts as flat."""
    skin, up, soles = ground_skin(template, np.zeros(10)), np.array([0.0, 1.0, 0.0]), slice(len(SOLE_ROWS))

    def radii(turn, joints):
        rotations = np.eye(3)[None, None].repeat(24, 1)
        rotations[:, joints] = rotmat_from_rotvec(turn)
        return skin.radii(rotations, up)[0, soles]

    vertices, rest = template.rest_vertices(np.zeros(10)), soles_from_template(template, np.zeros(10)).points
    everything, feet = list(range(24)), [7, 8, 10, 11]
    for turn in ([0.0, 0.0, np.pi / 2], [0.0, 0.0, -np.pi / 2], [np.pi, 0.0, 0.0]):
        down = -rotmat_from_rotvec(turn).T @ up
        for point, found in zip(rest, radii(turn, everything), strict=True):
            near = vertices[(np.abs(vertices - point)[:, [0, 2]] < [0.06, 0.03]).all(1) & (vertices[:, 1] < point[1] + 0.075)]
            assert found == pytest.approx(((near - point) @ down).max(), abs=0.01) and found > 0.015
        assert not radii(turn, feet).any()
    prone, on_toes = [np.pi / 2, 0.0, 0.0], [np.radians(70), 0.0, 0.0]
    assert not radii(prone, everything).any() and not radii(on_toes, everything).any()  # soles that look back


def test_radii_are_distances_from_the_skin(template):
    """Soles lie on the skin; joints are a few centimetres under it."""
    radii = ground_radii(template)
    assert (radii[GROUND_ROWS >= 24] == 0).all()
    assert radii[GROUND_ROWS < 24].min() > 0.005 and radii.max() < 0.2


def test_long_contacts_have_a_place_and_steps_have_none():
    frames = round(3 * RESTING_TIME * 30)
    times = np.arange(frames) / 30
    path = np.random.default_rng(0).normal(scale=0.01, size=(frames, 2, 3))
    touching = np.zeros((frames, 2))
    touching[5 : 5 + round(1.5 * RESTING_TIME * 30), 0] = 0.9
    touching[5 : 5 + round(0.5 * RESTING_TIME * 30), 1] = 0.9
    places, weights = resting_places(path, touching, times)
    rests = touching[:, 0] > 0
    assert (weights[rests, 0] == 0.9).all() and not weights[~rests, 0].any() and not weights[:, 1].any()
    assert np.ptp(places[rests, 0], axis=0).max() == 0
    np.testing.assert_allclose(places[rests, 0][0], np.median(path[rests, 0], 0))


@pytest.mark.parametrize("frame_weight", [0.5, 1.0, 4.0])
def test_a_foothold_counts_once(frame_weight):
    """A long contact weighs no more than so many frames, at every frame rate; a heel counts only without its toe; none is negative."""
    count = round(60 / frame_weight)  # frames of 2 s
    touching = np.zeros((count, 4))
    touching[:, 1] = 1
    touching[:, 0] = 1
    touching[: count // 2, 2] = 1
    weights = count_once(touching, np.full(count, frame_weight), 20)
    assert weights[:, 1].sum() == pytest.approx(20)
    assert weights[:, 2].sum() == pytest.approx(20)
    assert not weights[:, 0].any() and not weights[:, 3].any()
    assert (weights >= 0).all()


def test_short_footholds_count_fully():
    touching = np.zeros((30, 4))
    touching[4:9, 3] = 0.8
    np.testing.assert_array_equal(count_once(touching, np.ones(30), 20), touching)
