"""A limit for the memory of a child process, so that a damaged or hostile file ends the child and not the computer."""

import os
import sys
from pathlib import Path

# Of the memory that this computer, or the container, has. What is left is for the program that started the child.
MEMORY_FRACTION = 0.85
_GRAPHICS_DEVICES = ("/dev/nvidiactl", "/dev/kfd")
_CGROUP_FILES = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def limit_memory(max_bytes: int | None = None) -> int | None:
    """Limit the memory of this process, where the operating system can; beyond it, allocations fail with a MemoryError.

    The limit is one of private, writable memory (RLIMIT_DATA), not of address space, of which drivers of graphics cards reserve more
    than there is memory.

    Args:
        max_bytes: MEMORY_FRACTION of the memory there is by default. An existing, lower limit stays.

    Returns:
        The limit in bytes, or None if there is none.
    """
    if sys.platform != "linux":
        return None  # macOS ignores the limit, and Windows has none for the process itself
    import resource

    wanted = max_bytes or int(MEMORY_FRACTION * total_memory())
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limits = [limit for limit in (soft, hard, wanted) if limit != resource.RLIM_INFINITY]
    try:
        resource.setrlimit(resource.RLIMIT_DATA, (min(limits), hard))
    except (OSError, ValueError):
        return None
    return min(limits)


def has_graphics_driver() -> bool:
    """Whether a driver for computing on a graphics card is there: what it maps into memory is not known, so the limit is not used."""
    return any(Path(device).exists() for device in _GRAPHICS_DEVICES)


def total_memory() -> int:
    """Bytes of memory that this computer has, or that the container may use (Linux)."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for file in _CGROUP_FILES:
        try:
            total = min(total, int(Path(file).read_text(encoding="ascii")))
        except (OSError, ValueError):  # no such container, or no limit ("max")
            continue
    return total
