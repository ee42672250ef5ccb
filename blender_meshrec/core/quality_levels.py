"""What each Quality chooses: the landmark model, the frames that are looked at and solved, and the refiners.

The names are those of the option `quality`. Best differs from Standard in the landmark model, Draft in the rest. A
solve of fewer steps is left out: it saves 5 % of the time and lets feet slide.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from .catalog import DEFAULT_REFINERS

AUTO_REFINER = "auto"  # stands for the refiners of the quality


@dataclass(frozen=True)
class QualityLevel:
    """One Quality.

    landmark_model: file of addon_models/ that MediaPipe runs. looks_per_second: about how often the detector looks at the footage, and
    frames are solved; None for every frame. second_looks_per_second: likewise of the second network, MoveNet; 0 for never. refiners: those
    that run unless the user chooses others.
    """

    landmark_model: str
    looks_per_second: float | None
    second_looks_per_second: float | None
    refiners: tuple[str, ...]

    def frame_step(self, frames_per_second: float) -> int:
        """The detector looks at one of this many frames of footage of this rate; 1 is every frame."""
        return _step(frames_per_second, self.looks_per_second)

    def second_look_step(self, frames_per_second: float) -> int:
        """MoveNet looks at one of this many of those frames; 0 is none of them."""
        return (
            0
            if self.second_looks_per_second == 0
            else _step(frames_per_second / self.frame_step(frames_per_second), self.second_looks_per_second)
        )


def _step(frames_per_second: float, looks: float | None) -> int:
    return 1 if looks is None else max(1, round(frames_per_second / looks))


STANDARD_MODEL, HEAVY_MODEL = "pose_landmarker.task", "pose_landmarker_heavy.task"
QUALITY_LEVELS = {
    "draft": QualityLevel(STANDARD_MODEL, 15.0, 0.0, ()),
    "standard": QualityLevel(STANDARD_MODEL, None, 10.0, DEFAULT_REFINERS),
    "best": QualityLevel(HEAVY_MODEL, None, None, DEFAULT_REFINERS),
}


def chosen_refiners(names: Iterable[str], quality: str) -> tuple[str, ...]:
    """The refiners that the options `refine` and `quality` mean, in order, each once."""
    level = QUALITY_LEVELS[quality]
    expanded = (each for name in names for each in (level.refiners if name == AUTO_REFINER else (name,)))
    return tuple(dict.fromkeys(expanded))
