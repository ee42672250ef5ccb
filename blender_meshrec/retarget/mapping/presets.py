"""Mappings kept as files: those that ship, and an artist's own, to save, share and load again.

A preset is JSON: {"meshrec_mapping": 1, "name": ..., "slots": {slot: [bones]}, "controls": {...}}. "controls" is for control
rigs: {"fk": [[bone, property, value]], "ik": [...], "ik_targets": {limb end: bone}, "poles": {limb: bone}}. A preset that ships may
also say by which bones its rig is "recognised_by".
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ...core.errors import InputError
from ...core.files.output_file import atomic_write
from ..rig import SIDES, SLOTS, BoneMapping, Controls

FORMAT = 1
SUFFIX = ".json"
_SHIPPED_FOLDER = Path(__file__).with_name("presets")
_MAX_BYTES = 1 << 20
_ENDS = tuple(f"{side}_{end}" for side in SIDES for end in ("hand", "foot", "toes"))
_LIMBS = tuple(f"{side}_{limb}" for side in SIDES for limb in ("arm", "leg"))
_REMEDY = "Save the mapping again from a rig, or choose another preset."


@dataclass(frozen=True)
class Preset:
    """A mapping with a name, and for those that ship the bones its rig is known by."""

    name: str
    mapping: BoneMapping
    recognised_by: tuple = ()


def mapping_to_dict(mapping, name):
    """What a preset file holds of a mapping, as a dict for JSON."""
    slots = {slot: list(mapping.slots[slot]) for slot in SLOTS if slot in mapping.slots}
    preset = {"meshrec_mapping": FORMAT, "name": name, "slots": slots}
    if mapping.controls is not None:
        controls = mapping.controls
        preset["controls"] = {
            "fk": [list(switch) for switch in controls.fk],
            "ik": [list(switch) for switch in controls.ik],
            "ik_targets": dict(controls.ik_targets),
            "poles": dict(controls.poles),
        }
    return preset


def preset_from_dict(content, source="The mapping preset"):
    """Check what a preset file holds and make a Preset of it.

    Raises:
        InputError: it is no mapping preset, of a later version, or damaged; it says where.
    """

    def wrong(what):
        return InputError("mapping-preset-damaged", "{name} is damaged: {reason}.", _REMEDY, name=source, reason=what)

    if not isinstance(content, dict) or "meshrec_mapping" not in content:
        raise InputError(
            "mapping-preset-not-one", "{name} is not a mapping preset.", "Choose a file that was saved as a mapping preset.", name=source
        )
    if content["meshrec_mapping"] != FORMAT:
        raise InputError(
            "mapping-preset-of-later-version",
            "{name} was saved by a later version.",
            "Update the add-on, or save the mapping again.",
            name=source,
        )
    name, slots = content.get("name", ""), content.get("slots")
    if not isinstance(name, str):
        raise wrong("its name is no text")
    if not isinstance(slots, dict) or not slots:
        raise wrong("it maps no bones")
    seen = {}
    for slot, bones in slots.items():
        if slot not in SLOTS:
            raise wrong(f'it speaks of "{slot}", which is no part of a body')
        if not isinstance(bones, list) or not all(isinstance(bone, str) and bone for bone in bones):
            raise wrong(f'"{slot}" is no list of bone names')
        for bone in bones:
            if bone in seen:
                raise wrong(f'the bone "{bone}" is both "{seen[bone]}" and "{slot}"')
            seen[bone] = slot
    controls = _parse_controls(content["controls"], wrong) if content.get("controls") is not None else None
    recognised_by = content.get("recognised_by", [])
    if not isinstance(recognised_by, list) or not all(isinstance(bone, str) for bone in recognised_by):
        raise wrong('"recognised_by" is no list of bone names')
    mapping = BoneMapping(slots, dict.fromkeys(seen, 1.0), "preset", name, controls)
    return Preset(name, mapping, tuple(recognised_by))


def _parse_controls(content, wrong):
    if not isinstance(content, dict):
        raise wrong('"controls" is no table')
    switches = {}
    for kind in ("fk", "ik"):
        rows = content.get(kind, [])
        if not isinstance(rows, list) or not all(_is_switch(row) for row in rows):
            raise wrong(f'a switch in "{kind}" is not a bone, a property and a value')
        switches[kind] = tuple(tuple(row) for row in rows)
    tables = {}
    for kind, allowed in (("ik_targets", _ENDS), ("poles", _LIMBS)):
        table = content.get(kind, {})
        if not isinstance(table, dict) or not all(key in allowed and isinstance(bone, str) for key, bone in table.items()):
            raise wrong(f'"{kind}" gives bones for others than {", ".join(allowed)}')
        tables[kind] = dict(table)
    return Controls(**switches, **tables)


def _is_switch(row):
    return isinstance(row, list) and len(row) == 3 and all(isinstance(part, str) for part in row[:2]) and isinstance(row[2], int | float)


def filter_controls(controls, bones):
    """The controls that a rig with these bones has; None where none are left."""
    if controls is None:
        return None
    left = Controls(
        tuple(switch for switch in controls.fk if switch[0] in bones),
        tuple(switch for switch in controls.ik if switch[0] in bones),
        {end: bone for end, bone in controls.ik_targets.items() if bone in bones},
        {limb: bone for limb, bone in controls.poles.items() if bone in bones},
    )
    return left if (left.fk or left.ik or left.ik_targets or left.poles) else None


def read_preset(path):
    """Read a mapping preset.

    Raises:
        InputError: the file cannot be read, or is no mapping preset, or is damaged.
    """
    path = Path(path)
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise InputError(
                "mapping-preset-too-large",
                "{name} is too large for a mapping preset.",
                "Choose a file that was saved as a mapping preset.",
                name=path.name,
            )
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(
            "mapping-preset-not-readable",
            "{path} cannot be read: {reason}.",
            "Choose another mapping preset.",
            path=path,
            reason=error.strerror or error,
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(
            "mapping-preset-not-one", "{name} is not a mapping preset.", "Choose a file that was saved as a mapping preset.", name=path.name
        ) from error
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError("mapping-preset-not-json", "{name} is damaged: it is not valid JSON.", _REMEDY, name=path.name) from error
    return preset_from_dict(content, path.name)


def write_preset(path, mapping, name=None):
    """Save a mapping as a preset file, whole or not at all.

    Raises:
        OutputError: the file cannot be written.
    """
    path = Path(path)
    text = json.dumps(mapping_to_dict(mapping, name or path.stem), indent=1, ensure_ascii=False)
    with atomic_write(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


@cache
def shipped_presets():
    """The presets that ship, by name."""
    return tuple(read_preset(path) for path in sorted(_SHIPPED_FOLDER.glob(f"*{SUFFIX}")))
