"""Reconstruct one clip or image and draw the result; `build.py demo` calls this after set-up.

    python -m scripts.demo INPUT -o out [--person largest|all|N]

The `meshrec` command writes NAME.npz, NAME.blend, NAME.fbx and NAME.json (the report). Then this script draws the mesh over the footage:
NAME.jpg and, for a clip, NAME.mp4. 2D keypoints have no footage.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from blender_meshrec.cli import program
from blender_meshrec.core.errors import MeshRecError


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("input", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path("out"))
    parser.add_argument("--person", default="largest")
    arguments = parser.parse_args()
    name, out = arguments.input.stem, arguments.output
    motion, report = out / f"{name}.npz", out / f"{name}.json"
    code = program.main(["reconstruct", str(arguments.input), "-o", str(motion), "--person", arguments.person, "--report", str(report)])
    motions = sorted(out.glob(f"{name}.person*.npz")) if arguments.person == "all" else [motion]
    for path in motions if code == 0 else ():
        for suffix in (".blend", ".fbx"):
            code = code or program.main(["convert", str(path), "-o", str(path.with_suffix(suffix))])
    if code:
        return code
    from blender_meshrec.backend.detection.keypoints_file import is_keypoints

    try:
        if is_keypoints(arguments.input):
            print("2D keypoints have no footage to draw the result over: no picture was made.", file=sys.stderr)
        else:
            draw(motions, out / name)
    except MeshRecError as error:
        print(error, file=sys.stderr)
        return int(error.exit_code)
    print(json.dumps(json.loads(report.read_text()), indent=2))
    print("\n".join(f"{path}" for path in sorted(out.glob(f"{name}.*"))))
    return 0


def draw(motions: Sequence[Path], target: Path) -> None:
    """Draw the picture, and for a clip the video, of the motions of one piece of footage."""
    from blender_meshrec.backend.overlay import write_overlay
    from blender_meshrec.bodies.make_body import make_body
    from blender_meshrec.core.files.body_template import load_body
    from blender_meshrec.core.files.motion_npz import read_motion

    recoveries = [read_motion(path) for path in motions]
    moving = len(recoveries[0]) > 1
    video = target.with_name(target.name + ".mp4") if moving else None
    write_overlay(recoveries, make_body(load_body()), target.with_name(target.name + ".jpg"), video, num_moments=3 if moving else 1)


if __name__ == "__main__":
    sys.exit(main())
