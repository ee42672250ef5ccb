#!/usr/bin/env python3
"""Set-up and every chore of the project; needs nothing but a Python 3.11 or later.

python3 build.py setup              make the environments from hash-pinned locks and prepare addon_models/
python3 build.py demo [INPUT] [-o]  reconstruct the bundled clip, or INPUT: .blend, .fbx, .npz, a picture, a video
python3 build.py test [ARGS]        lint, import rules and all tests; ARGS go to pytest
python3 build.py package            the extension zip in dist/, validated
python3 build.py package --offline  and a folder with all the backend's packages, for computers without a network
python3 build.py bench              the benchmark table, and out/bench.json
python3 build.py lock               resolve pyproject.toml into locks/*.txt anew
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent
LOCKS = ROOT / "locks"
BACKEND_VENV = ROOT / ".venv"
BLENDER_PYTHONS = {"4.2": "3.11", "4.5": "3.11", "5.0": "3.11", "5.2": "3.13"}
NO_WINDOW_EXIT_CODE = 3  # the exit code of scripts/prepare_window_blender.py where there can be no window
SCENE_BLENDER = "4.5"  # the Blender module that demo and the command line make scenes with
BLENDER_TESTS = ("tests/scene", "tests/ui")
WINDOW_TESTS = "tests/window"
BACKEND_LOCKS = ("installer.txt", "torch.txt", "torch-cpu.txt", "backend.txt")  # what the add-on installs its backend from
OFFLINE_README = """MeshRec without a network
=========================

For {system}, Python {python}, device {device}. The computer needs Python {python}; nothing is downloaded.

1. Blender: Edit > Preferences > Get Extensions, the arrow in the corner, Install from Disk, choose {extension}.
2. Preferences > Add-ons > MeshRec: choose this folder as Offline Bundle, the device {device}, and click Install Backend.

From a terminal: blender --command extension install-file -r user_default -e {extension}
                 blender --command meshrec setup --offline THIS_FOLDER --device {device}

Every package is checked against the list of sha256 sums in the extension before it is installed.
"""
UV = "uv==0.13.8"
PIP = "pip==26.3"  # what the add-on installs its backend with: it goes on with a download that broke off


def main():
    parser = argparse.ArgumentParser(prog="build.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    chores = parser.add_subparsers(dest="chore", required=True)
    chores.add_parser("setup").set_defaults(run=lambda _: setup())
    demo_parser = chores.add_parser("demo")
    demo_parser.add_argument("input", nargs="?", default=str(ROOT / "scripts" / "demo_clip.mp4"))
    demo_parser.add_argument("-o", "--output", default=str(ROOT / "out"))
    demo_parser.set_defaults(run=demo)
    chores.add_parser("test", add_help=False).set_defaults(run=test)
    package_parser = chores.add_parser("package")
    package_parser.add_argument("--offline", action="store_true", help="make the offline bundle, too, for this system")
    package_parser.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto", help="what the bundle is for")
    package_parser.add_argument("--python", default="3.11", metavar="VERSION", help="the Python that the bundle is for (3.11)")
    package_parser.set_defaults(run=package)
    chores.add_parser("bench").set_defaults(run=lambda _: bench())
    chores.add_parser("lock").set_defaults(run=lambda _: lock())
    arguments, rest = parser.parse_known_args()
    if rest and arguments.chore != "test":
        parser.error(f"unknown arguments: {' '.join(rest)}")
    arguments.rest = rest
    return arguments.run(arguments)


# --- set-up ---------------------------------------------------------------------------------------------------------


def setup(blenders=(SCENE_BLENDER,), tools=False):
    """Make what is missing or out of date; a stamp in each environment remembers the locks it was made from."""
    locks = [LOCKS / "torch.txt", LOCKS / "backend.txt"] + ([LOCKS / "tools.txt"] if tools else [])
    if update_environment(BACKEND_VENV, "3.11", locks, keep_superset=True):
        link_package(BACKEND_VENV)
    for version in blenders:
        update_environment(blender_environment(version), BLENDER_PYTHONS[version], [LOCKS / f"bpy-{version}.txt"])
    run([venv_python(BACKEND_VENV), "-m", "scripts.assets.pose_bundle", ROOT / "addon_models" / "pose_landmarker.task"])
    if "tools.txt" in (BACKEND_VENV / "locks.stamp").read_text():
        run([venv_python(BACKEND_VENV), "-m", "scripts.translations"])  # without the tools, the panel speaks English
    return 0


def update_environment(folder, version, locks, keep_superset=False):
    """Bring a virtual environment to what the locks say; True when anything had to be done."""
    wanted = {lock.name: hashlib.sha256(lock.read_bytes()).hexdigest() for lock in locks}
    stamp = folder / "locks.stamp"
    have = dict(line.split() for line in stamp.read_text().splitlines()) if stamp.exists() else {}
    if all(have.get(name) == digest for name, digest in wanted.items()) and (keep_superset or have.keys() == wanted.keys()):
        return False
    stale = any(name in have and have[name] != digest for name, digest in wanted.items()) or (folder.exists() and not have)
    if stale:
        shutil.rmtree(folder)
        have = {}
    if not folder.exists():
        print_line(f"Making {folder.relative_to(ROOT)} with Python {version}")
        run([find_python(version), "-m", "venv", folder])
    for lock in locks:
        if have.get(lock.name) != wanted[lock.name]:
            install_lock(folder, lock)
    stamp.write_text("".join(f"{name} {digest}\n" for name, digest in {**have, **wanted}.items()))
    return True


def install_lock(folder, lock):
    """Install a lock as it stands: every file's hash is checked, nothing is resolved."""
    print_line(f"Installing {lock.relative_to(ROOT)}")
    if lock.name == "torch.txt" and is_cpu_torch_enough() and is_successful(install_command(folder, LOCKS / "torch-cpu.txt")):
        return
    run(install_command(folder, lock))


