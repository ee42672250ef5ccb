"""How a rig's bones turn as a performer's do: constants between two rest poses, and motion shared where bones differ in number."""

import numpy as np

from ...core.axis_rotations import right_multiply, rotate_vectors, rotation_about_axis, rotation_between, transpose, twist_angle, unit_vector
from ..rig import FINGER_SLOTS, SIDES
from .chain_interpolation import bone_end_fractions, interpolate_along_chain
from .rest_pose import SEGMENTS, twist_reference_bone

# Limbs whose directions differ by more from the source's are swung onto them, rad.
_AIM_TOLERANCE = 1e-3
# Feet whose rest directions differ by more do not say where they point: cosine of 75 degrees.
_MIN_FOOT_COSINE = 0.26


class RotationTransfer:
    """The turning of a target RestPose's bones by a Performance: `bone_rotations`, bone -> (F,3,3) in the target's axes.

    The source is a RestPose too. source_feet, target_feet: side -> Foot, for the ways the feet point.
    """

    def __init__(self, performance, source, target, source_feet, target_feet):
        self.performance, self.source, self.target = performance, source, target
        self.bone_rotations = {}
        self.source_from_target = source.axes @ target.axes.T  # P: from the target at rest to the source at rest
        self._deltas = {}
        self._inverse_stretch = np.linalg.inv(target.stretch)
        hips, chest = self._transfer_trunk()
        for side in SIDES:
            self._transfer_arm(side, chest)
            self._transfer_leg(side, hips, source_feet.get(side), target_feet.get(side))

    def source_delta(self, slot, index=-1):
        """How far one bone of a source's slot, its last by default, has turned from rest, (F,3,3); None where it has none."""
        bones = self.source.slots.get(slot)
        if not bones:
            return None
        bone = bones[index]
        if bone not in self._deltas:
            self._deltas[bone] = right_multiply(np.ascontiguousarray(self.performance.rotations[:, bone]), self.source.rotations[bone].T)
        return self._deltas[bone]

    def _set_rotation(self, bone, delta, align=None):
        constant = self.source_from_target @ self.target.rotations[bone]
        self.bone_rotations[bone] = right_multiply(delta, constant if align is None else align @ constant)

    def _bone_end_shares(self, slot, next_slots, rest):
        """How far along the trunk each bone of a slot ends, as shares; `next_slots`: slots one of which follows."""
        bones = rest.slots.get(slot, [])
        following = next((rest.first_bone(name) for name in next_slots if rest.first_bone(name) is not None), None)
        end = rest.heads[following] if following is not None else rest.tails[bones[-1]]
        return bone_end_fractions(np.stack([*rest.heads[bones], end]))

    def _transfer_trunk(self):
        """Hips, spine, neck and head; returns the turning of the hips and of the chest."""
        source, target = self.source, self.target
        hips = self.source_delta("hips")
        for bone in target.slots["hips"]:
            self._set_rotation(bone, hips)
        chest = hips
        if source.slots.get("spine"):
            turns = [self.source_delta("spine", k) for k in range(len(source.slots["spine"]))]
            chest = turns[-1]
            self._transfer_chain("spine", hips, turns, self._bone_end_shares("spine", ("neck", "head"), source), ("neck", "head"))
        else:
            self._transfer_chain("spine", hips, [hips], [1.0], ("neck", "head"))
        head = self.source_delta("head", 0)
        necks = len(target.slots.get("neck", ()))
        if source.slots.get("neck"):
            turns = [self.source_delta("neck", k) for k in range(len(source.slots["neck"]))]
            self._transfer_chain("neck", chest, turns, self._bone_end_shares("neck", ("head",), source), ("head",))
        elif necks:
            between = [(k + 1) / (necks + 1) for k in range(necks)]
            for bone, turn in zip(target.slots["neck"], interpolate_along_chain(chest, [head], [1.0], between), strict=True):
                self._set_rotation(bone, turn)
        for bone in target.slots["head"]:
            self._set_rotation(bone, head)
        return hips, chest

    def _transfer_chain(self, slot, start, rotations, known, next_slots):
        bones = self.target.slots.get(slot)
        if bones:
            for bone, turn in zip(
                bones, interpolate_along_chain(start, rotations, known, self._bone_end_shares(slot, next_slots, self.target)), strict=True
            ):
                self._set_rotation(bone, turn)

    def _transfer_arm(self, side, chest):
        shoulder = self.source_delta(f"{side}_clavicle")
        shoulder = chest if shoulder is None else shoulder
        if self.target.slots.get(f"{side}_clavicle"):
            self._transfer_chain(f"{side}_clavicle", chest, [shoulder], [1.0], (f"{side}_upper_arm",))
        upper = self._transfer_segment(f"{side}_upper_arm", f"{side}_lower_arm", np.eye(3), -1)
        lower = self._transfer_segment(f"{side}_lower_arm", f"{side}_hand", upper, 0)
        hand = self.source_delta(f"{side}_hand", 0)
        hand = self.source_delta(f"{side}_lower_arm") if hand is None else hand
        for bone in self.target.slots.get(f"{side}_hand", ()):
            self._set_rotation(bone, hand, lower)
        self._distribute_twist(side, "upper_arm", "lower_arm", right_multiply(shoulder, self.source_from_target), is_proximal=True)
        self._distribute_twist(side, "lower_arm", "hand", right_multiply(hand, lower @ self.source_from_target), is_proximal=False)
        self._aim_segment(f"{side}_upper_arm", f"{side}_lower_arm")
        self._aim_segment(f"{side}_lower_arm", f"{side}_hand")
        for finger in FINGER_SLOTS:
            self._transfer_finger(f"{side}_{finger}", hand, lower)

    def _transfer_leg(self, side, hips, source_foot, target_foot):
        upper = self._transfer_segment(f"{side}_upper_leg", f"{side}_lower_leg", np.eye(3), -1)
        lower = self._transfer_segment(f"{side}_lower_leg", f"{side}_foot", upper, 0)
        foot = self.source_delta(f"{side}_foot", 0)
        align = np.eye(3)  # what is flat at rest stays flat: feet only turn to where the source's point
        if foot is None:
            foot, align = self.source_delta(f"{side}_lower_leg"), lower
        elif source_foot is not None and target_foot is not None:
            align = self._foot_alignment(source_foot, target_foot)
        toes = self.source_delta(f"{side}_toes", 0)
        for slot, delta in ((f"{side}_foot", foot), (f"{side}_toes", foot if toes is None else toes)):
            for bone in self.target.slots.get(slot, ()):
                self._set_rotation(bone, delta, align)
        self._distribute_twist(side, "upper_leg", "lower_leg", right_multiply(hips, self.source_from_target), is_proximal=True)
        self._distribute_twist(side, "lower_leg", "foot", right_multiply(foot, align @ self.source_from_target), is_proximal=False)
        self._aim_segment(f"{side}_upper_leg", f"{side}_lower_leg")
        self._aim_segment(f"{side}_lower_leg", f"{side}_foot")

    def _foot_alignment(self, source_foot, target_foot):
        up = self.source.axes[:, 2]
        there, here = (unit_vector(v - (v @ up) * up) for v in (self.source_from_target @ target_foot.forward, source_foot.forward))
        return rotation_between(there, here) if there @ here > _MIN_FOOT_COSINE else np.eye(3)

    def _transfer_segment(self, slot, below, parents_align, index):
        """Turn a limb's part as one piece; returns its A."""
        there = parents_align @ self.source_from_target @ self.target.segment_direction(slot, below)
        align = rotation_between(there, self.source.segment_direction(slot, below)) @ parents_align
        for bone in self.target.slots[slot]:
            self._set_rotation(bone, self.source_delta(slot, index), align)
        return align

    def _distribute_twist(self, side, part, below, neighbour, is_proximal):
        """Let the bones of a split part share its twist: from the body on where `neighbour` (F,3,3) is above it, else towards it."""
        bones = self.target.slots[f"{side}_{part}"]
        if len(bones) < 2:
            return
        axis = self.target.segment_direction(f"{side}_{part}", f"{side}_{below}")
        whole = right_multiply(self.bone_rotations[bones[0]], self.target.rotations[bones[0]].T)
        first, second = (neighbour, whole) if is_proximal else (whole, neighbour)
        twist = twist_angle(transpose(first) @ second, axis)
        ends = bone_end_fractions(np.stack([*self.target.heads[bones], self.target.segment_end(f"{side}_{part}", f"{side}_{below}")]))
        for bone, start, end in zip(bones, [0.0, *ends[:-1]], ends, strict=True):
            turned = whole @ rotation_about_axis(axis, twist * ((end - 1) if is_proximal else start))
            self.bone_rotations[bone] = right_multiply(turned, self.target.rotations[bone])

    def _aim_segment(self, slot, below):
        """Swing a part onto the source's direction, where constants alone do not bring it: split limbs, stretched objects."""
        target, bones = self.target, self.target.slots[slot]
        points = np.stack([*target.heads[bones], target.segment_end(slot, below)])
        vector = sum(
            self.bone_rotations[bone] @ (target.rotations[bone].T @ step) for bone, step in zip(bones, np.diff(points, axis=0), strict=True)
        )
        wanted = source_segment_vector(self.source, self.performance, slot, below) @ self._inverse_stretch.T
        if np.abs(unit_vector(vector) - unit_vector(wanted)).max() > _AIM_TOLERANCE:
            swing = rotation_between(vector, wanted)
            for bone in bones:
                self.bone_rotations[bone] = swing @ self.bone_rotations[bone]

    def _transfer_finger(self, slot, hand, align):
        """A finger's joints one by one from the hand on; joints the source lacks stay with the hand or share."""
        given, bones = self.source.slots.get(slot), self.target.slots.get(slot)
        if not given or not bones:
            return
        bones = bones[len(bones) - min(len(bones), len(given)) :]
        if len(bones) == len(given):
            turns = [self.source_delta(slot, k) for k in range(len(given))]
            numbers = given
        else:
            known, wanted = (self._finger_end_shares(rest, numbers) for rest, numbers in ((self.source, given), (self.target, bones)))
            turns = interpolate_along_chain(hand, [self.source_delta(slot, k) for k in range(len(given))], known, wanted)
            numbers = [given[min(int(np.searchsorted(known, share - 1e-6)), len(given) - 1)] for share in wanted]
        for bone, number, turn in zip(bones, numbers, turns, strict=True):
            there, here = self._bone_direction(self.target, bone), self._bone_direction(self.source, number)
            align = rotation_between(align @ self.source_from_target @ there, here) @ align
            self._set_rotation(bone, turn, align)

    @staticmethod
    def _finger_end_shares(rest, bones):
        return bone_end_fractions(np.stack([*rest.heads[bones], rest.tails[bones[-1]]]))

    @staticmethod
    def _bone_direction(rest, bone):
        """From a finger's bone to the next one; at the tip, on from the one before."""
        children = np.flatnonzero(rest.rig.parents == bone)
        if len(children):
            return unit_vector(rest.heads[children[0]] - rest.heads[bone])
        return unit_vector(rest.heads[bone] - rest.heads[rest.rig.parents[bone]])


