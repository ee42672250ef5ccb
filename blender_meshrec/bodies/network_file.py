"""Trained networks from safetensors files, which hold numbers alone: nothing in them is ever executed."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from ..core.errors import ModelError
from ..core.files.input_file import refuse_special_file
from ..core.files.model_files import model_file

Weights: TypeAlias = Mapping[str, torch.Tensor]
Network = TypeVar("Network", bound=nn.Module)

_REMEDY = "Install the add-on again from its zip."


@lru_cache
def load_network(read: Callable[[Path], Network], file_name: str, device: str = "cpu") -> Network:
    """A network that ships with the add-on, read once for each device and shared by all callers.

    Args:
        read: reads the network from a path, in evaluation mode. file_name: in `addon_models`. device: as torch spells it.

    Raises:
        ModelError: the file is missing, damaged or of another network.
    """
    return read(model_file(file_name)).to(device)


def read_weights(path: Path | str) -> Weights:
    """The tensors of a file by name, in single precision. Raises ModelError: the file is missing or damaged."""
    refuse_special_file(path, ModelError)
    try:
        with safe_open(path, "pt") as file:
            weights = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118 (not a dict)
    except FileNotFoundError as error:
        raise ModelError("network-file-missing", "The model file {name} is missing.", _REMEDY, name=path) from error
    except (SafetensorError, OSError, ValueError, RuntimeError, KeyError) as error:
        raise ModelError("network-file-damaged", "The model file {name} is damaged.", _REMEDY, name=path) from error
    if not all(bool(torch.isfinite(tensor).all()) for tensor in weights.values()):
        raise ModelError("network-file-damaged", "The model file {name} is damaged.", _REMEDY, name=path)
    return weights


def load_weights(network: Network, weights: Weights, path: Path | str, kind: str) -> Network:
    """The network with the weights of `read_weights`, in evaluation mode and with its gradients off.

    Args:
        path: of the file, for the error. kind: what the error calls such a network, "a lifting network".

    Raises:
        ModelError: the weights are not of such a network.
    """
    # Batch normalisation counts batches in whole numbers, which no file keeps.
    own = {name: value.shape for name, value in network.state_dict().items() if value.is_floating_point()}
    if own != {name: value.shape for name, value in weights.items()}:
        raise ModelError(
            "network-file-of-another-version", "The model file {path} is not {kind} of this version.", _REMEDY, path=path, kind=kind
        )
    network.load_state_dict(weights, strict=False)
    return network.eval().requires_grad_(False)
