"""Two people who cross, hide, hug and hold each other, filmed with truth: identities, hidden limbs, distance, floor and stature.

    .venv/bin/python -m scripts.evaluate.filmed_people make MOCAP FOLDER [NAME...]
    .venv/bin/python -m scripts.evaluate.filmed_people measure FOLDER [NAME...] [--lens] [--write]

`make` films two open bodies, which perform motion capture of the test subjects on one floor, by a still camera: FOLDER/NAME.mp4, and the
truth in NAME.npz. `measure` reconstructs every clip as `meshrec reconstruct --person all` does and prints its row of the table in
docs/people.md: people found; frames in which the two are exchanged; PA-MPJPE of hidden and of seen limb joints, mm, and their ratio; the
error of the distance between the two, % and cm (medians); how far apart their floors are, cm; and the errors of their statures, %.
`--lens` gives the focal length. `--write` puts the table into docs/people.md.
"""

import argparse
import time
from pathlib import Path

import cv2
import torch

from blender_meshrec.backend.pipeline import recover
from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.bridge.messages import ReconstructRequest
from blender_meshrec.core.files.body_template import load_body
from scripts import ROOT
from scripts.evaluate.people_clips.acts import ACTS
from scripts.evaluate.people_clips.filming import FOCAL, film_act, load_truth
from scripts.evaluate.people_clips.measures import COLUMNS, compare_people, mean_row
from scripts.train.data.recordings import read_recordings

PAGE = ROOT / "docs" / "people.md"
HEADING = "## Two people, rendered"


def make(mocap: Path, folder: Path, names: list[str]) -> None:
    """Film the acts that are not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    recordings = {recording.name: recording for recording in read_recordings(mocap) if recording.testing}
    body = make_body(load_body("open"))
    for act in ACTS:
        path = folder / f"{act.name}.mp4"
        if not path.exists() and (not names or act.name in names):
            film_act(act, recordings, body, path)
            print(f"{path.name}: {act.frames} frames", flush=True)


def measure(folder: Path, names: list[str], lens: bool) -> list[str]:
    """Reconstruct the clips and print their rows."""
    body = make_body(load_body("open"))
    lines = [f"| {' | '.join(COLUMNS)} |", f"|{'---|' * len(COLUMNS)}"]
    print("\n".join(lines), flush=True)
    rows: list[dict[str, float]] = []
    for act in ACTS:
        path = folder / f"{act.name}.mp4"
        if not path.exists() or (names and act.name not in names):
            continue
        request = ReconstructRequest(
            str(path), person="all", cache=str(folder / "cache"), device="cpu", focal=f"{FOCAL:.0f}px" if lens else None
        )
        begun = time.process_time()
        result = recover(request)
        rows.append(compare_people(body, result.recoveries, load_truth(path.with_suffix(".npz"))))
        lines.append(_line(act.name, rows[-1]))
        print(lines[-1], f" {time.process_time() - begun:.0f} s CPU", flush=True)
    lines.append(_line("mean", mean_row(rows)))
    print(lines[-1], flush=True)
    return lines


def _line(name: str, row: dict[str, float]) -> str:
    return f"| {' | '.join([name, *(column.format(row) for column in COLUMNS.values() if column is not None)])} |"


def write_section(lines: list[str]) -> None:
    """Replace the table of docs/people.md; the text before it and behind it stays."""
    before, found, after = PAGE.read_text(encoding="utf-8").partition(HEADING)
    if not found:
        raise ValueError(f"{PAGE.name} has no heading {HEADING!r}")
    kept = after.split("\n")
    first = next(row for row, line in enumerate(kept) if line.startswith("|"))
    last = next((row for row in range(first, len(kept)) if not kept[row].startswith("|")), len(kept))
    PAGE.write_text(before + found + "\n".join([*kept[:first], *lines, *kept[last:]]), encoding="utf-8")


def main() -> None:
    """Film or measure as the command line says."""
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    making, measuring = commands.add_parser("make"), commands.add_parser("measure")
    making.add_argument("mocap", type=Path, help="folder of the motion capture")
    for command in (making, measuring):
        command.add_argument("folder", type=Path)
        command.add_argument("names", nargs="*", help="of the acts; all without any")
    measuring.add_argument("--lens", action="store_true", help="give the focal length")
    measuring.add_argument("--write", action="store_true", help=f"write the table into docs/{PAGE.name}")
    settings = parser.parse_args()
    if settings.command == "make":
        make(settings.mocap, settings.folder, settings.names)
        return
    lines = measure(settings.folder, settings.names, settings.lens)
    if settings.write:
        write_section(lines)


if __name__ == "__main__":
    main()
