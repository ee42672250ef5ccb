"""Files on Windows itself, or as Wine has it: names, long paths, locks, and what killed processes leave."""

import os
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from blender_meshrec.core.errors import InputError, OutputError
from blender_meshrec.core.files.file_names import long_paths_enabled
from blender_meshrec.core.files.motion_npz import read_motion, write_motion
from blender_meshrec.core.files.output_file import atomic_write, check_writable
from blender_meshrec.core.files.user_folders import cache_folder, data_folder
from tests.support.processes import ends_within, start_writer
from tests.support.synthetic_bodies import make_recovery, make_tube_body

pytestmark = pytest.mark.skipif(os.name != "nt", reason="Windows")


def write_text(path, text="new"):
    check_writable(path)
    with atomic_write(path) as temporary:
        temporary.write_text(text)


@pytest.mark.parametrize("name", ["Lauf über die Straße", "場所 で 歩く", "a'b & c (1) %TEMP% ^!", "🕺", "Ω" * 60])
def test_a_motion_in_a_folder_of_any_name_is_written_and_read(tmp_path, name):
    recovery = make_recovery(make_tube_body(posedirs=False), frames=3)
    path = tmp_path / name / f"{name}.npz"
    write_motion(path, recovery)
    assert np.array_equal(read_motion(path).poses, recovery.poses)
    write_motion(path, recovery)  # the second time it replaces the first
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("name", ["con.npz", "nul", "aux.fbx", "COM1.npz", "a.npz:b", "shot?.npz", "name. "])
def test_names_that_windows_takes_for_something_else_are_refused(tmp_path, name):
    path = f"{tmp_path}\\{name}"
    for write in (check_writable, write_text):
        with pytest.raises(OutputError, match="Windows does not allow the name"):
            write(path)
    assert os.listdir(tmp_path) == []


def test_a_device_is_no_input():
    with pytest.raises(InputError, match="a device"):
        read_motion("con.npz")


def test_a_path_of_more_than_260_characters_is_written_or_refused(tmp_path):
    folder = tmp_path
    while len(str(folder)) < 300:
        folder /= "f" * 40
    if long_paths_enabled():
        write_text(folder / "walk.npz")
        assert (folder / "walk.npz").read_text() == "new"
    else:
        with pytest.raises(OutputError, match="longer than Windows allows"):
            check_writable(folder / "walk.npz")


def test_a_file_that_another_program_has_open_stays(tmp_path):
    path = tmp_path / "walk.npz"
    path.write_text("old")
    code = "import sys, time\nwith open(sys.argv[1]):\n    print('open', flush=True)\n    time.sleep(60)"
    holder = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(OutputError, match="Another program has"):
            check_writable(path)
        with pytest.raises(OutputError, match="Another program has"), atomic_write(path) as temporary:
            temporary.write_text("new")
        assert path.read_text() == "old" and os.listdir(tmp_path) == ["walk.npz"]
    finally:
        holder.kill()
        holder.communicate()
    write_text(path)
    assert path.read_text() == "new"


def test_a_file_that_is_held_for_a_moment_is_replaced(tmp_path):
    path = tmp_path / "walk.npz"
    path.write_text("old")
    file = open(path)  # noqa: SIM115 - closed by the thread, in the middle of the next block
    closing = threading.Timer(0.5, file.close)
    closing.start()
    with atomic_write(path) as temporary:
        temporary.write_text("new")
    closing.join()
    assert path.read_text() == "new"


def test_a_write_protected_file_stays(tmp_path):
    path = tmp_path / "walk.npz"
    path.write_text("old")
    path.chmod(stat.S_IREAD)
    with pytest.raises(OutputError, match="is write-protected"):
        check_writable(path)
    with pytest.raises(OutputError, match="is write-protected"), atomic_write(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "old"
    path.chmod(stat.S_IWRITE)


def test_a_file_in_place_of_a_folder_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="is not a folder"):
        check_writable(tmp_path / "file" / "walk.npz")


def test_what_a_killed_process_leaves_is_removed(tmp_path):
    path = tmp_path / "walk.npz"
    process = start_writer(path)
    write_text(path, "meanwhile")  # the folder of a running process stays
    assert len(os.listdir(tmp_path)) == 2
    process.kill()
    process.communicate()
    assert ends_within(process.pid, 2) and path.read_text() == "meanwhile"
    end = time.monotonic() + 5
    while len(os.listdir(tmp_path)) > 1 and time.monotonic() < end:
        write_text(path)
    assert os.listdir(tmp_path) == ["walk.npz"]


def test_the_users_folders_are_those_of_windows(monkeypatch):
    monkeypatch.delenv("MESHREC_CACHE", raising=False)
    assert cache_folder() == Path(os.environ["LOCALAPPDATA"], "meshrec", "cache") == data_folder() / "cache"
