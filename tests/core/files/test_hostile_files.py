"""Files that claim more than they hold, are no files, or are damaged on purpose: refused with a sentence, without taking memory."""

import io
import json
import os
import re
import subprocess
import sys
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from blender_meshrec.core.errors import InputError, ModelError
from blender_meshrec.core.files import input_file, safe_npz
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.files.bvh import write_bvh
from blender_meshrec.core.files.model_files import WEIGHTS_LIST, listed_models, model_file
from blender_meshrec.core.files.motion_npz import read_motion, write_motion
from blender_meshrec.core.files.safe_npz import ArchiveError, archive_keys, read_arrays
from blender_meshrec.retarget.source import bvh_file
from blender_meshrec.retarget.source.bvh_file import read_bvh
from tests.support.synthetic_bodies import make_recovery, make_tube_body, motion_of
from tests.support.synthetic_template import smpl_arrays

ROOT = Path(__file__).resolve().parents[3]


def npy(array, shape=None, dtype=None):
    """The bytes of an .npy whose header may claim another shape."""
    stream = io.BytesIO()
    array = np.asarray(array, dtype)
    header = {"descr": array.dtype.str, "fortran_order": False, "shape": array.shape if shape is None else shape}
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue() + array.tobytes()


def write_zip(path, members, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


def patch_directory(path, offset, values):
    """Change bytes of the first entry in a zip's directory."""
    content = bytearray(path.read_bytes())
    start = content.find(b"PK\x01\x02") + offset
    content[start : start + len(values)] = values
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("shape", [(10**12,), (10**6, 10**6), (2**40, 0), (-1,), (2**63, 2**63)])
def test_a_header_of_a_trillion_elements_takes_no_memory(tmp_path, shape):
    path = write_zip(tmp_path / "a.npz", {"a": npy(np.zeros(4), shape)})
    tracemalloc.start()
    with pytest.raises(ArchiveError):
        read_arrays(path, ["a"])
    assert tracemalloc.get_traced_memory()[1] < 1e6  # bytes
    tracemalloc.stop()


def test_a_zip_bomb_is_refused_with_the_limit(tmp_path):
    """2 MB of zeros that unpack to more than the limit."""
    path = write_zip(tmp_path / "a.npz", {"a": npy(np.zeros(1 << 21, np.uint8))})
    assert path.stat().st_size < 5000
    tracemalloc.start()
    with pytest.raises(InputError, match="the limit is 1 million"):
        read_arrays(path, ["a"], max_values=1 << 20)
    assert tracemalloc.get_traced_memory()[1] < 1e6  # bytes
    tracemalloc.stop()


def test_the_limit_is_of_all_arrays_together(tmp_path, monkeypatch):
    path = write_zip(tmp_path / "a.npz", {name: npy(np.zeros(600)) for name in "ab"})
    assert len(read_arrays(path, ["a"], max_values=1000)["a"]) == 600
    with pytest.raises(ModelError, match="more numbers than are read"):
        read_arrays(path, ["a", "b"], ModelError, max_values=1000)
    monkeypatch.setattr(safe_npz, "MAX_BYTES", 5000)
    with pytest.raises(InputError, match="more numbers than are read"):
        read_arrays(path, ["a", "b"])


@pytest.mark.parametrize(
    "method, offset, values, words",
    [
        (zipfile.ZIP_LZMA, 0, b"", "unknown method"),
        (zipfile.ZIP_BZIP2, 0, b"", "unknown method"),
        (zipfile.ZIP_DEFLATED, 10, b"\x63\0", "unknown method"),
        (zipfile.ZIP_DEFLATED, 8, b"\x01", "encrypted"),
        (zipfile.ZIP_DEFLATED, 24, b"\xff\xff\xff\x7f", "size"),
    ],
)
def test_unusual_archives_are_refused(tmp_path, method, offset, values, words):
    path = patch_directory(write_zip(tmp_path / "a.npz", smpl_members(), method), offset, values)
    with pytest.raises(ArchiveError, match=words):
        read_arrays(path, ["v_template"])
    with pytest.raises(ModelError, match=words):
        load_body(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_motion(write_zip(tmp_path / "b.npz", {"poses": b"no array"}, method))


def smpl_members(**changes):
    return {name: npy(array) for name, array in {**smpl_arrays(vertices=40), **changes}.items() if not isinstance(array, str)}


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"no zip", bytes(1000)])
def test_what_is_no_archive_has_no_keys(tmp_path, content):
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    assert archive_keys(path) == set()
    with pytest.raises(ArchiveError):
        read_arrays(path, ["a"])


