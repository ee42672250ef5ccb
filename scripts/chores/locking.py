"""Resolves pyproject.toml into the hash-pinned locks."""

import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

from scripts.chores.environments import BLENDER_PYTHONS, LOCKS, find_python, venv_python
from scripts.chores.shell import run

UV = "uv==0.13.8"
PIP = "pip==26.3"  # installs the backend for the add-on; it resumes interrupted downloads


def lock() -> int:
    """Resolve pyproject.toml for every platform with uv, with hashes."""
    LOCKS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        uv_home = Path(scratch) / "uv"
        run([find_python("3.11"), "-m", "venv", uv_home])
        run([venv_python(uv_home), "-m", "pip", "install", "-q", UV])
        uv = venv_python(uv_home).parent / "uv"

        def resolve(name: str, *arguments: str | Path) -> None:
            base = ["--universal", "--generate-hashes", "--no-header", "--no-annotate", "-q"]
            run([uv, "pip", "compile", *base, *arguments, "-o", LOCKS / f"{name}.txt"])

        installer = Path(scratch) / "installer.in"
        installer.write_text(f"{PIP}\n")
        resolve("installer", installer, "--python-version", "3.11")
        resolve("backend", "pyproject.toml", "--extra", "backend", "--python-version", "3.11")
        split_torch(LOCKS / "backend.txt", LOCKS / "torch.txt")
        constraints = ("-c", LOCKS / "backend.txt", "-c", LOCKS / "torch.txt")
        resolve("tools", "--group", "pyproject.toml:tools", *constraints, "--python-version", "3.11")
        keep_difference(LOCKS / "tools.txt", (LOCKS / "backend.txt", LOCKS / "torch.txt"))
        for version, python in BLENDER_PYTHONS.items():
            resolve(f"bpy-{version}", "--group", f"pyproject.toml:bpy-{version.replace('.', '_')}", "--python-version", python)
    return 0


def parse_lock_entries(text: str) -> dict[str, str]:
    """A lock's entries, {name: the entry's lines}."""
    entries = re.split(r"\n(?=[A-Za-z0-9])", text.strip())
    named = ((re.match(r"[A-Za-z0-9._-]+", entry), entry) for entry in entries)
    return {name[0]: entry for name, entry in named if name}


def split_torch(backend: Path, torch: Path) -> None:
    """Move torch and its CUDA libraries for Linux to a separate lock, which the lock of a CPU build can replace."""
    blocks = re.split(r"\n(?=[A-Za-z0-9])", backend.read_text().strip())
    moved = [block for block in blocks if re.match(r"(torch|nvidia|cuda|triton)", block)]
    backend.write_text("\n".join(block for block in blocks if block not in moved) + "\n")
    torch.write_text("\n".join(moved) + "\n")


def keep_difference(lock_file: Path, others: Iterable[Path]) -> None:
    """Remove from a lock the packages of other locks."""
    known = set().union(*(parse_lock_entries(other.read_text()) for other in others))
    remaining = [block for name, block in parse_lock_entries(lock_file.read_text()).items() if name not in known]
    lock_file.write_text("\n".join(remaining) + "\n")
