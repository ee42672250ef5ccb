"""How the backend's process is set up before anything is loaded."""

import os
import subprocess
import sys
from pathlib import Path

from blender_meshrec.backend import launch

SCRIPT = """
import os, runpy, sys
sys.argv = ["launch.py", "describe"]
runpy.run_path({path!r}, run_name="__main__")
import numpy
print("\\n" + os.environ["OMP_WAIT_POLICY"], os.environ["OPENBLAS_NUM_THREADS"])
"""


def test_threads_neither_spin_nor_share_small_matrices():
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "OPENBLAS_"))}
    script = SCRIPT.format(path=str(Path(launch.__file__)))
    done = subprocess.run([sys.executable, "-I", "-c", script], env=environment, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.splitlines()[-1] == "PASSIVE 1"
