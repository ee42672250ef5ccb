"""Heights, shapes and contacts that the user knows, on a walk of exact keypoints."""

import json

import numpy as np
import pytest

from blender_meshrec.backend.fitting.body_params import with_betas
from blender_meshrec.backend.footage.looked_at import LookedAt
from blender_meshrec.backend.known_people import read_contacts, read_known_people, unused_values
from blender_meshrec.backend.pipeline import recover
from blender_meshrec.bridge.messages import ReconstructRequest
from blender_meshrec.core.cameras import project
from blender_meshrec.core.errors import InputError
from blender_meshrec.core.files.motion_npz import write_motion
from blender_meshrec.core.skeletons import H36M17, SMPL_JOINTS
from tests.support import synthetic_gait
from tests.support.made_up_clips import squat

TIMES = np.arange(40) / 30
VIEW = synthetic_gait.make_view(distance=5, pitch=0.15)
FOCAL = f"{VIEW.intrinsics[0, 0]}px"


def write_keypoints(path, *people):
    """Exact keypoints of people as one file; positions (F,17,3) m each."""
    keypoints = np.stack([VIEW.keypoints(points) for points in people], 1)
    np.savez(path, keypoints=keypoints, keypoint_set="h36m17", image_size=VIEW.size, fps=30.0)
    return path


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    return write_keypoints(tmp_path_factory.mktemp("walk") / "walk.npz", synthetic_gait.walk(TIMES).h36m17)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Two people side by side, the first larger in the picture."""
    points = synthetic_gait.walk(TIMES).h36m17
    return write_keypoints(tmp_path_factory.mktemp("pair") / "pair.npz", points + [-0.8, -0.6, 0], points + [0.8, 0.6, 0])


@pytest.fixture(scope="module")
def estimated(walk):
    return recover(ReconstructRequest(str(walk), focal=FOCAL))


def recover_with(source, **options):
    return recover(ReconstructRequest(str(source), focal=FOCAL, **options))


def stature_of(recovery, template):
    return float(np.ptp(template.rest_vertices(recovery.betas)[:, 1]))


def limb_length(recovery, template):
    """The length of thighs, shins, upper arms and forearms together, m."""
    rest = template.rest_joints(recovery.betas)
    bones = [(1, 4), (4, 7), (2, 5), (5, 8), (16, 18), (18, 20), (17, 19), (19, 21)]
    return sum(np.linalg.norm(rest[end] - rest[start]) for start, end in bones)


def distance_of(recovery):
    """The median distance of the pelvis from the camera, m."""
    camera = np.linalg.inv(recovery.camera_from_world[0])[:3, 3]
    return float(np.median(np.linalg.norm(recovery.joints[:, 0] - camera, axis=-1)))


@pytest.mark.parametrize("height", [120.0, 155.0, 190.0, 230.0])
def test_a_given_height_fixes_scale_and_distance(height, walk, estimated, template):
    """Stature within 5 mm, distance in proportion to the limbs within 3 %, and the picture met as well as before."""
    result = recover_with(walk, height=height)
    (recovery,), (before,) = result.recoveries, estimated.recoveries
    (person,), (person_before,) = result.report["people"], estimated.report["people"]
    assert abs(stature_of(recovery, template) - height / 100) < 0.005
    assert person["height_cm"] == pytest.approx(height, rel=0.01)
    ratio = distance_of(recovery) / distance_of(before)
    assert ratio == pytest.approx(limb_length(recovery, template) / limb_length(before, template), rel=0.03)
    if 150 < height < 200:  # shorter and taller people have other proportions
        assert ratio == pytest.approx(height / person_before["height_cm"], rel=0.04)
    assert abs(person["reprojection_share_of_box"] - person_before["reprojection_share_of_box"]) < 0.002


@pytest.mark.parametrize("beta", [-1.5, 1.5])
def test_the_height_of_a_body_gives_its_distance(beta, template, body, tmp_path):
    """Keypoints of the open body itself, shorter or taller than the mean: its distance within 3 %, which is 8 % off without the height.

    Seen obliquely: from the front nothing shows how far a squat bends the knees, and straighter legs are nearer ones.
    """
    betas, view = np.eye(10)[0] * beta, synthetic_gait.make_view(distance=5.0, bearing=0.4, pitch=0.15)
    clip = squat(template, TIMES, view)
    params = with_betas(clip.params(clip.truth), template, betas)
    joints = body.joints(params.betas, params.global_orient, params.body_pose, params.transl).numpy().astype(float)
    source = {"hip": "pelvis", "spine": "spine2", "thorax": "neck", "nose": "head", "head_top": "head"}
    points = joints[:, [SMPL_JOINTS.index(source.get(name, name)) for name in H36M17]]
    keypoints = np.concatenate([project(points, view.intrinsics), np.ones((*points.shape[:2], 1))], -1)
    keypoints[:, [H36M17.index("nose"), H36M17.index("head_top")], 2] = 0
    path = tmp_path / "squat.npz"
    np.savez(path, keypoints=keypoints, keypoint_set="h36m17", image_size=view.size, fps=30.0)
    height = float(np.ptp(template.rest_vertices(betas)[:, 1]))
    (recovery,) = recover_with(path, height=100 * height).recoveries
    (unknown,) = recover_with(path).recoveries
    true = float(np.median(np.linalg.norm(joints[:, 0], axis=-1)))
    assert distance_of(recovery) == pytest.approx(true, rel=0.03)
    assert abs(distance_of(unknown) / true - 1) > 0.05


@pytest.mark.parametrize(("height", "expected"), [((182.0, 165.0), (182, 165)), (170.0, (170, 170))], ids=["list", "one for all"])
def test_heights_of_several_people(height, expected, pair):
    result = recover_with(pair, height=height, person="all")
    assert [person["height_cm"] for person in result.report["people"]] == pytest.approx(expected, abs=0.5)


def test_a_person_of_a_list_keeps_their_number(pair):
    (person,) = recover_with(pair, height=(182.0, 165.0), person="2").report["people"]
    assert person["height_cm"] == pytest.approx(165, abs=0.5)


def test_a_person_without_a_height_follows_the_one_who_has_one(pair):
    """0 in a list: the second one's size is that with which they share the first one's floor."""
    sizes = [
        [person["height_cm"] for person in recover_with(pair, height=(height, 0.0), person="all").report["people"]]
        for height in (155.0, 185.0)
    ]
    (first, second), (tall_first, tall_second) = sizes
    assert (first, tall_first) == pytest.approx((155, 185), abs=0.5)
    assert tall_second > second + 5


@pytest.mark.parametrize("kind", ["motion", "report"])
def test_betas_of_another_clip_are_kept(kind, walk, tmp_path):
    tall = recover_with(walk, height=190.0)
    if kind == "motion":
        path = tmp_path / "tall.npz"
        write_motion(path, tall.recoveries[0])
    else:
        path = tmp_path / "tall.json"
        path.write_text(json.dumps(tall.report))
    (again,) = recover_with(walk, betas=(str(path),)).recoveries
    np.testing.assert_allclose(again.betas, tall.recoveries[0].betas, atol=1e-5)
    assert distance_of(again) == pytest.approx(distance_of(tall.recoveries[0]), rel=0.02)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"height": 49.0}, "height-out-of-range"),
        ({"height": (180.0, 251.0)}, "height-out-of-range"),
        ({"height": 180.0, "betas": ("a.npz",)}, "height-with-betas"),
        ({"betas": ("missing.npz",)}, "betas-file-unreadable"),
        ({"betas": ("missing.json",)}, "betas-file-unreadable"),
        ({"known_contacts": ("missing.npz",)}, "contacts-file-unreadable"),
    ],
)
def test_what_cannot_be_known_is_refused_in_a_sentence(options, name, template):
    with pytest.raises(InputError) as raised:
        read_known_people(ReconstructRequest("a.mp4", **options), template)
    assert raised.value.problem.name.startswith(name)


def test_betas_of_another_body_are_refused(estimated, template, tmp_path):
    path = tmp_path / "smpl.npz"
    np.savez(path, betas=np.zeros(10), surface_model_type="smpl")
    with pytest.raises(InputError, match="another body"):
        read_known_people(ReconstructRequest("a.mp4", betas=(str(path),)), template)


HEIGHTS, FILES = (180.0, 0.0, 170.0, 160.0), ("", "b.npz", "c.npz")


@pytest.mark.parametrize(
    ("options", "chosen", "found", "said"),
    [
        ({"height": HEIGHTS}, [1], 2, [("not-found", (3, 4))]),
        ({"height": HEIGHTS}, [2], 3, [("not-found", (4,)), ("not-chosen", (1, 3))]),
        ({"height": HEIGHTS}, [1, 2, 3, 4], 4, []),
        ({"betas": FILES}, [1], 2, [("not-found", (3,)), ("not-chosen", (2,))]),
        ({"known_contacts": FILES}, [2, 3], 3, []),
        ({"height": 180.0}, [2], 2, []),
        ({"betas": ("a.npz",), "known_contacts": ("a.npz",)}, [2], 2, []),
    ],
)
def test_values_for_people_who_are_not_there_are_said(options, chosen, found, said):
    messages = unused_values(ReconstructRequest("a.mp4", **options), chosen, found)
    assert [(message.name.removeprefix("value-of-person-"), message.values["people"]) for message in messages] == said


def test_the_report_says_that_a_height_was_of_nobody(walk):
    result = recover_with(walk, height=(182.0, 165.0))
    assert result.report["people"][0]["height_cm"] == pytest.approx(182, abs=0.5)
    assert "--height for person 2 does nothing: the last person found is person 1." in result.report["warnings"]


# --- contacts ---------------------------------------------------------------------------------------------------------


def write_contacts(path, contacts, **more):
    np.savez(path, contacts=contacts, **more)
    return str(path)


def speed_of(recovery, joint):
    """The mean speed of a joint, m/s."""
    return float(np.linalg.norm(np.diff(recovery.joints[:, joint], axis=0), axis=-1).mean() * 30)


@pytest.fixture(scope="module")
def sliding(tmp_path_factory):
    """Somebody who stands on both feet, the right one sliding 20 cm to either side."""
    points = synthetic_gait.walk(np.arange(90) / 30).h36m17
    standing = points[points[:, [H36M17.index("left_ankle"), H36M17.index("right_ankle")], 2].max(1).argmin()]
    points = np.repeat((standing - standing[0] * [1, 1, 0])[None], len(TIMES), 0)
    slide = 0.2 * np.sin(2 * np.pi * TIMES)[:, None] * [1, 0, 0]
    points[:, H36M17.index("right_ankle")] += slide
    points[:, H36M17.index("right_knee")] += 0.5 * slide
    return write_keypoints(tmp_path_factory.mktemp("slide") / "slide.npz", points)


def test_an_edited_contact_holds_the_foot_still(sliding, tmp_path):
    """A foot that is seen to slide, said to stand: it does, and the other one stays as still."""
    contacts = np.full((len(TIMES), 4), np.nan)
    contacts[:, 2:] = 1.0
    (before,) = recover_with(sliding).recoveries
    (after,) = recover_with(sliding, known_contacts=(write_contacts(tmp_path / "edited.npz", contacts),)).recoveries
    assert speed_of(before, 8) > 0.5
    assert speed_of(after, 8) < 0.005 and speed_of(after, 7) < 0.02
    assert (after.contacts[:, 2:] == 1).all()


def test_an_edited_contact_lets_a_foot_go(walk, estimated, tmp_path):
    (before,) = estimated.recoveries
    contacts = np.full((len(before), 4), np.nan)
    contacts[:, :2] = 0.0
    (after,) = recover_with(walk, known_contacts=(write_contacts(tmp_path / "edited.npz", contacts),)).recoveries
    assert (before.contacts[:, :2] > 0.5).any() and (after.contacts[:, :2] == 0).all()
    assert (after.contacts[:, 2:] > 0.5).any()


def test_nothing_edited_changes_nothing(walk, estimated, tmp_path):
    (before,) = estimated.recoveries
    path = write_contacts(tmp_path / "none.npz", np.full((len(before), 4), np.nan))
    (after,) = recover_with(walk, known_contacts=(path,)).recoveries
    np.testing.assert_array_equal(after.poses, before.poses)


def test_contacts_are_found_by_their_times(tmp_path):
    """A motion at half the rate, of the second part of a clip."""
    contacts = np.tile([1.0, 0.0, 0.6, 0.4], (5, 1))
    known = read_contacts(write_contacts(tmp_path / "half.npz", contacts, timestamps=1 + np.arange(5) / 15))
    found = known.at(np.arange(40) / 30, LookedAt(np.arange(40), np.arange(40) / 30))
    assert np.isnan(found[:27]).all()
    np.testing.assert_array_equal(found[31:38], np.tile([1, 0, 1, 0], (7, 1)))


def test_contacts_without_times_need_as_many_frames(tmp_path):
    known = read_contacts(write_contacts(tmp_path / "short.npz", np.ones((5, 4))))
    with pytest.raises(InputError, match="5 frames, the clip has 40"):
        known.at(TIMES, LookedAt(np.arange(len(TIMES)), TIMES))


def test_contacts_without_times_may_be_those_of_all_frames_of_the_range(tmp_path):
    contacts = np.zeros((6, 4))
    contacts[[0, 3]] = 1
    known, looked_at = read_contacts(write_contacts(tmp_path / "all.npz", contacts)), LookedAt(np.array([0, 2, 3, 5]), np.arange(6) / 30)
    assert known.at(looked_at.all_times[looked_at.rows], looked_at)[:, 0].tolist() == [1, 0, 1, 0]


def test_contacts_need_lock_feet(template):
    with pytest.raises(InputError, match="is off"):
        read_known_people(ReconstructRequest("a.mp4", known_contacts=("a.npz",), contacts=False), template)
