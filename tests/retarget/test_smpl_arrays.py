"""Arrays of SMPL-family files, name by name: which ones are read, in which form, which axis is up, and what is said of the rest."""

import numpy as np
import pytest

from blender_meshrec.core.conventions import MAX_FILE_FPS, MIN_FILE_FPS
from blender_meshrec.core.errors import InputError
from blender_meshrec.core.rotations import rotmat_from_rotvec
from blender_meshrec.retarget.source import smpl_layouts
from blender_meshrec.retarget.source.smpl_arrays import LayoutError, first_present, read_fps, to_betas, to_rotvecs
from blender_meshrec.retarget.source.smpl_layouts import has_smpl_names, parse_layout
from blender_meshrec.retarget.source.smpl_tracks import frames_of_first_person, is_frames, is_tracked_frames, longest_track

FRAMES = 5
RNG = np.random.default_rng(0)
ROOT, BODY, HANDS = (0.5 * RNG.normal(size=(FRAMES, width)) for width in (3, 69, 90))
TRANS = RNG.normal(size=(FRAMES, 3))
POSES = np.concatenate([ROOT, BODY], 1)


def parsed(**content):
    return parse_layout(content, "a.npz")


# --- names ---


@pytest.mark.parametrize("key", smpl_layouts.POSE_KEYS)
def test_whole_poses_by_any_name(key):
    assert has_smpl_names({key}) and np.allclose(parsed(**{key: POSES, "trans": TRANS}).poses, POSES)


@pytest.mark.parametrize("root", smpl_layouts.ROOT_KEYS)
@pytest.mark.parametrize("body", smpl_layouts.BODY_KEYS)
def test_poses_in_parts_by_any_name(root, body):
    assert has_smpl_names({root, body}) and not has_smpl_names({root}) and not has_smpl_names({body})
    np.testing.assert_allclose(parsed(**{root: ROOT, body: BODY, "transl": TRANS}).poses, POSES)
    np.testing.assert_allclose(parsed(**{root: ROOT, body: BODY[:, :63], "transl": TRANS}).poses, POSES[:, :66])
    with_hands = parsed(**{root: ROOT, body: BODY[:, :63], "transl": TRANS, "pose_hand": HANDS})
    np.testing.assert_allclose(with_hands.poses, np.concatenate([ROOT, BODY[:, :63], HANDS], 1))


@pytest.mark.parametrize("key", smpl_layouts.TRANS_KEYS)
def test_paths_by_any_name(key):
    assert np.allclose(parsed(poses=POSES, **{key: TRANS}).trans, TRANS)
    assert np.allclose(parsed(poses=POSES, **{key: TRANS.reshape(FRAMES, 1, 3)}).trans, TRANS)


@pytest.mark.parametrize(
    "angle, length, is_read", [(1000.0, 1e5, True), (1000.5, 0.0, False), (0.0, 100_000.5, False), (-1000.5, 0.0, False)]
)
def test_angles_of_over_1000_rad_and_paths_of_over_100_km_are_no_motion(angle, length, is_read):
    poses, trans = POSES.copy(), TRANS.copy()
    poses[1, 4], trans[2, 1] = angle, length
    if is_read:
        assert np.allclose(parsed(poses=poses, trans=trans).poses, poses)
        return
    with pytest.raises(LayoutError, match="too large"):
        parsed(poses=poses, trans=trans)


def test_the_names_that_are_known_are_these():
    """What other programs write; a name less and their files are refused."""
    assert smpl_layouts.ROOT_KEYS == ("root_orient", "global_orient", "smpl_global_orient", "root_pose")
    assert smpl_layouts.BODY_KEYS == ("pose_body", "body_pose", "smpl_body_pose")
    poses = "poses pose_world fullpose full_pose smpl_poses smpl_pose smpl_thetas thetas pose"
    assert " ".join(smpl_layouts.POSE_KEYS) == poses
    paths = "trans trans_world transl smpl_trans smpl_transl translation global_translation root_trans cam_trans"
    assert " ".join(smpl_layouts.TRANS_KEYS) == paths
    assert " ".join(smpl_layouts.WRAPPER_KEYS) == "smpl_params_global results smpl_params pd_params motion"
    others = (
        "betas smpl_betas shape pose_hand hand_pose left_hand_pose right_hand_pose pose_left_hand pose_right_hand smpl_scaling "
        "mocap_framerate mocap_frame_rate framerate frame_rate mocap_fps fps"
    )
    assert " ".join(smpl_layouts.OTHER_KEYS) == others


