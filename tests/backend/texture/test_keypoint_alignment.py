"""The mesh moved to the face's keypoints: the head goes along, limbs stay, and what cannot be is left out."""

import numpy as np
import pytest

from blender_meshrec.backend.texture.keypoint_alignment import anchors_of_body
from blender_meshrec.backend.texture.surface import surface_of_body

DISTANCE = 3.0  # m
HEAD = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")


@pytest.fixture(scope="module")
def surface(template):
    return surface_of_body(template)


@pytest.fixture(scope="module")
def anchors(template, surface):
    return anchors_of_body(surface, template.landmarks)


@pytest.fixture(scope="module")
def vertices(template):
    """The body upright before a camera."""
    return template.v_template * [1.0, -1.0, -1.0] + [0, 0, DISTANCE]


def keypoints(anchors, vertices, names, offset, confidence=0.95):
    """Rays of the named anchors, off the mesh by an offset (2,) m."""
    at = dict(zip(anchors.names, vertices[anchors.vertices]))
    return {name: np.array([*((at[name][:2] + offset) / at[name][2]), confidence]) for name in names}


def part_of(template, *names):
    return np.isin(template.lbs_weights.argmax(1), [list(template.joint_names).index(name) for name in names])


def test_the_head_goes_to_its_keypoints_and_the_limbs_stay(template, anchors, vertices):
    offset = np.array([0.01, 0.05])
    shifts = anchors.shifts(vertices, keypoints(anchors, vertices, HEAD, offset))
    head, limbs = part_of(template, "head"), part_of(template, "left_foot", "right_foot", "left_hand", "right_hand")
    assert np.abs(shifts[head] - offset).max() < 0.02  # m
    assert np.abs(shifts[head] - offset).mean() < 0.005
    assert np.abs(shifts[limbs]).max() < 0.003


def test_the_neck_follows_in_part(template, anchors, vertices):
    shifts = anchors.shifts(vertices, keypoints(anchors, vertices, HEAD, np.array([0.0, 0.05])))
    means = [shifts[part_of(template, name), 1].mean() for name in ("head", "neck", "spine3", "pelvis")]
    assert (np.diff(means) < 0).all() and means[1] > 0.02


def test_shifts_are_smooth_over_the_skin(surface, anchors, vertices):
    shifts = anchors.shifts(vertices, keypoints(anchors, vertices, HEAD, np.array([0.0, 0.05])))
    start, end = surface.edges.T
    length = np.linalg.norm(surface.vertices[start] - surface.vertices[end], axis=1)
    assert (np.linalg.norm(shifts[start] - shifts[end], axis=1) < 0.5 * length + 1e-4).all()


@pytest.mark.parametrize("offset, confidence", [((0.0, 0.6), 0.95), ((0.0, 0.05), 0.02)], ids=["far away", "not seen"])
def test_keypoints_that_are_not_there_move_nothing(anchors, vertices, offset, confidence):
    rays = keypoints(anchors, vertices, anchors.names, np.array(offset), confidence)
    assert (anchors.shifts(vertices, rays) == 0).all()
    assert (anchors.shifts(vertices, {}) == 0).all()


def test_one_wrong_keypoint_counts_little_among_right_ones(template, anchors, vertices):
    rays = keypoints(anchors, vertices, HEAD, np.zeros(2)) | keypoints(anchors, vertices, ("nose",), np.array([0.12, 0.0]))
    assert np.abs(anchors.shifts(vertices, rays)[part_of(template, "head")]).mean() < 0.012
