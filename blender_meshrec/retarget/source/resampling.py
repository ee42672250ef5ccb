"""Resample a performance to another frame rate."""

from dataclasses import replace

import numpy as np

from ...core.array_types import FloatArray
from ...core.rotations import quat_from_rotmat, rotmat_from_quat, slerp
from ...core.time_series import interpolate_over_time
from ..rig import Performance


def resample_performance(performance: Performance, fps: float) -> Performance:
    """The same performance at even times k / fps from its first frame on.

    Rotations of mapped bones are interpolated by slerp, everything else linearly; other bones keep the rotation of the frame before.
    """
    times = performance.timestamps
    target = times[0] + np.arange(int(np.floor((times[-1] - times[0]) * fps + 1e-6)) + 1) / fps
    if len(target) == len(times) and np.abs(target - times).max() < 1e-6:
        return replace(performance, fps=fps)
    position = np.interp(target, times, np.arange(len(times)))
    before = np.floor(position + 1e-9).astype(int)
    after = np.minimum(before + 1, len(times) - 1)
    mapped = sorted({performance.rig.index(bone) for bone in performance.mapping.bones})
    weight = np.broadcast_to(np.clip(position - before, 0, 1)[:, None], (len(target), len(mapped)))
    quats = quat_from_rotmat(performance.rotations[:, mapped])
    rotations = performance.rotations[before].copy()
    rotations[:, mapped] = rotmat_from_quat(slerp(quats[before], quats[after], weight))

    def resample(values: FloatArray | None) -> FloatArray | None:
        return None if values is None else interpolate_over_time(target, times, values)

    return replace(
        performance,
        rotations=rotations,
        heads=interpolate_over_time(target, times, performance.heads),
        timestamps=target,
        fps=fps,
        contacts=resample(performance.contacts),
        soles=resample(performance.soles),
        hand_contacts=resample(performance.hand_contacts),
    )
