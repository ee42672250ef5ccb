"""Differentiable inverse kinematics (DIK): joint positions to the rotations of an SMPL skeleton, in closed form.

Paper: Yu et al. 2021, "Skeleton2Mesh: Kinematics Prior Injected Unsupervised Human Mesh Recovery", supplementary
material section 2, equations 1-10 and figures 3-5. The ten units keep the paper's numbers:
(1) right hip, (2) right knee, (3) left hip, (4) left knee, (5) right shoulder, (6) right elbow, (7) left shoulder,
(8) left elbow, (9) neck, (10) spine.

A unit of the paper builds two frames from bones, P for the parent and C for the child, and takes P^T C as the joint's
rotation. Forward kinematics then gives back the joints only if the rest pose is right-angled. On an SMPL rest pose, whose
hips are tilted by 54 degrees, shoulders by 20 and spine by 21, it misses by 0.12 m at neck and shoulders and 0.63 m at the
ankles. This file keeps the units and the bones they use, and makes them exact. Deviations, ours:

1. No P frames. A joint's rotation is R = G_parent^T G, where the parent's global rotation G_parent is solved before.
2. C is compared with the same frame of the template: G = C(observed) C(rest)^T. The template's knees and elbows are nearly
   straight, so that its own C leaves the twist undefined; C(rest) is taken after bending the template about its anatomical
   hinge to the observed angle.
3. Root, spine (10) and neck (9), which have several bones, use all of them: the rotation with the least squared error
   (Kabsch 1976) instead of a cross product of two.
4. The root is solved as well; in the paper a network learns it.
5. Within STRAIGHT_ANGLE of straight or of folded a limb has no plane; it swings from its parent by the least rotation.
   For clips, `interpolate_twist` is more accurate.
6. The paper's "left-handed" is a mistake: SMPL is right-handed (x left, y up, z front), and so is this file.

With all 24 joints observed, swings at spine1, spine2, collars, ankles and wrists are added. Forward kinematics then gives
back all joints (to 5e-15 m in double precision) if the skeleton's bones have the observed lengths; otherwise every bone that
swings or hinges still has its observed direction. From h36m17's joints, the collars and the bend within the spine are not
observable: where each of them turns by 20 degrees, neck and shoulders are missed by 2 to 4 cm on average. Ours: unit (10) is
spread evenly over spine1-3. Positions never show the twist of forearms and shins, nor the rotations of head, hands and feet;
these stay as at rest.
"""

import math
from typing import NamedTuple

import roma
import torch

from ..bodies import lbs
from ..bodies.alignment import MIN_LENGTH, fit_rotation, normalize_or, plane_frame, swing_onto
from ..bodies.rotations import wrap_angle
from ..core.skeletons import H36M17, SMPL_JOINTS, SMPL_PARENTS

# Closer than this to straight or folded, a limb has no plane. Ours.
STRAIGHT_ANGLE = math.radians(1.0)
# A hinge stops this short of the straightest and the most folded angle it can reach, where its gradient is infinite. Ours.
HINGE_MARGIN = math.radians(0.05)
# The fractions of unit (10) that spine1, spine2 and spine3 take. Ours: the paper turns one joint and does not say which.
SPINE_FRACTIONS = (1 / 3, 1 / 3, 1 / 3)
# A nose within this angle of the line from thorax to head top, at rest, does not show where the head faces: some skeletons
# call the base of the skull a nose. Ours.
MIN_NOSE_ANGLE = math.radians(10.0)
# `interpolate_twist`: a limb bent less than UNKNOWN_TWIST_BEND does not show its twist, one bent more than KNOWN_TWIST_BEND
# does. Ours: with 2 cm of noise in each joint a straight arm seems bent by 14 degrees on average and by 27 in one frame of
# twenty; at 40 degrees the noise turns its plane by 10 degrees.
UNKNOWN_TWIST_BEND, KNOWN_TWIST_BEND = math.radians(20.0), math.radians(40.0)
# `interpolate_twist`: twists up to the first limit are trusted, beyond the second they are not. In the order of LIMBS. Ours.
TWIST_LIMITS = (*[(math.radians(100), math.radians(130))] * 2, *[(math.radians(110), math.radians(140))] * 2)


