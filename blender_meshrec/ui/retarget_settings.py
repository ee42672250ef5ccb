"""The settings of retargeting, stored with the scene, and the records made from them."""

import json
from dataclasses import replace
from itertools import groupby

import bpy
from bpy.props import CollectionProperty, FloatProperty, IntProperty, PointerProperty, StringProperty

from ..core.options import OPTIONS
from ..retarget.mapping.map_bones import map_bones
from ..retarget.mapping.presets import FORMAT, mapping_to_dict, preset_from_dict
from ..retarget.rig import SLOTS, BoneMapping, RetargetOptions
from ..scene.rig_reader import read_rig
from . import retarget_preview
from .option_properties import make_property


def slot_label(slot: str) -> str:
    """A slot's name for the interface: left_upper_arm is "Left Upper Arm"."""
    return slot.replace("_", " ").title()


def _is_armature(_settings: "RetargetSettings", candidate: bpy.types.Object) -> bool:
    return candidate.type == "ARMATURE"


def _on_target_change(settings: "RetargetSettings", context: bpy.types.Context) -> None:
    settings.clear_mapping()
    retarget_preview.stop()


def _on_option_change(_settings: object, context: bpy.types.Context) -> None:
    retarget_preview.refresh(context)


class MappedBone(bpy.types.PropertyGroup):
    """One bone of the mapping. `name` is the slot; the bones of one slot are in order from parent to child."""

    bone: StringProperty(name="Bone", description="The character's bone for this part of the body", update=_on_option_change)
    confidence: FloatProperty(name="Confidence", description="How sure the mapping is, 0 to 1", min=0.0, max=1.0, default=1.0)


class RetargetSettings(bpy.types.PropertyGroup):
    """The settings of a scene's retargeting."""

    source: PointerProperty(name="Person", description="The armature whose movement is wanted", type=bpy.types.Object, poll=_is_armature)
    target: PointerProperty(
        name="Character",
        description="The armature of your character. Its rest pose, constraints and actions are not changed",
        type=bpy.types.Object,
        poll=_is_armature,
        update=_on_target_change,
    )
    rows: CollectionProperty(type=MappedBone)
    active_row: IntProperty()
    found_by: StringProperty()
    convention: StringProperty()
    controls: StringProperty()
    root: make_property(OPTIONS["root"], _on_option_change)
    feet: make_property(OPTIONS["feet"], _on_option_change)
    hands: make_property(OPTIONS["hands"], _on_option_change)
    drive: make_property(OPTIONS["drive"])
    result: StringProperty()

    def clear_mapping(self) -> None:
        """Empty the list, so that the next retargeting maps the character anew."""
        self.rows.clear()
        self.found_by = self.convention = self.controls = self.result = ""

    def set_mapping(self, mapping: BoneMapping) -> None:
        """Fill the list with a mapping."""
        self.rows.clear()
        for slot in SLOTS:
            for bone in mapping.slots.get(slot, ()):
                row = self.rows.add()
                row.name, row.bone, row.confidence = slot, bone, mapping.confidence.get(bone, 1.0)
        self.found_by, self.convention = mapping.found_by, mapping.convention
        self.controls = json.dumps(mapping_to_dict(mapping, "")["controls"]) if mapping.controls else ""

    def get_mapping(self) -> BoneMapping:
        """The mapping in the list; rows without a bone are left out.

        Raises:
            InputError: a bone is listed twice, or a slot that every body has lacks a bone.
        """
        filled = sorted((row for row in self.rows if row.bone), key=lambda row: SLOTS.index(row.name))
        slots = {slot: [row.bone for row in rows] for slot, rows in groupby(filled, key=lambda row: row.name)}
        content = {"meshrec_mapping": FORMAT, "name": self.convention, "slots": slots}
        if self.controls:
            content["controls"] = json.loads(self.controls)
        mapping = map_bones(read_rig(self.target), preset_from_dict(content, "The mapping").mapping)
        return replace(mapping, found_by=self.found_by or "preset", confidence={row.bone: row.confidence for row in filled})

    def get_options(self) -> RetargetOptions:
        """The options of the solver."""
        return RetargetOptions(root=self.root, feet=self.feet, hands=self.hands, drive=self.drive)


CLASSES = (MappedBone, RetargetSettings)