@pytest.mark.parametrize("keys", [("left_hand_pose", "right_hand_pose"), ("pose_left_hand", "pose_right_hand")])
def test_hands_are_left_before_right_or_left_out(keys):
    left, right = HANDS[:, :45], HANDS[:, 45:]
    parts = {"root_orient": ROOT, "pose_body": BODY[:, :63], "trans": TRANS}
    assert np.allclose(parsed(**parts, **dict(zip(keys, (left, right)))).poses[:, 66:], HANDS)
    for hands in (
        {keys[0]: left},
        {keys[0]: left, keys[1]: right[:3]},
        {keys[0]: left[:, :12], keys[1]: right[:, :12]},
        {"pose_hand": HANDS[:, :24]},
    ):
        assert parsed(**parts, **hands).poses.shape == (FRAMES, 66)


@pytest.mark.parametrize("key", ["betas", "smpl_betas", "shape"])
def test_shapes_by_any_name(key):
    assert np.allclose(parsed(poses=POSES, trans=TRANS, **{key: np.arange(10.0)}).betas, np.arange(10))
    assert parsed(poses=POSES, trans=TRANS).betas is None


# --- up and floor ---


@pytest.mark.parametrize(
    "content, up, is_grounded",
    [
        ({"poses": POSES, "trans": TRANS}, "z", True),
        ({"root_orient": ROOT, "pose_body": BODY, "trans": TRANS}, "z", True),
        ({"poses": POSES, "transl": TRANS}, None, True),
        ({"global_orient": ROOT, "body_pose": BODY, "trans": TRANS}, None, True),
        ({"global_orient": ROOT, "body_pose": BODY, "transl": TRANS}, None, True),
        ({"pose_world": POSES, "trans_world": TRANS}, "y", False),
        ({"poses": POSES, "trans_world": TRANS}, "y", False),
        ({"pose_world": POSES, "trans": TRANS}, "y", False),
        ({"smpl_thetas": POSES, "cam_trans": TRANS}, "-y", False),
        ({"global_orient": ROOT, "body_pose": BODY, "cam_trans": TRANS}, "-y", False),
        ({"smpl_thetas": POSES, "trans": TRANS}, "-y", False),
        ({"smpl_poses": POSES, "smpl_trans": TRANS}, "y", True),
        ({"smpl_params_global": {"global_orient": ROOT, "body_pose": BODY, "transl": TRANS}}, "y", False),
    ],
)
def test_the_axis_that_is_up_follows_from_the_layout(content, up, is_grounded):
    found = parsed(**content)
    assert (found.up, found.is_grounded) == (up, is_grounded)
    np.testing.assert_allclose(found.trans, TRANS)


def test_the_path_of_aist_has_a_scale_and_its_frames_a_rate():
    found = parsed(smpl_poses=POSES, smpl_trans=TRANS * 93, smpl_scaling=np.array([93.0]))
    np.testing.assert_allclose(found.trans, TRANS)
    assert found.fps == 60 and found.notes == ()
    assert parsed(smpl_poses=POSES, smpl_trans=TRANS, smpl_scaling=np.array([1.0]), fps=25).fps == 25
    for scaling in (np.array([0.0]), np.array([-1.0]), np.array([2.0, 2.0])):
        np.testing.assert_allclose(parsed(smpl_poses=POSES, smpl_trans=TRANS, smpl_scaling=scaling).trans, TRANS)
    np.testing.assert_allclose(parsed(poses=POSES, trans=TRANS, smpl_scaling=np.array([2.0])).trans, TRANS)


def test_a_person_without_a_path_stays_in_one_place_or_is_refused():
    still = parsed(global_orient=ROOT, body_pose=BODY, fps=30)
    assert not still.trans.any() and [note.name for note in still.notes] == ["smpl-path-unknown"]
    assert [note.name for note in parsed(smpl_thetas=POSES).notes] == ["smpl-path-unknown", "smpl-rate-unknown"]
    with pytest.raises(InputError) as caught:
        parsed(poses=POSES)
    assert caught.value.name == "smpl-motion-without-path"


