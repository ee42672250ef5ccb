"""Turns a result into people in the scene: with their names, quality and report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import bpy

from ...bridge.messages import ReconstructRequest, Result
from ...core.array_types import FloatArray
from ...core.files.body_template import load_body
from ...core.messages import Message, messages_to_text
from ...core.records import Recovery
from ...core.skel.template import SkelTemplate, load_skel
from ...scene.assemble import assemble, match_picture, without_shapes_note
from ...scene.assembly import Assembly, AssemblyOptions, Person
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
from ..blender_types import retarget_settings_of, scene_of, settings_of
from ..footage.scene_camera import SceneCamera, frame_for_frame
from ..selection import select_only


@dataclass(frozen=True)
class ClipPeople:
    """The people of one clip, to be made in the scene.

    Attributes:
        name: the clip's name.
        numbered: (number, Recovery) of each person.
        bodies: the sources for `load_body` and `load_skel`.
        report: the report of the Result; empty for a motion file.
        surfaces: number -> point cache of the exact surface.
        textures: number -> content of a PNG file for the UV map of the body.
    """

    name: str
    numbered: Sequence[tuple[int, Recovery]]
    bodies: tuple[str, str]
    report: Mapping[str, Any] = field(default_factory=dict)
    surfaces: Mapping[int, Path] = field(default_factory=dict)
    textures: Mapping[int, bytes] = field(default_factory=dict)

    @property
    def first(self) -> Recovery:
        """The first person's Recovery: footage and frames are the same for all."""
        return self.numbered[0][1]

    def load_skel(self) -> SkelTemplate | None:
        """The SKEL body, if somebody has angles."""
        return load_skel(self.bodies[1]) if any(recovery.q is not None for _, recovery in self.numbered) else None


def people_of_result(request: ReconstructRequest, result: Result, surfaces: Mapping[int, Path] | None = None) -> ClipPeople:
    """The people of a Result. surfaces: number -> point cache of the exact surface."""
    textures = {number: texture.tobytes() for number, texture in zip(result.people, result.textures) if texture is not None}
    numbered = tuple(zip(result.people, result.recoveries))
    return ClipPeople(Path(request.source).stem, numbered, (request.body, request.skel_body), result.report, surfaces or {}, textures)


