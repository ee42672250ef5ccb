"""What it costs to find that a camera stands still, beside the detection of people in the same footage."""

import time
from collections.abc import Callable
from typing import Any

from blender_meshrec.backend.camera.background_matcher import BackgroundMatcher
from blender_meshrec.backend.camera.solve_camera import solve_camera
from blender_meshrec.backend.tracking.detect_and_track import detect_and_track
from blender_meshrec.bridge.messages import ReconstructRequest
from blender_meshrec.core.cameras import default_intrinsics


def measure_still_camera(source: str) -> tuple[str, float, float]:
    """The kind of camera that is found in footage, and the CPU seconds of finding it and of everything else that is done to the frames."""
    spent = [0.0]

    def timed(method: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **named: Any) -> Any:
            begun = time.thread_time()
            try:
                return method(*arguments, **named)
            finally:
                spent[0] += time.thread_time() - begun

        return run

    methods = {name: getattr(BackgroundMatcher, name) for name in ("seems_cut", "changes_at_once", "update")}
    begun = time.process_time()
    try:
        for name, method in methods.items():
            setattr(BackgroundMatcher, name, timed(method))
        tracked = detect_and_track(ReconstructRequest(source))
    finally:
        for name, method in methods.items():
            setattr(BackgroundMatcher, name, method)
    others = time.process_time() - begun - spent[0]
    if tracked.tracks is None:
        raise RuntimeError("Nobody looked at the background of this footage")
    size = tracked.frames.size
    camera = timed(solve_camera)(tracked.tracks, size, float(default_intrinsics(size)[0, 0]), len(tracked.frames))
    return camera.kind, spent[0], others
