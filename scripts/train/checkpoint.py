"""Checkpoints of trainings, and exponential moving averages of weights."""

import time
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn


class Stateful(Protocol):
    """A part of a training with a state: a module or an optimiser."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state_dict: dict[str, Any], /) -> object: ...


class Checkpoint:
    """The state of a training in a file, so that an interrupted training continues.

    path: loaded if it exists, and written by `save`. parts: the parts by name, restored in place. step: the number of completed steps.
    others: the other values that were saved.
    """

    def __init__(self, path: Path, **parts: Stateful) -> None:
        self.path, self.parts, self.step = path, parts, 0
        self.others: dict[str, Any] = {}
        seconds = 0.0
        if path.exists():
            self.others = torch.load(path, map_location="cpu", weights_only=True)
            for name, part in parts.items():
                part.load_state_dict(self.others.pop(name))
            self.step, seconds = self.others.pop("step"), self.others.pop("seconds")
        self._begun = time.perf_counter() - seconds

    @property
    def seconds(self) -> float:
        """The duration of all steps, including those before an interruption."""
        return time.perf_counter() - self._begun

    def save(self, step: int, **others: object) -> None:
        """Write the state after `step` steps, with other values."""
        state = {name: part.state_dict() for name, part in self.parts.items()}
        torch.save({**state, **others, "step": step, "seconds": self.seconds}, self.path)


@torch.no_grad()
def update_ema(mean: nn.Module, network: nn.Module, keep: float) -> None:
    """Update the exponential moving average of weights and statistics, in place; keep: the weight of the old average."""
    for own, new in zip(mean.state_dict().values(), network.state_dict().values()):
        if own.is_floating_point():
            own.lerp_(new, 1 - keep)
        else:
            own.copy_(new)
