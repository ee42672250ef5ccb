"""Turns a result into people in the scene: with their names, coloured bones, quality and report."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy

from ...bridge.messages import Result
from ...core.array_types import FloatArray
from ...core.files.body_template import load_body
from ...core.messages import Message, messages_to_text
from ...core.records import Recovery
from ...core.skel.template import load_skel
from ...scene.assemble import Assembly, Person, assemble, match_picture, without_shapes_note
from ...scene.cameras.footage_clock import store_footage_times
from ...scene.cameras.footage_preview import align_preview
from ...scene.cameras.view_cameras import make_view_cameras
from ...scene.cameras.view_framing import frame_person_in_views
from ...scene.context import active_scene
from ...scene.corrections.solve_again import replace_motions, take_over_corrections
from ...scene.free_names import free_name
from ...scene.motion.keyframes import scene_fps
from ...scene.person.confidence import joint_confidence
from ...scene.report_text import quality_sentences, report_lines, write_report
from ...scene.scene_timing import choose_timing, match_timeline, on_timeline
from ...scene.takes.earlier_results import FOOTAGE_PROPERTY, EarlierClip, find_clip, find_rigs, mark_result
from ...scene.takes.new_take import BODY_PROPERTY, fits_take
from ...scene.takes.played_take import played_action
from ...scene.takes.takes import WORST_FRAMES, copy_take_properties, first_frame_of
from ...scene.unit_scale import scene_unit
from ..blender_types import require, retarget_settings_of, scene_of, settings_of
from ..footage.scene_camera import SceneCamera, frame_for_frame


def make_people(
    context: bpy.types.Context,
    clip: str,
    numbered: Sequence[tuple[int, Recovery]],
    bodies: tuple[str, str],
    report: Mapping[str, Any] | None = None,
    new_takes: bool = False,
    surfaces: Mapping[int, Path] | None = None,
    scene_camera: SceneCamera | None = None,
    textures: Mapping[int, bytes] | None = None,
) -> Assembly:
    """Build recoveries in the current scene and select their armatures.

    The scene's settings determine the people's names, where keys lie, whether bones may stretch, and whether the scene is matched.

    Args:
        clip: the clip's name.
        numbered: (number, Recovery) of each person, of one clip.
        bodies: the sources for `load_body` and `load_skel`.
        report: the report of the Result.
        new_takes: whether people whom the scene has already get a new take; otherwise a new rig.
        surfaces: number -> point cache of the exact surface.
        scene_camera: the scene's own camera that filmed the clip, if it is known: then the scene stays as it is.
        textures: number -> content of a PNG file for the UV map of the body.
    """
    scene, settings = scene_of(context), settings_of(context)
    footage = numbered[0][1].footage
    fps = numbered[0][1].mocap_framerate
    whole_frames = settings.whole_frames and not surfaces  # a surface has one sample for each frame of the footage
    timing = choose_timing(scene, fps, settings.frame_rate, settings.first_key, whole_frames, settings.match_scene)
    if scene_camera is not None:
        timing, numbered = frame_for_frame(scene, numbered)
    footage_times = (numbered[0][1].first_frame, numbered[0][1].timestamps)
    recoveries = on_timeline([recovery for _, recovery in numbered], timing)
    numbered = [(number, recovery) for (number, _), recovery in zip(numbered, recoveries)]
    earlier = find_clip(scene, footage) if new_takes else EarlierClip(None, None)
    people, notes = _people(context, clip, numbered, bodies, new_takes, surfaces or {}, textures or {})
    assembly = assemble(
        people,
        clip if earlier.collection is not None else free_name(clip, bpy.data.collections),
        fps=timing.fps,
        stretch=settings.stretch,
        first_frame=timing.first_frame,
        earlier=earlier.collection,
        camera=earlier.camera,
        metres_per_unit=scene_unit(scene),
        own_camera=None if scene_camera is None else scene_camera.camera,
        pose_shapes=settings.pose_shapes,
        footage_times=footage_times[1],
    )
    assembly = replace(assembly, notes=(*notes, *(assembly.notes if settings.pose_shapes else without_shapes_note(assembly.notes))))
    if settings.match_scene and scene_camera is None:
        match_timeline(scene, timing, assembly.last_frame)
        match_picture(scene, assembly, people[0].recovery.camera)
    unit, views = scene_unit(scene), (report or {}).get("views", ())
    make_view_cameras(assembly.collection, views, numbered[0][1], timing.fps, timing.first_frame, unit)
    _describe_and_show(context, clip, assembly, numbered, report or {})
    _store_origin(assembly, bodies, *footage_times)
    align_preview(scene, footage, timing.first_frame, numbered[0][1].first_frame)
    return assembly


def _store_origin(assembly: Assembly, bodies: tuple[str, str], first_frame: int, timestamps: FloatArray) -> None:
    """Store with each armature its bodies and the times of its footage, and take over the corrections of an earlier result."""
    for armature_object in assembly.armatures:
        armature_object[BODY_PROPERTY] = list(bodies)
        store_footage_times(armature_object, first_frame, timestamps)
        take_over_corrections(armature_object)


def textures_of(result: Result) -> dict[int, bytes]:
    """The textures of a result's people, by their numbers."""
    pairs = zip(result.people, result.textures)
    return {number: texture.tobytes() for number, texture in pairs if texture is not None}


