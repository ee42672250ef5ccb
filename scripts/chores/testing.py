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

NO_WINDOW_EXIT_CODE = 3  # of scripts/prepare_window_blender.py on machines without a window
BLENDER_TESTS = ("tests/scene", "tests/ui")
WINDOW_TESTS = "tests/window"
CHECKS = (["ruff", "check", "."], ["ruff", "format", "--check", "."], ["pyrefly", "check"], ["lint-imports"])

TestJob = tuple[str, list[str | Path], dict[str, str]]  # name, command, environment variables
Outcome = tuple[str, int]  # name, exit code


def test(arguments: argparse.Namespace) -> int:
    """The README's second command: all checks; the exit code is 1 if any of them fails."""
    chosen = [argument for argument in arguments.rest if not argument.startswith("-")]
    window = prepare_window() if not chosen or any(path.startswith(WINDOW_TESTS) for path in chosen) else None
    setup(blenders=BLENDER_PYTHONS, tools=True)
    failures = run_checks()
    with tempfile.TemporaryDirectory() as scratch:
        jobs = test_jobs(arguments.rest, Path(scratch))
        with ThreadPoolExecutor(max_workers=max(1, min(2, os.cpu_count() or 1))) as pool:
            outcomes = list(pool.map(run_test_job, jobs))
        if window is not None:  # after the others, because it measures times
            outcomes += run_window_tests(arguments.rest, Path(scratch), window)
        passed, failed, skipped = count_tests(Path(scratch).glob("*.xml"))
    failures += [name for name, returncode in outcomes if returncode]
    if failures:
        print_line("Failed: " + ", ".join(failures))
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failures or failed or not passed else 0


def run_checks() -> list[str]:
    """Run linter, formatter, type checker and import rules; returns the names of those that failed."""
    failures: list[str] = []
    for check in CHECKS:
        print_line(" ".join(check))
        if subprocess.run([str(venv_python(BACKEND_VENV).parent / check[0]), *check[1:]], cwd=ROOT).returncode:
            failures.append(check[0])
    return failures


def test_jobs(pytest_arguments: list[str], scratch: Path) -> list[TestJob]:
    """One process for the backend's tests and one for each Blender test file on each Blender."""
    options = [argument for argument in pytest_arguments if argument.startswith("-")]
    backend_paths, files = split_paths([argument for argument in pytest_arguments if not argument.startswith("-")])
    jobs: list[TestJob] = []
    if backend_paths:
        report = f"--junitxml={scratch / 'backend.xml'}"
        jobs.append(("backend", [venv_python(BACKEND_VENV), "-m", "pytest", "-q", report, *options, *backend_paths], {}))
    return jobs + [
        blender_job(version, path, options, scratch, f"{version}-{number}")
        for version in BLENDER_PYTHONS
        for number, path in enumerate(files)
    ]


def split_paths(chosen: list[str]) -> tuple[list[str], list[str]]:
    """The paths of the backend's tests, for pytest, and the Blender test files: of the chosen paths, or all if there are none."""
    if chosen:
        backend_paths = [path for path in chosen if not path.startswith((*BLENDER_TESTS, WINDOW_TESTS))]
        return backend_paths, [path for path in chosen if path.startswith(BLENDER_TESTS)]
    ignored = [f"--ignore={folder}" for folder in (*BLENDER_TESTS, WINDOW_TESTS)]
    files = [str(path.relative_to(ROOT)) for folder in BLENDER_TESTS for path in sorted((ROOT / folder).glob("test_*.py"))]
    return [*ignored, "tests"], files


def blender_job(version: str, path: str, options: list[str], scratch: Path, key: str) -> TestJob:
    """One Blender test file on one Blender; key: a unique name of its report, as tests/scene and tests/ui have files with the same name."""
    resources = scratch / f"resources-{key}"
    resources.mkdir()
    report = f"--junitxml={scratch / key}.xml"
    command: list[str | Path] = [venv_python(blender_environment(version)), ROOT / "tests" / "run_bpy.py", path, report, *options]
    return f"{path} on Blender {version}", command, {"BLENDER_USER_RESOURCES": str(resources)}


def prepare_window() -> subprocess.Popen[str]:
    """Start to prepare a Blender with a window in the background; the first time takes minutes."""
    command = [sys.executable, str(ROOT / "scripts" / "prepare_window_blender.py")]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")


def run_window_tests(pytest_arguments: list[str], scratch: Path, preparing: subprocess.Popen[str]) -> list[Outcome]:
    """Run the tests in a real window; prints the reason if this machine has no window."""
    text = preparing.communicate()[0].strip()
    if preparing.returncode == NO_WINDOW_EXIT_CODE:
        print_line(f"No window tests: {text.splitlines()[-1]}")
        return []
    if preparing.returncode:
        print(text)
        return [("scripts/prepare_window_blender.py", preparing.returncode)]
    # Tests that need the bundle report it missing if it cannot be downloaded.
    for options in ((), ("--offline", "--device", "cpu")):
        name, returncode = run_test_job(("build.py package", [sys.executable, ROOT / "build.py", "package", *options], {}))
        if returncode and not options:
            return [(name, returncode)]
    paths = [path for path in pytest_arguments if path.startswith((WINDOW_TESTS, "-"))]
    if not any(path.startswith(WINDOW_TESTS) for path in paths):
        paths.append(WINDOW_TESTS)
    report = f"--junitxml={scratch / 'window.xml'}"
    # Each test continues from the state of the previous one: stop at the first failure.
    return [run_test_job((WINDOW_TESTS, [venv_python(BACKEND_VENV), "-m", "pytest", "-q", "-x", report, *paths], {}))]


def run_test_job(job: TestJob) -> Outcome:
    """Run one test process and print its output in one piece."""
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
    """The numbers of passed, failed and skipped tests in JUnit reports."""
    passed = failed = skipped = 0
    for report in reports:
        for suite in ElementTree.parse(report).getroot().iter("testsuite"):
            tests, bad, skips = (int(suite.get(key, 0)) for key in ("tests", "failures", "skipped"))
            bad += int(suite.get("errors", 0))
            passed, failed, skipped = passed + tests - bad - skips, failed + bad, skipped + skips
    return passed, failed, skipped
