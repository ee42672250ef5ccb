"""Results of a clip whose camera is one of the scene: they lie on its frames, and the scene stays as it is."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import bpy
import numpy as np

from ...core.records import Recovery
from ...scene.motion.keyframes import scene_fps
from ...scene.scene_timing import Timing


class SceneCamera(NamedTuple):
    """The artist's own camera that filmed a clip; None if it has gone from the scene since."""

    camera: bpy.types.Object | None


def frame_for_frame(scene: bpy.types.Scene, numbered: Sequence[tuple[int, Recovery]]) -> tuple[Timing, list[tuple[int, Recovery]]]:
    """The Timing and the recoveries of a clip whose every frame is the next one of the scene, whatever the footage's frame rate."""
    fps = scene_fps(scene)
    timing = Timing(fps, numbered[0][1].scene_frame, whole_frames=True, is_scene_matched=False)
    return timing, [
        (number, replace(recovery, mocap_framerate=fps, timestamps=np.arange(len(recovery)) / fps)) for number, recovery in numbered
    ]
