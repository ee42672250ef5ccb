"""2D keypoints instead of pixels: .npz and OpenPose JSON, tracking of people, and clear errors for bad files."""

import json

import numpy as np
import pytest

from blender_meshrec.backend.detection.keypoint_sets import OPENPOSE18, convert_to_known_set
from blender_meshrec.backend.detection.keypoints_file import is_keypoints
from blender_meshrec.backend.detection.keypoints_footage import has_stable_order
from blender_meshrec.backend.detection.openpose_json import guess_image_size
from blender_meshrec.backend.tracking.detect_and_track import detect_and_track
from blender_meshrec.bridge.messages import ReconstructRequest
from blender_meshrec.core.errors import InputError, NobodyFoundError
from blender_meshrec.core.skeletons import KEYPOINT_SETS
from tests.support.synthetic_keypoints import animate_stick_figure, project_orthographic

TIMES = np.arange(60) / 25


def crossing_people(keypoint_set, count=2):
    """(F,P,K,3): people who walk past each other."""
    names = KEYPOINT_SETS["blazepose33"].index
    fallback = {"head_top": "nose", "neck": "nose", "thorax": "nose", "hip": "left_hip", "spine": "left_hip"}
    order = [names.get(p, names.get(fallback.get(p), names.get(p.replace("small", "big")))) for p in KEYPOINT_SETS[keypoint_set].points]
    people = []
    for person in range(count):
        start = 300 + 300 * person
        positions = np.stack([np.linspace(start, 900 - start + 300, len(TIMES)), np.full(len(TIMES), 350 + 40 * person)], -1)
        people.append(project_orthographic(animate_stick_figure(TIMES), positions, 220 - 30 * person)[:, order])
    return np.stack(people, 1)


def save_npz(path, keypoints, keypoint_set="coco17", image_size=(1280, 720), fps=25.0, **more):
    np.savez(path, keypoints=keypoints, keypoint_set=keypoint_set, image_size=image_size, fps=fps, **more)
    return str(path)


def save_openpose(folder, keypoints):
    folder.mkdir(exist_ok=True)
    for frame, people in enumerate(keypoints):
        people = [{"pose_keypoints_2d": person.ravel().tolist()} for person in people if person.any()]
        (folder / f"clip_{frame}_keypoints.json").write_text(json.dumps({"version": 1.3, "people": people}))
    return str(folder)


@pytest.mark.parametrize("keypoint_set", sorted(KEYPOINT_SETS))
def test_an_npz_of_every_keypoint_set_is_read(tmp_path, keypoint_set):
    truth = crossing_people(keypoint_set)
    tracked = detect_and_track(ReconstructRequest(save_npz(tmp_path / "k.npz", truth, keypoint_set)))
    assert tracked.frames.fps == 25 and tracked.frames.size == (1280, 720) and len(tracked.frames) == 60
    assert np.allclose(tracked.frames.timestamps, TIMES)
    assert [person.keypoint_set for person in tracked.people] == [keypoint_set] * 2
    for person in range(2):
        assert np.allclose(tracked.people[person].keypoints, truth[:, person], atol=1e-3)  # px


def test_the_people_axis_may_be_missing_and_keypoints_nan(tmp_path):
    truth = crossing_people("coco17", 1)[:, 0]
    truth[20:25] = np.nan
    tracked = detect_and_track(ReconstructRequest(save_npz(tmp_path / "k.npz", truth), frames=(10, 40)))
    (person,) = tracked.people
    assert len(person) == 30 and tracked.frames.first == 10
    assert not person.visible[10:15].any() and person.visible.sum() == 25
    assert np.allclose(person.keypoints[:10], truth[10:20], atol=1e-3)


def test_openpose_people_in_any_order_are_tracked(tmp_path):
    truth = crossing_people("openpose25")
    shuffled = truth.copy()
    shuffled[::3] = truth[::3, ::-1]
    assert has_stable_order(truth) and not has_stable_order(shuffled)
    tracked = detect_and_track(ReconstructRequest(save_openpose(tmp_path / "json", shuffled)))
    assert tracked.frames.fps == 30 and "was assumed" in tracked.warnings[0]
    assert len(tracked.people) == 2
    for person in range(2):
        assert np.allclose(tracked.people[person].keypoints, truth[:, person], atol=1e-3)
    assert detect_and_track(ReconstructRequest(save_openpose(tmp_path / "json", shuffled), fps=25)).frames.fps == 25


@pytest.mark.parametrize("name", [np.array(["coco17"]), np.bytes_("coco17"), np.array([b"coco17"])])
def test_the_sets_name_may_have_any_string_type(tmp_path, name):
    (person,) = detect_and_track(ReconstructRequest(save_npz(tmp_path / "k.npz", crossing_people("coco17", 1), name))).people
    assert person.keypoint_set == "coco17"


def test_openpose_frames_may_be_empty(tmp_path):
    truth = crossing_people("openpose25", 1)
    truth[:5] = 0
    (person,) = detect_and_track(ReconstructRequest(save_openpose(tmp_path / "json", truth))).people
    assert person.visible.sum() == 55 and not person.visible[:5].any()
    with pytest.raises(NobodyFoundError):
        detect_and_track(ReconstructRequest(save_openpose(tmp_path / "nobody", truth[:5])))


def save_numbered(folder, keypoints, numbers):
    """OpenPose files of the frames with these numbers."""
    save_openpose(folder, keypoints)
    for frame, file in enumerate(sorted(folder.glob("*.json"), key=lambda file: int(file.name.split("_")[1]))):
        file.rename(folder / f"part1_{numbers[frame]:012}_keypoints.json.new")
    for file in folder.glob("*.new"):
        file.rename(file.with_suffix(""))
    return str(folder)


