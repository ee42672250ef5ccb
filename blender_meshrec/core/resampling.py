"""Resampling of a recovery to another frame rate."""

import dataclasses

import numpy as np

from .array_types import FloatArray
from .records import Recovery
from .rotations import quat_from_rotvec, rotvec_from_quat, slerp
from .time_series import bracketing_samples, interpolate_over_time


def resample_recovery(recovery: Recovery, fps: float) -> Recovery:
    """The same motion with rows at even times k / fps, from the first row's time to the last row's.

    Rotations are interpolated by slerp, everything else linearly, and `visible` is taken from the nearest row. SKEL's angles
    are unwrapped first. Joints are interpolated too; the pipeline poses them anew to keep the file's invariant exact.
    """
    times = recovery.timestamps
    target = np.arange(int(np.floor((times[-1] - times[0]) * fps + 1e-6)) + 1) / fps + times[0]
    before, after, weight = bracketing_samples(target, times)
    quat = quat_from_rotvec(recovery.poses.reshape(len(times), -1, 3))
    quat = slerp(quat[before], quat[after], np.broadcast_to(weight[:, None], quat[before].shape[:-1]))

    def resample(values: FloatArray) -> FloatArray:
        return interpolate_over_time(target, times, values)

    return dataclasses.replace(
        recovery,
        mocap_framerate=fps,
        timestamps=target - times[0],
        poses=rotvec_from_quat(quat).reshape(len(target), -1),
        trans=resample(recovery.trans),
        visible=recovery.visible[np.round(before + weight).astype(int)],
        joints=resample(recovery.joints),
        confidence=resample(recovery.confidence),
        lifted_joints=resample(recovery.lifted_joints),
        contacts=resample(recovery.contacts),
        camera_from_world=resample(recovery.camera_from_world),
        q=None if recovery.q is None else resample(np.unwrap(recovery.q, axis=0)),
        skel_trans=None if recovery.skel_trans is None else resample(recovery.skel_trans),
        calibrated_joints=None if recovery.calibrated_joints is None else resample(recovery.calibrated_joints),
    )
