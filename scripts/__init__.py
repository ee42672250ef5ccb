"""What trains, measures and makes the project's files; each script runs from the checkout as `python -m scripts.FOLDER.NAME`."""

import os
from pathlib import Path

# As in backend/launch.py, before numpy is loaded: threads share small matrices badly.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parents[1]
