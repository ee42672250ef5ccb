"""Of an offline bundle only the files that the lock names by their hash are given to pip."""

import hashlib
import shutil

import pytest

from blender_meshrec.bridge import locks, offline_bundle
from blender_meshrec.bridge.locks import Requirement, environment_hash, read_lock
from blender_meshrec.bridge.offline_bundle import collect_wheels, find_wheels
from blender_meshrec.core.errors import InputError, ModelError


def requirement(name, version, *contents):
    hashes = [f"    --hash=sha256:{hashlib.sha256(content).hexdigest()}" for content in contents]
    return Requirement(name, version, " \\\n".join([f"{name}=={version}", *hashes]))


@pytest.fixture
def bundle(tmp_path):
    folder = tmp_path / "bundle" / "wheels"
    folder.mkdir(parents=True)
    return folder


def collected(bundle, *requirements):
    target = bundle.parent.parent / "target"
    collect_wheels(bundle, requirements, target)
    return {file.name: file.read_bytes() for file in target.iterdir()}


def test_only_listed_files_are_collected(bundle):
    files = {
        "Numpy_Core.plus-2.4.6-cp311-cp311-linux.whl": b"one",
        "numpy_core_plus-2.4.6-cp311-cp311-macos.whl": b"two",
        "numpy_core_plus-2.4.7-cp311-cp311-linux.whl": b"another version",
        "numpy_core-2.4.6-py3-none-any.whl": b"another package",
        "evil-1.0-py3-none-any.whl": b"not in the lock",
        "index.html": b'<a href="http://example.com">',
        "notes.txt": b"one",
    }
    for name, content in files.items():
        (bundle / name).write_bytes(content)
    (bundle / "numpy_core_plus-2.4.6-folder.whl").mkdir()
    wanted = requirement("numpy-core.plus", "2.4.6", b"one", b"two", b"for another system")
    assert collected(bundle, wanted) == {name: files[name] for name in list(files)[:2]}
    only_one = requirement("numpy-core.plus", "2.4.6", b"two")
    assert collected(bundle, only_one, requirement("absent", "1", b"x")) == {list(files)[1]: b"two"}  # what lay in the target is gone


def test_a_file_that_was_exchanged_is_refused(bundle):
    (bundle / "scipy-1.0-py3-none-any.whl").write_bytes(b"exchanged")
    (bundle / "av-1.0-py3-none-any.whl").write_bytes(b"sound")
    with pytest.raises(ModelError) as caught:
        collected(bundle, requirement("av", "1.0", b"sound"), requirement("scipy", "1.0", b"original"))
    assert caught.value.name == "bundle-file-hash-wrong" and caught.value.problem.values == {"name": "scipy-1.0-py3-none-any.whl"}


def test_links_are_resolved_and_copies_serve_where_links_do_not(bundle, monkeypatch):
    (bundle.parent / "store").write_bytes(b"one")
    (bundle / "av-1.0-py3-none-any.whl").symlink_to(bundle.parent / "store")
    wanted = requirement("av", "1.0", b"one")
    assert collected(bundle, wanted) == {"av-1.0-py3-none-any.whl": b"one"}
    target = bundle.parent.parent / "target" / "av-1.0-py3-none-any.whl"
    assert not target.is_symlink() and target.stat().st_ino == (bundle.parent / "store").stat().st_ino

    def no_links(*_paths):
        raise OSError("another disk")

    monkeypatch.setattr(offline_bundle.os, "link", no_links)
    assert collected(bundle, wanted) == {"av-1.0-py3-none-any.whl": b"one"}
    assert target.stat().st_ino != (bundle.parent / "store").stat().st_ino


def test_the_folder_of_wheels_is_found_in_a_bundle_or_is_it(tmp_path, monkeypatch, bundle):
    assert find_wheels(None) is None
    with pytest.raises(InputError) as caught:
        find_wheels(bundle.parent)
    assert caught.value.name == "offline-bundle-empty" and caught.value.problem.values == {"path": str(bundle.parent)}
    (bundle / "a-1-py3-none-any.whl").touch()
    assert find_wheels(bundle.parent) == find_wheels(str(bundle)) == bundle.resolve()
    (bundle.parent / "b-1-py3-none-any.whl").touch()
    assert find_wheels(bundle.parent) == bundle.resolve()  # the folder of a bundle comes first
    monkeypatch.chdir(tmp_path)
    assert find_wheels("bundle") == bundle.resolve()


