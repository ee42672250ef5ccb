"""What trains, measures and makes the project's files; each script runs from the checkout as `python -m scripts.FOLDER.NAME`."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
