"""From motions and a character's file to files of that character, in Blender without a window: `meshrec retarget`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..core.files.bvh import write_bvh
from ..retarget.character_path import split_character_path
from ..retarget.mapping.presets import read_preset
from ..retarget.rig import BoneMapping, Performance, RetargetOptions
from ..retarget.source.files import read_performance
from .character_group import CharacterGroup
from .character_motion import motion_from_plan
from .context import active_scene
from .export import export_assembly
from .keyframes import set_timeline
from .outputs import Output, open_empty_file, require_background
from .retarget import RetargetResult, retarget_armature
from .rig_file import Character, load_character, unhide_character


def retarget_files(
    motions: Sequence[tuple[str, str | Path]],
    outputs: Sequence[Output],
    body: str,
    preset: str,
    rig: str,
    options: Mapping[str, Any] | None = None,
    mapping: str | None = None,
) -> tuple[dict[str, dict[str, float]], list[str]]:
    """Read motions and retarget them to the character of a file: `write_retargeted` with files in place of records.

    Args:
        motions: (name, path) pairs: .npz or .bvh. body: of MeshRec's own motions, "open" or a file. options: fields of
            RetargetOptions. mapping: path of a mapping preset, or None.
    """
    chosen = RetargetOptions(**(options or {}))
    preset_mapping = read_preset(mapping).mapping if mapping else None
    performances = [(name, read_performance(path, body)) for name, path in motions]
    return write_retargeted(performances, outputs, rig, preset, chosen, preset_mapping)


def write_retargeted(
    performances: Sequence[tuple[str, Performance]],
    outputs: Sequence[Output],
    rig: str,
    preset: str = "blender",
    options: RetargetOptions | None = None,
    mapping: BoneMapping | None = None,
) -> tuple[dict[str, dict[str, float]], list[str]]:
    """Write each output: a copy of the character of `rig` for each of the output's people; the open file is discarded.

    Args:
        performances: (name, Performance) of one clip's people. outputs: a .blend holds all its people, other formats the
            first. rig: FILE or FILE#object. mapping: found automatically if None.

    Returns:
        quality by output path, and sentences about differences from the plan.

    Raises:
        InputError, OutputError: as in `load_character`, `retarget_armature` and `export_assembly`.
    """
    require_background("write_retargeted")
    path, name = split_character_path(rig)
    quality: dict[str, dict[str, float]] = {}
    notes: list[str] = []
    for output in outputs:
        chosen = [performances[index] for index in output.people]
        characters = _load_characters(path, name, len(chosen))
        results = _retarget_characters(characters, chosen, mapping, options or RetargetOptions())
        _write_output(output, characters, results, preset)
        quality[str(output.path)] = dict(results[0].quality)
        notes += [note for result in results for note in result.notes]
    return quality, list(dict.fromkeys(notes))


def _load_characters(path: Path, name: str, count: int) -> list[Character]:
    """Load `count` copies of a character into an empty file."""
    open_empty_file()
    characters: list[Character] = []
    for _ in range(count):
        characters.append(load_character(path, name, characters[0] if characters else None))
        unhide_character(characters[-1])
    return characters


def _retarget_characters(
    characters: Sequence[Character],
    performances: Sequence[tuple[str, Performance]],
    mapping: BoneMapping | None,
    options: RetargetOptions,
) -> list[RetargetResult]:
    results = [
        retarget_armature(character.armature, performance, mapping, options, take, character.humanoid)
        for character, (take, performance) in zip(characters, performances)
    ]
    set_timeline(active_scene(), results[0].fps, max(result.last_frame for result in results))
    return results


def _write_output(output: Output, characters: Sequence[Character], results: Sequence[RetargetResult], preset: str) -> None:
    if output.path.suffix.lower() == ".bvh":
        write_bvh(output.path, motion_from_plan(results[0].plan))
        return
    armatures = tuple(character.armature for character in characters)
    meshes = tuple(mesh for character in characters for mesh in character.meshes)
    has_controls = any(result.mapping.controls is not None for result in results)
    export_assembly(output.path, CharacterGroup(armatures, meshes, has_controls), preset, output.home)
