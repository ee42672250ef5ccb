"""What is checked of a body file, on either side of each limit, and what is read besides the mesh: landmarks, parts, gender."""

import numpy as np
import pytest

from blender_meshrec.core.body_landmarks import SMPL_VERTICES, SMPLX_VERTICES
from blender_meshrec.core.errors import ModelError
from blender_meshrec.core.files import body_template
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.files.model_content import are_skin_weights, is_in_range, is_mesh, is_numeric_array
from blender_meshrec.core.skeletons import SMPL_JOINTS
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
    assert are_skin_weights(np.empty((0, 24)), 1e-2)  # of no vertices, nothing is wrong


@pytest.mark.parametrize(
    "joint, parent, is_read", [(5, 0, True), (5, 4, True), (5, 5, False), (5, 6, False), (5, -1, False), (1, -1, False), (1, 1, False)]
)
def test_joints_form_a_tree_whose_parents_come_first(tmp_path, joint, parent, is_read):
    tree = smpl_arrays(vertices=40)["kintree_table"].astype(np.int64)
    tree[0, joint] = parent
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


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int16])
def test_a_body_has_the_same_kinds_of_numbers_whatever_its_file_has(tmp_path, kind):
    """Indices of 64 bits; single precision for what is large, double for the joints."""
    arrays = smpl_arrays(vertices=40)
    changed = {
        name: arrays[name].astype(np.float64 if kind is np.int16 else kind)
        for name in ("v_template", "weights", "shapedirs", "J_regressor")
    }
    indices = {name: arrays[name].astype(kind) for name in ("f", "kintree_table") if kind is not np.float32}
    indices |= {"posedirs": arrays["posedirs"].astype(kind)}
    indices["kintree_table"] = np.abs(indices.get("kintree_table", arrays["kintree_table"]).astype(np.int64)).astype(kind)
    body = load_body(save(tmp_path / "a.npz", **changed, **indices))
    kinds = {name: getattr(body, name).dtype for name in ("faces", "parents", "v_template", "shapedirs", "lbs_weights", "J_regressor")}
    single, double, index = np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.int64)
    assert list(kinds.values()) == [index, index, single, single, single, double]
    assert body.posedirs is None or body.posedirs.dtype == single
    assert body.parents[0] == -1


@pytest.mark.parametrize("count, is_read", [(0, False), (1, True)])
def test_a_body_has_vertices(tmp_path, count, is_read):
    arrays = smpl_arrays(vertices=40)
    few = {name: arrays[name][:count] for name in ("v_template", "shapedirs", "weights", "posedirs")}
    few |= {"J_regressor": arrays["J_regressor"][:, :count], "f": np.zeros((count, 3), np.int64)}
    if is_read:
        assert load_body(save(tmp_path / "a.npz", **few)).v_template.shape == (1, 3)
        return
    with pytest.raises(ModelError) as caught:
        load_body(save(tmp_path / "a.npz", **few))
    assert caught.value.name == "body-vertex-count-wrong"


def test_a_body_has_no_more_vertices_than_the_limit(tmp_path, monkeypatch):
    path = save(tmp_path / "a.npz")
    for limit in (39, 40):
        monkeypatch.setattr(body_template, "MAX_VERTICES", limit)
        if limit == 40:
            assert len(load_body(path).v_template) == 40
            continue
        with pytest.raises(ModelError) as caught:
            load_body(path)
        assert caught.value.name == "body-vertex-count-wrong" and caught.value.problem.values == {"name": "a", "count": 40, "limit": 39}


def test_one_shape_parameter_may_have_no_axis_of_its_own(tmp_path):
    shapedirs = smpl_arrays(vertices=40)["shapedirs"][..., 0]
    body = load_body(save(tmp_path / "a.npz", shapedirs=shapedirs))
    np.testing.assert_array_equal(body.shapedirs, shapedirs[..., None].astype(np.float32))


@pytest.mark.parametrize("key", ["v_template", "f", "shapedirs", "weights", "J_regressor", "kintree_table", "posedirs"])
@pytest.mark.parametrize(
    "value, name", [("a", "body-array-not-numeric"), (np.nan, "body-array-not-finite"), (2.0**33, "body-array-out-of-range")]
)
def test_the_error_names_the_file_and_the_array(key, value, name):
    arrays = smpl_arrays(vertices=40)
    arrays[key] = arrays[key].astype(str if value == "a" else float)
    arrays[key].flat[3] = value
    with pytest.raises(ModelError) as caught:
        body_template.body_from_arrays(arrays, "my body")
    assert caught.value.name == name and caught.value.problem.values == {"name": "my body", "key": key}
    with pytest.raises(ModelError) as caught:
        body_template.body_from_arrays({**arrays, key: np.zeros(5)}, "my body")
    assert caught.value.problem.values["name"] == "my body" and caught.value.problem.values.get("key", key) == key


def test_a_body_may_be_one_part(tmp_path):
    faces = smpl_arrays(vertices=40)["f"]
    body = load_body(save(tmp_path / "a.npz", part=np.zeros(len(faces), np.uint8), part_names=np.array(["skin"])))
    assert body.part_names == ("skin",) and not body.face_parts.any() and body.face_parts.dtype == np.int64


def test_parts_without_names_are_refused(tmp_path):
    faces = smpl_arrays(vertices=40)["f"]
    with pytest.raises(ModelError) as caught:
        load_body(save(tmp_path / "a.npz", part=np.zeros(len(faces), np.int64)))
    assert caught.value.name == "body-array-out-of-range" and caught.value.problem.values == {"name": "a", "key": "part"}


@pytest.mark.parametrize("count, published", [(6890, SMPL_VERTICES), (10475, SMPLX_VERTICES), (6889, None)])
def test_the_published_topologies_have_the_published_landmarks(count, published):
    points = np.zeros((count, 3), np.float32)
    weights = np.eye(24, dtype=np.float32)[np.arange(count) % 24]
    found = body_template._landmarks({}, points, weights, SMPL_JOINTS, "a")
    assert set(found) == set(SMPL_VERTICES)
    assert (found == {**found, **(published or SMPL_VERTICES)}) == (published is not None)
