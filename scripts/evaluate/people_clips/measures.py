"""How well two people are recovered: who is who, hidden limbs, the distance between them, their floor and their statures."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from blender_meshrec.backend.fitting.stature import stature
from blender_meshrec.bodies.smpl import Smpl
from blender_meshrec.core.array_types import IntArray
from blender_meshrec.core.cameras import project, transform_points
from blender_meshrec.core.metrics import align_similarity
from blender_meshrec.core.records import Recovery
from blender_meshrec.core.skeletons import SMPL_JOINTS, limb_indices
from scripts.evaluate.people_clips.filming import PeopleTruth
from scripts.evaluate.world_measures import pose_body

LIMBS = limb_indices(SMPL_JOINTS)
CLEARLY = 0.5  # an exchange halves the distance of the two from the truth at least
SHORT, LONG = (0.0, 1.0), (1.0, 100.0)


@dataclass(frozen=True)
class Column:
    """A column of the table: the name of its number, or of two, and the digits behind the point."""

    name: str
    digits: int = 0
    second: str = ""

    def format(self, row: dict[str, float]) -> str:
        numbers = [f"{row[name]:.{self.digits}f}" if np.isfinite(row[name]) else "-" for name in (self.name, self.second) if name]
        return " / ".join(numbers)


COLUMNS: dict[str, Column | None] = {
    "clip": None,
    "people found": Column("found"),
    "frames with both": Column("frames"),
    "frames exchanged": Column("swaps"),
    "seen limb joints, mm": Column("seen", 0),
    "hidden by the other, mm": Column("hidden", 0),
    "hidden over seen": Column("ratio", 2),
    "all joints, mm": Column("all", 0),
    "distance between the two, % (cm)": Column("distance", 1, "distance_cm"),
    "floors apart, cm": Column("floors", 1),
    "statures, % (first / second)": Column("stature_1", 1, "stature_2"),
}


def compare_people(body: Smpl, recoveries: Sequence[Recovery], truth: PeopleTruth) -> dict[str, float]:
    """The numbers of a row of the table; nan where they do not exist."""
    names = [name for column in COLUMNS.values() if column for name in (column.name, column.second) if name]
    row = dict.fromkeys(names, float("nan")) | {"found": len(recoveries)}
    if len(recoveries) < 2:
        return row
    chosen, swaps = _who_is_who(recoveries, truth)
    people = [recoveries[number] for number in chosen]
    joints = np.stack([person.joints.astype(float) for person in people])
    frames = min(joints.shape[1], truth.joints.shape[1])
    joints, true = joints[:, :frames], truth.joints[:, :frames]
    errors, hidden = np.zeros((2, frames, len(LIMBS))), truth.by_other[:, :frames, LIMBS]
    for number in range(2):
        aligned = align_similarity(joints[number][:, LIMBS], true[number][:, LIMBS])
        errors[number] = 1000 * np.linalg.norm(aligned - true[number][:, LIMBS], axis=-1)
    seen = ~truth.hidden[:, :frames, LIMBS]
    found, actual = (np.linalg.norm(points[0][:, 0] - points[1][:, 0], axis=-1) for points in (joints, true))
    lowest = [float(np.median(pose_body(body, person.betas, person.poses, person.trans)[0][..., 2].min(1))) for person in people]
    statures = [100 * (stature(body.template, person.betas) / tall - 1) for person, tall in zip(people, truth.statures, strict=True)]
    row |= {
        "frames": float((people[0].visible & people[1].visible).sum()),
        "swaps": float(swaps),
        "seen": float(errors[seen].mean()),
        "hidden": float(errors[hidden].mean()) if hidden.any() else float("nan"),
        "all": float(errors.mean()),
        "distance": 100 * float(np.median(np.abs(found - actual) / actual)),
        "distance_cm": 100 * float(np.median(np.abs(found - actual))),
        "floors": 100 * abs(lowest[0] - lowest[1]),
        "stature_1": statures[0],
        "stature_2": statures[1],
    }
    return row | {"ratio": row["hidden"] / row["seen"]}


def _who_is_who(recoveries: Sequence[Recovery], truth: PeopleTruth) -> tuple[IntArray, int]:
    """The recoveries (2,) of the truth's two people, and the frames in which they stand for each other."""
    true = project(transform_points(truth.camera_from_world, truth.joints), truth.intrinsics)
    costs = np.full((len(recoveries), 2, true.shape[1]), np.nan)
    for number, person in enumerate(recoveries):
        rows = min(len(person), true.shape[1])
        seen = project(transform_points(person.camera_from_world, person.joints.astype(float)), person.camera_intrinsics)[:rows]
        distance = np.linalg.norm(seen[None] - true[:, :rows], axis=-1).mean(-1)
        costs[number, :, :rows] = np.where(person.visible[:rows], distance, np.nan)

    def total(pair: tuple[int, ...]) -> float:
        """Frames that fit, most first."""
        near = sum((np.nan_to_num(costs[number, which], nan=1e6) < 60).sum() for which, number in enumerate(pair))
        return -float(near)

    best = min(permutations(range(len(recoveries)), 2), key=total)
    straight = costs[best[0], 0] + costs[best[1], 1]
    exchanged = costs[best[0], 1] + costs[best[1], 0]
    return np.array(best), int((exchanged < CLEARLY * straight).sum())


def mean_row(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    """The means of all rows, without signs; swaps, hidden and seen joints are means too."""
    names = rows[0].keys() if rows else []
    means = {}
    for name in names:
        values = np.abs([row[name] for row in rows])
        means[name] = float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")
    return means
