"""Trained networks from safetensors files, which hold numbers alone: nothing of them is ever executed."""

from safetensors import SafetensorError, safe_open

from ..core.errors import ModelError

_REMEDY = "Install the add-on again from its zip."


def read_weights(path):
    """The tensors of a file by their names, in single precision. Raises ModelError: the file is missing or damaged."""
    try:
        with safe_open(path, "pt") as file:
            return {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118 (not a dict)
    except FileNotFoundError as error:
        raise ModelError("network-file-missing", "The model file {name} is missing.", _REMEDY, name=path) from error
    except (SafetensorError, OSError) as error:
        raise ModelError("network-file-damaged", "The model file {name} is damaged.", _REMEDY, name=path) from error


def load_weights(network, weights, path, kind):
    """A network with the weights of `read_weights`, in evaluation mode, never to be trained by mistake.

    Raises:
        ModelError: they are not of such a network; kind: what the sentence calls it, "a lifting network".
    """
    # Counters of batches are whole numbers, and no file keeps them.
    own = {name: value.shape for name, value in network.state_dict().items() if value.is_floating_point()}
    if own != {name: value.shape for name, value in weights.items()}:
        raise ModelError(
            "network-file-of-another-version", "The model file {path} is not {kind} of this version.", _REMEDY, path=path, kind=kind
        )
    network.load_state_dict(weights, strict=False)
    return network.eval().requires_grad_(False)
