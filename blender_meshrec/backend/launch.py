"""Start the backend by the path of this file, so that the package need not be importable.

python -I launch.py               answer requests from standard input on standard output, until it ends (see bridge/wire.py)
python -I launch.py background    the same, at low priority, so that Blender's window stays responsive
python -I launch.py pictures      the same, and each answer has a picture of its worst moment
python -I launch.py describe      print what is installed in this environment, as JSON
"""

import ctypes
import importlib
import importlib.util
import os
import sys
from pathlib import Path

PACKAGE_DIR = Path(__file__).resolve().parents[1]
PACKAGE_NAME = "blender_meshrec"
NICE_INCREMENT = 15  # of at most 19, on systems without SCHED_IDLE
# glibc's malloc gets blocks larger than M_MMAP_THRESHOLD from the system one by one, and gives free memory beyond M_TRIM_THRESHOLD back;
# the numbers of both parameters, and their values, bytes.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
FREE_MEMORY, LARGEST_BLOCK = 256 << 20, 32 << 20


def import_package() -> None:
    """Make the package importable under PACKAGE_NAME, whatever its folder is called.

    Its parent folder is not put on the path: other add-ons are there, whose names could hide installed modules.
    """
    spec = importlib.util.spec_from_file_location(PACKAGE_NAME, PACKAGE_DIR / "__init__.py", submodule_search_locations=[str(PACKAGE_DIR)])
    if spec is None or spec.loader is None:
        raise ImportError(f"{PACKAGE_DIR} is not a package")
    package = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE_NAME] = package
    spec.loader.exec_module(package)


def lower_priority() -> None:
    """Give other processes precedence. On Windows the client starts this process with a low priority."""
    if hasattr(os, "SCHED_IDLE"):
        # A nice value only reduces each thread's share of a core, and torch has several threads a core; SCHED_IDLE uses only idle time.
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    elif hasattr(os, "nice"):
        os.nice(NICE_INCREMENT)


def keep_freed_memory() -> None:
    """Let the memory of arrays that are freed be used for the next ones.

    On Linux it would go back to the system at once, which clears it page by page for the next array: a third of a network's time.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:  # it is glibc's
        mallopt(M_MMAP_THRESHOLD, LARGEST_BLOCK)
        mallopt(M_TRIM_THRESHOLD, FREE_MEMORY)


if __name__ == "__main__":
    # Waiting threads must sleep: spinning ones take the cores that Blender or a second backend uses, and torch on two busy
    # cores becomes many times slower. OpenMP reads this when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # numpy's matrices are small here (the whole-clip solve): their threads wait for each other, nine times as long as one thread takes.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    keep_freed_memory()
    words = sys.argv[1:]
    if "background" in words:
        lower_priority()
    import_package()
    if "describe" in words:
        importlib.import_module(f"{PACKAGE_NAME}.backend.describe_environment").main()
    else:
        importlib.import_module(f"{PACKAGE_NAME}.backend.worker").main(with_pictures="pictures" in words)