class Limb(NamedTuple):
    """Two bones and the hinge between them: joint names, and the flexion axis at rest."""

    parent: str
    upper: str
    middle: str
    end: str
    hinge: tuple[float, float, float]


# Order: left leg, right leg, left arm, right arm. A knee flexes about +x; elbows, palms down in the T-pose, about y.
LIMBS = (
    Limb("pelvis", "left_hip", "left_knee", "left_ankle", (1.0, 0.0, 0.0)),  # units (3), (4)
    Limb("pelvis", "right_hip", "right_knee", "right_ankle", (1.0, 0.0, 0.0)),  # units (1), (2)
    Limb("left_collar", "left_shoulder", "left_elbow", "left_wrist", (0.0, -1.0, 0.0)),  # units (7), (8)
    Limb("right_collar", "right_shoulder", "right_elbow", "right_wrist", (0.0, 1.0, 0.0)),  # units (5), (6)
)
# With 24 joints: the bones beyond the limbs, whose direction gives the swing of ankle or wrist. Same order.
END_BONES = (("left_ankle", "left_foot"), ("right_ankle", "right_foot"), ("left_wrist", "left_hand"), ("right_wrist", "right_hand"))

_UPPER_BONES = tuple((limb.upper, limb.middle) for limb in LIMBS)
_LOWER_BONES = tuple((limb.middle, limb.end) for limb in LIMBS)


# ---- inverse kinematics of single frames, equations 1-10 --------------------------------------------------------------


