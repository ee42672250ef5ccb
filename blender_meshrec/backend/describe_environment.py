"""What this environment has: the backend's half of `meshrec doctor`."""

import importlib
import json
import platform
import sys

# What the backend cannot do without: module -> how the package index calls it.
REQUIRED_MODULES = {"numpy": "numpy", "torch": "torch", "av": "av", "cv2": "opencv-python", "mediapipe": "mediapipe", "roma": "roma"}


def describe_environment():
    """Versions of what is installed, why what is missing is missing, and the devices torch can use; ready for JSON."""
    found = {"python": platform.python_version(), "executable": sys.executable, "versions": {}, "missing": {}, "devices": []}
    for module, package in REQUIRED_MODULES.items():
        try:
            found["versions"][package] = getattr(importlib.import_module(module), "__version__", "")
        except ImportError as error:
            found["missing"][package] = str(error)
    if "torch" in found["versions"]:
        import torch

        from .devices import is_usable

        found["devices"] = [kind for kind in ("cpu", "cuda", "mps") if is_usable(kind)]
        found["device_names"] = {"cuda": torch.cuda.get_device_name()} if "cuda" in found["devices"] else {}
    return found


def main():
    """Print the description as the last line of standard output."""
    print(f"\n{json.dumps(describe_environment())}", flush=True)
