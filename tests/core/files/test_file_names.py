"""Outputs on Windows: names that it takes for something else, long paths, and files that other programs have open."""

import errno
import os
import stat
from pathlib import Path
from types import SimpleNamespace

import pytest

from blender_meshrec.core.errors import InputError, OutputError
from blender_meshrec.core.files import file_names, output_file, temporary_folder
from blender_meshrec.core.files.file_names import check_file_name, is_refused_by_windows
from blender_meshrec.core.files.input_file import refuse_special_file
from blender_meshrec.core.files.output_file import atomic_write, check_writable


@pytest.fixture
def windows(monkeypatch):
    """Windows, as far as these modules look at sys.platform."""
    monkeypatch.setattr(file_names.sys, "platform", "win32")
    monkeypatch.setattr(file_names, "long_paths_enabled", lambda: True)


REFUSED = ["con", "con.npz", "CON.tar.npz", "nul .fbx", "Aux", "com1.glb", "lpt9", "com¹.npz", "CONIN$"]
REFUSED += ["a" * 256, "shot:b.npz", "a?.npz", "a|b", "a.", "a ", 'a"b', "a\tb"]


@pytest.mark.parametrize("name", REFUSED)
def test_names_that_windows_takes_for_something_else_are_refused(tmp_path, windows, name):
    assert is_refused_by_windows(name)
    for path in (tmp_path / name, tmp_path / name / "walk.npz"):
        with pytest.raises(OutputError, match="Windows does not allow the name"):
            check_writable(path)
        with pytest.raises(OutputError, match="Windows does not allow the name"), atomic_write(path):
            pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["walk.npz", "content.npz", "console.fbx", "com.npz", "com10.npz", "nullable", "Lauf ä.npz", ".hidden", "a..b"]
)
def test_other_names_are_allowed(tmp_path, windows, name):
    check_file_name(tmp_path / ".." / name)


def test_names_of_windows_are_names_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setattr(file_names.sys, "platform", "linux")
    check_file_name(tmp_path / "con.npz")


@pytest.mark.parametrize("name", ["con", "CON.npz", "nul.bvh", "com1.mp4"])
def test_devices_of_windows_are_no_inputs(tmp_path, windows, name):
    with pytest.raises(InputError, match="a device"):
        refuse_special_file(tmp_path / name)
    refuse_special_file(tmp_path / f"a{name}")


def test_long_paths_are_refused_where_they_are_turned_off(windows, monkeypatch):
    monkeypatch.setattr(file_names, "long_paths_enabled", lambda: False)
    folder = os.path.abspath(os.sep)
    fitting = Path(folder, "a" * (file_names.MAX_WINDOWS_PATH - len(folder) - len("/.meshrec-12345678")))
    check_file_name(fitting)
    with pytest.raises(OutputError, match="is 1 characters longer than Windows allows"):
        check_file_name(Path(f"{fitting}b"))
    monkeypatch.setattr(file_names, "long_paths_enabled", lambda: True)
    check_file_name(Path(f"{fitting}b"))


