"""Outputs appear whole or not at all, only files are replaced, and what killed processes leave is removed."""

import errno
import os
import signal
import socket
import time
from pathlib import Path

import pytest

from blender_meshrec.core.errors import OutputError
from blender_meshrec.core.files import output_file, temporary_folder, user_folders
from blender_meshrec.core.files.output_file import atomic_write, check_writable
from blender_meshrec.core.files.temporary_folder import TemporaryFolder, scratch_folder
from tests.support.processes import start_writer

posix = pytest.mark.skipif(os.name == "nt", reason="devices, pipes and links of POSIX")


def write_text(path, text="new"):
    with atomic_write(path) as temporary:
        assert temporary.suffix == Path(path).suffix and temporary.parent.parent.samefile(Path(os.path.realpath(path)).parent)
        temporary.write_text(text)


@posix
@pytest.mark.parametrize("kind", ["pipe", "socket", "device"])
def test_what_is_no_file_is_refused_and_stays(tmp_path, kind):
    path = tmp_path / "out.npz"
    with socket.socket(socket.AF_UNIX) as listener:
        if kind == "pipe":
            os.mkfifo(path)
        elif kind == "socket":
            listener.bind(str(path))
        else:
            path.symlink_to(os.devnull)
        before = path.lstat()
        with pytest.raises(OutputError, match="not a file"):
            check_writable(path)
        with pytest.raises(OutputError, match="not a file"):
            write_text(path)
        assert path.lstat() == before and os.listdir(tmp_path) == ["out.npz"]


@posix
def test_a_pipe_that_appears_meanwhile_stays(tmp_path):
    with pytest.raises(OutputError, match="not a file"), atomic_write(tmp_path / "out.npz") as temporary:
        temporary.write_text("new")
        os.mkfifo(tmp_path / "out.npz")
    assert (tmp_path / "out.npz").is_fifo()


@posix
@pytest.mark.parametrize("exists", [True, False])
def test_a_link_stays_and_its_file_is_written(tmp_path, exists):
    store, link = tmp_path / "store" / "real.npz", tmp_path / "link.npz"
    store.parent.mkdir()
    if exists:
        store.write_text("old")
    link.symlink_to(Path("store") / "real.npz")
    check_writable(link)
    write_text(link)
    assert link.is_symlink() and store.read_text() == "new"
    assert sorted(os.listdir(tmp_path)) == ["link.npz", "store"] and os.listdir(store.parent) == ["real.npz"]


@posix
def test_links_in_a_loop_are_reported(tmp_path):
    (tmp_path / "a.npz").symlink_to("b.npz")
    (tmp_path / "b.npz").symlink_to("a.npz")
    for write in (check_writable, write_text):
        with pytest.raises(OutputError):
            write(tmp_path / "a.npz")
    assert (tmp_path / "a.npz").is_symlink()


@posix
def test_an_output_is_flushed_and_then_moved_in_one_step(tmp_path, monkeypatch):
    path, events = tmp_path / "a.npz", []
    path.write_text("old")
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(output_file.os, "fsync", lambda descriptor: events.append(os.fstat(descriptor).st_ino) or fsync(descriptor))
    monkeypatch.setattr(output_file.os, "replace", lambda *paths: events.append("moved") or replace(*paths))
    with open(path) as reader:
        with atomic_write(path) as temporary:
            temporary.write_text("new")
            written = temporary.stat().st_ino
        assert reader.read() == "old"  # moved and not copied
    assert events == [written, "moved", tmp_path.stat().st_ino]
    assert path.stat().st_ino == written and path.read_text() == "new"


def test_a_file_that_cannot_be_flushed_is_not_moved(tmp_path, monkeypatch):
    def fail(_descriptor):
        raise OSError(errno.EIO, "Input/output error")

    (tmp_path / "a.npz").write_text("old")
    monkeypatch.setattr(output_file.os, "fsync", fail)
    with pytest.raises(OutputError, match="Input/output error"):
        write_text(tmp_path / "a.npz")
    assert os.listdir(tmp_path) == ["a.npz"] and (tmp_path / "a.npz").read_text() == "old"


