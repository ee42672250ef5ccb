"""What records are without what was not given, that nobody can change them, and that their lengths and shapes are those of the docs."""

import re
from dataclasses import MISSING, FrozenInstanceError, fields, is_dataclass

import numpy as np
import pytest

from blender_meshrec.bridge import messages
from blender_meshrec.bridge.scene_process import RetargetTarget, SceneRequest, SceneResult
from blender_meshrec.core import records
from blender_meshrec.core.catalog import CATALOG, catalog_entries
from blender_meshrec.core.errors import (
    CancelledError,
    ExitCode,
    InputError,
    MeshRecError,
    ModelError,
    NobodyFoundError,
    NotSetUpError,
    OutputError,
    error_from_exit_code,
)
from blender_meshrec.core.frozen_arrays import freeze_arrays, lengths_agree, read_only_array
from blender_meshrec.core.messages import Message
from blender_meshrec.core.skeletons import (
    H36M17,
    KEYPOINT_SETS,
    LIMB_JOINTS,
    SMPL_JOINTS,
    h36m17_weights_from_names,
    limb_indices,
    mirror_indices,
    to_h36m17,
)
from blender_meshrec.retarget import rig

# Of the fields that have one; other software and users' scripts rely on them.
DEFAULTS = {
    records.FootageInfo: {"first": 0, "rotation": 0, "is_mirrored": False, "speed": 1.0, "focal": None, "focal_sigma": 0.0},
    records.Observations: {
        "keypoints_3d": None,
        "silhouettes": None,
        "portrait": None,
        "regression": None,
        "second_look": None,
        "joints": None,
    },
    records.Estimate: {"body": None, "is_temporal": False, "contacts": None, "spread": None, "rotmats": None, "q": None},
    records.Motion: {"contacts": None, "joints": None},
    records.Camera: {"zoom": None},
    records.Recovery: {
        "gender": "neutral",
        "footage": "",
        "first_frame": 0,
        "footage_rotation": 0,
        "footage_mirrored": False,
        "footage_speed": 1.0,
        "q": None,
        "skel_betas": None,
        "skel_trans": None,
        "skel_model_type": "",
        "calibrated_joints": None,
        "joint_sigma": None,
        "free_legs": None,
        "camera_zoom": None,
        "camera_distortion": None,
        "scene_frame": 1,
    },
    messages.Progress: {"unit": "frames"},
    messages.Result: {"portraits": (), "picture": None, "textures": (), "people_text": "", "thumbnails": None, "thumbnail_places": None},
    messages.Failure: {"details": ""},
    RetargetTarget: {"mapping": None, "up": "auto"},
    SceneRequest: {
        "body": "open",
        "preset": "blender",
        "retarget_target": None,
        "skel": None,
        "stretch": True,
        "surfaces": (),
        "surface_paths": (),
        "pose_shapes": False,
        "with_camera": False,
        "textures": (),
    },
    SceneResult: {"notes": (), "surfaces": (), "textures": ()},
    rig.Controls: {"fk": (), "ik": ()},
    rig.BoneMapping: {"found_by": "preset", "convention": "", "controls": None},
    rig.Performance: {"contacts": None, "soles": None, "hand_contacts": None, "notes": ()},
    rig.RetargetedMotion: {"contacts": None},
}


@pytest.mark.parametrize("record", DEFAULTS, ids=lambda record: record.__name__)
def test_records_have_these_defaults_and_are_frozen(record):
    found = {entry.name: entry.default for entry in fields(record) if entry.default is not MISSING}
    assert found == DEFAULTS[record]
    assert {name: type(value) for name, value in found.items()} == {name: type(value) for name, value in DEFAULTS[record].items()}
    assert is_dataclass(record) and record.__dataclass_params__.frozen


def test_lengths_of_records_are_frames():
    info = records.FootageInfo("a", [0.0, 0.5], 2.0, (4, 3))
    assert len(info) == 2 and info.timestamps.dtype == np.float64
    with pytest.raises(FrozenInstanceError):
        info.fps = 3.0
    seen = records.Observations("coco17", np.zeros((3, 4)), np.zeros((3, 17, 3)), [1, 0, 1])
    assert len(seen) == 3 and seen.visible.tolist() == [True, False, True] and seen.median_area == 0
    body = records.BodyParams("smpl", np.zeros(10), np.ones((2, 3)), np.zeros((2, 69)), np.zeros((2, 3)))
    assert body.poses.shape == (2, 72) and body.poses[:, :3].all() and not body.poses[:, 3:].any()


@pytest.mark.parametrize("shape", [(2, 3, 3), (2, 4, 4), (4, 4)])
def test_a_camera_has_one_transform_a_frame(shape):
    if shape == (2, 4, 4):
        assert records.Camera(np.eye(3), np.zeros(shape), [640, 480]).image_size.dtype == np.int64
        return
    with pytest.raises(ValueError, match="camera_from_world"):
        records.Camera(np.eye(3), np.zeros(shape), [640, 480])


# --- arrays ---


def test_arrays_are_copied_and_cannot_be_changed():
    values = np.zeros(3)
    array = read_only_array(values, np.float32)
    values[0] = 1
    assert array[0] == 0 and array.dtype == np.float32 and read_only_array([1, 2]).dtype == np.int64
    with pytest.raises(ValueError):
        array[0] = 1


