"""The numbered examples run as their docstrings describe, each on the outputs of the previous one."""

import os
import subprocess
import sys

import numpy as np
import pytest

from tests.conftest import ROOT

CLIP = ROOT / "scripts" / "demo_clip.mp4"


def run_example(name, *arguments):
    command = [sys.executable, str(ROOT / "examples" / name), *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the outputs of the first example."""
    folder = tmp_path_factory.mktemp("examples")
    run_example("01_clip_to_fbx.py", CLIP, folder / "dance.fbx", "--frames", "0:15")
    return folder


def test_clip_to_fbx(folder):
    assert (folder / "dance.fbx").stat().st_size > 100_000
    assert len(np.load(folder / "dance.npz")["poses"]) == 15


def test_folder_to_character(folder):
    (folder / "clips").mkdir()
    (folder / "clips" / "take.mp4").symlink_to(CLIP)
    run_example("02_folder_to_character.py", folder / "clips", folder / "dance.fbx", folder / "out", "--frames", "0:15")
    assert (folder / "out" / "take.fbx").stat().st_size > 100_000


def test_motion_to_skel(folder):
    printed = run_example("03_motion_to_skel.py", folder / "dance.npz", folder / "skel.npz")
    assert "knee_angle_r: " in printed and "elbow_flexion_l: " in printed


def test_motion_is_read_with_numpy(folder):
    assert "15 frames at 25 fps" in run_example("04_read_motion.py", folder / "dance.npz")


def test_own_detector():
    assert '"person": 1' in run_example("05_own_detector.py")
