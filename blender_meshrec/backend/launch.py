"""Start the backend by this file's path: its Python needs nothing of the package on its own path.

python -I launch.py               read one request from standard input, answer on standard output (see bridge/wire.py)
python -I launch.py considerate   the same, and the window that waits for the answer goes first
python -I launch.py describe      print what this environment has, as JSON
"""

import importlib
import importlib.util
import os
import sys
from pathlib import Path

PACKAGE_DIR = Path(__file__).resolve().parents[1]
PACKAGE_NAME = "blender_meshrec"
NICE_INCREMENT = 15  # of the 19 that a process may step back, where a system knows no better way


def import_package():
    """Make the package importable from where it lies, whatever its folder is called.

    Its parent folder stays off the path: other add-ons live there, and their names could hide installed modules.
    """
    spec = importlib.util.spec_from_file_location(PACKAGE_NAME, PACKAGE_DIR / "__init__.py", submodule_search_locations=[str(PACKAGE_DIR)])
    package = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE_NAME] = package
    spec.loader.exec_module(package)


def lower_priority():
    """Let Blender's window go first. On Windows, the client starts us so."""
    if hasattr(os, "SCHED_IDLE"):
        # A step back is a smaller share for each of our threads, and there are several on a core; this is what the others leave.
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    elif hasattr(os, "nice"):
        os.nice(NICE_INCREMENT)


if __name__ == "__main__":
    # Threads that wait must sleep: spinning ones take the cores that Blender, or a second backend, is working on, and
    # torch on two busy cores becomes many times slower. OpenMP reads this when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if sys.argv[1:] == ["considerate"]:
        lower_priority()
    import_package()
    if sys.argv[1:] == ["describe"]:
        importlib.import_module(f"{PACKAGE_NAME}.backend.describe_environment").main()
    else:
        importlib.import_module(f"{PACKAGE_NAME}.backend.worker").main()
