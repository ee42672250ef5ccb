"""The user's folders, the models that users add, and the lists of model files."""

import os
import sys
from pathlib import Path

import pytest

from blender_meshrec.core.errors import InputError, ModelError, OutputError
from blender_meshrec.core.files import model_files, user_folders, user_models
from blender_meshrec.core.files.natural_order import natural_key

posix = pytest.mark.skipif(os.name == "nt", reason="modes and users of POSIX")


@posix
def test_folders_follow_the_system_and_the_environment(tmp_path, monkeypatch):
    monkeypatch.setattr(user_folders.Path, "home", lambda: tmp_path)
    for name in ("XDG_CACHE_HOME", "XDG_DATA_HOME", "MESHREC_CACHE", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    expected = {
        "linux": (tmp_path / ".local/share/meshrec", tmp_path / ".cache/meshrec"),
        "darwin": (tmp_path / "Library/Application Support/meshrec", tmp_path / "Library/Caches/meshrec"),
        "win32": (tmp_path / "AppData/Local/meshrec", tmp_path / "AppData/Local/meshrec/cache"),
    }
    for platform, folders in expected.items():
        monkeypatch.setattr(user_folders.sys, "platform", platform)
        assert (user_folders.data_folder(), user_folders.cache_folder()) == folders
    monkeypatch.setattr(user_folders.sys, "platform", "linux")
    for value, is_used in (("/data", True), ("relative", False), ("", False)):
        monkeypatch.setenv("XDG_DATA_HOME", value)
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert (user_folders.data_folder() == Path("/data/meshrec")) == (user_folders.cache_folder() == Path("/data/meshrec")) == is_used
    monkeypatch.setenv("MESHREC_CACHE", "chosen")
    assert user_folders.cache_folder() == Path("chosen")


@posix
@pytest.mark.parametrize("mode, is_trusted", [(0o700, True), (0o755, True), (0o720, False), (0o702, False), (0o777, False)])
def test_a_folder_that_others_may_write_to_is_not_trusted(tmp_path, monkeypatch, mode, is_trusted):
    folder = tmp_path / "private"
    folder.mkdir()
    folder.chmod(mode)
    if is_trusted:
        assert user_folders._private_folder(folder) == folder
        mine = os.getuid()
        monkeypatch.setattr(user_folders.os, "getuid", lambda: mine + 1)
    with pytest.raises(PermissionError):
        user_folders._private_folder(folder)


@posix
def test_links_and_files_are_no_private_folders(tmp_path):
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "file").touch(mode=0o600)
    for name in ("link", "file"):
        with pytest.raises(OSError):
            user_folders._private_folder(tmp_path / name)
    assert user_folders._private_folder(tmp_path / "new").stat().st_mode & 0o777 == 0o700


def test_a_user_without_any_folder_is_told(tmp_path, monkeypatch):
    def no_home():
        raise RuntimeError("no home")

    (tmp_path / "file").touch()
    monkeypatch.setattr(user_folders.Path, "home", no_home)
    monkeypatch.setattr(user_folders.tempfile, "tempdir", str(tmp_path / "file"))
    with pytest.raises(OutputError) as caught:
        user_folders.home_folder()
    assert caught.value.name == "home-folder-missing"
    if sys.platform != "win32":
        monkeypatch.setattr(user_folders.tempfile, "tempdir", str(tmp_path))
        assert user_folders.home_folder() == tmp_path / f"meshrec-home-{os.getuid()}"


@pytest.fixture
def models(tmp_path, monkeypatch):
    monkeypatch.setattr(user_models, "data_folder", lambda: tmp_path / "data")
    monkeypatch.setattr(user_models, "load_body", lambda path: None if "body" in Path(path).name else refuse("no body"))
    monkeypatch.setattr(user_models, "load_skel", lambda path: None if "skeleton" in Path(path).name else refuse("no skel"))
    return tmp_path / "data" / "models"


def refuse(name):
    raise ModelError(name, "a", "b")


