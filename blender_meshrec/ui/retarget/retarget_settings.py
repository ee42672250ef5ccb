"""The settings of retargeting, stored with the scene, and the records made from them."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby

import bpy
from bpy.props import CollectionProperty, FloatProperty, FloatVectorProperty, IntProperty, PointerProperty, StringProperty
from mathutils import Euler

from ...core.errors import InputError
from ...core.messages import title_of
from ...core.options import OPTIONS
from ...retarget.mapping.map_bones import map_bones
from ...retarget.mapping.presets import FORMAT, mapping_to_dict, preset_from_dict
from ...retarget.mapping.shown_names import common_prefix, part_of_chain, source_bone
from ...retarget.mapping.suggestions import LISTED_SLOTS
from ...retarget.rig import INFLUENCE_PARTS, SLOTS, BoneMapping, RetargetOptions, RetargetTuning
from ...scene.character.rig_reader import read_rig
from ...scene.context import armature_data, expect_type
from ...scene.unit_scale import scene_unit
from ..option_properties import make_property
from ..translation import translate
from . import retarget_preview


def _is_armature(_settings: "RetargetSettings", candidate: bpy.types.Object) -> bool:
    return candidate.type == "ARMATURE"


def _on_target_change(settings: "RetargetSettings", context: bpy.types.Context) -> None:
    settings.clear_mapping()
    retarget_preview.stop()


def _on_source_change(settings: "RetargetSettings", context: bpy.types.Context) -> None:
    settings.name_source_bones()
    retarget_preview.stop()


def _on_option_change(_settings: object, context: bpy.types.Context) -> None:
    retarget_preview.refresh(context)


def _shown_name(row: "MappedBone") -> str:
    return row.bone.removeprefix(_settings_of_row(row).prefix)


def _set_shown_name(row: "MappedBone", name: str) -> None:
    """Set a bone by the name that the list shows, or by its whole name."""
    settings = _settings_of_row(row)
    bones = () if settings.target is None else armature_data(settings.target).bones
    row.bone = name if not name or name in bones else settings.prefix + name


def _settings_of_row(row: "MappedBone") -> "RetargetSettings":
    return row.id_data.meshrec_retarget  # pyrefly: ignore[missing-attribute]  the settings are a scene's


class BoneName(bpy.types.PropertyGroup):
    """A bone of the character, as the list shows it: `name` is without the prefix that all share."""


class MappedBone(bpy.types.PropertyGroup):
    """One bone of the mapping. `name` is the slot; the bones of one slot are in order from parent to child."""

    bone: StringProperty(name="Bone", description="The character's bone for this part of the body", update=_on_option_change)
    shown: StringProperty(name="Bone", description="The character's bone for this part of the body", get=_shown_name, set=_set_shown_name)
    source: StringProperty(name="Source Bone", description="The person's bone that this one follows")
    suggestion: StringProperty(name="Suggestion", description="The bone that is suggested for this part")
    part: StringProperty()
    confidence: FloatProperty(name="Confidence", description="How sure the mapping is, 0 to 1", min=0.0, max=1.0, default=1.0)
    offset: FloatVectorProperty(
        name="Offset",
        description="Turns the bone further, about its own axes; what hangs from it follows",
        subtype="EULER",
        update=_on_option_change,
    )

    @property
    def label(self) -> str:
        """The part of the body, translated: "Spine (Chest)"."""
        name = translate(title_of(self.name))
        return f"{name} ({translate(self.part)})" if self.part else name


def _influence(label: str) -> object:
    return FloatProperty(
        name=label,
        description="How far this part follows the person; at 0 it stays as at rest",
        min=0.0,
        max=1.0,
        default=1.0,
        subtype="FACTOR",
        update=_on_option_change,
    )


class RetargetSettings(bpy.types.PropertyGroup):
    """The settings of a scene's retargeting."""

    source: PointerProperty(
        name="Person",
        description="The armature whose motion the character takes over",
        type=bpy.types.Object,
        poll=_is_armature,
        update=_on_source_change,
    )
    target: PointerProperty(
        name="Character",
        description="The armature of your character. Its rest pose, constraints and actions are not changed",
        type=bpy.types.Object,
        poll=_is_armature,
        update=_on_target_change,
    )
    rows: CollectionProperty(type=MappedBone)
    active_row: IntProperty()
    bone_names: CollectionProperty(type=BoneName)
    prefix: StringProperty()
    found_by: StringProperty()
    convention: StringProperty()
    controls: StringProperty()
    root: make_property(OPTIONS["root"], _on_option_change)
    feet: make_property(OPTIONS["feet"], _on_option_change)
    hands: make_property(OPTIONS["hands"], _on_option_change)
    drive: make_property(OPTIONS["drive"])
    influence_spine: _influence("Spine")
    influence_head: _influence("Head")
    influence_left_arm: _influence("Left Arm")
    influence_right_arm: _influence("Right Arm")
    influence_left_leg: _influence("Left Leg")
    influence_right_leg: _influence("Right Leg")
    path_offset: FloatVectorProperty(
        name="Offset", description="Moves the whole motion", subtype="TRANSLATION", unit="LENGTH", update=_on_option_change
    )
    heading: FloatProperty(
        name="Heading", description="Turns the whole motion about the vertical axis", subtype="ANGLE", update=_on_option_change
    )
    path_scale: FloatProperty(
        name="Path Scale",
        description="Scales the path over the floor; 1 takes the person's steps at the character's size",
        default=1.0,
        min=0.0,
        soft_max=3.0,
        update=_on_option_change,
    )
    result: StringProperty()

    def clear_mapping(self) -> None:
        """Empty the list, so that the next retargeting maps the character anew."""
        self.rows.clear()
        self.bone_names.clear()
        self.prefix = self.found_by = self.convention = self.controls = self.result = ""

    def set_mapping(self, mapping: BoneMapping) -> None:
        """Fill the list with a mapping; offsets of bones that stay in it are kept."""
        offsets = {row.bone: tuple(row.offset) for row in self.rows if any(row.offset)}
        self.rows.clear()
        self.name_bones()
        for slot in SLOTS:
            for bone in mapping.slots.get(slot, ()):
                row = self.rows.add()
                row.name, row.bone, row.confidence = slot, bone, mapping.confidence.get(bone, 1.0)
                row.offset = offsets.get(bone, (0.0, 0.0, 0.0))
        self.found_by, self.convention = mapping.found_by, mapping.convention
        self.controls = json.dumps(mapping_to_dict(mapping, "")["controls"]) if mapping.controls else ""
        self.name_parts()

    def suggest(self, suggestions: BoneMapping) -> None:
        """Fill the list with empty rows to be filled by hand, each with what is suggested for it."""
        self.rows.clear()
        self.name_bones()
        for slot in SLOTS:
            suggested = suggestions.slots.get(slot, ())
            for bone in suggested or ([""] if slot in LISTED_SLOTS else []):
                row = self.rows.add()
                row.name, row.suggestion, row.confidence = slot, bone, suggestions.confidence.get(bone, 0.0)
        self.found_by = self.controls = ""
        self.convention = suggestions.convention
        self.name_parts()

    def name_bones(self) -> None:
        """List the character's bones as they are shown: without the prefix that they share."""
        names = [] if self.target is None else armature_data(self.target).bones.keys()
        self.prefix = common_prefix(names)
        self.bone_names.clear()
        for name in names:
            self.bone_names.add().name = name.removeprefix(self.prefix)

    def name_parts(self) -> None:
        """Name the part of the spine that each row is, and the person's bone that it follows."""
        if not self.bone_names:  # a row was added to an empty list
            self.name_bones()
        for row, number, count in self.numbered_rows():
            row.part = part_of_chain(number, count) if row.name == "spine" else ""
        self.name_source_bones()

    def name_source_bones(self) -> None:
        """Write the person's bone beside each row; nothing where the person cannot be mapped."""
        slots: dict[str, tuple[str, ...]] = {}
        if self.source is not None and self.rows:
            try:
                slots = dict(map_bones(read_rig(self.source)).slots)
            except InputError:
                slots = {}
        for row, number, count in self.numbered_rows():
            row.source = source_bone(row.name, slots.get(row.name, ()), number, count)

    def numbered_rows(self) -> Iterator[tuple[MappedBone, int, int]]:
        """Each row, its number among the rows of its slot, from 0, and how many these are."""
        counts, numbers = Counter(row.name for row in self.rows), Counter[str]()
        for row in self.rows:
            yield row, numbers[row.name], counts[row.name]
            numbers[row.name] += 1

    def get_mapping(self) -> BoneMapping:
        """The mapping in the list; rows without a bone are left out.

        Raises:
            InputError: a bone is listed twice, or a slot that every body has lacks a bone.
        """
        filled = sorted((row for row in self.rows if row.bone), key=lambda row: SLOTS.index(row.name))
        slots = {slot: [row.bone for row in rows] for slot, rows in groupby(filled, key=lambda row: row.name)}
        content = {"meshrec_mapping": FORMAT, "name": self.convention, "slots": slots or {"hips": []}}
        if self.controls:
            content["controls"] = json.loads(self.controls)
        mapping = map_bones(read_rig(self.target), preset_from_dict(content, "The mapping").mapping)
        return replace(mapping, found_by=self.found_by or "preset", confidence={row.bone: row.confidence for row in filled})

    def get_options(self) -> RetargetOptions:
        """The options of the solver."""
        return RetargetOptions(root=self.root, feet=self.feet, hands=self.hands, drive=self.drive, tuning=self.get_tuning())

    def get_tuning(self) -> RetargetTuning:
        """The corrections of bones, limbs and path."""
        unit = scene_unit(expect_type(self.id_data, bpy.types.Scene))
        return RetargetTuning(
            offsets={row.bone: _rotvec(row.offset) for row in self.rows if row.bone and any(row.offset)},
            influences={part: value for part in INFLUENCE_PARTS if (value := getattr(self, f"influence_{part}")) != 1},
            path_offset=tuple(unit * value for value in self.path_offset),
            heading=self.heading,
            path_scale=self.path_scale,
        )

    def clear_tuning(self) -> None:
        """Undo all corrections."""
        for row in self.rows:
            row.property_unset("offset")
        for name in (*(f"influence_{part}" for part in INFLUENCE_PARTS), "path_offset", "heading", "path_scale"):
            self.property_unset(name)


def _rotvec(euler: Euler) -> tuple[float, ...]:
    axis, angle = euler.to_quaternion().to_axis_angle()
    return angle * axis.x, angle * axis.y, angle * axis.z


CLASSES = (BoneName, MappedBone, RetargetSettings)
