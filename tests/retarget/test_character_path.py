"""Paths of characters on the command line, and the readers that motions of any kind go to."""

import pytest

from blender_meshrec.core.errors import InputError
from blender_meshrec.retarget.character_path import SUFFIXES, split_character_path


@pytest.mark.parametrize("suffix", [".fbx", ".glb", ".gltf", ".vrm", ".blend", ".FBX", ".Blend"])
def test_each_format_is_taken_with_and_without_an_object(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    path.touch()
    assert suffix.lower() in SUFFIXES and len(SUFFIXES) == 5
    assert split_character_path(path) == split_character_path(str(path)) == (path, "")
    assert split_character_path(f"{path}#") == (path, "")
    assert split_character_path(f"{path}#Rig 1") == (path, "Rig 1")


def test_a_file_whose_name_has_a_hash_comes_first(tmp_path):
    path = tmp_path / "a#1.fbx"
    path.touch()
    assert split_character_path(path) == (path, "")
    assert split_character_path(f"{path}#Rig") == (path, "Rig")
    folder = tmp_path / "b#2"
    folder.mkdir()
    (folder / "a.glb").touch()
    assert split_character_path(folder / "a.glb") == (folder / "a.glb", "")
    assert split_character_path(f"{folder / 'a.glb'}#Rig") == (folder / "a.glb", "Rig")


@pytest.mark.parametrize(
    "name, error, value",
    [
        ("absent.fbx", "character-file-not-found", "absent.fbx"),
        ("absent.fbx#Rig", "character-file-not-found", "absent.fbx"),
        ("clip.mp4", "character-format-unknown", "clip.mp4"),
        ("clip.mp4#a.fbx", "character-format-unknown", "clip.mp4"),
        ("folder.fbx", "character-file-not-found", "folder.fbx"),
        ("noname", "character-format-unknown", "noname"),
    ],
)
def test_what_is_no_character_is_named(tmp_path, name, error, value):
    (tmp_path / "folder.fbx").mkdir()
    with pytest.raises(InputError) as caught:
        split_character_path(tmp_path / name)
    assert caught.value.name == error and str(value) in caught.value.problem and "Rig" not in caught.value.problem
