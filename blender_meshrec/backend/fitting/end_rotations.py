"""Rotations of head, hands and feet from the points that a detector finds on them: what joints alone cannot show.

Toes and heels, the roots of the fingers, nose, eyes and ears are compared with the same points of the body at rest. The
rotation of each end is relative to its parent bone, is limited to a person's range, and is interpolated over frames in which the
end is not seen reliably.
"""

from collections.abc import Mapping
from typing import NamedTuple

import roma
import torch

from ...bodies.alignment import fit_rotation, normalize_or, plane_frame, swing_onto
from ...bodies.rotations import wrap_angle
from ...core.array_types import FloatArray
from ...core.time_series import interpolate_missing
from .end_points import EndPoints

# Confidence from which a point is used.
MIN_CONFIDENCE = 0.5
# Largest rotations from rest, rad: ankles, wrists, head against chest. Ours, after the ranges in anatomy books.
MAX_ANKLE_ANGLE, MAX_WRIST_ANGLE, MAX_HEAD_ANGLE = 1.1, 1.4, 1.4
# A foot turns out or in at most so far, rad, from where its thigh takes it without a twist: hip and knee together. Ours, likewise.
MAX_FOOT_TURN = 1.4
# A direction nearer than this to the axis a roll is measured about does not determine the roll; sine.
MIN_AXIS_SINE = 0.35
# Supination turns the palm by up to 160 degrees from palms-down, pronation hardly: middle and half width of the forearm's
# range, rad. Ours.
PALM_MIDDLE, PALM_RANGE = 1.3, 1.8
# A twist this far beyond the range means that index and little finger were confused, rad.
PALM_TOLERANCE = 0.5
FACE_POINTS = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")


class FootDirections(NamedTuple):
    """Unit vectors (F,2,3) from heels to toes, left first; those which look alike in the picture, but slant the other way in depth; which
    are reliable (F,2); the same vectors (2,3) m at rest; and which of the directions (F,2) no leg can turn a foot to."""

    directions: torch.Tensor
    mirrored: torch.Tensor
    is_reliable: torch.Tensor
    rest: torch.Tensor
    is_backwards: torch.Tensor


def foot_directions(
    points: EndPoints, landmarks: Mapping[str, FloatArray], ankles: torch.Tensor, rest_directions: torch.Tensor
) -> FootDirections | None:
    """Where feet point; None if the points have no feet.

    Args:
        landmarks: name -> (3,) m at rest. ankles: (F,2,3) m, left and right.
        rest_directions: unit vectors (F,2,3) of feet that are at rest against their shins.

    The image shows the direction of a foot across the line of sight well. Its slant in depth comes from the points in metres, or
    else from the resting foot, within what the foot's length allows: BlazePose's feet in metres are half as long as people's and
    tipped down by 20 degrees.
    """
    names = ("left_heel", "right_heel", "left_big_toe", "right_big_toe")
    if not points.has_points(*names) or (points.positions is None and points.rays is None):
        return None
    ends = torch.stack([torch.as_tensor(landmarks[name]).to(rest_directions) for name in names])
    rest = ends[2:] - ends[:2]
    confidence = points.select(points.confidence, names, rest_directions).unflatten(1, (2, 2)).amin(1)
    directions, away = rest_directions, rest_directions.new_tensor([1.0, 1.0, -1.0])
    if points.positions is not None:
        heels, toes = points.select(points.positions, names, rest_directions).unflatten(1, (2, 2)).unbind(1)
        directions = normalize_or(toes - heels, rest_directions)
    mirrored = directions * away
    if points.rays is not None:
        heels, toes = points.select(points.rays, names, rest_directions).unflatten(1, (2, 2)).unbind(1)
        directions, mirrored = (
            _directions_between_rays(heels, toes, estimate, ankles[..., 2:], rest.norm(dim=-1, keepdim=True))
            for estimate in (directions, mirrored)
        )
    return FootDirections(directions, mirrored, confidence > MIN_CONFIDENCE, rest, torch.zeros_like(confidence, dtype=torch.bool))


