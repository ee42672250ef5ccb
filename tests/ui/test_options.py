"""The panel's properties are made from the table of options."""

from dataclasses import dataclass

import bpy
import pytest

from blender_meshrec.bridge.messages import ReconstructRequest
from blender_meshrec.core.option_records import PanelProperty, option, options_of
from blender_meshrec.core.options import CHARACTER_OPTIONS, RECONSTRUCT_OPTIONS, SCENE_OPTIONS, ReconstructOptions
from blender_meshrec.ui.option_properties import add_option_properties, option_value, request_values
from blender_meshrec.ui.presets import PRESET_SETTINGS
from blender_meshrec.ui.properties import build_request

SETTINGS_OPTIONS = [entry for entry in (*RECONSTRUCT_OPTIONS, *SCENE_OPTIONS) if entry.panel]
RETARGET_OPTIONS = [entry for entry in CHARACTER_OPTIONS if entry.panel]


@dataclass(frozen=True, kw_only=True)
class ExtendedOptions(ReconstructOptions):
    """The options, and two made-up ones."""

    sharpness: float = option(0.5, panel=PanelProperty("Sharpness", "How sharp", minimum=0.0, soft_maximum=2.0))
    count: int = option(3, panel=PanelProperty("Count", "How many", "number"))


def test_fresh_settings_give_the_defaults(addon):
    addon.source = "/clip.mp4"
    assert build_request(addon) == ReconstructRequest("/clip.mp4")
    assert all(option_value(addon, entry) == entry.default for entry in SETTINGS_OPTIONS)
    character = bpy.context.scene.meshrec_retarget
    assert all(option_value(character, entry) == entry.default for entry in RETARGET_OPTIONS)


def test_labels_and_descriptions_come_from_the_table(addon):
    for group, entries in ((addon, SETTINGS_OPTIONS), (bpy.context.scene.meshrec_retarget, RETARGET_OPTIONS)):
        for entry in entries:
            rna = group.bl_rna.properties[entry.panel_identifier]
            assert (rna.name, rna.description) == (entry.panel.label, entry.panel.description)


@pytest.mark.parametrize("entry", [entry for entry in SETTINGS_OPTIONS if entry.panel_choices], ids=lambda entry: entry.name)
def test_every_menu_item_stands_for_its_value(addon, entry):
    offered = addon.bl_rna.properties[entry.panel_identifier].enum_items
    assert [(item.identifier, item.name, item.description) for item in offered] == [choice.item for choice in entry.panel_choices]
    for choice in entry.panel_choices:
        setattr(addon, entry.panel_identifier, choice.item[0])
        assert option_value(addon, entry) == choice.value


def test_presets_store_every_option(addon):
    assert {entry.panel_identifier for entry in SETTINGS_OPTIONS} <= set(PRESET_SETTINGS)
    assert set(PRESET_SETTINGS) <= set(addon.bl_rna.properties.keys())


def test_a_new_field_is_a_property_of_the_panel(addon):
    class ExtendedSettings(bpy.types.PropertyGroup):
        other: bpy.props.IntProperty()

    options = options_of(ExtendedOptions)
    add_option_properties(ExtendedSettings, options)
    bpy.utils.register_class(ExtendedSettings)
    bpy.types.Scene.extended = bpy.props.PointerProperty(type=ExtendedSettings)
    try:
        group = bpy.context.scene.extended
        rna = group.bl_rna.properties["sharpness"]
        assert (rna.name, rna.default, rna.hard_min, rna.soft_max) == ("Sharpness", 0.5, 0.0, 2.0)
        group.number = 7
        values = request_values(group, options)
        assert values["sharpness"] == 0.5 and values["count"] == 7 and ExtendedOptions(**values).count == 7
    finally:
        del bpy.types.Scene.extended
        bpy.utils.unregister_class(ExtendedSettings)
