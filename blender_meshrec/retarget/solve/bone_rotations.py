"""Rotations of a rig's bones from a performer's: constants between the two rest poses, and distribution where bones differ in number."""

from collections.abc import Sequence

import numpy as np

from ...core.array_types import FloatArray
from ...core.axis_rotations import (
    right_multiply,
    rotate_vectors,
    rotation_about_axis,
    rotation_between,
    transpose,
    twist_angle,
    unit_vector,
)
from ..rig import FINGER_SLOTS, SIDES, Performance
from .chain_interpolation import bone_end_fractions, interpolate_along_chain
from .forward_kinematics import BoneArrays, Pose
from .rest_pose import SEGMENTS, RestPose, twist_reference_bone
from .stance import Foot

# A limb whose direction differs by more from the source's is swung onto it, rad.
_AIM_TOLERANCE = 1e-3
# Feet whose rest directions differ by more do not show where they point: cosine of 75 degrees.
_MIN_FOOT_COSINE = 0.26


class RotationTransfer:
    """The rotations of a target's bones that follow a performance.

    bone_rotations: bone -> (F,3,3) in the target's axes. source_from_target: P of retarget.py.
    """

    def __init__(
        self,
        performance: Performance,
        source: RestPose,
        target: RestPose,
        source_feet: dict[str, Foot],
        target_feet: dict[str, Foot],
    ) -> None:
        """source_feet, target_feet: side -> Foot, for the directions of the feet."""
        self.performance, self.source, self.target = performance, source, target
        self.bone_rotations: BoneArrays = {}
        self.source_from_target: FloatArray = source.axes @ target.axes.T
        self._deltas: BoneArrays = {}
        self._inverse_stretch = np.linalg.inv(target.stretch)
        hips, chest = self._transfer_trunk()
        for side in SIDES:
            self._transfer_arm(side, chest)
            self._transfer_leg(side, hips, source_feet.get(side), target_feet.get(side))

    def _source_delta(self, slot: str, index: int = -1) -> FloatArray:
        """The rotation (F,3,3) away from rest of one bone of a source's slot, by default its last. KeyError if it has none."""
        bone = self.source.slots[slot][index]
        if bone not in self._deltas:
            rotations = np.ascontiguousarray(self.performance.rotations[:, bone])
            self._deltas[bone] = right_multiply(rotations, self.source.rotations[bone].T)
        return self._deltas[bone]

    def _source_delta_or(self, slot: str, default: FloatArray, index: int = -1) -> FloatArray:
        """`_source_delta`, or a default where the source has no bone in the slot."""
        return self._source_delta(slot, index) if self.source.slots.get(slot) else default

    def _source_deltas(self, slot: str) -> list[FloatArray]:
        """`_source_delta` of every bone of a slot."""
        return [self._source_delta(slot, k) for k in range(len(self.source.slots[slot]))]

    def _set_rotation(self, bone: int, delta: FloatArray, align: FloatArray | None = None) -> None:
        constant = self.source_from_target @ self.target.rotations[bone]
        self.bone_rotations[bone] = right_multiply(delta, constant if align is None else align @ constant)

    def _transfer_trunk(self) -> tuple[FloatArray, FloatArray]:
        """Rotate hips, spine, neck and head; returns the rotations (F,3,3) of hips and chest away from rest."""
        source, target = self.source, self.target
        hips = self._source_delta("hips")
        for bone in target.slots["hips"]:
            self._set_rotation(bone, hips)
        chest = hips
        if source.slots.get("spine"):
            deltas = self._source_deltas("spine")
            chest = deltas[-1]
            self._transfer_chain("spine", hips, deltas, _bone_end_fractions("spine", ("neck", "head"), source), ("neck", "head"))
        else:
            self._transfer_chain("spine", hips, [hips], [1.0], ("neck", "head"))
        head = self._source_delta("head", 0)
        necks = target.slots.get("neck", [])
        if source.slots.get("neck"):
            self._transfer_chain("neck", chest, self._source_deltas("neck"), _bone_end_fractions("neck", ("head",), source), ("head",))
        elif necks:
            between = [(k + 1) / (len(necks) + 1) for k in range(len(necks))]
            for bone, delta in zip(necks, interpolate_along_chain(chest, [head], [1.0], between), strict=True):
                self._set_rotation(bone, delta)
        for bone in target.slots["head"]:
            self._set_rotation(bone, head)
        return hips, chest

    def _transfer_chain(
        self, slot: str, start: FloatArray, rotations: list[FloatArray], known: Sequence[float] | FloatArray, next_slots: Sequence[str]
    ) -> None:
        """Distribute rotations, known at fractions of the source's chain, over the bones of the target's."""
        bones = self.target.slots.get(slot)
        if bones:
            wanted = _bone_end_fractions(slot, next_slots, self.target)
            for bone, delta in zip(bones, interpolate_along_chain(start, rotations, known, wanted), strict=True):
                self._set_rotation(bone, delta)

    def _transfer_arm(self, side: str, chest: FloatArray) -> None:
        shoulder = self._source_delta_or(f"{side}_clavicle", chest)
        if self.target.slots.get(f"{side}_clavicle"):
            self._transfer_chain(f"{side}_clavicle", chest, [shoulder], [1.0], (f"{side}_upper_arm",))
        upper = self._transfer_segment(f"{side}_upper_arm", f"{side}_lower_arm", np.eye(3), -1)
        lower = self._transfer_segment(f"{side}_lower_arm", f"{side}_hand", upper, 0)
        hand = self._source_delta_or(f"{side}_hand", self._source_delta(f"{side}_lower_arm"), 0)
        for bone in self.target.slots.get(f"{side}_hand", ()):
            self._set_rotation(bone, hand, lower)
        self._distribute_twist(side, "upper_arm", "lower_arm", right_multiply(shoulder, self.source_from_target), is_proximal=True)
        self._distribute_twist(side, "lower_arm", "hand", right_multiply(hand, lower @ self.source_from_target), is_proximal=False)
        self._aim_segment(f"{side}_upper_arm", f"{side}_lower_arm")
        self._aim_segment(f"{side}_lower_arm", f"{side}_hand")
        for finger in FINGER_SLOTS:
            self._transfer_finger(f"{side}_{finger}", hand, lower)

    def _transfer_leg(self, side: str, hips: FloatArray, source_foot: Foot | None, target_foot: Foot | None) -> None:
        upper = self._transfer_segment(f"{side}_upper_leg", f"{side}_lower_leg", np.eye(3), -1)
        lower = self._transfer_segment(f"{side}_lower_leg", f"{side}_foot", upper, 0)
        foot = self._source_delta_or(f"{side}_foot", self._source_delta(f"{side}_lower_leg"), 0)
        align = np.eye(3)  # a foot that is flat at rest remains flat: it only turns to where the source's foot points
        if not self.source.slots.get(f"{side}_foot"):
            align = lower
        elif source_foot is not None and target_foot is not None:
            align = self._foot_alignment(source_foot, target_foot)
        toes = self._source_delta_or(f"{side}_toes", foot, 0)
        for slot, delta in ((f"{side}_foot", foot), (f"{side}_toes", toes)):
            for bone in self.target.slots.get(slot, ()):
                self._set_rotation(bone, delta, align)
        self._distribute_twist(side, "upper_leg", "lower_leg", right_multiply(hips, self.source_from_target), is_proximal=True)
        self._distribute_twist(side, "lower_leg", "foot", right_multiply(foot, align @ self.source_from_target), is_proximal=False)
        self._aim_segment(f"{side}_upper_leg", f"{side}_lower_leg")
        self._aim_segment(f"{side}_lower_leg", f"{side}_foot")

    def _foot_alignment(self, source_foot: Foot, target_foot: Foot) -> FloatArray:
        """The rotation (3,3) about up that takes the target foot's direction at rest onto the source's."""
        up = self.source.axes[:, 2]
        target_direction, source_direction = (
            unit_vector(v - (v @ up) * up) for v in (self.source_from_target @ target_foot.forward, source_foot.forward)
        )
        if target_direction @ source_direction <= _MIN_FOOT_COSINE:
            return np.eye(3)
        return rotation_between(target_direction, source_direction)

    def _transfer_segment(self, slot: str, below: str, parent_align: FloatArray, index: int) -> FloatArray:
        """Rotate a limb's part as one piece by one bone of the source's; returns its A (3,3), see retarget.py."""
        target_direction = parent_align @ self.source_from_target @ self.target.segment_direction(slot, below)
        align = rotation_between(target_direction, self.source.segment_direction(slot, below)) @ parent_align
        for bone in self.target.slots[slot]:
            self._set_rotation(bone, self._source_delta(slot, index), align)
        return align

    def _distribute_twist(self, side: str, part: str, below: str, neighbour: FloatArray, is_proximal: bool) -> None:
        """Distribute the twist of a split part over its bones, relative to a neighbour (F,3,3).

        is_proximal: the neighbour is above the part, and the twist grows from none there; else below it, and the twist grows towards it.
        """
        bones = self.target.slots[f"{side}_{part}"]
        if len(bones) < 2:
            return
        axis = self.target.segment_direction(f"{side}_{part}", f"{side}_{below}")
        whole = right_multiply(self.bone_rotations[bones[0]], self.target.rotations[bones[0]].T)
        twist = _twist_of_part(whole, neighbour, axis, is_proximal)
        ends = bone_end_fractions(np.stack([*self.target.heads[bones], self.target.segment_end(f"{side}_{part}", f"{side}_{below}")]))
        for bone, start, end in zip(bones, [0.0, *ends[:-1]], ends, strict=True):
            turned = whole @ rotation_about_axis(axis, twist * ((end - 1) if is_proximal else start))
            self.bone_rotations[bone] = right_multiply(turned, self.target.rotations[bone])

    def _aim_segment(self, slot: str, below: str) -> None:
        """Swing a part onto the source's direction where constants alone do not reach it: split limbs, stretched objects."""
        target, bones = self.target, self.target.slots[slot]
        points = np.stack([*target.heads[bones], target.segment_end(slot, below)])
        vector = np.zeros((len(self.performance), 3))
        for bone, step in zip(bones, np.diff(points, axis=0), strict=True):
            vector = vector + self.bone_rotations[bone] @ (target.rotations[bone].T @ step)
        wanted = _source_segment_vector(self.source, self.performance, slot, below) @ self._inverse_stretch.T
        if np.abs(unit_vector(vector) - unit_vector(wanted)).max() > _AIM_TOLERANCE:
            swing = rotation_between(vector, wanted)
            for bone in bones:
                self.bone_rotations[bone] = swing @ self.bone_rotations[bone]

    def _transfer_finger(self, slot: str, hand: FloatArray, align: FloatArray) -> None:
        """Rotate a finger's bones from its tip on; bones that the source lacks keep to the hand or are interpolated.

        hand: (F,3,3), its rotation away from rest. align: (3,3), its A.
        """
        source_bones, bones = self.source.slots.get(slot), self.target.slots.get(slot)
        if not source_bones or not bones:
            return
        bones = bones[len(bones) - min(len(bones), len(source_bones)) :]
        deltas, references = self._source_deltas(slot), source_bones
        if len(bones) != len(source_bones):
            known, wanted = _finger_end_fractions(self.source, source_bones), _finger_end_fractions(self.target, bones)
            deltas = interpolate_along_chain(hand, deltas, known, wanted)
            references = [source_bones[min(int(np.searchsorted(known, end - 1e-6)), len(source_bones) - 1)] for end in wanted]
        for bone, reference, delta in zip(bones, references, deltas, strict=True):
            target_direction, source_direction = _finger_direction(self.target, bone), _finger_direction(self.source, reference)
            align = rotation_between(align @ self.source_from_target @ target_direction, source_direction) @ align
            self._set_rotation(bone, delta, align)


