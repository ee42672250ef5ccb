"""Mapping presets: the files that ship, and an artist's own, to save, share and load again.

A preset is JSON: {"meshrec_mapping": 1, "name": ..., "slots": {slot: [bones]}, "controls": {...}}. "controls" is for control
rigs: {"fk": [[bone, property, value]], "ik": [...], "ik_targets": {limb end: bone}, "poles": {limb: bone}}. A preset that ships
also lists the bones by which its rig is "recognised_by".
"""

import json
from collections.abc import Container, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeAlias

from ...core.errors import InputError
from ...core.files.input_file import parse_json, refuse_special_file
from ...core.files.output_file import atomic_write
from ..rig import SIDES, SLOTS, BoneMapping, Controls

FORMAT = 1
SUFFIX = ".json"
_SHIPPED_FOLDER = Path(__file__).with_name("presets")
_MAX_BYTES = 1 << 20
_MAX_SWITCH_VALUE = 1e6  # of a custom property that switches a rig
_LIMB_ENDS = tuple(f"{side}_{end}" for side in SIDES for end in ("hand", "foot", "toes"))
_LIMBS = tuple(f"{side}_{limb}" for side in SIDES for limb in ("arm", "leg"))

_Switches: TypeAlias = tuple[tuple[str, str, float], ...]


@dataclass(frozen=True)
class Preset:
    """A mapping with a name. recognised_by: the bones that identify its rig, for presets that ship."""

    name: str
    mapping: BoneMapping
    recognised_by: tuple[str, ...] = ()


def mapping_to_dict(mapping: BoneMapping, name: str) -> dict[str, object]:
    """The content of a preset file, for JSON."""
    slots = {slot: list(mapping.slots[slot]) for slot in SLOTS if slot in mapping.slots}
    preset: dict[str, object] = {"meshrec_mapping": FORMAT, "name": name, "slots": slots}
    if (controls := mapping.controls) is not None:
        preset["controls"] = {
            "fk": [list(switch) for switch in controls.fk],
            "ik": [list(switch) for switch in controls.ik],
            "ik_targets": dict(controls.ik_targets),
            "poles": dict(controls.poles),
        }
    return preset


