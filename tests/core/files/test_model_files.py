"""Model files: search order of folders and checksums."""

import hashlib

import pytest

from blender_meshrec.core.errors import ModelError
from blender_meshrec.core.files import model_files


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MESHREC_MODELS", str(tmp_path))
    return tmp_path


def list_file(folder, name, content):
    digest = hashlib.sha256(content).hexdigest()
    (folder / "weights.toml").write_text(f'[[weights]]\nfile = "{name}"\nsha256 = "{digest}"\n')


def test_the_chosen_folder_comes_first(folder):
    (folder / "open_body.npz").write_bytes(b"mine")
    assert model_files.model_file("open_body.npz") == folder / "open_body.npz"


def test_the_folder_inside_the_package_precedes_the_one_beside(monkeypatch, tmp_path):
    monkeypatch.delenv("MESHREC_MODELS", raising=False)
    monkeypatch.setattr(model_files, "_PACKAGE", tmp_path / "package")
    inside, beside = tmp_path / "package" / "addon_models", tmp_path / "addon_models"
    for place in (inside, beside):
        place.mkdir(parents=True)
        (place / "a.bin").touch()
    assert model_files.model_file("a.bin") == inside / "a.bin"
    (inside / "a.bin").unlink()
    assert model_files.model_file("a.bin") == beside / "a.bin"


def test_a_file_damaged_after_a_first_check_is_detected(folder):
    list_file(folder, "a.bin", b"right")
    (folder / "a.bin").write_bytes(b"right")
    assert model_files.model_file("a.bin")
    (folder / "a.bin").write_bytes(b"wrong")
    with pytest.raises(ModelError, match="damaged") as caught:
        model_files.model_file("a.bin")
    assert caught.value.exit_code == 4


def test_a_missing_model_file_error_names_the_remedy(folder):
    with pytest.raises(ModelError, match="nothing_like_this") as caught:
        model_files.model_file("nothing_like_this.bin")
    assert "build.py setup" in caught.value.remedy


def test_listed_models_include_missing_and_damaged_files(folder, tmp_path):
    list_file(folder, "a.bin", b"right")
    for content, expected in ((None, "missing"), (b"wrong", "damaged"), (b"right", None)):
        if content:
            (folder / "a.bin").write_bytes(content)
        entry, path, error = next(model for model in model_files.listed_models() if model[0]["file"] == "a.bin")
        assert entry["sha256"] and (path == folder / "a.bin") == (expected is None)
        assert (expected is None and error is None) or expected in error.problem