# --- containers ---


def test_people_in_a_table_are_told_and_the_longest_is_read():
    person, short = {"pose_world": POSES, "trans_world": TRANS, "fps": 30}, {"pose_world": POSES[:2], "trans_world": TRANS[:2], "fps": 30}
    found = parse_layout({0: short, 1: person, 2: short}, "a.pkl")
    assert np.allclose(found.poses, POSES) and [(note.name, note.values["count"]) for note in found.notes] == [("smpl-several-people", 3)]
    assert parse_layout({7: person}, "a.pkl").notes == () and parse_layout([{7: person}], "a.pkl").notes == ()
    for key in smpl_layouts.WRAPPER_KEYS:
        assert np.allclose(parsed(**{key: {"poses": POSES, "trans": TRANS}}).poses, POSES)
    parts = {"global_orient": ROOT[:2], "body_pose": BODY[:2], "transl": TRANS[:2], "fps": 30}
    assert np.allclose(
        parse_layout({"a": parts, "b": {**parts, "global_orient": ROOT, "body_pose": BODY, "transl": TRANS}}, "a").trans, TRANS
    )


def test_pictures_hold_a_frame_each():
    names = [f"img{k}.PNG" for k in range(FRAMES)]
    content = {
        name: {"smpl_thetas": POSES[[k, 0]], "cam_trans": TRANS[[k, 0]], "label": "a"} for k, name in reversed(list(enumerate(names)))
    }
    assert is_frames(content) and not is_frames({**content, "a.txt": 1})
    found = parse_layout(content, "a.pkl")
    np.testing.assert_allclose(found.poses, POSES)
    np.testing.assert_allclose(found.trans, TRANS)
    assert (found.up, found.is_grounded) == ("-y", False)
    content[names[2]]["extra"] = np.zeros((1, 2))
    content[names[0]]["cam_trans"] = np.zeros((2, 4))
    assert frames_of_first_person(content).keys() == {"smpl_thetas"}


def tracked(rows, track=3, other_rows=(), reach=1.0):
    """Frames of 4D-Humans in which track 3 is seen in `rows`, and track 4 in others."""
    frames = {}
    for row in range(FRAMES):
        people = [track] * (row in rows) + [4] * (row in other_rows)
        bodies = [
            {
                "global_orient": rotmat_from_rotvec([[0, 0.1 * row, 0]]),
                "body_pose": rotmat_from_rotvec(np.full((23, 3), 0.01 * row)),
                "betas": np.full(10, row),
            }
            for _ in people
        ]
        frames[f"{row:03d}.jpg"] = {"tid": people, "smpl": bodies, "camera": [np.array([reach * row, 1.0, 40.0]) for _ in people]}
    return frames


def test_tracks_of_frames_are_filled_between():
    frames = tracked((0, 1, 3, 4), other_rows=(2,))
    assert is_tracked_frames(frames) and not is_tracked_frames({**frames, "a": 1}) and not is_tracked_frames({})
    person, count = longest_track(frames)
    assert count == 2 and np.allclose(person["betas"], 2)
    np.testing.assert_allclose(person["global_orient"][:, 0], rotmat_from_rotvec(np.arange(5)[:, None] * [0, 0.1, 0]), atol=1e-9)
    np.testing.assert_allclose(person["body_pose"][2, 7], rotmat_from_rotvec([0.02] * 3), atol=1e-6)
    np.testing.assert_allclose(person["cam_trans"], np.stack([np.arange(5), np.ones(5), np.full(5, 40 * 256 / 5000)], 1))
    found = parse_layout(frames, "a.pkl")
    assert (found.up, found.is_grounded, len(found.poses)) == ("-y", False, 5)
    assert [note.name for note in found.notes] == ["smpl-rate-unknown", "smpl-several-people"]
    later, _ = longest_track(tracked((1, 2)))
    assert len(later["cam_trans"]) == 2 and later["cam_trans"][0, 0] == 1
    for frame in frames.values():
        frame.pop("camera")
    assert not longest_track(frames)[0]["cam_trans"].any()
    with pytest.raises(LayoutError):
        longest_track(tracked(()))