@posix
def test_the_next_run_removes_what_a_killed_one_left_and_nothing_else(tmp_path):
    mine = [tmp_path / ".meshrec-notes.txt", tmp_path / "meshrec-project"]
    mine[0].write_text("a user's own file")
    mine[1].mkdir()
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    (tmp_path / ".meshrec-link").symlink_to(outside)
    running, killed = start_writer(tmp_path / "a.npz"), start_writer(tmp_path / "b.npz")
    try:
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        before = set(os.listdir(tmp_path))
        write_text(tmp_path / "b.npz")
        gone = before - set(os.listdir(tmp_path))
        assert len(gone) == 1 and gone.pop().startswith(".meshrec-")
        assert any(path.joinpath("a.npz").exists() for path in tmp_path.glob(".meshrec-*"))  # of the running process
        assert all(path.exists() for path in mine) and (outside / "kept").exists()
    finally:
        for process in (running, killed):
            process.kill()
            process.wait()
            process.stdout.close()


def test_folders_of_disks_without_locks_are_removed_when_they_are_old(tmp_path):
    for name, age in (("old", 2 * 24 * 3600), ("young", 3600)):  # s
        folder = tmp_path / f".meshrec-{name}"
        folder.mkdir()
        os.utime(folder, (time.time() - age,) * 2)
    write_text(tmp_path / "a.npz")
    assert sorted(os.listdir(tmp_path)) == [".meshrec-young", "a.npz"]


def test_two_writers_in_one_process_do_not_disturb_each_other(tmp_path):
    with atomic_write(tmp_path / "a.npz") as first:
        first.write_text("a")
        write_text(tmp_path / "b.npz", "b")
    assert (tmp_path / "a.npz").read_text() == "a" and (tmp_path / "b.npz").read_text() == "b"


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """The system's folder for temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(temporary_folder.tempfile, "tempdir", str(folder))
    return folder


def test_scratch_folders_of_ended_processes_are_removed(temporary):
    left = TemporaryFolder(temporary, "meshrec-")
    os.close(left._marker)  # as when its process is killed
    (temporary / "meshrec-mine").mkdir()  # has no marker: not one of ours
    with scratch_folder() as folder:
        assert folder.parent == temporary.resolve() and not left.path.exists()
    assert os.listdir(temporary) == ["meshrec-mine"]


def test_a_missing_folder_for_temporary_files_is_named(monkeypatch):
    def fail():
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(temporary_folder.tempfile, "gettempdir", fail)
    with pytest.raises(OutputError, match="TMPDIR"), scratch_folder():
        pass


def test_a_full_folder_for_temporary_files_is_not_blamed_on_the_output(temporary, tmp_path):
    full = OSError(errno.ENOSPC, "No space left on device", str(temporary / "image.png"))
    with pytest.raises(OutputError, match="temporary files is full"), atomic_write(tmp_path / "a.glb"):
        raise full
    with pytest.raises(OutputError, match="temporary files is full"), scratch_folder() as folder, atomic_write(folder / "0.npz"):
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(OutputError, match="disk is full"), atomic_write(tmp_path / "a.glb") as path:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))
    with pytest.raises(OutputError, match="disk is full"), atomic_write(tmp_path / "a.glb") as path:
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "source"), None, str(path))


@posix
def test_a_user_without_a_home_has_a_private_folder(temporary, monkeypatch):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(user_folders.Path, "home", no_home)
    for name in ("XDG_CACHE_HOME", "XDG_DATA_HOME", "MESHREC_CACHE"):
        monkeypatch.delenv(name, raising=False)
    home = user_folders.home_folder()
    assert home.parent == temporary and home.stat().st_mode & 0o777 == 0o700
    assert user_folders.cache_folder().is_relative_to(home) and user_folders.data_folder().is_relative_to(home)
    home.chmod(0o777)  # what others may write is neither run nor trusted
    with pytest.raises(OutputError, match="HOME"):
        user_folders.data_folder()


def test_an_error_while_a_folder_is_marked_is_told_even_if_the_folder_is_gone(tmp_path, monkeypatch):
    def fail(folder):
        folder.rmdir()
        raise ValueError("no marker")

    monkeypatch.setattr(temporary_folder, "_lock_marker", fail)
    with pytest.raises(ValueError, match="no marker"):
        TemporaryFolder(tmp_path)
    assert list(tmp_path.iterdir()) == []
