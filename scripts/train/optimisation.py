"""Functions that the training loops share: learning rate schedule, optimiser step, sum of losses, and running means."""

import math
import operator
from collections.abc import Iterable, Mapping
from functools import reduce

import torch
from torch import nn

DECAY = 0.98  # of the running mean of losses, a step


def cosine_learning_rate(step: int, steps: int, peak: float, warm_up: int) -> float:
    """The learning rate of a step: linear warm-up over `warm_up` steps, then half a cosine down to a thousandth of the peak."""
    return peak * min(1, (step + 1) / warm_up) * max(0.5 * (1 + math.cos(math.pi * step / steps)), 1e-3)


def sum_losses(losses: Iterable[torch.Tensor]) -> torch.Tensor:
    """The sum of the terms of a loss."""
    return reduce(operator.add, losses)


def optimise(optimiser: torch.optim.Optimizer, loss: torch.Tensor, network: nn.Module | None = None, max_norm: float = 1.0) -> None:
    """Take one optimiser step; the gradient norm over the parameters of `network`, if given, is clipped to `max_norm`."""
    optimiser.zero_grad()
    loss.backward()
    if network is not None:
        torch.nn.utils.clip_grad_norm_(network.parameters(), max_norm)
    optimiser.step()


class RunningMean:
    """Exponential moving averages of named numbers, for the progress lines of a training."""

    def __init__(self, decay: float = DECAY) -> None:
        self.values: dict[str, float] = {}
        self._decay = decay

    def update(self, numbers: Mapping[str, float]) -> None:
        """Add the numbers of one step; the first step initialises the averages."""
        self.values = {name: self._decay * self.values.get(name, number) + (1 - self._decay) * number for name, number in numbers.items()}

    def text(self, digits: int = 4) -> str:
        """The averages as one line, NAME VALUE NAME VALUE."""
        return " ".join(f"{name} {value:.{digits}f}" for name, value in self.values.items())
