"""Differentiable inverse kinematics (DIK): joint positions to the rotations of an SMPL skeleton, in closed form.

Paper: Yu et al. 2021, "Skeleton2Mesh: Kinematics Prior Injected Unsupervised Human Mesh Recovery", supplementary
material section 2, equations 1-10 and figures 3-5. The ten units stand below with the paper's numbers:
(1) right hip, (2) right knee, (3) left hip, (4) left knee, (5) right shoulder, (6) right elbow, (7) left shoulder,
(8) left elbow, (9) neck, (10) spine.

A unit of the paper builds two frames out of bones, P for the parent and C for the child, and takes P^T C for the joint's
rotation. That repeats the joints only where the rest pose is right-angled. On an SMPL rest pose, whose hips are tilted
by 54 degrees, shoulders by 20 and spine by 21, it misses by 0.12 m at neck and shoulders and 0.63 m at the ankles. This
file keeps the units and the frames they look at, and makes them exact:

1. No P frames. A joint's rotation is R = G_parent^T G, where the global rotation G of the parent has been solved before.
2. A frame is never used bare: C is compared with the same frame of the template, G = C(observed) C(rest)^T. The
   template's knees and elbows are nearly straight, so that its own C has no twist; C(rest) is taken after bending the
   template about its anatomical hinge to the angle observed.
3. Root, spine (10) and neck (9), which have several bones, use all of them: the rotation with the least squared error
   (Kabsch 1976) instead of a cross product of two.
4. The root is solved as well; the paper has a network learn it.
5. Within STRAIGHT_ANGLE of straight or of folded the plane of a limb does not exist; the limb swings from its parent by the
   least rotation. Over a clip, `interpolate_twist` does better.
6. "Left-handed", as the paper has it, is a slip: SMPL is right-handed (x left, y up, z front), and so is this.

With all 24 joints observed, swings at spine1, spine2, collars, ankles and wrists are added and the skeleton repeats all
joints (to 5e-15 m in double precision) if its bones have the observed lengths; otherwise every bone that swings or hinges
still points exactly where it was seen to. From h36m17's joints, collars and the bend within the spine cannot be seen:
where each of them turns by 20 degrees, neck and shoulders are missed by 2 to 4 cm on the mean. Ours: unit (10) is spread
evenly over spine1-3. Positions never show the twist of forearms and shins, nor how head, hands and feet are turned; these are
left as at rest.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import roma
import torch

from ..bodies.alignment import MIN_LENGTH, fit_rotation, normalize_or, plane_frame, swing_onto, wrap_angle
from ..core.skeletons import H36M17, SMPL_JOINTS, SMPL_PARENTS

# Within this of straight or folded, a limb has no plane. Ours.
STRAIGHT_ANGLE = math.radians(1.0)
# A hinge stops this short of the straightest and of the most folded it can reach, where its gradient is infinite. Ours.
HINGE_MARGIN = math.radians(0.05)
# How unit (10) is shared by spine1, spine2 and spine3. Ours: the paper turns one joint and does not say which.
SPINE_SHARE = (1 / 3, 1 / 3, 1 / 3)
# A nose that lies at rest within this of the line from thorax to head top (some skeletons call the base of the skull so)
# does not show where the head faces. Ours.
MIN_NOSE_ANGLE = math.radians(10.0)
# `interpolate_twist`: a limb bent less than UNKNOWN_TWIST_BEND does not show its twist, one bent more than KNOWN_TWIST_BEND
# does. Ours: with 2 cm of noise
# in each joint a straight arm seems bent by 14 degrees on the mean and by 27 in one frame of twenty; at 40 the noise turns
# its plane by 10 degrees.
UNKNOWN_TWIST_BEND, KNOWN_TWIST_BEND = math.radians(20.0), math.radians(40.0)
# `interpolate_twist`: twists of legs, legs, arms, arms up to the first are believed, beyond the second they are not. Ours.
TWIST_LIMITS = (*[(math.radians(100), math.radians(130))] * 2, *[(math.radians(110), math.radians(140))] * 2)


class Limb(NamedTuple):
    """Two bones and the hinge between them: joint names, and the flexion axis at rest."""

    parent: str
    upper: str
    middle: str
    end: str
    hinge: tuple


# Order: left leg, right leg, left arm, right arm. A knee flexes about +x; elbows, palms down in the T-pose, about y.
LIMBS = (
    Limb("pelvis", "left_hip", "left_knee", "left_ankle", (1.0, 0.0, 0.0)),  # units (3), (4)
    Limb("pelvis", "right_hip", "right_knee", "right_ankle", (1.0, 0.0, 0.0)),  # units (1), (2)
    Limb("left_collar", "left_shoulder", "left_elbow", "left_wrist", (0.0, -1.0, 0.0)),  # units (7), (8)
    Limb("right_collar", "right_shoulder", "right_elbow", "right_wrist", (0.0, 1.0, 0.0)),  # units (5), (6)
)
# With 24 joints: the bones beyond the limbs, whose direction is a swing of ankle or wrist. Same order.
END_BONES = (("left_ankle", "left_foot"), ("right_ankle", "right_foot"), ("left_wrist", "left_hand"), ("right_wrist", "right_hand"))


def solve_dik(joints, rest_joints, weights=None, spine_share=SPINE_SHARE):
    """Find the rotations that bring an SMPL skeleton from rest to the observed joints.

    Args:
        joints: (F,24,3) m, SMPL's joints, or (F,17,3) m, h36m17's; any axes.
        rest_joints: the same joints at rest, (J,3) or (F,J,3) m, y up, facing +z.
        weights: (F,J) 0..1 or None for ones. A bone defers to what its parent's rotation gives it, the more the lower
            the weight of its ends, and wholly at 0.
        spine_share: with 17 joints, the parts of unit (10) that spine1, spine2 and spine3 take.

    Returns:
        rotation matrices (F,24,3,3), each relative to its parent, the root's in the axes of `joints`; and where the
        root is, joints[:, 0] (F,3).

    Every output and gradient is finite for finite input, joints that coincide included: what they leave open is kept
    as at rest. Differentiable in joints and rest_joints. Dtype and device are those of `joints`.
    """
    points = _JointObservations.of(joints, rest_joints, weights)
    turned = _solve_torso24(points) if points.names is SMPL_JOINTS else _solve_torso17(points, spine_share)
    _solve_limbs(points, turned)
    if points.names is SMPL_JOINTS:
        _solve_ends(points, turned)
    return local_rotmats(turned), joints[..., 0, :]


def local_rotmats(turned):
    """Rotations relative to the parents (F,24,3,3) of global ones by joint name; joints not named follow their parent."""
    for joint, parent in zip(SMPL_JOINTS[1:], SMPL_PARENTS[1:]):
        turned.setdefault(joint, turned[SMPL_JOINTS[parent]])
    rotations = torch.stack([turned[joint] for joint in SMPL_JOINTS], -3)
    parents = rotations[..., _parents(rotations.device), :, :]
    return torch.cat([rotations[..., :1, :, :], parents.transpose(-1, -2) @ rotations[..., 1:, :, :]], -3)


def global_rotmats(rotmats):
    """Global rotations by joint name of rotations relative to the parents (F,24,3,3): R G_parent, from the root down."""
    turned = {"pelvis": rotmats[..., 0, :, :]}
    for joint in range(1, len(SMPL_JOINTS)):
        turned[SMPL_JOINTS[joint]] = turned[SMPL_JOINTS[SMPL_PARENTS[joint]]] @ rotmats[..., joint, :, :]
    return turned


@lru_cache
def _parents(device):
    return torch.as_tensor(SMPL_PARENTS[1:].copy(), device=device)


class _JointObservations(NamedTuple):
    """The joints of one call: observed (F,J,3), at rest (1 or F,J,3), and weights (F,J) or None."""

    names: tuple
    observed: torch.Tensor
    rest: torch.Tensor
    weights: torch.Tensor | None

    @classmethod
    def of(cls, joints, rest_joints, weights):
        forms = {len(names): names for names in (SMPL_JOINTS, H36M17)}
        count = joints.shape[-2]
        if count not in forms or rest_joints.shape[-2] != count:
            raise ValueError(f"DIK matches 24 (SMPL) or 17 (h36m17) joints at rest and observed, not {rest_joints.shape[-2]} and {count}")
        rest = torch.as_tensor(rest_joints, dtype=joints.dtype, device=joints.device)
        weights = None if weights is None else torch.as_tensor(weights, dtype=joints.dtype, device=joints.device)
        return cls(forms[count], joints, rest if rest.ndim == 3 else rest[None], weights)

    def bones(self, *ends):
        """Bones (start, end) as vectors observed (F,N,3) and at rest (1 or F,N,3), and weights (F,N) or None."""
        starts, ends = ([self.names.index(bone[i]) for bone in ends] for i in (0, 1))
        weights = None if self.weights is None else torch.minimum(self.weights[:, starts], self.weights[:, ends])
        return self.observed[:, ends] - self.observed[:, starts], self.rest[:, ends] - self.rest[:, starts], weights


def _swing_toward(rotmat, observed, rest, weights):
    """Turn `rotmat` so that the bone `rest` points along `observed`; all (F,N,...). Without length or weight it stays.

    Returns the rotation, and the unit direction the bone then has.
    """
    rest = normalize_or(rest, torch.zeros_like(rest))
    kept = (rotmat @ rest[..., None])[..., 0]
    target = normalize_or(observed, kept)
    if weights is not None:
        target = normalize_or(weights[..., None] * target + (1 - weights[..., None]) * kept, kept)
    exists = rest.square().sum(-1)[..., None, None] > 0.5
    return torch.where(exists, swing_onto(rotmat, rest, target), rotmat), target


def _swing_bones(points, rotmat, *bones):
    """Turn `rotmat` (F,3,3) onto each of the bones: a list of (F,3,3)."""
    observed, rest, weights = points.bones(*bones)
    matrices = rotmat[:, None].expand(-1, len(bones), -1, -1)
    return _swing_toward(matrices, observed, rest, weights)[0].unbind(1)


def _solve_torso24(points):
    """Root, spine, neck and collars where every joint of the spine is observed."""
    observed, rest, weights = points.bones(("pelvis", "left_hip"), ("pelvis", "right_hip"), ("pelvis", "spine1"))
    root = fit_rotation(observed, rest, weights, torch.eye(3).to(observed))
    (spine1,) = _swing_bones(points, root, ("spine1", "spine2"))
    (spine2,) = _swing_bones(points, spine1, ("spine2", "spine3"))
    # (10) spine: where the torso's upper half is turned.
    spine3 = fit_rotation(*points.bones(("spine3", "neck"), ("spine3", "left_collar"), ("spine3", "right_collar")), spine2)
    left_collar, right_collar = _swing_bones(points, spine3, ("left_collar", "left_shoulder"), ("right_collar", "right_shoulder"))
    # (9) neck: SMPL's joints hold one point above it, so it swings.
    (neck,) = _swing_bones(points, spine3, ("neck", "head"))
    return {
        "pelvis": root, "spine1": spine1, "spine2": spine2, "spine3": spine3,
        "neck": neck, "left_collar": left_collar, "right_collar": right_collar,
    }  # fmt: skip


def _solve_torso17(points, spine_share):
    """Root, spine and neck as the paper's skeleton shows them: pelvis, chest and head are three rigid pieces."""
    root = fit_rotation(*points.bones(("hip", "left_hip"), ("hip", "right_hip"), ("hip", "spine")), torch.eye(3).to(points.observed))
    # (10) spine.
    spine3 = fit_rotation(*points.bones(("spine", "thorax"), ("spine", "left_shoulder"), ("spine", "right_shoulder")), root)
    # (9) neck.
    observed, rest, weights = points.bones(("thorax", "nose"), ("thorax", "head_top"))
    neck = fit_rotation(observed, rest, _head_weights(rest, weights), spine3)
    rotvec = roma.rotmat_to_rotvec(root.transpose(-1, -2) @ spine3)
    spine1 = root @ roma.rotvec_to_rotmat(spine_share[0] * rotvec)
    spine2 = root @ roma.rotvec_to_rotmat((spine_share[0] + spine_share[1]) * rotvec)
    return {
        "pelvis": root, "spine1": spine1, "spine2": spine2, "spine3": spine3,
        "neck": neck, "left_collar": spine3, "right_collar": spine3,
    }  # fmt: skip


