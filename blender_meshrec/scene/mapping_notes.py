"""What a mapping lacks, or drives in a way of its own, in sentences."""

from ..core.messages import Message
from ..retarget.rig import SIDES, BoneMapping, Rig
from ..retarget.solve.detached_bones import detached_names
from .rig_bones import quote_names


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


def _lacks(mapping: BoneMapping, part: str) -> bool:
    return not all(mapping.slots.get(f"{side}_{part}") for side in SIDES)
