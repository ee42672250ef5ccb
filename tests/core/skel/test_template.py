"""SKEL files are read; invalid ones are refused with the reason."""

import pickle

import numpy as np
import pytest
import scipy.sparse

from blender_meshrec.core.errors import ModelError
from blender_meshrec.core.rotations import rotmat_from_rotvec
from blender_meshrec.core.skel.kinematics import bone_orientations, bone_scales
from blender_meshrec.core.skel.template import REQUIRED_KEYS, load_skel, make_apose_rel_transfo, skel_from_arrays
from tests.support.synthetic_skel import rest_joints, skel_arrays, synthetic_skel
from tests.support.synthetic_template import smpl_arrays

ARRAYS = {key: value for key, value in skel_arrays().items() if isinstance(value, np.ndarray)}
CHANGES = [
    *((key, change) for key in ARRAYS for change in ("an axis more", "text")),
    *((key, "a row less") for key in ARRAYS if not key.endswith("template_f")),  # any number of faces is valid
    *((key, "nan") for key, value in ARRAYS.items() if value.dtype.kind == "f"),
]
SPARSE = ("J_regressor", "J_regressor_osim", "skin_weights", "skel_weights", "skel_weights_rigid")


def write(path, content):
    path.write_bytes(pickle.dumps(content))
    return path


def refusal(content, name="skel_male"):
    with pytest.raises(ModelError) as caught:
        skel_from_arrays(content, name)
    assert name in caught.value.problem and "skel_male.pkl" in caught.value.remedy
    return caught.value.problem


def test_sparse_pickle_and_npz_give_the_same_body(tmp_path):
    arrays = skel_arrays()
    pickled = {key: scipy.sparse.coo_matrix(value) if key in SPARSE else value for key, value in arrays.items()}
    np.savez(tmp_path / "skel_female.npz", **{key: np.array(value) for key, value in arrays.items()})
    one, other = load_skel(write(tmp_path / "skel_female.pkl", pickled)), load_skel(tmp_path / "skel_female.npz")
    assert one.gender == other.gender == "female" and one.kind == other.kind == "skel"
    for name, value in vars(one).items():
        if isinstance(value, np.ndarray):
            assert np.array_equal(value, getattr(other, name)) and not value.flags.writeable, name
    assert np.allclose(one.v_template, arrays["skin_template_v"], atol=1e-7)
    assert one.shapedirs.shape == (60, 3, 10)


def test_a_sample_of_the_published_format_is_read(shared_vectors):
    template = load_skel(shared_vectors / "skel_small_male.pkl")
    known = np.load(shared_vectors / "skel_small.npz")
    assert template.gender == "male" and template.v_template.shape == (240, 3) and template.bone_template.shape == (120, 3)
    assert np.abs(template.rest_joints(known["betas"][1]) - known["joints_tpose"][1]).max() < 1e-6  # m


@pytest.mark.parametrize("key", REQUIRED_KEYS)
def test_the_error_names_a_missing_key(key):
    arrays = skel_arrays()
    del arrays[key]
    assert f"it lacks {key}" in refusal(arrays)


@pytest.mark.parametrize(("key", "change"), CHANGES)
def test_the_error_names_an_array_that_does_not_fit(key, change):
    arrays = skel_arrays()
    value = arrays[key]
    arrays[key] = {
        "a row less": value[:-1],
        "an axis more": value[..., None],
        "text": "abc",
        "nan": np.where(np.arange(value.size).reshape(value.shape) == 3, np.nan, value),
    }[change]
    # With fewer vertices in the template itself, the error names the first array that no longer fits them.
    expected = {"skin_template_v": "shapedirs", "skel_template_v": "skel_weights"}.get(key, key) if change == "a row less" else key
    assert expected in refusal(arrays)