def _head_weights(rest, weights):
    """Weights (F,2) of nose and head top, the nose's zero where it says nothing of the side the head is turned to."""
    nose, top = rest.unbind(-2)
    sine = torch.linalg.cross(nose, top).norm(dim=-1)
    facing = torch.atan2(sine, (nose * top).sum(-1)) > MIN_NOSE_ANGLE
    usable = torch.stack([facing, torch.ones_like(facing)], -1).to(rest)
    return usable if weights is None else weights * usable


def _solve_limbs(points, turned):
    """Units (1) to (8), the four limbs as one batch in the order of LIMBS: (F,4,...)."""
    parent = torch.stack([turned[limb.parent] for limb in LIMBS], 1)
    upper_observed, upper_rest, upper_weights = points.bones(*((limb.upper, limb.middle) for limb in LIMBS))
    lower_observed, lower_rest, lower_weights = points.bones(*((limb.middle, limb.end) for limb in LIMBS))
    hinge = _Hinge(upper_rest, lower_rest)

    straight, thigh = _swing_toward(parent, upper_observed, upper_rest, upper_weights)
    kept = (straight @ hinge.lower[..., None])[..., 0]
    shin = normalize_or(lower_observed, kept)
    if lower_weights is not None:
        shin = normalize_or(lower_weights[..., None] * shin + (1 - lower_weights[..., None]) * kept, kept)

    cosine, sine, bent = hinge.flexion((thigh * shin).sum(-1), torch.linalg.cross(thigh, shin))
    lower = hinge.flexed_lower(cosine, sine)
    # Units (1), (3) hips and (5), (7) shoulders: C's frame of the two observed bones against the template's, bent alike.
    in_plane = plane_frame(thigh, shin, bent) @ plane_frame(hinge.upper.expand_as(thigh), lower, bent).transpose(-1, -2)
    upper = torch.where(bent[..., None, None], in_plane, straight)
    # Units (2), (4) knees and (6), (8) elbows: the hinge alone. What it cannot reach (an angle beyond its range, a limb
    # too straight to have a plane) remains as a swing.
    middle = swing_onto(upper @ hinge.flexion_rotmats(cosine, sine), hinge.lower.expand_as(shin), shin)
    turned.update({limb.upper: rotmat for limb, rotmat in zip(LIMBS, upper.unbind(1))})
    turned.update({limb.middle: rotmat for limb, rotmat in zip(LIMBS, middle.unbind(1))})


