"""Children that end with their parent wait for a copy of their standard input: on Windows, loading a library hangs on the original."""

import subprocess
import sys

import pytest

from blender_meshrec.bridge import tethered_process
from blender_meshrec.bridge.backend_location import PACKAGE_FOLDER

MAKE_JOB = PACKAGE_FOLDER / "scene" / "make_job.py"
LOOK = "import os, sys, time\nprint(os.read(0, 1), sys.stdin.read() == '', flush=True)\ntime.sleep(60)\n"
TETHER_JOB = (
    "import runpy, sys, threading\n"
    f"job = runpy.run_path({str(MAKE_JOB)!r})\n"
    "threading.Thread(target=job['_end_with_parent'], args=(job['_claim_standard_input'](),), daemon=True).start()\n"
)


@pytest.mark.parametrize("child", ["a module", "the maker of scenes"])
def test_standard_input_is_empty_and_its_end_ends_the_child(tmp_path, child):
    (tmp_path / "look.py").write_text(LOOK)
    tethered = "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); del sys.argv[0]; runpy.run_path(sys.argv[0], run_name='__main__')"
    command = ["-c", tethered, str(tmp_path), tethered_process.__file__, "look"]
    if child == "the maker of scenes":
        command = ["-c", TETHER_JOB + LOOK]
    process = subprocess.Popen([sys.executable, "-u", *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout.readline().split() == [b"b''", b"True"]
    assert process.poll() is None
    process.stdin.close()
    assert process.wait(10) != 0  # s
    process.stdout.close()


def test_the_maker_uses_the_copy():
    text = MAKE_JOB.read_text(encoding="utf-8")
    assert "target=_end_with_parent, args=(_claim_standard_input(),)" in text
