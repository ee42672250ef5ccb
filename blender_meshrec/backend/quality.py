"""What is measured of a person's result for its verdict (core/verdict.py): of picture, ground, pose and camera."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch

from ..bodies.smpl import Smpl
from ..core.array_types import BoolArray, FloatArray, IntArray
from ..core.cameras import project, transform_points
from ..core.contacts import contact_runs, point_speeds
from ..core.messages import Message
from ..core.metrics import CONFIDENCE_THRESHOLD, foot_slide
from ..core.records import Observations, Recovery
from ..core.skeletons import H36M17, KEYPOINT_SETS, SMPL_JOINTS, limb_indices
from ..core.verdict import BAD, GOOD, LEAST_STATURE, Measure, Verdict, judge
from .clip import Clip
from .fitting.body_masses import centre_of_mass_of_body
from .fitting.crouch_ratio import leg_extension
from .fitting.gravity_and_floor import STANDING_EXTENSION
from .fitting.keypoint_noise import keypoint_noise
from .fitting.stature import oddness, stature
from .fitting.tilt_from_lines import contradicts, tilt_of_up, up_of_tilt

MIN_ANKLE_CONFIDENCE = 0.3  # from which a foot counts as seen, as for the floor
MAX_SKINNED_FRAMES = 60  # in which the lowest vertex is looked for; between them it is interpolated
HOVER = 0.08  # m; a body this far above the floor does not touch it
# How high a jump takes the lowest point of a body at most, m, however long it lasts; m/s².
HIGHEST_JUMP, GRAVITY = 0.6, 9.81
# A foot this low above the floor, m, and this slow, m/s, rests on something: people hold a foot still higher up, or not for long.
LOW_FOOT, REST_SPEED = 0.35, 0.15
ON_FLOOR = 0.3  # m; somebody whose pelvis is no higher lies or sits on the floor, and holds a foot up on purpose
GLIDING_SPEED = 0.4  # m/s, of feet that do not stand still
# Keypoints that move by this share of the box from one frame to the next, and this fast, box heights a second, are another person's.
JUMP_SHARE, JUMP_SPEED = 0.25, 8.0
# What is this near the floor, m, touches it; a person slower than this, m/s, must be balanced.
TOUCH, SLOW = 0.06, 0.5
BALANCE_TIME = 1.0  # s, for which nobody falls without being held
SUPPORT_SIGMA = 0.06  # m, how well the heights of what touches are known: a wide support shows which way is up
MAX_WARNINGS = 3  # reasons of one person
_LIMBS = (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))
_LIMB_BONES = tuple((f"{side}_{start}", f"{side}_{end}") for side in ("left", "right") for start, end in _LIMBS)
USUAL_ROLL = 5.0  # degrees; whether more is right is looked at
_DIRECTIONS = np.stack([np.cos(np.arange(16) * np.pi / 8), np.sin(np.arange(16) * np.pi / 8)], -1)  # (16,2), horizontal
_LEGS = [[SMPL_JOINTS.index(f"{side}_{name}") for name in ("hip", "knee", "ankle")] for side in ("left", "right")]
_FEET = [SMPL_JOINTS.index(f"{side}_{end}") for side in ("left", "right") for end in ("ankle", "foot")]
_ANKLES = [SMPL_JOINTS.index("left_ankle"), SMPL_JOINTS.index("right_ankle")]


def judge_people(clip: Clip) -> None:
    """Judge each person, and warn of those who are not good. Needs recoveries of the footage's own frames."""
    sigma = float(np.degrees(np.max(clip.tilt_sigma))) if np.any(clip.tilt_sigma) else float("nan")
    background = clip.background if clip.parts else background_left(clip)
    for person in clip.people:
        # The parts of a clip with cuts were fitted one by one.
        backwards = None if clip.parts else person.fit.feet_backwards
        moving = replace(person.recovery, timestamps=clip.motion_times)
        measures = measure_person(moving, person.observations, clip.body, background, sigma, clip.breaks, backwards)
        if measures["camera_rolled"].value > USUAL_ROLL and is_roll_told(clip):
            measures["camera_rolled"] = Measure(float("nan"))
        if person.known.height is not None or person.known.betas is not None:
            measures["small"] = Measure(float("nan"))
        verdict = judge(measures)
        person.judged = verdict_report(verdict, measures, person.recovery.timestamps)
        clip.warnings += warnings_of(person.number, verdict)


