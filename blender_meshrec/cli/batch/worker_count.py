"""How many workers a computer has room for: by its cores, its memory, and the memory of its graphics cards."""

import contextlib
import os
import subprocess
from pathlib import Path

from ...bridge.memory_limit import total_memory

# A backend takes about 1 GB, and up to 2 GB for long or large footage; its networks take up to 3 GB of a graphics card.
WORKER_BYTES = 2 << 30
WORKER_GRAPHICS_MEGABYTES = 3 << 10
CARDS_VARIABLE = "CUDA_VISIBLE_DEVICES"  # which cards a process may use
_CPU_LIMIT = "/sys/fs/cgroup/cpu.max"


def count_workers(num_tasks: int, uses_graphics: bool = True) -> int:
    """The number of workers for so many tasks, at least 1.

    Args:
        uses_graphics: whether tasks may compute on a graphics card.
    """
    limits = [num_tasks, usable_cores()]
    with contextlib.suppress(OSError, ValueError, AttributeError):  # memory is not known on this system
        limits.append(total_memory() // WORKER_BYTES)
    cards = graphics_cards() if uses_graphics else {}
    if cards:
        limits.append(sum(free // WORKER_GRAPHICS_MEGABYTES for free in cards.values()))
    return max(1, min(limits))


def usable_cores() -> int:
    """The cores that this process, or its container, may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with contextlib.suppress(OSError, ValueError):
        quota, period = Path(_CPU_LIMIT).read_text(encoding="ascii").split()
        cores = min(cores, max(1, int(quota) // int(period)))  # "max" is no number: there is no limit
    return cores


def graphics_cards() -> dict[str, int]:
    """The free memory, MB, of each NVIDIA graphics card that may be used, by its index; {} where no driver tells."""
    command = ["nvidia-smi", "--query-gpu=index,memory.free", "--format=csv,noheader,nounits"]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout
        cards = {index.strip(): int(free) for index, free in (line.split(",") for line in listed.splitlines() if line.strip())}
    except (OSError, ValueError, subprocess.SubprocessError):
        return {}
    if (chosen := os.environ.get(CARDS_VARIABLE)) is None:
        return cards
    return {index.strip(): cards.get(index.strip(), WORKER_GRAPHICS_MEGABYTES) for index in chosen.split(",") if index.strip()}