def test_a_file_in_place_of_a_folder_is_named_whatever_the_system_says(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")

    def refuse(*_arguments, **_options):
        raise FileNotFoundError(errno.ENOENT, "The system cannot find the path specified")

    monkeypatch.setattr(output_file.tempfile, "TemporaryFile", refuse)
    monkeypatch.setattr(output_file.Path, "mkdir", refuse)
    with pytest.raises(OutputError, match="file is not a folder"):
        check_writable(tmp_path / "file" / "walk.npz")
    with pytest.raises(OutputError, match="file is not a folder"), atomic_write(tmp_path / "file" / "walk.npz"):
        pass


def test_a_file_that_another_program_has_open_is_named(tmp_path, windows, monkeypatch):
    path = tmp_path / "walk.npz"
    path.write_text("old")
    monkeypatch.setattr(output_file, "_REPLACE_SECONDS", 0.1)

    def refuse(source, target):
        raise PermissionError(errno.EACCES, "Access is denied", str(source), 5, str(target))

    monkeypatch.setattr(output_file.os, "replace", refuse)
    with pytest.raises(OutputError, match="Another program has"):
        check_writable(path)
    with pytest.raises(OutputError, match="Another program has"), atomic_write(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["walk.npz"]


def test_a_file_that_is_held_for_a_moment_is_replaced(tmp_path, windows, monkeypatch):
    replace, refusals = os.replace, []

    def refuse_twice(source, target):
        if len(refusals) < 2:
            refusals.append(source)
            raise PermissionError(errno.EACCES, "Access is denied", str(source), 5, str(target))
        replace(source, target)

    monkeypatch.setattr(output_file.os, "replace", refuse_twice)
    with atomic_write(tmp_path / "walk.npz") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "walk.npz").read_text() == "new" and len(refusals) == 2


def test_a_write_protected_file_is_named_before_the_work(tmp_path, windows, monkeypatch):
    path = tmp_path / "walk.npz"
    path.write_text("old")
    monkeypatch.setattr(output_file.os, "access", lambda *_: False)  # root may write everything
    with pytest.raises(OutputError, match="is write-protected"):
        check_writable(path)
    assert path.read_text() == "old"


def test_files_get_the_permissions_of_their_folder(tmp_path, windows, monkeypatch):
    """mkdtemp of Windows makes folders for one user, and what is made there keeps that."""
    made = []
    monkeypatch.setattr(temporary_folder.tempfile, "mkdtemp", lambda **options: pytest.fail("a folder for one user"))
    with atomic_write(tmp_path / "walk.npz") as temporary:
        made.append(stat.S_IMODE(temporary.parent.stat().st_mode))
        temporary.write_text("new")
    assert os.name == "nt" or made[0] & 0o055 == 0o055 & ~_umask()


def _umask():
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


@pytest.mark.parametrize("answer, is_enabled", [(1, True), (0x1201, True), (0, False), (0x1200, False)])
def test_windows_is_asked_whether_paths_may_be_long(monkeypatch, answer, is_enabled):
    """The answer is one byte; what the others of the register hold means nothing."""
    library = SimpleNamespace(RtlAreLongPathsEnabled=lambda: answer)
    monkeypatch.setattr(file_names.sys, "platform", "win32")
    monkeypatch.setattr(file_names.ctypes, "WinDLL", lambda name: {"ntdll": library}[name], raising=False)
    assert file_names.long_paths_enabled() is is_enabled


def test_paths_may_be_long_where_it_cannot_be_asked(monkeypatch):
    def missing(_name):
        raise OSError("no such library")

    monkeypatch.setattr(file_names.ctypes, "WinDLL", lambda name: SimpleNamespace(), raising=False)
    monkeypatch.setattr(file_names.sys, "platform", "win32")
    assert file_names.long_paths_enabled() is True  # Windows before 10 lacks the function
    monkeypatch.setattr(file_names.ctypes, "WinDLL", missing)
    assert file_names.long_paths_enabled() is True
    monkeypatch.setattr(file_names.sys, "platform", "linux")
    monkeypatch.setattr(file_names.ctypes, "WinDLL", None)
    assert file_names.long_paths_enabled() is True


@pytest.mark.parametrize("path, is_device", [("CON", True), ("C:\\shots\\nul.npz", True), ("con/walk.npz", False), ("walk.npz", False)])
def test_a_device_of_windows_is_told_by_the_last_part_of_a_path(monkeypatch, path, is_device):
    for platform, expected in (("win32", is_device), ("linux", False)):
        monkeypatch.setattr(file_names.sys, "platform", platform)
        assert file_names.is_windows_device(path) is file_names.is_windows_device(Path(path)) is expected


def test_a_file_that_cannot_be_replaced_is_open_or_protected(tmp_path, windows, monkeypatch):
    path = tmp_path / "a.npz"
    path.write_text("old")
    error = PermissionError(errno.EACCES, "denied", str(tmp_path / "b"), None, str(path))
    found = output_file._output_error(path, error)
    assert found.name == "output-in-use" and found.problem.values == {"path": str(path)}
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert output_file._output_error(path, error).name == "output-write-protected"
    assert output_file._output_error(tmp_path / "absent", error).name == "output-in-use"
    monkeypatch.setattr(file_names.sys, "platform", "linux")
    assert output_file._output_error(tmp_path / "absent", error).name == "output-folder-not-writable"


def test_folders_of_ended_processes_are_removed_on_windows_without_locks(tmp_path, windows, monkeypatch):
    """There an open file cannot be deleted: a marker that can is of a process that has ended."""
    monkeypatch.setattr(temporary_folder, "fcntl", None, raising=False)
    leftover, unmarked = tmp_path / ".meshrec-old", tmp_path / ".meshrec-unmarked"
    leftover.mkdir()
    (leftover / ".in-use").touch()
    (leftover / "half").write_text("half")
    unmarked.mkdir()
    with temporary_folder.TemporaryFolder(tmp_path) as folder:
        assert not leftover.exists() and unmarked.exists()
        assert (folder.path / ".in-use").is_file() and os.path.samestat(os.fstat(folder._marker), (folder.path / ".in-use").stat())
    assert not folder.path.exists() and folder._marker is None

    def in_use(path, **_options):
        raise PermissionError(path)

    leftover.mkdir()
    (leftover / ".in-use").touch()
    monkeypatch.setattr(Path, "unlink", in_use)
    with temporary_folder.TemporaryFolder(tmp_path):
        assert leftover.exists()
