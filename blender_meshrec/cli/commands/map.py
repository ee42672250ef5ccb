"""`meshrec map`: which bone of a character is which part of a body, printed and saved as a mapping preset."""

import os
from argparse import Namespace
from pathlib import Path
from typing import Any

from ...bridge.scene_process import run_mapping_process
from ...core.errors import ExitCode, InputError
from ...core.files.output_file import check_writable
from ...retarget.character_path import split_character_path
from ...retarget.mapping.presets import SUFFIX, preset_from_dict, write_preset
from ..console import Console
from ..outputs import is_inside_blender

_HOW_FOUND = {
    "preset": "a preset",
    "vrm": "the file's own VRM map",
    "names": "their names",
    "geometry": "the skeleton's shape alone: check it before you use it",
}
_LOW_CONFIDENCE = 0.6


def run(options: Namespace, console: Console) -> int:
    """Map the character's bones, print them, and write the preset."""
    path, _name = split_character_path(options.rig)
    output = None if options.output is None else Path(options.output)
    if output is not None:
        _check_output(output, path)
    found = _map_rig(options.rig, options.blender)
    for line in format_mapping(found):
        console.print_result(line)
    if output is not None:
        preset = preset_from_dict(found["preset"])
        write_preset(output, preset.mapping, preset.name)
        console.done(options.rig, [str(output)])
    return ExitCode.DONE


def _check_output(output: Path, rig: Path) -> None:
    if output.suffix.lower() != SUFFIX:
        raise InputError(
            "mapping-output-suffix", "{name} is no name for a mapping preset.", "End the output's name in .json.", name=output.name
        )
    if os.path.exists(output) and os.path.exists(rig) and output.samefile(rig):
        raise InputError("output-is-input", "{path} is the input.", "Choose another name or folder for the output.", path=output)
    check_writable(output)


def _map_rig(rig: str, blender: str | None) -> dict[str, Any]:
    if not is_inside_blender(blender):
        return run_mapping_process(rig, blender)
    from ...scene.retargeting.map_rig import map_file

    return map_file(rig)


def format_mapping(found: dict[str, Any]) -> list[str]:
    """The lines of a table: a part of the body, its bone and the bone's confidence; below, how they were found and which are left."""
    rows = [(slot, bone, found["confidence"].get(bone, 1.0)) for slot, bones in found["bones"].items() for bone in bones]
    slot_width = max(len(slot) for slot, _bone, _confidence in rows)
    bone_width = max(len(bone) for _slot, bone, _confidence in rows)
    lines = [
        f"{slot:{slot_width}}  {bone:{bone_width}}  {confidence:.2f}{'  uncertain' if confidence < _LOW_CONFIDENCE else ''}"
        for slot, bone, confidence in rows
    ]
    convention = f" ({found['convention']})" if found["convention"] else ""
    lines.append(f"Found by {_HOW_FOUND.get(found['found_by'], found['found_by'])}{convention}.")
    if found["unmapped"]:
        lines.append(f"Without a part: {', '.join(found['unmapped'])}.")
    return lines
