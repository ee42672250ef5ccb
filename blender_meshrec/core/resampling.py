"""A recovery at another frame rate."""

import dataclasses

import numpy as np

from .rotations import quat_from_rotvec, rotvec_from_quat, slerp
from .time_series import interpolate_over_time

_LINEAR = ("trans", "joints", "lifted_joints", "confidence", "contacts", "camera_from_world")


def resample_recovery(recovery, fps):
    """The same motion with rows at even times k / fps, k = 0 .. up to the last row's time.

    Rotations turn along the shortest arc, everything else is interpolated linearly, `visible` is taken from the nearest
    row. Joints are interpolated too: `pipeline` poses them anew, to keep the file's invariant exact. SKEL's angles are
    continued over full turns first.
    """
    times = recovery.timestamps
    target = np.arange(int(np.floor((times[-1] - times[0]) * fps + 1e-6)) + 1) / fps + times[0]
    place = np.interp(target, times, np.arange(len(times)))
    before = np.minimum(np.floor(place).astype(int), max(len(times) - 2, 0))
    after = np.minimum(before + 1, len(times) - 1)
    share = place - before
    linear = {name: getattr(recovery, name) for name in _LINEAR}
    if recovery.calibrated_joints is not None:
        linear["calibrated_joints"] = recovery.calibrated_joints
    if recovery.q is not None:
        linear.update(q=np.unwrap(recovery.q, axis=0), skel_trans=recovery.skel_trans)
    changed = {name: interpolate_over_time(target, times, values) for name, values in linear.items()}
    quat = quat_from_rotvec(recovery.poses.reshape(len(times), -1, 3))
    turned = slerp(quat[before], quat[after], np.broadcast_to(share[:, None], quat[before].shape[:-1]))
    changed["poses"] = rotvec_from_quat(turned).reshape(len(target), -1)
    changed["visible"] = recovery.visible[np.round(place).astype(int)]
    return dataclasses.replace(recovery, timestamps=target - times[0], mocap_framerate=fps, **changed)
