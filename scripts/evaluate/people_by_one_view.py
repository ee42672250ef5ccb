"""Reconstruct the people of each of some calibrated, synchronised videos alone; compare with the triangulation of all views.

    .venv/bin/python -m scripts.evaluate.people_by_one_view CALIBRATION cam01.mp4 cam02.mp4 ... [--cache FOLDER]

Nothing is said of the cameras to the reconstructions. Printed are, for each view: the solved lens and tilt beside the calibration's, the
statures, how far the lowest points of two people are apart in height, and by how much the distance between them is wrong: the median over
the frames in which all views see both. The reference is the one of scripts/evaluate/several_views.py.
"""

import argparse
from collections.abc import Sequence
from itertools import permutations
from pathlib import Path
from typing import NamedTuple

import numpy as np

from blender_meshrec.backend.fitting.tilt_from_lines import tilt_of_up
from blender_meshrec.backend.pipeline import recover
from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.bodies.smpl import Smpl
from blender_meshrec.bridge.messages import ReconstructRequest
from blender_meshrec.core.array_types import BoolArray, FloatArray
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.metrics import pa_mpjpe
from blender_meshrec.core.records import Recovery
from blender_meshrec.core.skeletons import H36M17, SMPL_JOINTS
from scripts.evaluate.several_views import BODY_LIMBS, LIMBS, Reference
from scripts.evaluate.world_measures import pose_body

HIPS, BODY_HIPS = ([names.index(f"{side}_hip") for side in ("left", "right")] for names in (H36M17, SMPL_JOINTS))


class Pair(NamedTuple):
    """Two people of the reference: joints (F,17,3) m of each, and the frames (F,) in which all views see both."""

    first: FloatArray
    second: FloatArray
    known: BoolArray


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("calibration", type=Path)
    parser.add_argument("views", nargs="+", help="videos that begin together")
    parser.add_argument("--cache", help="folder of detections")
    arguments = parser.parse_args()
    reference = Reference(arguments.calibration, arguments.views, arguments.cache)
    if len(reference.people) < 2:
        raise SystemExit("All views together see fewer than two people.")
    (_tracks, first, known_first), (_others, second, known_second) = reference.people[:2]
    pair, body = Pair(first, second, known_first & known_second), make_body(load_body("open"))
    for source, matrix in zip(arguments.views, reference.matrices, strict=True):
        result = recover(ReconstructRequest(source, person="all", cache=arguments.cache))
        report, (pitch, roll) = result.report, np.degrees(tilt_of_up(matrix[:, 2]))
        print(
            f"{Path(source).stem}: lens {report['lens']['focal_px']} px ({report['lens']['source']}), "
            f"pitch and roll {report['gravity']['pitch']}, {report['gravity']['roll']} degrees, "
            f"by the calibration {pitch:.1f}, {roll:.1f}, "
            f"statures {[person['height_cm'] for person in report['people']]} cm; {compare(result.recoveries, pair, body)}",
            flush=True,
        )


def compare(people: Sequence[Recovery], pair: Pair, body: Smpl) -> str:
    """How two of the people found stand to each other, beside the pair of the reference."""
    if len(people) < 2:
        return "fewer than two people found"
    rows = pair.known[: min(len(person) for person in people)]

    def unlike(found: Recovery, true: FloatArray) -> float:
        return pa_mpjpe(found.joints[: len(rows)][rows][:, BODY_LIMBS], true[: len(rows)][rows][:, LIMBS])

    one, other = min(permutations(people, 2), key=lambda found: unlike(found[0], pair.first) + unlike(found[1], pair.second))
    true, found = (
        np.linalg.norm(np.mean(first[: len(rows)][rows][:, hips] - second[: len(rows)][rows][:, hips], axis=1), axis=-1)
        for first, second, hips in ((pair.first, pair.second, HIPS), (one.joints.astype(float), other.joints.astype(float), BODY_HIPS))
    )
    lowest = [np.median(pose_body(body, person.betas, person.poses, person.trans)[0][..., 2].min(1)) for person in (one, other)]
    return (
        f"distance {np.median(found):.2f} m instead of {np.median(true):.2f}, {100 * np.median(np.abs(found / true - 1)):.1f} % wrong; "
        f"floors {100 * abs(lowest[0] - lowest[1]):.1f} cm apart"
    )


if __name__ == "__main__":
    main()