def is_roll_told(clip: Clip) -> bool:
    """Whether a horizon that is tipped in the picture is no mistake: up is given, or the background's edges are tipped as much."""
    up = clip.world_from_camera[2, :3]
    pitch, _roll = tilt_of_up(up)
    is_given = clip.known_camera is not None or not np.any(clip.tilt_sigma)
    return is_given or (clip.edges is not None and contradicts(clip.edges, up, up_of_tilt(np.array(pitch), np.array(0.0))))


def background_left(clip: Clip) -> FloatArray | None:
    """The background's movement (F,3) that the solve of the camera has not taken out; None if it has, or if nobody looked."""
    if clip.known_camera is not None and clip.camera.kind != "still":
        return None
    if clip.known_camera is None and clip.camera.kind == "still" and clip.background is not None:
        return np.zeros_like(clip.background)  # the solve of the camera has looked at all of it: what moved is no background
    if clip.path_scale is not None and clip.path_scale.is_told:
        return None  # the path is taken out, and its length is known
    if clip.background is not None and clip.path_scale is None and clip.camera_from_view is not None and clip.known_camera is None:
        # A turn or a zoom that is known takes no path along; otherwise the background grows only if the camera moves.
        return clip.background * [0, 0, 1.0 if clip.zoom is None else 0.0]
    return clip.background


def warnings_of(number: int, verdict: Verdict) -> list[Message]:
    """What to tell the user of a verdict on the person of this number: the gravest reasons, nothing if it is good."""
    if verdict.verdict == GOOD:
        return []
    is_bad = verdict.verdict == BAD
    return [
        Message("verdict-warning-bad", "Person {person} is bad: {reason}", person=number, reason=reason)
        if is_bad
        else Message("verdict-warning-doubtful", "Person {person} is doubtful: {reason}", person=number, reason=reason)
        for reason in verdict.reasons[:MAX_WARNINGS]
    ]


def verdict_report(verdict: Verdict, measures: Mapping[str, Measure], timestamps: FloatArray) -> dict[str, Any]:
    """The entries of the report. worst_frames: rows of the footage's range; worst_times: the same in s; measures: None if unknown."""
    return {
        "verdict": verdict.verdict,
        "reasons": list(verdict.reasons),
        "worst_frames": list(verdict.worst_frames),
        "worst_times": [round(float(timestamps[row]), 3) for row in verdict.worst_frames],
        "measures": {name: round(measure.value, 2) if np.isfinite(measure.value) else None for name, measure in measures.items()},
    }


def measure_person(
    recovery: Recovery,
    observations: Observations,
    body: Smpl,
    background: FloatArray | None = None,
    tilt_sigma: float = float("nan"),
    cuts: Sequence[int] = (),
    backwards: BoolArray | None = None,
) -> dict[str, Measure]:
    """The measures of core/verdict.py.

    Args:
        recovery, observations: over the same F frames. background: (F,3) as of camera/background_matcher.py, or None.
        tilt_sigma: how well up is known, degrees; nan if it was given. cuts: first rows of shots, where the picture jumps.
        backwards: (F,), where feet were seen to point where no leg can turn them; None if unknown.
    """
    seen = observations.visible
    share = float("nan") if backwards is None or not seen.any() else 100 * float(backwards[seen].mean())
    return {
        **measure_picture(recovery, observations),
        **measure_sight(recovery, observations, cuts),
        **measure_ground(recovery, body, within_shots(seen, cuts), tilt_sigma),
        **measure_pose(recovery, seen),
        "feet_backwards": Measure(share, None if backwards is None else 100.0 * (backwards & seen)),
        "odd_shape": Measure(oddness(body.template, recovery.betas)),
        "small": Measure(100 * max(0.0, LEAST_STATURE - stature(body.template, recovery.betas))),
        "camera_rolled": Measure(camera_roll(recovery)),
        "camera_moves": Measure(background_motion(background, observations, recovery)),
    }


