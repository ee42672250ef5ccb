"""The device on which torch computes, and the fallback to the CPU when a graphics card's memory is full."""

from collections.abc import Callable
from typing import TypeVar

import torch

from ..core.errors import InputError
from ..core.messages import Message, label
from ..core.option_choices import DEVICE_LABELS, DEVICE_NAMES

Output = TypeVar("Output")


def choose_device(name: str = "auto") -> torch.device:
    """The torch.device that a setting names; "auto" is the fastest usable one.

    Raises:
        InputError: there is no such device, or it is not usable.
    """
    if name not in DEVICE_NAMES:
        raise InputError("device-unknown", "There is no device named {name}.", "Choose one of: {known}.", name=name, known=DEVICE_NAMES)
    if name == "auto":
        return next(torch.device(kind) for kind in ("cuda", "mps", "cpu") if is_usable(kind))
    if not is_usable(name):
        raise InputError(
            "device-unavailable",
            "PyTorch finds no {device} that works on this computer.",
            "Choose the device auto or cpu.",
            device=label(DEVICE_LABELS[name]),
        )
    return torch.device(name)


def is_usable(kind: str) -> bool:
    """Whether torch can compute on a kind of device: one that is available may still have too old a driver, or no free memory."""
    if kind == "cuda" and not torch.cuda.is_available():
        return False
    if kind == "mps" and not torch.backends.mps.is_available():
        return False
    try:
        return float(torch.ones(2, device=kind).sum()) == 2.0
    except RuntimeError:
        return False


def run_with_cpu_fallback(
    compute: Callable[[torch.device], Output], device: torch.device | str, warn: Callable[[Message], object] = lambda message: None
) -> Output:
    """Call `compute(device)`, and `compute(cpu)` if the graphics card's memory is too small. For stages that need a whole clip."""
    device = torch.device(device)
    try:
        return compute(device)
    except RuntimeError as error:
        if device.type == "cpu" or not is_out_of_memory(error):
            raise
    # Outside the except clause: the error's traceback references the tensors of the failed computation.
    if device.type == "cuda":
        torch.cuda.empty_cache()
    warn(Message("graphics-memory-too-small", "The graphics card's memory was too small; the processor did its work."))
    return compute(torch.device("cpu"))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory is full: the graphics card's, or this computer's."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    # Apple's device and the CPU's allocator have no error class of their own.
    text = str(error)
    if type(error).__name__ == "error" and type(error).__module__ == "cv2":  # without importing OpenCV
        return "Insufficient memory" in text or "Failed to allocate" in text
    return isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)