def install_command(folder, lock):
    options = ["-q", "--require-hashes", "--no-deps", "--only-binary", ":all:"]
    return [str(part) for part in (venv_python(folder), "-m", "pip", "install", *options, "-r", lock)]


def is_cpu_torch_enough():
    """On Linux the usual torch brings gigabytes of CUDA; without an NVIDIA driver its CPU build is tried first, where pip knows of one."""
    return sys.platform == "linux" and shutil.which("nvidia-smi") is None


def link_package(folder):
    """Put this checkout on the environment's path and `meshrec` among its commands, without building anything."""
    site = run_output([venv_python(folder), "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"]).strip()
    (Path(site) / "blender_meshrec_checkout.pth").write_text(f"{ROOT}\n")
    if os.name == "nt":
        (folder / "Scripts" / "meshrec.cmd").write_text(f'@"{venv_python(folder)}" -m blender_meshrec.cli %*\n')
    else:
        script = folder / "bin" / "meshrec"
        script.write_text(f"#!{venv_python(folder)}\nimport sys\nfrom blender_meshrec.cli import main\n\nsys.exit(main())\n")
        script.chmod(0o755)


def find_python(version):
    """A Python of this version: the one running, one on PATH, the Windows launcher's, or one of pyenv's or uv's."""
    candidates = [[sys.executable], [f"python{version}"], ["python3"], ["python"], ["py", f"-{version}"]]
    homes = [Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions", Path.home() / ".local" / "share" / "uv" / "python"]
    for home in homes:
        candidates += [[str(path)] for path in sorted(home.glob(f"*{version}*/bin/python{version}"))]
    check = f"import sys, venv; assert sys.version_info[:2] == tuple(map(int, '{version}'.split('.'))); print(sys.executable)"
    for candidate in candidates:
        try:
            found = subprocess.run([*candidate, "-c", check], capture_output=True, text=True, timeout=60, check=True)
        except (OSError, subprocess.SubprocessError):
            continue
        return found.stdout.strip()
    sys.exit(f"Python {version} was not found. Install Python {version} and make `python{version}` work in this terminal.")


def venv_python(folder):
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def blender_environment(version):
    return ROOT / ".venvs" / f"bpy-{version}"


# --- demo -----------------------------------------------------------------------------------------------------------


def demo(arguments):
    """The README's first command: set-up, then one clip through everything."""
    setup()
    command = [venv_python(BACKEND_VENV), "-m", "scripts.demo", Path(arguments.input).absolute(), "-o", Path(arguments.output).absolute()]
    return subprocess.run([str(part) for part in command], cwd=ROOT).returncode


# --- test -----------------------------------------------------------------------------------------------------------


def test(arguments):
    """The README's second command: lint, import rules, the backend's tests, Blender's half on every Blender, and a real window."""
    chosen = [argument for argument in arguments.rest if not argument.startswith("-")]
    window = prepare_window() if not chosen or any(path.startswith(WINDOW_TESTS) for path in chosen) else None
    setup(blenders=BLENDER_PYTHONS, tools=True)
    python = venv_python(BACKEND_VENV)
    bin_folder = python.parent
    failures = []
    for check in (["ruff", "check", "."], ["ruff", "format", "--check", "."], ["lint-imports"]):
        print_line(" ".join(check))
        if subprocess.run([str(bin_folder / check[0]), *check[1:]], cwd=ROOT).returncode:
            failures.append(check[0])
    with tempfile.TemporaryDirectory() as scratch:
        jobs = test_jobs(arguments.rest, Path(scratch))
        with ThreadPoolExecutor(max_workers=max(1, min(2, os.cpu_count() or 1))) as pool:
            outcomes = list(pool.map(run_test_job, jobs))
        if window is not None:  # alone: it measures
            outcomes += run_window_tests(arguments.rest, Path(scratch), window)
        passed, failed, skipped = count_tests(Path(scratch).glob("*.xml"))
    failures += [name for name, returncode in outcomes if returncode]
    if failures:
        print_line("Failed: " + ", ".join(failures))
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failures or failed or not passed else 0


def test_jobs(pytest_arguments, scratch):
    """One process for the backend's tests and one for each Blender test file on each Blender."""
    chosen = [argument for argument in pytest_arguments if not argument.startswith("-")]
    options = [argument for argument in pytest_arguments if argument.startswith("-")]
    jobs = []
    backend_paths = [path for path in chosen if not path.startswith((*BLENDER_TESTS, WINDOW_TESTS))]
    if backend_paths or not chosen:
        ignored = [] if backend_paths else [f"--ignore={folder}" for folder in (*BLENDER_TESTS, WINDOW_TESTS)]
        report = f"--junitxml={scratch / 'backend.xml'}"
        jobs.append(
            ("backend", [venv_python(BACKEND_VENV), "-m", "pytest", "-q", report, *options, *ignored, *(backend_paths or ["tests"])], {})
        )
    files = [path for path in chosen if path.startswith(BLENDER_TESTS)]
    if not chosen:
        files = [str(path.relative_to(ROOT)) for folder in BLENDER_TESTS for path in sorted((ROOT / folder).glob("test_*.py"))]
    for version in BLENDER_PYTHONS:
        for path in files:
            name = f"{path} on Blender {version}"
            own = f"{version}-{len(jobs)}"  # tests/scene and tests/ui have files of one name
            report = scratch / f"{own}.xml"
            resources = scratch / f"resources-{own}"
            resources.mkdir()
            command = [venv_python(blender_environment(version)), ROOT / "tests" / "run_bpy.py", path, f"--junitxml={report}", *options]
            jobs.append((name, command, {"BLENDER_USER_RESOURCES": str(resources)}))
    return jobs


def prepare_window():
    """Begin to prepare a Blender with a window; it takes minutes the first time, and nothing else waits for it."""
    command = [sys.executable, str(ROOT / "scripts" / "prepare_window_blender.py")]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")


def run_window_tests(pytest_arguments, scratch, preparing):
    """The tests in a real window, as `test_jobs` has them; none, and the reason, where this machine has no window."""
    text = preparing.communicate()[0].strip()
    if preparing.returncode == NO_WINDOW_EXIT_CODE:
        print_line(f"No window tests: {text.splitlines()[-1]}")
        return []
    if preparing.returncode:
        print(text)
        return [("scripts/prepare_window_blender.py", preparing.returncode)]
    # What cannot be packaged, or downloaded for the bundle, the tests miss and tell.
    for options in ([], ["--offline", "--device", "cpu"]):
        name, returncode = run_test_job(("build.py package", [sys.executable, ROOT / "build.py", "package", *options], {}))
        if returncode and not options:
            return [(name, returncode)]
    paths = [path for path in pytest_arguments if path.startswith((WINDOW_TESTS, "-"))]
    if not any(path.startswith(WINDOW_TESTS) for path in paths):
        paths.append(WINDOW_TESTS)
    report = f"--junitxml={scratch / 'window.xml'}"
    # Each test goes on where the one before it stopped: after the first that fails, the others say nothing.
    return [run_test_job((WINDOW_TESTS, [venv_python(BACKEND_VENV), "-m", "pytest", "-q", "-x", report, *paths], {}))]


def run_test_job(job):
    """Run one test process and print what it said in one piece."""
    name, command, extra = job
    environment_variables = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive", **os.environ, **extra}
    try:
        done = subprocess.run(
            [str(part) for part in command],
            cwd=ROOT,
            env=environment_variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=1800,
        )
        text, returncode = done.stdout, done.returncode
    except subprocess.TimeoutExpired as late:
        text, returncode = f"{late.stdout or ''}\nended after {late.timeout:.0f} s", 1
    print(f"\n=== {name} ===\n{text}", flush=True)
    return name, returncode


def count_tests(reports):
    passed = failed = skipped = 0
    for report in reports:
        for suite in ElementTree.parse(report).getroot().iter("testsuite"):
            tests, bad, skips = (int(suite.get(key, 0)) for key in ("tests", "failures", "skipped"))
            bad += int(suite.get("errors", 0))
            passed, failed, skipped = passed + tests - bad - skips, failed + bad, skipped + skips
    return passed, failed, skipped


# --- package, bench, lock -------------------------------------------------------------------------------------------


def package(arguments):
    """Zip the add-on with its models, have every Blender's own checker validate and build it; then the offline bundle."""
    setup(tools=True)  # which compile the translations
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
        contents = set()
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


def zip_checksums(path):
    """A zip's files, {name: checksum}."""
    with zipfile.ZipFile(path) as archive:
        return {entry.filename: entry.CRC for entry in archive.infolist() if not entry.is_dir()}


def offline_bundle(extension, device, python_version):
    """A folder beside the zip with every package the backend needs here, and what to do with it. What is there is not downloaded again."""
    sys.path.insert(0, str(ROOT))
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
        for digest in have.keys() - wanted:  # of another version, or cut off
            have.pop(digest).unlink()

        def download(name):
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


def blender_checkers():
    """(version, python, blender_ext.py) of every Blender module that is installed."""
    found = []
    for version in BLENDER_PYTHONS:
        for checker in blender_environment(version).glob("lib/python*/site-packages/bpy/*/scripts/addons_core/bl_pkg/cli/blender_ext.py"):
            found.append((version, venv_python(blender_environment(version)), checker))
    return found


def bench():
    setup()
    command = [str(venv_python(BACKEND_VENV)), "-m", "scripts.bench.table", "-o", str(ROOT / "out" / "bench.json")]
    return subprocess.run(command, cwd=ROOT).returncode


def lock():
    """Resolve pyproject.toml for every platform with uv, hashes and all."""
    LOCKS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        uv_home = Path(scratch) / "uv"
        run([find_python("3.11"), "-m", "venv", uv_home])
        run([venv_python(uv_home), "-m", "pip", "install", "-q", UV])
        uv = venv_python(uv_home).parent / "uv"

        def resolve(name, *arguments):
            base = ["--universal", "--generate-hashes", "--no-header", "--no-annotate", "-q"]
            run([uv, "pip", "compile", *base, *arguments, "-o", LOCKS / f"{name}.txt"])

        installer = Path(scratch) / "installer.in"
        installer.write_text(f"{PIP}\n")
        resolve("installer", installer, "--python-version", "3.11")
        resolve("backend", "pyproject.toml", "--extra", "backend", "--python-version", "3.11")
        split_torch(LOCKS / "backend.txt", LOCKS / "torch.txt")
        constraints = ("-c", LOCKS / "backend.txt", "-c", LOCKS / "torch.txt")
        resolve("tools", "--group", "pyproject.toml:tools", *constraints, "--python-version", "3.11")
        keep_difference(LOCKS / "tools.txt", (LOCKS / "backend.txt", LOCKS / "torch.txt"))
        for version, python in BLENDER_PYTHONS.items():
            resolve(f"bpy-{version}", "--group", f"pyproject.toml:bpy-{version.replace('.', '_')}", "--python-version", python)
    return 0


def parse_lock_entries(text):
    """A lock's entries, {name: the entry's lines}."""
    entries = re.split(r"\n(?=[A-Za-z0-9])", text.strip())
    return {re.match(r"[A-Za-z0-9._-]+", entry)[0]: entry for entry in entries if entry}


def split_torch(backend, torch):
    """Move torch and the CUDA libraries it asks for on Linux into a lock of their own, beside which a CPU build can stand."""
    blocks = re.split(r"\n(?=[A-Za-z0-9])", backend.read_text().strip())
    moved = [block for block in blocks if re.match(r"(torch|nvidia|cuda|triton)", block)]
    backend.write_text("\n".join(block for block in blocks if block not in moved) + "\n")
    torch.write_text("\n".join(moved) + "\n")


def keep_difference(lock_file, others):
    """Leave in a lock only what the other locks do not install."""
    known = set().union(*(parse_lock_entries(other.read_text()) for other in others))
    kept = [block for name, block in parse_lock_entries(lock_file.read_text()).items() if name not in known]
    lock_file.write_text("\n".join(kept) + "\n")


# --- small things ---------------------------------------------------------------------------------------------------


def project_version():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def print_line(text):
    print(f"-- {text}", flush=True)


def run(command):
    """Run a command; end this program with its exit code where it fails."""
    done = subprocess.run([str(part) for part in command], cwd=ROOT)
    if done.returncode:
        sys.exit(f"Failed ({done.returncode}): {' '.join(str(part) for part in command)}")


def is_successful(command):
    return subprocess.run(command, cwd=ROOT, capture_output=True).returncode == 0


def run_output(command):
    return subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    sys.exit(main())