# --- forms ---


@pytest.mark.parametrize("counts, width", [((1,), 1), ((21, 23), 23), ((22, 24, 52, 55), 24)])
def test_rotations_in_any_form_are_rotation_vectors(counts, width):
    rotvecs = 0.5 * RNG.normal(size=(FRAMES, 3 * width))
    matrices = rotmat_from_rotvec(rotvecs.reshape(FRAMES, width, 3))
    forms = [rotvecs, rotvecs.reshape(FRAMES, width, 3), matrices, matrices.reshape(FRAMES, 9 * width), rotvecs.astype(np.float32)]
    for form in forms if width > 1 else [*forms, matrices[:, 0]]:
        np.testing.assert_allclose(to_rotvecs(form, counts), rotvecs, atol=1e-6)
    if width > 1:
        np.testing.assert_allclose(to_rotvecs(rotvecs[None], counts), rotvecs)
    np.testing.assert_allclose(to_rotvecs(rotvecs[0], counts), rotvecs[:1])


@pytest.mark.parametrize("shear, is_read", [(0.009, True), (0.012, False)])
def test_matrices_that_are_no_rotations_are_refused(shear, is_read):
    """R R^T is the identity within 0.02 in every entry."""
    matrices = np.tile(np.eye(3), (FRAMES, 22, 1, 1))
    matrices[2, 5, 0, 0] = 1 + shear
    if is_read:
        assert to_rotvecs(matrices, (22,)).shape == (FRAMES, 66)
    else:
        with pytest.raises(LayoutError):
            to_rotvecs(matrices, (22,))
    with pytest.raises(LayoutError):
        to_rotvecs(np.tile(np.diag([1.0, 1, -1]), (FRAMES, 22, 1, 1)), (22,))
    for value in (np.nan, np.inf):
        with pytest.raises(LayoutError):
            to_rotvecs(np.full((FRAMES, 66), value), (22,))


def test_shapes_of_one_person_from_many_rows():
    assert to_betas(None) is None and to_betas(np.zeros((0, 10))) is None and to_betas(np.array([np.nan, 1])) is None
    for betas in (np.arange(10), np.arange(10)[None], np.tile(np.arange(10), (4, 1))):
        np.testing.assert_array_equal(to_betas(betas), np.arange(10))
    np.testing.assert_allclose(to_betas(np.array([[0.0, 2], [1, 4]])), [0.5, 3])
    np.testing.assert_array_equal(to_betas(np.array(2.5)), [2.5])


def test_the_first_key_that_holds_numbers_counts():
    content = {
        "text": "a",
        "objects": np.array([None]),
        "ragged": [[1], [1, 2]],
        "flags": np.array([True]),
        "list": [1, 2],
        "array": np.ones(3),
    }
    assert first_present(content, ("absent", "text", "objects", "ragged", "flags")) is None
    assert first_present(content, ("text", "list", "array")).tolist() == [1, 2] and first_present(content, ("array", "list")).tolist() == [
        1,
        1,
        1,
    ]
    assert first_present({"number": 3}, ("number",)) == 3


@pytest.mark.parametrize("key", ["mocap_framerate", "mocap_frame_rate", "framerate", "frame_rate", "mocap_fps", "fps"])
@pytest.mark.parametrize(
    "stated, expected",
    [
        (120, 120),
        (np.array(29.97), 29.97),
        (np.array([60]), 60),
        ("30000/1001", 30000 / 1001),
        (b"25", 25),
        (" 24 FPS ", 24),
        ("50 Hz", 50),
        ("23,976", 23.976),
        (MIN_FILE_FPS, MIN_FILE_FPS),
        (MAX_FILE_FPS, MAX_FILE_FPS),
        (MAX_FILE_FPS * 1.01, None),
        (MIN_FILE_FPS * 0.99, None),
        (0, None),
        (-30, None),
        ("fast", None),
        ("1/0", None),
        (np.array([30, 30]), None),
        (np.nan, None),
    ],
)
def test_rates_are_numbers_or_text(key, stated, expected):
    fps, notes = read_fps({key: stated}, "a.npz")
    assert fps == (None if expected is None else pytest.approx(expected))
    assert [note.name for note in notes] == ([] if expected is not None else ["smpl-rate-unreadable"])
    assert [note.name for note in read_fps({key: None}, "a")[1]] == ["smpl-rate-unknown"]


