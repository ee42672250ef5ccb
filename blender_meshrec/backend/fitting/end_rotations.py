"""How head, hands and feet are turned, where a detector sees points on them: what joints alone cannot show.

Toes and heels, the roots of the fingers, nose, eyes and ears are compared with the same points of the body at rest. Each
end is given as a rotation relative to the bone it hangs on, is kept within a person's range, and passes from one sure
frame to the next where it is not seen.
"""

from typing import NamedTuple

import numpy as np
import roma
import torch

from ...bodies.alignment import fit_rotation, normalize_or, plane_frame

# From this confidence on a point is used.
MIN_CONFIDENCE = 0.5
# How far ends turn from rest, rad: ankles, wrists, head against chest. Ours, after the ranges in anatomy books.
MAX_ANKLE_ANGLE, MAX_WRIST_ANGLE, MAX_HEAD_ANGLE = 1.1, 1.4, 1.4
# A foot or hand nearer than this to the axis its roll is taken from does not show it; sine.
MIN_AXIS_SINE = 0.35
# Supination turns the palm by up to 160 degrees from palms-down, pronation hardly: the forearm's range, rad. Ours.
PALM_MIDDLE, PALM_RANGE = 1.3, 1.8
FACE_POINTS = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")


class EndPoints(NamedTuple):
    """Named points beside the joints, as a detector sees them.

    names: (K). positions: (F,K,3) m in the axes of the joints, about any origin, or None. confidence: (F,K) 0..1.
    rays: (F,K,2), where the points are in the picture as x/z and y/z, or None.
    """

    names: tuple
    positions: np.ndarray | None
    confidence: np.ndarray
    rays: np.ndarray | None = None

    def has_points(self, *names):
        return all(name in self.names for name in names)

    def tensor_of(self, names, field, like):
        """`field`, one of the fields, of the points `names`: (F,N,...), as a tensor like `like`."""
        rows = [self.names.index(name) for name in names]
        return torch.as_tensor(np.array(getattr(self, field)[:, rows])).to(like)


def foot_directions(points, landmarks, ankles, rest_directions):
    """Where feet point.

    Args:
        points: EndPoints. landmarks: name -> (3,) m at rest. ankles: (F,2,3) m, where left and right ankle are.
        rest_directions: unit vectors (F,2,3), where the feet would point if they were at rest against their shins.

    Returns:
        unit vectors (F,2,3) from heels to toes, which are sure (F,2), and the same vectors (2,3) m at rest; None if the
        points have no feet.

    How a foot lies in the picture is seen well. How it slants in depth comes from the points in metres, or else from the
    resting foot, as far as the foot's length allows: BlazePose's feet in metres are half as long as people's and tipped
    down by 20 degrees.
    """
    names = ("left_heel", "right_heel", "left_big_toe", "right_big_toe")
    if not points.has_points(*names) or (points.positions is None and points.rays is None):
        return None
    rest = torch.stack([torch.as_tensor(landmarks[name]).to(rest_directions) for name in names])
    rest = rest[2:] - rest[:2]
    sure = points.tensor_of(names, "confidence", rest_directions).unflatten(1, (2, 2)).amin(1) > MIN_CONFIDENCE
    slant = rest_directions
    if points.positions is not None:
        heels, toes = points.tensor_of(names, "positions", rest_directions).unflatten(1, (2, 2)).unbind(1)
        slant = normalize_or(toes - heels, rest_directions)
    if points.rays is not None:
        heels, toes = points.tensor_of(names, "rays", rest_directions).unflatten(1, (2, 2)).unbind(1)
        slant = _directions_from_rays(slant, heels, toes, ankles[..., 2:], rest.norm(dim=-1, keepdim=True))
    return slant, sure, rest


