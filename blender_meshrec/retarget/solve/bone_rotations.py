"""How a rig's bones turn as a performer's do: constants between two rest poses, and motion shared where bones differ in number."""

import numpy as np

from ...core.axis_rotations import about, rotate, shortest_turn, transposed, turned_by, twist_about, unit
from ..rig import FINGER_SLOTS, SIDES
from .chain_sharing import ends_along, share_along
from .rest_pose import SEGMENTS, twist_partner

# Limbs whose directions differ by more from the source's are swung onto them, rad.
_AIMED = 1e-3
# Feet whose rest directions differ by more do not say where they point: cosine of 75 degrees.
_SPLAYED = 0.26


class BodyTurns:
    """The turning of a target RestPose's bones by a Performance: `turns`, bone -> (F,3,3) in the target's axes.

    The source is a RestPose too. source_feet, target_feet: side -> Foot, for the ways the feet point.
    """

    def __init__(self, performance, source, target, source_feet, target_feet):
        self.performance, self.source, self.target = performance, source, target
        self.turns = {}
        self.aligned = source.axes @ target.axes.T  # P: from the target at rest to the source at rest
        self._deltas = {}
        self._unstretch = np.linalg.inv(target.stretch)
        hips, chest = self._trunk()
        for side in SIDES:
            self._arm(side, chest)
            self._leg(side, hips, source_feet.get(side), target_feet.get(side))

    def delta(self, slot, which=-1):
        """How far one bone of a source's slot, its last by default, has turned from rest, (F,3,3); None where it has none."""
        bones = self.source.slots.get(slot)
        if not bones:
            return None
        bone = bones[which]
        if bone not in self._deltas:
            self._deltas[bone] = turned_by(np.ascontiguousarray(self.performance.rotations[:, bone]), self.source.rotations[bone].T)
        return self._deltas[bone]

    def _put(self, bone, delta, align=None):
        constant = self.aligned @ self.target.rotations[bone]
        self.turns[bone] = turned_by(delta, constant if align is None else align @ constant)

    def _chain(self, slot, beyond, rest):
        """How far along the trunk each bone of a slot ends, as shares; `beyond`: slots one of which follows."""
        bones = rest.slots.get(slot, [])
        following = next((rest.first(name) for name in beyond if rest.first(name) is not None), None)
        end = rest.heads[following] if following is not None else rest.tails[bones[-1]]
        return ends_along(np.stack([*rest.heads[bones], end]))

    def _trunk(self):
        """Hips, spine, neck and head; returns the turning of the hips and of the chest."""
        source, target = self.source, self.target
        hips = self.delta("hips")
        for bone in target.slots["hips"]:
            self._put(bone, hips)
        chest = hips
        if source.slots.get("spine"):
            turns = [self.delta("spine", k) for k in range(len(source.slots["spine"]))]
            chest = turns[-1]
            self._share("spine", hips, turns, self._chain("spine", ("neck", "head"), source), ("neck", "head"))
        else:
            self._share("spine", hips, [hips], [1.0], ("neck", "head"))
        head = self.delta("head", 0)
        necks = len(target.slots.get("neck", ()))
        if source.slots.get("neck"):
            turns = [self.delta("neck", k) for k in range(len(source.slots["neck"]))]
            self._share("neck", chest, turns, self._chain("neck", ("head",), source), ("head",))
        elif necks:
            between = [(k + 1) / (necks + 1) for k in range(necks)]
            for bone, turn in zip(target.slots["neck"], share_along(chest, [head], [1.0], between), strict=True):
                self._put(bone, turn)
        for bone in target.slots["head"]:
            self._put(bone, head)
        return hips, chest

    def _share(self, slot, start, turns, known, beyond):
        bones = self.target.slots.get(slot)
        if bones:
            for bone, turn in zip(bones, share_along(start, turns, known, self._chain(slot, beyond, self.target)), strict=True):
                self._put(bone, turn)

    def _arm(self, side, chest):
        shoulder = self.delta(f"{side}_clavicle")
        shoulder = chest if shoulder is None else shoulder
        if self.target.slots.get(f"{side}_clavicle"):
            self._share(f"{side}_clavicle", chest, [shoulder], [1.0], (f"{side}_upper_arm",))
        upper = self._long_bone(f"{side}_upper_arm", f"{side}_lower_arm", np.eye(3), -1)
        lower = self._long_bone(f"{side}_lower_arm", f"{side}_hand", upper, 0)
        hand = self.delta(f"{side}_hand", 0)
        hand = self.delta(f"{side}_lower_arm") if hand is None else hand
        for bone in self.target.slots.get(f"{side}_hand", ()):
            self._put(bone, hand, lower)
        self._split(side, "upper_arm", "lower_arm", turned_by(shoulder, self.aligned), above=True)
        self._split(side, "lower_arm", "hand", turned_by(hand, lower @ self.aligned), above=False)
        self._aim(f"{side}_upper_arm", f"{side}_lower_arm")
        self._aim(f"{side}_lower_arm", f"{side}_hand")
        for finger in FINGER_SLOTS:
            self._finger(f"{side}_{finger}", hand, lower)

    def _leg(self, side, hips, source_foot, target_foot):
        upper = self._long_bone(f"{side}_upper_leg", f"{side}_lower_leg", np.eye(3), -1)
        lower = self._long_bone(f"{side}_lower_leg", f"{side}_foot", upper, 0)
        foot = self.delta(f"{side}_foot", 0)
        align = np.eye(3)  # what is flat at rest stays flat: feet only turn to where the source's point
        if foot is None:
            foot, align = self.delta(f"{side}_lower_leg"), lower
        elif source_foot is not None and target_foot is not None:
            align = self._foot_heading(source_foot, target_foot)
        toes = self.delta(f"{side}_toes", 0)
        for slot, delta in ((f"{side}_foot", foot), (f"{side}_toes", foot if toes is None else toes)):
            for bone in self.target.slots.get(slot, ()):
                self._put(bone, delta, align)
        self._split(side, "upper_leg", "lower_leg", turned_by(hips, self.aligned), above=True)
        self._split(side, "lower_leg", "foot", turned_by(foot, align @ self.aligned), above=False)
        self._aim(f"{side}_upper_leg", f"{side}_lower_leg")
        self._aim(f"{side}_lower_leg", f"{side}_foot")

    def _foot_heading(self, source_foot, target_foot):
        up = self.source.axes[:, 2]
        there, here = (unit(v - (v @ up) * up) for v in (self.aligned @ target_foot.forward, source_foot.forward))
        return shortest_turn(there, here) if there @ here > _SPLAYED else np.eye(3)

    def _long_bone(self, slot, below, parents_align, which):
        """Turn a limb's part as one piece; returns its A."""
        there = parents_align @ self.aligned @ self.target.direction(slot, below)
        align = shortest_turn(there, self.source.direction(slot, below)) @ parents_align
        for bone in self.target.slots[slot]:
            self._put(bone, self.delta(slot, which), align)
        return align

    def _split(self, side, part, below, neighbour, above):
        """Let the bones of a split part share its twist: from the body on where `neighbour` (F,3,3) is above it, else towards it."""
        bones = self.target.slots[f"{side}_{part}"]
        if len(bones) < 2:
            return
        axis = self.target.direction(f"{side}_{part}", f"{side}_{below}")
        whole = turned_by(self.turns[bones[0]], self.target.rotations[bones[0]].T)
        first, second = (neighbour, whole) if above else (whole, neighbour)
        twist = twist_about(transposed(first) @ second, axis)
        ends = ends_along(np.stack([*self.target.heads[bones], self.target.end(f"{side}_{part}", f"{side}_{below}")]))
        for bone, start, end in zip(bones, [0.0, *ends[:-1]], ends, strict=True):
            turned = whole @ about(axis, twist * ((end - 1) if above else start))
            self.turns[bone] = turned_by(turned, self.target.rotations[bone])

    def _aim(self, slot, below):
        """Swing a part onto the source's direction, where constants alone do not bring it: split limbs, stretched objects."""
        target, bones = self.target, self.target.slots[slot]
        points = np.stack([*target.heads[bones], target.end(slot, below)])
        vector = sum(
            self.turns[bone] @ (target.rotations[bone].T @ step) for bone, step in zip(bones, np.diff(points, axis=0), strict=True)
        )
        wanted = source_vector(self.source, self.performance, slot, below) @ self._unstretch.T
        if np.abs(unit(vector) - unit(wanted)).max() > _AIMED:
            swing = shortest_turn(vector, wanted)
            for bone in bones:
                self.turns[bone] = swing @ self.turns[bone]

    def _finger(self, slot, hand, align):
        """A finger's joints one by one from the hand on; joints the source lacks stay with the hand or share."""
        given, bones = self.source.slots.get(slot), self.target.slots.get(slot)
        if not given or not bones:
            return
        bones = bones[len(bones) - min(len(bones), len(given)) :]
        if len(bones) == len(given):
            turns = [self.delta(slot, k) for k in range(len(given))]
            numbers = given
        else:
            known, wanted = (self._joints(rest, numbers) for rest, numbers in ((self.source, given), (self.target, bones)))
            turns = share_along(hand, [self.delta(slot, k) for k in range(len(given))], known, wanted)
            numbers = [given[min(int(np.searchsorted(known, share - 1e-6)), len(given) - 1)] for share in wanted]
        for bone, number, turn in zip(bones, numbers, turns, strict=True):
            there, here = self._bone_direction(self.target, bone), self._bone_direction(self.source, number)
            align = shortest_turn(align @ self.aligned @ there, here) @ align
            self._put(bone, turn, align)

    @staticmethod
    def _joints(rest, bones):
        return ends_along(np.stack([*rest.heads[bones], rest.tails[bones[-1]]]))

    @staticmethod
    def _bone_direction(rest, bone):
        """From a finger's bone to the next one; at the tip, on from the one before."""
        children = np.flatnonzero(rest.rig.parents == bone)
        if len(children):
            return unit(rest.heads[children[0]] - rest.heads[bone])
        return unit(rest.heads[bone] - rest.heads[rest.rig.parents[bone]])


