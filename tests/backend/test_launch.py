"""How the backend's process is set up before anything is loaded."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

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


FAULTS = """
import resource, sys
sys.path.insert(0, {root!r})
from blender_meshrec.backend.launch import keep_freed_memory
import numpy as np
if {kept}: keep_freed_memory()
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20): np.full(250_000, 1.0)  # 2 MB
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(faults())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc gives memory back, other systems' allocators keep it")
def test_freed_memory_is_used_for_the_next_array():
    root = str(Path(launch.__file__).parents[2])
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    faults = []
    for kept in (False, True):
        words = [sys.executable, "-c", FAULTS.format(root=root, kept=kept)]
        faults.append(int(subprocess.run(words, env=environment, capture_output=True, check=True).stdout))
    assert faults[1] < 100 and faults[1] <= faults[0]
