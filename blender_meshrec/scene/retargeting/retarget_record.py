"""How an action was retargeted, stored with it: its source, mapping and options, so that it can be made again when the source changes."""

import json
from dataclasses import asdict, dataclass

import bpy

from ...core.errors import InputError
from ...retarget.mapping.presets import mapping_to_dict, preset_from_dict
from ...retarget.rig import BoneMapping, RetargetOptions, RetargetTuning
from ..context import assigned_action, expect_type

SOURCE_PROPERTY, RECORD_PROPERTY = "meshrec_source", "meshrec_retarget"  # of an action: the source's armature object; JSON


@dataclass(frozen=True)
class RetargetRecord:
    """The source of an action, the mapping of its character, and the options."""

    source: bpy.types.Object
    mapping: BoneMapping
    options: RetargetOptions


def store_record(action: bpy.types.Action, record: RetargetRecord) -> None:
    """Store with an action how it was retargeted."""
    action[SOURCE_PROPERTY] = record.source
    action[RECORD_PROPERTY] = json.dumps({"mapping": mapping_to_dict(record.mapping, ""), "options": asdict(record.options)})


def read_record(action: bpy.types.Action | None) -> RetargetRecord | None:
    """How an action was retargeted; None if it was not, its source was deleted, or its record is damaged."""
    source = None if action is None else action.get(SOURCE_PROPERTY)
    if action is None or source is None or RECORD_PROPERTY not in action:
        return None
    try:
        stored = json.loads(action[RECORD_PROPERTY])
        options = dict(stored["options"])
        tuning = RetargetTuning(**options.pop("tuning"))
        mapping = preset_from_dict(stored["mapping"]).mapping
        return RetargetRecord(expect_type(source, bpy.types.Object), mapping, RetargetOptions(tuning=tuning, **options))
    except (ValueError, KeyError, TypeError, InputError):
        return None


def characters_of(source: bpy.types.Object) -> list[bpy.types.Object]:
    """The armature objects of the file whose action was retargeted from a source."""
    found = [obj for obj in bpy.data.objects if obj.type == "ARMATURE" and obj != source and not obj.library]
    return [obj for obj in found if (record := read_record(assigned_action(obj))) is not None and record.source == source]
