"""The command, the backend and the maker of scenes are killed at random moments: nothing is half-written, nothing is left, and a rerun
gives the motion of an undisturbed run, bit for bit.

MESHREC_KILLS sets the number of kills.
"""

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from blender_meshrec.bridge.scene_process import find_scene_command
from blender_meshrec.core.errors import InputError
from scripts.chores.environments import command_script

ROOT = Path(__file__).resolve().parents[1]
NUM_KILLS = int(os.environ.get("MESHREC_KILLS", "20"))
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
OUTPUTS = ("demo_clip.fbx", "demo_clip.npz")
WORDS_OF_ROLE = {"backend": "launch.py", "maker": "make_job.py"}
END_TIMEOUT = 20.0  # s

pytestmark = pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="processes are found in /proc")


def processes_of(folder):
    """Process id -> words of the command line, of the running processes that have `folder` in their environment."""
    found = {}
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if process.name.isdecimal() and os.fsencode(folder) in (process / "environ").read_bytes():
                found[int(process.name)] = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
    return found


class Runs:
    """Runs of one command in a folder of its own."""

    def __init__(self, folder):
        self.folder, self.out, self.temporary = folder, folder / "out", folder / "temporary"
        self.temporary.mkdir(parents=True)
        self.command = folder / "meshrec"
        self.command.write_text(command_script(Path(sys.executable)))
        self.command.chmod(0o755)
        self.report = self.out / "report.json"

    def start(self):
        words = ["reconstruct", str(ROOT / "scripts" / "demo_clip.mp4"), "-o", str(self.out), "--format", "npz,fbx"]
        words += ["--frames", "0:12", "--report", str(self.report), "--progress", "none"]
        self.out.mkdir(exist_ok=True)
        environ = {**os.environ, "TMPDIR": str(self.temporary), "MESHREC_CACHE": str(self.folder / "cache"), "OMP_NUM_THREADS": "1"}
        environ["PYTHONPATH"] = str(ROOT)
        return subprocess.Popen([self.command, *words], env=environ, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def forget_footage(self):
        """The next run detects people again, which takes most of its time, instead of reading the cache."""
        shutil.rmtree(self.folder / "cache", ignore_errors=True)

    def run(self):
        """One undisturbed run; returns its seconds, and the contents of its outputs."""
        start = time.monotonic()
        process = self.start()
        errors = process.communicate(timeout=300)[1]
        assert process.returncode == 0, errors
        return time.monotonic() - start, {name: (self.out / name).read_bytes() for name in OUTPUTS}

    def wait_until_all_have_ended(self):
        deadline = time.monotonic() + END_TIMEOUT
        while left := processes_of(self.temporary):
            assert time.monotonic() < deadline, left
            time.sleep(0.05)

    def leftovers(self):
        return [path for path in self.folder.rglob("*meshrec-*") if "torchinductor" not in str(path)]


def kill_at_random(runs, seconds, choose):
    """Start a run, and kill one of its processes at a random moment; returns what was done and the command's exit code."""
    process = runs.start()
    delay = choose.uniform(0.0, seconds)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(delay)
    roles = {"command": process.pid}
    for pid, words in processes_of(runs.temporary).items():
        roles.update({role: pid for role, word in WORDS_OF_ROLE.items() if any(one.endswith(word) for one in words)})
    role, number = choose.choice(sorted(roles)), choose.choice(SIGNALS)
    with contextlib.suppress(ProcessLookupError):
        os.kill(roles[role], number)
    errors = process.communicate(timeout=300)[1]
    runs.wait_until_all_have_ended()
    return f"{role}, {number.name}, {delay:.2f} s: {process.returncode} {errors}", role, number, process.returncode


def test_kills_leave_nothing_and_change_nothing(tmp_path):
    try:
        find_scene_command()
    except InputError as error:
        pytest.skip(error.problem)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs of shells ignore it, and so would the command
    reference_runs, runs, choose = Runs(tmp_path / "reference"), Runs(tmp_path / "killed"), random.Random(0)
    seconds_detecting, reference = reference_runs.run()
    seconds_with_cache, _outputs = reference_runs.run()
    assert reference_runs.leftovers() == []
    for kill in range(NUM_KILLS):
        seconds = seconds_with_cache
        if kill % 2 == 0:
            runs.forget_footage()
            seconds = seconds_detecting
        what, role, number, code = kill_at_random(runs, seconds, choose)
        written = [name for name in OUTPUTS if (runs.out / name).exists()]
        for name in written:  # whole
            assert (runs.out / name).suffix != ".npz" or (runs.out / name).read_bytes() == reference[name], what
            assert abs((runs.out / name).stat().st_size - len(reference[name])) <= 16, what
            (runs.out / name).unlink()
        assert code in ((0, -number, 130) if role == "command" else (0, 1)), what
        assert "Traceback" not in what, what
        if runs.report.exists():
            assert json.loads(runs.report.read_text(encoding="utf-8")), what
            runs.report.unlink()
    assert runs.run()[1]["demo_clip.npz"] == reference["demo_clip.npz"]
    assert runs.leftovers() == []