def _describe_and_show(
    context: bpy.types.Context, clip: str, assembly: Assembly, numbered: Sequence[tuple[int, Recovery]], report: Mapping[str, Any]
) -> None:
    """Store where the people of an Assembly are from and how good they are, make the first the source of Retarget, and show them."""
    names = [settings_of(context).person_name(number) for number, _ in numbered]
    text = store_report(assembly.armatures, assembly.notes, clip, names, numbered, report)
    mark_result(assembly, numbered[0][1].footage, [(number, name) for name, (number, _) in zip(names, numbered)], text)
    retarget_settings = retarget_settings_of(context)
    if retarget_settings.source is None or FOOTAGE_PROPERTY in retarget_settings.source:
        retarget_settings.source = assembly.armatures[0]
    _select_armatures(context, assembly)
    frame_person_in_views(assembly.armatures[0])


def _people(
    context: bpy.types.Context,
    clip: str,
    numbered: Sequence[tuple[int, Recovery]],
    bodies: tuple[str, str],
    new_takes: bool,
    surfaces: Mapping[int, Path],
    textures: Mapping[int, bytes],
) -> tuple[list[Person], list[Message]]:
    """The people to make, with the rigs that get a new take; and a note on each rig that cannot."""
    scene, settings = scene_of(context), settings_of(context)
    template = load_body(bodies[0])
    skel = load_skel(bodies[1]) if any(recovery.q is not None for _, recovery in numbered) else None
    people: list[Person] = []
    notes: list[Message] = []
    for number, recovery in numbered:
        base = f"{clip} {settings.person_name(number)}"
        own_skel = skel if recovery.q is not None else None
        person = Person(base, recovery, template, own_skel, surfaces.get(number), texture=textures.get(number))
        rigs = find_rigs(scene, recovery.footage, number, context.object) if new_takes else []
        rig = next((rig for rig in rigs if fits_take(rig, person)), None)
        if rig is None:
            person = replace(person, name=free_name(base, bpy.data.objects, bpy.data.collections))
            text = '"{name}" stays as it is: its bones or its body are others than those of the new result, which has a rig of its own.'
            notes += [Message("rig-fits-no-take", text, name=other.name) for other in rigs[:1]]
        people.append(replace(person, rig=rig))
    return people, notes


def replace_people(
    context: bpy.types.Context,
    clip: str,
    armatures: Mapping[int, bpy.types.Object],
    recoveries: Mapping[int, Recovery],
    bodies: tuple[str, str],
    report: Mapping[str, Any],
) -> None:
    """Give the armatures of people, by number, the motions of a clip that was solved again, and their quality and report.

    Args:
        clip, bodies, report: as in `make_people`.
    """
    skel = load_skel(bodies[1]) if any(recovery.q is not None for recovery in recoveries.values()) else None
    replace_motions(armatures, recoveries, load_body(bodies[0]), skel, scene_fps(scene_of(context)))
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
    fps = scene_fps(active_scene())
    for rig, name, (number, recovery) in zip(armatures, names, numbered):
        action = played_action(rig)
        start = first_frame_of(action)
        entry = numbers_of_person.get(number)
        worst = [start + round(time * fps) for time in (entry or {}).get("worst_times", ())]
        sentences = quality_sentences(recovery, entry, report.get("lens"), worst)
        rig["quality"] = "\n".join(sentences)
        rig["quality_messages"] = messages_to_text(sentences)  # the same, to be shown in the artist's language
        people.append((name, sentences, entry or {}))
        rig["confidence"] = [float(value) for value in joint_confidence(recovery)]
        if action is not None:
            action[WORST_FRAMES] = worst
    text = write_report(clip, report_lines(clip, people, report, notes))
    for rig in armatures:
        rig["report"] = text
        action = played_action(rig)
        if action is not None:
            copy_take_properties(rig, action)
    return text


def _select_armatures(context: bpy.types.Context, assembly: Assembly) -> None:
    for thing in context.selected_objects:
        thing.select_set(False)
    for rig in assembly.armatures:
        rig.select_set(True)
    require(context.view_layer).objects.active = assembly.armatures[0]
