"""What trains, measures and makes the project's files; each script runs from the checkout as `python -m scripts.FOLDER.NAME`."""

import os
from pathlib import Path

from blender_meshrec.backend.launch import keep_freed_memory

# As backend/launch.py begins, before numpy is loaded: threads share small matrices badly.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
keep_freed_memory()
ROOT = Path(__file__).resolve().parents[1]
