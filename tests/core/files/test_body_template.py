"""Body files of every layout give the same body; wrong ones give a message that names the problem."""

import numpy as np
import pytest

from blender_meshrec.core.errors import ModelError
from blender_meshrec.core.files.body_template import FAMILIES, body_from_arrays, load_body
from blender_meshrec.core.skeletons import SMPL_JOINTS
from tests.support.python2_pickle import Chumpy, Csc, dumps
from tests.support.synthetic_template import rest_skeleton, smpl_arrays, synthetic_template


def test_pickle_and_npz_give_the_same_body(tmp_path):
    arrays = smpl_arrays(vertices=80)
    np.savez(tmp_path / "body.npz", **arrays, joint2num=np.array({"pelvis": 0}, object))
    pickled = {**arrays, "J_regressor": Csc(arrays["J_regressor"]), "shapedirs": Chumpy(x=arrays["shapedirs"])}
    (tmp_path / "body.pkl").write_bytes(dumps(pickled))
    bodies = [load_body(tmp_path / name) for name in ("body.npz", "body.pkl")]
    for name, value in vars(bodies[0]).items():
        assert np.array_equal(value, getattr(bodies[1], name)), name
    assert bodies[0].surface_model_type == "smpl"


@pytest.mark.parametrize("joints, kind", [(24, "smpl"), (52, "smplh"), (55, "smplx")])
def test_joint_count_determines_the_family(joints, kind):
    body = synthetic_template(joints=joints, vertices=160)
    parents, _ = rest_skeleton(joints)
    assert body.surface_model_type == kind
    assert len(body.joint_names) == len(set(body.joint_names)) == joints
    assert np.array_equal(body.parents, parents)
    # The first 22 joints are the same in every family, and a finger stands in for SMPL's hand.
    assert body.joint_names[:22] == SMPL_JOINTS[:22]
    assert np.array_equal(body.smpl_joint_indices[:22], np.arange(22))
    assert [parents[joint] for joint in body.smpl_joint_indices[22:]] == [20, 21]
    assert [body.joint_names[joint].split("_")[0] for joint in body.smpl_joint_indices[22:]] == ["left", "right"]


def test_hands_have_three_joints_a_finger_named_as_the_field_names_them():
    fingers = [f"{finger}{bone}" for finger in ("index", "middle", "pinky", "ring", "thumb") for bone in "123"]
    hands = [f"{side}_{joint}" for side in ("left", "right") for joint in fingers]
    assert FAMILIES[52] == ("smplh", (*SMPL_JOINTS[:22], *hands))
    assert FAMILIES[55] == ("smplx", (*SMPL_JOINTS[:22], "jaw", "left_eye", "right_eye", *hands))


def test_rest_joints_and_vertices_follow_the_definition():
    arrays = smpl_arrays(seed=3)
    body = body_from_arrays(arrays, "body")
    betas = np.random.default_rng(3).normal(size=10)
    vertices, joints = body.rest(betas)
    expected = arrays["v_template"] + arrays["shapedirs"] @ betas
    assert np.abs(vertices - expected).max() < 1e-6  # m
    assert np.abs(joints - arrays["J_regressor"] @ expected).max() < 1e-6  # m
    assert np.abs(body.rest_joints(betas[:4]) - body.rest_joints([*betas[:4], 0, 0])).max() < 1e-12  # m


def test_betas_are_limited_to_ten_and_posedirs_are_optional():
    arrays = smpl_arrays(betas=16, posedirs=False)
    assert body_from_arrays(arrays, "body").shapedirs.shape[-1] == 10
    assert body_from_arrays(arrays, "body").posedirs is None
    del arrays["posedirs"]
    assert body_from_arrays(arrays, "body").posedirs is None


def test_landmarks_are_published_or_found_by_position():
    body = synthetic_template(vertices=6890, posedirs=False)
    assert body.landmarks["nose"] == 332 and body.landmarks["right_heel"] == 6787
    body = synthetic_template(vertices=600, posedirs=False)
    owner = [body.joint_names[joint] for joint in body.lbs_weights.argmax(1)]
    assert owner[body.landmarks["nose"]] == "head"
    for side, sign in (("left", 1), ("right", -1)):
        toe, heel = (body.v_template[body.landmarks[f"{side}_{name}"]] for name in ("big_toe", "heel"))
        assert toe[2] > heel[2] and np.sign(toe[0]) == sign


