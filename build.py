#!/usr/bin/env python3
"""Set-up and all chores of the project; needs only Python 3.11 or later.

python3 build.py setup              make the environments from hash-pinned locks and prepare addon_models/ (Quality Best needs npm)
python3 build.py demo [INPUT] [-o]  reconstruct the bundled clip, or INPUT: .blend, .fbx, .npz, a picture, a video
python3 build.py test [ARGS]        lint, types, import rules and all tests; ARGS go to pytest
python3 build.py package            the extension zip in dist/, validated
python3 build.py package --offline  also a folder with all packages of the backend, for computers without a network
python3 build.py bench              the benchmark table, and out/bench.json
python3 build.py lock               resolve pyproject.toml into locks/*.txt again
"""

import argparse
import subprocess
import sys
from pathlib import Path

from scripts import ROOT
from scripts.chores.environments import BACKEND_VENV, setup, venv_python
from scripts.chores.locking import lock
from scripts.chores.packaging import package
from scripts.chores.testing import test


def main() -> int:
    parser = argparse.ArgumentParser(prog="build.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    chores = parser.add_subparsers(dest="chore", required=True)
    chores.add_parser("setup").set_defaults(run=run_setup)
    demo_parser = chores.add_parser("demo")
    demo_parser.add_argument("input", nargs="?", default=str(ROOT / "scripts" / "demo_clip.mp4"))
    demo_parser.add_argument("-o", "--output", default=str(ROOT / "out"))
    demo_parser.set_defaults(run=demo)
    chores.add_parser("test", add_help=False).set_defaults(run=test)
    package_parser = chores.add_parser("package")
    package_parser.add_argument("--offline", action="store_true", help="make the offline bundle, too, for this system")
    package_parser.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto", help="what the bundle is for")
    package_parser.add_argument("--python", default="3.11", metavar="VERSION", help="the Python that the bundle is for (3.11)")
    package_parser.set_defaults(run=package)
    chores.add_parser("bench").set_defaults(run=bench)
    chores.add_parser("lock").set_defaults(run=run_lock)
    arguments, rest = parser.parse_known_args()
    if rest and arguments.chore != "test":
        parser.error(f"unknown arguments: {' '.join(rest)}")
    arguments.rest = rest
    return arguments.run(arguments)


def run_setup(arguments: argparse.Namespace) -> int:
    """Make the environments, and the larger landmark model if npm is installed."""
    return setup(best_model=None)


def run_lock(arguments: argparse.Namespace) -> int:
    """Resolve the locks."""
    return lock()


def demo(arguments: argparse.Namespace) -> int:
    """The README's first command: set-up, then a reconstruction of one clip."""
    setup()
    command = [venv_python(BACKEND_VENV), "-m", "scripts.demo", Path(arguments.input).absolute(), "-o", Path(arguments.output).absolute()]
    return subprocess.run([str(part) for part in command], cwd=ROOT).returncode


def bench(arguments: argparse.Namespace) -> int:
    """Measure the benchmark table."""
    setup()
    command = [str(venv_python(BACKEND_VENV)), "-m", "scripts.bench.table", "-o", str(ROOT / "out" / "bench.json")]
    return subprocess.run(command, cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(main())