def _twist_of_part(whole: FloatArray, neighbour: FloatArray, axis: FloatArray, is_proximal: bool) -> FloatArray:
    """The twist (F,) rad of a limb's part from its upper to its lower end, about its axis (3,) at rest.

    Args:
        whole: (F,3,3), the part's rotation away from rest. neighbour: (F,3,3), of the bone above it, or below it if not `is_proximal`.
    """
    first, second = (neighbour, whole) if is_proximal else (whole, neighbour)
    return twist_angle(transpose(first) @ second, axis)


def _bone_end_fractions(slot: str, next_slots: Sequence[str], rest: RestPose) -> FloatArray:
    """Where each bone of a slot ends, as fractions of the slot's length; the first of `next_slots` that has bones follows it."""
    bones = rest.slots.get(slot, [])
    following = next((bone for name in next_slots if (bone := rest.first_bone(name)) is not None), None)
    end = rest.heads[following] if following is not None else rest.tails[bones[-1]]
    return bone_end_fractions(np.stack([*rest.heads[bones], end]))


def _finger_end_fractions(rest: RestPose, bones: list[int]) -> FloatArray:
    return bone_end_fractions(np.stack([*rest.heads[bones], rest.tails[bones[-1]]]))


def _finger_direction(rest: RestPose, bone: int) -> FloatArray:
    """The direction (3,) from a finger's bone to the next one; at the tip, the direction from the previous one."""
    children = np.flatnonzero(rest.rig.parents == bone)
    if len(children):
        return unit_vector(rest.heads[children[0]] - rest.heads[bone])
    return unit_vector(rest.heads[bone] - rest.heads[rest.rig.parents[bone]])