@pytest.mark.parametrize(
    "stem, gender", [("basicmodel_f_lbs_10_207_0_v1.0.0", "female"), ("SMPL_MALE", "male"), ("SMPL_NEUTRAL", "neutral")]
)
def test_gender_is_read_from_the_name(stem, gender):
    assert body_from_arrays(smpl_arrays(), stem).gender == gender


def broken(**changes):
    return {key: value for key, value in {**smpl_arrays(vertices=40), **changes}.items() if value is not None}


WRONG = {
    "lacks weights, kintree_table": lambda: broken(weights=None, kintree_table=None),
    "SKEL": lambda: {"skin_template_v": np.zeros((4, 3)), "osim_kintree_table": np.zeros((2, 24))},
    "a motion, not a body": lambda: {"poses": np.zeros((3, 72)), "trans": np.zeros((3, 3))},
    "not an SMPL-family body": lambda: {"something": np.zeros(3)},
    "16 joints": lambda: broken(kintree_table=np.zeros((2, 16), int)),
    "weights does not fit": lambda: broken(weights=np.ones((39, 24)) / 24),
    "posedirs does not fit": lambda: broken(posedirs=np.zeros((40, 3, 93))),
    "not finite": lambda: broken(v_template=np.full((40, 3), np.nan)),
    "vertex that does not exist": lambda: broken(f=np.full((4, 3), 40)),
    "tree": lambda: broken(kintree_table=np.stack([np.arange(24), np.arange(24)])),
    "sum to one": lambda: broken(weights=np.ones((40, 24))),
}


@pytest.mark.parametrize("message", WRONG)
@pytest.mark.parametrize("suffix", [".npz", ".pkl"])
def test_wrong_files_are_refused_with_the_reason(tmp_path, message, suffix):
    path = tmp_path / f"file{suffix}"
    if suffix == ".npz":
        np.savez(path, **WRONG[message]())
    else:
        path.write_bytes(dumps(WRONG[message]()))
    with pytest.raises(ModelError, match=message) as caught:
        load_body(path)
    assert caught.value.exit_code == 4


def test_a_skel_file_is_refused_as_skel(shared_vectors):
    with pytest.raises(ModelError, match="SKEL"):
        load_body(shared_vectors / "skel_small_male.pkl")


def test_an_npz_with_a_required_object_array_is_refused(tmp_path):
    arrays = {**smpl_arrays(vertices=40), "weights": np.array([[None]], object)}
    np.savez(tmp_path / "body.npz", **arrays)
    with pytest.raises(ModelError, match="objects instead of numbers"):
        load_body(tmp_path / "body.npz")


def test_an_npz_that_claims_more_than_it_holds_is_refused(tmp_path):
    import zipfile

    np.savez(tmp_path / "body.npz", **smpl_arrays(vertices=40))
    with zipfile.ZipFile(tmp_path / "body.npz") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["v_template.npy"] = members["v_template.npy"].replace(b"(40, 3)", b"(9999999999999, 3)").replace(b" " * 12 + b"\n", b"\n")
    with zipfile.ZipFile(tmp_path / "huge.npz", "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(ModelError):
        load_body(tmp_path / "huge.npz")


@pytest.mark.parametrize(
    "name, content", [("a.npz", b""), ("a.npz", b"text"), ("a.pkl", b""), ("a.obj", b"v 0 0 0"), ("a.npz", b"PK\x03\x04" + b"x" * 40)]
)
def test_files_of_other_formats_are_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError):
        load_body(tmp_path / name)


def test_content_rather_than_suffix_determines_the_format(tmp_path):
    arrays = smpl_arrays(vertices=40)
    np.savez(tmp_path / "body.npz", **arrays)
    (tmp_path / "body.npz").rename(tmp_path / "misnamed.pkl")
    assert np.array_equal(load_body(tmp_path / "misnamed.pkl").faces, arrays["f"])


def test_a_missing_body_file_is_reported(tmp_path):
    with pytest.raises(ModelError, match="no body file"):
        load_body(tmp_path / "absent.pkl")


def test_shapes_are_blended_in_double_precision():
    body = body_from_arrays(smpl_arrays(), "body")
    betas = np.linspace(-2, 2, 10, dtype=np.float32)
    for given in (betas, betas.astype(float), betas[None].tolist()):
        vertices = body.rest_vertices(given)
        assert vertices.dtype == np.float64
        np.testing.assert_array_equal(vertices, body.rest_vertices(betas.astype(float)))
