"""Turns a result into people in the scene: with their names, coloured bones, quality and report."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import bpy

from ..core.array_types import FloatArray
from ..core.files.body_template import load_body
from ..core.messages import messages_to_text
from ..core.records import Recovery
from ..core.skel.template import load_skel
from ..scene.assemble import Assembly, Person, assemble, match_scene
from ..scene.confidence import colour_bones, joint_confidence
from ..scene.earlier_results import SidelinedResults, find_earlier_results, mark_result
from ..scene.keyframes import scene_fps
from ..scene.report_text import quality_sentences, report_lines, write_report
from ..scene.solve_again import replace_motions
from .blender_types import require, retarget_settings_of, scene_of, settings_of


def make_people(
    context: bpy.types.Context,
    clip: str,
    numbered: Sequence[tuple[int, Recovery]],
    bodies: tuple[str, str],
    report: Mapping[str, Any] | None = None,
    replace: bool = False,
    surfaces: Mapping[int, Path] | None = None,
) -> Assembly:
    """Build recoveries in the current scene and select their armatures.

    The scene's settings determine the people's names, whether bones may stretch, and whether the scene is matched to the footage.

    Args:
        clip: the clip's name.
        numbered: (number, Recovery) of each person, of one clip.
        bodies: the sources for `load_body` and `load_skel`.
        report: the report of the Result.
        replace: whether to remove earlier results of the same people.
        surfaces: number -> point cache of the exact surface.
    """
    footage = numbered[0][1].footage
    earlier = find_earlier_results(footage, [number for number, _ in numbered]) if replace and footage else ()
    sidelined = SidelinedResults(earlier)
    try:
        assembly = _assemble(context, clip, numbered, bodies, report or {}, surfaces or {})
    except BaseException:
        sidelined.restore()
        raise
    retarget_settings = retarget_settings_of(context)
    if retarget_settings.source in (None, *sidelined.armatures):
        retarget_settings.source = assembly.armatures[0]
    sidelined.remove()
    _select_armatures(context, assembly)
    return assembly


def _assemble(
    context: bpy.types.Context,
    clip: str,
    numbered: Sequence[tuple[int, Recovery]],
    bodies: tuple[str, str],
    report: Mapping[str, Any],
    surfaces: Mapping[int, Path],
) -> Assembly:
    scene, settings = scene_of(context), settings_of(context)
    template = load_body(bodies[0])
    skel = load_skel(bodies[1]) if any(recovery.q is not None for _, recovery in numbered) else None
    names = [settings.person_name(number) for number, _ in numbered]
    people = [
        Person(f"{clip} {name}", recovery, template, skel if recovery.q is not None else None, surfaces.get(number))
        for name, (number, recovery) in zip(names, numbered)
    ]
    fps = None if settings.match_scene else scene.render.fps / scene.render.fps_base
    assembly = assemble(people, clip, fps=fps, stretch=settings.stretch)
    if settings.match_scene:
        match_scene(scene, assembly, people[0].recovery.camera)
    text = store_report(assembly.armatures, assembly.notes, clip, names, numbered, report)
    mark_result(assembly, numbered[0][1].footage, [(number, name) for name, (number, _) in zip(names, numbered)], text)
    return assembly


def replace_people(
    context: bpy.types.Context,
    clip: str,
    armatures: Mapping[int, bpy.types.Object],
    recoveries: Mapping[int, Recovery],
    edited: Mapping[int, FloatArray],
    bodies: tuple[str, str],
    report: Mapping[str, Any],
) -> None:
    """Give the armatures of people, by number, the motions of a clip that was solved again, and their quality and report.

    Args:
        edited: contacts (F,4) of each, as of `EditedContacts`. clip, bodies, report: as in `make_people`.
    """
    skel = load_skel(bodies[1]) if any(recovery.q is not None for recovery in recoveries.values()) else None
    replace_motions(armatures, recoveries, edited, load_body(bodies[0]), skel, scene_fps(scene_of(context)))
    names = [armature_object.name for armature_object in armatures.values()]
    store_report(list(armatures.values()), (), clip, names, [(number, recoveries[number]) for number in armatures], report)


def store_report(
    armatures: Sequence[bpy.types.Object],
    notes: Sequence[str],
    clip: str,
    names: Sequence[str],
    numbered: Sequence[tuple[int, Recovery]],
    report: Mapping[str, Any],
) -> bpy.types.Text:
    """Store each person's quality with the armature, colour the bones, and write the report as a text block."""
    numbers_of_person = {entry["person"]: entry for entry in report.get("people", ())}
    people: list[tuple[str, Sequence[str], Mapping[str, Any]]] = []
    for rig, name, (number, recovery) in zip(armatures, names, numbered):
        sentences = quality_sentences(recovery, numbers_of_person.get(number), report.get("lens"))
        rig["quality"] = "\n".join(sentences)
        rig["quality_messages"] = messages_to_text(sentences)  # the same, to be shown in the artist's language
        people.append((name, sentences, numbers_of_person.get(number, {})))
        colour_bones(rig, joint_confidence(recovery))
    text = write_report(clip, report_lines(clip, people, report, notes))
    for rig in armatures:
        rig["report"] = text
    return text


def _select_armatures(context: bpy.types.Context, assembly: Assembly) -> None:
    for thing in context.selected_objects:
        thing.select_set(False)
    for rig in assembly.armatures:
        rig.select_set(True)
    require(context.view_layer).objects.active = assembly.armatures[0]
