"""Which device torch computes on, and what to do when its memory is full."""

import torch

from ..core.errors import InputError
from ..core.messages import Message, label

DEVICES = ("auto", "cpu", "cuda", "mps")
_LABELS = {"cuda": "NVIDIA graphics card", "mps": "Apple graphics processor"}


def choose_device(name="auto"):
    """The torch.device that a setting names; "auto" is the fastest that works.

    Raises:
        InputError: there is no such device here, or it does not work.
    """
    if name not in DEVICES:
        raise InputError("device-unknown", "There is no device named {name}.", "Choose one of: {known}.", name=name, known=DEVICES)
    if name == "auto":
        return next(torch.device(kind) for kind in ("cuda", "mps", "cpu") if is_usable(kind))
    if not is_usable(name):
        raise InputError(
            "device-unavailable",
            "PyTorch finds no {device} that works on this computer.",
            "Choose the device auto or cpu.",
            device=label(_LABELS[name]),
        )
    return torch.device(name)


def is_usable(kind):
    """Whether torch can compute on a kind of device: one that is listed may still have too old a driver, or no memory left."""
    if kind == "cuda" and not torch.cuda.is_available():
        return False
    if kind == "mps" and not torch.backends.mps.is_available():
        return False
    try:
        return float(torch.ones(2, device=kind).sum()) == 2.0
    except RuntimeError:
        return False


def run_with_cpu_fallback(compute, device, warn=lambda sentence: None):
    """Call `compute(device)`; where the graphics card's memory is too small for it, `compute(cpu)`. For stages that need a whole clip."""
    device = torch.device(device)
    try:
        return compute(device)
    except RuntimeError as error:
        if device.type == "cpu" or not is_out_of_memory(error):
            raise
    # Outside of the except clause: the error's traceback kept the tensors of the failed piece alive.
    if device.type == "cuda":
        torch.cuda.empty_cache()
    warn(Message("graphics-memory-too-small", "The graphics card's memory was too small; the CPU did its work."))
    return compute(torch.device("cpu"))


def is_out_of_memory(error):
    """Whether an error says that memory is full: the graphics card's, or this computer's."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    # Apple's device and the CPU's allocator have no error class of their own.
    text = str(error)
    return isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)