# --- refusals ---


@pytest.mark.parametrize(
    "content, error",
    [
        ({"v_template": TRANS}, "motion-is-body"),
        ({"J_regressor": TRANS}, "motion-is-body"),
        ({"shapedirs": TRANS}, "motion-is-body"),
        ({"keypoints": TRANS}, "motion-is-keypoints"),
        ({"keypoint_set": TRANS}, "motion-is-keypoints"),
        ({"motion": TRANS, "lengths": TRANS}, "motion-is-positions"),
        ({"joints": TRANS}, "motion-is-positions"),
        ({"joints3d": TRANS}, "motion-is-positions"),
        ({"joints_3d": TRANS}, "motion-is-positions"),
        ({"positions": TRANS}, "motion-is-positions"),
        ({"keypoints3d": TRANS}, "motion-is-positions"),
        ({"pred_keypoints_3d": TRANS}, "motion-is-positions"),
        ({"motion": TRANS}, "motion-not-smpl"),
        ({"a": 1}, "motion-not-smpl"),
        ([], "motion-not-smpl"),
        ({}, "motion-not-smpl"),
        ([1, 2], "motion-not-smpl"),
        (None, "motion-not-smpl"),
        ({"poses": np.zeros((FRAMES, 46)), "trans": TRANS}, "smpl-motion-of-skel"),
        ({"poses": POSES[:, :63], "trans": TRANS}, "smpl-motion-shapes-differ"),
        ({"poses": POSES, "trans": TRANS[:3]}, "smpl-motion-shapes-differ"),
        ({"poses": POSES[:, :71], "trans": TRANS}, "smpl-motion-shapes-differ"),
    ],
)
def test_what_a_file_holds_instead_is_said(content, error):
    with pytest.raises(InputError) as caught:
        parse_layout(content, "a.npz")
    assert caught.value.name == error and caught.value.problem.values["name"] == "a.npz"


@pytest.mark.parametrize(
    "change, is_read",
    [
        ({"poses": POSES * 0 + 999}, True),
        ({"poses": POSES * 0 + 1001}, False),
        ({"trans": TRANS * 0 - 99_999}, True),
        ({"trans": TRANS * 0 - 100_001}, False),
        ({"trans": TRANS * np.nan}, False),
        ({"poses": POSES * np.nan}, False),
    ],
)
def test_numbers_beyond_any_motion_are_damage(change, is_read):
    content = {"poses": POSES, "trans": TRANS, **change}
    if is_read:
        assert len(parsed(**content).poses) == FRAMES
        return
    with pytest.raises(LayoutError):
        parsed(**content)


@pytest.mark.parametrize("root, body", [(ROOT[:3], BODY), (np.zeros((FRAMES, 6)), BODY), (ROOT, BODY[:, :66]), (ROOT, BODY[:, :60])])
def test_parts_that_do_not_fit_together_are_damage(root, body):
    with pytest.raises(LayoutError):
        parsed(root_orient=root, pose_body=body, trans=TRANS)


def test_parts_may_be_matrices_in_a_row():
    """The root as nine numbers a frame, the body as 9 J, both hands as 270."""
    rotvecs = 0.5 * RNG.normal(size=(FRAMES, 52, 3))
    flat = rotmat_from_rotvec(rotvecs).reshape(FRAMES, -1)
    content = {
        "global_orient": flat[:, :9],
        "body_pose": flat[:, 9 : 9 * 22],
        "hand_pose": flat[:, 9 * 22 :],
        "transl": np.zeros((FRAMES, 3)),
    }
    for keys in (("hand_pose",), ()):
        found = parse_layout({key: value for key, value in content.items() if key != "hand_pose" or keys}, "a").poses
        np.testing.assert_allclose(found, rotvecs[:, : 52 if keys else 22].reshape(FRAMES, -1), atol=1e-6)
