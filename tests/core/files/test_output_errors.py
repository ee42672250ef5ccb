"""Writing an output: every failure has its own sentence, nothing stays open or behind, and only leftovers of ours are removed."""

import errno
import os
import stat
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from blender_meshrec.core.errors import ExitCode, OutputError
from blender_meshrec.core.files import output_file, temporary_folder
from blender_meshrec.core.files.output_file import atomic_write, check_writable
from blender_meshrec.core.files.temporary_folder import TemporaryFolder, find_temporary_folder, scratch_folder, temporary_folder_error

pytestmark = pytest.mark.skipif(os.name == "nt", reason="descriptors, locks and modes of POSIX")
DAY = 24 * 3600  # s
REASONS = {
    errno.ENOSPC: "output-disk-full",
    errno.EDQUOT: "output-disk-full",
    errno.EACCES: "output-folder-not-writable",
    errno.EPERM: "output-folder-not-writable",
    errno.EROFS: "output-folder-not-writable",
    errno.ENOTDIR: "output-parent-not-folder",
    errno.EIO: "output-not-written",
    errno.ENAMETOOLONG: "output-not-written",
}


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """The system's folder for temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(temporary_folder.tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def no_leak():
    """No descriptor is open after the test that was not open before."""
    before = set(os.listdir("/proc/self/fd")) if sys.platform == "linux" else set()
    yield
    assert sys.platform != "linux" or set(os.listdir("/proc/self/fd")) == before


def failing(code, *arguments):
    def fail(*_arguments, **_options):
        raise OSError(code, os.strerror(code), *arguments)

    return fail


@pytest.mark.parametrize("code", REASONS)
def test_each_reason_has_its_own_error(tmp_path, monkeypatch, temporary, no_leak, code):
    path = tmp_path / "folder" / "a.npz"
    with pytest.raises(OutputError) as raised, atomic_write(path):
        failing(code)()
    monkeypatch.setattr(output_file, "TemporaryFolder", failing(code))
    with pytest.raises(OutputError) as refused, atomic_write(path):
        pass
    monkeypatch.setattr(output_file.tempfile, "TemporaryFile", failing(code))
    with pytest.raises(OutputError) as checked:
        check_writable(path)
    for caught in (raised, refused, checked):
        assert caught.value.name == REASONS[code] and caught.value.exit_code == ExitCode.OUTPUT_FAILED == 5
        assert isinstance(caught.value.__cause__, OSError)
        values = caught.value.problem.values
        expected = {"output-disk-full": {"name": "a.npz"}, "output-not-written": {"name": path, "reason": os.strerror(code)}}
        assert {key: str(value) for key, value in values.items()} == {
            key: str(value) for key, value in expected.get(REASONS[code], {"path": path.parent}).items()
        }
    assert os.listdir(path.parent) == []


def test_an_error_without_a_reason_is_quoted(tmp_path):
    with pytest.raises(OutputError, match="no such codec"), atomic_write(tmp_path / "a.npz"):
        raise OSError("no such codec")


def test_a_write_leaves_no_descriptor_and_makes_its_folders(tmp_path, no_leak):
    path = tmp_path / "new" / "folders" / "a.npz"
    check_writable(path)
    assert os.listdir(tmp_path) == []
    for text in ("first", "second"):
        with atomic_write(path) as file:
            assert file.name == path.name and file.parent.parent == path.parent and file.parent.name.startswith(".meshrec-")
            file.write_text(text)
        assert path.read_text() == text and os.listdir(path.parent) == ["a.npz"]
    with pytest.raises(ValueError, match="of the caller"), atomic_write(path) as file:
        file.write_text("third")
        raise ValueError("of the caller")
    assert path.read_text() == "second" and os.listdir(path.parent) == ["a.npz"]


def test_nothing_written_is_an_error_and_the_old_file_stays(tmp_path, no_leak):
    path = tmp_path / "a.npz"
    path.write_text("old")
    with pytest.raises(OutputError) as caught, atomic_write(path):
        pass
    assert caught.value.name == "output-not-written" and path.read_text() == "old" and os.listdir(tmp_path) == ["a.npz"]


@pytest.mark.parametrize("code, is_tolerated", [(errno.EINVAL, True), (errno.ENOTSUP, True), (errno.EIO, False), (errno.ENOSPC, False)])
def test_only_disks_that_cannot_be_told_to_flush_are_forgiven(tmp_path, monkeypatch, temporary, no_leak, code, is_tolerated):
    path = tmp_path / "out" / "a.npz"
    monkeypatch.setattr(output_file.os, "fsync", failing(code))
    if is_tolerated:
        with atomic_write(path) as file:
            file.write_text("new")
        assert path.read_text() == "new"
        return
    with pytest.raises(OutputError), atomic_write(path) as file:
        file.write_text("new")
    assert os.listdir(path.parent) == []


def test_a_folder_in_the_place_of_an_output_is_refused(tmp_path, no_leak):
    (tmp_path / "a.npz").mkdir()
    for write in (check_writable, lambda path: atomic_write(path).__enter__()):
        with pytest.raises(OutputError) as caught:
            write(tmp_path / "a.npz")
        assert caught.value.name == "output-is-folder"
    (tmp_path / "file").touch()
    for write in (check_writable, lambda path: atomic_write(path).__enter__()):
        with pytest.raises(OutputError) as caught:
            write(tmp_path / "file" / "a.npz")
        assert caught.value.name in ("output-parent-not-folder", "output-not-written")


def test_the_check_writes_something_in_the_nearest_folder_that_exists(tmp_path, monkeypatch):
    written = []

    class Spy:
        def __init__(self, **options):
            written.append(options)

        def __enter__(self):
            return SimpleNamespace(write=written.append)

        def __exit__(self, *_error):
            written.append("closed")

    monkeypatch.setattr(output_file.tempfile, "TemporaryFile", Spy)
    check_writable(tmp_path / "new" / "folders" / "a.npz")
    assert written[0]["dir"] == tmp_path and written[0]["prefix"].startswith(".meshrec-")
    assert len(written[1]) >= 4096 and written[2] == "closed"


# --- temporary folders ---


def age(folder, seconds):
    os.utime(folder, (time.time() - seconds,) * 2)


@pytest.mark.parametrize("prefix", [temporary_folder.OUTPUT_PREFIX, temporary_folder.SCRATCH_PREFIX])
def test_a_folder_is_private_locked_and_removed_once(tmp_path, no_leak, prefix):
    folder = TemporaryFolder(tmp_path, prefix)
    assert folder.path.parent == tmp_path and folder.path.name.startswith(prefix)
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    markers = list(folder.path.iterdir())
    assert len(markers) == 1 and stat.S_IMODE(markers[0].stat().st_mode) == 0o600
    with TemporaryFolder(tmp_path, prefix) as other:
        assert folder.path.exists() and other.path.exists()
        (other.path / "file").touch()
    assert folder.path.exists() and not other.path.exists()
    folder.remove()
    folder.remove()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["output", "scratch"])
@pytest.mark.parametrize(
    "seconds, marker, is_removed",
    [
        (0, "free", (True, True)),
        (0, "locked", (False, False)),
        (3 * DAY, "locked", (False, False)),
        (0, None, (False, False)),
        (DAY - 600, None, (False, False)),
        (DAY + 600, None, (True, False)),
        (DAY + 600, "link", (True, False)),
        (0, "link", (False, False)),
        (0, "folder", (False, False)),
    ],
)
def test_only_leftovers_of_ours_are_removed(tmp_path, no_leak, name, seconds, marker, is_removed):
    prefix = {"output": temporary_folder.OUTPUT_PREFIX, "scratch": temporary_folder.SCRATCH_PREFIX}[name]
    outside = tmp_path / "outside"
    outside.touch()
    running = TemporaryFolder(tmp_path, prefix) if marker == "locked" else None
    folder = running.path if running else tmp_path / f"{prefix}left"
    if not running:
        folder.mkdir()
    path = folder / ".in-use"
    if marker == "free":
        path.touch()
    elif marker == "link":
        path.symlink_to(outside)
    elif marker == "folder":
        path.mkdir()
    age(folder, seconds)
    with TemporaryFolder(tmp_path, prefix):
        assert folder.exists() != is_removed[name == "scratch"]
    assert outside.exists()
    if running:
        running.remove()


def test_folders_of_other_users_and_other_names_stay(tmp_path, monkeypatch, no_leak):
    for name in (".meshrec-left", "meshrec-left", "mine", ".meshrec"):
        (tmp_path / name).mkdir()
        (tmp_path / name / ".in-use").touch()
    mine = os.getuid()
    monkeypatch.setattr(temporary_folder.os, "getuid", lambda: mine + 1)
    with TemporaryFolder(tmp_path):
        assert (tmp_path / ".meshrec-left").exists()
    monkeypatch.undo()
    with TemporaryFolder(tmp_path):
        assert not (tmp_path / ".meshrec-left").exists()
    assert sorted(os.listdir(tmp_path)) == [".meshrec", "meshrec-left", "mine"]


def test_a_disk_without_locks_is_written_all_the_same(tmp_path, monkeypatch, no_leak):
    monkeypatch.setattr(temporary_folder.fcntl, "flock", failing(errno.ENOLCK))
    with TemporaryFolder(tmp_path) as folder:
        assert os.listdir(folder.path) == []
        with TemporaryFolder(tmp_path):
            assert folder.path.exists()
    assert os.listdir(tmp_path) == []


def test_a_folder_that_cannot_be_marked_is_removed(tmp_path, monkeypatch, no_leak):
    monkeypatch.setattr(temporary_folder, "_lock_marker", failing(errno.ENOSPC))
    with pytest.raises(OSError):
        TemporaryFolder(tmp_path)
    assert os.listdir(tmp_path) == []


def test_a_folder_that_cannot_be_searched_is_tried(tmp_path, monkeypatch):
    monkeypatch.setattr(temporary_folder.os, "scandir", failing(errno.EACCES))
    with TemporaryFolder(tmp_path) as folder:
        assert folder.path.exists()


def test_scratch_folders_lie_among_temporary_files(temporary, no_leak):
    with scratch_folder() as folder:
        assert folder.parent == temporary.resolve() == find_temporary_folder() and folder.name.startswith("meshrec-")
        (folder / "a").touch()
    assert os.listdir(temporary) == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.ENOENT])
def test_a_folder_for_temporary_files_that_fails_is_named(temporary, monkeypatch, code):
    is_full = code in (errno.ENOSPC, errno.EDQUOT)
    monkeypatch.setattr(temporary_folder, "TemporaryFolder", failing(code))
    with pytest.raises(OutputError) as caught, scratch_folder():
        pass
    assert caught.value.name == ("temporary-folder-full" if is_full else "temporary-folder-unusable")
    assert str(temporary if is_full else os.strerror(code)) in caught.value.problem and "TMPDIR" in caught.value.remedy
    assert "odd" in temporary_folder_error(OSError("odd")).problem


FREE = {"little": temporary_folder._LITTLE_SPACE // 2, "much": 10 * temporary_folder._LITTLE_SPACE, "none": 0}


@pytest.mark.parametrize(
    "temporary_free, output_free, is_same_disk, is_blamed",
    [
        ("none", "much", False, True),
        ("little", "much", False, True),
        ("much", "much", False, False),
        ("none", "none", False, False),
        ("much", "none", False, False),
        ("little", "little", False, False),
        ("none", "much", True, False),
    ],
)
def test_the_fuller_of_two_disks_is_blamed(monkeypatch, temporary, tmp_path, temporary_free, output_free, is_same_disk, is_blamed):
    """An error that names no file: free space tells which disk is full."""
    free = {temporary.resolve(): FREE[temporary_free], tmp_path.resolve(): FREE[output_free]}
    monkeypatch.setattr(temporary_folder.shutil, "disk_usage", lambda path: SimpleNamespace(free=free[Path(path)]))
    if not is_same_disk:
        look = Path.stat
        disks = {temporary.resolve(): 1, tmp_path.resolve(): 2}
        monkeypatch.setattr(Path, "stat", lambda path, **options: SimpleNamespace(st_dev=disks[path]) if path in disks else look(path))
    full = OSError(errno.ENOSPC, "No space left on device")
    assert temporary_folder.is_temporary_folder_full(tmp_path / "a.npz", full) == is_blamed
    assert not temporary_folder.is_temporary_folder_full(tmp_path / "a.npz", OSError(errno.EIO, "other"))


def test_files_that_are_named_tell_the_disk(temporary, tmp_path):
    def is_full(output, *files):
        return temporary_folder.is_temporary_folder_full(Path(output), OSError(errno.EDQUOT, "full", *files))

    image, output = str(temporary / "image.png"), tmp_path / "a.glb"
    assert is_full(output, image) and is_full(output, image, None, str(temporary / "copy.png"))
    assert not is_full(output, str(output)) and not is_full(output, image, None, str(output))
    # An output among the temporary files is not one of them.
    inside = temporary / "results" / "a.glb"
    inside.parent.mkdir()
    assert not is_full(inside, str(inside)) and is_full(inside, image)
    # What lies in a scratch folder is one of them, whatever the error names.
    with scratch_folder() as folder:
        (folder / "deeper").mkdir()
        assert is_full(folder / "a.glb") and is_full(folder / "deeper" / "a.glb", str(output))


def test_a_disk_that_cannot_be_looked_at_is_not_blamed(monkeypatch, temporary, tmp_path):
    monkeypatch.setattr(temporary_folder.shutil, "disk_usage", failing(errno.EIO))
    monkeypatch.setattr(temporary_folder.tempfile, "gettempdir", failing(errno.ENOENT))
    assert not temporary_folder.is_temporary_folder_full(tmp_path / "a.npz", OSError(errno.ENOSPC, "full"))
    assert tempfile.tempdir == str(temporary)