def source_vector(source, performance, slot, below):
    """From a source's first head of a part to the part's end, (F,3) m in the world, wherever its bones are."""
    first = source.first(slot)
    if (bone := source.first(below)) is not None:
        return performance.heads[:, bone] - performance.heads[:, first]
    last = source.slots[slot][-1]
    local = source.rotations[last].T @ (source.end(slot, below) - source.heads[last])
    return performance.heads[:, last] + rotate(performance.rotations[:, last], local) - performance.heads[:, first]


def turn_twists(pose, turns):
    """Turn the bones that lie beside a limb and only share its twist; adds them to `turns`, bone -> (F,3,3).

    Between shoulder and elbow twist grows with the way down, so such a bone takes out what the upper arm has too much there; of
    the hand's twist the forearm's bones take their share. The legs likewise.
    """
    rest = pose.rest
    for slot, below in SEGMENTS:
        bones = [bone for bone in rest.slots.get(f"{slot}_twist", ()) if bone not in turns]
        above = slot.endswith(("upper_arm", "upper_leg"))
        other = twist_partner(rest, slot, below, above)
        if not bones or other is None:
            continue
        limb = rest.slots[slot][-1 if above else 0]
        axis, start, length = rest.direction(slot, below), rest.heads[rest.first(slot)], rest.length(slot, below)
        whole, neighbour = pose.delta(limb), pose.delta(other)
        first, second = (neighbour, whole) if above else (whole, neighbour)
        twist = twist_about(transposed(first) @ second, axis)
        places = np.clip([(rest.heads[bone] - start) @ axis / length for bone in bones], 0, 1)
        borders = sorted({*places.tolist(), 1.0})
        for bone, place in zip(bones, places, strict=True):
            # Each carries the skin from its own place to the next one's.
            share = (place + next((border for border in borders if border > place + 1e-6), 1.0)) / 2
            turned = whole @ about(axis, twist * ((share - 1) if above else share))
            turns[bone] = turned_by(turned, rest.rotations[bone])