def _directions_from_rays(slant, start_rays, end_rays, depth, length):
    """Unit vectors (F,N,3) that go from one ray to another and slant in depth about as `slant` (F,N,3) does.

    start_rays, end_rays: (F,N,2). depth: (F,N,1) m of the start. length: (N,1) m between the points.
    """
    across = ((end_rays - start_rays) * depth).norm(dim=-1, keepdim=True)
    # What the length leaves for depth says it well while the vector is foreshortened, and only bounds it when it is not.
    by_length = (length.square() - across.square()).clamp(min=0).sqrt()
    bound = ((1.05 * length).square() - across.square()).clamp(min=0).sqrt()
    told = length * slant[..., 2:]
    share = (by_length / length).square()
    away = told / (told.square() + (0.1 * length).square()).sqrt()
    deep = share * away * by_length + (1 - share) * torch.minimum(torch.maximum(told, -bound), bound)
    vectors = torch.cat([end_rays * (depth + deep) - start_rays * depth, deep], -1)
    return torch.where(depth > 0, normalize_or(vectors, slant), slant)


def knee_axes(feet, thighs, rest_thighs):
    """Where the knees' hinges point if feet point where knees do.

    Args:
        feet: of `foot_directions`. thighs: unit vectors (F,2,3). rest_thighs: (2,3).

    Returns:
        axes (F,2,3) and trust (F,2), 0 or 1.
    """
    directions, sure, rest = feet
    clear = torch.linalg.cross(thighs, directions).norm(dim=-1) > MIN_AXIS_SINE
    always = torch.ones(2, dtype=torch.bool, device=rest.device)
    turned = plane_frame(thighs, directions, clear) @ plane_frame(rest_thighs, rest, always).mT
    return turned[..., :, 0], (sure & clear).to(directions)


def ankle_rotvecs(feet, shins, times):
    """Rotations of the ankles (F,2,3) rad from feet, of `foot_directions`, relative to shins, global rotations (F,2,3,3).

    A foot points where its toes are; it does not tip over to a side, that is, the shin stays in the foot's middle plane.
    """
    directions, sure, rest = feet
    down = rest.new_tensor([0.0, -1.0, 0.0])
    turned, clear = _align_two_axes(directions, shins @ down, rest, down.expand(2, 3))
    return _interpolate_missing(_clamp_rotvec(roma.rotmat_to_rotvec(shins.mT @ turned), MAX_ANKLE_ANGLE), sure & clear, times)


def wrist_rotvecs(points, forearms, rest_forearms, times):
    """Rotations of forearms about themselves and of the wrists, from the roots of index and little finger.

    Args:
        points: EndPoints. forearms: global rotations (F,2,3,3) of the elbows. rest_forearms: unit vectors (2,3) at rest.

    Returns:
        twists (F,2) rad to add at the elbow, half of what the hand shows (the other half stays in the wrist, as skin
        likes it), and rotations (F,2,3) rad of the wrists; None if the points have no hands.
    """
    names = [f"{side}_{point}" for point in ("wrist", "index", "pinky") for side in ("left", "right")]
    if not points.has_points(*names) or points.positions is None:
        return None
    wrist, index, pinky = points.tensor_of(names, "positions", forearms).unflatten(1, (3, 2)).unbind(1)
    sure = points.tensor_of(names, "confidence", forearms).unflatten(1, (3, 2)).amin(1) > MIN_CONFIDENCE
    # At rest hands point outwards, palms down, index before little finger.
    thumbwards = forearms.new_tensor([0.0, 0.0, 1.0]).expand(2, 3)
    turned, clear = _align_two_axes((index + pinky) / 2 - wrist, index - pinky, rest_forearms, thumbwards)
    relative = forearms.mT @ turned
    # Twist about the forearm: of the rotation's quaternion, the part along the bone.
    quat = roma.rotmat_to_unitquat(relative)
    twist = 2 * torch.atan2((quat[..., :3] * rest_forearms).sum(-1), quat[..., 3])
    bend = _clamp_rotvec(roma.rotmat_to_rotvec(relative @ roma.rotvec_to_rotmat(-twist[..., None] * rest_forearms)), MAX_WRIST_ANGLE)
    middle = PALM_MIDDLE * twist.new_tensor([-1.0, 1.0])  # about bones that point outwards
    off_middle = _wrap_angle(twist - middle)
    # Far out of range index and little finger have been mistaken for each other.
    usable = sure & clear & (off_middle.abs() < PALM_RANGE + 0.5)
    twist = _interpolate_missing((middle + off_middle.clamp(-PALM_RANGE, PALM_RANGE))[..., None], usable, times)[..., 0]
    bend = roma.rotvec_to_rotmat(_interpolate_missing(bend, usable, times))
    half = roma.rotvec_to_rotmat(twist[..., None] / 2 * rest_forearms)
    return twist / 2, roma.rotmat_to_rotvec(half.mT @ bend @ half @ half)