def _solve_ends(points, turned):
    """Ankles and wrists, (F,4,...) in the order of END_BONES: a swing."""
    matrices = torch.stack([turned[limb.middle] for limb in LIMBS], 1)
    matrices, _ = _swing_toward(matrices, *points.bones(*END_BONES))
    turned.update({joint: rotmat for (joint, _), rotmat in zip(END_BONES, matrices.unbind(1))})


class _Hinge:
    """The hinges of the four limbs at rest, (1 or F,4,...): unit bones b (upper) and c (lower), flexion axis h.

    The angle between b and Rot(h, a) c has the cosine A + B cos a + C sin a with A = (b.h)(h.c), B = b.c - A,
    C = b.(h x c), which is A + reach cos(a - offset).
    """

    def __init__(self, upper_rest, lower_rest):
        self.axis = upper_rest.new_tensor([limb.hinge for limb in LIMBS])[None]
        # A bone without length at rest is taken to lie across the hinge.
        self.upper = normalize_or(upper_rest, self.axis.roll(1, -1))
        self.lower = normalize_or(lower_rest, self.upper)
        self.across = torch.linalg.cross(self.axis.expand_as(self.lower), self.lower)
        self.along = (self.axis * self.lower).sum(-1)
        self.constant = (self.upper * self.axis).sum(-1) * self.along
        cosine = (self.upper * self.lower).sum(-1) - self.constant
        sine = (self.upper * self.across).sum(-1)
        squared = cosine.square() + sine.square()
        # A bone along its own hinge cannot flex; the reach of the others is 1, or little less.
        flexes = squared > 1e-6
        self.reach = torch.where(flexes, squared, 1.0).sqrt()
        self.cos_offset = torch.where(flexes, cosine / self.reach, 1.0)
        self.sin_offset = torch.where(flexes, sine / self.reach, 0.0)

    def flexion(self, cos_bend, normal):
        """Cosine and sine (F,4) of the flexion at which the lower bone makes the observed angle with the upper one.

        cos_bend: (F,4), cosine of that angle, 1 being straight. normal: (F,4,3), cross product of the two directions.

        Returns also where the limb is bent enough to have a plane. Of the two solutions the flexed one is taken: people's
        knees and elbows do not bend backwards.
        """
        bent = normal.square().sum(-1) > math.sin(STRAIGHT_ANGLE) ** 2
        bound = math.cos(HINGE_MARGIN)
        cosine = ((cos_bend - self.constant) / self.reach).clamp(-bound, bound)
        sine = (1 - cosine.square()).sqrt()
        return self.cos_offset * cosine - self.sin_offset * sine, self.sin_offset * cosine + self.cos_offset * sine, bent

    def flexed_lower(self, cosine, sine):
        """Rot(h, a) c, (F,4,3)."""
        cosine, sine = cosine[..., None], sine[..., None]
        return cosine * self.lower + sine * self.across + (1 - cosine) * self.along[..., None] * self.axis

    def flexion_rotmats(self, cosine, sine):
        """Rot(h, a), (F,4,3,3). Source: Rodrigues."""
        axis = self.axis[..., :, None] * self.axis[..., None, :]
        cross = torch.linalg.cross(torch.eye(3).to(axis).expand(*axis.shape), self.axis[..., None, :].expand_as(axis), dim=-1)
        cosine, sine = cosine[..., None, None], sine[..., None, None]
        return axis + cosine * (torch.eye(3).to(axis) - axis) + sine * cross

    def nearest_flexion(self, direction):
        """Cosine and sine (F,4) of the flexion, backwards too, that brings the lower bone nearest to `direction` (F,4,3)."""
        cosine = (direction * (self.lower - self.along[..., None] * self.axis)).sum(-1)
        sine = (direction * self.across).sum(-1)
        size = cosine.square() + sine.square()
        exists = size > MIN_LENGTH**2
        inverse = torch.where(exists, size, 1.0).rsqrt()
        return torch.where(exists, cosine * inverse, 1.0), torch.where(exists, sine * inverse, 0.0)

    def twist_of_axis(self, direction):
        """The twist (F,4) rad about the upper bone that turns the hinge nearest to `direction` (F,4,3), from rest."""
        across = torch.linalg.cross(self.upper, self.axis.expand_as(self.upper))
        sine = (direction * across).sum(-1)
        cosine = (direction * torch.linalg.cross(across, self.upper)).sum(-1)
        exists = cosine.square() + sine.square() > MIN_LENGTH**2
        return torch.atan2(torch.where(exists, sine, 0.0), torch.where(exists, cosine, 1.0))

    def twist_rotmats(self, angle):
        """Rotations (F,4,3,3) by `angle` (F,4) rad about the upper bone."""
        return roma.rotvec_to_rotmat(angle[..., None] * self.upper)


