"""Running commands, and what a chore prints."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from scripts import ROOT

Command = Sequence[str | Path]


def print_line(text: str) -> None:
    print(f"-- {text}", flush=True)


def run(command: Command) -> None:
    """Run a command; end this program with its exit code where it fails."""
    done = subprocess.run([str(part) for part in command], cwd=ROOT)
    if done.returncode:
        sys.exit(f"Failed ({done.returncode}): {' '.join(str(part) for part in command)}")


def is_successful(command: Command) -> bool:
    return subprocess.run(command, cwd=ROOT, capture_output=True).returncode == 0


def run_output(command: Command) -> str:
    return subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=True, text=True, check=True).stdout
