"""What is installed in the backend's environment: its part of `meshrec doctor`."""

import importlib
import json
import platform
import sys
from typing import Any

from .mediapipe_import import import_mediapipe

# The modules that the backend needs -> the names of their packages.
REQUIRED_MODULES = {
    "numpy": "numpy",
    "torch": "torch",
    "av": "av",
    "cv2": "opencv-python",
    "mediapipe": "mediapipe",
    "roma": "roma",
    "scipy": "scipy",
}


def describe_environment() -> dict[str, Any]:
    """Versions of installed packages, reasons why others cannot be imported, and the devices torch can use; ready for JSON."""
    versions: dict[str, str] = {}
    missing: dict[str, str] = {}
    description: dict[str, Any] = {
        "python": platform.python_version(),
        "executable": sys.executable,
        "versions": versions,
        "missing": missing,
        "devices": [],
    }
    for module, package in REQUIRED_MODULES.items():
        try:
            imported = import_mediapipe() if module == "mediapipe" else importlib.import_module(module)
            versions[package] = getattr(imported, "__version__", "")
        except Exception as error:  # noqa: BLE001 - whatever a module raises, it cannot be used
            missing[package] = str(error) if isinstance(error, ImportError) else f"{type(error).__name__}: {error}"
    if "torch" in versions:
        import torch

        from .devices import is_usable

        devices = [kind for kind in ("cpu", "cuda", "mps") if is_usable(kind)]
        description["devices"] = devices
        description["device_names"] = {"cuda": torch.cuda.get_device_name()} if "cuda" in devices else {}
    return description


def main() -> None:
    """Print the description as the last line of standard output."""
    print(f"\n{json.dumps(describe_environment())}", flush=True)
