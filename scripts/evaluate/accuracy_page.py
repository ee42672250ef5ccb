"""The tables of docs/accuracy.md in Markdown."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from scripts.evaluate.world_measures import MEASURES, Measure
from scripts.train.data.recordings import TEST_SUBJECTS

TableRow = dict[str, Any]  # clip, kind, noisy, lens, camera, and the numbers of MEASURES

SETTINGS = [(lens, noisy) for lens in ("unknown", "known") for noisy in (False, True)]
# Numbers of the table by kind of motion.
KIND_MEASURES = ("lifted_pa", "joints_pa", "mpjpe", "heading_mpjpe", "w_mpjpe_100", "pitch", "acceleration", "foot_speed", "f1")

DEFINITIONS = """
Frames in which the capture is known to be wrong do not count. Numbers are means over clips and cameras; "of the truth's" is the ratio of
two such means, since the ratio of a single clip says little where the truth stands still.

- Lens unknown: the solve begins with the image's diagonal as focal length; the true ones are 0.6 to 2.2 diagonals. Lens known: as given.
- PA-MPJPE: over the twelve limb joints against the captured ones, each frame aligned by a similarity. MPJPE: over the same joints in camera
  axes, with coinciding middles of the hips.
- World measures are over the same joints and the middle of the hips. World MPJPE: all frames turned about the vertical and moved as one, so
  that size, level and path count. WA-MPJPE: aligned by one similarity for the whole clip, and as in the literature for each 100 frames.
  W-MPJPE: each 100 frames aligned by the similarity of their first two. A rest of fewer than 50 frames does not count. Root translation
  error: the mean distance of the hips' paths after one rigid transform, over the path's length.
- Pitch and roll: of the world's up in camera axes.
- Jitter: mean third time derivative of these joints. Peak speed: the 95th percentile. Speed of feet: horizontal, of the soles while the
  truth is in contact. Below the floor: the 95th percentile over frames of the depth of the lowest point.
- Reprojection: as in reports, the median distance of the limb joints from the given keypoints, over the height of the box.
"""


def accuracy_tables(rows: Sequence[TableRow], num_clips: int, cameras: int) -> str:
    """The first part of the page: all measures by lens and noise, then some of them by kind of motion."""
    lines = [
        "# Accuracy on held-out motion",
        "",
        f"Made by `scripts/evaluate/accuracy.py` from {num_clips} clips of the motion-capture subjects {', '.join(TEST_SUBJECTS)}.",
        f"No network was trained on these subjects. {cameras} random static cameras film each clip as 2D joints (h36m17, 30 frames",
        "a second), exactly and with simulated detector noise.",
        "",
        "| | " + " | ".join(f"{_noise_name(noisy)}, lens {lens}" for lens, noisy in SETTINGS) + " |",
        "|---|" + "---:|" * len(SETTINGS),
    ]
    groups = [[row for row in rows if (row["lens"], row["noisy"]) == setting] for setting in SETTINGS]
    lines += [f"| {measure.heading} | " + " | ".join(_cell(measure, group) for group in groups) + " |" for measure in MEASURES]
    return "\n".join(lines) + "\n" + DEFINITIONS + kind_table(rows)


def kind_table(rows: Sequence[TableRow]) -> str:
    """KIND_MEASURES by kind of motion, with the lens unknown."""
    chosen = [measure for measure in MEASURES if measure.name in KIND_MEASURES]
    lines = [
        "\nBy kind of motion, lens unknown:\n",
        "| 2D joints | motion | clips | " + " | ".join(measure.heading for measure in chosen) + " |",
        "|---|---|" + "---:|" * (len(chosen) + 1),
    ]
    for noisy in (False, True):
        for kind in ("walking", "running and jumping", "other"):
            group = [row for row in rows if (row["lens"], row["noisy"], row["kind"]) == ("unknown", noisy, kind)]
            if group:
                cells = [str(len({row["clip"] for row in group})), *(_cell(measure, group) for measure in chosen)]
                lines.append(f"| {_noise_name(noisy)} | {kind} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _noise_name(noisy: bool) -> str:
    return "simulated detector noise" if noisy else "exact"


def _cell(measure: Measure, rows: Sequence[TableRow]) -> str:
    """One number of a table: the mean of a measure over some rows."""
    values = np.array([row[measure.name] for row in rows], float)
    value = _mean(values) / (_mean([row[measure.over] for row in rows]) if measure.over else 1)
    largest = f" ({np.nanmax(values):.{measure.digits}f})" if measure.with_largest else ""
    return f"{value:.{measure.digits}f}{largest}" if np.isfinite(value) else "–"


def _mean(values: Sequence[float] | np.ndarray) -> float:
    known = np.asarray(values, float)
    known = known[np.isfinite(known)]
    return float(known.mean()) if len(known) else float("nan")


def training_table(report: dict[str, Any]) -> str:
    """The second part of the page: the errors of the lifter alone by training, from lifter.metrics.json."""
    lines = [
        "\n## Training\n",
        "PA-MPJPE, mm, of the lifting network alone over the twelve limb joints, on exact 2D joints of whole clips, four random cameras.",
        "Unsupervised rows use the paper's single-frame network of width 256; the paper's table 1 has 64.3, 58.6 and 54.6.",
        "The proportion prior (ours) penalises differences between left and right bone lengths, and between the proportions of people.\n",
        "| training | adversarial loss | azimuth range | proportion prior | steps | hours | all | walking |",
        "|---|---|---|---|---:|---:|---:|---:|",
    ]
    own = report["pa_mpjpe_mm"]["h36m17 clean"]
    lines.append(f"| supervised | | | | {report['steps']} | {report['training_hours']} | {own['all']:.1f} | {own['walking']:.1f} |")
    for row in report["unsupervised"]:
        prior = "yes" if row["proportions"] else ""
        setting = f"{row['adversary']} | {row['azimuth']} | {prior} | {row['steps']} | {row['training_hours']}"
        errors = row["pa_mpjpe_mm"]
        lines.append(f"| unsupervised | {setting} | {errors['all']:.1f} | {errors['walking']:.1f} |")
    return "\n".join(lines) + "\n"
