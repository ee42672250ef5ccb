"""A recovery at other times: resampled to another frame rate, or with the frames filled in that were left out."""

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from .array_types import FloatArray
from .cameras import invert_rigid_transform, rigid_transform
from .records import Recovery
from .recovery_rows import change_shots
from .rotations import align_quat_signs, normalize_quat, quat_from_rotmat, quat_from_rotvec, rotmat_from_quat, rotvec_from_quat, slerp
from .time_series import bracketing_samples, interpolate_cubic, interpolate_over_time

Interpolation: TypeAlias = Callable[[FloatArray], FloatArray]  # values (F,...) at a recovery's times to values (N,...) at others


def resample_recovery(recovery: Recovery, fps: float, cuts: Sequence[int] = ()) -> Recovery:
    """The same motion with rows at even times k / fps, from the first row's time to the last row's.

    Nothing is interpolated across a cut, of which `cuts` has the first row after it: a time between two shots has the earlier one's last.
    Rotations are interpolated by slerp, everything else linearly, and `visible` is taken from the nearest row. SKEL's angles
    are unwrapped first. Joints are interpolated too; the pipeline poses them anew to keep the file's invariant exact.
    """
    times = recovery.timestamps
    target = np.arange(int(np.floor((times[-1] - times[0]) * fps + 1e-6)) + 1) / fps + times[0]
    edges = [-np.inf, *(times[list(cuts)] - 1e-9), np.inf]

    def of_shot(shot: Recovery) -> Recovery:
        number = int(np.searchsorted(edges, shot.timestamps[0]))
        return _at_times(shot, fps, target[(target >= edges[number - 1]) & (target < edges[number])])

    resampled = change_shots(recovery, cuts, of_shot)
    return dataclasses.replace(resampled, timestamps=resampled.timestamps - times[0])


def _at_times(recovery: Recovery, fps: float, target: FloatArray) -> Recovery:
    """The recovery at times (N,) s."""
    times = recovery.timestamps
    before, _after, weight = bracketing_samples(target, times)
    turns = partial(_slerp, target, times)
    return dataclasses.replace(
        recovery,
        mocap_framerate=fps,
        timestamps=target,
        poses=_rotvecs(turns, recovery.poses),
        visible=recovery.visible[np.round(before + weight).astype(int)],
        **_other_arrays(recovery, target, partial(interpolate_over_time, target, times), turns),
    )


def fill_in_frames(recovery: Recovery, times: FloatArray) -> Recovery:
    """The same motion at times (N,) s, which include the frames that were left out of it.

    Rotations, path and joints are cubic over time, so that peaks between two frames are kept as far as the frames around them show them.
    Confidence, contacts and the camera are linear; a frame between two is `visible` if the person is in both. Feet in contact are not held
    still between frames, and joints are interpolated too: the pipeline locks and poses them anew.
    """
    known = recovery.timestamps
    before, after, weight = bracketing_samples(times, known)
    cubic = partial(interpolate_cubic, times, known)

    def turns(quats: FloatArray) -> FloatArray:
        return normalize_quat(cubic(align_quat_signs(quats)))

    return dataclasses.replace(
        recovery,
        timestamps=times,
        poses=_rotvecs(turns, recovery.poses),
        visible=recovery.visible[before] & recovery.visible[np.where(weight > 0, after, before)],
        **_other_arrays(recovery, times, cubic, turns),
    )


def _rotvecs(interpolate_quats: Interpolation, poses: FloatArray) -> FloatArray:
    """Rotation vectors (F,3 J) at other times, interpolated as quaternions (F,J,4)."""
    quats = interpolate_quats(quat_from_rotvec(poses.reshape(len(poses), -1, 3)))
    return rotvec_from_quat(quats).reshape(len(quats), -1)


def _slerp(times: FloatArray, known: FloatArray, quats: FloatArray) -> FloatArray:
    """Quaternions (F,...,4) of known times (F,) at times (N,)."""
    before, after, weight = bracketing_samples(times, known)
    weight = weight.reshape(-1, *(1,) * (quats.ndim - 2))
    return slerp(quats[before], quats[after], np.broadcast_to(weight, quats[before].shape[:-1]))


def interpolate_camera(times: FloatArray, known: FloatArray, camera_from_world: FloatArray) -> FloatArray:
    """A camera's transforms (F,4,4) of known times (F,) at times (N,): its place linearly, its rotation by slerp."""
    places = interpolate_over_time(times, known, invert_rigid_transform(camera_from_world)[:, :3, 3])
    rotations = rotmat_from_quat(_slerp(times, known, quat_from_rotmat(camera_from_world[:, :3, :3])))
    return rigid_transform(rotations, -(rotations @ places[..., None])[..., 0])


def _other_arrays(recovery: Recovery, times: FloatArray, path: Interpolation, turns: Interpolation) -> dict[str, Any]:
    """Every array of a recovery besides its poses, at other times; path: for what moves, turns: for quaternions, the rest is linear."""
    linear = partial(interpolate_over_time, times, recovery.timestamps)

    def if_any(interpolate: Interpolation, values: FloatArray | None) -> FloatArray | None:
        return None if values is None else interpolate(values)

    def rotate(rotvecs: FloatArray) -> FloatArray:
        return _rotvecs(turns, rotvecs.reshape(len(rotvecs), -1)).reshape(len(times), *rotvecs.shape[1:])

    return {
        "trans": path(recovery.trans),
        "joints": path(recovery.joints),
        "lifted_joints": path(recovery.lifted_joints),
        "confidence": linear(recovery.confidence),
        "contacts": linear(recovery.contacts),
        "camera_from_world": interpolate_camera(times, recovery.timestamps, recovery.camera_from_world),
        "q": if_any(lambda angles: path(np.unwrap(angles, axis=0)), recovery.q),
        "skel_trans": if_any(path, recovery.skel_trans),
        "calibrated_joints": if_any(path, recovery.calibrated_joints),
        "joint_sigma": if_any(linear, recovery.joint_sigma),
        "camera_zoom": if_any(linear, recovery.camera_zoom),
        "free_legs": if_any(rotate, recovery.free_legs),
    }
