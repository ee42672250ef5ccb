"""What is checked of a body file, on either side of each limit, and what is read besides the mesh: landmarks, parts, gender."""

import numpy as np
import pytest

from blender_meshrec.core.errors import ModelError
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.files.model_content import are_skin_weights, is_in_range, is_mesh, is_numeric_array
from tests.support.synthetic_template import smpl_arrays


def save(path, **changes):
    np.savez(path, **{name: array for name, array in {**smpl_arrays(vertices=40), **changes}.items() if not isinstance(array, str)})
    return path


def test_landmarks_of_a_file_are_read_by_name(tmp_path):
    body = load_body(save(tmp_path / "a.npz", landmark_names=np.array(["nose", "left_ear"]), landmark_vertices=np.array([39, 0])))
    assert body.landmarks == {"nose": 39, "left_ear": 0}
    for vertices in ([40, 0], [-1, 0], [1], [[1, 2]], [1.0, 2.0]):
        with pytest.raises(ModelError, match="landmark_vertices"):
            load_body(save(tmp_path / "b.npz", landmark_names=np.array(["nose", "left_ear"]), landmark_vertices=np.array(vertices)))


def test_parts_of_a_file_are_read_by_face(tmp_path):
    faces = np.array([[0, 1, 2], [1, 2, 3], [2, 3, 39]], np.uint32)
    body = load_body(save(tmp_path / "a.npz", f=faces, part=np.array([1, 0, 1]), part_names=np.array(["shirt", "skin"])))
    assert body.part_names == ("shirt", "skin") and body.face_parts.tolist() == [1, 0, 1]
    assert load_body(save(tmp_path / "b.npz", f=faces)).part_names == ()
    for part in ([1, 0, 2], [1, 0], [-1, 0, 1]):
        with pytest.raises(ModelError, match="part"):
            load_body(save(tmp_path / "c.npz", f=faces, part=np.array(part), part_names=np.array(["shirt", "skin"])))


@pytest.mark.parametrize(
    "name, gender",
    [
        ("SMPL_FEMALE", "female"),
        ("basicmodel_f_lbs", "female"),
        ("smpl-male", "male"),
        ("m", "male"),
        ("SMPL_NEUTRAL", "neutral"),
        ("form", "neutral"),
    ],
)
def test_the_gender_is_in_the_files_name(tmp_path, name, gender):
    assert load_body(save(tmp_path / f"{name}.npz")).gender == gender


@pytest.mark.parametrize("vertex, is_read", [(0, True), (39, True), (40, False), (-1, False)])
def test_faces_name_vertices_that_exist(tmp_path, vertex, is_read):
    faces = np.array([[0, 1, vertex]], np.int64)
    assert is_mesh(faces, 40) == is_read and is_mesh(faces[:0], 0)
    if is_read:
        assert len(load_body(save(tmp_path / "a.npz", f=faces)).faces) == 1
        return
    with pytest.raises(ModelError) as caught:
        load_body(save(tmp_path / "a.npz", f=faces))
    assert caught.value.name in ("body-faces-wrong", "body-array-out-of-range")


@pytest.mark.parametrize("excess, is_read", [(0.0, True), (0.009, True), (-0.009, True), (0.011, False), (-0.011, False)])
def test_weights_of_a_vertex_sum_to_one(tmp_path, excess, is_read):
    weights = smpl_arrays(vertices=40)["weights"].copy()
    weights[7] *= 1 + excess
    assert are_skin_weights(weights, 1e-2) == is_read
    if is_read:
        load_body(save(tmp_path / "a.npz", weights=weights))
        return
    with pytest.raises(ModelError) as caught:
        load_body(save(tmp_path / "a.npz", weights=weights))
    assert caught.value.name == "body-weights-wrong"


@pytest.mark.parametrize("least, is_read", [(-0.9e-4, True), (-1.1e-4, False)])
def test_weights_are_not_negative(least, is_read):
    assert are_skin_weights(np.array([[1 - least, least]]), 1e-2) == is_read


@pytest.mark.parametrize("parent, is_read", [(0, True), (4, True), (5, False), (6, False), (-1, False)])
def test_joints_form_a_tree_whose_parents_come_first(tmp_path, parent, is_read):
    tree = smpl_arrays(vertices=40)["kintree_table"].astype(np.int64)
    tree[0, 5] = parent
    if is_read:
        load_body(save(tmp_path / "a.npz", kintree_table=tree))
        return
    with pytest.raises(ModelError) as caught:
        load_body(save(tmp_path / "a.npz", kintree_table=tree))
    assert caught.value.name in ("body-tree-broken", "body-array-out-of-range")


@pytest.mark.parametrize(
    "value, is_right", [(2.0**32, True), (-(2.0**32), True), (2.0**32 * 1.001, False), (np.inf, False), (np.nan, False), (0, True)]
)
def test_numbers_are_finite_and_in_range(value, is_right):
    assert is_in_range(np.array([1.0, value])) == is_right and is_in_range(np.zeros(0))
    assert is_numeric_array(np.array([1])) and is_numeric_array(np.array([1.0])) and is_numeric_array(np.array([1], np.uint8))
    assert not is_numeric_array(np.array([True])) and not is_numeric_array([1]) and not is_numeric_array(np.array(["a"]))