@pytest.mark.parametrize("name", ["open", "../a", "a/b", ".hidden", "..", "a b", "a\0b", "a\n", "/etc/a", "a\\b"])
def test_names_of_models_stay_in_their_folder(models, tmp_path, name):
    (tmp_path / "body.npz").touch()
    with pytest.raises(InputError) as caught:
        user_models.add_user_model(tmp_path / "body.npz", name)
    assert caught.value.name == "model-name-invalid" and not models.exists()


def test_models_are_copied_replaced_and_found_by_name(models, tmp_path):
    assert user_models.user_models() == {} and user_models.resolve_model_path("mine") == "mine"
    for name, content, kind in (("body.NPZ", "1", "body"), ("skeleton.pkl", "2", "skel")):
        (tmp_path / name).write_text(content)
        assert user_models.add_user_model(str(tmp_path / name), "mine") == ("mine", kind)
        (copy,) = models.iterdir()  # the other format of the same name is gone
        assert copy == models / f"mine{Path(name).suffix.lower()}" and copy.read_text() == content
    (tmp_path / "body.npz").write_text("3")
    assert user_models.add_user_model(tmp_path / "body.npz") == ("body", "body")
    (models / "notes.txt").touch()
    assert list(user_models.user_models()) == ["body", "mine"]
    assert user_models.resolve_model_path("mine") == str(models / "mine.pkl") and user_models.resolve_model_path("open") == "open"
    assert user_models.resolve_model_path(str(tmp_path / "body.npz")) == str(tmp_path / "body.npz")


def test_the_name_decides_which_error_helps(models, tmp_path):
    for name, error in (("smpl.npz", "no body"), ("my_SKEL.npz", "no skel")):
        (tmp_path / name).touch()
        with pytest.raises(ModelError) as caught:
            user_models.add_user_model(tmp_path / name)
        assert caught.value.name == error and not models.exists()


# --- the list of model files ---


def test_the_list_of_model_files_is_read_up_to_its_limit(tmp_path, monkeypatch):
    monkeypatch.setenv("MESHREC_MODELS", str(tmp_path))
    monkeypatch.setattr(model_files, "_PACKAGE", tmp_path / "package" / "deeper")
    text = '[[weights]]\nfile = "a/b.bin"\nlicence = "own"\n'
    (tmp_path / "weights.toml").write_text(text)
    monkeypatch.setattr(model_files, "_MAX_LIST_BYTES", len(text))
    (model,) = model_files.listed_models()
    assert model.entry == {"file": "a/b.bin", "source": "", "licence": "own"} and model.path is None and model.error is not None
    monkeypatch.setattr(model_files, "_MAX_LIST_BYTES", len(text) - 1)
    with pytest.raises(ModelError) as caught:
        model_files.listed_models()
    assert caught.value.name == "weights-list-damaged"


def test_the_first_folder_decides_what_a_model_is(tmp_path, monkeypatch):
    monkeypatch.setattr(model_files, "_PACKAGE", tmp_path / "package")
    monkeypatch.setenv("MESHREC_MODELS", str(tmp_path / "chosen"))
    folders = [tmp_path / "chosen", tmp_path / "package" / "addon_models", tmp_path / "addon_models"]
    assert model_files.model_folders() == folders
    for number, folder in enumerate(folders):
        folder.mkdir(parents=True)
        (folder / "weights.toml").write_text(f'[[weights]]\nfile = "a.bin"\nsource = "{number}"\n[[weights]]\nfile = "{number}.bin"\n')
    (folders[2] / "a.bin").touch()
    models = {model.entry["file"]: model for model in model_files.listed_models()}
    assert models.keys() == {"a.bin", "0.bin", "1.bin", "2.bin"}
    assert models["a.bin"].entry["source"] == "0" and models["a.bin"].path == folders[2] / "a.bin" and models["a.bin"].error is None
    assert models["1.bin"].error.name == "model-file-missing" and models["1.bin"].entry["source"] == models["1.bin"].entry["licence"] == ""


@pytest.mark.parametrize(
    "names",
    [["frame2.png", "frame10.png"], ["a1b2", "a1b10", "a2b1"], ["A1", "a2", "B1"], ["1", "2", "10", "a"], ["a", "a1", "a01b"]],
)
def test_numbers_in_names_count(names):
    backwards = names[::-1]
    assert sorted(backwards, key=natural_key) == names