# --- the picture ------------------------------------------------------------------------------------------------------


def measure_picture(recovery: Recovery, observations: Observations) -> dict[str, Measure]:
    """How far the final joints lie from where they are seen, and how far the lifted ones do, % of the person's size."""
    final, lifted = (
        relative_errors(recovery, points.astype(float), names, observations)
        for points, names in ((recovery.joints, SMPL_JOINTS), (recovery.lifted_joints, H36M17))
    )
    return {
        "off_picture": Measure(_quantile(final, 0.5) - _quantile(lifted, 0.5), _row_means(final) - _row_means(lifted)),
        "far_off_at_times": Measure(_quantile(final, 0.95), _row_means(final)),
        "keypoints_unlike_a_body": Measure(_quantile(lifted, 0.5), _row_means(lifted)),
    }


def relative_errors(recovery: Recovery, joints: FloatArray, names: tuple[str, ...], observations: Observations) -> FloatArray:
    """Reprojection errors (F,12) of the limb joints among joints (F,J,3) m in the world, % of the person's size; nan where none counts."""
    detected = observations.joint_points[:, limb_indices(H36M17)]
    in_camera = transform_points(recovery.camera_from_world, joints[:, limb_indices(names)])
    distance = np.linalg.norm(project(in_camera, recovery.camera_intrinsics) - detected[..., :2], axis=-1)
    counted = (detected[..., 2] > CONFIDENCE_THRESHOLD) & observations.visible[:, None] & np.isfinite(distance)
    return np.where(counted, 100 * distance / body_sizes(observations)[:, None], np.nan)


# --- what was seen ----------------------------------------------------------------------------------------------------


def measure_sight(recovery: Recovery, observations: Observations, cuts: Sequence[int] = ()) -> dict[str, Measure]:
    """How much of the person was seen, and how steadily."""
    seen = observations.visible
    limbs = observations.keypoints[:, limb_indices(KEYPOINT_SETS[observations.keypoint_set].points)].astype(float)
    unsure = (limbs[..., 2] <= CONFIDENCE_THRESHOLD).mean(-1)
    feet: BoolArray = np.any(recovery.confidence[:, _ANKLES] > MIN_ANKLE_CONFIDENCE, axis=-1)
    size = np.median(body_sizes(observations)[seen]) if seen.any() else float("nan")
    noise = keypoint_noise(limbs[seen, :, :2] / size, limbs[seen, :, 2], recovery.timestamps[seen]) if seen.any() else np.zeros(0)
    jumps = keypoint_jumps(limbs, seen, body_sizes(observations), recovery.timestamps)
    jumps[list(cuts)] = False
    there = rows_of_presence(seen, cuts)
    return {
        "unseen": Measure(100 * _mean(~seen[there]), 100.0 * (there & ~seen)),
        "absent": Measure(100 * float((~there).mean())),
        "jumps": Measure(100 * float(jumps[seen].mean()) if seen.any() else float("nan"), 100.0 * jumps),
        "unsure": Measure(100 * _mean(unsure[seen]), np.where(seen, 100 * unsure, np.nan)),
        "feet_unseen": Measure(100 * _mean(~feet[seen])),
        "trembling": Measure(100 * float(np.median(noise)) if noise.size and noise.any() else float("nan")),
    }


