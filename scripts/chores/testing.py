"""The test command: lint, types, import rules, all tests on every Blender, and a real window."""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree

from scripts import ROOT
from scripts.chores.environments import BACKEND_VENV, BLENDER_PYTHONS, blender_environment, setup, venv_python
from scripts.chores.shell import print_line

NO_WINDOW_EXIT_CODE = 3  # the exit code of scripts/prepare_window_blender.py where there can be no window
BLENDER_TESTS = ("tests/scene", "tests/ui")
WINDOW_TESTS = "tests/window"
CHECKS = (["ruff", "check", "."], ["ruff", "format", "--check", "."], ["pyrefly", "check"], ["lint-imports"])

TestJob = tuple[str, list[str | Path], dict[str, str]]  # name, command, environment variables
Outcome = tuple[str, int]  # name, exit code


def test(arguments: argparse.Namespace) -> int:
    """The README's second command: lint, import rules, the backend's tests, Blender's half on every Blender, and a real window."""
    chosen = [argument for argument in arguments.rest if not argument.startswith("-")]
    window = prepare_window() if not chosen or any(path.startswith(WINDOW_TESTS) for path in chosen) else None
    setup(blenders=BLENDER_PYTHONS, tools=True)
    python = venv_python(BACKEND_VENV)
    bin_folder = python.parent
    failures = []
    for check in CHECKS:
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


def test_jobs(pytest_arguments: list[str], scratch: Path) -> list[TestJob]:
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


def prepare_window() -> subprocess.Popen[str]:
    """Begin to prepare a Blender with a window; it takes minutes the first time, and nothing else waits for it."""
    command = [sys.executable, str(ROOT / "scripts" / "prepare_window_blender.py")]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")


def run_window_tests(pytest_arguments: list[str], scratch: Path, preparing: subprocess.Popen[str]) -> list[Outcome]:
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


def run_test_job(job: TestJob) -> Outcome:
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


def count_tests(reports: Iterable[Path]) -> tuple[int, int, int]:
    passed = failed = skipped = 0
    for report in reports:
        for suite in ElementTree.parse(report).getroot().iter("testsuite"):
            tests, bad, skips = (int(suite.get(key, 0)) for key in ("tests", "failures", "skipped"))
            bad += int(suite.get("errors", 0))
            passed, failed, skipped = passed + tests - bad - skips, failed + bad, skipped + skips
    return passed, failed, skipped
