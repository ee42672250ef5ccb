"""Long clips in pieces: memory stays flat, and a full graphics card means smaller pieces instead of the end."""

import torch


def run_in_chunks(function, count, size):
    """Call `function(rows)` for slices that cover range(count), at most `size` long, and join what it returns along frames.

    Args:
        count: at least 1.
        function: takes a slice, returns a tensor or a tuple of tensors whose first axis is the slice's.

    When the device runs out of memory the piece is halved and tried again; at one frame the error is passed on.
    """
    pieces, start = [], 0
    while start < count:
        rows = slice(start, min(start + size, count))
        try:
            pieces.append(function(rows))
        except torch.OutOfMemoryError:
            if rows.stop - rows.start <= 1:
                raise
            size = (rows.stop - rows.start) // 2
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            continue
        start = rows.stop
    if len(pieces) == 1:
        return pieces[0]
    if isinstance(pieces[0], tuple):
        return tuple(torch.cat(parts) for parts in zip(*pieces))
    return torch.cat(pieces)