def within_shots(seen: BoolArray, cuts: Sequence[int]) -> BoolArray:
    """Frames (F,) with the person but the first ones of shots, so that nothing lasts from one shot into the next."""
    within = seen.copy()
    within[list(cuts)] = False
    return within


def rows_of_presence(seen: BoolArray, cuts: Sequence[int]) -> BoolArray:
    """Frames (F,) from where a shot first shows the person to where it last does. seen: (F,). cuts: first rows of all other shots."""
    there = np.zeros(len(seen), bool)
    for first, last in pairwise([0, *cuts, len(seen)]):
        rows = first + np.flatnonzero(seen[first:last])
        if len(rows):
            there[rows[0] : rows[-1] + 1] = True
    return there


def body_sizes(observations: Observations) -> FloatArray:
    """The larger side (F,) px of each box: the person's size however they lie."""
    boxes = observations.boxes.astype(float)
    return np.maximum((boxes[:, 2:] - boxes[:, :2]).max(-1), 1e-6)


def keypoint_jumps(limbs: FloatArray, seen: BoolArray, sizes: FloatArray, times: FloatArray) -> BoolArray:
    """Frames (F,) at which keypoints (F,K,3) are elsewhere than in the frame before with the person, faster than people move."""
    jumps, rows = np.zeros(len(seen), bool), np.flatnonzero(seen)
    if len(rows) < 2:
        return jumps
    moved = np.median(np.linalg.norm(np.diff(limbs[rows, :, :2], axis=0), axis=-1), -1)
    size = np.minimum(sizes[rows[1:]], sizes[rows[:-1]])
    jumps[rows[1:]] = moved > size * np.maximum(JUMP_SHARE, JUMP_SPEED * np.diff(times[rows]))
    return jumps


# --- the ground -------------------------------------------------------------------------------------------------------


class Support(NamedTuple):
    """What a body stands or lies on.

    lowest: (F,) m, height of the lowest vertex. rows: (R,), the frames that were looked at for the rest, which is nan unless something
    touches the floor and the person is slow. width: (R,) m, of what touches, across its longest direction. overhang: (R,) m, how far the
    centre of mass is beyond what touches; nan of people whose legs are bent as on a seat, too.
    """

    lowest: FloatArray
    rows: IntArray
    overhang: FloatArray
    width: FloatArray


def measure_ground(recovery: Recovery, body: Smpl, seen: BoolArray, tilt_sigma: float) -> dict[str, Measure]:
    """How the body meets the floor, and how well that shows which way is up."""
    if not seen.any():
        return {}
    support, soles = find_support(recovery, body, seen), sole_heights(recovery, body)
    overhang = np.full(len(seen), np.nan)
    overhang[support.rows] = 100 * support.overhang
    held = np.where((recovery.contacts > CONFIDENCE_THRESHOLD) & seen[:, None], soles, np.nan)
    width = float(np.nan_to_num(_quantile(support.width, 0.5)))
    level_sigma = np.degrees(np.arctan2(SUPPORT_SIGMA, width))
    return {
        "below_floor": Measure(max(0.0, -100 * _quantile(support.lowest[seen], 0.05)), np.maximum(-100 * support.lowest, 0)),
        "contacts_above_floor": Measure(_quantile(100 * held, 0.95), _row_means(100 * held)),
        "feet_slide": Measure(foot_slide(recovery.joints[:, _FEET], recovery.contacts * seen[:, None], recovery.timestamps)),
        "foot_held_up": Measure(foot_held_up(recovery, soles, seen)),
        "gliding": Measure(gliding_time(recovery, soles, seen)),
        "hanging": Measure(longest_run((support.lowest > HOVER) & seen, recovery.timestamps)),
        "thrown": Measure(100 * beyond_jumps(support.lowest, seen, recovery.timestamps)),
        "unbalanced": Measure(100 * largest_median(support.overhang, recovery.timestamps[support.rows], BALANCE_TIME), overhang),
        "gravity_unsure": Measure(float((tilt_sigma**-2 + level_sigma**-2) ** -0.5)),
    }


