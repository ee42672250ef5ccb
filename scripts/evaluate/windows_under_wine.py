"""Run the Blender half, the bridge's processes and reconstructions on Python and Blender for Windows, under Wine.

    .venv/bin/python -m scripts.evaluate.windows_under_wine FOLDER [--parts files bridge ...] [--report FILE.json]

FOLDER, outside the checkout, gets a Debian with Wine, two Pythons for Windows with the packages of the locks, and a drive C: (5 GB; the
second run takes what is there). It needs Linux, root and a package index. The tests are the project's own; those of tests/on_windows
run here and on Windows alone. docs/windows.md says how far this is from Windows. Exit codes: 0 all passed, 1 something failed, 3 not
possible on this machine.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from blender_meshrec.core.cameras import transform_points
from blender_meshrec.core.files.motion_npz import read_motion
from scripts import ROOT
from scripts.prepare_window_blender import UNSUPPORTED_EXIT_CODE
from scripts.wine.prepare import prepare_wine, site_packages
from scripts.wine.windows_python import WORK, WindowsPython

CLIP, TRUTH = ROOT / "scripts" / "demo_clip.mp4", ROOT / "scripts" / "demo_clip_truth.npz"
FRAMES = {"keypoints": 40, "capture": 12}
TEST_SECONDS = 1800.0
# Of a reconstruction on the two systems.
MAX_ANGLE, MAX_DISTANCE = 1e-3, 1e-4  # rad, m


@dataclass(frozen=True)
class Part:
    """Tests that run together. python: `backend` or `blender`. skipped: words of test names that make no sense here, and why."""

    python: str
    paths: tuple[str, ...]
    skipped: Mapping[str, str]


_SCRIPTS_AS_PROGRAMS = "shell scripts stand for programs"
_NO_LINKS = "Wine follows no symbolic links"
_TESTS_OF_BLENDER = ("assemble", "export", "outputs", "relative_paths", "retarget", "retarget_outputs", "character_files", "command_line")
PARTS = {
    "files": Part(
        "backend",
        ("tests/core/files", "tests/on_windows/test_files.py"),
        {
            "pipes": "Windows has no pipes in folders",
            "uris_name_files": "it compares a path of Linux",
            "list_of_model_files_is_read_up_to_its_limit": "it counts line ends, which Windows writes as two characters",
        },
    ),
    "bridge": Part(
        "backend",
        (
            *(f"tests/bridge/test_{name}.py" for name in ("backend_process", "scene_process", "tethers", "installation")),
            "tests/on_windows/test_processes.py",
        ),
        {
            "runs_from_a_folder_of_any_name and not on_windows": _NO_LINKS,
            "unsuitable_interpreters": _SCRIPTS_AS_PROGRAMS,
        },
    ),
    # Each makes environments, which takes minutes under Wine.
    "installer": Part(
        "backend",
        tuple(
            f"tests/bridge/test_backend_environment.py::test_a_{name}"
            for name in ("bundle_is_installed_with_progress", "cancelled_installation_is_resumed", "half_made_environment_is_made_again")
        ),
        {},
    ),
    "command": Part(
        "backend",
        tuple(f"tests/cli/test_{name}.py" for name in ("commands", "reconstruct", "outputs", "motion_commands")),
        {
            "python_that_cannot_load": _SCRIPTS_AS_PROGRAMS,
            "/proc/": "a folder of Linux",
            "overwrites_an_input and retarget": "there is no Blender",
        },
    ),
    "footage": Part(
        "backend", ("tests/backend/tracking", "tests/backend/footage"), {"avif": "OpenCV for Windows writes no AVIF to read"}
    ),
    "blender": Part(
        "blender",
        (*(f"tests/scene/test_{name}.py" for name in _TESTS_OF_BLENDER), "tests/ui/test_addon.py", "tests/ui/test_environment.py"),
        {
            "link_out_of_the_folder": _NO_LINKS,
            "pipes": "Windows has no pipes in folders",
            "export_buttons_embed_pictures_alone": "Blender writes Windows's separators into the path that is compared",
            "reports_why_it_failed[changes2-5]": "/dev/null is no file there",
        },
    ),
    "maker": Part("blender", ("tests/on_windows/test_maker.py",), {}),
}  # fmt: skip
RECONSTRUCTIONS = tuple(FRAMES)


@dataclass(frozen=True)
class Outcome:
    """Of one part: numbers of tests, and the names of those that failed; or the largest differences from this system's result."""

    part: str
    seconds: float
    passed: int = 0
    skipped: int = 0
    failed: tuple[str, ...] = ()
    differences: Mapping[str, float] | None = None
    output: str = ""  # the end of it, where something failed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--parts", nargs="+", choices=(*PARTS, *RECONSTRUCTIONS), default=[*PARTS, *RECONSTRUCTIONS])
    parser.add_argument("--report", type=Path)
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    if folder.is_relative_to(ROOT):
        parser.error("The folder must be outside the checkout.")
    if reason := prepare_wine(folder):
        print(reason)
        return UNSUPPORTED_EXIT_CODE
    with tempfile.TemporaryDirectory(dir=folder, prefix="work-") as scratch:
        python = WindowsPython(folder, Path(scratch))
        made = python.make_windows()
        if made.code:
            print(f"Wine cannot make a drive: {made.output}")
            return UNSUPPORTED_EXIT_CODE
        outcomes = [run_part(name, python, Path(scratch)) for name in arguments.parts]
    if arguments.report:
        report = {"parts": [asdict(outcome) for outcome in outcomes], "packages": site_packages(folder)}
        arguments.report.write_text(json.dumps(report, indent=2))
    return int(any(outcome.failed for outcome in outcomes))


