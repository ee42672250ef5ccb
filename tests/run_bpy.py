"""Run one test file inside a Blender module and leave without tearing Blender down, which hangs or crashes in some releases.

python tests/run_bpy.py tests/scene/test_assemble.py [pytest arguments]
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def main():
    sys.path.insert(0, str(ROOT))
    # Blender reads this when bpy is first imported, so that no test meets the add-ons or settings of this machine.
    resources = tempfile.mkdtemp(prefix="meshrec-blender-")
    os.environ.setdefault("BLENDER_USER_RESOURCES", resources)
    try:
        # Without the cache: several Blenders run the same file at the same time.
        returncode = pytest.main(["-q", "-p", "no:cacheprovider", f"--rootdir={ROOT}", *sys.argv[1:]])
    finally:
        shutil.rmtree(resources, ignore_errors=True)  # here, because os._exit runs no exit handlers
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(returncode)


if __name__ == "__main__":
    main()