def write_preset(path: Path | str, mapping: BoneMapping, name: str | None = None) -> None:
    """Save a mapping as a preset file, whole or not at all.

    Raises:
        OutputError: the file cannot be written.
    """
    path = Path(path)
    text = json.dumps(mapping_to_dict(mapping, name or path.stem), indent=1, ensure_ascii=False)
    with atomic_write(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def read_preset(path: Path | str) -> Preset:
    """Read a mapping preset.

    Raises:
        InputError: the file cannot be read, is no mapping preset, or is damaged.
    """
    path = Path(path)
    refuse_special_file(path)
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise InputError(
                "mapping-preset-too-large",
                "{name} is too large for a mapping preset: the limit is {limit:.0f} MB.",
                "Choose a file that was saved as a mapping preset.",
                name=path.name,
                limit=_MAX_BYTES / 2**20,
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
        raise _not_a_preset_error(path.name) from error
    try:
        content = parse_json(text)
    except ValueError as error:
        raise InputError(
            "mapping-preset-not-json",
            "{name} is damaged: it is not valid JSON.",
            "Save the mapping again from a rig, or choose another preset.",
            name=path.name,
        ) from error
    return preset_from_dict(content, path.name)


@cache
def shipped_presets() -> tuple[Preset, ...]:
    """The presets that ship, in the order of their file names."""
    return tuple(read_preset(path) for path in sorted(_SHIPPED_FOLDER.glob(f"*{SUFFIX}")))


def filter_controls(controls: Controls | None, bones: Container[str]) -> Controls | None:
    """The controls that a rig with these bones has; None if it has none of them."""
    if controls is None:
        return None
    existing = Controls(
        fk=tuple(switch for switch in controls.fk if switch[0] in bones),
        ik=tuple(switch for switch in controls.ik if switch[0] in bones),
        ik_targets=_filter_values(controls.ik_targets, bones),
        poles=_filter_values(controls.poles, bones),
    )
    return None if existing == Controls() else existing


def _filter_values(bone_of_key: Mapping[str, str], bones: Container[str]) -> dict[str, str]:
    return {key: bone for key, bone in bone_of_key.items() if bone in bones}


# --- checking the content of a file --------------------------------------------------------------------------------------


def preset_from_dict(content: object, source: str = "The mapping preset") -> Preset:
    """Check the content of a preset file and make a Preset of it.

    Raises:
        InputError: it is no mapping preset, of a later version, or damaged; the message names the defect.
    """
    if not isinstance(content, dict) or "meshrec_mapping" not in content:
        raise _not_a_preset_error(source)
    if content["meshrec_mapping"] != FORMAT:
        raise InputError(
            "mapping-preset-of-later-version",
            "{name} was saved by a later version.",
            "Update the add-on, or save the mapping again.",
            name=source,
        )
    try:
        return _parse_preset(content)
    except _DamagedError as error:
        raise InputError(
            "mapping-preset-damaged",
            "{name} is damaged: {reason}.",
            "Save the mapping again from a rig, or choose another preset.",
            name=source,
            reason=str(error),
        ) from None


class _DamagedError(Exception):
    """What is wrong with the content of a preset."""


def _not_a_preset_error(name: str) -> InputError:
    return InputError(
        "mapping-preset-not-one", "{name} is not a mapping preset.", "Choose a file that was saved as a mapping preset.", name=name
    )


def _parse_preset(content: dict[str, object]) -> Preset:
    name = content.get("name", "")
    if not isinstance(name, str):
        raise _DamagedError("its name is no text")
    slots = _parse_slots(content.get("slots"))
    controls = content.get("controls")
    mapping = BoneMapping(
        slots=slots,
        confidence={bone: 1.0 for bones in slots.values() for bone in bones},
        found_by="preset",
        convention=name,
        controls=None if controls is None else _parse_controls(controls),
    )
    recognised_by = content.get("recognised_by", [])
    if not isinstance(recognised_by, list) or not all(isinstance(bone, str) for bone in recognised_by):
        raise _DamagedError('"recognised_by" is no list of bone names')
    return Preset(name, mapping, tuple(recognised_by))


def _parse_slots(slots: object) -> dict[str, tuple[str, ...]]:
    """Slot -> bones, each bone in one slot."""
    if not isinstance(slots, dict) or not slots:
        raise _DamagedError("it maps no bones")
    slot_of_bone: dict[str, str] = {}
    for slot, bones in slots.items():
        if slot not in SLOTS:
            raise _DamagedError(f'it speaks of "{slot}", which is no part of a body')
        if not isinstance(bones, list) or not all(isinstance(bone, str) and bone for bone in bones):
            raise _DamagedError(f'"{slot}" is no list of bone names')
        for bone in bones:
            if bone in slot_of_bone:
                raise _DamagedError(f'the bone "{bone}" is both "{slot_of_bone[bone]}" and "{slot}"')
            slot_of_bone[bone] = slot
    return {slot: tuple(bones) for slot, bones in slots.items()}


def _parse_controls(content: object) -> Controls:
    if not isinstance(content, dict):
        raise _DamagedError('"controls" is no table')
    fk, ik = (_parse_switches(content.get(kind, []), kind) for kind in ("fk", "ik"))
    return Controls(
        fk=fk,
        ik=ik,
        ik_targets=_parse_bone_table(content.get("ik_targets", {}), "ik_targets", _LIMB_ENDS),
        poles=_parse_bone_table(content.get("poles", {}), "poles", _LIMBS),
    )


def _parse_switches(rows: object, kind: str) -> _Switches:
    if not isinstance(rows, list) or not all(_is_switch(row) for row in rows):
        raise _DamagedError(f'a switch in "{kind}" is not a bone, a property and a value')
    return tuple((bone, name, value) for bone, name, value in rows)


def _is_switch(row: object) -> bool:
    if not isinstance(row, list) or len(row) != 3 or not all(isinstance(part, str) and part for part in row[:2]):
        return False
    return isinstance(row[2], int | float) and abs(row[2]) <= _MAX_SWITCH_VALUE  # nan is not


def _parse_bone_table(table: object, kind: str, allowed_keys: tuple[str, ...]) -> dict[str, str]:
    if not isinstance(table, dict) or not all(key in allowed_keys and isinstance(bone, str) and bone for key, bone in table.items()):
        raise _DamagedError(f'"{kind}" gives bones for others than {", ".join(allowed_keys)}')
    return dict(table)
