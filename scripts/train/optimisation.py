"""What the training loops share: the learning rate's schedule, one step of an optimiser, running means."""

import math
from collections.abc import Mapping

import torch
from torch import nn

DECAY = 0.98  # of the running mean of losses, a step


def cosine_learning_rate(step: int, steps: int, peak: float, warm_up: int) -> float:
    """The learning rate of a step: it rises for `warm_up` steps and falls along half a cosine to a thousandth of its peak."""
    return peak * min(1, (step + 1) / warm_up) * max(0.5 * (1 + math.cos(math.pi * step / steps)), 1e-3)


def optimise(optimiser: torch.optim.Optimizer, loss: torch.Tensor, network: nn.Module | None = None, max_norm: float = 1.0) -> None:
    """Take one step down the loss's gradient, whose norm over the network's parameters, where one is given, is clipped."""
    optimiser.zero_grad()
    loss.backward()
    if network is not None:
        torch.nn.utils.clip_grad_norm_(network.parameters(), max_norm)
    optimiser.step()


class RunningMean:
    """Exponential means of named numbers, for the lines that a training prints."""

    def __init__(self, decay: float = DECAY) -> None:
        self.values: dict[str, float] = {}
        self._decay = decay

    def update(self, numbers: Mapping[str, float]) -> None:
        """Take in the numbers of one step; the first step's are the means' beginning."""
        self.values = {name: self._decay * self.values.get(name, number) + (1 - self._decay) * number for name, number in numbers.items()}

    def text(self, digits: int = 4) -> str:
        """The means as one line, NAME VALUE NAME VALUE."""
        return " ".join(f"{name} {value:.{digits}f}" for name, value in self.values.items())