def _directions_between_rays(
    start_rays: torch.Tensor, end_rays: torch.Tensor, estimate: torch.Tensor, depth: torch.Tensor, length: torch.Tensor
) -> torch.Tensor:
    """Unit vectors (F,N,3) from one ray to another, with the slant in depth of an estimate.

    start_rays, end_rays: (F,N,2). estimate: unit vectors (F,N,3). depth: (F,N,1) m of the start. length: (N,1) m between the points.
    """
    across = ((end_rays - start_rays) * depth).norm(dim=-1, keepdim=True)
    # The length determines the slant well while the vector is foreshortened, and only limits it otherwise.
    slant_by_length = (length.square() - across.square()).clamp(min=0).sqrt()
    limit = ((1.05 * length).square() - across.square()).clamp(min=0).sqrt()
    estimated = length * estimate[..., 2:]
    weight = (slant_by_length / length).square()
    soft_sign = estimated / (estimated.square() + (0.1 * length).square()).sqrt()
    slant = weight * soft_sign * slant_by_length + (1 - weight) * torch.minimum(torch.maximum(estimated, -limit), limit)
    vectors = torch.cat([end_rays * (depth + slant) - start_rays * depth, slant], -1)
    return torch.where(depth > 0, normalize_or(vectors, estimate), estimate)


def foot_turns(
    directions: torch.Tensor, pelvis: torch.Tensor, rest_thighs: torch.Tensor, thighs: torch.Tensor, shins: torch.Tensor
) -> torch.Tensor:
    """How far feet are turned out or in (F,2) rad from where their thighs take them without a twist, to the left positive; 0 for a foot
    along its shin, which has no heading.

    Args:
        directions, thighs, shins: unit vectors (F,2,3), left first, the latter two downwards. pelvis: global rotations (F,3,3).
        rest_thighs: unit vectors (2,3).
    """
    hinges = swing_onto(pelvis[:, None].expand(-1, 2, 3, 3), rest_thighs.expand_as(thighs), thighs)[..., 0]
    side = normalize_or(hinges - (hinges * shins).sum(-1, keepdim=True) * shins, hinges)
    front = torch.linalg.cross(shins, side)
    turn = torch.atan2((directions * side).sum(-1), (directions * front).sum(-1))
    return torch.where(torch.linalg.cross(directions, shins).norm(dim=-1) > MIN_AXIS_SINE, turn, torch.zeros_like(turn))