def interpolate_twist(rotmats, rest_joints, hinge_axes=None, axes_confidence=None, times=None):
    """Carry the twist of thighs and upper arms over the frames of a clip in which the limb is too straight to show it.

    Frames in which a limb is bent by KNOWN_TWIST_BEND or more stay as they are. Between them the twist about the upper bone, counted
    from the least rotation that brings the bone from its parent's rest to its place, passes smoothly from one to the
    next; before the first and after the last it holds; where there is none it is zero. From UNKNOWN_TWIST_BEND to KNOWN_TWIST_BEND it
    fades from what is carried to what is observed. A twist beyond TWIST_LIMITS is no anatomy but a knee or elbow seen to bend
    backwards (a depth error), and is not believed. No bone changes its direction.

    Args:
        rotmats: (F,24,3,3), from `solve_dik`. rest_joints: the joints at rest it was given, (J,3) or (F,J,3).
        hinge_axes: (F,4,3), other evidence of where the hinges' axes point (a foot for its knee), in the order of LIMBS, in
            the axes of the root's rotation; used where a limb is straight. axes_confidence: (F,4) 0..1.
        times: (F,) s, of unevenly spaced frames.

    Returns:
        (F,24,3,3). Zero-phase: no frame lags behind.
    """
    points = _JointObservations.of(rotmats.new_zeros(1, rest_joints.shape[-2], 3), rest_joints, None)
    turned = global_rotmats(rotmats)
    hinge = _Hinge(*(points.bones(*bones)[1] for bones in zip(*(((li.upper, li.middle), (li.middle, li.end)) for li in LIMBS))))
    parent, upper, middle = (torch.stack([turned[getattr(limb, part)] for limb in LIMBS], 1) for part in ("parent", "upper", "middle"))
    thigh, shin = (upper @ hinge.upper[..., None])[..., 0], (middle @ hinge.lower[..., None])[..., 0]
    straight = swing_onto(parent, hinge.upper.expand_as(thigh), thigh)

    seen = hinge.twist_of_axis((straight.transpose(-1, -2) @ upper @ hinge.axis[..., None])[..., 0])
    sine, cosine = torch.linalg.cross(thigh, shin).norm(dim=-1), (thigh * shin).sum(-1)
    bend = torch.atan2(sine, cosine)
    # A folded limb shows its plane as badly as a straight one.
    trust = _smoothstep((torch.minimum(bend, math.pi - bend) - UNKNOWN_TWIST_BEND) / (KNOWN_TWIST_BEND - UNKNOWN_TWIST_BEND))
    limits = rotmats.new_tensor(TWIST_LIMITS)
    trust = trust * _smoothstep((limits[:, 1] - seen.abs()) / (limits[:, 1] - limits[:, 0]))
    hinted, hinted_trust = seen, torch.zeros_like(seen)
    if hinge_axes is not None:
        hinted = hinge.twist_of_axis((straight.transpose(-1, -2) @ hinge_axes[..., None])[..., 0])
        hinted_trust = torch.ones_like(seen) if axes_confidence is None else axes_confidence

    anchored = hinted + torch.where(hinted_trust >= 1, trust, 1.0) * wrap_angle(seen - hinted)
    times = torch.arange(len(rotmats), dtype=rotmats.dtype, device=rotmats.device) if times is None else times
    twist = _interpolate_angles(anchored, (trust >= 1) | (hinted_trust >= 1), times)
    twist = twist + hinted_trust * wrap_angle(hinted - twist)
    twist = twist + trust * wrap_angle(seen - twist)

    kept = (trust >= 1)[..., None, None]
    upper = torch.where(kept, upper, straight @ hinge.twist_rotmats(twist))
    cosine, sine = hinge.nearest_flexion((upper.transpose(-1, -2) @ shin[..., None])[..., 0])
    middle = torch.where(kept, middle, swing_onto(upper @ hinge.flexion_rotmats(cosine, sine), hinge.lower.expand_as(shin), shin))
    turned.update({limb.upper: rotmat for limb, rotmat in zip(LIMBS, upper.unbind(1))})
    turned.update({limb.middle: rotmat for limb, rotmat in zip(LIMBS, middle.unbind(1))})
    for i, (limb, (end, tip)) in enumerate(zip(LIMBS, END_BONES)):
        local = rotmats[:, SMPL_JOINTS.index(end)]
        before, turned[end] = turned[end], turned[limb.middle] @ local
        if points.names is SMPL_JOINTS:
            # The foot or hand was observed: it keeps its direction too.
            bone = points.bones((end, tip))[1]
            kept_end, _ = _swing_toward(turned[end][:, None], (before[:, None] @ bone[..., None])[..., 0], bone, None)
            turned[end] = torch.where(kept[:, i], before, kept_end[:, 0])
        turned[tip] = turned[end] @ rotmats[:, SMPL_JOINTS.index(tip)]
    return local_rotmats(turned)


def _smoothstep(x):
    """0 below 0, 1 above 1, smooth between."""
    x = x.clamp(0, 1)
    return x * x * (3 - 2 * x)


def _interpolate_angles(angles, known, times):
    """Angles (F,L), where not `known` (F,L) passing the short way and smoothly from the last known to the next."""
    frames = len(angles)
    here = torch.arange(frames, device=angles.device)[:, None].expand_as(known)
    last = torch.where(known, here, -1).cummax(0).values
    following = torch.where(known, here, frames).flip(0).cummin(0).values.flip(0)
    any_last, any_following = last >= 0, following < frames
    last = torch.where(any_last, last, following).clamp(0, frames - 1)
    following = torch.where(any_following, following, last).clamp(0, frames - 1)
    start = angles.gather(0, last)
    span = times[following] - times[last]
    part = _smoothstep(torch.where(span > 0, (times[:, None] - times[last]) / torch.where(span > 0, span, 1.0), 0.0))
    return torch.where(any_last | any_following, start + part * wrap_angle(angles.gather(0, following) - start), 0.0)
