"""The locks that the backend's environment is made from: which belong to a device, and what they ask of a Python."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import ModelError
from .backend_location import PACKAGE_FOLDER

INSTALLER_LOCK = "installer.txt"
BACKEND_LOCK = "backend.txt"
TORCH_LOCK = "torch.txt"
TORCH_CPU_LOCK = "torch-cpu.txt"
# Megabytes of the larger wheels, as they were for Linux and Python 3.11; a lock does not say. For progress and the disk check.
_WHEEL_MEGABYTES = {
    "torch": 550,
    "torch+cpu": 190,
    "triton": 200,
    "nvidia-cudnn-cu13": 550,
    "nvidia-cublas": 420,
    "nvidia-nccl-cu13": 215,
    "nvidia-cufft": 215,
    "nvidia-cusolver": 200,
    "nvidia-cusparselt-cu13": 170,
    "nvidia-cusparse": 145,
    "nvidia-cuda-nvrtc": 90,
    "nvidia-nvshmem-cu13": 60,
    "nvidia-curand": 60,
    "nvidia-nvjitlink": 40,
    "nvidia-cuda-cupti": 11,
    "opencv-python": 74,
    "opencv-contrib-python": 80,
    "av": 36,
    "mediapipe": 36,
    "numpy": 17,
    "matplotlib": 10,
    "pillow": 8,
    "sympy": 6,
    "fonttools": 5,
}
_DEFAULT_MEGABYTES = 1
# How much larger than its file a package is once installed: all of the CPU's together 3.1 times, CUDA's libraries less.
_INSTALLED_RATIO = 3.5
_INSTALLED_RATIO_CUDA = 2.0


@dataclass(frozen=True)
class Requirement:
    """One entry of a lock: the package, its pinned version, and the entry's lines with all their hashes."""

    name: str
    version: str
    entry: str

    @property
    def key(self):
        """What it is called where it is remembered that it was installed."""
        return f"{self.name}=={self.version}"

    @property
    def megabytes(self):
        """How much there is to load, roughly."""
        return _WHEEL_MEGABYTES.get(f"{self.name}+cpu" if self.version.endswith("+cpu") else self.name, _DEFAULT_MEGABYTES)

    @property
    def installed_megabytes(self):
        """How much of the disk it takes, rather too much than too little."""
        return self.megabytes * (_INSTALLED_RATIO_CUDA if self.name.startswith("nvidia-") else _INSTALLED_RATIO)

    @property
    def hashes(self):
        """The sha256 of every file that may be installed for it."""
        return set(re.findall(r"--hash=sha256:([0-9a-f]{64})", self.entry))


def locks_folder():
    """Where the locks lie: inside the package (the extension), or beside it (a checkout).

    Raises:
        ModelError: they are missing.
    """
    for folder in (PACKAGE_FOLDER / "locks", PACKAGE_FOLDER.parent / "locks"):
        if (folder / BACKEND_LOCK).is_file():
            return folder
    raise ModelError("package-list-missing", "The list of the backend's packages is missing.", "Install the add-on again from its zip.")


def read_lock(path):
    """The Requirements of a lock, in its order; markers are left to pip."""
    text = re.sub(r"^#.*\n", "", Path(path).read_text(encoding="utf-8"), flags=re.MULTILINE).strip()
    found = []
    for entry in filter(None, re.split(r"\n(?=[A-Za-z0-9])", text)):
        match = re.match(r"([A-Za-z0-9._-]+)==([^\s;\\]+)", entry)
        found.append(Requirement(match[1].lower(), match[2], entry))
    return found


def torch_locks(device):
    """The names of the locks that torch may come from, the better first.

    torch's usual file for Linux brings gigabytes of CUDA. Its CPU build has no place in the package index that pip knows
    by itself: it is taken where pip's configuration, or an offline bundle, has it.
    """
    return (TORCH_CPU_LOCK, TORCH_LOCK) if device == "cpu" else (TORCH_LOCK,)


def environment_hash(folder, device, version):
    """A short name for what an environment is made from: the locks, the device, and the Python's (major, minor)."""
    digest = hashlib.sha256(f"{device} {version[0]}.{version[1]}".encode())
    for name in (INSTALLER_LOCK, *torch_locks(device), BACKEND_LOCK):
        digest.update((Path(folder) / name).read_bytes())
    return digest.hexdigest()[:8]