@pytest.mark.parametrize(
    "shape, expected, agrees",
    [
        ((2, 3), ("F", 3), True),
        ((2, 3), ("F", 4), False),
        ((2, 2), ("F", "F"), True),
        ((2, 3), ("F", "F"), False),
        ((2,), ("F", 3), False),
        ((), (), True),
    ],
)
def test_letters_are_lengths_that_all_axes_share(shape, expected, agrees):
    lengths = {}
    assert lengths_agree(shape, expected, lengths) == agrees
    assert not agrees or set(lengths) == {axis for axis in expected if isinstance(axis, str)}
    assert lengths_agree((5,), ("K",), {"K": 5}) and not lengths_agree((5,), ("K",), {"K": 4})


def test_values_that_are_not_finite_are_refused_unless_allowed():
    class Record:
        def __init__(self, first, second=None):
            self.first, self.second = first, second

    layouts = {"first": (np.float64, ("F",)), "second": (np.int64, ("F",))}
    freeze_arrays(record := Record([1.0, 2.0]), layouts)
    assert record.second is None and not record.first.flags.writeable
    for value in (np.inf, -np.inf, np.nan):
        with pytest.raises(ValueError, match=r"Record\.first holds values that are not finite"):
            freeze_arrays(Record([value]), layouts)
        freeze_arrays(Record([value]), layouts, require_finite=False)
    for first, second, words in (([[1.0]], None, "needs 1 axes"), ([1.0], [1, 2], "needs shape")):
        with pytest.raises(ValueError, match=words):
            freeze_arrays(Record(first, second), layouts)


# --- errors and the catalogue ---


def test_each_error_has_its_exit_code():
    kinds = {MeshRecError: 1, InputError: 2, NobodyFoundError: 3, ModelError: 4, NotSetUpError: 4, OutputError: 5, CancelledError: 130}
    for kind, code in kinds.items():
        error = kind("a-name", "The {what}.", "Do.", what="problem")
        assert error.exit_code == code and (error.problem, error.remedy, error.name) == ("The problem.", "Do.", "a-name")
        assert (error.problem.name, error.remedy.name, str(error)) == ("a-name.problem", "a-name.remedy", "The problem. Do.")
        again = error_from_exit_code(code, error.problem, error.remedy)
        assert again.exit_code == code and again.problem == error.problem and again.remedy == error.remedy
        whole = kind("other", error.problem, Message("own", "Own."))
        assert whole.problem is error.problem and whole.remedy.name == "own"
    assert {code.name: int(code) for code in ExitCode} == {
        "DONE": 0, "FAULT": 1, "BAD_INPUT": 2, "NOBODY_FOUND": 3, "MODEL_MISSING": 4, "OUTPUT_FAILED": 5, "CANCELLED": 130,
    }  # fmt: skip


def test_the_catalogue_lists_each_method_once_by_its_role():
    roles = {"detector", "estimator", "generator", "refiner"}
    assert {entry.role for entry in CATALOG} == roles and len({(entry.role, entry.name) for entry in CATALOG}) == len(CATALOG)
    for role in roles:
        assert list(catalog_entries(role)) == [entry for entry in CATALOG if entry.role == role]


# --- joints and keypoints ---


def test_mixtures_of_keypoints_are_where_the_joints_are():
    """A body whose keypoints are known: the hip, thorax, spine and top of the head are made of shoulders, hips and ears."""
    rng = np.random.default_rng(0)
    for name in ("coco17", "blazepose33"):
        keypoints = KEYPOINT_SETS[name]
        values = rng.uniform(0, 100, (5, len(keypoints), 3))
        at = {point: values[:, keypoints.index[point], :2] for point in keypoints.points}
        shoulders, hips, ears = (at[f"left_{part}"] + at[f"right_{part}"] for part in ("shoulder", "hip", "ear"))
        mixed = to_h36m17(values, name)
        expected = {"hip": hips / 2, "thorax": shoulders / 2, "spine": (hips + shoulders) / 4, "head_top": 0.85 * ears - 0.35 * shoulders}
        for joint, where in expected.items():
            np.testing.assert_allclose(mixed[:, H36M17.index(joint), :2], where)
        for joint in (*LIMB_JOINTS, "nose"):
            np.testing.assert_allclose(mixed[:, H36M17.index(joint)], values[:, keypoints.index[joint]])
        lowest = values[:, [keypoints.index[f"{side}_{part}"] for side in ("left", "right") for part in ("shoulder", "ear")], 2].min(1)
        np.testing.assert_allclose(mixed[:, H36M17.index("head_top"), 2], lowest)
    weights = h36m17_weights_from_names(("left_hip", "nose"))
    assert weights.shape == (17, 2) and weights.sum() == 2 and weights[H36M17.index("nose"), 1] == 1


def test_sides_and_limbs_of_every_set_of_names():
    for names in (SMPL_JOINTS, *(keypoints.points for keypoints in KEYPOINT_SETS.values())):
        mirrored = mirror_indices(names)
        assert np.array_equal(mirrored[mirrored], np.arange(len(names)))
        for name, other in zip(names, mirrored):
            swapped = re.sub("left|right", lambda side: {"left": "right", "right": "left"}[side[0]], name)
            assert names[other] == swapped
    for keypoints in KEYPOINT_SETS.values():
        assert [keypoints.points[k] for k in limb_indices(keypoints.points)] == list(LIMB_JOINTS)
        assert len(keypoints) == len(keypoints.points) == len(keypoints.index)
    parts = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    assert list(LIMB_JOINTS) == [f"{side}_{part}" for part in parts for side in ("left", "right")]