def source_segment_vector(source, performance, slot, below):
    """From a source's first head of a part to the part's end, (F,3) m in the world, wherever its bones are."""
    first = source.first_bone(slot)
    if (bone := source.first_bone(below)) is not None:
        return performance.heads[:, bone] - performance.heads[:, first]
    last = source.slots[slot][-1]
    local = source.rotations[last].T @ (source.segment_end(slot, below) - source.heads[last])
    return performance.heads[:, last] + rotate_vectors(performance.rotations[:, last], local) - performance.heads[:, first]


def rotate_twist_bones(pose, bone_rotations):
    """Turn the bones that lie beside a limb and only share its twist; adds them to `bone_rotations`, bone -> (F,3,3).

    Between shoulder and elbow twist grows with the way down, so such a bone takes out what the upper arm has too much there; of
    the hand's twist the forearm's bones take their share. The legs likewise.
    """
    rest = pose.rest
    for slot, below in SEGMENTS:
        bones = [bone for bone in rest.slots.get(f"{slot}_twist", ()) if bone not in bone_rotations]
        above = slot.endswith(("upper_arm", "upper_leg"))
        other = twist_reference_bone(rest, slot, below, above)
        if not bones or other is None:
            continue
        limb = rest.slots[slot][-1 if above else 0]
        axis, start, length = rest.segment_direction(slot, below), rest.heads[rest.first_bone(slot)], rest.segment_length(slot, below)
        whole, neighbour = pose.rest_delta(limb), pose.rest_delta(other)
        first, second = (neighbour, whole) if above else (whole, neighbour)
        twist = twist_angle(transpose(first) @ second, axis)
        places = np.clip([(rest.heads[bone] - start) @ axis / length for bone in bones], 0, 1)
        borders = sorted({*places.tolist(), 1.0})
        for bone, place in zip(bones, places, strict=True):
            # Each carries the skin from its own place to the next one's.
            share = (place + next((border for border in borders if border > place + 1e-6), 1.0)) / 2
            turned = whole @ rotation_about_axis(axis, twist * ((share - 1) if above else share))
            bone_rotations[bone] = right_multiply(turned, rest.rotations[bone])