def test_invalid_betas_faces_weights_trees_and_bones_are_refused():
    assert "shapedirs" in refusal(skel_arrays(shapes=9))
    for key, what in (("skin_template_f", "the skin"), ("skel_template_f", "the bones")):
        arrays = skel_arrays()
        arrays[key][0, 0] = 1000
        assert what in refusal(arrays)
    arrays = skel_arrays()
    arrays["skin_weights"][5] *= 2
    assert "skin_weights" in refusal(arrays)
    arrays = skel_arrays()
    arrays["osim_kintree_table"][0, 5] = 1
    assert "connect" in refusal(arrays)
    arrays = skel_arrays()
    arrays["apose_rel_transfo"][2, :3, 3] = 0
    assert "no length" in refusal(arrays)


@pytest.mark.parametrize("version", ["1.1.0", "2", 1.11, None, ["1.1.1", "1.1.1"]])
def test_the_error_names_another_version(version):
    problem = refusal({**skel_arrays(), "version": version})
    assert "version" in problem and "1.1.1" in problem


def test_another_order_of_bones_or_angles_is_refused():
    for key, told in (("bone_names", "24 bones"), ("pose_params_name", "46 angles")):
        arrays = skel_arrays()
        arrays[key] = arrays[key][::-1]
        assert f"SKEL's {told} in their order" in refusal(arrays)


def test_files_of_other_kinds_are_identified(tmp_path):
    assert "SMPL-family" in refusal(smpl_arrays(vertices=30))
    assert "a motion" in refusal({"poses": np.zeros((3, 72))})
    assert "not a SKEL body" in refusal({})
    for path in (tmp_path / "absent.pkl", tmp_path, write(tmp_path / "skel_male.txt", skel_arrays())):
        with pytest.raises(ModelError):
            load_skel(path)
    (tmp_path / "broken.pkl").write_bytes(pickle.dumps(skel_arrays())[:-1000])
    with pytest.raises(ModelError, match="not a whole body file"):
        load_skel(tmp_path / "broken.pkl")


class Call:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def test_nothing_in_the_file_is_executed(tmp_path):
    mark = tmp_path / "executed"
    path = write(tmp_path / "skel_male.pkl", {**skel_arrays(), "joints_name": Call(mark.touch)})
    with pytest.raises(ModelError, match="never needs"):
        load_skel(path)
    assert not mark.exists()


def test_a_new_body_has_the_given_bone_frames():
    rng = np.random.default_rng(3)
    joints = rest_joints()
    per_joint_rot, frames = (rotmat_from_rotvec(rng.normal(size=(24, 3))) for _ in range(2))
    transfo = make_apose_rel_transfo(per_joint_rot, joints, frames)
    orientations = bone_orientations(joints, per_joint_rot, transfo)
    assert np.abs(orientations - per_joint_rot).max() < 1e-12
    assert np.abs(orientations @ np.swapaxes(transfo[:, :3, :3], -1, -2) - frames).max() < 1e-12
    assert np.abs(bone_scales(joints, transfo) - 1).max() < 1e-12


def test_bone_meshes_scale_with_the_body():
    arrays = skel_arrays()
    joints = arrays["J_regressor_osim"] @ arrays["skin_template_v"]
    frames = arrays["per_joint_rot"]
    arrays["apose_rel_transfo"] = make_apose_rel_transfo(frames, joints, frames)
    # A shape that makes everything a tenth larger around the origin.
    arrays["shapedirs"][..., 0] = 0.1 * arrays["skin_template_v"]
    template = skel_from_arrays(arrays, "grown")
    assert np.abs(template.rest_bone_vertices([1.0]) - 1.1 * template.rest_bone_vertices([0.0])).max() < 1e-6  # m


def test_rest_joints_are_regressed_from_rest_vertices():
    template = synthetic_skel()
    betas = np.linspace(-1, 1, 10)
    assert np.allclose(template.J_regressor_osim @ template.rest_vertices(betas), template.rest_joints(betas), atol=1e-9)
