"""What a supervisor compares clips by: verdict, reprojection, foot slide, jitter, frames without a person, identity switches."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...core.verdict import BAD, DOUBTFUL, GOOD, LIMITS, NEVER
from .outcome import Outcome, is_done, people_of

NOT_RUN, FAILED = "not run", "failed"
_GRAVITY = {GOOD: 1, DOUBTFUL: 2, BAD: 3}


@dataclass(frozen=True)
class Metric:
    """A number of a person. name: in files; title: in tables; unit; digits after the point."""

    name: str
    title: str
    unit: str
    digits: int = 1


METRICS = (
    Metric("reprojection_px", "Reprojection", "px", 2),
    Metric("reprojection_percent", "Reprojection", "% of height"),
    Metric("foot_slide_cm_s", "Foot slide", "cm/s", 2),
    Metric("jitter", "Jitter", "10 m/s\u00b3"),
    Metric("unseen_percent", "Without person", "% of frames"),
    Metric("identity_switches", "Identity switches", "frames", 0),
)


@dataclass(frozen=True)
class PersonRow:
    """One person of a clip. verdict: "" where it is not known. metrics: by name, None where a number does not exist."""

    person: int | None
    verdict: str
    reasons: tuple[str, ...]
    worst_frames: tuple[int, ...]
    metrics: dict[str, float | None] = field(default_factory=dict)
    excess: float = 0.0  # how far the worst measure is beyond its limit: 1 is where it becomes doubtful


@dataclass(frozen=True)
class ClipRow:
    """One clip of the summary. status: done, failed or not run. verdict: the gravest of its people's."""

    name: str
    status: str
    people: tuple[PersonRow, ...] = ()
    outcome: Outcome = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        return max((person.verdict for person in self.people), key=lambda verdict: _GRAVITY.get(verdict, 0), default="")

    @property
    def badness(self) -> tuple[float, float]:
        """Sorts clips: those that failed, bad, doubtful and good ones; within a verdict by how far they are beyond its limits."""
        if self.status != "done":
            return (5.0 if self.status == FAILED else 4.0, 0.0)
        return float(_GRAVITY.get(self.verdict, 0)), max((person.excess for person in self.people), default=0.0)

    @property
    def metrics(self) -> dict[str, float | None]:
        """The worst value of each metric over its people."""
        return {metric.name: _worst([person.metrics.get(metric.name) for person in self.people]) for metric in METRICS}


def clip_row(name: str, outcome: Outcome | None) -> ClipRow:
    """The row of a clip, None of one that was not run."""
    if outcome is None:
        return ClipRow(name, NOT_RUN)
    if not is_done(outcome):
        return ClipRow(name, FAILED, (), outcome)
    frames = _number(outcome["report"].get("frames_read")) if outcome.get("report") else None
    return ClipRow(name, "done", tuple(_person_row(person, frames) for person in people_of(outcome)), outcome)


def worst_first(rows: Sequence[ClipRow]) -> list[ClipRow]:
    """The rows in the order in which a supervisor looks at them."""
    return sorted(rows, key=lambda row: (-row.badness[0], -row.badness[1]))


def _person_row(person: Mapping[str, Any], frames: float | None) -> PersonRow:
    measures = person.get("measures") or {}
    seen = _number(person.get("frames_with_person"))
    share, jumps = _number(person.get("reprojection_share_of_box")), _number(measures.get("jumps"))
    metrics = {
        "reprojection_px": _number(person.get("reprojection_px")),
        "reprojection_percent": None if share is None else round(100 * share, 2),
        "foot_slide_cm_s": _number(person.get("foot_slide_after_cm_s")),
        "jitter": _number(person.get("jitter")),
        "unseen_percent": None if seen is None or not frames else round(100 * max(0.0, 1 - seen / frames), 1),
        # Frames at which the keypoints are suddenly those of another place, as where two people are mixed up.
        "identity_switches": None if jumps is None or seen is None else float(round(jumps * seen / 100)),
    }
    return PersonRow(
        person.get("person"),
        person.get("verdict") or "",
        tuple(map(str, person.get("reasons") or ())),
        tuple(person.get("worst_frames") or ()),
        metrics,
        _excess(measures),
    )


def _excess(measures: Mapping[str, Any]) -> float:
    """The largest share of a measure in the value at which it becomes bad, or else doubtful."""
    shares = [0.0]
    for limit in LIMITS:
        value = _number(measures.get(limit.name))
        if value is not None:
            shares.append(value / (limit.doubtful if limit.bad == NEVER else limit.bad))
    return max(shares)


def _worst(values: Sequence[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) else None
