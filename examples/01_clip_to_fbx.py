"""Reconstruct a clip as an .fbx with an armature, a skinned mesh and keyframes, and write the motion beside it as an .npz.

    python examples/01_clip_to_fbx.py dance.mp4 dance.fbx [--frames 0:100]

Run it with the Python of the backend's environment (.venv/bin/python after `python3 build.py setup`). Further arguments are passed to
`meshrec reconstruct`.
"""

import sys
from pathlib import Path

from blender_meshrec.cli import main


def clip_to_fbx(clip: str, fbx: str, options: list[str]) -> int:
    """Reconstruct the largest person of a clip; returns the exit code of `meshrec`."""
    motion = str(Path(fbx).with_suffix(".npz"))
    return main(["reconstruct", clip, "-o", motion, *options]) or main(["convert", motion, "-o", fbx])


if __name__ == "__main__":
    sys.exit(clip_to_fbx(sys.argv[1], sys.argv[2], sys.argv[3:]))