def _source_segment_vector(source: RestPose, performance: Performance, slot: str, below: str) -> FloatArray:
    """From the first head of a source's part to the part's end, (F,3) m in the world."""
    first = source.slots[slot][0]
    if (bone := source.first_bone(below)) is not None:
        return performance.heads[:, bone] - performance.heads[:, first]
    last = source.slots[slot][-1]
    local = source.rotations[last].T @ (source.segment_end(slot, below) - source.heads[last])
    return performance.heads[:, last] + rotate_vectors(performance.rotations[:, last], local) - performance.heads[:, first]


def rotate_twist_bones(pose: Pose, bone_rotations: BoneArrays) -> None:
    """Rotate the twist bones beside the limbs; adds them to `bone_rotations`, bone -> (F,3,3).

    Between shoulder and elbow the twist grows with the distance from the shoulder, so a twist bone there takes out what the upper arm
    has too much; the forearm's twist bones take their part of the hand's twist. The legs likewise.
    """
    rest = pose.rest
    for slot, below in SEGMENTS:
        bones = [bone for bone in rest.slots.get(f"{slot}_twist", ()) if bone not in bone_rotations]
        is_proximal = slot.endswith(("upper_arm", "upper_leg"))
        reference = twist_reference_bone(rest, slot, below, is_proximal)
        if not bones or reference is None:
            continue
        limb = rest.slots[slot][-1 if is_proximal else 0]
        axis, start, length = rest.segment_direction(slot, below), rest.heads[rest.slots[slot][0]], rest.segment_length(slot, below)
        whole, neighbour = pose.rest_delta(limb), pose.rest_delta(reference)
        twist = _twist_of_part(whole, neighbour, axis, is_proximal)
        positions = np.clip([(rest.heads[bone] - start) @ axis / length for bone in bones], 0, 1)
        borders = sorted({*positions.tolist(), 1.0})
        for bone, position in zip(bones, positions, strict=True):
            # Each bone's skin reaches from its own position to the next one's; it twists like the middle.
            middle = (position + next((border for border in borders if border > position + 1e-6), 1.0)) / 2
            turned = whole @ rotation_about_axis(axis, twist * ((middle - 1) if is_proximal else middle))
            bone_rotations[bone] = right_multiply(turned, rest.rotations[bone])
