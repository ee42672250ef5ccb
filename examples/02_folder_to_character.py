"""Retarget every clip of a folder onto one character, one .fbx per clip.

    python examples/02_folder_to_character.py FOLDER CHARACTER.fbx OUT [--frames 0:100]

CHARACTER is any humanoid that `meshrec retarget --rig` reads (.fbx .glb .vrm .blend).
"""

import sys
from pathlib import Path

from blender_meshrec.cli import main

VIDEO_SUFFIXES = {".mp4", ".mov", ".avi", ".mkv", ".webm"}


def folder_to_character(folder: str, character: str, out: str, options: list[str]) -> int:
    """Retarget the largest person of every clip; returns the highest exit code of `meshrec`."""
    clips = sorted(str(path) for path in Path(folder).iterdir() if path.suffix.lower() in VIDEO_SUFFIXES)
    Path(out).mkdir(exist_ok=True)
    return main(["reconstruct", *clips, "--rig", character, "--format", "fbx", "-o", out, *options])


if __name__ == "__main__":
    sys.exit(folder_to_character(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]))
