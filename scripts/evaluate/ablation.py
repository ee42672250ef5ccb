"""What each residual of the whole-clip solve is good for: held-out motion capture reconstructed without one of them at a time.

    .venv/bin/python -m scripts.evaluate.ablation MOCAP [--every 2] [--rows NAME...]

Prints the table of docs/accuracy.md: the cases of scripts/evaluate/accuracy.py with simulated detector noise and an unknown lens, one
camera a clip.
"""

import argparse
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from blender_meshrec.backend.fitting.clip_solve import weights
from blender_meshrec.backend.fitting.clip_solve.body_residuals import PosePrior, StandingKnees
from blender_meshrec.backend.fitting.clip_solve.equations import Equations
from blender_meshrec.backend.fitting.clip_solve.ground_residuals import ContactPlace, ContactSpeed, Heights
from blender_meshrec.backend.fitting.clip_solve.image_residuals import LiftedBones, Reprojection
from blender_meshrec.backend.fitting.clip_solve.motion_residuals import Acceleration, TurnAcceleration
from blender_meshrec.backend.fitting.clip_solve.standing_balance import StandingBalance
from blender_meshrec.backend.passes import feet
from scripts.evaluate.accuracy import Task, measure, read_recordings
from scripts.evaluate.accuracy_page import TableRow

# The columns: a measure of world_measures.py, its heading, digits, and the measure by whose mean it is divided.
COLUMNS = (
    ("joints_pa", "PA-MPJPE, mm", 1, ""),
    ("mpjpe", "MPJPE, mm", 1, ""),
    ("heading_mpjpe", "world MPJPE, mm", 1, ""),
    ("wa_mpjpe", "WA-MPJPE, mm", 1, ""),
    ("pitch", "camera pitch error, degrees", 1, ""),
    ("acceleration", "acceleration error, m/s²", 1, ""),
    ("jitter", "jitter, of the truth's", 2, "true_jitter"),
    ("foot_speed", "speed of feet in contact, cm/s", 1, ""),
    ("skin_below", "depth of the skin below the floor, mm", 1, ""),
    ("reprojection", "reprojection, % of the box", 2, ""),
)


def without(*residuals: type[Any]) -> Callable[[], Any]:
    """A change of the solve: some residuals say nothing."""

    def silent(self: Any, points: object, world: object, equations: Equations | None) -> float:
        return 0.0

    @contextmanager
    def change() -> Generator[None]:
        with ExitStack() as stack:
            for residual in residuals:
                stack.enter_context(patch.object(residual, "add", silent))
            yield

    return change


CHANGES: dict[str, Callable[[], Any]] = {
    "nothing": lambda: ExitStack(),
    "lifted bones": without(LiftedBones),
    "keypoints": without(Reprojection),
    "pose prior": without(PosePrior),
    "standing knees": without(StandingKnees),
    "balance": without(StandingBalance),
    "accelerations": without(Acceleration, TurnAcceleration),
    "contacts and floor": without(ContactSpeed, ContactPlace, Heights),
    "contacts that do not move": without(ContactSpeed, ContactPlace),
    "marker offsets": lambda: patch.dict(weights.OFFSET_SIGMA, dict.fromkeys(weights.OFFSET_SIGMA, 1e-3)),
    "exact foot lock": lambda: patch.object(feet, "lock_feet", lambda rotmats, pelvis, *others: (rotmats, pelvis)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mocap", type=Path)
    parser.add_argument("--every", type=int, default=2, help="only every Nth clip")
    parser.add_argument("--rows", nargs="+", choices=CHANGES, default=list(CHANGES), help="what to leave out")
    settings = parser.parse_args()
    print(f"| without | {' | '.join(heading for _name, heading, _digits, _over in COLUMNS)} |\n|---|{'---:|' * len(COLUMNS)}")
    for name in settings.rows:
        with CHANGES[name]():
            rows = list(measured(settings.mocap, settings.every))
        print(f"| {name} | {' | '.join(cells(rows))} |", flush=True)


def measured(mocap: Path, every: int) -> Iterator[TableRow]:
    """The numbers of every case."""
    recordings = list(enumerate(recording for recording in read_recordings(mocap) if recording.testing))[::every]
    for number, recording in recordings:
        yield from measure(Task(recording, number, noisy=True, cameras=1, lenses=("unknown",)))


def cells(rows: list[TableRow]) -> Iterator[str]:
    """The means of the COLUMNS."""
    for name, _heading, digits, over in COLUMNS:
        mean = np.mean([float(row[name]) for row in rows])
        yield f"{mean / np.mean([float(row[over]) for row in rows]) if over else mean:.{digits}f}"


if __name__ == "__main__":
    main()
