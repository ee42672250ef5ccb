"""Landmarks on a body's skin, found by where they lie on the body at rest."""

import numpy as np

from blender_meshrec.core.body_landmarks import SMPL_VERTICES, SMPLX_VERTICES, find_landmarks

JOINTS = ("pelvis", "left_ankle", "left_foot", "right_ankle", "right_foot", "head")
# Where the landmarks of a person of 1.7 m are, m: +x is the left, y up, facing +z.
PLACES = {
    "nose": (0, 1.55, 0.12),
    "head_top": (0, 1.7, 0),
    "left_eye": (0.03, 1.6, 0.1),
    "left_ear": (0.08, 1.57, 0),
    "left_heel": (0.1, 0.01, -0.06),
    "left_big_toe": (0.09, 0.01, 0.19),
    "left_small_toe": (0.14, 0.01, 0.175),
}
PLACES |= {name.replace("left", "right"): (-x, y, z) for name, (x, y, z) in PLACES.items() if name.startswith("left")}
# Skin that is farther out than the landmarks, but no part of the head or feet, and other skin of these.
ELSEWHERE = [(0.9, 1.4, 0), (-0.9, 1.4, 0), (0, 2, 0), (0, 1, 0.9), (0.1, 0, -0.9), (0.1, 0, 0.9), (-0.1, 0, 0.9), (-0.1, 0, -0.9)]
OTHERS = {
    "head": [(0, 1.6, -0.1), (0.05, 1.65, 0), (-0.05, 1.5, 0.02)],
    "left_foot": [(0.1, 0.08, 0), (0.09, 0.06, 0.192), (0.14, 0.06, 0.176)],
}
OTHERS["right_foot"] = [(-x, y, z) for x, y, z in OTHERS["left_foot"]]


def joint_of(landmark):
    side = landmark.partition("_")[0]
    return f"{side}_ankle" if "heel" in landmark else f"{side}_foot" if "toe" in landmark else "head"


def test_landmarks_are_the_outermost_skin_of_their_joints():
    points = list(PLACES.values()) + ELSEWHERE + [point for group in OTHERS.values() for point in group]
    joints = [joint_of(name) for name in PLACES] + ["pelvis"] * len(ELSEWHERE) + [name for name, group in OTHERS.items() for _ in group]
    order = np.random.default_rng(0).permutation(len(points))
    weights = np.full((len(points), len(JOINTS)), 0.1)
    weights[np.arange(len(points)), [JOINTS.index(name) for name in joints]] = 0.5
    found = find_landmarks(np.array(points, float)[order], weights[order].tolist(), JOINTS)
    assert {name: int(order[vertex]) for name, vertex in found.items()} == {name: at for at, name in enumerate(PLACES)}


def test_a_body_without_skin_at_a_joint_has_its_outermost_skin_there():
    points = np.array([(0, 1, 0), (0, 1, 0.2), (1.0, 0.5, 0), (-1.0, 0.5, 0), (0, 1.5, 0)])
    weights = np.eye(len(JOINTS))[[0] * len(points)]
    found = find_landmarks(points, weights, JOINTS)
    assert (found["nose"], found["head_top"], found["left_ear"], found["right_ear"]) == (1, 4, 2, 3)


def test_the_published_vertices_are_on_their_bodies():
    """The numbers of the smplx package, which a body with the published topology has to match."""
    for vertices, count in ((SMPL_VERTICES, 6890), (SMPLX_VERTICES, 10475)):
        assert len(set(vertices.values())) == len(vertices) and max(vertices.values()) < count
    assert SMPL_VERTICES.keys() - SMPLX_VERTICES.keys() == {"head_top"}
    assert set(SMPL_VERTICES) == set(PLACES)
    assert list(SMPL_VERTICES.values()) == [332, 2800, 6260, 583, 4071, 411, 3216, 3226, 3387, 6617, 6624, 6787]
    assert list(SMPLX_VERTICES.values()) == [9120, 9448, 9929, 6, 616, 5770, 5780, 8846, 8463, 8474, 8635]