# --- not files at all ---


@pytest.fixture
def pipe(tmp_path):
    path = tmp_path / "pipe.npz"
    os.mkfifo(path)
    return path


@pytest.mark.skipif(os.name == "nt", reason="pipes in folders")
def test_pipes_and_devices_are_refused_at_once(pipe):
    for path, what in ((pipe, "a pipe"), (Path("/dev/zero"), "a device")):
        with pytest.raises(InputError, match=f"is not a file on disk but {what}"):
            input_file.refuse_special_file(path)
    for read in (read_motion, input_file.read_json, lambda path: read_arrays(path, ["a"])):
        with pytest.raises(InputError, match="a pipe"):
            read(pipe)
    assert archive_keys(pipe) == set()
    for path in (pipe.parent, pipe.parent / "missing", Path("a\0b")):
        input_file.refuse_special_file(path)


# --- JSON ---


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "9" * 5000, "{", ""])
def test_json_without_end_is_a_value_error(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(ValueError):
        input_file.read_json(path)


def test_json_is_read_up_to_the_limit(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(["x" * 1000]))
    assert input_file.read_json(path) == ["x" * 1000]
    with pytest.raises(InputError, match="larger than"):
        input_file.read_json(path, max_bytes=1000)


# --- bodies ---


@pytest.mark.parametrize(
    "key, value, words",
    [
        ("v_template", np.zeros((0, 3)), "0 vertices"),
        ("v_template", np.zeros(40), "v_template is not a table"),
        ("v_template", np.array(1.0), "v_template is not a table"),
        ("f", np.array(3), "f is not a table"),
        ("f", np.zeros((2, 3, 3), int), "f is not a table"),
        ("kintree_table", np.array(7), "kintree_table is not a table"),
        ("kintree_table", np.arange(24), "kintree_table is not a table"),
        ("weights", np.zeros(40), "weights is not a table"),
        ("shapedirs", np.zeros((40, 3, 0)), "shapedirs does not fit"),
        ("shapedirs", np.full((40, 3, 10), 1e30), "values that no body has"),
        ("J_regressor", np.full((24, 40), np.nan), "not finite"),
        ("part", np.zeros(3), "part is not a table"),
        ("landmark_vertices", np.array([10**6]), "landmark_vertices"),
    ],
)
def test_bodies_of_wrong_arrays_are_refused_by_name(tmp_path, key, value, words):
    changes = {key: value} if key != "landmark_vertices" else {key: value, "landmark_names": np.array(["nose"])}
    if key == "v_template" and value.shape == (0, 3):
        changes |= {
            "f": np.zeros((0, 3), int),
            "weights": np.zeros((0, 24)),
            "J_regressor": np.zeros((24, 0)),
            "posedirs": np.zeros((0, 3, 207)),
        }
        changes |= {"shapedirs": np.zeros((0, 3, 10))}
    with pytest.raises(ModelError, match=words):
        load_body(write_zip(tmp_path / "a.npz", smpl_members(**changes)))


# --- motions ---


@pytest.mark.parametrize(
    "change, words",
    [
        ({"mocap_framerate": 1e-9}, "frame rate is 1e-09; the limits"),
        ({"mocap_framerate": 1e9}, "the limits"),
        ({"trans": np.full((5, 3), 1e30, np.float32)}, "positions reach 1e\\+30; the limit"),
        ({"image_size": np.array([np.inf, 1.0])}, "is damaged"),
        ({"first_frame": np.inf}, "is damaged"),
        ({"first_frame": -1}, "below zero"),
        ({"poses": np.full((5, 72), 1e20)}, "angles reach"),
        ({"timestamps": np.zeros(5)}, "do not rise"),
    ],
)
def test_motions_of_impossible_values_are_refused(tmp_path, change, words):
    recovery = make_recovery(make_tube_body(posedirs=False), frames=5)
    path = tmp_path / "a.npz"
    np.savez(path, **{**recovery.arrays(), **change})
    with pytest.raises(InputError, match=words):
        read_motion(path)


def test_a_motion_with_a_gap_of_days_is_not_resampled_without_end(tmp_path):
    recovery = make_recovery(make_tube_body(posedirs=False), frames=5, timestamps=np.array([0, 0.04, 0.08, 0.12, 5 * 86400.0]))
    write_motion(tmp_path / "a.npz", recovery)
    with pytest.raises(InputError, match=r"spans 1\d+ frames .* the limit is 200000"):
        write_bvh(tmp_path / "a.bvh", motion_of(read_motion(tmp_path / "a.npz"), make_tube_body()))
    assert not (tmp_path / "a.bvh").exists()


@pytest.mark.parametrize("frame_time", ["1e-9", "1e-300", "1e300", "0", "nan", "-1"])
def test_bvh_of_an_impossible_rate_is_refused(tmp_path, frame_time):
    path = tmp_path / "a.bvh"
    write_bvh(path, motion_of(make_recovery(make_tube_body(posedirs=False), frames=5), make_tube_body()))
    text = path.read_text()
    path.write_text(re.sub("Frame Time: .*", f"Frame Time: {frame_time}", text))
    with pytest.raises(InputError, match=r"holds no motion|is damaged|not a BVH"):
        read_bvh(path)


def test_bvh_beyond_the_limit_is_refused_before_it_is_split(tmp_path, monkeypatch):
    path = tmp_path / "a.bvh"
    path.write_text("HIERARCHY MOTION " + "0 " * 1000)
    monkeypatch.setattr(bvh_file, "_MAX_NUMBERS", 1000)
    with pytest.raises(InputError, match="the limit is"):
        read_bvh(path)


# --- the list of model files ---


@pytest.mark.parametrize(
    "content",
    [
        b"[[weights]\nfile =",
        b"\xff\xfe\x00",
        b"weights = 3",
        b'weights = ["a"]',
        b'[[weights]]\nsource = "no file"',
        b"[[weights]]\nfile = 5",
        b'[[weights]]\nfile = "a"\nsha256 = 7',
        b'[[weights]]\nfile = "../../a"',
        b'[[weights]]\nfile = "/etc/passwd"',
        b"[[weights]]\nfile = 'C:a'",
        b"[[weights]]\nfile = '\\\\server\\share\\a'",
        b"[[weights]]\nfile = '..\\a'",
        b"a = " + b"[" * 5000,
        b"#" * (1 << 21),
    ],
)
def test_a_damaged_list_of_model_files_is_named(tmp_path, monkeypatch, content):
    monkeypatch.setenv("MESHREC_MODELS", str(tmp_path))
    (tmp_path / WEIGHTS_LIST).write_bytes(content)
    (tmp_path / "a").write_bytes(b"")
    for read in (listed_models, lambda: model_file("a")):
        with pytest.raises(ModelError, match=r"list of model files .* is damaged"):
            read()


# --- memory ---


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_DATA")
def test_memory_beyond_the_limit_is_a_memory_error():
    code = (
        "from blender_meshrec.bridge.memory_limit import limit_memory, total_memory\n"
        "assert 0 < limit_memory() < total_memory() and limit_memory(1 << 29) == 1 << 29 == limit_memory(1 << 30)\n"
        "import numpy as np\n"
        "np.ones(1 << 20)\n"
        "try:\n    np.ones(1 << 27)\nexcept MemoryError:\n    print('refused')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "refused\n", done.stderr