def test_missing_openpose_files_are_frames_without_people(tmp_path):
    truth = crossing_people("openpose25", 1)
    kept = [number for number in range(60) if number not in (7, 8, 30)]
    tracked = detect_and_track(ReconstructRequest(save_numbered(tmp_path / "json", truth[kept], [7000 + number for number in kept])))
    (person,) = tracked.people
    assert len(tracked.frames) == 60 and np.flatnonzero(~person.visible).tolist() == [7, 8, 30]
    assert np.allclose(person.keypoints[kept], truth[kept, 0], atol=1e-3)  # px
    assert any("files of 3 frames are missing" in warning for warning in tracked.warnings)


@pytest.mark.parametrize(
    "number_of_frame, words",
    [
        (lambda frame: 5 * frame, "in steps of 5"),  # --frame_step 5
        (lambda frame: frame + 10**12 * (frame > 30), "have gaps"),
        (lambda frame: frame + 17, None),
    ],
)
def test_openpose_numbers_in_steps_or_with_endless_gaps_are_consecutive(tmp_path, number_of_frame, words):
    truth = crossing_people("openpose25", 1)
    folder = save_numbered(tmp_path / "json", truth, [number_of_frame(frame) for frame in range(60)])
    tracked = detect_and_track(ReconstructRequest(folder))
    assert len(tracked.frames) == 60 and tracked.people[0].visible.all()
    notes = [warning for warning in tracked.warnings if "numbered" in warning or "gaps" in warning or "missing" in warning]
    assert len(notes) == (words is not None) and all(words in note for note in notes)


def test_other_sets_are_converted_by_their_number_of_points():
    coco = crossing_people("coco17")[:, 0]
    eighteen = np.stack([coco[:, KEYPOINT_SETS["coco17"].index[p]] if p != "neck" else coco[:, 5] for p in OPENPOSE18], 1)
    found, name = convert_to_known_set(eighteen, "x")
    index = KEYPOINT_SETS["openpose25"].index
    assert name == "openpose25"
    assert np.array_equal(found[:, index["left_knee"]], coco[:, KEYPOINT_SETS["coco17"].index["left_knee"]])
    assert np.allclose(found[:, index["hip"]], (found[:, index["left_hip"]] + found[:, index["right_hip"]]) / 2)
    assert not found[:, index["left_heel"]].any()
    wholebody = np.concatenate([coco, np.full((len(coco), 116, 3), 0.5)], 1)
    found, name = convert_to_known_set(wholebody, "x")
    index = KEYPOINT_SETS["halpe26"].index
    assert name == "halpe26" and np.array_equal(found[:, :17], coco)
    shoulders = (coco[:, 5, :2] + coco[:, 6, :2]) / 2
    assert np.allclose(found[:, index["neck"], :2], shoulders)
    assert (found[:, index["head_top"], 1] < found[:, 0, 1]).all()
    with pytest.raises(InputError, match="19 keypoints"):
        convert_to_known_set(np.zeros((1, 19, 3)), "x")


def test_the_guessed_image_size_contains_all_keypoints():
    assert guess_image_size(np.array([[[1000.0, 500, 1]]])) == (1280, 720)
    assert guess_image_size(np.array([[[500.0, 1000, 1]]])) == (720, 1280)
    assert guess_image_size(np.array([[[9000.0, 10, 1]]])) == (9000, 10)


GOOD = crossing_people("coco17", 1)
BAD_NPZ = {
    "lacks fps": (dict(fps=None), "lacks fps"),
    "unknown set": (dict(keypoint_set="mine"), "unknown keypoint set, mine"),
    "wrong number": (dict(keypoints=GOOD[..., :5, :]), "shape of coco17"),
    "no frames": (dict(keypoints=GOOD[:0]), "shape of coco17"),
    "no size": (dict(image_size=(0, 720)), "no usable image_size"),
    "still": (dict(fps=0.0), "no usable image_size or fps"),
    "size in words": (dict(image_size=("a", "b")), "is not a number"),
    "rate in words": (dict(fps="25"), "is not a number"),
    "normalized": (dict(keypoints=GOOD / [1280, 720, 1]), "not in pixels"),
    "pickled": (dict(keypoints=np.array([{}], dtype=object)), "cannot be read"),
    "a motion": (dict(keypoints=None, poses=np.zeros((3, 72))), "is a motion"),
}


@pytest.mark.parametrize("case", BAD_NPZ)
def test_a_bad_npz_is_refused_with_the_problem(tmp_path, case):
    changes, problem = BAD_NPZ[case]
    content = {"keypoints": GOOD, "keypoint_set": "coco17", "image_size": (1280, 720), "fps": 25.0, **changes}
    np.savez(tmp_path / "k.npz", **{key: value for key, value in content.items() if value is not None})
    with pytest.raises(InputError, match=problem) as caught:
        detect_and_track(ReconstructRequest(str(tmp_path / "k.npz")))
    assert caught.value.remedy


def test_a_bad_folder_is_refused_with_the_problem(tmp_path):
    (tmp_path / "1.json").write_text('{"shopping": []}')
    with pytest.raises(InputError, match=r"1\.json is not a file that OpenPose wrote"):
        detect_and_track(ReconstructRequest(str(tmp_path)))
    normalized = crossing_people("openpose25", 1) / [1280, 720, 1]
    with pytest.raises(InputError, match="not in pixels"):
        detect_and_track(ReconstructRequest(save_openpose(tmp_path / "normalized", normalized)))


def test_keypoints_are_recognised_by_their_file_names(tmp_path):
    (tmp_path / "a.json").write_text("{}")
    assert is_keypoints(tmp_path) and is_keypoints("x.NPZ") and not is_keypoints("x.mp4")
    (tmp_path / "a.png").write_bytes(b"")
    assert not is_keypoints(tmp_path)