def knee_axes(feet: FootDirections, thighs: torch.Tensor, rest_thighs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The hinge axes of the knees (F,2,3) if knees bend in the plane of thigh and foot, and their trust (F,2), 0 or 1.

    Args:
        thighs: unit vectors (F,2,3). rest_thighs: (2,3).
    """
    is_clear = torch.linalg.cross(thighs, feet.directions).norm(dim=-1) > MIN_AXIS_SINE
    frames = plane_frame(thighs, feet.directions, is_clear) @ plane_frame(rest_thighs, feet.rest, _all_true(rest_thighs)).mT
    return frames[..., :, 0], (feet.is_reliable & is_clear).to(feet.directions)


def ankle_rotvecs(feet: FootDirections, shins: torch.Tensor, times: FloatArray) -> torch.Tensor:
    """Rotations of the ankles (F,2,3) rad relative to shins, global rotations (F,2,3,3); times (F,) s.

    A foot points where its toes are and does not tip to a side: the shin stays in the foot's middle plane.
    """
    down = feet.rest.new_tensor([0.0, -1.0, 0.0])
    rotmats, is_clear = _align_two_axes(feet.directions, shins @ down, feet.rest, down.expand(2, 3))
    rotvecs = _clamp_rotvec(roma.rotmat_to_rotvec(shins.mT @ rotmats), MAX_ANKLE_ANGLE)
    return _interpolate_unreliable(rotvecs, feet.is_reliable & is_clear, times)


def wrist_rotvecs(
    points: EndPoints, forearms: torch.Tensor, rest_forearms: torch.Tensor, times: FloatArray
) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Twists of the forearms and rotations of the wrists, from the roots of index and little finger; None if the points have no hands.

    Args:
        forearms: global rotations (F,2,3,3) of the elbows. rest_forearms: unit vectors (2,3) at rest. times: (F,) s.

    Returns:
        twists (F,2) rad to add at the elbow, half of the hand's twist (the other half stays in the wrist, for the
        skin's sake), and rotations (F,2,3) rad of the wrists.
    """
    names = [f"{side}_{point}" for point in ("wrist", "index", "pinky") for side in ("left", "right")]
    if not points.has_points(*names) or points.positions is None:
        return None
    wrist, index, pinky = points.select(points.positions, names, forearms).unflatten(1, (3, 2)).unbind(1)
    confidence = points.select(points.confidence, names, forearms).unflatten(1, (3, 2)).amin(1)
    # At rest hands point outwards, palms down, index before little finger.
    thumbwards = forearms.new_tensor([0.0, 0.0, 1.0]).expand(2, 3)
    rotmats, is_clear = _align_two_axes((index + pinky) / 2 - wrist, index - pinky, rest_forearms, thumbwards)
    relative = forearms.mT @ rotmats
    # Twist about the forearm: of the rotation's quaternion, the part along the bone.
    quat_xyzw = roma.rotmat_to_unitquat(relative)
    twist = 2 * torch.atan2((quat_xyzw[..., :3] * rest_forearms).sum(-1), quat_xyzw[..., 3])
    bend = roma.rotmat_to_rotvec(relative @ roma.rotvec_to_rotmat(-twist[..., None] * rest_forearms))
    middle = PALM_MIDDLE * twist.new_tensor([-1.0, 1.0])  # about bones that point outwards
    off_middle = wrap_angle(twist - middle)
    is_usable = (confidence > MIN_CONFIDENCE) & is_clear & (off_middle.abs() < PALM_RANGE + PALM_TOLERANCE)
    twist = (middle + off_middle.clamp(-PALM_RANGE, PALM_RANGE))[..., None]
    twist = _interpolate_unreliable(twist, is_usable, times)[..., 0]
    bend = roma.rotvec_to_rotmat(_interpolate_unreliable(_clamp_rotvec(bend, MAX_WRIST_ANGLE), is_usable, times))
    half_twist = roma.rotvec_to_rotmat(twist[..., None] / 2 * rest_forearms)
    return twist / 2, roma.rotmat_to_rotvec(half_twist.mT @ bend @ half_twist @ half_twist)


def head_rotvecs(
    points: EndPoints | None, landmarks: Mapping[str, FloatArray], chest: torch.Tensor, head: torch.Tensor, times: FloatArray
) -> torch.Tensor:
    """Rotations of the head (F,3) rad relative to the chest, from nose, eyes and ears.

    Args:
        landmarks: name -> (3,) m at rest. chest: global rotations (F,3,3). times: (F,) s.
        head: global rotations (F,3,3) by the joints, for clips that never show the face.
    """
    fallback = roma.rotmat_to_rotvec(chest.mT @ head)
    if points is None:
        return fallback
    if not points.has_points(*FACE_POINTS) or points.positions is None:
        return _clamp_rotvec(fallback, MAX_HEAD_ANGLE)
    positions = points.select(points.positions, FACE_POINTS, chest)
    rest = torch.stack([torch.as_tensor(landmarks[name]).to(chest) for name in FACE_POINTS])
    centred = positions - positions.mean(1, keepdim=True)
    rotvec = roma.rotmat_to_rotvec(chest.mT @ fit_rotation(centred, rest - rest.mean(0), None, head))
    is_reliable = points.select(points.confidence, FACE_POINTS, chest).mean(1, keepdim=True) > MIN_CONFIDENCE
    rotvec = _interpolate_unreliable(rotvec[:, None], is_reliable, times)[:, 0] if is_reliable.any() else fallback
    return _clamp_rotvec(rotvec, MAX_HEAD_ANGLE)


def _align_two_axes(
    forward: torch.Tensor, side: torch.Tensor, rest_forward: torch.Tensor, rest_side: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Rotations (F,2,3,3) that turn the rest's forward exactly and its side as nearly as possible onto the observed vectors (F,2,3).

    Also whether forward and side are far enough from collinear, (F,2); where not, the rotation is the identity.
    """
    forward = normalize_or(forward, torch.zeros_like(forward))
    side = normalize_or(side, torch.zeros_like(side))
    is_clear = torch.linalg.cross(forward, side).norm(dim=-1) > MIN_AXIS_SINE
    rest_forward = rest_forward / rest_forward.norm(dim=-1, keepdim=True)
    rotmats = plane_frame(forward, side, is_clear) @ plane_frame(rest_forward, rest_side, _all_true(rest_forward)).mT
    return torch.where(is_clear[..., None, None], rotmats, torch.eye(3).to(rotmats)), is_clear


def _all_true(vectors: torch.Tensor) -> torch.Tensor:
    """True for each of vectors (..., 3), (...)."""
    return torch.ones(vectors.shape[:-1], dtype=torch.bool, device=vectors.device)


def _clamp_rotvec(rotvec: torch.Tensor, max_angle: float) -> torch.Tensor:
    """Rotation vectors (..., 3) no longer than `max_angle` rad."""
    length = rotvec.norm(dim=-1, keepdim=True)
    return rotvec * (max_angle / length.clamp(min=max_angle))


def _interpolate_unreliable(values: torch.Tensor, is_reliable: torch.Tensor, times: FloatArray) -> torch.Tensor:
    """Values (F,N,C), interpolated over time where not reliable (F,N); 0 where no frame is."""
    filled = interpolate_missing(values.cpu().numpy(), is_reliable.cpu().numpy(), times)
    return torch.as_tensor(filled).to(values) * is_reliable.any(0)[:, None]
