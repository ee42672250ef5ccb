"""A performance at another frame rate."""

from dataclasses import replace

import numpy as np

from ...core.rotations import quat_from_rotmat, rotmat_from_quat, slerp
from ...core.time_series import interpolate_over_time


def resample_performance(performance, fps):
    """The same performance at even times k / fps from its first on: rotations by slerp, the rest linearly."""
    times = performance.timestamps
    wanted = times[0] + np.arange(int(np.floor((times[-1] - times[0]) * fps + 1e-6)) + 1) / fps
    if len(wanted) == len(times) and np.abs(wanted - times).max() < 1e-6:
        return replace(performance, fps=fps)
    place = np.interp(wanted, times, np.arange(len(times)))
    before = np.floor(place + 1e-9).astype(int)
    after = np.minimum(before + 1, len(times) - 1)
    share = np.clip(place - before, 0, 1)
    used = sorted({performance.rig.index(bone) for bone in performance.mapping.bones})
    rotations = performance.rotations[before].copy()
    quats = quat_from_rotmat(performance.rotations[:, used])
    rotations[:, used] = rotmat_from_quat(slerp(quats[before], quats[after], np.broadcast_to(share[:, None], (len(wanted), len(used)))))

    def mix(values):
        return None if values is None else interpolate_over_time(wanted, times, values)

    return replace(
        performance,
        rotations=rotations,
        heads=mix(performance.heads),
        timestamps=wanted,
        fps=fps,
        contacts=mix(performance.contacts),
        soles=mix(performance.soles),
    )
