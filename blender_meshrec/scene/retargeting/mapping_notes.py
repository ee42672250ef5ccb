"""What a mapping lacks, or drives in a way of its own, and where feet are not held, in sentences."""

from collections.abc import Mapping

import numpy as np

from ...core.messages import Message
from ...retarget.rig import SIDES, BoneMapping, RetargetedMotion, Rig
from ...retarget.solve.detached_bones import detached_names
from ...retarget.solve.foot_skin import FootSkin
from ...retarget.solve.rest_pose import RestPose
from ..character.rig_bones import quote_names

_MIN_SHIN_SHARE = 0.5  # of the weight of a sole
_SOLE_SHARE = 0.2  # of the height of a foot's skin
_MAX_SLIDE, _MAX_DEPTH = 2.0, 20.0  # cm/s and mm, of feet of a person's size that are held


def mapping_notes(rig: Rig, mapping: BoneMapping) -> tuple[Message, ...]:
    """Notes about missing feet and hands, and about those that hang from elsewhere than their limb."""
    notes: list[Message] = []
    if _lacks(mapping, "foot"):
        text = 'No feet were found in "{name}": the motion of the ankles is lost, and nothing holds the feet on the floor.'
        notes.append(Message("rig-without-feet", text, name=rig.name))
    if _lacks(mapping, "hand"):
        text = 'No hands were found in "{name}": the motion of the wrists is lost.'
        notes.append(Message("rig-without-hands", text, name=rig.name))
    if names := detached_names(rig, mapping):
        text = "{bones} do not hang from the limbs that they end: they are keyed with their location, where the limbs end."
        notes.append(Message("bones-keyed-as-targets", text, bones=quote_names(names)))
    return tuple(notes)


def skin_notes(rig: Rig, mapping: BoneMapping, skins: Mapping[str, FootSkin], sides_swapped: bool) -> tuple[Message, ...]:
    """Notes about sides that the feet's skin, by side, has shown to be exchanged, and about soles that follow the shins."""
    notes: list[Message] = []
    if sides_swapped:
        text = 'The feet of "{name}" point backward if left and right are as its bones are named: left and right are exchanged.'
        notes.append(Message("sides-exchanged", text, name=rig.name))
    has_feet = not _lacks(mapping, "foot")
    rest = RestPose(rig, mapping)
    if has_feet and skins and all(_shin_share(rest, skin) > _MIN_SHIN_SHARE for skin in skins.values()):
        text = 'The soles of "{name}" follow its shins rather than its feet: they tilt where they touch the floor.'
        notes.append(Message("soles-follow-shins", text, name=rig.name))
    return tuple(notes)


def feet_notes(motion: RetargetedMotion) -> tuple[Message, ...]:
    """Notes about feet that could not be held still, or above the floor, for the size of the character."""
    slide, depth = (motion.quality.get(name, 0.0) for name in ("foot_slide_after", "floor_penetration_after"))
    size = max(1.0, motion.quality.get("hip_scale", 1.0))
    notes: list[Message] = []
    if slide > _MAX_SLIDE * size:  # not a number where nothing touches
        text = "The feet slide {slide:.1f} cm/s on average where they touch the floor: they differ too much from the person's."
        notes.append(Message("feet-slide-on-character", text, slide=slide))
    if depth > _MAX_DEPTH * size:
        notes.append(Message("feet-in-floor", "The feet are up to {depth:.0f} mm in the floor.", depth=depth))
    return tuple(notes)


def _shin_share(rest: RestPose, skin: FootSkin) -> float:
    """How much the sole, the lowest part of a foot's skin, follows the shin, 0..1."""
    if skin.shin_weights is None:
        return 0.0
    heights = skin.in_axes_of(rest) @ rest.axes[:, 2]
    return float(skin.shin_weights[heights <= heights.min() + _SOLE_SHARE * np.ptp(heights)].mean())


def _lacks(mapping: BoneMapping, part: str) -> bool:
    return not all(mapping.slots.get(f"{side}_{part}") for side in SIDES)
