"""Long clips in chunks of frames: memory stays bounded, and a full graphics card means smaller chunks instead of an error."""

from collections.abc import Callable

import torch


def run_in_chunks(function: Callable[[slice], tuple[torch.Tensor, ...]], count: int, size: int) -> tuple[torch.Tensor, ...]:
    """Call `function(rows)` for slices that cover range(count), each at most `size` long, and concatenate the results.

    Args:
        count: at least 1.
        function: takes a slice, returns tensors whose first axis is the slice's.

    When the device runs out of memory the chunk is halved and tried again; at one frame the error is passed on.
    """
    chunks: list[tuple[torch.Tensor, ...]] = []
    start = 0
    while start < count:
        rows = slice(start, min(start + size, count))
        try:
            chunks.append(function(rows))
        except torch.OutOfMemoryError:
            if rows.stop - rows.start <= 1:
                raise
            size = (rows.stop - rows.start) // 2
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            continue
        start = rows.stop
    return chunks[0] if len(chunks) == 1 else tuple(torch.cat(parts) for parts in zip(*chunks))