def solve_dik(
    joints: torch.Tensor,
    rest_joints: torch.Tensor,
    weights: torch.Tensor | None = None,
    spine_fractions: tuple[float, float, float] = SPINE_FRACTIONS,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Find the rotations that bring an SMPL skeleton from rest to the observed joints.

    Args:
        joints: (F,24,3) m, SMPL's joints, or (F,17,3) m, h36m17's; any axes.
        rest_joints: the same joints at rest, (J,3) or (F,J,3) m, y up, facing +z.
        weights: (F,J) 0..1 or None for ones. The lower the weight of a bone's ends, the more the bone follows its parent's
            rotation instead of the observation; wholly at 0.
        spine_fractions: with 17 joints, the fractions of unit (10) that spine1, spine2 and spine3 take.

    Returns:
        rotation matrices (F,24,3,3), each relative to its parent, the root's in the axes of `joints`; and the root's
        position joints[:, 0] (F,3).

    Every output and gradient is finite for finite input, coincident joints included: what they leave open stays as at
    rest. Differentiable in joints and rest_joints. Dtype and device are those of `joints`.
    """
    observed = _ObservedBones.of(joints, rest_joints, weights)
    rotations = _solve_torso24(observed) if observed.names is SMPL_JOINTS else _solve_torso17(observed, spine_fractions)
    rotations |= _solve_limbs(observed, rotations)
    if observed.names is SMPL_JOINTS:
        rotations |= _solve_ends(observed, rotations)
    return _local_rotmats(rotations), joints[..., 0, :]


def global_rotmats(rotmats: torch.Tensor) -> dict[str, torch.Tensor]:
    """Global rotations (F,3,3) by joint name of rotations relative to the parents (F,24,3,3)."""
    return dict(zip(SMPL_JOINTS, lbs.global_rotmats(rotmats, lbs.smpl_tree(rotmats.device)).unbind(1)))


def _local_rotmats(rotations: dict[str, torch.Tensor]) -> torch.Tensor:
    """Rotations relative to the parents (F,24,3,3) of global ones by joint name; joints that are not named follow their parent."""
    complete = {}
    for joint, parent in zip(SMPL_JOINTS, SMPL_PARENTS):
        complete[joint] = rotations[joint] if joint in rotations else complete[SMPL_JOINTS[parent]]
    stacked = torch.stack(list(complete.values()), 1)
    return lbs.local_rotmats(stacked, lbs.smpl_tree(stacked.device))


class _ObservedBones(NamedTuple):
    """The joints of one call: observed (F,J,3), at rest (1 or F,J,3), and weights (F,J) or None."""

    names: tuple[str, ...]
    observed: torch.Tensor
    rest: torch.Tensor
    weights: torch.Tensor | None

    @classmethod
    def of(cls, joints: torch.Tensor, rest_joints: torch.Tensor, weights: torch.Tensor | None) -> "_ObservedBones":
        """The joints in one precision. Raises ValueError where they are neither SMPL's 24 nor h36m17's 17."""
        skeletons = {len(names): names for names in (SMPL_JOINTS, H36M17)}
        count = joints.shape[-2]
        if count not in skeletons or rest_joints.shape[-2] != count:
            raise ValueError(f"DIK matches 24 (SMPL) or 17 (h36m17) joints at rest and observed, not {rest_joints.shape[-2]} and {count}")
        rest = torch.as_tensor(rest_joints, dtype=joints.dtype, device=joints.device)
        weights = None if weights is None else torch.as_tensor(weights, dtype=joints.dtype, device=joints.device)
        return cls(skeletons[count], joints, rest if rest.ndim == 3 else rest[None], weights)

    def bones(self, *bones: tuple[str, str]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Bones (start, end) as vectors, the paper's l_{start.end}: observed (F,N,3), at rest (1 or F,N,3); weights (F,N) or None."""
        starts, ends = ([self.names.index(bone[i]) for bone in bones] for i in (0, 1))
        weights = None if self.weights is None else torch.minimum(self.weights[:, starts], self.weights[:, ends])
        return self.observed[:, ends] - self.observed[:, starts], self.rest[:, ends] - self.rest[:, starts], weights


def _blend_direction(observed: torch.Tensor, default: torch.Tensor, weights: torch.Tensor | None) -> torch.Tensor:
    """Unit directions along `observed` (F,N,3), the nearer to unit directions `default` (F,N,3) the lower the weights (F,N)."""
    direction = normalize_or(observed, default)
    if weights is None:
        return direction
    return normalize_or(weights[..., None] * direction + (1 - weights[..., None]) * default, default)


def _swing_toward(
    rotmat: torch.Tensor, observed: torch.Tensor, rest: torch.Tensor, weights: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Turn `rotmat` by the least rotation that aligns the bone `rest` with `observed`; all (F,N,...).

    Returns the rotation, and the unit direction of the bone after it. A bone without length or weight is not turned.
    """
    rest = normalize_or(rest, torch.zeros_like(rest))
    unturned = (rotmat @ rest[..., None])[..., 0]
    target = _blend_direction(observed, unturned, weights)
    exists = rest.square().sum(-1)[..., None, None] > 0.5
    return torch.where(exists, swing_onto(rotmat, rest, target), rotmat), target


def _swing_bones(observed: _ObservedBones, rotmat: torch.Tensor, *bones: tuple[str, str]) -> list[torch.Tensor]:
    """`rotmat` (F,3,3) swung onto each of the bones: a list of (F,3,3)."""
    rotmats = rotmat[:, None].expand(-1, len(bones), -1, -1)
    return list(_swing_toward(rotmats, *observed.bones(*bones))[0].unbind(1))


def _solve_torso24(observed: _ObservedBones) -> dict[str, torch.Tensor]:
    """Root, spine, neck and collars where every joint of the spine is observed."""
    identity = torch.eye(3).to(observed.observed)
    root = fit_rotation(*observed.bones(("pelvis", "left_hip"), ("pelvis", "right_hip"), ("pelvis", "spine1")), identity)
    (spine1,) = _swing_bones(observed, root, ("spine1", "spine2"))
    (spine2,) = _swing_bones(observed, spine1, ("spine2", "spine3"))
    # Eq. 10, spine: the rotation of the upper torso.
    spine3 = fit_rotation(*observed.bones(("spine3", "neck"), ("spine3", "left_collar"), ("spine3", "right_collar")), spine2)
    left_collar, right_collar = _swing_bones(observed, spine3, ("left_collar", "left_shoulder"), ("right_collar", "right_shoulder"))
    # Eq. 9, neck: SMPL has a single joint above it, so it swings.
    (neck,) = _swing_bones(observed, spine3, ("neck", "head"))
    return {
        "pelvis": root, "spine1": spine1, "spine2": spine2, "spine3": spine3,
        "neck": neck, "left_collar": left_collar, "right_collar": right_collar,
    }  # fmt: skip


def _solve_torso17(observed: _ObservedBones, spine_fractions: tuple[float, float, float]) -> dict[str, torch.Tensor]:
    """Root, spine and neck of the paper's skeleton, where pelvis, chest and head are three rigid parts."""
    identity = torch.eye(3).to(observed.observed)
    root = fit_rotation(*observed.bones(("hip", "left_hip"), ("hip", "right_hip"), ("hip", "spine")), identity)
    # Eq. 10, spine.
    spine3 = fit_rotation(*observed.bones(("spine", "thorax"), ("spine", "left_shoulder"), ("spine", "right_shoulder")), root)
    # Eq. 9, neck.
    head, rest, weights = observed.bones(("thorax", "nose"), ("thorax", "head_top"))
    neck = fit_rotation(head, rest, _head_weights(rest, weights), spine3)
    rotvec = roma.rotmat_to_rotvec(root.transpose(-1, -2) @ spine3)
    spine1 = root @ roma.rotvec_to_rotmat(spine_fractions[0] * rotvec)
    spine2 = root @ roma.rotvec_to_rotmat((spine_fractions[0] + spine_fractions[1]) * rotvec)
    return {
        "pelvis": root, "spine1": spine1, "spine2": spine2, "spine3": spine3,
        "neck": neck, "left_collar": spine3, "right_collar": spine3,
    }  # fmt: skip


def _head_weights(rest: torch.Tensor, weights: torch.Tensor | None) -> torch.Tensor:
    """Weights (F,2) of nose and head top; the nose's is zero where it does not show which way the head faces."""
    nose, top = rest.unbind(-2)
    sine = torch.linalg.cross(nose, top).norm(dim=-1)
    shows_facing = torch.atan2(sine, (nose * top).sum(-1)) > MIN_NOSE_ANGLE
    usable = torch.stack([shows_facing, torch.ones_like(shows_facing)], -1).to(rest)
    return usable if weights is None else weights * usable


def _solve_limbs(observed: _ObservedBones, rotations: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Units (1) to (8), the four limbs as one batch in the order of LIMBS: (F,4,...)."""
    parent = torch.stack([rotations[limb.parent] for limb in LIMBS], 1)
    upper_observed, upper_rest, upper_weights = observed.bones(*_UPPER_BONES)
    lower_observed, lower_rest, lower_weights = observed.bones(*_LOWER_BONES)
    hinge = _Hinge(upper_rest, lower_rest)

    swung, upper_direction = _swing_toward(parent, upper_observed, upper_rest, upper_weights)
    lower_direction = _blend_direction(lower_observed, (swung @ hinge.lower[..., None])[..., 0], lower_weights)

    normal = torch.linalg.cross(upper_direction, lower_direction)
    is_bent = normal.square().sum(-1) > math.sin(STRAIGHT_ANGLE) ** 2
    cosine, sine = hinge.flexion((upper_direction * lower_direction).sum(-1))
    # Eq. 1, 3 (hips) and 5, 7 (shoulders): C of the two observed bones against C of the template, bent by the same angle.
    observed_frame = plane_frame(upper_direction, lower_direction, is_bent)
    rest_frame = plane_frame(hinge.upper.expand_as(upper_direction), hinge.flexed_lower(cosine, sine), is_bent)
    upper = torch.where(is_bent[..., None, None], observed_frame @ rest_frame.transpose(-1, -2), swung)
    # Eq. 2, 4 (knees) and 6, 8 (elbows): the hinge alone. What it cannot reach (an angle outside its range, a limb too
    # straight to have a plane) is left to a swing.
    middle = swing_onto(upper @ hinge.flexion_rotmats(cosine, sine), hinge.lower.expand_as(lower_direction), lower_direction)
    return _name_limb_rotations(upper, middle)


def _name_limb_rotations(upper: torch.Tensor, middle: torch.Tensor) -> dict[str, torch.Tensor]:
    """Rotations (F,4,3,3) of the limbs' upper and middle joints, by joint name."""
    names = [*(limb.upper for limb in LIMBS), *(limb.middle for limb in LIMBS)]
    return dict(zip(names, [*upper.unbind(1), *middle.unbind(1)]))


def _solve_ends(observed: _ObservedBones, rotations: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Ankles and wrists: a swing."""
    rotmats = torch.stack([rotations[limb.middle] for limb in LIMBS], 1)
    rotmats, _ = _swing_toward(rotmats, *observed.bones(*END_BONES))
    return {joint: rotmat for (joint, _), rotmat in zip(END_BONES, rotmats.unbind(1))}


class _Hinge:
    """The hinges of the four limbs at rest, (1 or F,4,...): unit bones b (upper) and c (lower), flexion axis h.

    The angle between b and Rot(h, a) c has the cosine A + B cos a + C sin a with A = (b.h)(h.c), B = b.c - A,
    C = b.(h x c), which is A + amplitude * cos(a - offset).
    """

    def __init__(self, upper_rest: torch.Tensor, lower_rest: torch.Tensor) -> None:
        self.axis = upper_rest.new_tensor([limb.hinge for limb in LIMBS])[None]
        # A bone without length at rest is taken to be perpendicular to the hinge.
        self.upper = normalize_or(upper_rest, self.axis.roll(1, -1))
        self.lower = normalize_or(lower_rest, self.upper)
        self.lower_normal = torch.linalg.cross(self.axis.expand_as(self.lower), self.lower)  # h x c
        self.lower_along = (self.axis * self.lower).sum(-1)  # h.c
        self.constant = (self.upper * self.axis).sum(-1) * self.lower_along  # A
        cosine = (self.upper * self.lower).sum(-1) - self.constant  # B
        sine = (self.upper * self.lower_normal).sum(-1)  # C
        squared = cosine.square() + sine.square()
        # A bone along its own hinge cannot flex; the amplitude of the others is 1, or little less.
        can_flex = squared > 1e-6
        self.amplitude = torch.where(can_flex, squared, 1.0).sqrt()
        self.cos_offset = torch.where(can_flex, cosine / self.amplitude, 1.0)
        self.sin_offset = torch.where(can_flex, sine / self.amplitude, 0.0)

    def flexion(self, cos_bend: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Cosine and sine (F,4) of the flexion a at which the bones make an angle of this cosine (F,4), 1 being straight.

        Of the two solutions the flexed one is taken: human knees and elbows do not bend backwards.
        """
        bound = math.cos(HINGE_MARGIN)
        cosine = ((cos_bend - self.constant) / self.amplitude).clamp(-bound, bound)
        sine = (1 - cosine.square()).sqrt()
        return self.cos_offset * cosine - self.sin_offset * sine, self.sin_offset * cosine + self.cos_offset * sine

    def flexed_lower(self, cosine: torch.Tensor, sine: torch.Tensor) -> torch.Tensor:
        """Rot(h, a) c, (F,4,3)."""
        cosine, sine = cosine[..., None], sine[..., None]
        return cosine * self.lower + sine * self.lower_normal + (1 - cosine) * self.lower_along[..., None] * self.axis

    def flexion_rotmats(self, cosine: torch.Tensor, sine: torch.Tensor) -> torch.Tensor:
        """Rot(h, a), (F,4,3,3). Source: Rodrigues' formula."""
        outer = self.axis[..., :, None] * self.axis[..., None, :]
        cross = torch.linalg.cross(torch.eye(3).to(outer).expand(*outer.shape), self.axis[..., None, :].expand_as(outer), dim=-1)
        cosine, sine = cosine[..., None, None], sine[..., None, None]
        return outer + cosine * (torch.eye(3).to(outer) - outer) + sine * cross

    def nearest_flexion(self, direction: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Cosine and sine (F,4) of the flexion, backwards too, that brings the lower bone nearest to `direction` (F,4,3)."""
        cosine = (direction * (self.lower - self.lower_along[..., None] * self.axis)).sum(-1)
        sine = (direction * self.lower_normal).sum(-1)
        size = cosine.square() + sine.square()
        exists = size > MIN_LENGTH**2
        inverse = torch.where(exists, size, 1.0).rsqrt()
        return torch.where(exists, cosine * inverse, 1.0), torch.where(exists, sine * inverse, 0.0)

    def twist_of_axis(self, direction: torch.Tensor) -> torch.Tensor:
        """The twist (F,4) rad about the upper bone, from rest, that turns the hinge nearest to `direction` (F,4,3)."""
        across = torch.linalg.cross(self.upper, self.axis.expand_as(self.upper))
        sine = (direction * across).sum(-1)
        cosine = (direction * torch.linalg.cross(across, self.upper)).sum(-1)
        exists = cosine.square() + sine.square() > MIN_LENGTH**2
        return torch.atan2(torch.where(exists, sine, 0.0), torch.where(exists, cosine, 1.0))

    def twist_rotmats(self, angle: torch.Tensor) -> torch.Tensor:
        """Rotations (F,4,3,3) by `angle` (F,4) rad about the upper bone."""
        return roma.rotvec_to_rotmat(angle[..., None] * self.upper)


# ---- the twist of straight limbs over a clip; ours --------------------------------------------------------------------


def interpolate_twist(
    rotmats: torch.Tensor,
    rest_joints: torch.Tensor,
    hinge_axes: torch.Tensor | None = None,
    axes_confidence: torch.Tensor | None = None,
    times: torch.Tensor | None = None,
) -> torch.Tensor:
    """Interpolate the twist of thighs and upper arms over the frames of a clip in which the limb is too straight to show it.

    Frames in which a limb is bent by KNOWN_TWIST_BEND or more stay unchanged. Between them the twist about the upper bone
    passes smoothly from one to the next; before the first and after the last it is constant; without any it is zero. The
    twist is measured from the least rotation that brings the bone from its parent's rest to its direction. From
    UNKNOWN_TWIST_BEND to KNOWN_TWIST_BEND it fades from the interpolated to the observed twist. A twist beyond TWIST_LIMITS
    comes from a knee or elbow observed to bend backwards (a depth error), and is not trusted. No bone changes its direction.

    Args:
        rotmats: (F,24,3,3), from `solve_dik`. rest_joints: the joints at rest it was given, (J,3) or (F,J,3).
        hinge_axes: (F,4,3), other evidence of the directions of the hinges' axes (a foot for its knee), in the order of LIMBS,
            in the axes of the root's rotation; used where a limb is straight. axes_confidence: (F,4) 0..1.
        times: (F,) s, of unevenly spaced frames.

    Returns:
        (F,24,3,3). Zero-phase: no frame lags behind.
    """
    limbs = _PosedLimbs(rotmats, rest_joints)
    observed = limbs.twist_of_axes(limbs.upper @ limbs.hinge.axis[..., None])
    trust = limbs.twist_trust(observed)
    hinted, hinted_trust = observed, torch.zeros_like(observed)
    if hinge_axes is not None:
        hinted = limbs.twist_of_axes(hinge_axes[..., None])
        hinted_trust = torch.ones_like(observed) if axes_confidence is None else axes_confidence

    anchors = hinted + torch.where(hinted_trust >= 1, trust, 1.0) * wrap_angle(observed - hinted)
    times = torch.arange(len(rotmats), dtype=rotmats.dtype, device=rotmats.device) if times is None else times
    twist = _interpolate_angles(anchors, (trust >= 1) | (hinted_trust >= 1), times)
    twist = twist + hinted_trust * wrap_angle(hinted - twist)
    twist = twist + trust * wrap_angle(observed - twist)
    return _local_rotmats(limbs.with_twist(twist, trust >= 1))


class _PosedLimbs:
    """The four limbs of a posed clip, (F,4,...) in the order of LIMBS.

    upper, middle: global rotations. swung: the parent's rotation turned onto the upper bone by the least rotation, which is a
    limb without twist. upper_direction, lower_direction: of the bones.
    """

    def __init__(self, rotmats: torch.Tensor, rest_joints: torch.Tensor) -> None:
        self.rotmats = rotmats
        self.rotations = global_rotmats(rotmats)
        self.rest = _ObservedBones.of(rotmats.new_zeros(1, rest_joints.shape[-2], 3), rest_joints, None)
        self.hinge = _Hinge(self.rest.bones(*_UPPER_BONES)[1], self.rest.bones(*_LOWER_BONES)[1])
        parent = torch.stack([self.rotations[limb.parent] for limb in LIMBS], 1)
        self.upper = torch.stack([self.rotations[limb.upper] for limb in LIMBS], 1)
        self.middle = torch.stack([self.rotations[limb.middle] for limb in LIMBS], 1)
        self.upper_direction = (self.upper @ self.hinge.upper[..., None])[..., 0]
        self.lower_direction = (self.middle @ self.hinge.lower[..., None])[..., 0]
        self.swung = swing_onto(parent, self.hinge.upper.expand_as(self.upper_direction), self.upper_direction)

    def twist_of_axes(self, axes: torch.Tensor) -> torch.Tensor:
        """The twist (F,4) rad at which the hinges' axes are nearest to `axes` (F,4,3,1)."""
        return self.hinge.twist_of_axis((self.swung.transpose(-1, -2) @ axes)[..., 0])

    def twist_trust(self, twist: torch.Tensor) -> torch.Tensor:
        """How far the observed twist (F,4) rad is to be trusted, (F,4) 0..1."""
        sine = torch.linalg.cross(self.upper_direction, self.lower_direction).norm(dim=-1)
        bend = torch.atan2(sine, (self.upper_direction * self.lower_direction).sum(-1))
        # A folded limb shows its plane as badly as a straight one.
        trust = _smoothstep((torch.minimum(bend, math.pi - bend) - UNKNOWN_TWIST_BEND) / (KNOWN_TWIST_BEND - UNKNOWN_TWIST_BEND))
        limits = twist.new_tensor(TWIST_LIMITS)
        return trust * _smoothstep((limits[:, 1] - twist.abs()) / (limits[:, 1] - limits[:, 0]))

    def with_twist(self, twist: torch.Tensor, unchanged: torch.Tensor) -> dict[str, torch.Tensor]:
        """Global rotations by joint name after the limbs take a twist (F,4) rad, except where `unchanged` (F,4)."""
        same = unchanged[..., None, None]
        upper = torch.where(same, self.upper, self.swung @ self.hinge.twist_rotmats(twist))
        cosine, sine = self.hinge.nearest_flexion((upper.transpose(-1, -2) @ self.lower_direction[..., None])[..., 0])
        flexed = upper @ self.hinge.flexion_rotmats(cosine, sine)
        swung = swing_onto(flexed, self.hinge.lower.expand_as(self.lower_direction), self.lower_direction)
        rotations = self.rotations | _name_limb_rotations(upper, torch.where(same, self.middle, swung))
        for i, (limb, (end, tip)) in enumerate(zip(LIMBS, END_BONES)):
            rotations[end] = rotations[limb.middle] @ self.rotmats[:, SMPL_JOINTS.index(end)]
            if self.rest.names is SMPL_JOINTS:
                # The foot or hand was observed: its direction does not change either.
                rotations[end] = torch.where(same[:, i], self.rotations[end], self._swing_end(rotations[end], (end, tip)))
            rotations[tip] = rotations[end] @ self.rotmats[:, SMPL_JOINTS.index(tip)]
        return rotations

    def _swing_end(self, rotmat: torch.Tensor, bone: tuple[str, str]) -> torch.Tensor:
        """`rotmat` (F,3,3) swung so that an end bone has the direction it had before."""
        rest = self.rest.bones(bone)[1]
        direction = (self.rotations[bone[0]][:, None] @ rest[..., None])[..., 0]
        return _swing_toward(rotmat[:, None], direction, rest, None)[0][:, 0]


def _smoothstep(x: torch.Tensor) -> torch.Tensor:
    """0 below 0, 1 above 1, smooth between."""
    x = x.clamp(0, 1)
    return x * x * (3 - 2 * x)


def _interpolate_angles(angles: torch.Tensor, known: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
    """Angles (F,L) rad; where they are not `known` (F,L), between the last and the next known one, smoothly, the short way round."""
    frames = len(angles)
    here = torch.arange(frames, device=angles.device)[:, None].expand_as(known)
    last = torch.where(known, here, -1).cummax(0).values
    following = torch.where(known, here, frames).flip(0).cummin(0).values.flip(0)
    any_last, any_following = last >= 0, following < frames
    last = torch.where(any_last, last, following).clamp(0, frames - 1)
    following = torch.where(any_following, following, last).clamp(0, frames - 1)
    start = angles.gather(0, last)
    span = times[following] - times[last]
    fraction = _smoothstep(torch.where(span > 0, (times[:, None] - times[last]) / torch.where(span > 0, span, 1.0), 0.0))
    return torch.where(any_last | any_following, start + fraction * wrap_angle(angles.gather(0, following) - start), 0.0)