# --- locks ---

LOCK = """# made by a script
# in two lines
torch==2.13.0+cpu ; sys_platform == 'linux' \\
    --hash=sha256:{a} \\
    --hash=sha256:{b}
NumPy==2.4.6 \\
    --hash=sha256:{a}
nvidia-cublas==13.1
""".format(a="a" * 64, b="0123456789abcdef" * 4)


@pytest.fixture
def folder(tmp_path):
    shutil.copytree(locks.locks_folder(), tmp_path / "locks")
    return tmp_path / "locks"


def test_a_lock_gives_names_versions_hashes_and_sizes(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text(LOCK)
    torch, numpy, cublas = read_lock(path)
    assert (torch.name, torch.version, torch.hashes) == ("torch", "2.13.0+cpu", {"a" * 64, "0123456789abcdef" * 4})
    assert (numpy.key, numpy.hashes, cublas.hashes) == ("numpy==2.4.6", {"a" * 64}, set())
    assert torch.megabytes < Requirement("torch", "2.13.0", "").megabytes and numpy.megabytes < torch.megabytes
    assert Requirement("other", "1", "").megabytes == 1
    assert torch.installed_megabytes / torch.megabytes > 3 > cublas.installed_megabytes / cublas.megabytes >= 2
    assert "".join(one.entry for one in (torch, numpy, cublas)).count("--hash") == 3
    path.write_text("numpy>=2\n")
    with pytest.raises(ValueError, match="numpy>=2"):
        read_lock(path)
    path.write_text("# nothing\n")
    assert read_lock(path) == []


def test_the_sizes_are_of_packages_that_the_locks_list(folder):
    """A size under another spelling than the locks' would not count; the download of each lock is about as large as it is."""
    listed = {name: read_lock(folder / name) for name in (locks.BACKEND_LOCK, locks.TORCH_LOCK, locks.TORCH_CPU_LOCK)}
    sized = {f"{one.name}+cpu" if one.version.endswith("+cpu") else one.name for found in listed.values() for one in found}
    assert set(locks._WHEEL_MEGABYTES) <= sized
    megabytes = {name: sum(one.megabytes for one in found) for name, found in listed.items()}
    assert 300 < megabytes[locks.BACKEND_LOCK] < 400, megabytes
    installed = sum(one.installed_megabytes for one in listed[locks.TORCH_LOCK])
    assert installed == pytest.approx(2.0 * sum(one.megabytes for one in listed[locks.TORCH_LOCK]), rel=0.5), megabytes


def test_an_environment_is_another_one_when_any_input_is_another(folder):
    first = environment_hash(folder, "cuda", (3, 11))
    assert len(first) == 8 and first == environment_hash(str(folder), "cuda", (3, 11, 9))
    others = {
        first,
        environment_hash(folder, "cuda", (3, 12)),
        environment_hash(folder, "cuda", (4, 11)),
        environment_hash(folder, "cpu", (3, 11)),
    }
    for name in (locks.INSTALLER_LOCK, locks.BACKEND_LOCK, locks.TORCH_LOCK):
        content = (folder / name).read_text()
        (folder / name).write_text(f"{content}#\n")
        others.add(environment_hash(folder, "cuda", (3, 11)))
        (folder / name).write_text(content)
    assert len(others) == 7
    (folder / locks.TORCH_CPU_LOCK).write_text("")
    assert environment_hash(folder, "cuda", (3, 11)) == first  # the CPU's packages are not its own
    assert environment_hash(folder, "cpu", (3, 11)) not in others
    assert locks.torch_locks("cpu") == ("torch-cpu.txt", "torch.txt") and locks.torch_locks("cuda") == ("torch.txt",)


def test_locks_are_found_in_the_package_and_beside_it(monkeypatch, tmp_path, folder):
    package = tmp_path / "package"
    package.mkdir()
    monkeypatch.setattr(locks, "PACKAGE_FOLDER", package)
    assert locks.locks_folder() == folder
    shutil.copytree(folder, package / "locks")
    assert locks.locks_folder() == package / "locks"
    for where in (package / "locks", folder):
        (where / locks.BACKEND_LOCK).unlink()
    with pytest.raises(ModelError) as caught:
        locks.locks_folder()
    assert caught.value.name == "package-list-missing"
