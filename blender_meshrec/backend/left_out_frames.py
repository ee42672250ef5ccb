"""The frames of a clip that the detector did not look at (Quality Draft), or that repeat the picture before them: their motion lies between
that of the others.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from ..core.array_types import FloatArray
from ..core.cameras import invert_rigid_transform
from ..core.foot_planting.foot_lock import lock_feet
from ..core.foot_planting.leg_kinematics import soles_from_template
from ..core.messages import Message
from ..core.records import Recovery
from ..core.recovery_rows import change_shots
from ..core.resampling import fill_in_frames
from ..core.rotations import rotmat_from_rotvec, rotvec_from_rotmat
from .clip import Clip
from .fitting.body_params import with_posed_joints

TOLD = 0.05  # share of the frames that the detector looked at which repeat the picture before them, from which a user is told


def has_left_out_frames(clip: Clip) -> bool:
    """Whether some frames of the range were left out."""
    return not clip.looked_at.is_every


def fill_in_left_out_frames(clip: Clip) -> None:
    """Give every frame of the range a motion. Runs once the frames that were looked at are judged."""
    for person in clip.people:
        person.recovery = with_posed_joints(clip.body, change_shots(person.recovery, clip.breaks, partial(fill_in_shot, clip)))
        if person.generated is not None:
            person.generated = change_shots(person.generated, clip.breaks, partial(fill_in_shot, clip, may_lock=False))
        if "worst_frames" in person.judged:
            person.judged["worst_frames"] = [int(clip.looked_at.rows[row]) for row in person.judged["worst_frames"]]
    if clip.looked_at.step > 1:
        text = "Quality Draft looked at one of {step} frames; the motion of the others is interpolated. Standard looks at every frame."
        clip.warnings.append(Message("draft-frames-interpolated", text, step=clip.looked_at.step))
    share = clip.looked_at.num_repeated / clip.looked_at.num_seen
    if share > TOLD:
        text = "{share:.0f} % of the frames of {name} only repeat the picture before them; their motion is interpolated."
        clip.warnings.append(Message("frames-repeated", text, share=100 * share, name=Path(clip.frames.source).name))


def fill_in_shot(clip: Clip, shot: Recovery, may_lock: bool = True) -> Recovery:
    """One shot's recovery with the frames that were left out of it, up to the next shot's first frame."""
    times, first, last = clip.looked_at.all_times, shot.timestamps[0], shot.timestamps[-1]
    later = clip.frames.timestamps[clip.frames.timestamps > last + 1e-9]
    end = later[0] if len(later) else np.inf
    filled = fill_in_frames(shot, times[(times > first - 1e-9) & (times < end - 1e-9)])
    return with_locked_feet(filled, clip) if may_lock and clip.request.contacts else filled


def with_locked_feet(recovery: Recovery, clip: Clip) -> Recovery:
    """The recovery with feet held still while they touch, as its contacts say."""
    rest_joints, soles = clip.template.rest_joints(recovery.betas), soles_from_template(clip.template, recovery.betas)
    pelvis, camera = recovery.trans + rest_joints[0], invert_rigid_transform(recovery.camera_from_world)[:, :3, 3]
    rotmats: FloatArray = rotmat_from_rotvec(recovery.poses.astype(float).reshape(len(recovery), -1, 3))
    locked, _ = lock_feet(rotmats, pelvis, rest_joints, soles, recovery.contacts, np.asarray(recovery.timestamps), camera)
    return replace(recovery, poses=rotvec_from_rotmat(locked).reshape(len(recovery), -1))
