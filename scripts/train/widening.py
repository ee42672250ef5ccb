"""The weights of a smaller lifting network in a larger one that computes the same: training goes on from what is known.

Net2Net (Chen et al. 2016, "Net2Net: Accelerating Learning via Knowledge Transfer", section 2) copies channels; here new channels keep
their random weights, and what old channels read from them is zero.
"""

from collections.abc import Mapping

import numpy as np
import torch

from blender_meshrec.core.array_types import IntArray
from blender_meshrec.methods.skeleton2mesh import SPREAD_WIDTH, TOKEN_FRAMES, Lifter, LifterConfig


def widened(weights: Mapping[str, torch.Tensor], old: LifterConfig, lifter: Lifter) -> dict[str, torch.Tensor]:
    """The state of `lifter` after it has taken the weights of a lifter of the configuration `old`, at most as large in every part."""
    new = lifter.config
    state = {name: value.clone() for name, value in lifter.state_dict().items()}
    for name, value in weights.items():
        if value.ndim == 0:  # the number of batches so far
            continue
        target, rows = state[name], len(value)
        if value.ndim < 2:
            target[:rows] = value
            continue
        target[:rows] = 0
        target[:rows, torch.as_tensor(_columns(value.shape[1], old, new))] = value
    return state


def _columns(count: int, old: LifterConfig, new: LifterConfig) -> IntArray:
    """The columns of the larger network for the `count` inputs of a layer: features, the input of a token, or both."""
    tokens = (np.arange(TOKEN_FRAMES)[:, None] * new.channels + np.arange(old.channels)).ravel()
    features = np.arange(old.width)
    by_count = {old.inputs: tokens, old.width: features, old.width + old.inputs: np.concatenate([features, new.width + tokens])}
    by_count[SPREAD_WIDTH] = np.arange(SPREAD_WIDTH)
    return by_count[count]