def head_rotvecs(points, landmarks, chest, head, times):
    """Rotations of the head (F,3) rad relative to the chest, from nose, eyes and ears.

    Args:
        chest: global rotations (F,3,3). head: the same, as the joints have it, for clips that never show the face.
    """
    fallback = roma.rotmat_to_rotvec(chest.mT @ head)
    if not points.has_points(*FACE_POINTS) or points.positions is None:
        return _clamp_rotvec(fallback, MAX_HEAD_ANGLE)
    positions = points.tensor_of(FACE_POINTS, "positions", chest)
    rest = torch.stack([torch.as_tensor(landmarks[name]).to(chest) for name in FACE_POINTS])
    spread = positions - positions.mean(1, keepdim=True)
    rotvec = roma.rotmat_to_rotvec(chest.mT @ fit_rotation(spread, rest - rest.mean(0), None, head))
    sure = points.tensor_of(FACE_POINTS, "confidence", chest).mean(1, keepdim=True) > MIN_CONFIDENCE
    rotvec = _interpolate_missing(rotvec[:, None], sure, times)[:, 0] if sure.any() else fallback
    return _clamp_rotvec(rotvec, MAX_HEAD_ANGLE)


def _align_two_axes(forward, side, rest_forward, rest_side):
    """Rotations (F,2,3,3) that bring the rest's forward exactly, and its side as nearly as may be, to the observed; where they can."""
    forward = normalize_or(forward, torch.zeros_like(forward))
    side = normalize_or(side, torch.zeros_like(side))
    clear = torch.linalg.cross(forward, side).norm(dim=-1) > MIN_AXIS_SINE
    rest_forward = rest_forward / rest_forward.norm(dim=-1, keepdim=True)
    always = torch.ones(rest_forward.shape[:-1], dtype=torch.bool, device=forward.device)
    turned = plane_frame(forward, side, clear) @ plane_frame(rest_forward, rest_side, always).mT
    return torch.where(clear[..., None, None], turned, torch.eye(3).to(turned)), clear


def _clamp_rotvec(rotvec, max_angle):
    """Rotation vectors (..., 3) no longer than `max_angle` rad."""
    length = rotvec.norm(dim=-1, keepdim=True)
    return rotvec * (max_angle / length.clamp(min=max_angle))


def _wrap_angle(angle):
    return angle - 2 * torch.pi * torch.round(angle / (2 * torch.pi))


def _interpolate_missing(values, known, times):
    """Values (F,N,C) where `known` (F,N); elsewhere between the neighbours in time, held at the ends; 0 where nothing is known."""
    rows, sure, at = values.cpu().numpy(), known.cpu().numpy(), np.asarray(times, float)
    filled = np.zeros_like(rows)
    for i in range(rows.shape[1]):
        here = sure[:, i]
        if here.any():
            for c in range(rows.shape[2]):
                filled[:, i, c] = np.interp(at, at[here], rows[here, i, c])
    return torch.as_tensor(filled).to(values)
