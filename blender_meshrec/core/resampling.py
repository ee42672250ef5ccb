"""A recovery at other times: resampled to another frame rate, or with the frames filled in that were left out."""

import dataclasses

import numpy as np

from .array_types import FloatArray
from .records import Recovery
from .rotations import align_quat_signs, normalize_quat, quat_from_rotvec, rotvec_from_quat, slerp
from .time_series import bracketing_samples, interpolate_cubic, interpolate_over_time


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
        joint_sigma=None if recovery.joint_sigma is None else resample(recovery.joint_sigma),
    )


def fill_in_frames(recovery: Recovery, times: FloatArray) -> Recovery:
    """The same motion at times (N,) s, which include the frames that were left out of it.

    Rotations, path and joints are cubic over time, so that peaks between two frames are kept as far as the frames around them show them.
    Confidence and contacts are linear; a frame between two is `visible` if the person is in both. Feet in contact are not held still
    between frames, and joints are interpolated too: the pipeline locks and poses them anew.
    """
    known = recovery.timestamps
    before, after, weight = bracketing_samples(times, known)
    quats = align_quat_signs(quat_from_rotvec(recovery.poses.reshape(len(known), -1, 3)))
    quats = normalize_quat(interpolate_cubic(times, known, quats))

    def linear(values: FloatArray) -> FloatArray:
        return interpolate_over_time(times, known, values)

    def cubic(values: FloatArray) -> FloatArray:
        return interpolate_cubic(times, known, values)

    return dataclasses.replace(
        recovery,
        timestamps=times,
        poses=rotvec_from_quat(quats).reshape(len(times), -1),
        trans=cubic(recovery.trans),
        visible=recovery.visible[before] & recovery.visible[np.where(weight > 0, after, before)],
        joints=cubic(recovery.joints),
        confidence=linear(recovery.confidence),
        lifted_joints=cubic(recovery.lifted_joints),
        contacts=linear(recovery.contacts),
        camera_from_world=linear(recovery.camera_from_world),
        q=None if recovery.q is None else cubic(np.unwrap(recovery.q, axis=0)),
        skel_trans=None if recovery.skel_trans is None else cubic(recovery.skel_trans),
        calibrated_joints=None if recovery.calibrated_joints is None else cubic(recovery.calibrated_joints),
        joint_sigma=None if recovery.joint_sigma is None else linear(recovery.joint_sigma),
    )