def find_support(recovery: Recovery, body: Smpl, seen: BoolArray) -> Support:
    """The Support of a recovery, from at most MAX_SKINNED_FRAMES of its frames."""
    rows = np.flatnonzero(seen)
    rows = rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), MAX_SKINNED_FRAMES)).round().astype(int))]
    poses, joints = recovery.poses[rows], recovery.joints.astype(float)
    with torch.inference_mode():
        _joints, posed = body(recovery.betas, poses[:, :3], poses[:, 3:], recovery.trans[rows])
    vertices: FloatArray = posed.cpu().numpy().astype(float)
    lowest = vertices[..., 2].min(-1)
    centre = centre_of_mass_of_body(joints[rows])
    may_sit = leg_extension(joints[rows][:, _LEGS]).max(1) < STANDING_EXTENSION
    slow = point_speeds(joints[:, :1], recovery.timestamps)[rows, 0] < SLOW
    overhang, width = np.full((2, len(rows)), np.nan)
    for row in np.flatnonzero(slow & (lowest < TOUCH)):
        touching = vertices[row, vertices[row, :, 2] < max(lowest[row], 0.0) + TOUCH, :2]
        reach = touching @ _DIRECTIONS.T
        width[row] = np.ptp(reach, axis=0).min()
        if not may_sit[row]:
            overhang[row] = max(0.0, (centre[row, :2] @ _DIRECTIONS.T - reach.max(0)).max())
    return Support(np.interp(np.arange(len(seen)), rows, lowest), rows, overhang, width)


def sole_heights(recovery: Recovery, body: Smpl) -> FloatArray:
    """The heights (F,4) m of left heel, left toe, right heel and right toe: of their joints, less those of a foot that stands."""
    betas, template = recovery.betas, body.template
    standing = template.rest_joints(betas)[template.smpl_joint_indices][_FEET] - template.rest_vertices(betas).min(0)
    return recovery.joints[:, _FEET, 2].astype(float) - standing[:, 1]


def foot_held_up(recovery: Recovery, soles: FloatArray, seen: BoolArray) -> float:
    """The longest time, s, for which a foot of somebody on their legs or on a seat rests a little above the floor; soles: (F,4) m."""
    if len(seen) < 2:
        return 0.0
    low = soles.reshape(-1, 2, 2).min(-1)
    speed = point_speeds(recovery.joints[:, _FEET].astype(float), recovery.timestamps).reshape(-1, 2, 2).max(-1)
    is_up = recovery.joints[:, 0, 2] > ON_FLOOR
    rests = (low > HOVER) & (low < LOW_FOOT) & (speed < REST_SPEED) & (is_up & seen)[:, None]
    return max(longest_run(rests[:, foot], recovery.timestamps) for foot in (0, 1))


def gliding_time(recovery: Recovery, soles: FloatArray, seen: BoolArray) -> float:
    """The longest time, s, for which somebody upright is on their feet and all feet move; soles: (F,4) m as of `sole_heights`."""
    if len(seen) < 2:
        return 0.0
    is_upright = leg_extension(recovery.joints[:, _LEGS].astype(float)).max(1) >= STANDING_EXTENSION
    slowest = point_speeds(recovery.joints[:, _FEET].astype(float), recovery.timestamps).min(1)
    return longest_run((slowest > GLIDING_SPEED) & (soles.min(1) < HOVER) & is_upright & seen, recovery.timestamps)


def beyond_jumps(lowest: FloatArray, seen: BoolArray, times: FloatArray) -> float:
    """How much higher, m, the lowest point (F,) m of a body rises than jumps of that duration take it; 0 if no higher."""
    excess = [0.0]
    for first, last in contact_runs((lowest > HOVER) & seen):
        if first > 0 and last < len(times):  # else nobody knows how long it lasted
            in_the_air = float(times[last] - times[first - 1])
            excess.append(float(lowest[first:last].max()) - min(GRAVITY * in_the_air**2 / 8, HIGHEST_JUMP))
    return max(excess)


