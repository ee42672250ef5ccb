"""Bezier keyframes of reduced keys: handles a third of the way to the neighbouring keys, aligned, along the keys' slopes."""

from collections.abc import Iterable
from typing import Final

import bpy
import numpy as np

from ...core.array_types import FloatArray
from ...retarget.clean_up.records import PhaseKeys
from ..context import expect_type
from ..motion.curve_keys import ensure_fcurve
from ..motion.keyframes import interpolation_values

_ALIGNED: Final = "ALIGNED"


def write_phases(
    action: bpy.types.Action, owner: bpy.types.ID, path: str, group: str, phases: Iterable[PhaseKeys], first: int, scale: float = 1.0
) -> int:
    """Add the keys of a property's channels to an action; returns how many keyframes there are.

    Between two phases, where the channel has no effect, it goes straight from one value to the next.

    Args:
        first: the frame of the timeline of the clip's first frame.
    """
    by_channel: dict[int, list[PhaseKeys]] = {}
    for phase in phases:
        for channel in phase.channels:
            by_channel.setdefault(channel, []).append(phase)
    count = 0
    for channel, parts in sorted(by_channel.items()):
        fcurve = ensure_fcurve(action, owner, path, group, channel)
        keys = [_bezier(part, part.channels.index(channel), first) for part in sorted(parts, key=lambda part: part.start)]
        _set_bezier(fcurve, np.concatenate(keys) * [1, scale, 1, scale, 1, scale], [len(part) for part in keys])
        count += sum(map(len, keys))
    return count


def write_steps(action: bpy.types.Action, owner: bpy.types.ID, path: str, group: str, frames: FloatArray, values: FloatArray) -> int:
    """Add constant keys of a single value, such as a switch, to an action; returns how many there are."""
    fcurve = ensure_fcurve(action, owner, path, group)
    points = fcurve.keyframe_points
    points.clear()
    points.add(len(frames))
    points.foreach_set("co", np.stack([frames, values], -1).astype(np.float32).ravel())
    points.foreach_set("interpolation", np.full(len(frames), interpolation_values()["CONSTANT"], np.int32))
    fcurve.update()
    return len(frames)


def _bezier(part: PhaseKeys, column: int, first: int) -> FloatArray:
    """The keys (K,6) of one channel of a phase: frame, value, and the same of the left and of the right handle."""
    keys = part.keys
    frames = (first + part.start + keys.rows).astype(float)
    values, slopes = keys.values[:, column], keys.slopes[:, column]
    spans = np.diff(frames) if len(frames) > 1 else np.ones(1)
    before, after = np.concatenate([spans[:1], spans]) / 3, np.concatenate([spans, spans[-1:]]) / 3
    before, after = before[: len(frames)], after[: len(frames)]
    return np.stack([frames, values, frames - before, values - before * slopes, frames + after, values + after * slopes], -1)


def _set_bezier(fcurve: bpy.types.FCurve, keys: FloatArray, lengths: list[int]) -> None:
    """Let a curve have these keys (K,6), Bezier within each run of `lengths` and linear from run to run."""
    points = fcurve.keyframe_points
    points.clear()
    points.add(len(keys))
    types = interpolation_values()
    interpolation = np.full(len(keys), types["BEZIER"], np.int32)
    ends = np.cumsum(lengths)[:-1]
    interpolation[ends - 1] = np.where(np.array(lengths[:-1]) == 1, types["CONSTANT"], types["LINEAR"])  # one key holds for its whole run
    points.foreach_set("interpolation", interpolation)
    handle = expect_type(bpy.types.Keyframe.bl_rna.properties["handle_left_type"], bpy.types.EnumProperty).enum_items[_ALIGNED].value
    points.foreach_set("handle_left_type", np.full(len(keys), handle, np.int32))
    points.foreach_set("handle_right_type", np.full(len(keys), handle, np.int32))
    for name, columns in (("co", slice(0, 2)), ("handle_left", slice(2, 4)), ("handle_right", slice(4, 6))):
        points.foreach_set(name, keys[:, columns].astype(np.float32).ravel())
    fcurve.update()
