"""Model files that are made from pinned packages: written once, if their sha256 is the one that addon_models/weights.toml lists."""

import argparse
import hashlib
import sys
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

from scripts import ROOT

WEIGHTS = ROOT / "addon_models" / "weights.toml"


def make_listed_file(description: str | None, default: str, make: Callable[[Path], bytes], arguments: Sequence[str] | None) -> None:
    """Write the file that the command line names, unless it exists with the right sha256; exit with a message if it cannot be made.

    Args:
        description: the script's docstring. default: the name of the file if none is given. make: its bytes, for a path. arguments: of the
            command line.
    """
    parser = argparse.ArgumentParser(description=(description or "").split("\n")[0])
    parser.add_argument("out", type=Path, nargs="?", default=ROOT / "addon_models" / default)
    out = parser.parse_args(arguments).out
    expected = expected_sha256(out.name)
    if is_listed(out):
        return
    content = make(out)
    if sha256(content) != expected:
        sys.exit(f"{out.name} came out as sha256 {sha256(content)}, not {expected} as {WEIGHTS.name} says. Keep the locked versions.")
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_suffix(".partial")
    partial.write_bytes(content)
    partial.replace(out)
    print(f"wrote {out} ({len(content) / 1e6:.1f} MB)")


def is_listed(path: Path) -> bool:
    """Whether a file exists and is the one that addon_models/weights.toml lists under its name."""
    return path.is_file() and sha256(path.read_bytes()) == expected_sha256(path.name)


def expected_sha256(name: str) -> str:
    """The sha256 of a file in addon_models/weights.toml."""
    for entry in tomllib.loads(WEIGHTS.read_text("utf-8"))["weights"]:
        if entry["file"] == name:
            return entry["sha256"]
    sys.exit(f"{WEIGHTS.name} does not list {name}. Call the output as it does.")


def sha256(content: bytes) -> str:
    """The hexadecimal sha256 of bytes."""
    return hashlib.sha256(content).hexdigest()