def largest_median(values: FloatArray, times: FloatArray, duration: float) -> float:
    """The largest median of values (F,) over a time, s, in which at least half of them are known, or over the whole of a shorter clip;
    nan if there is no such time."""
    span = min(duration, times[-1] - times[0])
    lasts = np.searchsorted(times, times + span - 1e-6)
    windows = [values[first : last + 1] for first, last in enumerate(lasts) if last < len(values)]
    return max((float(np.nanmedian(window)) for window in windows if np.isfinite(window).mean() >= 0.5), default=float("nan"))


def longest_run(holds: BoolArray, times: FloatArray) -> float:
    """The longest time, s, for which (F,) holds without a break."""
    return max((float(times[last - 1] - times[first]) for first, last in contact_runs(holds)), default=0.0)


# --- the pose and the camera ------------------------------------------------------------------------------------------


def measure_pose(recovery: Recovery, seen: BoolArray) -> dict[str, Measure]:
    """How far the limbs turned from the lifted pose, degrees."""
    cosine = np.stack([
        (_directions(recovery.joints, SMPL_JOINTS, start, end) * _directions(recovery.lifted_joints, H36M17, start, end)).sum(-1)
        for start, end in _LIMB_BONES
    ], 1)  # fmt: skip
    angles = np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean(-1)
    return {"unlike_lifted": Measure(_mean(angles[seen]), np.where(seen, angles, np.nan))}


def camera_roll(recovery: Recovery) -> float:
    """How far the horizon is tipped in the picture, degrees; nan for a camera that looks straight down or up."""
    up = recovery.camera_from_world[0, :3, 2]
    return abs(float(np.degrees(np.arctan2(up[0], -up[1])))) if np.hypot(up[0], up[1]) > 0.3 else float("nan")


def background_motion(background: FloatArray | None, observations: Observations, recovery: Recovery) -> float:
    """How far the camera moves over the clip where the person is, % of their height; nan where the background was not seen.

    A background that moves by the person's height in the picture takes the path along by as much; one that grows does so in depth.
    """
    if background is None or len(background) < 2 or np.isfinite(background[1:, 0]).mean() < 0.5 or not observations.visible.any():
        return float("nan")
    state = np.nancumsum(background, axis=0)
    reach = np.quantile(state, 0.98, axis=0) - np.quantile(state, 0.02, axis=0)
    box = float(np.median(body_sizes(observations)[observations.visible]))
    across, along = np.hypot(*reach[:2]) * np.max(recovery.image_size), np.expm1(reach[2]) * recovery.camera_intrinsics[0, 0]
    return 100 * float(max(across, along)) / box


def _directions(joints: FloatArray, names: tuple[str, ...], start: str, end: str) -> FloatArray:
    """Unit vectors (F,3) between two of joints (F,J,3)."""
    bone = (joints[:, names.index(end)] - joints[:, names.index(start)]).astype(float)
    return bone / np.maximum(np.linalg.norm(bone, axis=-1, keepdims=True), 1e-6)


def _row_means(values: FloatArray) -> FloatArray:
    """Means (F,) of the values (F,K) that are not nan; nan where all are."""
    counted = np.isfinite(values)
    return np.where(counted.any(-1), np.where(counted, values, 0).sum(-1) / np.maximum(counted.sum(-1), 1), np.nan)


def _quantile(values: FloatArray, share: float) -> float:
    counted = values[np.isfinite(values)]
    return float(np.quantile(counted, share)) if counted.size else float("nan")


def _mean(values: FloatArray | BoolArray) -> float:
    return float(np.mean(values)) if np.size(values) else float("nan")
