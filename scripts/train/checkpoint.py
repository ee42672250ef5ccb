"""Trainings that can be interrupted, and running means of weights."""

import time

import torch


class Checkpoint:
    """What a training has made so far, kept in a file.

    path: read if it is there, and written by `save`. parts: by name, modules and optimisers, which go on as they were.
    step: how many steps are done. others: what else was saved.
    """

    def __init__(self, path, **parts):
        self.path, self.parts, self.step, self.others, seconds = path, parts, 0, {}, 0.0
        if path.exists():
            self.others = torch.load(path, map_location="cpu", weights_only=True)
            for name, part in parts.items():
                part.load_state_dict(self.others.pop(name))
            self.step, seconds = self.others.pop("step"), self.others.pop("seconds")
        self._begun = time.perf_counter() - seconds

    @property
    def seconds(self):
        """How long the steps took, those before an interruption included."""
        return time.perf_counter() - self._begun

    def save(self, step, **others):
        state = {name: part.state_dict() for name, part in self.parts.items()}
        torch.save({**state, **others, "step": step, "seconds": self.seconds}, self.path)


@torch.no_grad()
def update_ema(mean, network, keep):
    """Move the running mean of weights and statistics towards the network as it is."""
    for own, new in zip(mean.state_dict().values(), network.state_dict().values()):
        if own.is_floating_point():
            own.lerp_(new, 1 - keep)
        else:
            own.copy_(new)
