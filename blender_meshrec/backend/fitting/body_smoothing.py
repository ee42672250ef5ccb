"""Smooth a body's rotations over time: twists and the ends of limbs, which single frames show badly, are the noisiest."""

import numpy as np

from ...core.array_types import ArrayLike
from ...core.records import BodyParams
from ...core.rotations import quat_from_rotvec, rotvec_from_quat
from .body_params import local_rotvecs, with_rotvecs
from .smoothing import smooth_positions, smooth_quaternions


def smooth_body(params: BodyParams, visible: ArrayLike, timestamps: ArrayLike, strength: float = 1.0) -> BodyParams:
    """BodyParams of F frames with every rotation and the root's path smoothed, without lag.

    Args:
        params: in any axes. visible: (F,); frames without the person are left as they are. timestamps: (F,) s.
        strength: 0 returns `params` itself.
    """
    visible = np.asarray(visible, bool)
    if strength <= 0 or visible.sum() < 4:
        return params
    times = np.asarray(timestamps, float)[visible]
    rotvecs, transl = local_rotvecs(params), params.transl.astype(float)
    rotvecs[visible] = rotvec_from_quat(smooth_quaternions(quat_from_rotvec(rotvecs[visible]), times, strength))
    transl[visible] = smooth_positions(transl[visible], times, strength)
    return with_rotvecs(params, rotvecs, transl=transl)
