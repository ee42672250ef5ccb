"""What build.py has packaged: the extension and the backend's packages that a window is given."""

from pathlib import Path

from scripts import ROOT

EXTENSION = "blender_meshrec-*.zip"
BUNDLE = "blender_meshrec-*-offline-linux_x86_64-py311-cpu"


def newest_build(pattern: str) -> Path | None:
    """The file or folder in dist/ that was made last, of those whose names match a pattern; None where there is none."""
    return max((ROOT / "dist").glob(pattern), key=lambda path: path.stat().st_mtime, default=None)