def run_part(name: str, python: WindowsPython, work: Path) -> Outcome:
    """Run a part and print a line about it, and what failed."""
    begun = time.monotonic()
    if name in PARTS:
        outcome = run_tests(name, PARTS[name], python, work, begun)
        numbers = f"{outcome.passed} passed, {len(outcome.failed)} failed, {outcome.skipped} skipped"
    else:
        outcome = run_reconstruction(name, python, work, begun)
        numbers = ", ".join(f"{what} {value:.2g}" for what, value in (outcome.differences or {}).items())
    print(f"{name:10} {outcome.seconds:5.0f} s  {numbers}", flush=True)
    for test in outcome.failed:
        print(f"  FAILED {test}")
    if outcome.failed:
        print(outcome.output, flush=True)
    return outcome


def run_tests(name: str, part: Part, python: WindowsPython, work: Path, begun: float) -> Outcome:
    """Run a part's tests in one process; a test that ends the process, or takes too long, is a failure of the part."""
    words = ["-p", "no:cacheprovider", "-q", "--tb=short", f"--junitxml={WORK}\\{name}.xml", "--basetemp=C:\\t"]
    expression = " and ".join(f"not ({skipped})" for skipped in part.skipped)
    words += ["-k", expression] if expression else []
    program = ["tests/run_bpy.py"] if part.python == "blender" else ["-m", "pytest"]
    ended = python.run(part.python, *program, *words, *test_files(part.paths), seconds=TEST_SECONDS)
    seconds, tail = time.monotonic() - begun, "\n".join(ended.output.splitlines()[-80:])
    report = work / f"{name}.xml"
    if not report.is_file():
        return Outcome(name, seconds, failed=(f"no answer, exit code {ended.code}",), output=tail)
    cases = ElementTree.parse(report).getroot().iter("testcase")
    kinds = [(f"{case.get('classname')}::{case.get('name')}", {child.tag for child in case}) for case in cases]
    failed = tuple(case for case, tags in kinds if tags & {"failure", "error"})
    skipped = sum("skipped" in tags for _, tags in kinds)
    return Outcome(name, seconds, len(kinds) - len(failed) - skipped, skipped, failed, output=tail if failed else "")


def test_files(paths: Sequence[str]) -> list[str]:
    """Test files, and those in folders except random tests: Hypothesis searches the whole checkout first, which is slow under Wine."""
    found: list[str] = []
    for path in paths:
        files = sorted((ROOT / path).glob("test_*.py")) if (ROOT / path).is_dir() else []
        found += [str(file.relative_to(ROOT)) for file in files if "hypothesis import" not in file.read_text(encoding="utf-8")]
        found += [] if files else [path]
    return found


def run_reconstruction(name: str, python: WindowsPython, work: Path, begun: float) -> Outcome:
    """Reconstruct keypoints, or the beginning of the demo clip, on both systems, and compare the motions."""
    options = ["--no-cache", "--progress", "none", "--frames", f"0:{FRAMES[name]}"]
    source, output = work / "Schlüssel 点.npz", work / "Läufer 走.npz"
    if name == "keypoints":
        write_keypoints(source)
    there = f"{WORK}\\{source.name}" if name == "keypoints" else "scripts\\demo_clip.mp4"
    here = source if name == "keypoints" else CLIP
    ended = python.run("backend", "-m", "blender_meshrec.cli", "reconstruct", there, "-o", f"{WORK}\\{output.name}", *options)
    if ended.code:
        return Outcome(name, time.monotonic() - begun, failed=(f"exit code {ended.code}",), output=ended.output)
    reference = work / "reference.npz"
    command = ["nice", "-n", "19", sys.executable, "-m", "blender_meshrec.cli", "reconstruct", str(here), "-o", str(reference), *options]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    differences = compare_motions(reference, output)
    too_large = [what for what, limit in (("poses (rad)", MAX_ANGLE), ("joints (m)", MAX_DISTANCE)) if differences[what] > limit]
    failed = tuple(f"{what} differ" for what in too_large) if name == "keypoints" else ()
    return Outcome(name, time.monotonic() - begun, failed=failed, differences=differences)


def write_keypoints(path: Path) -> None:
    """Write the demo clip's true joints, projected by its camera, as 2D keypoints."""
    truth = read_motion(TRUTH)
    pixels = transform_points(truth.camera_from_world, truth.lifted_joints.astype(float)) @ truth.camera_intrinsics.T
    pixels /= pixels[..., 2:]  # what is left in the last column, 1, is the confidence
    np.savez(path, keypoints=pixels, keypoint_set="h36m17", image_size=truth.image_size, fps=truth.mocap_framerate)


def compare_motions(one: Path, other: Path) -> dict[str, float]:
    """The largest differences of two motions: of their angles, and of their joints."""
    first, second = read_motion(one), read_motion(other)
    pairs: Sequence[tuple[str, str]] = (("poses (rad)", "poses"), ("joints (m)", "joints"))
    return {what: float(np.abs(getattr(first, name) - getattr(second, name)).max()) for what, name in pairs}


if __name__ == "__main__":
    sys.exit(main())
