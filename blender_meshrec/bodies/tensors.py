"""Arrays as tensors of a body's precision and device."""

from typing import TypeAlias

import numpy as np
import torch

from ..core.array_types import ArrayLike

TensorLike: TypeAlias = torch.Tensor | ArrayLike


def to_tensor(value: TensorLike, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu") -> torch.Tensor:
    """A tensor of `value`. Tensors stay in the graph of autograd; arrays are copied, because torch warns about read-only ones."""
    if not torch.is_tensor(value):
        value = np.array(value)
    return torch.as_tensor(value, dtype=dtype, device=device)
