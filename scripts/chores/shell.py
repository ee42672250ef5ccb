"""Functions that run commands and print progress."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from scripts import ROOT

Command = Sequence[str | Path]


def print_line(text: str) -> None:
    """Print a progress line."""
    print(f"-- {text}", flush=True)


def run(command: Command) -> None:
    """Run a command; exit with a message if it fails."""
    done = subprocess.run([str(part) for part in command], cwd=ROOT)
    if done.returncode:
        sys.exit(f"Failed ({done.returncode}): {' '.join(str(part) for part in command)}")


def is_successful(command: Command) -> bool:
    """Run a command silently; returns whether it succeeded."""
    return subprocess.run(command, cwd=ROOT, capture_output=True).returncode == 0


def run_output(command: Command) -> str:
    """Run a command; returns its output."""
    return subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=True, text=True, check=True).stdout