def make_people(context: bpy.types.Context, clip: ClipPeople, new_takes: bool = False, scene_camera: SceneCamera | None = None) -> Assembly:
    """Build the people of a clip in the current scene and select their armatures.

    The scene's settings determine the people's names, where keys lie, whether bones may stretch, and whether the scene is matched.

    Args:
        new_takes: whether people whom the scene has already get a new take; otherwise a new rig.
        scene_camera: the scene's own camera that filmed the clip, if it is known: then the scene stays as it is.
    """
    scene, settings = scene_of(context), settings_of(context)
    footage = clip.first.footage
    whole_frames = settings.whole_frames and not clip.surfaces  # a surface has one sample for each frame of the footage
    fps = clip.first.mocap_framerate
    timing = choose_timing(scene, fps, settings.frame_rate, settings.first_key, whole_frames, settings.match_scene)
    if scene_camera is not None:
        timing, numbered = frame_for_frame(scene, clip.numbered)
        clip = replace(clip, numbered=numbered)
    footage_times = (clip.first.first_frame, clip.first.timestamps)
    recoveries = on_timeline([recovery for _, recovery in clip.numbered], timing)
    clip = replace(clip, numbered=[(number, recovery) for (number, _), recovery in zip(clip.numbered, recoveries)])
    earlier = find_clip(scene, footage) if new_takes else EarlierClip(None, None)
    people, notes = _people(context, clip, new_takes)
    name = clip.name if earlier.collection is not None else free_name(clip.name, bpy.data.collections)
    options = AssemblyOptions(
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
    assembly = assemble(people, name, options)
    assembly = replace(assembly, notes=(*notes, *(assembly.notes if settings.pose_shapes else without_shapes_note(assembly.notes))))
    if settings.match_scene and scene_camera is None:
        match_timeline(scene, timing, assembly.last_frame)
        match_picture(scene, assembly, people[0].recovery.camera)
    views = clip.report.get("views", ())
    make_view_cameras(assembly.collection, views, clip.first, timing.fps, timing.first_frame, scene_unit(scene))
    _describe_and_show(context, clip, assembly)
    _store_origin(assembly, clip.bodies, *footage_times)
    align_preview(scene, footage, timing.first_frame, clip.first.first_frame)
    return assembly


def _store_origin(assembly: Assembly, bodies: tuple[str, str], first_frame: int, timestamps: FloatArray) -> None:
    """Store with each armature its bodies and the times of its footage, and take over the corrections of an earlier result."""
    for armature_object in assembly.armatures:
        armature_object[BODY_PROPERTY] = list(bodies)
        store_footage_times(armature_object, first_frame, timestamps)
        take_over_corrections(armature_object)


def _describe_and_show(context: bpy.types.Context, clip: ClipPeople, assembly: Assembly) -> None:
    """Store where the people of an Assembly are from and how good they are, make the first the source of Retarget, and show them."""
    names = [settings_of(context).person_name(number) for number, _ in clip.numbered]
    text = _store_report(clip, assembly.armatures, names, assembly.notes)
    mark_result(assembly, clip.first.footage, [(number, name) for name, (number, _) in zip(names, clip.numbered)], text)
    retarget_settings = retarget_settings_of(context)
    if retarget_settings.source is None or FOOTAGE_PROPERTY in retarget_settings.source:
        retarget_settings.source = assembly.armatures[0]
    select_only(context, assembly.armatures)
    frame_person_in_views(assembly.armatures[0])


def _people(context: bpy.types.Context, clip: ClipPeople, new_takes: bool) -> tuple[list[Person], list[Message]]:
    """The people to make, with the rigs that get a new take; and a note on each rig that cannot."""
    scene, settings = scene_of(context), settings_of(context)
    template, skel = load_body(clip.bodies[0]), clip.load_skel()
    people: list[Person] = []
    notes: list[Message] = []
    for number, recovery in clip.numbered:
        base = f"{clip.name} {settings.person_name(number)}"
        own_skel = skel if recovery.q is not None else None
        person = Person(base, recovery, template, own_skel, clip.surfaces.get(number), texture=clip.textures.get(number))
        rigs = find_rigs(scene, recovery.footage, number, context.object) if new_takes else []
        rig = next((rig for rig in rigs if fits_take(rig, person)), None)
        if rig is None:
            person = replace(person, name=free_name(base, bpy.data.objects, bpy.data.collections))
            text = '"{name}" stays as it is: its bones or its body are others than those of the new result, which has a rig of its own.'
            notes += [Message("rig-fits-no-take", text, name=other.name) for other in rigs[:1]]
        people.append(replace(person, rig=rig))
    return people, notes


def replace_people(context: bpy.types.Context, clip: ClipPeople, armatures: Mapping[int, bpy.types.Object]) -> None:
    """Give the armatures of people, by number, the motions of a clip that was solved again, and their quality and report."""
    recoveries = dict(clip.numbered)
    replace_motions(armatures, recoveries, load_body(clip.bodies[0]), clip.load_skel(), scene_fps(scene_of(context)))
    clip = replace(clip, numbered=[(number, recoveries[number]) for number in armatures])
    _store_report(clip, list(armatures.values()), [armature_object.name for armature_object in armatures.values()])


def _store_report(
    clip: ClipPeople, armatures: Sequence[bpy.types.Object], names: Sequence[str], notes: Sequence[str] = ()
) -> bpy.types.Text:
    """Store each person's quality with their armature, and write the report as a text block.

    Args:
        armatures, names: of the people of the clip, in their order. notes: on making the scene.
    """
    report = clip.report
    entries = {entry["person"]: entry for entry in report.get("people", ())}
    people: list[tuple[str, Sequence[str], Mapping[str, Any]]] = []
    fps = scene_fps(active_scene())
    for rig, name, (number, recovery) in zip(armatures, names, clip.numbered):
        action = played_action(rig)
        start = first_frame_of(action)
        entry = entries.get(number)
        worst = [start + round(time * fps) for time in (entry or {}).get("worst_times", ())]
        sentences = quality_sentences(recovery, entry, report.get("lens"), worst)
        rig["quality"] = "\n".join(sentences)
        rig["quality_messages"] = messages_to_text(sentences)  # the same, to be shown in the artist's language
        people.append((name, sentences, entry or {}))
        rig["confidence"] = [float(value) for value in joint_confidence(recovery)]
        if action is not None:
            action[WORST_FRAMES] = worst
    text = write_report(clip.name, report_lines(clip.name, people, report, notes))
    for rig in armatures:
        rig["report"] = text
        action = played_action(rig)
        if action is not None:
            copy_take_properties(rig, action)
    return text
