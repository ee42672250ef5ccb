"""The packages made by build.py that the window tests use: the extension, and the backend's offline bundle."""

from pathlib import Path

from scripts import ROOT

EXTENSION = "blender_meshrec-*.zip"
BUNDLE = "blender_meshrec-*-offline-linux_x86_64-py311-cpu"


def newest_build(pattern: str) -> Path | None:
    """The newest file or folder in dist/ whose name matches a pattern; None if there is none."""
    return max((ROOT / "dist").glob(pattern), key=lambda path: path.stat().st_mtime, default=None)
