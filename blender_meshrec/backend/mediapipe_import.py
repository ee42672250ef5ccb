"""The import of MediaPipe."""

import importlib
import sys
from types import ModuleType


def import_mediapipe() -> ModuleType:
    """MediaPipe without its audio part, which nothing here uses.

    That part opens the computer's sound system when it is imported, and fails where none is running, as on servers with Windows; it is
    left out where its module cannot be imported.
    """
    sys.modules.setdefault("sounddevice", None)  # pyrefly: ignore[no-matching-overload] - Python's own mark of a blocked module
    return importlib.import_module("mediapipe")
