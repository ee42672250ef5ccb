"""Lock files of the backend's environment: which ones a device needs, and the packages that they list."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import ModelError
from .backend_location import PACKAGE_FOLDER, PathName

INSTALLER_LOCK = "installer.txt"
BACKEND_LOCK = "backend.txt"
TORCH_LOCK = "torch.txt"
TORCH_CPU_LOCK = "torch-cpu.txt"
# Sizes of the larger wheels, MB, for Linux and Python 3.11: lock files have none. For progress and the check of disk space.
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
    "scipy": 35,
    "numpy": 17,
    "matplotlib": 10,
    "pillow": 8,
    "sympy": 6,
    "fonttools": 5,
}
_DEFAULT_MEGABYTES = 1
# Ratio of a package's installed size to its wheel's: 3.1 for all packages of the CPU together, less for CUDA's libraries.
_INSTALLED_RATIO = 3.5
_INSTALLED_RATIO_CUDA = 2.0


@dataclass(frozen=True)
class Requirement:
    """One entry of a lock file: the package, its pinned version, and the entry's lines with all hashes."""

    name: str
    version: str
    entry: str

    @property
    def key(self) -> str:
        """The name under which an environment records that the package is installed."""
        return f"{self.name}=={self.version}"

    @property
    def megabytes(self) -> int:
        """Approximate size of the download, MB."""
        return _WHEEL_MEGABYTES.get(f"{self.name}+cpu" if self.version.endswith("+cpu") else self.name, _DEFAULT_MEGABYTES)

    @property
    def installed_megabytes(self) -> float:
        """Upper estimate of the disk space it needs, MB."""
        return self.megabytes * (_INSTALLED_RATIO_CUDA if self.name.startswith("nvidia-") else _INSTALLED_RATIO)

    @property
    def hashes(self) -> set[str]:
        """The sha256 of every file that may be installed."""
        return set(re.findall(r"--hash=sha256:([0-9a-f]{64})", self.entry))


def locks_folder() -> Path:
    """The folder of the lock files: inside the package (in the extension), or beside it (in a checkout).

    Raises:
        ModelError: there is none.
    """
    for folder in (PACKAGE_FOLDER / "locks", PACKAGE_FOLDER.parent / "locks"):
        if (folder / BACKEND_LOCK).is_file():
            return folder
    raise ModelError("package-list-missing", "The list of the backend's packages is missing.", "Install the add-on again from its zip.")


def read_lock(path: PathName) -> list[Requirement]:
    """The Requirements of a lock file, in its order; environment markers are not evaluated.

    Raises:
        ValueError: an entry has no pinned version.
    """
    text = re.sub(r"^#.*\n", "", Path(path).read_text(encoding="utf-8"), flags=re.MULTILINE).strip()
    found = []
    for entry in filter(None, re.split(r"\n(?=[A-Za-z0-9])", text)):
        match = re.match(r"([A-Za-z0-9._-]+)==([^\s;\\]+)", entry)
        if match is None:
            raise ValueError(f"not a pinned requirement: {entry}")
        found.append(Requirement(match[1].lower(), match[2], entry))
    return found


def torch_locks(device: str) -> tuple[str, ...]:
    """The names of the lock files that torch may be installed from, the preferred one first.

    torch's default wheel for Linux depends on gigabytes of CUDA libraries. Its CPU build is not in pip's default index: it is used
    where pip's configuration or an offline bundle offers it.
    """
    return (TORCH_CPU_LOCK, TORCH_LOCK) if device == "cpu" else (TORCH_LOCK,)


def estimated_size(folder: PathName, device: str) -> tuple[float, float]:
    """About how many MB the packages for a device are to download, and how many they take on the disk. Other systems' are left out."""
    needed = [entry for name in (torch_locks(device)[0], BACKEND_LOCK) for entry in read_lock(Path(folder) / name)]
    needed = [entry for entry in needed if device == "cuda" or not entry.name.startswith(("nvidia-", "triton"))]
    return sum(entry.megabytes for entry in needed), sum(entry.installed_megabytes for entry in needed)


def environment_hash(folder: PathName, device: str, version: tuple[int, ...]) -> str:
    """A short hash of an environment's inputs: the lock files, the device, and the Python's (major, minor)."""
    digest = hashlib.sha256(f"{device} {version[0]}.{version[1]}".encode())
    for name in (INSTALLER_LOCK, *torch_locks(device), BACKEND_LOCK):
        digest.update((Path(folder) / name).read_bytes())
    return digest.hexdigest()[:8]
