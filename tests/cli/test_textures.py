"""Textures painted from footage on the command line: --texture, its size, and NAME_texture.png beside the outputs."""

import json
from pathlib import Path

import pytest

from blender_meshrec.cli import program
from blender_meshrec.cli.arguments import join_words
from blender_meshrec.cli.program import build_reconstruct_parser
from blender_meshrec.cli.textures import texture_paths, written_textures
from blender_meshrec.core.files.texture_file import read_texture, texture_path

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def parse(words):
    return build_reconstruct_parser().parse_args(join_words(words.split()))


@pytest.mark.parametrize(
    "words, texture, size",
    [
        ("a.mp4 -o a.npz", False, "1024"),
        ("a.mp4 -o a.npz --texture", True, "1024"),
        ("--texture a.mp4 -o a.npz", True, "1024"),
        ("a.mp4 --texture 2048 -o a.npz", True, "2048"),
        ("a.mp4 --texture=512 -o a.npz", True, "512"),
        ("a.mp4 --texture-size 4096 --texture -o a.npz", True, "4096"),
    ],
)
def test_the_flag_takes_a_size_but_no_input(words, texture, size):
    options = parse(words)
    assert (options.texture, options.texture_size, options.inputs) == (texture, size, ["a.mp4"])


def test_a_size_that_is_none_is_refused(no_backend, capsys):
    assert program.main(["reconstruct", "walk.mp4", "-o", "a.npz", "--texture=100"]) == 2
    assert "1024" in capsys.readouterr().err


def test_the_texture_is_written_beside_the_motion(backend, files):
    backend("work 0.01")
    assert program.main(["reconstruct", "walk.mp4", "-o", "a.npz", "--texture", "--report", "r.json"]) == 0
    assert files() == ["a.npz", "a_texture.png", "r.json"] and Path("a_texture.png").read_bytes() == SIGNATURE + b"\1"
    assert json.loads(Path("r.json").read_text())["outputs"] == ["a.npz", "a_texture.png"]
    assert program.main(["reconstruct", "walk.mp4", "-o", "b.npz", "--texture", "--person", "all"]) == 0
    assert {"b.person1.npz", "b.person1_texture.png", "b.person2_texture.png"} <= set(files())
    assert Path("b.person2_texture.png").read_bytes() == SIGNATURE + b"\2"


def test_without_the_flag_and_of_a_skeleton_there_is_none(backend, files):
    backend("work 0.01")
    assert program.main(["reconstruct", "walk.mp4", "-o", "a.npz"]) == 0
    assert program.main(["reconstruct", "walk.mp4", "-o", "a.bvh", "--texture"]) == 0
    assert files() == ["a.bvh", "a.npz"]


def test_formats_of_one_name_share_the_texture(backend, files):
    backend("work 0.01")
    Path("out").mkdir()
    assert program.main(["reconstruct", "walk.mp4", "-o", "out", "--format", "npz,bvh", "--texture"]) == 0
    assert files("out") == ["walk.bvh", "walk.npz", "walk_texture.png"]


def test_a_batch_passes_it_on(backend, files):
    backend("work 0.01")
    Path("jobs.json").write_text(json.dumps([{"input": "walk.mp4", "output": "x/a.npz", "texture": True, "texture-size": 512}]))
    assert program.main(["batch", "jobs.json"]) == 0
    assert {"x/a.npz", "x/a_texture.png"} <= set(files())


def test_a_size_without_a_texture_does_nothing_and_says_so(backend, capsys):
    backend("work 0.01")
    assert program.main(["reconstruct", "walk.mp4", "-o", "a.npz", "--texture-size", "512"]) == 0
    assert "--texture-size does nothing without --texture" in capsys.readouterr().err


def test_several_people_in_one_file_have_a_texture_each(tmp_path):
    path = tmp_path / "a.blend"
    assert [found.name for found in texture_paths(path, [1, 3])] == ["a.person1_texture.png", "a.person3_texture.png"]
    with written_textures([(path, (0, 1))], [1, 3], [b"one", None]) as written:
        assert [source and source.read_bytes() for source in written.sources] == [b"one", None]
        assert not (tmp_path / "a.person1_texture.png").exists()
    assert written.paths == (tmp_path / "a.person1_texture.png",) and written.paths[0].read_bytes() == b"one"
    assert len(list(tmp_path.iterdir())) == 1


def test_nothing_remains_where_the_outputs_fail(tmp_path):
    with pytest.raises(ValueError), written_textures([(tmp_path / "a.npz", (0,))], [1], [b"one"]):
        raise ValueError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", SIGNATURE, b"GIF89a and more"])
def test_files_that_are_no_png_are_no_textures(content, tmp_path):
    path = texture_path(tmp_path / "walk.npz")
    assert path.name == "walk_texture.png" and read_texture(path) is None
    path.write_bytes(content)
    assert read_texture(path) is None
    path.write_bytes(SIGNATURE + b"rest")
    assert read_texture(path) == SIGNATURE + b"rest"
