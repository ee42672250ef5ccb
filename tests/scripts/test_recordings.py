"""The motion-capture reader: files are read completely, gaps separate pieces, mirroring is an involution, subjects are split."""

import numpy as np
import pytest

from blender_meshrec.core.rotations import normalize_quat
from blender_meshrec.core.skeletons import SMPL_JOINTS, SMPL_PARENTS
from scripts.train.calibration import filmed_windows
from scripts.train.data.motion_clips import clip_from_recording, read_clips, split_by_subject
from scripts.train.data.recordings import TEST_SUBJECTS, VALIDATION_SUBJECTS, mirror_rotmats, read_recordings, rotmats_from_quats

LENGTHS = {"02": 7, "16": 5, "77": 12}  # frames of each subject's recording
BAD = [3, 8]  # frames of the last that are not valid


@pytest.fixture
def folder(tmp_path):
    """Two files: subjects 02 and 16 in one, 77 in the other."""
    rng = np.random.default_rng(8)
    for letter, subjects in {"A": ("02", "16"), "B": ("77",)}.items():
        lengths = [LENGTHS[subject] for subject in subjects]
        valid = np.ones(sum(lengths), bool)
        if letter == "B":
            valid[BAD] = False
        np.savez(
            tmp_path / f"cmu_smpl24_{letter}.npz",
            quat=np.rint(32767 * normalize_quat(rng.normal(size=(sum(lengths), 24, 4)))).astype(np.int16),
            trans=rng.normal(size=(sum(lengths), 3)).astype(np.float32),
            valid=valid,
            clip_start=np.cumsum([0, *lengths]),
            clip_name=[f"{subject}_01" for subject in subjects],
            clip_subject=subjects,
            clip_text=["walk"] * len(subjects),
            clip_skeleton=np.arange(len(subjects))[::-1],
            skel_offsets=rng.normal(size=(len(subjects), 24, 3)).astype(np.float32),
            skel_extra=rng.normal(size=(len(subjects), 6, 3)).astype(np.float32),
        )
    return tmp_path


def test_recordings_hold_the_files_frames_in_order(folder):
    recordings = read_recordings(folder)
    assert {one.subject: len(one.quats) for one in recordings} == LENGTHS
    with np.load(folder / "cmu_smpl24_A.npz") as file:
        assert np.array_equal(np.concatenate([one.quats for one in recordings[:2]]), file["quat"])
        assert np.array_equal(np.concatenate([one.trans for one in recordings[:2]]), file["trans"])
        assert np.array_equal(recordings[0].offsets, file["skel_offsets"][1])  # the skeleton that clip_skeleton refers to


def test_folder_without_motion_capture_raises(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no cmu_smpl24"):
        read_recordings(tmp_path)


def test_pieces_are_the_runs_of_valid_frames(folder):
    recording = read_recordings(folder)[2]
    pieces = recording.pieces()
    assert [(piece.start, piece.stop) for piece in pieces] == [(0, 3), (4, 8), (9, 12)]
    assert np.flatnonzero(~recording.valid).tolist() == BAD


def test_clip_bones_have_the_skeletons_lengths(folder):
    """The points of a Clip are those of the skeleton."""
    recording = read_recordings(folder)[0]
    clip = clip_from_recording(recording)
    shin = np.linalg.norm(clip.vectors[:, [2, 5]], axis=-1)  # from hips to knees
    assert np.abs(shin - np.linalg.norm(recording.offsets[[5, 4]], axis=-1)).max() < 1e-5  # m


def test_mirroring_exchanges_sides_and_is_an_involution(folder):
    rotmats = rotmats_from_quats(read_recordings(folder)[0].quats)
    assert np.array_equal(mirror_rotmats(mirror_rotmats(rotmats)), rotmats)
    offsets = np.random.default_rng(1).normal(size=(24, 3))
    swapped = [{"left": "right", "right": "left"}.get(side, side) + rest for side, rest in (_sided(name) for name in SMPL_JOINTS)]
    other = [SMPL_JOINTS.index(name) for name in swapped]
    flip = np.array([-1, 1, 1])
    posed, mirrored = joints_of(rotmats, offsets), joints_of(mirror_rotmats(rotmats), offsets[other] * flip)
    assert np.abs(mirrored - posed[:, other] * flip).max() < 1e-9  # m


def _sided(name):
    return next(((side, name[len(side) :]) for side in ("left", "right") if name.startswith(side)), ("", name))


def joints_of(rotmats, offsets):
    """Forward kinematics by a loop over joints: (F,24,3)."""
    joints, rotations = np.zeros((*rotmats.shape[:2], 3)), rotmats.copy()
    for joint in range(1, 24):
        parent = SMPL_PARENTS[joint]
        joints[:, joint] = joints[:, parent] + rotations[:, parent] @ offsets[joint]
        rotations[:, joint] = rotations[:, parent] @ rotmats[:, joint]
    return joints


def test_training_and_test_subjects_are_disjoint(folder):
    assert not set(TEST_SUBJECTS) & set(VALIDATION_SUBJECTS)
    check_split(folder)


def test_splits_of_the_motion_capture_are_disjoint(shared_mocap):
    training, _testing = check_split(shared_mocap)
    assert "act8" in {clip.subject for clip in training}  # unknown performers: training data only


def check_split(folder):
    training, testing = split_by_subject(read_clips(folder))
    assert {clip.subject for clip in testing} <= set(TEST_SUBJECTS)
    assert not {clip.subject for clip in training} & set(TEST_SUBJECTS)
    frames = {
        part: sum(len(quats) for quats, _trans in filmed_windows.read_split_clips(folder, part))
        for part in (*filmed_windows.SUBJECT_SPLITS, "training")
    }
    assert min(frames.values()) > 0
    assert sum(frames.values()) == sum(one.valid.sum() for one in read_recordings(folder))
    return training, testing


def test_copies_of_exact_recordings_are_left_out(folder):
    """A clip of the Daz conversion, where its exact recording is there too; and its forearms are bent where it stays."""
    with np.load(folder / "cmu_smpl24_B.npz") as file:
        arrays = dict(file)
    for name, subject in (("daz_14_07", "daz_14"), ("daz_13_10", "daz_13")):
        path = folder / "cmu_smpl24_B.npz"
        np.savez(path, **{**arrays, "clip_name": [name], "clip_subject": [subject]})
        (daz,) = [one for one in read_recordings(folder) if one.name == name]
        is_bent = not np.array_equal(daz.offsets, arrays["skel_offsets"][0])
        assert is_bent == (subject not in TEST_SUBJECTS)
        np.testing.assert_allclose(np.linalg.norm(daz.offsets, axis=1), np.linalg.norm(arrays["skel_offsets"][0], axis=1), rtol=1e-5)
    np.savez(folder / "cmu_smpl24_C.npz", **{**arrays, "clip_name": ["14_07"], "clip_subject": ["14"]})
    np.savez(folder / "cmu_smpl24_B.npz", **{**arrays, "clip_name": ["daz_14_07"], "clip_subject": ["daz_14"]})
    names = [one.name for one in read_recordings(folder)]
    assert "14_07" in names and "daz_14_07" not in names
