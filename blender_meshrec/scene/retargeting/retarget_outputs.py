"""From motions and a character's file to files of that character, in Blender without a window: `meshrec retarget`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...core.conventions import FIRST_BLENDER_FRAME
from ...core.files.bvh import write_bvh
from ...core.messages import Message
from ...core.options import ReconstructOptions
from ...retarget.character_path import split_character_path
from ...retarget.mapping.presets import read_preset
from ...retarget.rig import BoneMapping, Performance, RetargetOptions
from ...retarget.source.files import read_performance
from ..character.character_group import CharacterGroup, exported_objects
from ..character.character_motion import motion_from_plan
from ..character.external_files import leave_out_external_files, pack_own_pictures_only
from ..character.rig_file import Character, load_character, unhide_character
from ..character.rig_scripts import script_notes
from ..context import active_scene
from ..export.export import export_assembly
from ..motion.keyframes import scene_fps, set_timeline
from ..outputs import Output, open_empty_file, require_background
from .map_rig import mapping_report
from .retarget import RetargetResult, retarget_armature


def retarget_files(
    motions: Sequence[tuple[str, str | Path]],
    outputs: Sequence[Output],
    body: str,
    preset: str,
    rig: str,
    options: Mapping[str, Any] | None = None,
    mapping: str | None = None,
    up: str = ReconstructOptions.up,
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Read motions and retarget them to the character of a file: `write_retargeted` with files in place of records.

    Args:
        motions: (name, path) pairs of files that `read_performance` reads. body: of MeshRec's own motions, "open" or a file.
            options: fields of RetargetOptions. mapping: path of a mapping preset, or None. up: the axis that is up in motions of
            other software, "auto" as their format says.
    """
    chosen = RetargetOptions(**(options or {}))
    preset_mapping = read_preset(mapping).mapping if mapping else None
    performances = [(name, read_performance(path, body, up)) for name, path in motions]
    return write_retargeted(performances, outputs, rig, preset, chosen, preset_mapping)


def write_retargeted(
    performances: Sequence[tuple[str, Performance]],
    outputs: Sequence[Output],
    rig: str,
    preset: str = "blender",
    options: RetargetOptions | None = None,
    mapping: BoneMapping | None = None,
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Write each output: a copy of the character of `rig` for each of the output's people; the open file is discarded.

    Args:
        performances: (name, Performance) of one clip's people. outputs: a .blend holds all its people, other formats the
            first. rig: FILE or FILE#object. mapping: found automatically if None.

    Returns:
        quality and mapping by output path, and sentences about differences from the plan.

    Raises:
        InputError, OutputError: as in `load_character`, `retarget_armature` and `export_assembly`; also if a character does not
            move as planned and the options do not have `force`.
    """
    require_background("write_retargeted")
    path, name = split_character_path(rig)
    options = options or RetargetOptions()
    quality: dict[str, dict[str, Any]] = {}
    notes: list[str] = [note for _take, performance in performances for note in performance.notes]
    for output in outputs:
        chosen = [performances[index] for index in output.people]
        characters = _load_characters(path, name, len(chosen))
        has_own_scene = path.suffix.lower() == output.path.suffix.lower() == ".blend"
        timeline = _describe_timeline()
        results = _retarget_characters(characters, chosen, mapping, replace(options, keep_timeline=options.keep_timeline and has_own_scene))
        is_plan_written = output.path.suffix.lower() == ".bvh"  # the plan itself, not what Blender evaluates
        notes += _obstacle_notes(results, options.force or is_plan_written)
        notes += _timeline_notes(timeline) if has_own_scene else ()
        file_notes = _write_output(output, characters, results, preset, path)
        quality[str(output.path)] = {**results[0].quality, "mapping": mapping_report(results[0].mapping)}
        notes += [note for character, result in zip(characters, results) for note in (*character.notes, *result.notes)]
        notes += file_notes
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
    scene = active_scene()
    first_frame = FIRST_BLENDER_FRAME
    if options.keep_timeline:
        options, first_frame = replace(options, fps=scene_fps(scene)), scene.frame_start
    results = [
        retarget_armature(character.armature, performance, mapping, options, take, character.humanoid, first_frame)
        for character, (take, performance) in zip(characters, performances)
    ]
    if not options.keep_timeline:
        set_timeline(scene, results[0].fps, max(result.last_frame for result in results))
    return results


def _describe_timeline() -> tuple[str, str]:
    """The frame rate and the frame range of the scene, in words."""
    scene = active_scene()
    return f"{scene_fps(scene):.5g}", f"{scene.frame_start}-{scene.frame_end}"


def _timeline_notes(before: tuple[str, str]) -> tuple[Message, ...]:
    """A note about a scene whose frame rate or range is another than before."""
    after = _describe_timeline()
    if after == before:
        return ()
    text = (
        "The scene of the character had {fps} frames per second and the frames {frames}; now it has {new_fps} and {new_frames}. "
        "--keep-timeline keeps its own."
    )
    return (Message("scene-timeline-changed", text, fps=before[0], frames=before[1], new_fps=after[0], new_frames=after[1]),)


def _obstacle_notes(results: Sequence[RetargetResult], force: bool) -> list[Message]:
    """Sentences about characters that do not move as planned.

    Raises:
        InputError: there is one, and `force` is not set.
    """
    obstacles = [result.obstacle for result in results if result.obstacle is not None]
    if obstacles and not force:
        raise obstacles[0]
    return [obstacle.problem for obstacle in obstacles]


def _write_output(
    output: Output, characters: Sequence[Character], results: Sequence[RetargetResult], preset: str, rig_path: Path
) -> tuple[Message, ...]:
    """Write one output; returns notes about the other files and the scripts of the character's file `rig_path`."""
    suffix = output.path.suffix.lower()
    notes = script_notes(rig_path.name, suffix == ".blend")
    if suffix == ".bvh":
        write_bvh(output.path, motion_from_plan(results[0].plan))
        return notes
    armatures = tuple(character.armature for character in characters)
    meshes = tuple(mesh for character in characters for mesh in character.meshes)
    has_controls = any(result.mapping.controls is not None for result in results)
    group = CharacterGroup(armatures, meshes, has_controls)
    if suffix == ".blend":
        pack_own_pictures_only(rig_path)
    else:
        notes += leave_out_external_files(rig_path, exported_objects(group))
    export_assembly(output.path, group, preset, output.home)
    return notes
