"""The extension's zip, validated by every Blender, and the bundle for computers without a network."""

import argparse
import hashlib
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
import zipfile
from pathlib import Path

from scripts import ROOT
from scripts.chores.environments import BLENDER_PYTHONS, LOCKS, blender_environment, find_python, setup, venv_python
from scripts.chores.shell import print_line, run

BACKEND_LOCKS = ("installer.txt", "torch.txt", "torch-cpu.txt", "backend.txt")  # the locks that the add-on installs its backend from
OFFLINE_README = """MeshRec without a network
=========================

For {system}, Python {python}, device {device}. The computer needs Python {python}; nothing is downloaded.

1. Blender: Edit > Preferences > Get Extensions, the arrow in the corner, Install from Disk, choose {extension}.
2. Preferences > Add-ons > MeshRec: choose this folder as Offline Bundle, the device {device}, and click Install Backend.

From a terminal: blender --command extension install-file -r user_default -e {extension}
                 blender --command meshrec setup --offline THIS_FOLDER --device {device}

Every package is checked against the list of sha256 sums in the extension before it is installed.
"""


def package(arguments: argparse.Namespace) -> int:
    """Build the add-on's zip with its models, validate it by every Blender, and make the offline bundle if requested."""
    setup(tools=True, best_model=True)  # the tools compile the translations
    version = project_version()
    target = ROOT / "dist" / f"blender_meshrec-{version}.zip"
    target.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        stage = Path(scratch) / "blender_meshrec"
        shutil.copytree(ROOT / "blender_meshrec", stage, ignore=shutil.ignore_patterns("__pycache__", "*.pyc", "*.po"))
        shutil.copytree(ROOT / "addon_models", stage / "addon_models", ignore=shutil.ignore_patterns("__pycache__"))
        (stage / "locks").mkdir()
        for name in BACKEND_LOCKS:
            shutil.copy(LOCKS / name, stage / "locks")
        shutil.copy(ROOT / "LICENSE", stage)
        manifest = stage / "blender_manifest.toml"
        if tomllib.loads(manifest.read_text())["version"] != version:
            sys.exit(f"blender_manifest.toml and pyproject.toml disagree about the version ({version}).")
        checkers = blender_checkers()
        if not checkers:
            sys.exit("No Blender was found to check the extension with. Run `python3 build.py test` once: it installs them.")
        contents: set[frozenset[tuple[str, int]]] = set()
        built = target
        for name, python, checker in checkers:
            print_line(f"Validating and building with Blender {name}")
            built = Path(scratch) / f"{name}.zip"
            run([python, checker, "validate", stage])
            run([python, checker, "build", "--source-dir", stage, "--output-filepath", built])
            contents.add(frozenset(zip_checksums(built).items()))
        if len(contents) > 1:
            sys.exit("Different Blenders build different zips of the same sources.")
        shutil.move(built, target)
        for _name, python, checker in checkers:
            run([python, checker, "validate", target])
    print_line(f"{target.relative_to(ROOT)}: {len(zip_checksums(target))} files, {target.stat().st_size / 1e6:.1f} MB")
    if arguments.offline:
        offline_bundle(target, arguments.device, arguments.python)
    return 0


def zip_checksums(path: Path) -> dict[str, int]:
    """The checksums of a zip's files by name."""
    with zipfile.ZipFile(path) as archive:
        return {entry.filename: entry.CRC for entry in archive.infolist() if not entry.is_dir()}


def offline_bundle(extension: Path, device: str, python_version: str) -> None:
    """Make a folder beside the zip with all packages of the backend for this system, and a README. Existing packages are not downloaded."""
    from blender_meshrec.bridge.interpreters import choose_device
    from blender_meshrec.bridge.locks import read_lock, torch_locks

    device = choose_device(device).kind
    system = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    folder = extension.with_name(f"{extension.stem}-offline-{system}-py{python_version.replace('.', '')}-{device}")
    wheels = folder / "wheels"
    wheels.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        pip = Path(scratch) / "pip"
        run([find_python(python_version), "-m", "venv", pip])
        wanted = set().union(*(entry.hashes for name in BACKEND_LOCKS for entry in read_lock(LOCKS / name)))
        have = {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in wheels.glob("*.whl")}
        for digest in have.keys() - wanted:  # of another version, or incomplete
            have.pop(digest).unlink()

        def download(name: str) -> bool:
            """Download the missing packages of a lock; returns whether that succeeded."""
            missing = [entry for entry in read_lock(LOCKS / name) if not entry.hashes & have.keys()]
            source = Path(scratch) / name
            source.write_text("".join(f"{entry.entry}\n" for entry in missing))
            options = ["--require-hashes", "--no-deps", "--only-binary", ":all:", "--no-cache-dir", "-q", "-d", wheels, "-r", source]
            command = [venv_python(pip), "-m", "pip", "download", *options]
            return not missing or subprocess.run([str(part) for part in command], cwd=ROOT).returncode == 0

        for name in ("installer.txt", "backend.txt"):
            print_line(f"Downloading {name}")
            if not download(name):
                sys.exit(f"The packages of {name} could not be downloaded.")
        print_line("Downloading torch")
        if not any(download(name) for name in torch_locks(device)):
            sys.exit("torch could not be downloaded.")
    shutil.copy(extension, folder)
    (folder / "README.txt").write_text(OFFLINE_README.format(extension=extension.name, python=python_version, system=system, device=device))
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print_line(f"{folder.relative_to(ROOT)}: {len(list(wheels.glob('*.whl')))} packages, {size / 1e6:.0f} MB")


def blender_checkers() -> list[tuple[str, Path, Path]]:
    """The version, Python and blender_ext.py of every installed Blender module."""
    found: list[tuple[str, Path, Path]] = []
    for version in BLENDER_PYTHONS:
        for checker in blender_environment(version).glob("lib/python*/site-packages/bpy/*/scripts/addons_core/bl_pkg/cli/blender_ext.py"):
            found.append((version, venv_python(blender_environment(version)), checker))
    return found


def project_version() -> str:
    """The version in pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
