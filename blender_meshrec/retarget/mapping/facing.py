"""Bones that are named left and right as a viewer in front of the character sees them: the skin of the feet shows where it faces."""

from collections.abc import Mapping
from dataclasses import replace

from ..rig import SIDES, BoneMapping, Rig
from ..solve.foot_skin import FootSkin
from ..solve.rest_pose import RestPose

# A foot points backward if its skin reaches this many times as far behind the ankle as before it, and this fraction of the shin behind.
_MIN_RATIO, _MIN_LENGTH = 1.5, 0.2
# Sides that somebody has stated are not doubted.
_STATED = ("preset", "vrm")


def are_sides_swapped(rig: Rig, mapping: BoneMapping, skins: Mapping[str, FootSkin]) -> bool:
    """Whether both feet point backward, if left and right are as in a mapping that was found by names or shape.

    skins: side -> the skin of the foot.
    """
    if mapping.found_by in _STATED or mapping.controls is not None or any(side not in skins for side in SIDES):
        return False
    rest = RestPose(rig, mapping)
    return all(_points_backward(rest, side, skins[side]) for side in SIDES)


def swap_sides(mapping: BoneMapping) -> BoneMapping:
    """The mapping with left and right exchanged."""
    left, right = SIDES
    other = {f"{left}_": f"{right}_", f"{right}_": f"{left}_"}

    def swapped(slot: str) -> str:
        prefix = next((prefix for prefix in other if slot.startswith(prefix)), "")
        return other[prefix] + slot.removeprefix(prefix) if prefix else slot

    return replace(mapping, slots={swapped(slot): bones for slot, bones in mapping.slots.items()})


def _points_backward(rest: RestPose, side: str, skin: FootSkin) -> bool:
    ankle = rest.segment_end(f"{side}_lower_leg", f"{side}_foot")
    along = (skin.in_axes_of(rest) - ankle) @ rest.axes[:, 1]
    behind = -float(along.min())
    shin = rest.segment_length(f"{side}_lower_leg", f"{side}_foot")
    return behind > _MIN_LENGTH * shin and behind > _MIN_RATIO * float(along.max())
